// Answers to questions for lists (`/v1/models`, `/api/tags`), kept so that a sleeping target need not be woken for them.
import { createHmac, randomBytes } from 'node:crypto'
import type { Clock } from '#kube/clock.ts'
import { isMediaType } from './media-type.ts'

/** Bytes of one kept answer; a longer one is not kept. */
const mostBytes = 256 * 1024
/** Bytes of all kept answers. */
const mostAllBytes = 16 * 1024 * 1024
/** Answers of one route: a path has several by who asked, and by what the target varies them. */
const mostPerRoute = 64
const mostOfAll = 2_000
/** After a week nobody can say that it is so still. */
const longestMs = 7 * 24 * 3_600_000
/** Names that one answer may vary by. */
const mostVaried = 8

const cachedHeader = 'X-Ballast-Cached'

/**
 * Headers that say who asks. Clients of OpenAI's API always send a key, so that an answer that was given to one is kept for that one: under a
 * hash with a secret of this process, from which nobody gets the key back. Nobody else is answered with it.
 */
const credentials = ['authorization', 'cookie', 'x-api-key', 'api-key', 'x-goog-api-key']

/** Headers of an answer that are kept; what is not among them was meant for that one time. */
const keptHeaders = /^(?:content-type|content-encoding|content-language|vary|access-control-.*|x-content-type-options)$/

/** A question: names and values of its headers by turns. */
export interface Question {
  readonly method: string
  /** Path and query as they came. */
  readonly target: string
  readonly host: string
  readonly headers: readonly string[]
}

interface KeptAnswer {
  /** Names and values by turns, `X-Ballast-Cached` among them. */
  readonly headers: readonly string[]
  readonly body: Buffer
}

interface Entry extends KeptAnswer {
  readonly vary: readonly { readonly name: string; readonly value: string }[]
  readonly keptMs: number
}

/** Takes a target's answer beside the client. */
interface Recording {
  head(status: number, headers: readonly string[]): void
  write(chunk: Uint8Array): void
  /** It is whole, and is kept. Without this call it is not. */
  end(): void
}

/** The last answers of each route, oldest first. */
export class CachedLists {
  readonly #clock: Pick<Clock, 'elapsed'>
  readonly #secret = randomBytes(32)
  /** By route, then by who asks for what; each with one answer for each of what it varies by. */
  readonly #routes = new Map<string, Map<string, Entry[]>>()
  #count = 0
  #bytes = 0

  constructor(clock: Pick<Clock, 'elapsed'>) {
    this.#clock = clock
  }

