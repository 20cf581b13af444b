// Which pods a plan may move, and why each of the others stays where it is: one reason each, by precedence, with its facts.

import type { ClusterState, NodeState, PodState } from '#cluster/cluster-state.ts'
import { evictionMarks } from '#cluster/ownership.ts'
import { labelSelectorOf, type Selector } from '#kube/objects/selector.ts'
import { isLeaving } from '../goals/leaving.ts'
import { type PlanPolicy, workloadKey } from '../goals/policy.ts'
import { type UsageRules, usageRules } from '../goals/usage-rules.ts'
import { isIsolated, isolationRules } from '../isolation/rules.ts'
import type { PlanInput } from '../plan-input.ts'
import type { StayCode, StayReason, Unmovable } from '../plan-record.ts'
import type { Budgets } from './budgets.ts'
import type { Candidate } from './candidate.ts'
import { Destinations } from './destinations.ts'
import { isOwnHostPath, localVolumes } from './local-storage.ts'
import { isSurge } from './move-action.ts'
import { policyOwner } from './owner.ts'
import type { Rule } from './rule.ts'
import type { StaticFit } from './static-fit.ts'
import { replicasOf, workloadObject } from './workload-object.ts'

export interface Sorting {
  readonly candidates: readonly Candidate[]
  readonly unmovable: readonly Unmovable[]
}

const reverseMoveMs = 24 * 3600 * 1000
const criticalPriority = 2_000_000_000

/**
 * All pods that run on a node, each a candidate or with the reason why not, in order of namespace and name. Where nodes are isolated
 * only their pods are asked about. `pods`: only these are looked at. `isAsked`: only of these it is asked where they fit; others that
 * nothing holds are neither.
 */
export function sortPods(
  input: PlanInput,
  tools: { readonly budgets: Budgets; readonly fit: StaticFit },
  pods: Iterable<PodState> = input.state.pods.values(),
  isAsked: (pod: PodState) => boolean = () => true,
): Sorting {
  const usage = usageRules(input)
  const rules = [...rulesOf(input, tools.budgets), usage.held]
  const destinationNodes = destinationsOf(input)
  const destinations = new Destinations(destinationNodes)
  const candidates: Candidate[] = []
  const unmovable: Unmovable[] = []
  for (const pod of pods) {
    const node = pod.nodeName
    if (node === undefined || pod.isFinished) continue
    if (input.policy.isolation !== undefined && !isIsolated(input.policy, node)) continue
    const reasons = firstOfEach(rules.flatMap(rule => rule(pod) ?? [])).filter(({ code }) => input.waived?.has(code) !== true)
    const { workload } = pod
    if (reasons.length === 0 && workload !== undefined && isAsked(pod)) {
      const places = placesFor(input, { pod, workload, from: node }, destinationNodes, { fit: tools.fit, usage, destinations })
      const dearer = input.restraints?.dearer.get(workloadKey(workload))
      if ('destinations' in places)
        candidates.push({ pod, workload, from: node, ...places, ...(dearer === undefined ? {} : { dearer }) })
      else reasons.push(places)
    }
    const [first, ...others] = reasons
    if (first === undefined) continue
    const identity = { namespace: pod.namespace, name: pod.name, uid: pod.uid }
    unmovable.push({ pod: identity, node, workload, code: first.code, data: first.data, also: others })
  }
  return { candidates, unmovable }
}

/** One reason of each code: two may know of the same thing. */
function firstOfEach(reasons: readonly StayReason[]): StayReason[] {
  return reasons.filter(({ code }, at) => reasons.findIndex(one => one.code === code) === at)
}

/** Nodes that may receive pods of this plan. */
function destinationsOf({ state, policy }: PlanInput): readonly NodeState[] {
  const isInScope = nodeScope(policy)
  return [...state.nodes.values()].filter(
    node => node.isReady && node.isSchedulable && !isLeaving(node) && isInScope(node) && !isIsolated(policy, node.name),
  )
}

function nodeScope(policy: PlanPolicy): (node: NodeState) => boolean {
  const selector = policy.scope.nodeSelector === undefined ? undefined : selectorOrNothing(policy.scope.nodeSelector)
  return node => selector === undefined || selector.matches(node.object.metadata.labels)
}

