// Which pods of a node may leave it, and why the others stay: the planner's own rules on the present state.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { planPolicyOf } from '#coordination/plans/plan-policy.ts'
import { quarantines } from '#coordination/plans/quarantine.ts'
import { Budgets } from '#planning/candidates/budgets.ts'
import { sortPods } from '#planning/candidates/movable.ts'
import { StaticFit } from '#planning/candidates/static-fit.ts'
import { reasonText, staySentence } from '#planning/sentences.ts'
import type { NodePod, Sentence } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { isToMove, mayGo, noPolicyLooks, podStays } from '../../words/en-actions.ts'
import { openPlan } from '../plans/after.ts'

type Words = Pick<NodePod, 'movable' | 'because'>

/** What is said of each pod on `node`. */
export function leavingWords(picture: Picture, node: string): (pod: PodState) => Words {
  const { state, book, ownerLabel, scheduler: settings, nowMs } = picture
  const plan = openPlan(picture)
  const moves = new Map((plan?.spec.moves ?? []).map(move => [move.pod.uid, move.to]))
  // Only these pods are asked about. Whether others are in their way is the placement's question, not that of these rules.
  const here = podsAlone(state, node)
  const tools = { budgets: budgetsOf(state, nowMs), fit: new StaticFit(here, settings) }
  const may = new Map<string, readonly string[]>()
  const stays = new Map<string, Sentence>()
  for (const policy of book.policies) {
    const read = planPolicyOf(policy, state, { ownerLabel, landing: 'prefer' })
    if (!read.ok) continue
    const input = { state: here, settings, policy: read.value, nowMs, quarantined: quarantines(book.plans, nowMs) }
    const { candidates, unmovable } = sortPods(input, tools)
    for (const { pod, from, destinations } of candidates)
      if (!may.has(pod.key))
        may.set(
          pod.key,
          destinations.filter(name => name !== from),
        )
    for (const one of unmovable) {
      const key = `${one.pod.namespace}/${one.pod.name}`
      if (!stays.has(key)) stays.set(key, podStays({ reason: reasonText(one), sentence: staySentence(one) }))
    }
  }
  return pod => {
    const to = moves.get(pod.uid)
    if (plan !== undefined && to !== undefined) return { movable: true, because: isToMove({ plan: plan.metadata.name, to }) }
    const nodes = may.get(pod.key)
    if (nodes !== undefined) return { movable: true, because: mayGo({ nodes }) }
    return { movable: false, because: stays.get(pod.key) ?? noPolicyLooks() }
  }
}

const budgets = new WeakMap<ClusterState, Budgets>()

/** Budgets look at every pod of the cluster: once for a state. */
function budgetsOf(state: ClusterState, nowMs: number): Budgets {
  const known = budgets.get(state) ?? Budgets.of(state, nowMs)
  budgets.set(state, known)
  return known
}

/** `state` with no other pods than those on `node`. */
function podsAlone(state: ClusterState, node: string): ClusterState {
  const pods = state.podsOn(node)
  return {
    nodes: state.nodes,
    pods: new Map(pods.map(pod => [pod.key, pod])),
    podsOn: name => (name === node ? pods : []),
    podsOf: uid => state.podsOf(uid),
    objectsIn: (kind, namespace) => state.objectsIn(kind, namespace),
    objects: kind => state.objects(kind),
    object: (kind, namespace, name) => state.object(kind, namespace, name),
  }
}
