// Two capabilities in one controller on the twin: one of them breaks in every way, the other finishes its work.
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { deschedule } from '#capabilities/deschedule'
import type { Capability } from '#coordination/capability.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { Lease } from '#kube/leases/lease-record.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { answerHealth } from '#kube/server/health.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import { controllerToken } from '../src/deployment/install-ballast.ts'
import { runningKey } from '../src/process/configuration/running-configuration.ts'
import { runController } from '../src/process/controller/controller.ts'
import { ControllerHealth } from '../src/process/health/controller-health.ts'
import { ProcessFault } from '../src/process/parts/process-fault.ts'
import { faultsOfThisProcess } from '../src/process/testdata/breaking-part.ts'
import { doing, type Start } from './breaking-capability.ts'
import { type ControlledCluster, controlledCluster, namespace } from './controlled-cluster.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

interface Started {
  readonly health: ControllerHealth
  readonly metrics: Registry
  readonly stop: AbortController
  readonly done: Promise<unknown>
  readonly errors: string[]
}

async function start(
  cluster: ControlledCluster,
  capabilities: readonly Capability[],
  through: (inner: Transport) => Transport = inner => inner,
): Promise<Started> {
  const token = await controllerToken(cluster.admin, { namespace, seconds: 86_400, signal: new AbortController().signal })
  const health = new ControllerHealth()
  const metrics = new Registry()
  const stop = new AbortController()
  const errors: string[] = []
  const done = runController({
    transport: through(cluster.twin.transport({ token })),
    clock: cluster.clock,
    random: seededRandom(5),
    log: { ...silentLog, error: (facts, message) => void errors.push(`${message}: ${String(facts['why'])}`) },
    identity: { name: 'controller', namespace },
    capabilities,
    solve: solveInChild,
    health,
    metrics,
    signal: stop.signal,
  }).then(
    () => 'ended',
    (error: unknown) => error,
  )
  return { health, metrics, stop, done, errors }
}

const page = async ({ health, metrics }: Started, path: string) => {
  const answer = await answerHealth(
    { live: () => health.live(), ready: () => health.ready(), metrics, log: silentLog },
    'GET',
    path,
  )
  return `${answer.status} ${answer.body}`
}

/** Lines of /metrics of these names, without comments. */
const figures = async (started: Started, name: RegExp) =>
  (await page(started, '/metrics')).split('\n').filter(line => !line.startsWith('#') && name.test(line))

describe('one capability breaks in', () => {
  // biome-ignore format: a table
  const ways: readonly (readonly [string, Start])[] = [
    ['its start', () => { throw new Error('broken') }],
    ['a timer', ({ clock }) => void clock.schedule(500, () => { throw new Error('broken') })],
    ['a promise that nobody awaits', ({ clock }) => void clock.after(500).then(() => { throw new Error('broken') })],
  ]

  test.each(ways)('%s: it is quarantined, the plan of the other is carried out', async (_way, breaking) => {
    using faults = faultsOfThisProcess()
    const unowned: unknown[] = []
    using _heard = faults.onUnowned(error => unowned.push(error))
    await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Auto' })] })
    const started = await start(cluster, [doing('broken', breaking), deschedule])
    await cluster.ask('small')
    await cluster.clock.runUntil(
      () => cluster.plans().length > 0 && cluster.plans().every(plan => plan.status?.phase === 'Succeeded'),
      {
        limitMs: 600_000,
      },
    )
    await cluster.clock.advance(30_000)
    expect(
      cluster
        .plans()
        .flatMap(plan => plan.status?.steps ?? [])
        .map(({ id, state }) => `${id} ${state}`),
    ).toEqual(['m01 Landed', 'm02 Landed', 'm03 Landed'])
    expect(unowned).toEqual([])
    expect(await page(started, '/readyz')).toBe('200 ok')
    expect(await page(started, '/livez')).toBe('200 ok')
    expect(await page(started, '/readyz/broken')).toMatch(
      /^500 \[-\]broken-controller failed: quarantined until 2026-\S+Z \(not counted\)\n/,
    )
    expect(await page(started, '/readyz?verbose')).toContain('[+]deschedule-controller ok: running')
    expect(await figures(started, /^(ballast_part_(state.* 1|faults|restarts)|leader_election_master_status)/)).toEqual([
      'ballast_part_restarts_total{capability="broken",part="controller"} 2',
      'ballast_part_restarts_total{capability="deschedule",part="controller"} 0',
      'ballast_part_restarts_total{capability="deschedule",part="controller-landing-always"} 0',
      'ballast_part_faults_total{capability="broken",part="controller"} 3',
      'ballast_part_faults_total{capability="deschedule",part="controller"} 0',
      'ballast_part_faults_total{capability="deschedule",part="controller-landing-always"} 0',
      'ballast_part_state{capability="broken",part="controller",state="quarantined"} 1',
      'ballast_part_state{capability="deschedule",part="controller",state="running"} 1',
      'ballast_part_state{capability="deschedule",part="controller-landing-always",state="running"} 1',
      'leader_election_master_status{name="ballast-controller"} 1',
    ])
    const [status] = cluster
      .list<KubeObject & { readonly data: Readonly<Record<string, string>> }>('configmaps')
      .filter(({ metadata }) => metadata.name === 'ballast-status')
    const conditions = Object.entries(status?.data ?? {})
      .filter(([name]) => name !== runningKey)
      .map(([name, text]) => [name, JSON.parse(text).conditions[0]] as const)
    expect(conditions.map(([name, { type, status: is, reason }]) => `${name} ${type} ${is} ${reason}`)).toEqual([
      'broken Ready False Quarantined',
      'deschedule Ready True Running',
    ])
    const events = await cluster.admin.resource(builtIn.events).list({ namespace, signal: started.stop.signal })
    const told = events.items.filter(event => event['reason'] === 'PartQuarantined').map(event => event['note'])
    expect(told).toEqual([
      expect.stringMatching(
        /^broken\/controller is quarantined until .*, then tried again: 3 faults in 10 minutes, the last: broken\./,
      ),
    ])
    started.stop.abort(new DOMException('shutdown', 'AbortError'))
    await cluster.clock.advance(30_000)
    expect(await started.done).toBe('ended')
  })
})

