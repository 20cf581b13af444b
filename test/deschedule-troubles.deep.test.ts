// What happens to a plan under way when the cluster changes under it.
import { describe, expect, test } from 'vitest'
import type { DisruptionPermit, RebalancePlan } from '#coordination/api.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

async function started(spec: Record<string, unknown> = {}): Promise<ControlledCluster> {
  const cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy(spec)] })
  cluster.startController()
  await cluster.ask('small')
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Proposed')
  return cluster
}

async function approveFirst(cluster: ControlledCluster): Promise<void> {
  const [plan] = cluster.plans()
  if (plan === undefined) throw new Error('no plan was proposed')
  await cluster.approve(plan)
}

/** Once, at the first write of this kind. */
function atFirst(pattern: RegExp, act: () => Promise<void>): (write: string) => Promise<void> {
  let isDone = false
  return async write => {
    if (isDone || !pattern.test(write)) return
    isDone = true
    await act()
  }
}

const cordon = (cluster: ControlledCluster, name: string, unschedulable: boolean) =>
  cluster.change(builtIn.nodes, { name }, { spec: { unschedulable } })
const freeze = (cluster: ControlledCluster, value: string | null) =>
  cluster.change(builtIn.namespaces, { name: 'shop' }, { metadata: { annotations: { 'ballast.dev/freeze': value } } })
const evictions = (cluster: ControlledCluster) =>
  cluster.twin.requests.entries.filter(({ path, code }) => path.endsWith('/eviction') && code === 201).length
const taints = (cluster: ControlledCluster) =>
  cluster.list<Node>('nodes').flatMap(node => (node.spec?.taints ?? []).filter(taint => taint.key.startsWith('ballast.dev/')))
const openPermits = (cluster: ControlledCluster) =>
  cluster
    .list<DisruptionPermit>('disruptionpermits.ballast.dev')
    .filter(permit => permit.spec.grant !== undefined && permit.status?.releasedAt === undefined)
    .map(permit => permit.metadata.name)
const phases = (cluster: ControlledCluster) =>
  cluster
    .plans()
    .map(plan => plan.status?.phase ?? '')
    .toSorted()
const steps = (plan: RebalancePlan | undefined) =>
  (plan?.status?.steps ?? []).map(step => `${step.id} ${step.state}${step.reason === undefined ? '' : ` ${step.reason}`}`)
const reasons = async (cluster: ControlledCluster) => {
  const events = await cluster.admin.resource<KubeObject>(builtIn.events).list({ signal: new AbortController().signal })
  return new Set(events.items.map(event => String(event['reason'])))
}

describe('a replacement that lands elsewhere', () => {
  test('makes the rest be planned anew; what is left was approved before, so it runs on', async () => {
    await using cluster = await started()
    cluster.meanwhile = atFirst(/web-abcde12345-a\/eviction/, () => cordon(cluster, 'n2', true))
    await cluster.followPlans()
    expect(phases(cluster)).toEqual(['Expired', 'Succeeded'])
    const old = cluster.plans().find(plan => plan.status?.phase === 'Expired')
    const last = cluster.plans().find(plan => plan.status?.phase === 'Succeeded')
    expect(steps(old)).toEqual(['m01 Landed', 'm02 Mismatch LandingMismatch'])
    expect(old?.status?.conditions?.find(({ type }) => type === 'Superseded')?.message).toBe(`by ${last?.metadata.name}`)
    expect(last?.spec).toMatchObject({ replaces: old?.metadata.name, batch: old?.spec.batch, attempt: 1, approved: true })
    expect(last?.status?.message).toBe('1 of 1 moves landed; all goals are met')
    expect(evictions(cluster)).toBe(2)
    expect(taints(cluster)).toEqual([])
    expect(await reasons(cluster)).toContain('LandingMismatch')
  })

  test('twice ends the plan: nothing more is moved', async () => {
    await using cluster = await started()
    const closed = new Set<string>()
    cluster.meanwhile = async write => {
      if (!write.endsWith('/eviction')) return
      // Whichever node the pod is meant for closes in that moment, the other opens.
      const open = cluster
        .list<Node>('nodes')
        .filter(node => !(node.spec?.taints ?? []).some(taint => taint.key === 'ballast.dev/rebalance'))
      for (const { metadata } of open) {
        closed.add(metadata.name)
        await cordon(cluster, metadata.name, true)
      }
      for (const name of ['n1', 'n2', 'n3'])
        if (!open.some(node => node.metadata.name === name)) await cordon(cluster, name, false)
    }
    await cluster.followPlans()
    expect(phases(cluster)).toEqual(['Expired', 'Failed'])
    expect(cluster.plans().find(plan => plan.status?.phase === 'Failed')?.status?.message).toBe(
      '2 replacements landed elsewhere; nothing more is moved',
    )
    expect(evictions(cluster)).toBe(2)
    expect(taints(cluster)).toEqual([])
  })
})

