// Two controllers, one Lease: the one that is cut off does nothing more, the other goes on.
import { expect, test } from 'vitest'
import { deschedule } from '#capabilities/deschedule'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { Lease } from '#kube/leases/lease-record.ts'
import { silentLog } from '#kube/log.ts'
import type { Node } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { controllerToken } from '../src/deployment/install-ballast.ts'
import { runController } from '../src/process/controller/controller.ts'
import { controlledCluster, namespace } from './controlled-cluster.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'
import { warmSolve } from './warm-solver.ts'

/** A transport that can be cut: what is sent meanwhile is lost, what was open breaks. */
class Line {
  #cut = new AbortController()
  readonly writes: string[] = []
  readonly transport: Transport

  constructor(inner: Transport) {
    const through = <T>(work: () => Promise<T>): Promise<T> =>
      this.isCut ? Promise.reject(new ConnectionError('the line is cut')) : work()
    this.transport = {
      request: request =>
        through(() => {
          if (request.verb !== 'GET' && !request.path.includes('/events')) this.writes.push(`${request.verb} ${request.path}`)
          return inner.request(request)
        }),
      stream: request => through(() => inner.stream({ ...request, signal: AbortSignal.any([request.signal, this.#cut.signal]) })),
      close: () => inner.close(),
    }
  }

  get isCut(): boolean {
    return this.#cut.signal.aborted
  }

  set isCut(isCut: boolean) {
    if (isCut) this.#cut.abort(new ConnectionError('the line is cut'))
    else this.#cut = new AbortController()
  }
}

test('a leader that is cut off in the middle of a plan does nothing when it is back; the other finishes', async () => {
  await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Auto' })] })
  const { clock, twin, admin } = cluster
  const token = await controllerToken(admin, { namespace, seconds: 86_400, signal: new AbortController().signal })
  const told: string[] = []
  const lines = [new Line(twin.transport({ token })), new Line(twin.transport({ token }))]
  for (const [at, { transport }] of lines.entries()) {
    const ended = runController({
      transport,
      clock,
      random: seededRandom(at + 7),
      log: {
        ...silentLog,
        info: (facts, message) => void told.push(`controller-${at}: ${message} ${String(facts['holder'] ?? '')}`),
      },
      identity: { name: `controller-${at}`, namespace },
      capabilities: [deschedule],
      solve: warmSolve,
      signal: new AbortController().signal,
    })
    ended.catch(error => {
      throw error
    })
  }
  const holder = () =>
    cluster.list<Lease>('leases.coordination.k8s.io').find(lease => lease.metadata.name === 'ballast-controller')?.spec
      ?.holderIdentity ?? ''
  const wait = (done: () => boolean) => clock.runUntil(done, { limitMs: 600_000 })
  await wait(() => holder() !== '')
  const first = lines[holder().startsWith('controller-0') ? 0 : 1]
  const other = lines[first === lines[0] ? 1 : 0]
  await cluster.ask('small')
  await wait(() => cluster.plans()[0]?.status?.steps?.some(step => step.id === 'm01') === true)
  if (first === undefined || other === undefined) throw new Error('nobody leads')
  const before = holder()
  expect(told.filter(line => line.includes('standing by'))).toEqual([
    `${other === lines[0] ? 'controller-0' : 'controller-1'}: standing by: another one leads ${before}`,
  ])
  first.isCut = true
  await wait(() => holder() !== before)
  first.isCut = false
  const written = first.writes.length
  await wait(() => cluster.plans().every(plan => plan.status?.phase === 'Succeeded'))
  expect(first.writes.slice(written)).toEqual([])
  expect(other.writes.some(write => write.endsWith('/eviction'))).toBe(true)
  expect(cluster.plans().flatMap(plan => (plan.status?.steps ?? []).map(step => `${step.id} ${step.state}`))).toEqual([
    'm01 Landed',
    'm02 Landed',
    'm03 Landed',
  ])
  expect(twin.requests.entries.filter(({ path, code }) => path.endsWith('/eviction') && code === 201)).toHaveLength(2)
})

test('with the API server gone for a minute in the middle of a plan, the only controller goes on where it was', async () => {
  await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Auto' })] })
  const { clock, twin, admin } = cluster
  const token = await controllerToken(admin, { namespace, seconds: 86_400, signal: new AbortController().signal })
  const line = new Line(twin.transport({ token }))
  const ended = runController({
    transport: line.transport,
    clock,
    random: seededRandom(5),
    log: silentLog,
    identity: { name: 'controller', namespace },
    capabilities: [deschedule],
    solve: warmSolve,
    signal: new AbortController().signal,
  })
  ended.catch(error => {
    throw error
  })
  const wait = (done: () => boolean) => clock.runUntil(done, { limitMs: 1_200_000 })
  await cluster.ask('small')
  await wait(() => cluster.plans()[0]?.status?.steps?.some(step => step.id === 'm01') === true)
  line.isCut = true
  const written = line.writes.length
  await clock.advance(60_000)
  expect(line.writes.length).toBe(written)
  line.isCut = false
  await wait(() => cluster.plans().length > 0 && cluster.plans().every(plan => plan.status?.phase === 'Succeeded'))
  const evicted = twin.requests.entries
    .filter(({ path, code }) => path.endsWith('/eviction') && code === 201)
    .map(({ path }) => path)
  expect(new Set(evicted).size).toBe(evicted.length)
  const steps = cluster.plans().flatMap(plan => (plan.status?.steps ?? []).map(step => `${step.id} ${step.state}`))
  expect(steps).toEqual(['m01 Landed', 'm02 Landed', 'm03 Landed'])
  expect(cluster.list<Node>('nodes').flatMap(node => node.spec?.taints ?? [])).toEqual([])
})
