// One call of a webhook over HTTPS. A service is found by the annotation `ballast.dev/twin-endpoint`: simulated pods listen nowhere.

import { posix } from 'node:path'
import { request } from 'undici'
import { bodyWithin } from '#kube/client/outgoing-http.ts'
import { connectionWords } from '../../aggregation/connection-words.ts'
import { RemoteConnections } from '../../aggregation/remote-connections.ts'
import { serviceReference, serviceTarget } from '../../aggregation/service-target.ts'
import { type Draft, isFields, jsonText, jsonTree, textAt } from '../../json-value.ts'
import type { Store } from '../../store.ts'

type CallOutcome = { readonly ok: true; readonly value: Draft } | { readonly ok: false; readonly problem: string }
export type CallWebhook = (clientConfig: Draft, review: Draft, timeoutMs: number) => Promise<CallOutcome>

const longestAnswerBytes = 3 * 1024 * 1024

/** Calls webhooks for real; times are real time. */
export function webhookCaller(store: Store): { readonly call: CallWebhook; close(): Promise<void> } {
  const connections = new RemoteConnections()
  return {
    async call(clientConfig, review, timeoutMs) {
      const target = targetOf(store, clientConfig)
      if (!target.ok) {
        const query = `?timeout=${Math.ceil(timeoutMs / 1000)}s`
        return { ok: false, problem: `Post ${JSON.stringify(`${target.shownUrl}${query}`)}: ${target.problem}` }
      }
      const query = `${target.url.includes('?') ? '&' : '?'}timeout=${Math.ceil(timeoutMs / 1000)}s`
      const failed = (error: unknown) => {
        const isLate = error instanceof DOMException && error.name === 'TimeoutError'
        const why = isLate ? 'context deadline exceeded' : connectionWords(error)
        return { ok: false, problem: `Post ${JSON.stringify(`${target.shownUrl}${query}`)}: ${why}` } as const
      }
      try {
        const answer = await request(`${target.url}${query}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', accept: 'application/json' },
          body: jsonText(review),
          dispatcher: connections.agentFor({ caBundle: clientConfig['caBundle'] }, target.serverName),
          signal: AbortSignal.timeout(timeoutMs),
        })
        const body = await bodyWithin(answer.body, longestAnswerBytes + 1, 'cut')
        if (body.length > longestAnswerBytes) return { ok: false, problem: 'its answer is too large' }
        const text = body.toString('utf8')
        if (answer.statusCode !== 200)
          return { ok: false, problem: statusWords(answer.statusCode, String(answer.headers['content-type'] ?? ''), text) }
        const value = parsed(text)
        return isFields(value) ? { ok: true, value } : { ok: false, problem: noReview }
      } catch (error) {
        return failed(error)
      }
    },
    close: () => connections.close(),
  }
}

/** Said of an answer that is JSON and no object, or no JSON at all. */
const noReview =
  'couldn\'t get version/kind; json parse error: json: cannot unmarshal string into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'

function parsed(text: string): unknown {
  try {
    return jsonTree(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** An answer that is no success, in the words of an API server. */
function statusWords(status: number, contentType: string, text: string): string {
  if (status === 404) return 'the server could not find the requested resource'
  if (status === 503) return 'the server is currently unable to handle the request'
  const said = contentType.startsWith('text/') ? text.trim() : 'unknown'
  if (status >= 500) return `an error on the server (${JSON.stringify(said)}) has prevented the request from succeeding`
  return `the server responded with the status code ${status} but did not return more information`
}

/** Where to call, and what the place is called in messages. */
type Target =
  | { readonly ok: true; readonly url: string; readonly shownUrl: string; readonly serverName: string | undefined }
  | { readonly ok: false; readonly problem: string; readonly shownUrl: string }

function targetOf(store: Store, clientConfig: Draft): Target {
  const url = textAt(clientConfig, 'url')
  if (url !== undefined) {
    const [, host = url, asked = ''] = /^(https:\/\/[^/]*)(.*)$/.exec(url) ?? []
    const cleaned = `${host}${cleanPath(unescaped(asked))}`
    return { ok: true, url: cleaned, shownUrl: cleaned, serverName: undefined }
  }
  const reference = serviceReference(clientConfig['service'])
  const { name, namespace, port } = reference
  const path = cleanPath(textAt(clientConfig, 'service', 'path') ?? '')
  const shownUrl = `https://${name}.${namespace}.svc:${port}${path}`
  const target = serviceTarget(store, reference)
  return target.ok ? { ...target, url: `${target.url}${path}`, shownUrl } : { ...target, shownUrl }
}

/** As client-go joins it: one slash each, no dots, none at the end. controller-runtime's test environment has two, which Go's servers answer with a redirect. */
function cleanPath(path: string): string {
  const joined = posix.join('/', path)
  const cleaned = joined === '/' ? joined : joined.replace(/\/$/, '')
  return encodeURI(cleaned).replaceAll('?', '%3F').replaceAll('#', '%23')
}

/** What stands for a path's characters in a URL is taken back before it is cleaned. A URL that does not say it well was refused when it was written. */
function unescaped(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch (error) {
    if (error instanceof URIError) return path
    throw error
  }
}
