// What the mirror of a node tells of it (`/ballast/notices`), and what of that is news: the mirror itself has no right to write events.
import * as z from 'zod'
import type { Trouble } from './reporter/reporter-decision.ts'

const path = '/ballast/notices'
const mostListed = 256
/** What happened longer ago was told by whoever asked before us. */
const freshMs = 600_000
/** What lasts is told again. */
const againMs = 3_600_000

const text = z.string().max(65_536)
const notices = z.object({
  instance: text,
  problems: z.array(z.object({ reason: text, message: text })).max(mostListed),
  events: z.array(z.object({ number: z.int(), reason: text, message: text, atMs: z.number() })).max(mostListed),
})

export type MirrorNotices = z.output<typeof notices>

/** Beside the mirror's `/readyz`. */
export function noticesUrl(readyz: string): string {
  return new URL(path, readyz).href
}

/** `undefined` for an answer that is none of ours. */
export function readNotices(body: string): MirrorNotices | undefined {
  try {
    const read = notices.safeParse(JSON.parse(body))
    return read.success ? read.data : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Events of a node by what lasts there. That containerd is away is said by the condition alone. */
const eventOf: Readonly<Record<string, string>> = {
  LayersDiscarded: 'LayersDiscarded',
  ConfigurationMissing: 'MirrorIgnored',
  HostsFilesEdited: 'HostsFilesEdited',
}

/** Remembers what was told. */
export class MirrorNews {
  #instance: string | undefined
  #number = 0
  /** When each trouble was last told, in milliseconds since 1970. */
  #told = new Map<string, number>()

  /** What is to be told now of the mirror's `current` notices. */
  of(current: MirrorNotices | undefined, nowMs: number): readonly Trouble[] {
    if (current === undefined) return []
    const isNew = current.instance !== this.#instance
    const after = isNew ? 0 : this.#number
    const happened = current.events.filter(({ number, atMs }) => number > after && (!isNew || nowMs - atMs < freshMs))
    this.#instance = current.instance
    this.#number = Math.max(after, ...current.events.map(({ number }) => number))
    return [...happened.map(({ reason, message }) => ({ reason, message })), ...this.#lasting(current, nowMs)]
  }

  #lasting({ problems }: MirrorNotices, nowMs: number): readonly Trouble[] {
    const before = this.#told
    this.#told = new Map()
    return problems.flatMap(({ reason, message }) => {
      const event = eventOf[reason]
      if (event === undefined) return []
      const key = `${reason} ${message}`
      const toldMs = before.get(key)
      // Under a clock that went back, waiting could take for ever.
      const isDue = toldMs === undefined || nowMs < toldMs || nowMs - toldMs >= againMs
      this.#told.set(key, isDue ? nowMs : toldMs)
      return isDue ? [{ reason: event, message }] : []
    })
  }
}
