// The verifier's word on a plan: its certificates replayed, once, while the cluster is as it was when the plan was made.
import { createHash } from 'node:crypto'
import type { ClusterState } from '#cluster/cluster-state.ts'
import { controllerOf, controllersFrom, kindKey } from '#cluster/ownership.ts'
import type { RebalancePlan } from '#coordination/api.ts'
import { planRecord } from '#coordination/plans/plan-object.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { decisiveKinds, snapshotHash } from '#planning/snapshot-hash.ts'
import type { Finding } from '#planning/verifier/finding.ts'
import { verifyPlan } from '#planning/verifier/verify.ts'
import type { Picture } from '../../picture.ts'
import { notReplayed } from '../../words/en-plan.ts'

export type Verification =
  | { readonly kind: 'replayed'; readonly findings: readonly Finding[] }
  | { readonly kind: 'not-replayed'; readonly because: string }

/** Larger clusters and plans are not replayed beside everything else. */
const mostPods = 1_000
const mostMoves = 200
/** So many plans are remembered; of more the oldest is forgotten. */
const mostRemembered = 64

/** What was found, by the plan's content: once replayed it is true of the cluster that the plan was made for, whatever comes after. */
const replayed = new Map<string, Verification>()
/** What was found to be another cluster than the plan's: not looked at again for its sake. */
const contents = new WeakMap<RebalancePlan['spec'], string>()

/** The verifier's word as far as it is known or can be had at once. Tries once for each content of a plan, then again only where `again`. */
export function verificationOf(picture: Picture, plan: RebalancePlan, { again = false } = {}): Verification {
  const key = contentOf(plan)
  const known = replayed.get(key)
  if (known !== undefined && (known.kind === 'replayed' || !again)) return known
  const found = replay(picture, plan)
  if (picture.past !== undefined) return found
  const [oldest] = replayed.keys()
  if (replayed.size >= mostRemembered && oldest !== undefined) replayed.delete(oldest)
  replayed.set(key, found)
  return found
}

function replay({ state, scheduler, past }: Picture, plan: RebalancePlan): Verification {
  if (past !== undefined) return { kind: 'not-replayed', because: notReplayed.past }
  if (state.pods.size > mostPods || plan.spec.moves.length > mostMoves)
    return { kind: 'not-replayed', because: notReplayed.large }
  if (snapshotHash(state) !== plan.spec.snapshotHash) return { kind: 'not-replayed', because: notReplayed.changed }
  const read = planRecord(plan)
  if (!read.ok) return { kind: 'not-replayed', because: notReplayed.unreadable }
  return { kind: 'replayed', findings: verifyPlan(asProposed(read.record, plan), objectsOf(state), scheduler) }
}

/** What a plan says of the time after it is, once it ran, what was measured: of its promise that is no part any more. */
function asProposed<Record extends { readonly after: readonly unknown[] }>(record: Record, { status }: RebalancePlan): Record {
  return status?.startedAt === undefined ? record : { ...record, after: [] }
}

/** The objects that a plan rests on, with the controllers above its pods. */
function objectsOf(state: ClusterState): readonly KubeObject[] {
  const objects = new Set<KubeObject>([
    ...Array.from(state.nodes.values(), node => node.object),
    ...Array.from(state.pods.values(), pod => pod.object),
    ...decisiveKinds.flatMap(kind => state.objects(kind)),
  ])
  for (const pod of state.pods.values()) {
    const first = controllerOf(pod.object.metadata)
    if (first === undefined) continue
    for (const { apiVersion, kind, name } of controllersFrom(state, first, pod.namespace)) {
      const found = state.object(kindKey(apiVersion, kind), pod.namespace, name)
      if (found !== undefined) objects.add(found)
    }
  }
  return [...objects]
}

function contentOf(plan: RebalancePlan): string {
  const known = contents.get(plan.spec)
  if (known !== undefined) return known
  const hash = createHash('sha256')
  hash.update(
    JSON.stringify([plan.metadata.uid ?? plan.metadata.name, plan.spec.snapshotHash, plan.spec.landing, plan.spec.moves]),
  )
  const content = hash.digest('hex')
  contents.set(plan.spec, content)
  return content
}
