// One call of a webhook over HTTPS. A service is found by the annotation `ballast.dev/twin-endpoint`: simulated pods listen nowhere.
import { Agent, request } from 'undici'
import { type Draft, isFields, numberAt, textAt } from '../json-value.ts'
import type { Store } from '../store.ts'

type CallOutcome = { readonly ok: true; readonly value: Draft } | { readonly ok: false; readonly problem: string }
export type CallWebhook = (clientConfig: Draft, review: Draft, timeoutMs: number) => Promise<CallOutcome>

const endpointAnnotation = 'ballast.dev/twin-endpoint'
const longestAnswerBytes = 3 * 1024 * 1024

/** Calls webhooks for real; times are real time. */
export function webhookCaller(store: Store): { readonly call: CallWebhook; close(): Promise<void> } {
  const agents = new Map<string, Agent>()
  const agentFor = (authority: string, serverName: string | undefined): Agent => {
    const key = `${serverName ?? ''}\n${authority}`
    let agent = agents.get(key)
    if (agent === undefined) {
      agent = new Agent({
        connect: {
          ...(authority === '' ? {} : { ca: authority }),
          ...(serverName === undefined ? {} : { servername: serverName }),
        },
      })
      agents.set(key, agent)
    }
    return agent
  }
  return {
    async call(clientConfig, review, timeoutMs) {
      const target = targetOf(store, clientConfig)
      if (!target.ok) return target
      const authority = Buffer.from(textAt(clientConfig, 'caBundle') ?? '', 'base64').toString()
      try {
        const answer = await request(
          `${target.url}${target.url.includes('?') ? '&' : '?'}timeout=${Math.ceil(timeoutMs / 1000)}s`,
          {
            method: 'POST',
            headers: { 'content-type': 'application/json', accept: 'application/json' },
            body: JSON.stringify(review),
            dispatcher: agentFor(authority, target.serverName),
            signal: AbortSignal.timeout(timeoutMs),
          },
        )
        const text = await answer.body.text()
        if (text.length > longestAnswerBytes) return { ok: false, problem: 'its answer is too large' }
        if (answer.statusCode !== 200) return { ok: false, problem: `it answered ${answer.statusCode}` }
        const value: unknown = JSON.parse(text)
        return isFields(value) ? { ok: true, value } : { ok: false, problem: 'its answer is no AdmissionReview' }
      } catch (cause) {
        return {
          ok: false,
          problem: `Post ${JSON.stringify(target.url)}: ${cause instanceof Error ? cause.message : String(cause)}`,
        }
      }
    },
    close: async () => {
      await Promise.all([...agents.values()].map(agent => agent.destroy()))
    },
  }
}

type Target =
  | { readonly ok: true; readonly url: string; readonly serverName: string | undefined }
  | { readonly ok: false; readonly problem: string }

function targetOf(store: Store, clientConfig: Draft): Target {
  const url = textAt(clientConfig, 'url')
  if (url !== undefined) return { ok: true, url, serverName: undefined }
  const namespace = textAt(clientConfig, 'service', 'namespace') ?? ''
  const name = textAt(clientConfig, 'service', 'name') ?? ''
  const path = textAt(clientConfig, 'service', 'path') ?? '/'
  const service = store.get('services', namespace, name)
  if (service === undefined) return { ok: false, problem: `service ${JSON.stringify(name)} not found` }
  const endpoint = service.metadata.annotations?.[endpointAnnotation]
  if (endpoint === undefined) {
    const port = numberAt(clientConfig, 'service', 'port') ?? 443
    return {
      ok: false,
      problem: `no endpoints available for service ${JSON.stringify(`${name}.${namespace}.svc:${port}`)}: simulated pods listen nowhere`,
    }
  }
  return { ok: true, url: `${endpoint.replace(/\/$/, '')}${path}`, serverName: `${name}.${namespace}.svc` }
}
