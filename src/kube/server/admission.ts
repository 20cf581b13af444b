// Admission reviews (admission.k8s.io/v1): reading what an API server asks, asking the webhook's handler, writing the answer.
// No sockets: `webhook.ts` serves this over HTTPS, the twin calls it in memory.

import type { Clock } from '../clock.ts'
import { type Log, messageOf } from '../log.ts'
import type { JsonPatchOperation } from '../objects/json-patch.ts'
import type { KubeObject } from '../objects/objects.ts'
import { parseDurationMs } from '../time/duration.ts'

export interface AdmissionRequest {
  readonly uid: string
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string }
  readonly resource: { readonly group: string; readonly version: string; readonly resource: string }
  readonly subResource?: string
  readonly name?: string
  readonly namespace?: string
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'
  readonly userInfo: { readonly username?: string; readonly uid?: string; readonly groups?: readonly string[] }
  readonly object?: KubeObject
  readonly oldObject?: KubeObject
  /** Then the answer may have no effect beyond itself. */
  readonly dryRun?: boolean
  readonly options?: Readonly<Record<string, unknown>>
}

interface AnswerNotes {
  /** Shown to the user; cut at 256 characters each and 4,096 in all. */
  readonly warnings?: readonly string[]
  /** Keys without `/`: the API server puts the webhook's name before them. */
  readonly auditAnnotations?: Readonly<Record<string, string>>
}

type ValidatingAnswer =
  | ({ readonly kind: 'allowed' } & AnswerNotes)
  | ({
      readonly kind: 'denied'
      readonly message: string
      readonly reason?: string /** 403 unless given; from 400. */
      readonly code?: number
    } & AnswerNotes)

/** Only a mutating webhook can patch, and the patch's type is not the handler's to forget. */
export type MutatingAnswer =
  | ValidatingAnswer
  | ({ readonly kind: 'patched'; readonly patch: readonly JsonPatchOperation[] } & AnswerNotes)

interface WebhookCommon {
  /** Lower-case name, the last part of its path: `/validate/<name>`, `/mutate/<name>`. */
  readonly name: string
  /** What an own failure means: `Ignore` lets the request through with a warning. As in the webhook's configuration. */
  readonly failurePolicy: 'Ignore' | 'Fail'
}

interface ValidatingWebhook extends WebhookCommon {
  readonly kind: 'validating'
  handle(request: AdmissionRequest, signal: AbortSignal): Promise<ValidatingAnswer> | ValidatingAnswer
}

export interface MutatingWebhook extends WebhookCommon {
  readonly kind: 'mutating'
  handle(request: AdmissionRequest, signal: AbortSignal): Promise<MutatingAnswer> | MutatingAnswer
}

export type Webhook = ValidatingWebhook | MutatingWebhook

export interface WebhookCall {
  readonly method: string
  /** With the query: `/mutate/landing?timeout=5s`. */
  readonly url: string
  readonly contentType: string | undefined
  readonly body: Uint8Array
}

export interface WebhookReply {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

/** Told after each call of a handler; `metrics` are made of it. */
export interface WebhookObserver {
  began(webhook: Webhook): void
  ended(webhook: Webhook, outcome: { readonly code: number; readonly elapsedMs: number; readonly hasFailed: boolean }): void
}

export interface AdmissionSurroundings {
  readonly clock: Clock
  readonly log: Log
  readonly observer?: WebhookObserver
}

/** What API servers wait for where the call does not say; and the longest they may be told to wait. */
const defaultTimeoutMs = 10_000
const longestTimeoutMs = 30_000
/** Kept back of it for the answer's way. */
const answerMs = 100

const longestWarning = 256
const longestWarnings = 4_096

/** The path a webhook is served at. */
export function webhookPath(webhook: Webhook): string {
  return `/${webhook.kind === 'mutating' ? 'mutate' : 'validate'}/${webhook.name}`
}

/** Answers one call: 200 with a review, or 4xx with a line of text where the call itself is wrong. Never throws. */
export async function answerAdmission(
  webhooks: readonly Webhook[],
  call: WebhookCall,
  around: AdmissionSurroundings,
): Promise<WebhookReply> {
  const url = URL.parse(call.url, 'https://webhook')
  const webhook = webhooks.find(candidate => webhookPath(candidate) === url?.pathname)
  if (url === null || webhook === undefined) return plainReply(404, 'no webhook at this path')
  if (call.method !== 'POST') return plainReply(405, 'admission reviews are sent by POST')
  if (call.contentType?.split(';')[0]?.trim().toLowerCase() !== 'application/json')
    return plainReply(415, 'expected content type application/json')
  const request = readReview(call.body)
  if (typeof request === 'string') return plainReply(400, request)
  const answer = await ask(webhook, request, { ...around, limitMs: limitOf(url.searchParams.get('timeout')) })
  const review = {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid: request.uid, ...responseOf(answer) },
  }
  return { status: 200, contentType: 'application/json', body: JSON.stringify(review) }
}

