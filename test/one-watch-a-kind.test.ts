// One watch a kind in a process however many ask (kube-machinery.md §3.6), as the server counts them: of informers whose holders come and
// go and need more, and of the whole controller over two terms.
import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { deschedule } from '#capabilities/deschedule'
import { type Capability, type ControllerContext, capability } from '#coordination/capability.ts'
import { clusterNeeds } from '#coordination/facts/cluster-view.ts'
import type { Need } from '#coordination/needs.ts'
import { openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { Lease } from '#kube/leases/lease-record.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn, resourcePath } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin } from '#twin/twin.ts'
import { controlledCluster, namespace } from './controlled-cluster.ts'
import { smallCluster, smallPolicy } from './small-cluster.ts'

const podPath = resourcePath(builtIn.pods)

/** How many watches of each path are open, and how many there were at most. */
class CountedWatches {
  readonly open = new Map<string, number>()
  readonly most = new Map<string, number>()
  readonly asked: string[] = []
  readonly transport: Transport

  constructor(inner: Transport) {
    this.transport = {
      ...inner,
      request: request => inner.request(request),
      stream: async request => {
        const { labelSelector = '', fieldSelector = '', watch } = request.query ?? {}
        const answer = await inner.stream(request)
        if (watch !== 'true' || answer.status !== 200) return answer
        const key = [request.path, labelSelector, fieldSelector].join(' ').trim()
        this.asked.push(key)
        return { ...answer, chunks: this.#counted(key, answer.chunks) }
      },
    }
  }

  async *#counted(key: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const open = (this.open.get(key) ?? 0) + 1
    this.open.set(key, open)
    this.most.set(key, Math.max(this.most.get(key) ?? 0, open))
    try {
      yield* chunks
    } finally {
      this.open.set(key, (this.open.get(key) ?? 1) - 1)
    }
  }
}

function pod(name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', annotations: { note: name } },
    spec: { nodeName: 'n1', containers: [{ name: 'main', image: 'app:1', command: ['run'] }] },
  }
}

test('a holder that left is not kept by a signal that lives on', async () => {
  const clock = new VirtualClock(0)
  await using twin = await startTwin({ clock, components: false })
  const stop = new AbortController()
  const informers = new Informers(openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' }), {
    clock,
    random: seededRandom(1),
    signal: stop.signal,
  })
  const before = getEventListeners(stop.signal, 'abort').length
  for (let n = 0; n < 3; n++) await informers.share()[Symbol.asyncDispose]()
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(before)
  await informers[Symbol.asyncDispose]()
  expect(getEventListeners(stop.signal, 'abort').length).toBeLessThan(before)
})

test('holders come and go and need more: one watch at a time, and no change is lost', async () => {
  const clock = new VirtualClock(0)
  await using twin = await startTwin({ clock, components: false })
  const writer = { manager: 'test', user: 'test' }
  twin.access.create('pods', pod('a'), writer)
  const counted = new CountedWatches(twin.transport({ admin: true }))
  const stop = new AbortController()
  const informers = new Informers(openApi(counted.transport, { clock, userAgent: 'test' }), {
    clock,
    random: seededRandom(1),
    signal: stop.signal,
  })
  const podNeed = { ...builtIn.pods, mode: 'projection' as const }
  const first = informers.share({ needs: [{ ...podNeed, fields: ['spec.nodeName'] }] })
  const second = informers.share({ needs: [{ ...podNeed, fields: ['spec.containers.image'] }] })
  const told: string[] = []
  first
    .of<Pod>(builtIn.pods)
    .onChange(({ type, object, resync }) => told.push(`${type} ${object.metadata.name}${resync === true ? ' again' : ''}`))
  const seen = () => first.of<Pod>(builtIn.pods).store.get('default', 'a')
  await clock.quiet()
  expect(counted.asked).toEqual([podPath])
  expect(seen()?.spec).toEqual({ nodeName: 'n1', containers: [{ image: 'app:1' }] })

  // What is there already is enough for a third.
  const third = informers.share({ needs: [{ ...podNeed, fields: ['spec.nodeName'] }] })
  third.of(builtIn.pods)
  expect(second.of(builtIn.pods).isSynced).toBe(true)
  await clock.quiet()
  expect(counted.asked).toEqual([podPath])

  // A wider need lists anew; what happens meanwhile is told once.
  const wide = informers.share({ needs: [{ ...podNeed, fields: ['spec.containers.command'] }] })
  expect(wide.of(builtIn.pods).isSynced).toBe(false)
  twin.access.create('pods', pod('b'), writer)
  expect(seen()?.spec).toEqual({ nodeName: 'n1', containers: [{ image: 'app:1' }] })
  await clock.quiet()
  expect(wide.of(builtIn.pods).isSynced).toBe(true)
  expect(seen()?.spec).toEqual({ nodeName: 'n1', containers: [{ image: 'app:1', command: ['run'] }] })
  twin.access.remove('pods', 'default', 'b', writer, { gracePeriodSeconds: 0 })
  await clock.quiet()
  expect(seen()?.metadata.annotations).toBeUndefined()
  expect(told).toEqual(['ADDED a', 'MODIFIED a again', 'ADDED b', 'DELETED b'])
  expect(counted.asked).toEqual([podPath, podPath])

  // So does somebody who needs all of the metadata.
  third.of(builtIn.pods, { metadataOnly: true })
  await clock.quiet()
  expect(counted.asked).toEqual([podPath, podPath, podPath])
  expect(seen()).toMatchObject({ metadata: { annotations: { note: 'a' } }, spec: { nodeName: 'n1' } })

  // Who leaves takes nothing from the others; with the last the watch ends.
  for (const holder of [wide, third, second]) await holder[Symbol.asyncDispose]()
  expect(counted.open.get(podPath)).toBe(1)
  await first[Symbol.asyncDispose]()
  await clock.quiet()
  expect([...counted.most]).toEqual([[podPath, 1]])
  expect(counted.open.get(podPath)).toBe(0)
  stop.abort(new Error('the test is over'))
})

