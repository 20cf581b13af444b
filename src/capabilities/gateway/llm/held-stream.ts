// What a client of a language model is sent while its target starts, and how the target's answer follows in the same stream.

import { followers, type HeldForm, openingHeaders } from './held-form.ts'
import { isMediaType } from './media-type.ts'
import { failureText, type HeldFailure } from './stream-failure.ts'

/** How far a start is, as signs of life tell it. */
interface HeldProgress {
  readonly stage: string
  /** Milliseconds that are left; undefined: nobody knows. */
  readonly etaMs?: number | undefined
}

/** Bytes of an answer that was not asked for, of which the error is made. */
const mostFailureBytes = 64 * 1024

/** A sign of life at `nowMs`, milliseconds since 1970. Clients of Ollama parse every line: theirs is a piece of an answer that says nothing. */
export function signOfLife(
  form: HeldForm,
  { progress, model, nowMs }: { readonly progress: HeldProgress; readonly model: string | undefined; readonly nowMs: number },
): string {
  switch (form) {
    case 'openai-events':
    case 'responses-events':
      return `: warming ${progressText(progress)}\n\n`
    case 'ollama-chat':
      return ollamaLine({ message: { role: 'assistant', content: '' } }, model, nowMs)
    case 'ollama-generate':
      return ollamaLine({ response: '' }, model, nowMs)
    case 'openai-json':
    case 'ollama-json':
      return ' '
  }
}

/** `stage=node-requested eta=140s`; without `eta` where nothing was learned. */
function progressText({ stage, etaMs }: HeldProgress): string {
  // One word, whoever made it: a line break would be another field of the event.
  const word = stage.replace(/[^a-z0-9-]/gi, '-')
  return etaMs === undefined ? `stage=${word}` : `stage=${word} eta=${Math.ceil(Math.max(0, etaMs) / 1_000)}s`
}

function ollamaLine(piece: object, model: string | undefined, nowMs: number): string {
  return `${JSON.stringify({ model: model ?? '', created_at: new Date(nowMs).toISOString(), ...piece, done: false })}\n`
}

/** The client's side of an answer. */
interface Sink {
  answer(status: number, reason: string, headers: readonly string[]): void
  /** False: `onDrain` says when more is taken. */
  write(chunk: Uint8Array | string): boolean
  onDrain(drained: () => void): void
  end(trailers?: readonly string[]): void
  /** Ends without an end: the client is to see that something is missing. */
  destroy(): void
}

/**
 * Headers of a held request as they go to the target, names and values by turns: the head of the answer was sent without Content-Encoding,
 * so that none may be used.
 */
export function heldRequestHeaders(headers: readonly string[]): string[] {
  const kept: string[] = []
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? ''
    if (name.toLowerCase() !== 'accept-encoding') kept.push(name, headers[at + 1] ?? '')
  }
  return [...kept, 'Accept-Encoding', 'identity']
}

/**
 * An answer that began before its target was there. `open` and `alive` until the target answers, then `head`, `write` and `end` take that
 * answer in the client's place; `fail` ends it where none comes.
 */
export class HeldStream {
  readonly #form: HeldForm
  readonly #model: string | undefined
  readonly #sink: Sink
  readonly #now: () => number
  #state: 'new' | 'held' | 'spliced' | 'refused' | 'over' = 'new'
  #isFull = false
  #refusal:
    | { readonly status: number; readonly why: string | undefined; readonly chunks: Uint8Array[]; bytes: number }
    | undefined
  /** The last bytes of what was spliced. */
  #tail: Uint8Array = new Uint8Array(0)

  /** `now` says milliseconds since 1970. */
  constructor(options: {
    readonly form: HeldForm
    readonly model: string | undefined
    readonly sink: Sink
    readonly now: () => number
  }) {
    this.#form = options.form
    this.#model = options.model
    this.#sink = options.sink
    this.#now = options.now
  }