/** A line of text in place of a review. */
export function plainReply(status: number, text: string): WebhookReply {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${text}\n` }
}

/** The request in a review of the kind, or what is wrong with it. */
export function requestIn(body: Uint8Array, kind: string, apiVersion: string): { readonly request: unknown } | string {
  let review: unknown
  try {
    review = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return 'the body is no JSON'
    throw error
  }
  if (!isRecord(review) || review['kind'] !== kind) return `expected kind ${kind}`
  if (review['apiVersion'] !== apiVersion) return `expected apiVersion ${apiVersion}`
  return { request: review['request'] }
}

function readReview(body: Uint8Array): AdmissionRequest | string {
  const review = requestIn(body, 'AdmissionReview', 'admission.k8s.io/v1')
  if (typeof review === 'string') return review
  const { request } = review
  if (!isAdmissionRequest(request)) return 'expected a request with uid, kind, resource and operation'
  // API servers write null for what there is not: the old object of one that is created, the new one of one that goes.
  const { object, oldObject, ...rest } = request
  const isThere = (one: unknown) => one !== undefined && one !== null
  return {
    ...rest,
    ...(isThere(object) ? { object } : {}),
    ...(isThere(oldObject) ? { oldObject } : {}),
  }
}

function isAdmissionRequest(value: unknown): value is AdmissionRequest {
  if (!isRecord(value) || typeof value['uid'] !== 'string' || value['uid'] === '') return false
  if (!isRecord(value['kind']) || !isRecord(value['resource'])) return false
  return ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'].includes(String(value['operation']))
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function limitOf(timeout: string | null): number {
  const parsed = timeout === null ? undefined : parseDurationMs(timeout)
  const ms = parsed?.ok === true && parsed.value > 0 ? parsed.value : defaultTimeoutMs
  return Math.max(answerMs, Math.min(ms, longestTimeoutMs) - answerMs)
}

type AskSurroundings = AdmissionSurroundings & { readonly limitMs: number }

/** The handler's answer; where it fails or takes too long, what its failure policy says. */
async function ask(webhook: Webhook, request: AdmissionRequest, around: AskSurroundings): Promise<MutatingAnswer> {
  const startedMs = around.clock.elapsed()
  around.observer?.began(webhook)
  let hasFailed = false
  let answer: MutatingAnswer
  try {
    answer = checked(await withDeadline(webhook, request, around))
  } catch (error) {
    hasFailed = true
    around.log.error({ webhook: webhook.name, err: messageOf(error) }, 'webhook failed')
    answer = failureAnswer(webhook, error)
  }
  const code = answer.kind === 'denied' ? codeOf(answer.code) : 200
  around.observer?.ended(webhook, { code, elapsedMs: around.clock.elapsed() - startedMs, hasFailed })
  return answer
}

async function withDeadline(webhook: Webhook, request: AdmissionRequest, around: AskSurroundings): Promise<MutatingAnswer> {
  const stop = new AbortController()
  const late = Promise.withResolvers<never>()
  const cancel = around.clock.schedule(around.limitMs, () => {
    const reason = new Error(`no answer within ${around.limitMs} ms`)
    stop.abort(reason)
    late.reject(reason)
  })
  try {
    return await Promise.race([Promise.resolve(webhook.handle(request, stop.signal)), late.promise])
  } finally {
    cancel()
  }
}

/** What the types cannot hold. */
function checked(answer: MutatingAnswer): MutatingAnswer {
  const wrong = Object.keys(answer.auditAnnotations ?? {}).find(key => key.includes('/') || key === '')
  if (wrong !== undefined) throw new Error(`audit annotation ${JSON.stringify(wrong)}: expected a key without "/"`)
  return answer
}

function failureAnswer(webhook: Webhook, error: unknown): ValidatingAnswer {
  const text = `webhook ${webhook.name} failed: ${messageOf(error)}`
  if (webhook.failurePolicy === 'Ignore') return { kind: 'allowed', warnings: [text] }
  return { kind: 'denied', code: 500, reason: 'InternalError', message: text }
}

/** API servers turn codes under 400 into 400 themselves. */
function codeOf(code: number | undefined): number {
  return code === undefined ? 403 : Math.max(400, code)
}

function responseOf(answer: MutatingAnswer): Readonly<Record<string, unknown>> {
  const warnings = fittingWarnings(answer.warnings ?? [])
  const notes = {
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(answer.auditAnnotations === undefined ? {} : { auditAnnotations: answer.auditAnnotations }),
  }
  switch (answer.kind) {
    case 'allowed':
      return { allowed: true, ...notes }
    case 'denied': {
      const reason = answer.reason === undefined ? {} : { reason: answer.reason }
      return { allowed: false, status: { code: codeOf(answer.code), message: answer.message, ...reason }, ...notes }
    }
    case 'patched': {
      if (answer.patch.length === 0) return { allowed: true, ...notes }
      const patch = Buffer.from(JSON.stringify(answer.patch)).toString('base64')
      return { allowed: true, patchType: 'JSONPatch', patch, ...notes }
    }
  }
}

function fittingWarnings(warnings: readonly string[]): readonly string[] {
  const fitting: string[] = []
  let left = longestWarnings
  for (const warning of warnings) {
    const line = [...warning.replace(/[\r\n]+/g, ' ')]
    const cut = line.length > longestWarning ? `${line.slice(0, longestWarning - 1).join('')}…` : line.join('')
    left -= Math.min(line.length, longestWarning)
    if (left < 0) break
    fitting.push(cut)
  }
  return fitting
}
