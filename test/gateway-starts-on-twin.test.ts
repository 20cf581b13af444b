// Cold starts on the twin: its scheduler and kubelets write what real ones do, and our watches read it.
import { describe, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import { seededRandom } from '#kube/random.ts'
import { TestCluster, testNodes, testWorkload } from '#twin/components/cluster-for-tests.ts'
import { bootNeeds, bootObjects } from '../src/capabilities/gateway/cold/boot-needs.ts'
import { BootWatch } from '../src/capabilities/gateway/cold/boot-watch.ts'
import { ColdStarts } from '../src/capabilities/gateway/cold/cold-start.ts'
import { routeTo } from './loopback-gateway.ts'

const key = 'default/web'
async function site(nodes = 1) {
  const web = testWorkload('Deployment', 'web', { replicas: 0 })
  const selector = (web['spec'] as { selector: { matchLabels: Record<string, string> } }).selector.matchLabels
  const service = {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' } },
    spec: { selector, ports: [{ port: 80 }] },
  }
  const cluster = await TestCluster.start([...testNodes(nodes), web, service])
  const { clock, twin } = cluster
  const api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  const stop = new AbortController()
  const pool = new Informers(api, { clock, random: seededRandom(1), log: silentLog, signal: stop.signal })
  const informers = pool.share({ needs: bootNeeds.map(({ kind: _kind, scope: _scope, ...need }) => need) })
  const starts = new ColdStarts({ clock })
  const { objects, changing } = bootObjects(informers)
  const synced = informers.allSynced(stop.signal)
  // The client asks for one kind after another.
  await clock.advance(1_000)
  await synced
  const isReady = () => cluster.readyPods().length
  const watch = new BootWatch({
    ...{ clock, starts, objects, changing },
    routeOf: () => routeTo('web'),
    trafficOf: () => ({ endpoints: isReady(), loading: 0, isAsked: false }),
  })
  /** Wakes the target, and says each stage with its sentence and trouble once, for so long. */
  const woken = async (seconds: number) => {
    const seen: string[] = []
    using _told = starts.watch(key, () => {
      const progress = starts.progress(key)
      if (progress === undefined) return
      const { stage, sentence, trouble } = progress
      const text = `${stage}: ${sentence}${trouble === undefined ? '' : ` [${trouble.reason}]`}`
      if (!seen.includes(text)) seen.push(text)
    })
    starts.begin(key)
    watch.look(key)
    cluster.edit('deployments.apps', 'web', one => ({ ...one, spec: { ...one.spec, replicas: 1 } }))
    await clock.advance(seconds * 1_000)
    return seen
  }
  const end = async () => {
    watch[Symbol.dispose]()
    stop.abort()
    await pool[Symbol.asyncDispose]()
    await api.close()
    await cluster[Symbol.asyncDispose]()
  }
  return { cluster, starts, woken, end }
}

describe('a start', () => {
  test('goes through the stages that the cluster shows', async () => {
    const { woken, starts, end } = await site()
    const seen = await woken(60)
    expect(seen).toEqual([
      'queued: the target is woken',
      'queued: Deployment web is scaled up',
      'node-ready: network and volumes are made ready on node n1',
      'ready: the target is ready',
    ])
    starts.answered(key)
    expect(starts.learned(key)).toHaveLength(1)
    await end()
  })
  test('without an image', async () => {
    const { cluster, woken, end } = await site()
    cluster.twin.fault({ image: { pattern: '*', error: 'ErrImagePull' } })
    expect(await woken(60)).toEqual([
      'queued: the target is woken',
      'queued: Deployment web is scaled up',
      'node-ready: network and volumes are made ready on node n1',
      'image: image registry.example/app:1 is pulled on node n1 [ErrImagePull]',
      'image: image registry.example/app:1 is pulled on node n1 [ImagePullBackOff]',
    ])
    await end()
  })
  test('without a node', async () => {
    const { woken, end } = await site(0)
    expect(await woken(30)).toEqual([
      'queued: the target is woken',
      'queued: Deployment web is scaled up',
      'queued: the pod waits for a node [Unschedulable]',
    ])
    await end()
  })
})
