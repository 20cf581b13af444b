// What others write badly, by hand or by accident, while whole controllers work on the twin: each is answered as the design says, with
// an event or a condition, and the rest goes on.
import { describe, expect, test } from 'vitest'
import { reload } from '#capabilities/reload'
import { disruptionPermits } from '#coordination/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type ControlledCluster, type ControlledOptions, controlledCluster } from './controlled-cluster.ts'
import { leftBehind, repeated } from './crash-harness.ts'
import { auto as reloaded, remembered } from './reload-cluster.ts'
import { evictionRequester } from './requesters/evict.ts'
import { resizeRequester } from './requesters/resize.ts'
import type { Heard } from './requesters/wish-loop.ts'
import { isQuiet, readingOf, rolloutsOf, rotate, templateOf, wishSize } from './requesters/wishes.ts'
import { type SmallWorkload, smallCluster, smallPolicy } from './small-cluster.ts'

const isOver = (cluster: ControlledCluster) =>
  cluster.plans().length > 0 &&
  cluster.plans().every(plan => ['Succeeded', 'Failed', 'Expired'].includes(plan.status?.phase ?? ''))

async function running(
  options: Partial<ControlledOptions> & { readonly objects: readonly KubeObject[] },
): Promise<ControlledCluster> {
  const cluster = await controlledCluster(options)
  cluster.startController()
  return cluster
}

const auto = (changed: Readonly<Record<string, Partial<SmallWorkload>>> = {}) => [
  ...smallCluster(changed),
  smallPolicy({ mode: 'Auto' }),
]
const landed = (cluster: ControlledCluster) =>
  cluster
    .plans()
    .flatMap(plan => plan.status?.steps ?? [])
    .filter(({ state }) => state === 'Landed').length

/** Until the first move has its permit and is on its way. */
const untilMoving = (cluster: ControlledCluster) =>
  cluster.until(() => cluster.permits().some(({ spec, status }) => spec.purpose === 'move' && status?.releasedAt === undefined))

/** Moves whose permit is out. */
const movesOut = (cluster: ControlledCluster) =>
  cluster.permits().filter(({ spec, status }) => spec.purpose === 'move' && status?.releasedAt === undefined)

async function untilDone(cluster: ControlledCluster): Promise<void> {
  await cluster.until(() => isOver(cluster) && isQuiet(cluster))
  await cluster.pass(30_000)
}

const count = (events: readonly string[], part: string) => events.filter(event => event.includes(part)).length

describe('hostile labels and annotations', () => {
  const long = 'x'.repeat(100_000)
  test.each<[string, Partial<SmallWorkload>]>([
    [
      'names of the language',
      { annotations: { constructor: 'x', hasOwnProperty: '__proto__', 'ballast.dev/last-move': '__proto__' } },
    ],
    ['a very long value', { annotations: { 'ballast.dev/last-move': long, 'ballast.dev/rebalance-window': long } }],
    ['a window that is none', { annotations: { 'ballast.dev/rebalance-window': '99 99 * * *;-1h;Mars/Olympus' } }],
    ['costs that are no numbers', { podAnnotations: { 'controller.kubernetes.io/pod-deletion-cost': 'NaN' } }],
  ])('%s: the moves are made all the same', async (_name, changed) => {
    await using cluster = await running({ objects: auto({ web: changed }) })
    await cluster.ask('small')
    await untilDone(cluster)
    expect(landed(cluster)).toBe(3)
    expect([...leftBehind(cluster), ...repeated(cluster), ...cluster.errors]).toEqual([])
  })

  test('a freeze that nobody can read holds what it stands on, and nothing else', async () => {
    await using cluster = await running({
      objects: auto({ web: { annotations: { 'ballast.dev/freeze': '\u0000\u202e99:99' } } }),
    })
    await cluster.ask('small')
    await cluster.pass(300_000)
    expect(cluster.witness.disruptions.filter(({ workload }) => workload.endsWith('/web'))).toEqual([])
    expect(leftBehind(cluster).filter(fault => !fault.startsWith('taint') && !fault.startsWith('permit'))).toEqual([])
    expect(cluster.errors).toEqual([])
  })
})

