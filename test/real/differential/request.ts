// The requests of a differential life: the same for both servers, with marks for what only the answers tell.
import { protobufBody } from '#test/protobuf-body.ts'
import { protobufType } from '../bad-input/requests.ts'
import type { WireAnswer, WireRequest } from '../bad-input/wire.ts'

/**
 * One request. Texts in it may have marks: `{{name}}`, `{{namespace}}` and `{{n}}` are the life's own, `{{version}}`, `{{first}}`, `{{uid}}` and
 * `{{continue}}` what the server that is asked said of the object before. The texts `{{int64}}`, `{{over64}}`, `{{exponent}}` and `{{enormous}}`
 * alone are numbers: the largest int64, the next one, one with an exponent, and one that no double holds.
 */
export interface DifferentialRequest {
  readonly verb: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With its query. */
  readonly path: string
  readonly contentType?: string
  readonly accept?: string
  readonly body?: unknown
  /** Sent only where the request before was refused: what follows has an object to work on. */
  readonly afterRefusal?: true
}

/** Requests on one object from its making to its end. */
export interface Life {
  /** `Deployment.apps/v1`, `Pod/v1`. */
  readonly kind: string
  /** Marks of the name: the name itself needs a shape in some kinds. */
  readonly name: string
  readonly namespace: string
  readonly requests: readonly DifferentialRequest[]
}

const numbers: Readonly<Record<string, string>> = {
  int64: '9223372036854775807',
  over64: '9223372036854775808',
  exponent: '1e3',
  enormous: '1e400',
}
const markedNumber = /"\{\{(int64|over64|exponent|enormous)\}\}"/g
const numberOf = (mark: string, name: string) => numbers[name] ?? mark

/** What one server said of the object of a life so far. */
export class Said {
  readonly #number: number
  readonly #marks = new Map<string, string>()

  /** `number` is the life's own: it makes names that no other life has. */
  constructor(life: Pick<Life, 'name' | 'namespace'>, number: number) {
    this.#number = number
    this.#marks.set('namespace', life.namespace)
    this.#marks.set('name', this.#filled(life.name))
  }

  /** Remembers what later requests ask for. */
  learn({ status, text }: WireAnswer): void {
    if (status >= 300 || !text.startsWith('{"') || text.startsWith('{"type"')) return
    const { kind, metadata }: { readonly kind?: unknown; readonly metadata?: unknown } = JSON.parse(text)
    if (typeof metadata !== 'object' || metadata === null) return
    if ('continue' in metadata && typeof metadata.continue === 'string') this.#marks.set('continue', metadata.continue)
    // A list is as new as the server, which writes other things meanwhile.
    if (kind === 'Table' || kind === 'Status' || String(kind).endsWith('List')) return
    // Nor is a second object, which is made to be read beside it.
    if ('name' in metadata && metadata.name === `${this.#marks.get('name')}-b`) return
    if ('uid' in metadata && typeof metadata.uid === 'string' && !this.#marks.has('uid')) this.#marks.set('uid', metadata.uid)
    if (!('resourceVersion' in metadata) || typeof metadata.resourceVersion !== 'string') return
    if (!this.#marks.has('first')) this.#marks.set('first', metadata.resourceVersion)
    this.#marks.set('version', metadata.resourceVersion)
  }

  /** The request as it goes over the wire. */
  wire({ verb, path, contentType, accept, body }: DifferentialRequest): WireRequest {
    const text = body === undefined ? undefined : this.#filled(JSON.stringify(body)).replaceAll(markedNumber, numberOf)
    const isEncodable = contentType === protobufType && !/\{\{(over64|enormous)\}\}/.test(JSON.stringify(body))
    const encoded = isEncodable && text !== undefined ? protobufBody(JSON.parse(text)) : undefined
    const type = contentType === protobufType && encoded === undefined ? 'application/json' : contentType
    return {
      verb,
      path: this.#filled(path),
      headers: {
        ...(accept === undefined ? {} : { accept }),
        ...(type === undefined ? {} : { 'content-type': type }),
      },
      ...(text === undefined ? {} : { body: encoded ?? text }),
    }
  }

  #filled(text: string): string {
    return text.replaceAll(/\{\{(\w+)\}\}/g, (mark, word: string) => {
      if (word === 'n') return `n${this.#number}`
      if (word === 'address') return `10.9.${Math.floor(this.#number / 250) % 250}.${(this.#number % 250) + 1}`
      if (word === 'third') return String(this.#number % 250)
      return Object.hasOwn(numbers, word) ? mark : (this.#marks.get(word) ?? 'none')
    })
  }
}