/** Watches in both kinds of parts, with the needs given. */
function watcher(name: string, always: readonly Need[], leading: readonly Need[]): Capability {
  const start = async ({ informers }: ControllerContext, needs: readonly Need[]) => {
    for (const need of needs) informers.of(need)
    return { health: () => [], reconfigure: async () => 'applied' as const, [Symbol.asyncDispose]: async () => undefined }
  }
  const part = (presence: 'always' | 'leading', needs: readonly Need[]) => ({
    process: 'controller' as const,
    presence,
    trust: 'core',
    needs,
    permissions: [],
    listeners: [],
    offers: [],
    takes: [],
    start: (context: ControllerContext) => start(context, needs),
  })
  return capability({
    name,
    config: z.object({}),
    kinds: [],
    replaces: [],
    disrupts: [],
    parts: [part('always', always), part('leading', leading)],
    leaves: [],
  })
}

test('a controller asks for each kind once, and in its next term only for what nobody kept', async () => {
  const nodes: Need = { ...builtIn.nodes, kind: 'Node', mode: 'full' }
  const pods: Need = { ...builtIn.pods, kind: 'Pod', mode: 'projection', fields: ['spec.nodeName', 'spec.containers.image'] }
  const capabilities = [deschedule, watcher('one', [nodes], [pods, nodes]), watcher('two', [nodes], clusterNeeds)]
  await using cluster = await controlledCluster({ objects: [...smallCluster(), smallPolicy({ mode: 'Auto' })], capabilities })
  const watches = () => {
    const counts = new Map<string, number>()
    for (const { query, path, agent, code } of cluster.twin.requests.entries)
      if (agent.startsWith('ballast/') && code === 200 && new URLSearchParams(query).get('watch') === 'true')
        counts.set(path, (counts.get(path) ?? 0) + 1)
    return counts
  }
  cluster.startController()
  await cluster.rebalance('small')
  const inFirstTerm = watches()
  expect([...inFirstTerm.values()].filter(count => count !== 1)).toEqual([])
  for (const need of clusterNeeds.filter(({ optional }) => optional !== true)) expect(inFirstTerm.get(resourcePath(need))).toBe(1)

  const lease = () =>
    cluster.list<Lease>('leases.coordination.k8s.io').find(({ metadata }) => metadata.name === 'ballast-controller')
  const holder = lease()?.spec?.holderIdentity
  const taken = { holderIdentity: 'somebody-else', renewTime: new Date(cluster.clock.now()).toISOString().replace('Z', '000Z') }
  await cluster.change(builtIn.leases, { name: 'ballast-controller', namespace }, { spec: taken })
  await cluster.pass(60_000)
  await cluster.until(() => lease()?.spec?.holderIdentity === holder)
  await cluster.until(() => (watches().get(podPath) ?? 0) > 1)
  await cluster.pass(30_000)
  expect(watches().get(podPath)).toBe(2)
  expect(watches().get(resourcePath(builtIn.nodes))).toBe(1)
})
