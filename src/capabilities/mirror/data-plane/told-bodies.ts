// The file in which nginx says how bodies ended, a JSON object a line. It is read when somebody wants to know: nginx writes a line before it
// closes the connection of that body, so who comes again because of it comes later.
import { closeSync, openSync, readSync, rmSync } from 'node:fs'
import type { Carried } from './body-orders.ts'

/** Bytes that are read at a time; a longer line is none of nginx's. */
const atOnce = 65_536
/** A file that has become so large is given up for a fresh one. */
const largestFile = 4_194_304

interface ToldBody extends Carried {
  /** 0: there was none, since it was turned away. */
  readonly order: number
}

export class ToldBodies {
  readonly #path: string
  /** Has nginx write to a fresh file at the same path. */
  readonly #reopen: () => void
  #current: LineFile | undefined
  /** One that was given up: nginx may still write to it for a moment. */
  #before: LineFile | undefined

  constructor(path: string, reopen: () => void) {
    this.#path = path
    this.#reopen = reopen
  }

  /** What was said since the last time. @throws Error where the file cannot be read */
  read(): readonly ToldBody[] {
    this.#current ??= openedIfThere(this.#path)
    const lines = [...(this.#before?.read() ?? []), ...(this.#current?.read() ?? [])]
    if (this.#current !== undefined && this.#current.position >= largestFile) this.#giveUp(this.#current)
    return lines.flatMap(text => bodyOf(text) ?? [])
  }

  close(): void {
    this.#before?.close()
    this.#current?.close()
  }

  #giveUp(file: LineFile): void {
    rmSync(this.#path, { force: true })
    this.#reopen()
    this.#before?.close()
    this.#before = file
    this.#current = undefined
  }
}

function openedIfThere(path: string): LineFile | undefined {
  try {
    return new LineFile(openSync(path, 'r'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined // nginx has not made it yet
    throw error
  }
}

/** An open file that grows, by its whole lines. */
class LineFile {
  readonly #file: number
  readonly #memory = Buffer.allocUnsafeSlow(atOnce)
  #kept = 0
  /** Bytes that were read. */
  position = 0

  constructor(file: number) {
    this.#file = file
  }

  read(): readonly string[] {
    const lines: string[] = []
    for (;;) {
      const count = readSync(this.#file, this.#memory, this.#kept, atOnce - this.#kept, this.position)
      if (count === 0) return lines
      this.position += count
      const filled = this.#kept + count
      const end = this.#memory.lastIndexOf(10, filled - 1) + 1
      lines.push(...this.#memory.toString('utf8', 0, end).split('\n').slice(0, -1))
      // What is no whole line yet stays; one that fills all of the memory is none.
      this.#kept = filled - end === atOnce ? 0 : this.#memory.copy(this.#memory, 0, end, filled)
    }
  }

  close(): void {
    closeSync(this.#file)
  }
}

function bodyOf(text: string): ToldBody | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined // SyntaxError: an empty line, or none of nginx's
  }
  if (!isLine(parsed)) return undefined
  const { order, sent, seconds, completion } = parsed
  const status = Number(parsed.status)
  // The body of another answer is none of the content.
  const isContent = status === 200 || status === 206
  return { order, status, sent: isContent ? sent : 0, seconds, isComplete: completion === 'OK' && isContent }
}

interface Line {
  readonly order: number
  /** In three digits: 009 of an answer that was no HTTP. */
  readonly status: string
  readonly sent: number
  readonly seconds: number
  readonly completion: string
}

/** Checked by hand: zod, which nothing else of an agent needs, takes 6 MiB. */
function isLine(value: unknown): value is Line {
  if (typeof value !== 'object' || value === null) return false
  const { order, status, sent, seconds, completion }: Partial<Record<keyof Line, unknown>> = value
  const isCount = (count: unknown) => typeof count === 'number' && count >= 0
  return (
    Number.isInteger(order) &&
    isCount(order) &&
    typeof status === 'string' &&
    /^\d{3}$/.test(status) &&
    isCount(sent) &&
    isCount(seconds) &&
    typeof completion === 'string'
  )
}