test('a replacement that gets no node within two minutes pauses the plan, and nothing is evicted until it has one', async () => {
  await using cluster = await started()
  const nodes = ['n1', 'n2', 'n3']
  cluster.meanwhile = atFirst(/web-abcde12345-a\/eviction/, async () => {
    for (const name of nodes) await cordon(cluster, name, true)
  })
  await approveFirst(cluster)
  await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Paused')
  expect(cluster.plans()[0]?.status?.message).toBe('m02: the replacement of pod shop/web-abcde12345-a waits for a node')
  await cluster.clock.advance(120_000)
  expect(evictions(cluster)).toBe(1)
  for (const name of nodes) await cordon(cluster, name, false)
  await cluster.followPlans()
  expect(phases(cluster)).toEqual(['Succeeded'])
  expect(evictions(cluster)).toBe(2)
})

test('a budget that can never allow it is asked for once, not hammered; the workload is left out and said (7.2 case 18)', async () => {
  await using cluster = await started()
  cluster.meanwhile = atFirst(/deployments\/solo/, () =>
    cluster.change(
      builtIn.poddisruptionbudgets,
      { namespace: 'shop', name: 'web' },
      { spec: { maxUnavailable: null, minAvailable: 2 } },
    ),
  )
  await cluster.followPlans()
  const [plan] = cluster.plans()
  expect(steps(plan)).toEqual(['m01 Landed', 'm02 Skipped PDBNeverAllows', 'm03 Skipped WorkloadLeftOut'])
  expect(plan?.status?.message).toBe(
    '1 of 3 moves landed, 2 left out (PDBNeverAllows: m02; WorkloadLeftOut: m03); not met: n1-light',
  )
  expect(cluster.twin.requests.entries.filter(({ path }) => path.endsWith('/eviction'))).toEqual([])
  expect(await reasons(cluster)).toContain('RebalanceSkipped')
})

