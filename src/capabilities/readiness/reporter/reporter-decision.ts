// What a node's agent writes about what it asked: a condition of the node, in the words of node-readiness-controller's reporter. Pure.
import { formatTime } from '#kube/time/time.ts'
import { httpConditionOf, nodeAddressMark, type ReadinessConfig } from '../config.ts'
import { ownRules } from '../rules/own-rules.ts'

/** One question: where, and the condition that says the answer. */
export interface Check {
  readonly url: string
  readonly condition: string
  /** The mirror says in its body why it is not ready. */
  readonly isMirror: boolean
}

export interface NodeCondition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason?: string
  readonly message?: string
  readonly lastHeartbeatTime?: string
  readonly lastTransitionTime?: string
}

/** What is asked on a node with these labels and this address. */
export function checksOf(
  config: ReadinessConfig,
  node: { readonly labels: Readonly<Record<string, string>>; readonly address: string },
): readonly Check[] {
  const at = (url: string) => url.replaceAll(nodeAddressMark, node.address)
  const { mirror, conditionType } = config.agent
  const rules = ownRules(config).filter(({ selector }) => selector.matches(node.labels))
  const urls = new Set(
    rules.flatMap(({ requirements }) => requirements.flatMap(one => (one.kind === 'condition' ? (one.url ?? []) : []))),
  )
  return [
    ...(mirror === '' ? [] : [{ url: at(mirror), condition: conditionType, isMirror: true }]),
    ...Array.from(urls, url => ({ url: at(url), condition: httpConditionOf(url), isMirror: false })),
  ]
}

export type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly body: string }
  | { readonly kind: 'unreachable'; readonly why: string }

interface Health {
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

/** The word that the mirror's body begins with; upstream's has no body, and then nothing more is known. */
const mirrorReason = /^(ContainerdUnreachable|NoPeers|NotAnnounced|Ending): /
const longestMessage = 1_024

/** What lasts on a node although its mirror serves: it is said by reason and message of the condition that it does. */
export interface Trouble {
  readonly reason: string
  readonly message: string
}

/** What an answer means. `troubles`: of the mirror, most serious first. */
export function healthOf({ url, isMirror }: Check, answer: Answer, troubles: readonly Trouble[] = []): Health {
  if (answer.kind === 'unreachable')
    return { status: 'False', reason: 'EndpointConnectionError', message: cut(`Failed to reach endpoint ${url}: ${answer.why}`) }
  const [trouble] = troubles
  if (isMirror && answer.status >= 200 && answer.status < 300 && trouble !== undefined)
    return { status: 'True', reason: trouble.reason, message: cut(`Endpoint reports ready at ${url}, but: ${trouble.message}`) }
  if (answer.status >= 200 && answer.status < 300)
    return { status: 'True', reason: isMirror ? 'Serving' : 'EndpointOK', message: `Endpoint reports ready at ${url}` }
  const body = answer.body.trim()
  const known = isMirror ? mirrorReason.exec(body)?.[1] : undefined
  const message = `Endpoint returned non-2xx status code ${answer.status} at ${url}: ${body}`
  return { status: 'False', reason: known ?? 'EndpointNotReady', message: cut(message) }
}

function cut(text: string): string {
  return text.length > longestMessage ? `${text.slice(0, longestMessage - 1)}…` : text
}

/** The condition to be written; `undefined` where what is there says the same and is young enough. */
export function conditionToWrite(
  known: readonly NodeCondition[],
  {
    type,
    health,
    nowMs,
    heartbeatMs,
  }: { readonly type: string; readonly health: Health; readonly nowMs: number; readonly heartbeatMs: number },
): NodeCondition | undefined {
  const before = known.find(one => one.type === type)
  const isSame = before?.status === health.status && before.reason === health.reason && before.message === health.message
  const beatMs = Date.parse(before?.lastHeartbeatTime ?? '')
  // A heartbeat that is yet to come was written under another clock: it is as good as none.
  const ageMs = nowMs - beatMs
  if (isSame && ageMs >= 0 && ageMs < heartbeatMs) return undefined
  const now = formatTime(nowMs)
  const sinceText = before?.status === health.status ? before.lastTransitionTime : undefined
  return { type, ...health, lastHeartbeatTime: now, lastTransitionTime: sinceText ?? now }
}
