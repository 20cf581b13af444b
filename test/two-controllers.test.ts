// Two controllers, one Lease: the one that is cut off does nothing more, the other goes on.
import { expect, test } from 'vitest'
import { deschedule } from '#capabilities/deschedule'
import { ConnectionError } from '#kube/connection-error.ts'
import type { Lease } from '#kube/lease-record.ts'
import { silentLog } from '#kube/log.ts'
import { seededRandom } from '#kube/random.ts'
import type { Transport } from '#kube/transport.ts'
import { solveInChild } from '#planning/solve.ts'
import { runController } from '../src/cli/controller.ts'
import { controllerToken } from '../src/cli/install-ballast.ts'
import { controlledCluster, namespace } from './controlled-cluster.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

/** A transport that can be cut; what is sent meanwhile is lost. */
class Line {
  isCut = false
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
      stream: request => through(() => inner.stream(request)),
      close: () => inner.close(),
    }
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
      solve: solveInChild,
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