/** A selector that does not parse selects nothing: what it was meant to hold is then left alone. */
function selectorOrNothing(given: Parameters<typeof labelSelectorOf>[0]): Pick<Selector, 'matches'> {
  const parsed = labelSelectorOf(given)
  return parsed.ok ? parsed.value : { matches: () => false }
}

/** In order of precedence: what the user said first, then what the pod is, then what it would take. */
function rulesOf(input: PlanInput, budgets: Budgets): readonly Rule[] {
  const { state, policy, nowMs } = input
  const data = (code: StayCode, facts: Readonly<Record<string, string>> = {}): StayReason => ({ code, data: facts })
  const annotation = (pod: PodState, key: string) => pod.object.metadata.annotations?.[key]
  const isInScope = nodeScope(policy)
  const forced = (pod: PodState) => annotation(pod, `${evictionMarks}evict`) !== undefined
  return [
    ...(policy.isolation === undefined ? balanceRules(state, policy) : isolationRules(state, policy, policy.isolation)),
    pod => (isOwnedBy(pod, 'DaemonSet') ? data('DaemonSet') : undefined),
    pod => (annotation(pod, 'kubernetes.io/config.mirror') !== undefined ? data('Mirror') : undefined),
    pod => ((annotation(pod, 'kubernetes.io/config.source') ?? 'api') === 'api' ? undefined : data('Static')),
    pod => (pod.priority >= criticalPriority ? data('Critical', { priority: String(pod.priority) }) : undefined),
    pod => (pod.isTerminating ? data('Terminating') : undefined),
    pod => (pod.workload === undefined ? data('NoOwner') : undefined),
    pod => (isOwnedBy(pod, 'Job') || pod.workload?.kind === 'CronJob' ? data('JobOwned') : undefined),
    pod => (forced(pod) ? undefined : localStorage(policy, pod)),
    pod => heldDevices(state, pod),
    pod => doNotDisrupt(pod, nowMs),
    pod => (annotation(pod, 'cluster-autoscaler.kubernetes.io/safe-to-evict') === 'false' ? data('NotSafeToEvict') : undefined),
    pod => frozen(state, pod, nowMs),
    pod => {
      const node = state.nodes.get(pod.nodeName ?? '')
      // A node that is isolated is emptied whatever else holds of it.
      if (node === undefined || policy.isolation !== undefined) return undefined
      if (!isInScope(node)) return data('NodeOutOfScope', { node: node.name })
      return isLeaving(node) ? data('SourceLeaving', { node: node.name }) : undefined
    },
    pod => budgetReason(policy, budgets, pod),
    pod => {
      const { workload } = pod
      const asks = policy.singleReplica === 'skip' || (policy.singleReplica === 'surgeOnly' && policy.isolation === undefined)
      if (!asks || workload === undefined || replicasOf(state, workload) !== 1) return undefined
      if (policy.singleReplica === 'skip') return data('SingleReplica')
      return isSurge(state, policy, { pod, workload }) ? undefined : data('SingleReplica', { why: 'outage' })
    },
    pod => {
      const until = pod.workload === undefined ? undefined : input.quarantined?.get(workloadKey(pod.workload))
      return until !== undefined && until > nowMs ? data('Quarantined', { until: new Date(until).toISOString() }) : undefined
    },
    pod => input.restraints?.held.get(pod.key),
  ]
}

function isOwnedBy(pod: PodState, kind: string): boolean {
  return (pod.object.metadata.ownerReferences ?? []).some(owner => owner.kind === kind)
}

/** What a policy for balance leaves alone by its scope and by who owns what. */
function balanceRules(state: ClusterState, policy: PlanPolicy): readonly Rule[] {
  const { namespaces, labelSelector } = policy.scope
  const { include, exclude } = namespaces
  const podSelector = labelSelector === undefined ? undefined : selectorOrNothing(labelSelector)
  return [
    pod => {
      const isOut = exclude.includes(pod.namespace) || (include.length > 0 && !include.includes(pod.namespace))
      return isOut ? { code: 'NamespaceExcluded', data: { namespace: pod.namespace } } : undefined
    },
    pod => (podSelector?.matches(pod.object.metadata.labels) === false ? { code: 'OutOfScope', data: {} } : undefined),
    pod => ownerReason(state, policy, pod),
  ]
}

