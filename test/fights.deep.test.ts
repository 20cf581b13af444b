// What tools that stand side by side do twice, done once: the cases 27 and 28 of the arbiter, with whole controllers on the twin.
import { describe, expect, test } from 'vitest'
import { deschedule } from '#capabilities/deschedule'
import { reload } from '#capabilities/reload'
import { disruptionPermits } from '#coordination/api.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, type ControlledOptions, controlledCluster } from './controlled-cluster.ts'
import { describeKills, type Scenario } from './crash-harness.ts'
import { leftBehind, moveResizeReload, oneRollout, readers, reads, waitingMoves } from './one-rollout.ts'
import { remembered } from './reload-cluster.ts'
import { resizeRequester } from './requesters/resize.ts'
import { scaleRequester } from './requesters/scale.ts'
import type { Heard } from './requesters/wish-loop.ts'
import {
  isQuiet,
  permitsOn,
  plansAreOver,
  readingOf,
  rolloutsOf,
  rotate,
  templateOf,
  wishReplicas,
  wishSize,
} from './requesters/wishes.ts'
import { type SmallWorkload, smallPolicy, smallWorkload } from './small-cluster.ts'

describe('case 27: reload, resize and move of one workload', () => {
  test('move first, then resize, then the rotated Secret: one rollout at once that carries all three', async () => {
    await using cluster = await controlledCluster(waitingMoves)
    cluster.startController()
    const startMs = cluster.clock.now()
    await moveResizeReload(cluster)
    expect(permitsOn(cluster, 'web')).toEqual([
      { wish: 'reload restart', joined: ['deschedule evict move', 'rightsize resize resize'], ending: 'done' },
    ])
    expect(permitsOn(cluster, 'solo')).toEqual([{ wish: 'reload restart', joined: ['deschedule restart move'], ending: 'done' }])
    // Long before the upgrade is over that the moves wait for, and before the minute that another size would have waited for company.
    expect(cluster.clock.now() - startMs).toBeLessThan(90_000)
    expect(oneRollout.faults?.(cluster)).toEqual([])
    const steps = cluster.plans().flatMap(plan => (plan.status?.steps ?? []).map(step => `${step.state} ${step.landedOn}`))
    expect(steps).toEqual(['Landed n2', 'Landed n2'])
  })
})

describeKills(oneRollout, ['after'])

describe('case 27 with a size for a container that is not there', () => {
  test('one rollout carries the Secret and the move; the size is told why, and fails by itself when it is asked again', async () => {
    const heard: Heard[] = []
    const hear = (one: Heard) => void heard.push(one)
    await using cluster = await controlledCluster({
      ...waitingMoves,
      capabilities: [deschedule, reload, resizeRequester({ hear })],
    })
    cluster.startController()
    await leftBehind.drive(cluster)
    expect(permitsOn(cluster, 'web')).toEqual([
      { wish: 'rightsize resize', joined: [], ending: 'failed' },
      {
        wish: 'reload restart',
        joined: ['deschedule evict move', 'rightsize resize resize'],
        ending: 'done',
        dropped: ['rightsize'],
      },
    ])
    expect(leftBehind.faults?.(cluster)).toEqual([])
    expect(rolloutsOf(cluster, 'web')).toBe(1)
    // It went along for less time than it takes to ask again.
    const answers = heard.filter(({ key, requester }) => requester === 'rightsize' && key.includes('web'))
    expect(answers.map(({ answer }) => answer)).toEqual(['defer company', 'granted', 'refused'])
    const told = (await cluster.events()).filter(event => event.includes('ChangeDropped'))
    expect(told).toHaveLength(1)
    expect(told[0]).toContain('Warning ChangeDropped Deployment web')
    expect(told[0]).toContain('image: Required value')
    const permit = cluster.permits().find(({ status }) => status?.dropped !== undefined)
    const nobody = { type: 'merge', body: { status: { dropped: [] } } } as const
    const options = { namespace: 'shop', subresource: 'status', signal: new AbortController().signal }
    await expect(cluster.admin.resource(disruptionPermits).patch(permit?.metadata.name ?? '', nobody, options)).rejects.toThrow(
      /dropped may only grow/,
    )
    const steps = cluster.plans().flatMap(plan => (plan.status?.steps ?? []).map(step => `${step.state} ${step.landedOn}`))
    expect(steps).toEqual(['Landed n2', 'Landed n2'])
    expect(cluster.errors).toEqual([])
  })
})

describeKills(leftBehind)

