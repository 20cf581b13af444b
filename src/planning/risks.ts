// What may go wrong for the users of what a plan moves, by kind and how much: shown before anybody approves it. In mode Auto the same
// are hard stops, so that a plan that nobody looks at has none that its policy does not allow. Pure.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { Budgets } from './candidates/budgets.ts'
import { localVolumes } from './candidates/local-storage.ts'
import { holdsExclusiveVolume } from './candidates/move-action.ts'
import { replicasOf } from './candidates/workload-object.ts'
import { workloadKey } from './goals/policy.ts'
import { type Move, type Risk, riskCodes, riskGrades } from './plan-record.ts'

/** The risks of `moves`, the gravest first; those of one kind and grade are one. A move that goes on from a stop is not counted again. */
export function risksOf(state: ClusterState, moves: readonly Move[], nowMs: number): readonly Risk[] {
  const budgets = Budgets.of(state, nowMs)
  const found = moves.filter(({ follows }) => follows === undefined).flatMap(move => ofMove(state, budgets, move))
  return Map.groupBy(found, ({ code, grade }) => `${riskGrades.indexOf(grade)} ${riskCodes.indexOf(code)}`)
    .entries()
    .toArray()
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, same]) => {
      const [first] = same
      if (first === undefined) return []
      const workloads = [...new Set(same.map(({ workload }) => workload))].sort()
      return [{ code: first.code, grade: first.grade, moves: same.length, workloads }]
    })
}

interface MoveRisk extends Pick<Risk, 'code' | 'grade'> {
  readonly workload: string
}

function ofMove(
  state: ClusterState,
  budgets: Budgets,
  { pod: identity, workload: reference, action }: Move,
): readonly MoveRisk[] {
  const pod = state.pods.get(`${identity.namespace}/${identity.name}`)
  if (pod === undefined) return []
  const workload = workloadKey(reference)
  const isAlone = replicasOf(state, reference) === 1
  const risks: MoveRisk[] = []
  if (isAlone && action === 'surge') risks.push({ code: 'OneReplica', grade: 'low', workload })
  // The volume is taken from one node and given to the other in between.
  if (isAlone && action === 'evict')
    risks.push({ code: 'ShortOutage', grade: holdsExclusiveVolume(state, pod) ? 'high' : 'medium', workload })
  const volumes = localVolumes(pod)
  // Folders of the node itself are on every node.
  const lost = volumes.filter(({ kind }) => kind !== 'hostPath')
  if (lost.length > 0)
    risks.push({ code: 'LocalStorage', grade: lost.every(({ isScratch }) => isScratch) ? 'low' : 'medium', workload })
  if (!isAlone && budgets.covering(pod).length === 0) risks.push({ code: 'NoPDB', grade: 'low', workload })
  return risks
}

const words: Readonly<Record<Risk['code'], string>> = {
  ShortOutage: 'the only replica is evicted: its users wait until the new one is ready',
  LocalStorage: 'what their emptyDir or ephemeral volumes hold is lost',
  NoPDB: 'no PodDisruptionBudget keeps a second replica from being taken meanwhile',
  OneReplica: 'the only replica: a second one is ready before it goes',
}

/** What the risk is, without whom it is of. */
export function riskWords({ code, grade }: Pick<Risk, 'code' | 'grade'>): string {
  if (code === 'LocalStorage' && grade === 'low') return 'what their scratch volumes hold is lost'
  if (code === 'ShortOutage' && grade === 'high')
    return 'the only replica is evicted, and its volume has to follow: its users wait'
  return words[code]
}