describe('a plan under way', () => {
  test('stands still while its namespace is frozen, without its taints, and goes on after', async () => {
    await using cluster = await started()
    cluster.meanwhile = atFirst(/deployments\/solo/, () => freeze(cluster, 'audit'))
    await approveFirst(cluster)
    await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Paused')
    expect(cluster.plans()[0]?.status?.message).toContain('frozen by ballast.dev/freeze on Namespace shop: audit')
    await cluster.clock.advance(900_000)
    expect([evictions(cluster), taints(cluster)]).toEqual([0, []])
    await freeze(cluster, null)
    await cluster.followPlans()
    expect([phases(cluster), evictions(cluster)]).toEqual([['Succeeded'], 2])
  })

  test('stops after the move it was told to, and goes on when told', async () => {
    await using cluster = await started()
    const plans = { group: 'ballast.dev', version: 'v1alpha1', resource: 'rebalanceplans' }
    const name = cluster.plans()[0]?.metadata.name ?? ''
    await cluster.change(plans, { name }, { metadata: { annotations: { 'ballast.dev/run-until': 'm01' } } })
    await approveFirst(cluster)
    await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Paused')
    expect(steps(cluster.plans()[0])).toEqual(['m01 Landed'])
    await cluster.change(plans, { name }, { metadata: { annotations: { 'ballast.dev/run-until': null } } })
    await cluster.followPlans()
    expect(phases(cluster)).toEqual(['Succeeded'])
  })

  test('that stands still gives way to a plan that is asked for', async () => {
    await using cluster = await started()
    const plans = { group: 'ballast.dev', version: 'v1alpha1', resource: 'rebalanceplans' }
    const name = cluster.plans()[0]?.metadata.name ?? ''
    await approveFirst(cluster)
    await cluster.until(() => steps(cluster.plans()[0]).length === 1)
    await cluster.change(plans, { name }, { spec: { approved: false } })
    await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Paused')
    await cluster.ask('small', 'again')
    await cluster.until(() => cluster.plans().length === 2)
    await cluster.followPlans()
    expect(phases(cluster)).toEqual(['Expired', 'Incomplete'])
    // The pods of web that would go with the new plan are of another batch: the workload cools down first, and no move of it is planned.
    const last = cluster.plans().find(plan => plan.status?.phase === 'Incomplete')
    expect([last?.spec.moves, last?.status?.unmovable?.map(({ reason }) => reason)]).toEqual([
      [],
      expect.arrayContaining(['CoolingDown']),
    ])
    expect([evictions(cluster), taints(cluster)]).toEqual([1, []])
  })

  test('is not begun outside of the windows of its policy', async () => {
    await using cluster = await started({ windows: [{ cron: '30 4 * * *', duration: '1h' }] })
    await approveFirst(cluster)
    await cluster.until(() => cluster.plans()[0]?.status?.phase === 'Approved')
    await cluster.clock.advance(600_000)
    expect(evictions(cluster)).toBe(0)
    await cluster.followPlans()
    expect(phases(cluster)).toEqual(['Succeeded'])
    expect(cluster.plans()[0]?.status?.startedAt).toMatch(/^2026-03-02T04:30/)
  })

  test('leaves out a workload whose owner became KEDA meanwhile', async () => {
    await using cluster = await started()
    const keda = { metadata: { labels: { 'scaling.talos.io/managed-by': 'keda' } } }
    cluster.meanwhile = atFirst(/deployments\/solo/, () =>
      cluster.change(builtIn.deployments, { namespace: 'shop', name: 'web' }, keda),
    )
    await cluster.followPlans()
    expect(steps(cluster.plans()[0])).toEqual(['m01 Landed', 'm02 Skipped NotOurs', 'm03 Skipped WorkloadLeftOut'])
    expect(evictions(cluster)).toBe(0)
    expect(await reasons(cluster)).toContain('DisruptionDenied')
  })
})

test('a proposal that waits is looked at again, and replaced when the cluster is another', async () => {
  await using cluster = await started()
  const first = cluster.plans()[0]?.metadata.name
  await cordon(cluster, 'n2', true)
  await cluster.until(() => cluster.plans().length === 2)
  const [second] = cluster.plans().filter(plan => plan.metadata.name !== first)
  expect(second?.spec).toMatchObject({ replaces: first, approved: false })
  expect(second?.spec.moves.map(move => move.to)).not.toContain('n2')
  await cluster.until(() => cluster.plans().some(plan => plan.status?.phase === 'Expired'))
  expect(cluster.clock.elapsed()).toBeGreaterThan(900_000)
})

const scaledObjects = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'scaledobjects.keda.sh' },
  spec: {
    group: 'keda.sh',
    scope: 'Namespaced',
    names: { plural: 'scaledobjects', singular: 'scaledobject', kind: 'ScaledObject', listKind: 'ScaledObjectList' },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}
const scaled = {
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { scaleTargetRef: { name: 'web' } },
}