function ownerReason(state: ClusterState, policy: PlanPolicy, pod: PodState): StayReason | undefined {
  const { enforce, unlabelled } = policy.coordination
  if (!enforce) return undefined
  const { owner, facts } = policyOwner(state, policy, pod)
  if (owner === 'keda') return { code: 'KedaManaged', data: facts }
  const { contradicting: _, ...plain } = facts
  if (owner === 'none') return { code: 'OwnerNone', data: plain }
  return owner === undefined && unlabelled === 'none' ? { code: 'Unlabelled', data: facts } : undefined
}

/** What a move would lose; where the policy allows that only what stays on the node: files of a hostPath that are the pod's own. */
function localStorage({ coordination }: PlanPolicy, pod: PodState): StayReason | undefined {
  const volumes = localVolumes(pod)
  const held = coordination.localStorage === 'refuse' ? volumes[0] : volumes.find(isOwnHostPath)
  return held === undefined ? undefined : { code: 'LocalStorage', data: { volume: held.name, kind: held.kind } }
}

/** Claims from templates are made anew for the pod that takes its place; one that is named stays where it is allocated. */
function heldDevices(state: ClusterState, pod: PodState): StayReason | undefined {
  for (const { resourceClaimName, resourceClaimTemplateName: template } of pod.object.spec.resourceClaims ?? []) {
    if (template === undefined) return { code: 'ResourceClaims', data: { claim: resourceClaimName ?? '' } }
    if (state.object('ResourceClaimTemplate', pod.namespace, template) === undefined)
      return { code: 'ResourceClaims', data: { template } }
  }
  return undefined
}

/** `true`, or a Go duration since the pod's start: what does not parse protects for good. */
function doNotDisrupt(pod: PodState, nowMs: number): StayReason | undefined {
  const value = pod.object.metadata.annotations?.['karpenter.sh/do-not-disrupt']
  if (value === undefined || value === 'false') return undefined
  const startedMs = Date.parse(pod.object.status?.startTime ?? pod.object.metadata.creationTimestamp ?? '')
  const hours = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(value)
  if (value !== '' && hours !== null && Number.isFinite(startedMs)) {
    const [, h = '0', m = '0', s = '0'] = hours
    if (nowMs >= startedMs + ((Number(h) * 60 + Number(m)) * 60 + Number(s)) * 1000) return undefined
  }
  return { code: 'DoNotDisrupt', data: { value } }
}

/** `ballast.dev/freeze` on namespace, workload, node: an RFC 3339 time until then, any other text but `false` for good. */
function frozen(state: ClusterState, pod: PodState, nowMs: number): StayReason | undefined {
  const holders = [
    state.object('Namespace', undefined, pod.namespace),
    workloadObject(state, pod.workload),
    state.nodes.get(pod.nodeName ?? '')?.object,
    pod.object,
  ]
  for (const holder of holders) {
    const value = holder?.metadata.annotations?.['ballast.dev/freeze']
    if (holder === undefined || value === undefined || value === 'false') continue
    const untilMs = /^\d{4}-/.test(value) ? Date.parse(value) : Number.NaN
    if (Number.isFinite(untilMs) && untilMs <= nowMs) continue
    return { code: 'Frozen', data: { kind: holder.kind, name: holder.metadata.name, value: value.slice(0, 100) } }
  }
  return undefined
}

function budgetReason(policy: PlanPolicy, budgets: Budgets, pod: PodState): StayReason | undefined {
  const covering = budgets.covering(pod)
  if (covering.length === 0)
    return policy.coordination.requirePDB && policy.isolation === undefined ? { code: 'NoPDB', data: {} } : undefined
  const names = covering.map(budget => budget.name).join(', ')
  // The eviction API answers 500 while two budgets match.
  if (covering.length > 1) return { code: 'PDBNeverAllows', data: { budget: names, why: 'several' } }
  const [budget] = covering
  if (budget === undefined) return undefined
  if (!budget.canEverAllow) {
    return { code: 'PDBNeverAllows', data: { budget: names, expected: String(budget.expected), desired: String(budget.desired) } }
  }
  if (budgets.allows(pod)) return undefined
  return { code: 'PDBExhausted', data: { budget: names, healthy: String(budget.healthy), desired: String(budget.desired) } }
}

