// As the kills of deschedule-on-twin.test.ts, with landings held at a gate: a killed controller leaves gates and a webhook behind.
import { describe, expect, test } from 'vitest'
import type { Pod } from '#kube/objects.ts'
import { type ControlledCluster, controlledCluster, type Kill } from './controlled-cluster.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

const objects = [...smallCluster(), smallPolicy()]

function outcome(cluster: ControlledCluster) {
  return {
    phases: cluster.plans().map(plan => plan.status?.phase),
    steps: cluster.plans().flatMap(plan => (plan.status?.steps ?? []).map(step => `${step.id} ${step.state}`)),
    evictions: cluster.twin.requests.entries.filter(({ path, code }) => path.endsWith('/eviction') && code === 201).length,
    gates: cluster.list<Pod>('pods').filter(pod => (pod.spec.schedulingGates ?? []).length > 0).length,
    unready: cluster
      .list<Pod>('pods')
      .filter(pod => pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') !== true).length,
    webhooks: cluster.list('mutatingwebhookconfigurations.admissionregistration.k8s.io').length,
    forbidden: cluster.forbidden,
    errors: cluster.errors,
  }
}

const whole = {
  phases: ['Succeeded'],
  steps: ['m01 Landed', 'm02 Landed', 'm03 Landed'],
  evictions: 2,
  gates: 0,
  unready: 0,
  webhooks: 0,
  forbidden: [],
  errors: [],
}

describe('killed after each of its writes while landings are held, the controller leaves no gate and no webhook', async () => {
  const counted = await countedWrites()
  process.stdout.write(`the held run of three moves has ${counted} writes: ${counted} kills\n`)

  test.each(Array.from({ length: counted }, (_, at): Kill => ({ write: at + 1, when: 'after' })))(
    '$when write $write',
    async kill => {
      await using cluster = await controlledCluster({ objects, hold: true, kill })
      cluster.startController()
      await cluster.rebalance('small')
      await cluster.until(() => cluster.isAlive)
      expect(outcome(cluster)).toEqual(whole)
      expect(cluster.started).toBe(2)
    },
  )
})

async function countedWrites(): Promise<number> {
  await using cluster = await controlledCluster({ objects, hold: true })
  cluster.startController()
  await cluster.rebalance('small')
  return cluster.writes.length
}
