// How triggers prove themselves to sources of HTTP: one table of parameters for all of them, and the headers that come of it.
import { at, numberAt, textAt } from '#kube/objects/object-fields.ts'
import { AnswerError } from '#kube/outside-error.ts'
import {
  defaulted,
  type GivenParameters,
  hereOrSecret,
  listOf,
  oneOf,
  optional,
  pairsOfQuery,
  readParameters,
  secret,
  TriggerProblem,
  text,
} from '../triggers/parameters.ts'
import { jsonOf, type SourceHttp, type SourceTls, urlOf } from './outgoing.ts'
import type { ScalerWorld } from './scaler.ts'

const modes = ['apiKey', 'basic', 'tls', 'bearer', 'custom', 'oauth'] as const
type Mode = (typeof modes)[number]

export const authParameters = {
  authModes: optional(listOf(oneOf(...modes)), {
    ...hereOrSecret('how we prove ourselves; at most one of bearer, basic and oauth'),
    names: ['authModes', 'authMode'],
  }),
  bearerToken: optional(text, { ...secret('of bearer'), names: ['bearerToken', 'token'] }),
  username: optional(text, secret('of basic')),
  password: optional(text, secret('of basic')),
  cert: optional(text, secret('of tls, PEM')),
  key: optional(text, secret('of tls, PEM')),
  ca: optional(text, secret('whom we trust, PEM')),
  oauthTokenURI: optional(text, secret('of oauth')),
  scopes: optional(listOf(text), { ...secret('of oauth'), names: ['scopes', 'scope'] }),
  clientID: optional(text, secret('of oauth')),
  clientSecret: optional(text, secret('of oauth')),
  endpointParams: optional(pairsOfQuery, secret('of oauth: more to ask for a token with')),
  apiKey: optional(text, hereOrSecret('of apiKey')),
  method: defaulted(oneOf('header', 'query'), 'header', hereOrSecret('of apiKey: where it is sent')),
  keyParamName: optional(text, hereOrSecret('of apiKey: name of the header or of the part of the query; X-API-KEY and api_key')),
  customAuthHeader: optional(text, secret('of custom')),
  customAuthValue: optional(text, secret('of custom')),
} as const

/** A token is asked for anew so long before it ends. */
const renewsBeforeMs = 10_000
/** Where a server does not say when its token ends. */
const standardTokenMs = 300_000

/** What is sent with a question. */
interface Proof {
  readonly headers: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
}

/** A source of HTTP that knows how to prove itself. */
interface ProvenHttp extends AsyncDisposable {
  /** The answer, whatever its status. @throws as `SourceHttp.ask` */
  ask: SourceHttp['ask']
}

interface AuthOptions {
  /** Those that the scaler knows what to do with; default: all. */
  readonly allowed?: readonly Mode[]
  readonly isInsecure?: boolean | undefined
  readonly timeoutMs?: number | undefined
}

/** @throws TriggerProblem where what a mode needs is missing */
export function provenHttp(
  given: GivenParameters,
  type: string,
  { clock, outgoing }: Pick<ScalerWorld, 'clock' | 'outgoing'>,
  { allowed = modes, isInsecure, timeoutMs }: AuthOptions,
): ProvenHttp {
  const told = readParameters(authParameters, given, type)
  const chosen = checkedModes(told, allowed)
  const tls: SourceTls = {
    isInsecure,
    ...(told.ca === undefined ? {} : { authority: told.ca }),
    ...(chosen.has('tls') ? { certificate: told.cert, key: told.key } : {}),
  }
  const http = outgoing.http(tls, timeoutMs === undefined || timeoutMs <= 0 ? undefined : timeoutMs)
  const fixed = fixedProof(told, chosen)
  let token: { readonly text: string; readonly untilMs: number } | undefined
  return {
    async ask(written, question) {
      const url = new URL(urlOf(written))
      for (const [name, value] of Object.entries(fixed.query)) url.searchParams.set(name, value)
      const headers: Record<string, string> = { ...question.headers, ...fixed.headers }
      if (chosen.has('oauth')) {
        if (token === undefined || clock.elapsed() >= token.untilMs)
          token = await fetchToken(http, told, { nowMs: clock.elapsed(), signal: question.signal })
        headers['authorization'] = `Bearer ${token.text}`
      }
      return await http.ask(url, { ...question, headers })
    },
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  }
}