type Places = { readonly destinations: readonly string[] } | StayReason

function placesFor(
  input: PlanInput,
  subject: Omit<Candidate, 'destinations'>,
  nodes: readonly NodeState[],
  { fit, usage, destinations }: { readonly fit: StaticFit; readonly usage: UsageRules; readonly destinations: Destinations },
): Places {
  const refused = fit.refusals(subject.pod)
  const hasOthers = (names: readonly string[]) => names.length > 1 || (names.length === 1 && names[0] !== subject.from)
  const fitting = destinations.of(refused)
  const back = input.policy.isolation === undefined ? movedFrom(input, subject) : new Map<string, number>()
  const measured = without(fitting, name => usage.isClosed(subject.pod, name))
  if (hasOthers(fitting) && !hasOthers(measured)) return { code: 'UsageUnknown', data: {} }
  const left = back.size === 0 ? measured : without(measured, name => back.has(name))
  if (hasOthers(left)) return { destinations: left }
  const others = nodes.filter(node => node.name !== subject.from)
  if (hasOthers(fitting)) {
    const until = new Date(Math.min(...back.values())).toISOString()
    return { code: 'RecentlyMoved', data: { from: [...back.keys()].sort().join(', '), until } }
  }
  const refusals = others.flatMap(node => refused.get(node.name) ?? [])
  const pinning = refusals.find(refusal => refusal.filter.startsWith('Volume'))
  if (pinning !== undefined) return { code: 'VolumePinned', data: { pv: pinnedVolume(input.state, subject.pod) } }
  const affinity = refusals.length > 0 && refusals.some(refusal => refusal.filter === 'NodeAffinity')
  if (affinity) return { code: 'NodeAffinityPinned', data: {} }
  const counts = new Map<string, number>()
  for (const { reason } of refusals) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  const reasons = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([reason, count]) => `${count} ${reason}`)
  return { code: 'NoFeasibleNode', data: { nodes: String(others.length), reasons: reasons.join(', ') } }
}

/** The same list where nothing is to be left out. */
function without(names: readonly string[], isOut: (name: string) => boolean): readonly string[] {
  return names.some(isOut) ? names.filter(name => !isOut(name)) : names
}

/** Nodes that the workload was moved away from within a day, and until when: a move back would undo it. */
function movedFrom(input: PlanInput, { pod, workload, from }: Omit<Candidate, 'destinations'>): ReadonlyMap<string, number> {
  const key = workloadKey(workload)
  const nodes = new Map(input.restraints?.barred.get(`${key}>${from}`))
  const add = (node: string, atMs: number) => {
    if (input.nowMs - atMs < reverseMoveMs) nodes.set(node, Math.max(nodes.get(node) ?? 0, atMs + reverseMoveMs))
  }
  for (const move of input.recentMoves ?? []) if (move.workload === key && move.to === from) add(move.from, move.atMs)
  const note = workloadObject(input.state, workload)?.metadata.annotations?.['ballast.dev/last-move']
  const [, source, target, at] = /^(.+)→(.+)@(.+)$/.exec(note ?? '') ?? []
  if (source !== undefined && target === from) add(source, Date.parse(at ?? ''))
  nodes.delete(input.waysBack?.get(pod.key) ?? '')
  return nodes
}

/** The first volume of the pod that is bound to certain nodes, else the claim that keeps it where it is. */
function pinnedVolume(state: ClusterState, pod: PodState): string {
  const claims = (pod.object.spec.volumes ?? []).flatMap(volume => volume.persistentVolumeClaim?.claimName ?? [])
  const bound = claims.flatMap(
    name => textField(state.object('PersistentVolumeClaim', pod.namespace, name)?.['spec'], 'volumeName') ?? [],
  )
  const pinned = bound.find(name => {
    const spec = state.object('PersistentVolume', undefined, name)?.['spec']
    return typeof spec === 'object' && spec !== null && 'nodeAffinity' in spec
  })
  return pinned ?? bound[0] ?? claims[0] ?? ''
}

function textField(value: unknown, name: string): string | undefined {
  const found: unknown = typeof value === 'object' && value !== null && name in value ? Reflect.get(value, name) : undefined
  return typeof found === 'string' && found !== '' ? found : undefined
}