test('a workload labelled for the descheduler that a ScaledObject targets stays, and a warning says so once (7.2 case 22)', async () => {
  await using cluster = await controlledCluster({ objects: [scaledObjects, scaled, ...smallCluster(), smallPolicy()] })
  cluster.startController()
  await cluster.ask('small')
  await cluster.until(() => cluster.plans()[0]?.status?.phase !== undefined)
  await cluster.clock.advance(1_000)
  const [plan] = cluster.plans()
  expect(plan?.spec.moves.map(move => move.workload.name)).toEqual(['solo'])
  expect(plan?.status?.unmovable?.filter(one => one.workload === 'Deployment shop/web').map(one => one.reason)).toEqual([
    'KedaManaged',
    'KedaManaged',
  ])
  const events = await cluster.admin.resource<KubeObject>(builtIn.events).list({ signal: new AbortController().signal })
  const warnings = events.items.filter(event => event['type'] === 'Warning' && event['reason'] === 'RebalanceSkipped')
  expect(warnings.map(event => event['note'])).toEqual([
    `its label scaling.talos.io/managed-by says "descheduler", but a ScaledObject or ScaledJob targets it: it is KEDA's [KedaManaged]`,
  ])
})

test('where the policy ignores ScaledObjects the label stands, for the planner and for the arbiter', async () => {
  const policy = smallPolicy({ coordination: { kedaPresence: 'ignore' } })
  await using cluster = await controlledCluster({ objects: [scaledObjects, scaled, ...smallCluster(), policy] })
  cluster.startController()
  await cluster.rebalance('small')
  const [plan] = cluster.plans()
  expect(plan?.spec.moves.map(move => move.workload.name).toSorted()).toEqual(['solo', 'web', 'web'])
  expect(plan?.status?.steps?.map(({ state }) => state)).toEqual(['Landed', 'Landed', 'Landed'])
  expect((await cluster.events()).filter(event => event.startsWith('Warning'))).toEqual([])
})

test.each([
  ['before its first move', /nodes\/.*/, 'Succeeded'],
  // What was moved cools down: a plan of another batch says so, and from when on it could go on.
  ['while a replacement starts', /eviction/, 'Incomplete'],
])('a plan that is deleted %s moves nothing more and leaves neither taint nor permit behind', async (_when, write, next) => {
  await using cluster = await started()
  const signal = new AbortController().signal
  const name = cluster.plans()[0]?.metadata.name ?? ''
  const plans = cluster.admin.resource({ group: 'ballast.dev', version: 'v1alpha1', resource: 'rebalanceplans' })
  let isDeleted = false
  cluster.meanwhile = atFirst(write, async () => {
    await plans.delete(name, { signal })
    isDeleted = true
  })
  await approveFirst(cluster)
  await cluster.until(() => isDeleted)
  const before = evictions(cluster)
  await cluster.clock.advance(600_000)
  expect(taints(cluster)).toEqual([])
  expect(openPermits(cluster)).toEqual([])
  expect(evictions(cluster) - before).toBeLessThanOrEqual(1)
  // The next plan is not in the way of what the first left.
  await cluster.ask('small', 'again')
  await cluster.followPlans()
  expect(phases(cluster)).toEqual([next])
})

test('a plan whose policy is deleted expires', async () => {
  await using cluster = await started()
  await cluster.admin
    .resource({ group: 'ballast.dev', version: 'v1alpha1', resource: 'rebalancepolicies' })
    .delete('small', { signal: new AbortController().signal })
  await cluster.followPlans()
  expect(cluster.plans().map(plan => plan.status?.message)).toEqual(['its policy is gone'])
})

test('goals that an excluded namespace keeps out of reach: nothing moves, and the plan says what stands in the way', async () => {
  await using cluster = await controlledCluster({
    objects: [...smallCluster(), smallPolicy({ scope: { namespaces: { exclude: ['shop'] } } })],
  })
  cluster.startController()
  await cluster.ask('small')
  await cluster.followPlans()
  const [plan] = cluster.plans()
  expect(plan?.spec).toMatchObject({ outcome: 'infeasible', moves: [] })
  expect(plan?.status?.phase).toBe('Failed')
  expect(plan?.status?.message).toMatch(/no choice of moves reaches the goals\n.*shop/s)
  expect(evictions(cluster)).toBe(0)
})
