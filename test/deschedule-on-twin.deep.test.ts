// The descheduler in planned mode against the twin, on a virtual clock, with nothing but its ServiceAccount's rights.
import { describe, expect, test } from 'vitest'
import type { DisruptionPermit } from '#coordination/api.ts'
import { defaultPolicy } from '#coordination/policy/arbiter-policy.ts'
import type { Deployment, Node, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, type ControlledOptions, controlledCluster } from './controlled-cluster.ts'
import { describeKills, leftBehind } from './crash-harness.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

async function small(options: Partial<ControlledOptions> = {}): Promise<ControlledCluster> {
  return controlledCluster({ objects: [...smallCluster(), smallPolicy()], ...options })
}

/** What the pods of the cluster came to, a line each: `web n2 Running Ready`. */
function places(cluster: ControlledCluster): readonly string[] {
  return cluster
    .list<Pod>('pods')
    .map(pod => {
      const isReady =
        pod.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True') === true
      return `${pod.metadata.labels?.['app'] ?? ''} ${pod.spec.nodeName ?? 'nowhere'} ${pod.status?.phase ?? ''}${isReady ? ' Ready' : ''}`
    })
    .toSorted()
}

const putRight = [
  'fixed n1 Running Ready',
  'fixed n1 Running Ready',
  'fixed n2 Running Ready',
  'fixed n3 Running Ready',
  'other n1 Running Ready',
  'solo n2 Running Ready',
  'web n2 Running Ready',
  'web n3 Running Ready',
]

/** Everything that a run must not leave behind, and everything that must have happened just once; empty when all is well. */
function faults(cluster: ControlledCluster): readonly string[] {
  const evictions = cluster.twin.requests.entries
    .filter(({ path, code }) => path.endsWith('/eviction') && code === 201)
    .map(({ path }) => path.split('/').at(-2) ?? '')
  const webSets = cluster.list('replicasets.apps').filter(set => set.metadata.labels?.['app'] === 'web')
  const soloSets = cluster.list('replicasets.apps').filter(set => set.metadata.labels?.['app'] === 'solo')
  const steps = cluster.plans().flatMap(plan => plan.status?.steps ?? [])
  const landed = steps.filter(step => step.state === 'Landed').map(step => step.id)
  const check = (is: boolean, fault: string) => (is ? [] : [fault])
  return [
    ...check(places(cluster).join() === putRight.join(), `pods: ${places(cluster).join(', ')}`),
    ...check(evictions.toSorted().join() === 'web-abcde12345-a,web-abcde12345-b', `evictions: ${evictions.join(', ')}`),
    ...check(soloSets.length === 2, `solo was rolled out ${soloSets.length - 1} times`),
    ...check(webSets.length === 1, 'web was rolled out'),
    ...check(
      landed.toSorted().join() === 'm01,m02,m03' && steps.length === 3,
      `steps: ${steps.map(step => `${step.id} ${step.state}`).join(', ')}`,
    ),
    ...leftBehind(cluster),
    ...cluster.errors.map(error => `error: ${error.message} ${JSON.stringify(error.facts)}`),
  ]
}