describe('an owner label that contradicts a ScaledObject', () => {
  const scaled = {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name: 'web', namespace: 'shop', uid: 'scaled-web' },
    spec: { scaleTargetRef: { name: 'web' }, triggers: [] },
  }

  test('is KEDA’s: never moved, and told once by a Warning, however often it is planned', async () => {
    await using cluster = await running({ objects: [...auto(), scaled] })
    for (const round of ['first', 'second']) {
      await cluster.ask('small', round)
      await untilDone(cluster)
    }
    expect(cluster.witness.disruptions.filter(({ workload }) => workload.endsWith('/web'))).toEqual([])
    const events = await cluster.events()
    expect(events.filter(event => event.includes('KedaManaged')).map(event => event.replace(/:.*/, ''))).toEqual([
      'Warning RebalanceSkipped Deployment web',
    ])
  })

  test('is told when an eviction of it is denied, with both words', async () => {
    const heard: Heard[] = []
    const wishes = [{ namespace: 'shop', pod: 'web-abcde12345-a', class: 'balance', purpose: 'move', afterMs: 0 }] as const
    await using cluster = await running({
      objects: [...smallCluster(), scaled],
      capabilities: [evictionRequester({ name: 'deschedule', wishes, hear: one => void heard.push(one) })],
      configurations: { deschedule: { arbitration: 'coordinate' } },
    })
    await cluster.until(() => heard.length > 0)
    await cluster.pass(60_000)
    expect(heard.map(({ answer }) => answer)).toEqual(['deny owner'])
    const events = await cluster.events()
    expect(count(events, 'Warning OwnerContradiction Deployment web')).toBe(1)
    const denied = events.filter(event => event.includes('DisruptionDenied'))
    expect(denied).toHaveLength(1)
    expect(denied[0]).toContain('NotOurs')
    expect(denied[0]).toContain('descheduler')
  })
})

describe('a permit that others write', () => {
  test('edited by hand: the API server refuses to have changed what was granted and what has ended', async () => {
    await using cluster = await running({ objects: auto() })
    await cluster.ask('small')
    await untilMoving(cluster)
    const [permit] = movesOut(cluster)
    const at = { namespace: 'shop', name: permit?.metadata.name ?? '' }
    const body = { spec: { workload: 'shop/Deployment/other', grant: { expiresAt: '2036-01-01T00:00:00Z' } } }
    await expect(cluster.change(disruptionPermits, at, body)).rejects.toThrow(/workload cannot be changed once it is there/)
    await untilDone(cluster)
    expect(landed(cluster)).toBe(3)
    const { signal } = new AbortController()
    const released = { type: 'merge', body: { status: { releasedAt: null, ending: null } } } as const
    const options = { namespace: 'shop', subresource: 'status', signal }
    await expect(cluster.admin.resource(disruptionPermits).patch(at.name, released, options)).rejects.toThrow(
      /releasedAt cannot be changed once it is there/,
    )
  })

  test('marked with a later epoch: an event says so, and the plan is ended once', async () => {
    await using cluster = await running({ objects: auto() })
    await cluster.ask('small')
    await untilMoving(cluster)
    const [permit] = movesOut(cluster)
    const at = { namespace: 'shop', name: permit?.metadata.name ?? '' }
    await cluster.change(disruptionPermits, at, { metadata: { annotations: { 'ballast.dev/leader-epoch': '77' } } })
    await cluster.until(() => isOver(cluster), 3_600_000)
    await cluster.pass(30 * 60_000)
    expect(count(await cluster.events(), 'Warning PermitOfLaterLeader DisruptionPermit')).toBe(1)
    expect([...leftBehind(cluster), ...repeated(cluster), ...cluster.errors]).toEqual([])
  })

  test.each([
    ['an older epoch', { 'ballast.dev/leader-epoch': '0' }],
    ['no epoch at all', {}],
  ])('made by hand, of %s: grants nothing, and is withdrawn with an event', async (_name, annotations) => {
    await using cluster = await running({ objects: auto() })
    await cluster.pass(30_000)
    const now = cluster.clock.now()
    const { signal } = new AbortController()
    await cluster.admin.resource(disruptionPermits).create(
      {
        apiVersion: 'ballast.dev/v1alpha1',
        kind: 'DisruptionPermit',
        metadata: { name: 'forged', namespace: 'shop', annotations },
        spec: {
          requester: 'deschedule',
          class: 'balance',
          verb: 'evict',
          purpose: 'move',
          targets: [{ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'web-abcde12345-a', uid: 'pod-web-0' }],
          workload: 'shop/Deployment/web',
          idempotencyKey: 'forged',
          deadline: new Date(now + 3_600_000).toISOString(),
          grant: { token: 1, at: new Date(now).toISOString(), expiresAt: new Date(now + 3_600_000).toISOString() },
        },
      },
      { namespace: 'shop', signal },
    )
    await cluster.pass(30_000)
    expect(cluster.witness.disruptions).toEqual([])
    await cluster.ask('small')
    await untilDone(cluster)
    expect(landed(cluster)).toBe(3)
    expect(cluster.permits().find(({ metadata }) => metadata.name === 'forged')?.status?.ending).toBe('withdrawn')
    expect(count(await cluster.events(), 'Warning PermitOfNobody DisruptionPermit forged')).toBe(1)
    expect([...leftBehind(cluster), ...cluster.errors]).toEqual([])
  })

  test('deleted by hand while its move is under way: the move is made once', async () => {
    await using cluster = await running({ objects: auto() })
    await cluster.ask('small')
    await untilMoving(cluster)
    const [permit] = movesOut(cluster)
    const { signal } = new AbortController()
    await cluster.admin.resource(disruptionPermits).delete(permit?.metadata.name ?? '', { namespace: 'shop', signal })
    await untilDone(cluster)
    expect(landed(cluster)).toBe(3)
    expect(count(await cluster.events(), 'Warning PermitDeleted DisruptionPermit')).toBe(1)
    expect([...leftBehind(cluster), ...repeated(cluster), ...cluster.errors]).toEqual([])
  })
})

