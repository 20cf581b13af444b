// What a request wants of a server of language models, by its path and the first bytes of its body.
import { topLevelFields } from './top-level-fields.ts'

/** Bytes of a body that are looked at, at most. */
export const mostLookedAt = 64 * 1024

/** Characters of a model's name; a longer one names none. */
export const longestModel = 512

type LlmCall = 'chat' | 'completions' | 'responses' | 'generate' | 'embeddings'

export type LlmRequest =
  | {
      readonly kind: 'openai' | 'ollama'
      readonly call: LlmCall
      /** The client certainly expects a stream. */
      readonly isStream: boolean
      readonly model?: string
    }
  /** It asks what there is, and needs no model: a copy of an earlier answer does. */
  | { readonly kind: 'list' }

interface Looked {
  readonly method: string
  /** Without query. */
  readonly path: string
  readonly contentType: string | undefined
  /** The body, or its first {@link mostLookedAt} bytes. */
  readonly body: Uint8Array
  readonly isWhole: boolean
}

type Known = { readonly kind: 'openai' | 'ollama'; readonly call: LlmCall }

const calls: ReadonlyMap<string, Known> = new Map([
  ['/v1/chat/completions', { kind: 'openai', call: 'chat' }],
  ['/v1/completions', { kind: 'openai', call: 'completions' }],
  ['/v1/responses', { kind: 'openai', call: 'responses' }],
  ['/v1/embeddings', { kind: 'openai', call: 'embeddings' }],
  ['/api/chat', { kind: 'ollama', call: 'chat' }],
  ['/api/generate', { kind: 'ollama', call: 'generate' }],
  ['/api/embed', { kind: 'ollama', call: 'embeddings' }],
  ['/api/embeddings', { kind: 'ollama', call: 'embeddings' }],
] as const)

const lists: ReadonlySet<string> = new Set(['/api/tags', '/v1/models', '/api/ps', '/api/version'])

/** Whether the body of such a request says something that `classify` wants to know. */
export function hasLlmBody(method: string, path: string): boolean {
  return method === 'POST' && calls.has(path)
}

/**
 * What a request is for a server of language models; undefined: nothing of that kind. A body that is cut tells what its beginning does: a
 * stream is taken for one only where that is certain, since the answer of a client that expects none would be broken by signs of life.
 * A body that is no JSON is for the target to refuse with a status of its own, so that it is no stream either.
 */
export function classify({ method, path, contentType, body, isWhole }: Looked): LlmRequest | undefined {
  if (lists.has(path)) return method === 'GET' || method === 'HEAD' ? { kind: 'list' } : undefined
  const known = method === 'POST' ? calls.get(path) : undefined
  if (known === undefined) return undefined
  const fields = contentType !== undefined && /^\s*multipart\//i.test(contentType) ? nothing : fieldsOf(body, isWhole)
  const isStream = known.call !== 'embeddings' && saysStream(known.kind, fields)
  const { model } = fields
  const isNamed = typeof model === 'string' && model !== '' && model.length <= longestModel
  return { ...known, isStream, ...(isNamed ? { model } : {}) }
}

interface Fields {
  readonly model?: unknown
  readonly stream?: unknown
  /** All of the body is known, and is an object. */
  readonly isWhole: boolean
  /** It is no JSON that a target would take. */
  readonly isRefused: boolean
}

const nothing: Fields = { isWhole: false, isRefused: true }

function fieldsOf(body: Uint8Array, isWhole: boolean): Fields {
  if (isWhole) {
    try {
      const read: unknown = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString())
      if (typeof read !== 'object' || read === null || Array.isArray(read)) return nothing
      return { model: Reflect.get(read, 'model'), stream: Reflect.get(read, 'stream'), isWhole, isRefused: false }
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  const found = topLevelFields(body, ['model', 'stream'])
  const told = (name: string) => {
    const seen = found.get(name)
    return seen?.isWhole ? seen.value : undefined
  }
  return { model: told('model'), stream: told('stream'), isWhole: false, isRefused: isWhole }
}

/** Ollama streams unless it is told not to. */
function saysStream(kind: 'openai' | 'ollama', { stream, isWhole, isRefused }: Fields): boolean {
  if (isRefused) return false
  if (stream === true) return true
  return kind === 'ollama' && isWhole && (stream === undefined || stream === null)
}
