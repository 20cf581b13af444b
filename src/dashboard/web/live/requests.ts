// Requests to the API: reading, and the writes of actions. What the server refuses is an ApiProblem with its words.
import type { ActionBody, ActionDone, ActionName, ApiError, Link } from '../../contract.ts'
import { actionPath } from '../../words/links.ts'
import { onHost } from '../frame/base-path.ts'
import { at } from '../frame/past.ts'

const readTimeoutMs = 30_000
const actionTimeoutMs = 20_000

/** An answer that is none: refused, or not arrived. */
export class ApiProblem extends Error {
  /** 0: nothing came back. */
  readonly status: number
  readonly code: string
  readonly remedy: string | null
  /** 409: the revision that holds now. */
  readonly revision: string | undefined
  readonly links: readonly Link[]

  constructor(status: number, { code, message, remedy, revision, links = [] }: ApiError['error']) {
    super(message)
    this.name = 'ApiProblem'
    this.status = status
    this.code = code
    this.remedy = remedy
    this.revision = revision
    this.links = links
  }
}

interface Answer<T> {
  readonly value: T
  readonly revision: string | undefined
}

/**
 * The value below the base path, `/api/v1/me`, as of the moment that the page shows. The server answers in the shapes of the contract; that it
 * is of the same version the stream's `hello` says. @throws ApiProblem; the signal's reason when it is aborted
 */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await getAnswer<T>(path, signal)).value
}

/** `getJson` with the revision that the value is of. */
export async function getAnswer<T>(path: string, signal?: AbortSignal): Promise<Answer<T>> {
  const moment = at.peek()
  const asked = moment === undefined ? path : `${path}${path.includes('?') ? '&' : '?'}at=${encodeURIComponent(moment)}`
  const limit = AbortSignal.timeout(readTimeoutMs)
  const response = await answered(asked, {
    headers: { Accept: 'application/json', 'Ballast-Page': '1' },
    signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
  })
  const value: T = await response.json()
  return { value, revision: response.headers.get('Ballast-Revision') ?? undefined }
}

/**
 * Sends an action once. `key` names this press of the button: the same action with the same key is carried out once.
 * @throws ApiProblem, with status 0 where the answer was lost: then nobody knows whether it was done
 */
export async function act(action: ActionName, body: ActionBody, key: string = newKey()): Promise<ActionDone> {
  const response = await answered(actionPath(action), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Ballast-Action': '1', 'Idempotency-Key': key },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(actionTimeoutMs),
  })
  const done: ActionDone = await response.json()
  return done
}

/** Signs in with a bearer token. @throws ApiProblem */
export async function signIn(token: string): Promise<void> {
  await answered('/api/v1/session', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Ballast-Action': '1' },
    body: JSON.stringify({ token }),
    signal: AbortSignal.timeout(actionTimeoutMs),
  })
}

/** Ends the session. @throws ApiProblem */
export async function signOut(): Promise<void> {
  await answered('/api/v1/session', {
    method: 'DELETE',
    headers: { 'Ballast-Action': '1' },
    signal: AbortSignal.timeout(actionTimeoutMs),
  })
}

/** A name for one press of a button. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, '0')).join('')
}

async function answered(path: string, init: RequestInit): Promise<Response> {
  let response: Response
  try {
    response = await fetch(onHost(path), { credentials: 'same-origin', cache: 'no-store', ...init })
  } catch (error) {
    if (init.signal?.aborted === true && !(init.signal.reason instanceof DOMException)) throw init.signal.reason
    throw new ApiProblem(0, {
      code: 'no-answer',
      message: `Nothing came back: ${error instanceof Error ? error.message : String(error)}.`,
      remedy: 'Look whether the server still runs, then try again.',
    })
  }
  if (!response.ok) throw new ApiProblem(response.status, await errorOf(response))
  // What is not there, without the 404 that the browser's console would tell of.
  if (response.headers.get('Ballast-Missing') === '1') throw new ApiProblem(404, await errorOf(response))
  return response
}

/** The error of an answer; of one that is not ours, such as a proxy's, its status. */
export async function errorOf(response: Response): Promise<ApiError['error']> {
  try {
    const body: Partial<ApiError> = await response.json()
    if (body.error !== undefined) return body.error
  } catch {
    // Not ours, and no JSON: its status is told below.
  }
  return {
    code: `http-${response.status}`,
    message: `The server answered ${response.status} ${response.statusText}.`,
    remedy: null,
  }
}
