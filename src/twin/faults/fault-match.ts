// Whether a fault meets a request, and whether it then fires. Pure but for the draw.
import type { Random } from '#kube/random.ts'
import type { Fault } from './fault.ts'
import { clockResource, type FaultMatch, faultResource, twinGroup } from './fault-spec.ts'

/** What a fault can see of a request. */
export interface RequestFacts {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource: string | undefined
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly user: string
  readonly userAgent: string
  /** The cluster's time, milliseconds since 1970. */
  readonly nowMs: number
}

/** How often a fault met a request, and how often it fired. */
interface FaultCounts {
  readonly met: number
  readonly fired: number
}

/** `other`: another request or another time; `skipped` and `spared` (by chance) count as met; `spent`: it fired often enough. */
type Verdict = 'other' | 'skipped' | 'spared' | 'spent' | 'fires'

/** What becomes of one request and one fault. `random` is drawn from only where a probability decides. */
export function verdictOf(fault: Fault, counts: FaultCounts, facts: RequestFacts, random: Random): Verdict {
  if (!isAsked(facts.nowMs, fault) || !matches(fault.match, facts)) return 'other'
  if (counts.fired >= fault.count) return 'spent'
  if (counts.met < fault.skipFirst) return 'skipped'
  if (fault.probability < 1 && random() >= fault.probability) return 'spared'
  return 'fires'
}

/** Whether the time is one at which the fault acts. */
export function isAsked(nowMs: number, { fromMs, untilMs }: Pick<Fault, 'fromMs' | 'untilMs'>): boolean {
  return nowMs >= fromMs && nowMs < untilMs
}

/**
 * Whether the request is one of those meant. Requests about TwinFaults never are, so that each can be removed; those about the TwinClock
 * only where they are named: faults end by its time, which somebody must be able to let pass.
 */
export function matches(match: FaultMatch | undefined, facts: RequestFacts): boolean {
  if (facts.group === twinGroup && facts.resource === faultResource) return false
  if (facts.group === twinGroup && facts.resource === clockResource && match?.resource !== clockResource) return false
  if (match === undefined) return true
  return (
    (match.verbs?.some(verb => verb === facts.verb) ?? true) &&
    (match.group === undefined || match.group === facts.group) &&
    (match.resource === undefined || match.resource === facts.resource) &&
    hasSubresource(match, facts.subresource) &&
    isLike(match.namespace, facts.namespace) &&
    isLike(match.name, facts.name) &&
    isLike(match.user, facts.user) &&
    (isLike(match.userAgent, facts.userAgent) || match.userAgent === facts.userAgent.split('/', 1)[0])
  )
}

/** As RBAC has it: `pods` does not mean `pods/status`, unless asked for; no resource at all means everything. */
function hasSubresource({ resource, subresource }: FaultMatch, asked: string | undefined): boolean {
  if (subresource === '*') return true
  if (subresource === undefined) return resource === undefined || asked === undefined
  return subresource === (asked ?? '')
}

function isLike(pattern: string | undefined, text: string | undefined): boolean {
  if (pattern === undefined) return true
  if (pattern.endsWith('*')) return (text ?? '').startsWith(pattern.slice(0, -1))
  return pattern === (text ?? '')
}