describe('three moves on the twin', () => {
  test('are proposed first: nothing moves before the approval', async () => {
    await using cluster = await small()
    cluster.startController()
    await cluster.ask('small')
    await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Proposed')
    const [plan] = cluster.plans()
    const [sentence, ...lines] = (plan?.status?.message ?? '').split('\n')
    expect(sentence).toBe('3 moves reach all goals; no plan that reaches as much, margins included, needs fewer than 3 (milp)')
    expect(lines.join()).toMatch(/^it is expected to take \d+ /)
    await cluster.clock.advance(60_000)
    expect(cluster.twin.requests.entries.filter(({ path }) => path.endsWith('/eviction'))).toEqual([])
    expect(cluster.plans()).toHaveLength(1)
  })

  test('reach the goal, each under its permit, and leave nothing behind', async () => {
    await using cluster = await small()
    cluster.startController()
    await cluster.rebalance('small')
    expect(faults(cluster)).toEqual([])
    const [plan] = cluster.plans()
    expect(plan?.status?.phase).toBe('Succeeded')
    expect(plan?.status?.conditions?.find(({ type }) => type === 'GoalsMet')?.status).toBe('True')
    expect(plan?.status?.after?.find(({ node, resource }) => node === 'n1' && resource === 'cpu')).toMatchObject({
      percent: 43,
      requested: '1750',
    })
  })

  test('are written down before they happen: each effect follows its own permit, each grant the Lease', async () => {
    await using cluster = await small()
    cluster.startController()
    await cluster.rebalance('small')
    const writes = cluster.writes.filter(write => /disruptionpermits$|eviction$|leases\//.test(write))
    for (const [index, write] of writes.entries()) {
      if (write.endsWith('disruptionpermits')) expect(writes[index - 1]).toContain('leases/')
      if (write.endsWith('eviction'))
        expect(writes.slice(0, index).findLast(before => !before.includes('leases/'))).toContain(
          '/namespaces/shop/disruptionpermits',
        )
    }
    const permits = cluster.list<DisruptionPermit>('disruptionpermits.ballast.dev')
    const batches = new Set(permits.map(permit => permit.spec.batch))
    expect(permits.filter(permit => permit.spec.purpose === 'move').map(permit => permit.status?.ending)).toEqual([
      'done',
      'done',
      'done',
    ])
    expect(batches.size).toBe(1)
  })

  test('are noted on their workloads', async () => {
    await using cluster = await small()
    cluster.startController()
    await cluster.rebalance('small')
    const notes = cluster
      .list<Deployment>('deployments.apps')
      .map(({ metadata }) => metadata.annotations?.['ballast.dev/last-move']?.replace(/@.*/, ''))
    expect(notes.toSorted()).toEqual(['n1→n2', 'n1→n3', undefined, undefined])
  })

  test('run by themselves in mode Auto, and never in mode Report', async () => {
    await using auto = await small({ objects: [...smallCluster(), smallPolicy({ mode: 'Auto' })] })
    auto.startController()
    await auto.ask('small')
    await auto.until(() => auto.plans()[0]?.status?.phase === 'Succeeded')
    expect(faults(auto)).toEqual([])
    await using report = await small({ objects: [...smallCluster(), smallPolicy({ mode: 'Report' })] })
    report.startController()
    await report.ask('small')
    await report.until(() => report.plans()[0]?.status?.phase === 'Proposed')
    const [plan] = report.plans()
    if (plan !== undefined) await report.approve(plan)
    await report.clock.advance(120_000)
    expect(report.plans()[0]?.status?.phase).toBe('Proposed')
  })

  test('run side by side where the policy allows it, and end the same', async () => {
    await using cluster = await small({
      objects: [...smallCluster(), smallPolicy({ limits: { concurrent: 3 } })],
      arbiter: { caps: { ...defaultPolicy.caps, concurrent: 3 } },
    })
    cluster.startController()
    await cluster.rebalance('small')
    expect(faults(cluster)).toEqual([])
    const effects = cluster.writes.filter(write => /\/eviction$|deployments\/solo$|disruptionpermits\/restart/.test(write))
    const firstEviction = effects.findIndex(write => write.endsWith('/eviction'))
    expect(firstEviction).toBeLessThan(effects.findIndex(write => write.includes('disruptionpermits/restart')))
  })

  test('stop in order in the middle: taints go, and the next controller goes on', async () => {
    await using cluster = await small()
    cluster.startController()
    await cluster.ask('small')
    await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Proposed')
    const [plan] = cluster.plans()
    if (plan !== undefined) await cluster.approve(plan)
    await cluster.until(() => cluster.plans()[0]?.status?.steps?.some(step => step.id === 'm01') === true)
    await cluster.stopController()
    expect(cluster.list<Node>('nodes').flatMap(node => node.spec?.taints ?? [])).toEqual([])
    await cluster.followPlans()
    expect(faults(cluster)).toEqual([])
  })
})

describe('with the webhook installed landings are held', () => {
  test('each replacement waits at its gate until it is let go towards its node; no node is tainted', async () => {
    await using cluster = await small({ hold: true })
    cluster.startController()
    await cluster.rebalance('small')
    expect(faults(cluster)).toEqual([])
    expect(cluster.plans()[0]?.spec.landing).toBe('hold')
    const moved = cluster
      .list<Pod>('pods')
      .filter(pod => pod.metadata.labels?.['app'] === 'web' || pod.metadata.labels?.['app'] === 'solo')
    const towards = moved.map(
      pod =>
        pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms[0]?.matchFields?.[0]
          ?.values?.[0],
    )
    expect(towards).toEqual(moved.map(pod => pod.spec.nodeName))
    expect(cluster.list('mutatingwebhookconfigurations.admissionregistration.k8s.io')).toEqual([])
    expect(cluster.writes.filter(write => write.includes('/nodes/'))).toEqual([])
  })
})

describe('a policy that cannot be planned is refused before anything moves', () => {
  const goal = { name: 'g', nodes: ['n1'], resource: 'cpu', stat: 'requests' }
  // biome-ignore format: a table
  test.each<[string, Record<string, unknown>, string]>([
    ['a node that is not there',  { goals: [{ ...goal, nodes: ['n9'], max: 45 }] },                                'RebalancePolicy small: spec.goals[0].nodes[0]: found "n9", expected a node of this cluster (n1, n2, n3) [node-missing]'],
    ['goals that contradict',     { goals: [{ ...goal, max: 40 }, { ...goal, name: 'h', min: 60 }] },              '[goals-contradict]'],
    ['a continuous schedule',     { trigger: 'schedule', schedule: '*/5 * * * *', goals: [{ ...goal, max: 45 }] }, '[schedule-continuous]'],
  ])('%s', async (_name, spec, expected) => {
    await using cluster = await small({ objects: [...smallCluster(), smallPolicy(spec)] })
    cluster.startController()
    await cluster.ask('small')
    const condition = () => cluster.list<{ apiVersion: string; kind: string; metadata: { name: string }; status?: { conditions?: readonly { type: string; status: string; message?: string }[] } }>('rebalancepolicies.ballast.dev')[0]?.status?.conditions?.find(({ type }) => type === 'Valid')
    await cluster.until(() => condition() !== undefined)
    expect(condition()?.status).toBe('False')
    expect(condition()?.message).toContain(expected)
    await cluster.until(() => cluster.twin.requests.entries.some(({ path, code }) => code === 201 && path.endsWith('/default/events')))
    const events = await cluster.admin.resource(builtIn.events).list({ signal: new AbortController().signal })
    expect(events.items.map(event => event['reason'])).toContain('InvalidSpec')
    expect(cluster.plans()).toEqual([])
  })
})

describeKills({
  name: 'three moves',
  cluster: { objects: [...smallCluster(), smallPolicy()] },
  drive: cluster => cluster.rebalance('small'),
  faults: cluster => [
    ...faults(cluster),
    ...cluster.plans().flatMap(({ status }) => (status?.phase === 'Succeeded' ? [] : [`plan ${status?.phase}`])),
    ...(cluster.plans().length === 1 ? [] : [`${cluster.plans().length} plans`]),
  ],
})
