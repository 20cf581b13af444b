// `ballast nfd-master` and `ballast nfd-gc` as processes of upstream's chart: its roles, its flags, its port, its Lease.
import { afterAll, expect, test, vi } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startTwin } from '#twin/twin.ts'
import { featureKinds } from '../../src/capabilities/features/kinds.ts'
import { tokenKubeconfig } from '../controller-process.ts'
import { featuresOf, givenTo, graphicsRule, listsOn, namespaceObject, nodeFeatures, nodeIn } from '../features-cluster.ts'
import { installNfdRole } from '../nfd-role.ts'
import { freePort } from '../real/control-plane/free-ports.ts'
import { node } from '../small-cluster.ts'
import { runBallast } from './run-ballast.ts'
import { startBallast } from './running-ballast.ts'

const stop = new AbortController()
const { signal } = stop
const resources = new AsyncDisposableStack()
afterAll(async () => {
  stop.abort(new DOMException('the test is over', 'AbortError'))
  await resources.disposeAsync()
})

const namespace = 'nfd'
const environment = { NODE_NAME: 'n1', KUBERNETES_NAMESPACE: namespace }
const everything = {
  labels: { 'gpu.example.com/present': 'true', 'gpu.example.com/device-7d51': 'here' },
  annotations: { 'gpu.example.com/by': 'graphics' },
  capacity: { 'gpu.example.com/shares': '1k' },
  taints: ['gpu.example.com/only'],
}
const nothing = { labels: {}, annotations: {}, capacity: {}, taints: [] }

async function cluster(objects: readonly KubeObject[] = [featuresOf('n1', '7d51', { plain: 'yes' })]) {
  const definitions = featureKinds.flatMap(({ definition }) => definition ?? [])
  const all = [...definitions, namespaceObject(namespace), node('n1'), node('n2'), graphicsRule, ...objects]
  const twin = resources.use(await startTwin({ clock: systemClock, objects: all, listen: { port: 0 } }))
  const as = async (role: 'master' | 'gc' | 'prune') => {
    const token = await installNfdRole(twin, { namespace, role, clock: systemClock, signal })
    return resources.use(tokenKubeconfig(await twin.kubeconfig(), token)).file
  }
  // The cast: the twin keeps objects of all kinds.
  const list = <T extends KubeObject>(resource: string) => twin.access.list(resource) as readonly T[]
  return { as, list, admin: openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test admin' }) }
}

const within = { timeout: 60_000, interval: 200 }

test("by upstream's role it labels and taints, elects by upstream's Lease, and serves health and metrics; -prune takes all of it away", async () => {
  const of = await cluster()
  const kubeconfig = await of.as('master')
  const port = await freePort()
  const args = ['nfd-master', '-kubeconfig', kubeconfig, `-port=${port}`, '-enable-taints', '-enable-leader-election']
  await using master = startBallast(args, { environment })
  await vi.waitFor(() => expect(givenTo(of, 'n1')).toEqual(everything), within)
  expect(givenTo(of, 'n2')).toEqual(nothing)
  const ask = async (path: string) => await (await fetch(`http://127.0.0.1:${port}${path}`)).text()
  await vi.waitFor(async () => expect(await ask('/healthz')).toBe('ok'), within)
  const metrics = await ask('/metrics')
  expect(metrics).toMatch(/nfd_master_node_updates_total [1-9]/)
  expect(metrics).toContain('nfd_master_build_info{version=')
  expect(of.list('leases.coordination.k8s.io').map(({ metadata }) => metadata.name)).toContain('nfd-master.nfd.kubernetes.io')
  expect(of.list('configmaps').filter(({ metadata }) => metadata.name.startsWith('ballast-'))).toEqual([])
  // Nodes are listed each minute alone; one that comes with its features has its labels at once.
  await of.admin.resource<KubeObject>(builtIn.nodes).create(node('n3'), { signal })
  await of.admin.resource<KubeObject>(nodeFeatures).create(featuresOf('n3', '7d51'), { namespace, signal })
  await vi.waitFor(() => expect(givenTo(of, 'n3').labels).toEqual(everything.labels), { ...within, timeout: 20_000 })
  expect(await master.stop()).toBe(0)
  expect(master.words).not.toMatch(/^E\d{4}/m)
  expect(givenTo(of, 'n1')).toEqual(everything)

  const pruned = await runBallast(['nfd-master', '-prune', '-kubeconfig', await of.as('prune')], '', { environment })
  expect([pruned.code, pruned.words]).toEqual([0, expect.stringContaining('pruned')])
  expect(givenTo(of, 'n1')).toEqual(nothing)
  expect(listsOn(of, 'n1')).toEqual({})
  expect(nodeIn(of, 'n1').metadata.labels?.['feature.node.kubernetes.io/plain']).toBeUndefined()
}, 180_000)

test('nfd-gc deletes what describes nodes that are gone, at the start and when one goes', async () => {
  const { labels: _, ...metadata } = featuresOf('nobody', undefined).metadata
  const of = await cluster([
    featuresOf('n1', undefined),
    featuresOf('gone', undefined),
    { ...featuresOf('nobody', undefined), metadata },
  ])
  const port = await freePort()
  const kubeconfig = await of.as('gc')
  await using gc = startBallast(['nfd-gc', '-kubeconfig', kubeconfig, `-port=${port}`, '-list-size=1'], { environment })
  const left = () => of.list('nodefeatures.nfd.k8s-sigs.io').map(one => one.metadata.name)
  await vi.waitFor(() => expect(left()).toEqual(['n1']), within)
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  expect(metrics).toContain('nfd_gc_objects_deleted_total{kind="NodeFeature"} 2')
  await of.admin.resource(builtIn.nodes).delete('n1', { signal })
  await vi.waitFor(() => expect(left()).toEqual([]), within)
  expect(await gc.stop()).toBe(0)
  expect(of.list<Node>('nodes')).toHaveLength(1)
}, 120_000)

test.each([
  [['nfd-master', '-instance=-'], 'instance'],
  [['nfd-master', '-options={nfdApiParallelism: 0}'], 'nfdApiParallelism'],
  [['nfd-gc', '-gc-interval=often'], 'gc-interval'],
])('%j is refused before anything is asked', async (args, why) => {
  const { code, output, words } = await runBallast(args, '', { environment })
  expect([code, output]).toEqual([2, ''])
  expect(words).toContain(why)
})
