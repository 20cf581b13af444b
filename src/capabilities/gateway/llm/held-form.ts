// In which form a client waits for an answer, what opens it, and what may follow.
import type { LlmRequest } from './llm-request.ts'

/** The form of the answer that the client waits for. */
export type HeldForm = 'openai-events' | 'responses-events' | 'ollama-chat' | 'ollama-generate' | 'openai-json' | 'ollama-json'

/**
 * In which form a request gets signs of life; undefined: it is held silently, and keeps the status that the target answers with.
 * `spaces`: its route says that answers of JSON may begin with spaces.
 */
export function heldForm(request: LlmRequest | undefined, options: { readonly spaces: boolean }): HeldForm | undefined {
  if (request === undefined || request.kind === 'list' || request.call === 'embeddings') return undefined
  const { kind, call, isStream } = request
  if (!isStream) return options.spaces ? `${kind}-json` : undefined
  if (kind === 'openai') return call === 'responses' ? 'responses-events' : 'openai-events'
  return call === 'generate' ? 'ollama-generate' : 'ollama-chat'
}

/** Headers that open the answer, names and values by turns. Its status is 200. */
export function openingHeaders(form: HeldForm): readonly string[] {
  // nginx and others that follow it keep a stream to themselves otherwise.
  return ['Content-Type', contentTypes[form], 'Cache-Control', 'no-cache', 'X-Accel-Buffering', 'no']
}

const contentTypes: Readonly<Record<HeldForm, string>> = {
  'openai-events': 'text/event-stream; charset=utf-8',
  'responses-events': 'text/event-stream; charset=utf-8',
  'ollama-chat': 'application/x-ndjson',
  'ollama-generate': 'application/x-ndjson',
  'openai-json': 'application/json',
  'ollama-json': 'application/json',
}

/** What follows an opening of this form unchanged. Ollama answers a request that only loads a model by one line of JSON. */
export const followers: Readonly<Record<HeldForm, readonly string[]>> = {
  'openai-events': ['text/event-stream'],
  'responses-events': ['text/event-stream'],
  'ollama-chat': ['application/x-ndjson', 'application/json'],
  'ollama-generate': ['application/x-ndjson', 'application/json'],
  'openai-json': ['application/json'],
  'ollama-json': ['application/json'],
}