type Told = ReturnType<typeof readParameters<typeof authParameters>>

function checkedModes(told: Told, allowed: readonly Mode[]): ReadonlySet<Mode> {
  const chosen = new Set(told.authModes)
  const refuse = (message: string): never => {
    throw new TriggerProblem(message)
  }
  const exclusive = (['bearer', 'basic', 'oauth'] as const).filter(mode => chosen.has(mode))
  if (exclusive.length > 1) refuse(`authModes ${exclusive.join(' and ')} exclude each other`)
  for (const mode of chosen) if (!allowed.includes(mode)) refuse(`authModes ${mode} is not known to this scaler`)
  if (chosen.has('bearer') && told.bearerToken === undefined) refuse('bearerToken is required when bearer auth is enabled')
  if (chosen.has('basic') && told.username === undefined) refuse('username is required when basic auth is enabled')
  if (chosen.has('tls') && (told.cert === undefined || told.key === undefined))
    refuse('cert and key are required when tls auth is enabled')
  if (chosen.has('oauth') && (told.oauthTokenURI === undefined || told.clientID === undefined))
    refuse('oauthTokenURI and clientID are required when oauth is enabled')
  if (chosen.has('custom') && (told.customAuthHeader === undefined || told.customAuthValue === undefined))
    refuse('customAuthHeader and customAuthValue are required when custom auth is enabled')
  if (chosen.has('apiKey') && told.apiKey === undefined) refuse('apiKey is required when apiKey auth is enabled')
  return chosen
}

function fixedProof(told: Told, chosen: ReadonlySet<Mode>): Proof {
  const headers: Record<string, string> = {}
  const query: Record<string, string> = {}
  if (chosen.has('bearer')) headers['authorization'] = `Bearer ${(told.bearerToken ?? '').replace(/^Bearer\s+/, '')}`
  if (chosen.has('basic')) headers['authorization'] = basic(told.username ?? '', told.password ?? '')
  if (chosen.has('custom') && told.customAuthHeader !== undefined) headers[told.customAuthHeader] = told.customAuthValue ?? ''
  if (chosen.has('apiKey')) {
    if (told.method === 'query') query[told.keyParamName ?? 'api_key'] = told.apiKey ?? ''
    else headers[told.keyParamName ?? 'X-API-KEY'] = told.apiKey ?? ''
  }
  return { headers, query }
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** Client credentials of OAuth 2: the client proves itself by a header, and where a server refuses that, in the form. */
async function fetchToken(
  http: SourceHttp,
  told: Told,
  { nowMs, signal }: { readonly nowMs: number; readonly signal: AbortSignal },
): Promise<{ readonly text: string; readonly untilMs: number }> {
  const { oauthTokenURI = '', clientID = '', clientSecret, scopes, endpointParams = [] } = told
  const send = (isInForm: boolean) => {
    const form = new URLSearchParams([['grant_type', 'client_credentials']])
    if (scopes !== undefined) form.set('scope', scopes.join(' '))
    for (const [name, value] of endpointParams) form.set(name, value)
    const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }
    if (isInForm) {
      form.set('client_id', clientID)
      if (clientSecret !== undefined) form.set('client_secret', clientSecret)
    } else headers['authorization'] = basic(encodeURIComponent(clientID), encodeURIComponent(clientSecret ?? ''))
    return http.ask(oauthTokenURI, { method: 'POST', headers, body: form.toString(), signal })
  }
  let answer = await send(clientSecret === undefined)
  if (answer.status >= 400 && answer.status < 500 && clientSecret !== undefined) answer = await send(true)
  if (answer.status !== 200) throw new AnswerError(`the server of tokens answered with status ${answer.status}`)
  const found = jsonOf(answer, 'the server of tokens')
  const token = textAt(found, 'access_token')
  if (token === undefined || token === '') throw new AnswerError('the server of tokens answered without access_token')
  const seconds = numberAt(found, 'expires_in') ?? Number(at(found, 'expires_in'))
  const lifeMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : standardTokenMs
  return { text: token, untilMs: nowMs + Math.max(0, lifeMs - renewsBeforeMs) }
}