  /** Sends status and headers, and a first sign of life. */
  open(progress: HeldProgress, extraHeaders: readonly string[] = []): void {
    if (this.#state !== 'new') return
    this.#state = 'held'
    this.#sink.answer(200, 'OK', [...extraHeaders, ...openingHeaders(this.#form)])
    this.alive(progress)
  }

  /** A sign of life. None is sent to a client that has not taken those before. */
  alive(progress: HeldProgress): void {
    if (this.#state !== 'held' || this.#isFull) return
    const sign = signOfLife(this.#form, { progress, model: this.#model, nowMs: this.#now() })
    if (this.#sink.write(sign)) return
    this.#isFull = true
    this.#sink.onDrain(() => {
      this.#isFull = false
    })
  }

  /** The target's answer begins. Its status and headers were foretold; where they are others, an error of the client's protocol is made of it. */
  head(status: number, _reason: string, headers: readonly string[]): void {
    if (this.#state !== 'held') return
    const why = mismatch(this.#form, status, headers)
    if (why === undefined) this.#state = 'spliced'
    else {
      this.#state = 'refused'
      this.#refusal = { status, why: status >= 200 && status < 300 ? why : undefined, chunks: [], bytes: 0 }
    }
  }

  /** @returns false: the client takes no more for now */
  write(chunk: Uint8Array): boolean {
    if (this.#state === 'spliced') {
      this.#tail = tailOf(this.#tail, chunk)
      return this.#sink.write(chunk)
    }
    const refusal = this.#refusal
    if (this.#state === 'refused' && refusal !== undefined && refusal.bytes < mostFailureBytes) {
      const kept = chunk.subarray(0, mostFailureBytes - refusal.bytes)
      refusal.chunks.push(Uint8Array.from(kept))
      refusal.bytes += kept.length
    }
    return true
  }

  end(trailers: readonly string[] = []): void {
    if (this.#state === 'spliced') {
      this.#state = 'over'
      this.#sink.end(trailers)
    } else if (this.#state === 'refused') this.#endRefused()
    // A head always comes before the end; without one nobody answered.
    else if (this.#state === 'held') this.fail({ status: 502, why: 'the target ended without an answer' })
  }

  /** The target broke off within its answer. Between two events that can be told; within one the client has to see that the rest is missing. */
  broken(why: string): void {
    if (this.#state === 'refused') this.#endRefused()
    else if (this.#state === 'held') this.fail({ status: 502, why })
    else if (this.#state === 'spliced') {
      this.#state = 'over'
      if (isBorder(this.#form, this.#tail)) this.#endWith({ status: 502, why: `the target broke off: ${why}` })
      else this.#sink.destroy()
    }
  }

  /** No answer comes: an error in the client's protocol, and the end. */
  fail(failure: HeldFailure): void {
    if (this.#state !== 'held') return
    this.#state = 'over'
    this.#endWith(failure)
  }

  /** It is open, and nothing of an answer came. */
  get isHeld(): boolean {
    return this.#state === 'held'
  }

  #endRefused(): void {
    const refusal = this.#refusal
    if (refusal === undefined) return
    this.#state = 'over'
    const { status, why, chunks } = refusal
    this.#endWith({ status, why: why ?? `the target answered ${status}`, body: Buffer.concat(chunks).toString() })
  }

  #endWith(failure: HeldFailure): void {
    this.#sink.write(failureText(this.#form, failure))
    this.#sink.end()
  }
}

/** Why an answer cannot follow an opening of this form; undefined: it can. */
function mismatch(form: HeldForm, status: number, headers: readonly string[]): string | undefined {
  if (status < 200 || status > 299) return `the target answered ${status}`
  const type = headerOf(headers, 'content-type')
  if (!followers[form].some(one => isMediaType(type, one)))
    return `the target answered with ${type === undefined ? 'no type of content' : JSON.stringify(type.slice(0, 80))} where ${followers[form][0]} was promised`
  const encoding = headerOf(headers, 'content-encoding')
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity')
    return `the target answered in ${JSON.stringify(encoding.slice(0, 80))}, which was not asked for`
  return undefined
}

function headerOf(headers: readonly string[], name: string): string | undefined {
  for (let at = 0; at + 1 < headers.length; at += 2) if (headers[at]?.toLowerCase() === name) return headers[at + 1]
  return undefined
}

const tailBytes = 4

function tailOf(tail: Uint8Array, chunk: Uint8Array): Uint8Array {
  if (chunk.length >= tailBytes) return Uint8Array.from(chunk.subarray(chunk.length - tailBytes))
  const all = Buffer.concat([tail, chunk])
  return Uint8Array.from(all.subarray(Math.max(0, all.length - tailBytes)))
}

/** Whether something of ours may follow what was spliced last. */
function isBorder(form: HeldForm, tail: Uint8Array): boolean {
  if (form === 'openai-json' || form === 'ollama-json') return tail.length === 0
  const text = Buffer.from(tail).toString('latin1')
  if (form === 'ollama-chat' || form === 'ollama-generate') return text === '' || text.endsWith('\n')
  return text === '' || /(?:\n\n|\r\r|\r\n\r\n)$/.test(text)
}
