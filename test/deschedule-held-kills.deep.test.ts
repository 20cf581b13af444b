// As the kills of deschedule-on-twin.test.ts, with landings held at a gate: a killed controller leaves gates and a webhook behind.
import type { Pod } from '#kube/objects/objects.ts'
import type { ControlledCluster } from './controlled-cluster.ts'
import { describeKills } from './crash-harness.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

describeKills(
  {
    name: 'three moves whose landings are held',
    cluster: { objects: [...smallCluster(), smallPolicy()], hold: true },
    drive: cluster => cluster.rebalance('small'),
    faults(cluster) {
      const isReady = (pod: Pod) =>
        pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
      const seen = {
        phases: cluster.plans().map(plan => plan.status?.phase),
        steps: cluster.plans().flatMap(plan => (plan.status?.steps ?? []).map(step => `${step.id} ${step.state}`)),
        evictions: evictionsOf(cluster),
        unready: cluster.list<Pod>('pods').filter(pod => !isReady(pod)).length,
      }
      const whole = { phases: ['Succeeded'], steps: ['m01 Landed', 'm02 Landed', 'm03 Landed'], evictions: 2, unready: 0 }
      return JSON.stringify(seen) === JSON.stringify(whole) ? [] : [JSON.stringify(seen)]
    },
  },
  ['after'],
)

function evictionsOf(cluster: ControlledCluster): number {
  return cluster.twin.requests.entries.filter(({ path, code }) => path.endsWith('/eviction') && code === 201).length
}
