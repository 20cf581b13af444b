// The life of the drop-in descheduler: its rhythm, its end, what it does while it does not know the cluster, a policy that changes, a fault,
// a kill between eviction and record, and two that want to lead.
import { afterEach, describe, expect, test } from 'vitest'
import { ballastKinds } from '#coordination/kinds.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { DeschedulerCluster, startMs } from './descheduler-cluster.ts'
import { cluster as objectsOf, policyOf, tainted } from './descheduler-objects.ts'
import { node } from './small-cluster.ts'

const open: DeschedulerCluster[] = []
afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster[Symbol.asyncDispose]()
})

const { signal } = new AbortController()
const policy = policyOf({ deschedule: { RemovePodsViolatingNodeTaints: {} } })
/** One pod a cycle goes. */
const slowly = { ...policy, maxNoOfPodsToEvictTotal: 1 }
const minuteMs = 60_000
const definitions = ballastKinds.flatMap(({ definition }) => (definition === undefined ? [] : [definition]))

async function start(pods: number, further: readonly KubeObject[] = []): Promise<DeschedulerCluster> {
  const objects = [...objectsOf([tainted('n1'), node('n2')], { n1: pods }), ...further]
  const cluster = await DeschedulerCluster.start(objects)
  open.push(cluster)
  return cluster
}

function through(transport: Transport, change: Partial<Transport>): Transport {
  return {
    request: request => transport.request(request),
    stream: request => transport.stream(request),
    close: () => transport.close(),
    ...change,
  }
}

const evictionsAt = (cluster: DeschedulerCluster): readonly number[] =>
  cluster.twin.requests.entries.filter(({ path }) => path.endsWith('/eviction')).map(({ at }) => at - startMs)

describe('rhythm', () => {
  test('a period counts from the start of a cycle', async () => {
    const cluster = await start(3)
    const run = cluster.run({
      policy: slowly,
      settings: { deschedulingIntervalMs: minuteMs },
      // Each eviction takes 20 s.
      between: transport =>
        through(transport, {
          request: async request => {
            if (request.path.endsWith('/eviction')) await cluster.clock.after(20_000)
            return await transport.request(request)
          },
        }),
    })
    await cluster.until(() => cluster.evictions.length === 3, 1_000)
    const [first = 0, second = 0, third = 0] = evictionsAt(cluster)
    expect([second - first, third - second].map(ms => Math.round(ms / 1_000))).toEqual([60, 60])
    expect(run.end).toBeUndefined()
  })

  test('asked to end, it ends at once; an eviction under way is waited for and counted, and no other begun', async () => {
    const cluster = await start(3)
    let isAsked = false
    const run = cluster.run({
      policy,
      settings: { deschedulingIntervalMs: minuteMs },
      between: transport =>
        through(transport, {
          request: async request => {
            if (request.path.endsWith('/eviction')) {
              isAsked = true
              await cluster.clock.after(3_000)
            }
            return await transport.request(request)
          },
        }),
    })
    await cluster.until(() => isAsked)
    run.stop()
    await cluster.until(() => run.end !== undefined)
    expect(cluster.evictions).toHaveLength(1)
    expect(run.log.match(/"Evicted pod"/g)).toHaveLength(1)
    expect((await cluster.events()).map(({ line }) => line)).toHaveLength(1)
  })
})