describe('a clock of ours that jumps', () => {
  test.each([3_600_000, -3_600_000, 86_400_000, -86_400_000])(
    'by %i ms in the middle of a plan: every move lands, once',
    async offMs => {
      await using cluster = await running({ objects: auto() })
      await cluster.ask('small')
      await untilMoving(cluster)
      cluster.clockIsOffByMs = offMs
      await cluster.until(() => isOver(cluster) && isQuiet(cluster), 2 * 3_600_000)
      await cluster.pass(60_000)
      expect([...leftBehind(cluster), ...repeated(cluster), ...cluster.errors]).toEqual([])
      expect(cluster.started).toBe(1)
      expect(cluster.plans().flatMap(plan => (plan.status?.steps ?? []).map(({ state }) => state))).toEqual(
        Array.from({ length: 3 }, () => 'Landed'),
      )
    },
  )
})

describe('a clock of ours that is off all along', () => {
  test.each([3_600_000, -3_600_000])('by %i ms, and a new leader comes in between: every move lands, once', async offMs => {
    await using cluster = await controlledCluster({ objects: auto() })
    cluster.clockIsOffByMs = offMs
    cluster.startController()
    await cluster.ask('small')
    await cluster.until(() => landed(cluster) > 0)
    await untilMoving(cluster)
    await cluster.stopController()
    await cluster.until(() => isOver(cluster) && isQuiet(cluster), 2 * 3_600_000)
    await cluster.pass(60_000)
    expect(landed(cluster)).toBe(3)
    expect([...leftBehind(cluster), ...repeated(cluster), ...cluster.errors]).toEqual([])
    expect(cluster.started).toBe(2)
  })
})

