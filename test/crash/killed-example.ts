// The whole example, put right; and what is judged when it is.
import { join } from 'node:path'
import type { Pod } from '#kube/objects/objects.ts'
import { readSource } from '../../src/cli/source/source.ts'
import type { ControlledCluster } from '../controlled-cluster.ts'
import { leftBehind, type Scenario } from '../crash-harness.ts'

export const exampleObjects = readSource(join(import.meta.dirname, '..', '..', 'examples', 'talos-homelab')).objects.map(
  ({ object }) => object,
)

/** What is wrong after a run of the example: a move repeated or forgotten, something left behind. Empty when all is well. */
export function faults(cluster: Pick<ControlledCluster, 'twin' | 'list' | 'plans' | 'forbidden'>): readonly string[] {
  const check = (is: boolean, fault: string) => (is ? [] : [fault])
  const evicted = cluster.twin.requests.entries
    .filter(({ path, code }) => path.endsWith('/eviction') && code === 201)
    .map(({ path }) => path)
  const rollouts =
    cluster.list('replicasets.apps').filter(set => set.metadata.labels?.['app.kubernetes.io/name'] === 'kometa').length - 1
  const pods = cluster.list<Pod>('pods')
  const unready = pods.filter(
    pod => !pod.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True'),
  )
  const on = (node: string) => pods.filter(pod => pod.spec.nodeName === node).length
  const plans = cluster.plans()
  const landed = plans.flatMap(plan => plan.status?.steps ?? []).filter(step => step.state === 'Landed').length
  return [
    ...check(
      new Set(evicted).size === evicted.length && evicted.length === 14,
      `${evicted.length} evictions of ${new Set(evicted).size} pods`,
    ),
    ...check(rollouts === 1, `kometa was rolled out ${rollouts} times`),
    ...check(landed === 15, `${landed} moves landed`),
    ...check(
      pods.length === 124 && unready.length === 0,
      `${pods.length} pods, not ready: ${unready.map(pod => pod.metadata.name).join(', ')}`,
    ),
    ...check(on('talos00') === 45 && on('talos03') === 24, `${on('talos00')} pods on talos00, ${on('talos03')} on talos03`),
    ...check(
      plans.at(-1)?.status?.conditions?.find(({ type }) => type === 'GoalsMet')?.status === 'True',
      `plans: ${plans.map(plan => `${plan.metadata.name} ${plan.status?.phase} ${plan.status?.message}`).join('; ')}`,
    ),
    ...leftBehind(cluster),
  ]
}

/** The example put right in planned mode. */
export const example: Scenario = {
  name: 'the example',
  cluster: { objects: exampleObjects },
  drive: cluster => cluster.rebalance('talos'),
  faults,
}