describe('what is known of the cluster', () => {
  test('watches that fall silent: nothing is decided on a picture older than 60 s, the reason is told, and it goes on when they are back', async () => {
    const cluster = await start(3)
    const run = cluster.run({ policy: slowly, settings: { deschedulingIntervalMs: minuteMs } })
    await cluster.until(() => cluster.evictions.length === 1)
    // Connections stay open and say nothing; who asks anew is told no.
    const stalled = cluster.twin.fault({ match: { resource: 'pods', verbs: ['watch'] }, watch: { stall: {} } })
    const refused = cluster.twin.fault({ match: { resource: 'pods', verbs: ['list', 'watch'] }, status: { code: 503 } })
    await cluster.until(() => run.log.includes('Skipping descheduling cycle'), 5_000)
    expect(run.log).toMatch(/"Skipping descheduling cycle" why="what is known of pods is (6\d|7\d|8\d|9\d|1\d\d) s old/)
    const evicted = cluster.evictions.length
    stalled.remove()
    refused.remove()
    await cluster.until(() => cluster.evictions.length > evicted, 5_000)
    expect(run.end).toBeUndefined()
  })

  test('a fault in one cycle ends that cycle alone', async () => {
    const cluster = await start(2, definitions)
    let isBroken = true
    const run = cluster.run({
      policy,
      hasPermits: true,
      settings: { deschedulingIntervalMs: minuteMs },
      between: transport =>
        through(transport, {
          // The book cannot be read.
          stream: request =>
            isBroken && request.path.includes('disruptionpermits') && request.query?.['watch'] === undefined
              ? Promise.reject(new Error('the book is away'))
              : transport.stream(request),
        }),
    })
    await cluster.until(() => run.log.includes('Descheduling cycle failed'), 1_000)
    expect(cluster.evictions).toEqual([])
    isBroken = false
    await cluster.until(() => cluster.evictions.length === 2, 1_000)
    expect(run.end).toBeUndefined()
  })
})

describe('a policy that changes while it runs', () => {
  test('a good one holds from the next cycle on, a bad one leaves the older in force', async () => {
    const cluster = await start(4)
    const none = policyOf({ deschedule: { RemoveFailedPods: {} } })
    const run = cluster.run({ policy: none, isServing: true, settings: { deschedulingIntervalMs: minuteMs } })
    await cluster.until(() => run.log.includes('totalEvicted=0'))
    cluster.write(cluster.policyFile, { ...slowly, profiles: 'none' })
    await cluster.until(() => run.log.includes('The changed policy is refused: the older one holds'), 500)
    expect(await run.metrics()).toContain('ballast_policy_refused 1')
    cluster.write(cluster.policyFile, { ...slowly, strategies: {} })
    await cluster.until(() => run.log.includes('it holds from the next cycle on'), 500)
    expect(run.log).toMatch(/"A field of the policy that nobody reads does nothing" .*path="strategies"/)
    expect(await run.metrics()).toContain('ballast_policy_refused 0')
    await cluster.until(() => cluster.evictions.length === 1, 1_000)
    const told = (await cluster.events()).filter(({ line }) => line.includes('Policy'))
    expect(told.map(({ line }) => line.split(' ').slice(0, 2).join(' ')).toSorted()).toEqual([
      'Normal PolicyApplied',
      'Warning PolicyRefused',
    ])
  })
})

describe('the book', () => {
  test('with the rights each eviction has a DisruptionPermit, in mode observe, released with how it ended', async () => {
    const cluster = await start(2, definitions)
    await cluster.ended(cluster.run({ policy, hasPermits: true }))
    expect(cluster.evictions).toHaveLength(2)
    const permits = cluster.permits()
    expect(permits.map(({ spec, status }) => [spec.requester, spec.verb, spec.class, status?.ending])).toEqual([
      ['deschedule', 'evict', 'correctness', 'done'],
      ['deschedule', 'evict', 'correctness', 'done'],
    ])
    const [lease] = cluster.twin.access
      .list('leases.coordination.k8s.io')
      .filter(({ metadata }) => metadata.name === 'ballast-controller')
    expect(lease?.['spec']).toMatchObject({ holderIdentity: '' })
  })

  test('what is frozen is not evicted, and the refusal says so', async () => {
    const cluster = await start(2, definitions)
    const body = { metadata: { annotations: { 'ballast.dev/freeze': 'the weekend' } } }
    await cluster.admin.resource(builtIn.namespaces).patch('shop', { type: 'merge', body }, { signal })
    const run = cluster.run({ policy })
    await cluster.ended(run)
    expect(cluster.evictions).toEqual([])
    expect(run.log).toMatch(/"Error evicting pod" err=".*the weekend/)
  })

  test('killed between eviction and record: the next one finds the permit, closes it, and evicts nothing twice', async () => {
    const cluster = await start(3, definitions)
    const run = cluster.run({
      policy: slowly,
      hasPermits: true,
      settings: { deschedulingIntervalMs: minuteMs },
      between: transport =>
        through(transport, {
          request: async request => {
            const answer = await transport.request(request)
            if (request.path.endsWith('/eviction')) run.kill()
            return answer
          },
        }),
    })
    await cluster.until(() => cluster.evictions.length === 1)
    expect(cluster.permits().map(({ status }) => status?.releasedAt)).toEqual([undefined])
    const next = cluster.run({ policy: slowly, hasPermits: true, settings: { deschedulingIntervalMs: minuteMs } })
    // The Lease of the one that was killed has to run out first.
    await cluster.until(() => next.log.includes('totalEvicted=1'), 1_000)
    expect(new Set(cluster.evictions).size).toBe(2)
    expect(cluster.evictions).toHaveLength(2)
    expect(cluster.permits().map(({ status }) => status?.ending)).toEqual(['done', 'done'])
  })

  test('killed before the eviction arrived: the permit is withdrawn, and the pod is evicted by the next one', async () => {
    const cluster = await start(1, definitions)
    const run = cluster.run({
      policy,
      hasPermits: true,
      between: transport =>
        through(transport, {
          request: request => {
            if (request.path.endsWith('/eviction')) {
              run.kill()
              return Promise.reject(new Error('killed'))
            }
            return transport.request(request)
          },
        }),
    })
    await cluster.until(() => run.end !== undefined || cluster.permits().length === 1)
    const next = cluster.run({ policy, hasPermits: true, settings: { deschedulingIntervalMs: minuteMs } })
    await cluster.until(() => next.log.includes('totalEvicted=1'), 1_000)
    expect(
      cluster
        .permits()
        .map(({ status }) => status?.ending)
        .toSorted(),
    ).toEqual(['done', 'withdrawn'])
  })

  test('where another process keeps the book it acts all the same, and records in memory', async () => {
    const cluster = await start(1, definitions)
    const keeper = cluster.run({ policy: policyOf({}), hasPermits: true, settings: { deschedulingIntervalMs: minuteMs } })
    await cluster.until(() => keeper.log.includes('totalEvicted=0'))
    const run = cluster.run({ policy, hasPermits: true })
    await cluster.ended(run, 1_000)
    expect(run.log).toContain('another process holds the Lease kube-system/ballast-controller')
    expect(cluster.evictions).toHaveLength(1)
    expect(cluster.permits()).toEqual([])
  })
})

describe('leader election', () => {
  const leaderElection = {
    leaseDurationMs: 15_000,
    renewDeadlineMs: 10_000,
    retryPeriodMs: 2_000,
    name: 'descheduler',
    namespace: 'kube-system',
  }
  const settings = { deschedulingIntervalMs: minuteMs, leaderElection }

  test('of two one acts; when it is killed the other follows; what the first still sends changes nothing', async () => {
    const cluster = await start(4)
    const one = cluster.run({ policy: slowly, settings })
    await cluster.until(() => cluster.evictions.length === 1)
    const two = cluster.run({ policy: slowly, settings })
    await cluster.until(() => two.log.includes('standing by'))
    expect(two.log).not.toContain('Number of evictions')
    one.kill()
    await cluster.until(() => two.log.includes('totalEvicted=1'), 1_000)
    expect(new Set(cluster.evictions).size).toBe(2)
    expect(cluster.evictions).toHaveLength(2)
  })

  test('asked to end it gives the Lease back, and the other follows at once', async () => {
    const cluster = await start(4)
    const one = cluster.run({ policy: slowly, settings })
    await cluster.until(() => cluster.evictions.length === 1)
    const two = cluster.run({ policy: slowly, settings })
    await cluster.until(() => two.log.includes('standing by'))
    one.stop()
    const stoppedMs = cluster.clock.now()
    await cluster.until(() => two.log.includes('totalEvicted=1'))
    expect(cluster.clock.now() - stoppedMs).toBeLessThan(leaderElection.leaseDurationMs)
    expect(one.end).toEqual({})
  })

  test('cut off from the API server for longer than the Lease lasts, it ends and evicts nothing in the meantime', async () => {
    const cluster = await start(4)
    let isCut = false
    const one = cluster.run({
      policy: slowly,
      settings: { ...settings, deschedulingIntervalMs: 5_000 },
      between: transport =>
        through(transport, {
          request: request => (isCut ? Promise.reject(new Error('cut off')) : transport.request(request)),
        }),
    })
    await cluster.until(() => cluster.evictions.length === 1)
    isCut = true
    const two = cluster.run({ policy: slowly, settings })
    await cluster.until(() => two.log.includes('totalEvicted=1'), 500)
    await cluster.until(() => one.end !== undefined, 500)
    expect(one.log).toContain('"leader lost"')
    expect(new Set(cluster.evictions).size).toBe(cluster.evictions.length)
  })
})