describe('a budget that can never allow', () => {
  const budget = {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'solo', namespace: 'shop', uid: 'budget-solo-never' },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'solo' } } },
  }

  test('is denied once with the way out, and not asked at the eviction API again and again', async () => {
    const heard: Heard[] = []
    const wishes = [{ namespace: 'shop', pod: 'solo-abcde12345-a', class: 'balance', purpose: 'move', afterMs: 0 }] as const
    await using cluster = await running({
      objects: [...smallCluster({ solo: { hasBudget: false } }), budget],
      capabilities: [evictionRequester({ name: 'deschedule', wishes, hear: one => void heard.push(one) })],
      configurations: { deschedule: { arbitration: 'observe' } },
    })
    await cluster.until(() => heard.length > 0)
    await cluster.pass(600_000)
    expect(heard.map(({ answer }) => answer)).toEqual(['deny budget-never-allows'])
    expect(cluster.twin.requests.entries.filter(({ path }) => path.endsWith('/eviction'))).toEqual([])
    const denied = (await cluster.events()).filter(event => event.includes('PDBNeverAllows'))
    expect(denied).toHaveLength(1)
    expect(denied[0]).toContain('maxUnavailable 1')
  })

  test('a single replica behind it is surged by the planner or left alone, never evicted', async () => {
    await using cluster = await running({
      objects: [...smallCluster({ solo: { hasBudget: false } }), budget, smallPolicy({ mode: 'Auto' })],
    })
    await cluster.ask('small')
    await untilDone(cluster)
    expect(
      cluster.witness.disruptions.filter(({ workload, cause }) => workload.endsWith('/solo') && cause === 'eviction'),
    ).toEqual([])
    expect([...leftBehind(cluster), ...repeated(cluster), ...cluster.errors]).toEqual([])
  })
})

describe('the Lease', () => {
  test('deleted in the middle of a plan: the epoch does not go back, the plan ends, nothing twice', async () => {
    await using cluster = await running({ objects: auto() })
    await cluster.ask('small')
    await untilMoving(cluster)
    const { signal } = new AbortController()
    await cluster.admin.resource(builtIn.leases).delete('ballast-controller', { namespace: 'ballast-system', signal })
    await untilDone(cluster)
    expect(landed(cluster)).toBe(3)
    const inOrder = cluster.permits().toSorted((a, b) => (a.spec.grant?.token ?? 0) - (b.spec.grant?.token ?? 0))
    const epochs = inOrder.map(({ metadata }) => Number(metadata.annotations?.['ballast.dev/leader-epoch']))
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b))
    // A pass or two that met no Lease were tried again.
    const errors = cluster.errors.filter(({ message }) => message !== 'pass failed, tried again')
    expect([...leftBehind(cluster), ...repeated(cluster), ...errors]).toEqual([])
  })

  test('deleted between two plans, and the controller killed: the next one counts on from the permits', async () => {
    await using cluster = await running({ objects: auto() })
    await cluster.ask('small')
    await untilDone(cluster)
    const before = Math.max(...cluster.permits().map(({ spec }) => spec.grant?.token ?? 0))
    await cluster.stopController()
    const { signal } = new AbortController()
    await cluster.admin.resource(builtIn.leases).delete('ballast-controller', { namespace: 'ballast-system', signal })
    await cluster.change(builtIn.nodes, { name: 'n1' }, { metadata: { annotations: { touched: 'yes' } } })
    await cluster.ask('small', 'again')
    await cluster.pass(120_000)
    const tokens = cluster.permits().map(({ spec }) => spec.grant?.token ?? 0)
    expect(new Set(tokens).size).toBe(tokens.length)
    const epoch = Math.max(...cluster.permits().map(({ metadata }) => Number(metadata.annotations?.['ballast.dev/leader-epoch'])))
    expect(tokens.filter(token => token > before).every(token => token >= epoch * 1_000_000)).toBe(true)
  })
})

describe('a change that the server refuses', () => {
  test('does not take the rollout down that it would go along with', async () => {
    const reads: Partial<SmallWorkload> = { annotations: reloaded, secrets: ['keys'] }
    await using cluster = await running({
      objects: [
        ...smallCluster({ web: reads }),
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys', namespace: 'shop', uid: 'secret-keys' }, data: {} },
      ],
      capabilities: [reload, resizeRequester()],
      configurations: { reload: { arbitration: 'coordinate' }, rightsize: { arbitration: 'coordinate' } },
    })
    // There is no such container: the server would make one, without an image.
    await wishSize(cluster, { workload: 'web', container: 'nobody', cpu: '100m' })
    await remembered(cluster)
    await cluster.pass(10_000)
    await rotate(cluster, 'keys', 'second')
    await cluster.pass(600_000)
    expect(templateOf(cluster, 'web').reading('keys')).toBe(readingOf('second'))
    expect(rolloutsOf(cluster, 'web')).toBe(1)
  })
})