  /** Answers that are kept, and their bytes. */
  get size(): { readonly answers: number; readonly bytes: number } {
    return { answers: this.#count, bytes: this.#bytes }
  }

  /** What such a question was answered last; undefined: nothing is known. An answer to HEAD has the body left away. */
  answer(route: string, question: Question): KeptAnswer | undefined {
    if (question.method !== 'GET' && question.method !== 'HEAD') return undefined
    const entries = this.#routes.get(route)?.get(this.#keyOf(question))
    const oldestMs = this.#clock.elapsed() - longestMs
    const found = entries?.findLast(({ vary, keptMs }) => keptMs >= oldestMs && isSame(vary, question.headers))
    return found === undefined ? undefined : { headers: found.headers, body: found.body }
  }

  /** Follows the answer to a question and keeps it, where it may be kept. */
  record(route: string, question: Question): Recording {
    let vary: Entry['vary'] | undefined
    let kept: string[] = []
    let chunks: Buffer[] = []
    let bytes = 0
    return {
      head: (status, headers) => {
        vary = question.method === 'GET' && status === 200 ? varyOf(headers, question.headers) : undefined
        kept = keptOf(headers)
      },
      write: chunk => {
        if (vary === undefined) return
        bytes += chunk.length
        if (bytes <= mostBytes) chunks.push(Buffer.from(chunk))
        else {
          vary = undefined
          chunks = []
        }
      },
      end: () => {
        if (vary === undefined) return
        const headers = [...kept, cachedHeader, 'true']
        this.#keep(route, this.#keyOf(question), { headers, body: Buffer.concat(chunks), vary, keptMs: this.#clock.elapsed() })
        vary = undefined
      },
    }
  }

  /** A route is no more, or has another target. */
  forget(route: string): void {
    for (const entries of this.#routes.get(route)?.values() ?? []) for (const entry of entries) this.#gone(entry)
    this.#routes.delete(route)
  }

  #keep(route: string, key: string, entry: Entry): void {
    const questions = this.#routes.get(route) ?? new Map<string, Entry[]>()
    const before = questions.get(key) ?? []
    const replaced = before.find(({ vary }) => sameVary(vary, entry.vary))
    if (replaced !== undefined) this.#gone(replaced)
    // What was kept last stands last: the first ones go first.
    questions.delete(key)
    questions.set(key, [...before.filter(one => one !== replaced), entry])
    this.#routes.delete(route)
    this.#routes.set(route, questions)
    this.#count++
    this.#bytes += entry.body.length
    while (countOf(questions) > mostPerRoute) this.#dropFirst(route, questions)
    while (this.#count > mostOfAll || this.#bytes > mostAllBytes) {
      const [first] = this.#routes
      if (first === undefined) return
      this.#dropFirst(...first)
    }
  }

  #dropFirst(route: string, questions: Map<string, Entry[]>): void {
    const [first] = questions
    if (first !== undefined) {
      const [key, entries] = first
      const entry = entries.shift()
      if (entry !== undefined) this.#gone(entry)
      if (entries.length === 0) questions.delete(key)
    }
    if (questions.size === 0) this.#routes.delete(route)
  }

  #gone({ body }: Entry): void {
    this.#count--
    this.#bytes -= body.length
  }

  /** HEAD is answered with what GET was. */
  #keyOf({ target, host, headers }: Question): string {
    // In JSON no value can look like two.
    const asked = JSON.stringify([host, target, ...credentials.map(name => valuesIn(headers, name))])
    return createHmac('sha256', this.#secret).update(asked).digest('base64')
  }
}

function countOf(questions: ReadonlyMap<string, readonly Entry[]>): number {
  let count = 0
  for (const entries of questions.values()) count += entries.length
  return count
}

/** By what an answer varies; undefined: it may not be kept. */
function varyOf(answered: readonly string[], asked: readonly string[]): Entry['vary'] | undefined {
  const words = (name: string) =>
    valuesIn(answered, name).flatMap(value => value.split(',').map(word => word.trim().toLowerCase()))
  if (valuesIn(answered, 'set-cookie').length > 0 || words('cache-control').includes('no-store')) return undefined
  // A list is JSON. A page of a proxy that asks for a password is none.
  if (!isMediaType(valuesIn(answered, 'content-type')[0], 'application/json')) return undefined
  const names = new Set(words('vary').filter(name => name !== ''))
  if (names.has('*') || names.size > mostVaried) return undefined
  // Who forgets to say so means it.
  if (valuesIn(answered, 'content-encoding').length > 0) names.add('accept-encoding')
  if (valuesIn(answered, 'access-control-allow-origin').some(value => value !== '*')) names.add('origin')
  return [...names].toSorted().map(name => ({ name, value: valuesIn(asked, name).join(', ') }))
}

function keptOf(headers: readonly string[]): string[] {
  const kept: string[] = []
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? ''
    if (keptHeaders.test(name.toLowerCase())) kept.push(name, headers[at + 1] ?? '')
  }
  return kept
}

function isSame(vary: Entry['vary'], headers: readonly string[]): boolean {
  return vary.every(({ name, value }) => valuesIn(headers, name).join(', ') === value)
}

function sameVary(a: Entry['vary'], b: Entry['vary']): boolean {
  return a.length === b.length && a.every(({ name, value }, at) => b[at]?.name === name && b[at]?.value === value)
}

function valuesIn(headers: readonly string[], name: string): readonly string[] {
  const values: string[] = []
  for (let at = 0; at + 1 < headers.length; at += 2) if (headers[at]?.toLowerCase() === name) values.push(headers[at + 1] ?? '')
  return values
}