describe('case 27 the other way round: the Secret is rotated first', () => {
  const options: ControlledOptions = {
    objects: [
      // Its rollouts take long.
      ...readers({ podAnnotations: { 'ballast.dev/twin-ready-after': '45s' } }),
      smallPolicy({ mode: 'Auto', limits: { concurrent: 3 } }),
    ],
    capabilities: [deschedule, reload, resizeRequester()],
    configurations: { reload: { arbitration: 'coordinate' }, rightsize: { arbitration: 'coordinate' } },
  }
  const evictions = (cluster: ControlledCluster) => cluster.witness.disruptions.filter(({ cause }) => cause === 'eviction')

  // With other seeds plans have other names, and so another order in a list by name.
  test.each([1, 2, 3])(
    'a plan that is made while the rollout runs leaves its pods for later, and evicts nobody (seed %i)',
    async seed => {
      await using cluster = await controlledCluster({ ...options, seed })
      cluster.startController()
      await remembered(cluster, 2)
      await rotate(cluster, 'keys', 'second')
      await cluster.pass(20_000)
      expect(isQuiet(cluster)).toBe(false)
      await cluster.ask('small')
      await cluster.until(() => plansAreOver(cluster) && isQuiet(cluster))
      expect(permitsOn(cluster, 'web')).toEqual([{ wish: 'reload restart', joined: [], ending: 'done' }])
      expect(evictions(cluster)).toEqual([])
      expect(cluster.witness.disruptions.map(({ pod }) => pod)).toEqual([
        'shop/solo-abcde12345-a',
        'shop/web-abcde12345-a',
        'shop/web-abcde12345-b',
      ])
      // What rolls out cools down afterwards: the plan knows it, and says from when on more could be reached.
      expect(cluster.plans().at(-1)?.status?.message).toMatch(/all goals are met|would reach all goals, from/)
    },
  )

  test('a move that comes when the rollout is over waits for its cool-down', async () => {
    await using cluster = await controlledCluster(options)
    cluster.startController()
    // The new pods have to come back to n1.
    const cordon = (isCordoned: boolean) =>
      Promise.all(['n2', 'n3'].map(name => cluster.change(builtIn.nodes, { name }, { spec: { unschedulable: isCordoned } })))
    await cordon(true)
    await remembered(cluster, 2)
    await rotate(cluster, 'keys', 'second')
    await cluster.until(() => templateOf(cluster, 'web').reading('keys') === readingOf('second') && isQuiet(cluster))
    await cordon(false)
    await cluster.pass(30_000)
    await cluster.ask('small')
    await cluster.until(() => plansAreOver(cluster) && isQuiet(cluster))
    expect(permitsOn(cluster, 'web')).toEqual([{ wish: 'reload restart', joined: [], ending: 'done' }])
    expect(evictions(cluster)).toEqual([])
    // The plan knows it beforehand, and moves nothing.
    const { spec, status } = cluster.plans().at(-1) ?? {}
    expect(spec?.moves).toEqual([])
    expect(status?.unmovable?.map(({ pod, reason }) => `${pod?.replace(/-.*/, '')} ${reason}`)).toEqual(
      expect.arrayContaining(['shop/web CoolingDown', 'shop/solo CoolingDown']),
    )
  })
})

describe('case 28: a workload at zero', () => {
  const llm: SmallWorkload = { name: 'llm', cpu: '100m', on: ['n2'], hasBudget: false, ...reads }
  const options: ControlledOptions = {
    objects: [
      ...readers(),
      ...smallWorkload(llm),
      {
        apiVersion: 'keda.sh/v1alpha1',
        kind: 'ScaledObject',
        metadata: { name: 'llm', namespace: 'shop', uid: 'scaled-llm' },
        spec: { scaleTargetRef: { name: 'llm' }, minReplicaCount: 0, triggers: [] },
      },
    ],
    capabilities: [reload, resizeRequester(), scaleRequester()],
    configurations: { reload: { arbitration: 'coordinate' }, rightsize: { arbitration: 'coordinate' } },
  }
  const sleepAndWake: Scenario = {
    name: 'case 28: a Secret is rotated and another size wished while the workload is at zero',
    cluster: options,
    async drive(cluster) {
      await remembered(cluster, 3)
      await wishReplicas(cluster, 'llm', 0)
      await cluster.until(() => templateOf(cluster, 'llm').replicas === 0 && isQuiet(cluster))
      await rotate(cluster, 'keys', 'second')
      await wishSize(cluster, { workload: 'llm', cpu: '200m' })
      await cluster.until(
        () => templateOf(cluster, 'llm').cpu === '200m' && templateOf(cluster, 'llm').reading('keys') === readingOf('second'),
      )
      await wishReplicas(cluster, 'llm', 1)
      await cluster.until(() => templateOf(cluster, 'llm').replicas === 1 && isQuiet(cluster))
    },
    faults(cluster) {
      const pods = cluster.list<Pod>('pods').filter(pod => pod.metadata.labels?.['app'] === 'llm')
      const [first] = pods
      const verbs = permitsOn(cluster, 'llm').map(({ wish }) => wish)
      return [
        ...(pods.length === 1 ? [] : [`${pods.length} pods of llm`]),
        ...(first?.spec.containers[0]?.resources?.requests?.['cpu'] === '200m' ? [] : ['the first pod has the old size']),
        ...(JSON.stringify(first?.spec).includes(readingOf('second')) ? [] : ['the first pod has read the old Secret']),
        ...(verbs.every(verb => verb === 'autoscale scale') ? [] : [`permits: ${verbs.join(', ')}`]),
        ...cluster.witness.disruptions
          .filter(({ cause }) => cause !== 'scale-down' && cause !== 'rollout')
          .map(({ pod }) => `${pod} was taken away`),
      ]
    },
  }

  test('is left alone by reload and resize; its first pod has the new size and has read the new Secret', async () => {
    const heard: Heard[] = []
    const hear = (one: Heard) => void heard.push(one)
    await using cluster = await controlledCluster({
      ...options,
      capabilities: [reload, resizeRequester({ hear }), scaleRequester()],
    })
    cluster.startController()
    await sleepAndWake.drive(cluster)
    expect(sleepAndWake.faults?.(cluster)).toEqual([])
    const answers = heard.filter(({ key }) => key.includes('llm')).map(({ requester, answer }) => `${requester} ${answer}`)
    expect(answers).toEqual(['rightsize no-op nothing-runs'])
  })

  describeKills(sleepAndWake)
})
