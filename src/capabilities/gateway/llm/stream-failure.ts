// How a stream that has begun tells that it failed: in the form that clients of its protocol read errors in.
import type { HeldForm } from './held-form.ts'

export interface HeldFailure {
  /** The status that could not be sent any more. */
  readonly status: number
  /** In words, for people. */
  readonly why: string
  /** What the target answered, where it did. */
  readonly body?: string
}

/** Characters of a target's text that is told again. */
const mostTold = 2_000

/** The last thing that a stream of this form says. */
export function failureText(form: HeldForm, failure: HeldFailure): string {
  switch (form) {
    case 'openai-events':
      return `data: ${JSON.stringify({ error: openaiError(failure) })}\n\ndata: [DONE]\n\n`
    case 'responses-events': {
      // Its clients read an event of the type `error`; those that share code with chats read the field.
      const error = openaiError(failure)
      const { code, message, param } = error
      const event = { type: 'error', sequence_number: 0, code, message, param, error }
      return `event: error\ndata: ${JSON.stringify(event)}\n\ndata: [DONE]\n\n`
    }
    case 'openai-json':
      return JSON.stringify({ error: openaiError(failure) })
    case 'ollama-chat':
    case 'ollama-generate':
      return `${JSON.stringify({ error: ollamaError(failure) })}\n`
    case 'ollama-json':
      return JSON.stringify({ error: ollamaError(failure) })
  }
}

interface OpenaiError {
  readonly message: string
  readonly type: string
  readonly param: string | null
  readonly code: string
}

/** The target's own error where it gave one, as its clients know it. */
function openaiError({ status, why, body }: HeldFailure): OpenaiError {
  const given = errorOf(body)
  const fields: object = typeof given === 'object' && given !== null ? given : {}
  const text = (name: string) => {
    const value: unknown = Reflect.get(fields, name)
    return typeof value === 'string' && value !== '' ? value.slice(0, mostTold) : undefined
  }
  return {
    message: text('message') ?? sentence(why, given, body),
    type: text('type') ?? (status >= 500 ? 'server_error' : 'invalid_request_error'),
    param: text('param') ?? null,
    code: text('code') ?? String(status),
  }
}

function ollamaError({ why, body }: HeldFailure): string {
  const given = errorOf(body)
  if (typeof given === 'string' && given !== '') return given.slice(0, mostTold)
  const message: unknown = typeof given === 'object' && given !== null ? Reflect.get(given, 'message') : undefined
  return typeof message === 'string' && message !== '' ? message.slice(0, mostTold) : sentence(why, given, body)
}

function sentence(why: string, given: unknown, body: string | undefined): string {
  const told = typeof given === 'string' ? given : (body ?? '').trim()
  return told === '' ? why : `${why}: ${told.slice(0, mostTold)}`
}

/** What a JSON of the target has as its error; undefined: it is no JSON, or has none. */
function errorOf(body: string | undefined): unknown {
  if (body === undefined || body === '') return undefined
  try {
    const read: unknown = JSON.parse(body)
    return typeof read === 'object' && read !== null ? Reflect.get(read, 'error') : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