test('what the arbiter decided is counted', async () => {
  await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Auto' })] })
  const started = await start(cluster, [deschedule])
  await cluster.ask('small')
  await cluster.clock.runUntil(() => cluster.plans()[0]?.status?.phase === 'Succeeded', { limitMs: 600_000 })
  const granted = cluster.list<KubeObject>('disruptionpermits.ballast.dev').length
  const lines = await figures(started, /^ballast_arbiter_/)
  const sum = lines
    .filter(line => line.startsWith('ballast_arbiter_requests_total') && line.includes('decision="Granted"'))
    .reduce((total, line) => total + Number(line.split(' ').at(-1)), 0)
  expect([granted > 0, sum]).toEqual([true, granted])
  expect(lines).toContain('ballast_arbiter_oldest_permit_seconds 0')
  expect(lines).toContain('ballast_arbiter_frozen{gate="freeze"} 0')
  expect(lines.filter(line => line.startsWith('ballast_arbiter_inflight{'))).toEqual([])
  expect(lines.filter(line => line.startsWith('ballast_arbiter_wait_seconds_count')).length).toBe(6)
})

test('the Lease lost: leading parts stop, the others go on, and all lead again when it is back', async () => {
  await using cluster = await controlledCluster({ objects: smallCluster() })
  const happened: string[] = []
  let isCut = false
  const cutting = (inner: Transport): Transport => ({
    request: request => (isCut ? Promise.reject(new ConnectionError('the line is cut')) : inner.request(request)),
    stream: request => inner.stream(request),
    close: () => inner.close(),
  })
  const note = (what: string) => void happened.push(what)
  const leading = doing(
    'leading',
    ({ leading }) => note(`leading starts ${leading === undefined ? 'alone' : 'with the arbiter'}`),
    'leading',
    { end: () => note('leading ends') },
  )
  const always = doing(
    'always',
    ({ leading }) => note(`always starts ${leading === undefined ? 'alone' : 'with the arbiter'}`),
    'always',
    { end: () => note('always ends') },
  )
  const started = await start(cluster, [leading, always], cutting)
  const holder = () =>
    cluster.list<Lease>('leases.coordination.k8s.io').find(({ metadata }) => metadata.name === 'ballast-controller')?.spec
      ?.holderIdentity
  await cluster.clock.runUntil(() => happened.length === 2, { limitMs: 60_000 })
  expect(await page(started, '/readyz/leading?verbose')).toContain('[+]leading-controller ok: running')
  isCut = true
  await cluster.clock.advance(20_000)
  expect(await page(started, '/readyz/leading?verbose')).toContain('[+]leading-controller ok: standby')
  isCut = false
  await cluster.clock.runUntil(() => happened.length === 4, { limitMs: 60_000 })
  started.stop.abort(new DOMException('shutdown', 'AbortError'))
  await cluster.clock.advance(30_000)
  expect(await started.done).toBe('ended')
  expect(happened).toEqual([
    'always starts alone',
    'leading starts with the arbiter',
    'leading ends',
    'leading starts with the arbiter',
    'leading ends',
    'always ends',
  ])
  expect(holder()).toBe('')
})

describe('a part that does not end takes the process with it', () => {
  // biome-ignore format: a table
  test.each(['when the Lease is lost', 'when it is stopped after a fault', 'when the process is to end'] as const)('%s', async when => {
    await using cluster = await controlledCluster({ objects: smallCluster() })
    let isCut = false
    const cutting = (inner: Transport): Transport => ({
      request: request => (isCut ? Promise.reject(new ConnectionError('the line is cut')) : inner.request(request)),
      stream: request => inner.stream(request),
      close: () => inner.close(),
    })
    let breaks: (() => void) | undefined
    const deaf = doing('deaf', ({ clock }) => {
      breaks = () => void clock.schedule(0, () => { throw new Error('broken') })
    }, 'leading', { end: () => new Promise<void>(() => undefined) })
    const started = await start(cluster, [deaf, doing('sound', () => undefined)], cutting)
    await cluster.clock.runUntil(() => breaks !== undefined, { limitMs: 60_000 })
    if (when === 'when the Lease is lost') isCut = true
    if (when === 'when it is stopped after a fault') {
      using _faults = faultsOfThisProcess()
      breaks?.()
      // The timer was made outside of the part's own work; its clock knows whose it is.
      await cluster.clock.advance(1)
    }
    if (when === 'when the process is to end') started.stop.abort(new DOMException('shutdown', 'AbortError'))
    await cluster.clock.advance(90_000)
    expect(await started.done).toBeInstanceOf(ProcessFault)
  })
})
