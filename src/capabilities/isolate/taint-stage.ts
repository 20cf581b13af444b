// The taint of isolated nodes where it is ours to set: set under a permit and marked with the policy it is for, taken away with the mark.

import type { ClusterState, NodeState } from '#cluster/cluster-state.ts'
import type { RebalancePolicy } from '#coordination/api.ts'
import type { Leading } from '#coordination/capability.ts'
import { removeTaint, setTaint } from '#coordination/effects/taint.ts'
import { abortIsolationAnnotation, isolatedByAnnotation } from '#coordination/plans/names.ts'
import { isolationRulesOf, readPolicy } from '#coordination/plans/plan-policy.ts'
import type { Policies } from '#coordination/plans/plan-store.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Node } from '#kube/objects/objects.ts'
import type { IsolationRules } from '#planning/goals/policy.ts'
import { carriesTaint } from '#planning/isolation/survey.ts'

const permitMs = 60_000

interface TaintContext {
  readonly leading: Leading
  readonly nodes: Informer<Node>
}

/** Whether the user wants the isolation at all: it is enabled, and nobody asked to abort it. */
export function isWanted({ metadata, spec }: RebalancePolicy): boolean {
  const abort = metadata.annotations?.[abortIsolationAnnotation]
  return spec.isolation?.enabled === true && (abort === undefined || abort === 'false')
}

/** Nodes on which we set the taint for `policy` and somebody else took it away: it is theirs, and not fought over. */
export function robbedNodes(state: ClusterState, policy: RebalancePolicy, rules: IsolationRules): readonly string[] {
  return rules.nodes.filter(name => {
    const node = state.nodes.get(name)
    return markOf(node)?.policy === policy.metadata.name && !carriesTaint(node, rules)
  })
}

/**
 * Sets the taint on the first of `untainted`.
 * @returns why not, where the arbiter does not grant it; `undefined`: set, or the node is gone
 */
export async function taintNext(
  context: TaintContext,
  wish: {
    readonly policy: RebalancePolicy
    readonly rules: IsolationRules
    readonly untainted: readonly string[]
    /** Tells one wish for the node's taint from an earlier one that was granted. */
    readonly since: string
  },
  signal: AbortSignal,
): Promise<string | undefined> {
  const { leading, nodes } = context
  const { policy, rules } = wish
  const node = wish.untainted.flatMap(name => leading.view.state().nodes.get(name) ?? [])[0]
  if (node === undefined) return undefined
  const { uid } = node.object.metadata
  const nowMs = leading.effects.clock.now()
  const reply = await leading.arbiter.request(
    {
      requester: 'isolate',
      verb: 'taint',
      purpose: 'isolate',
      class: 'correctness',
      targets: [{ apiVersion: 'v1', kind: 'Node', name: node.name, ...(uid === undefined ? {} : { uid }) }],
      workload: undefined,
      disrupts: [],
      reasons: [{ code: 'isolate', message: `policy ${policy.metadata.name} keeps ${node.name} for the core` }],
      idempotencyKey: `${policy.metadata.uid ?? policy.metadata.name}/taint/${node.name}/${wish.since}`,
      deadlineMs: nowMs + permitMs,
      timeToLiveMs: permitMs,
    },
    signal,
  )
  if (reply.kind === 'not-granted') return reply.sentence
  const outcome = await setTaint(
    leading.effects,
    reply.permit,
    {
      node: node.name,
      taint: { key: rules.taint, effect: 'NoSchedule' },
      annotations: { [isolatedByAnnotation]: `${policy.metadata.name}/${rules.taint}` },
    },
    signal,
  )
  if (outcome.kind !== 'gone') nodes.observe(outcome.node)
  await leading.arbiter.release(reply.permit.record, { ending: 'done', reason: `taint ${outcome.kind}` }, signal)
  return undefined
}

/** Gives back the permits of taints that an earlier leader set and did not live to write down. */
export async function finishTaints({ leading }: TaintContext, signal: AbortSignal): Promise<void> {
  const state = leading.view.state()
  for (const record of leading.arbiter.unfinished('isolate')) {
    if (record.verb !== 'taint' || record.purpose !== 'isolate') continue
    const isSet = record.targets.every(({ name }) => markOf(state.nodes.get(name)) !== undefined)
    if (isSet) await leading.arbiter.release(record, { ending: 'done', reason: 'taint written' }, signal)
  }
}

/** Takes away each taint of ours whose policy does not want it any more: gone, aborted, of another mode, of other nodes. */
export async function releaseTaints(context: TaintContext, policies: Policies, signal: AbortSignal): Promise<void> {
  const { leading, nodes } = context
  const state = leading.view.state()
  for (const node of state.nodes.values()) {
    const mark = markOf(node)
    if (mark === undefined || isStillWanted(state, node.name, mark, policies)) continue
    const own = { key: mark.taint, only: 'NoSchedule', annotation: isolatedByAnnotation } as const
    const choice = { ...own, node: node.name, requester: 'isolate' }
    const outcome = await removeTaint(leading.effects, choice, signal)
    if (outcome.kind !== 'gone') nodes.observe(outcome.node)
  }
}

function isStillWanted(state: ClusterState, node: string, mark: Mark, policies: Policies): boolean {
  const object = policies.get(mark.policy)
  const read = object === undefined ? undefined : readPolicy(object)
  // What a policy that lost its shape wants is not known: nothing is done.
  if (read?.ok === false) return true
  if (read === undefined || !isWanted(read.policy) || read.policy.spec.isolation?.taintMode !== 'kubernetes') return false
  const rules = isolationRulesOf(read.policy, state)
  return !rules.ok || (rules.value.taint === mark.taint && rules.value.nodes.includes(node))
}

interface Mark {
  readonly policy: string
  readonly taint: string
}

/** `POLICY/TAINT`; names of policies have no slash. */
function markOf(node: NodeState | undefined): Mark | undefined {
  const [, policy, taint] = /^([^/]+)\/(.+)$/.exec(node?.object.metadata.annotations?.[isolatedByAnnotation] ?? '') ?? []
  return policy === undefined || taint === undefined ? undefined : { policy, taint }
}
