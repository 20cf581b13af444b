// Another process drains n2 for cost, with a permit of the arbiter; a pod comes that fits only there. The drain ends, and the pod lands on n2.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { deschedule } from '#capabilities/deschedule'
import { type Api, openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { loadConfig } from '#kube/credentials/config.ts'
import { silentLog } from '#kube/log.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { startTwin } from '#twin/twin.ts'
import { controllerToken, installBallast } from '../src/deployment/install-ballast.ts'
import { runController } from '../src/process/controller/controller.ts'
import { type ControlledCluster, namespace, startMs } from './controlled-cluster.ts'
import { tokenKubeconfig } from './controller-process.ts'
import { runScenario, type Scenario } from './crash-harness.ts'
import { bigPod, DrainClient, drainableCluster } from './drain-client.ts'

const { signal } = new AbortController()

/** What holds at the end, whoever led. */
async function endOf(client: DrainClient, again: string) {
  const permit = await client.permit('first')
  const { spec } = await client.node()
  const asked = await client.permit(again)
  return {
    drain: `${permit.status?.ending}: ${permit.status?.reason?.replace(/since \S+/, 'since …')}`,
    isCordoned: spec?.unschedulable === true,
    pod: (await client.pod('big')).spec.nodeName,
    again: asked.status?.decision,
  }
}

const gaveWay = {
  drain: 'yielded: pod shop/big waits for a node since … and fits only on n2',
  isCordoned: false,
  pod: 'n2',
  // By then the pod has nowhere else to go.
  again: 'Denied',
}

const scenario: Scenario = {
  name: 'a drain gives way to a pod (7.2 case 29)',
  cluster: { objects: drainableCluster },
  async drive(cluster) {
    const client = new DrainClient(cluster.admin, 'n2')
    await client.ask('first', cluster.clock.now())
    await cluster.until(() => decisionOf(cluster, 'first') === 'Granted')
    await client.cordon()
    expect(await client.evictNext('first', 'web')).toBe(true)
    await client.createPod(bigPod)
    await cluster.until(() => nodeOf(cluster, 'big') === 'n2')
    expect(await client.evictNext('first', 'web')).toBe(false)
    await client.ask('again', cluster.clock.now())
    await cluster.until(() => decisionOf(cluster, 'again') === 'Denied')
    expect(await endOf(client, 'again')).toEqual(gaveWay)
  },
}

/** Reads the twin's store: no request of its own. */
function decisionOf(cluster: ControlledCluster, name: string): string | undefined {
  return cluster.permits().find(({ metadata }) => metadata.name === name)?.status?.decision
}

function nodeOf(cluster: ControlledCluster, name: string): string | undefined {
  return cluster.list<Pod>('pods').find(({ metadata }) => metadata.name === name)?.spec.nodeName
}

describe('a drain gives way to a pod, and its controller is killed at each write about drain and node; the next one ends it', async () => {
  let writes: readonly string[] = []
  const { faults } = await runScenario({
    ...scenario,
    faults: cluster => {
      writes = cluster.writes
      return []
    },
  })
  test('not killed', () => expect(faults).toEqual([]))

  // The Lease is renewed all the while.
  const told = writes.flatMap((write, at) => (/\/disruptionpermits|\/nodes\//.test(write) ? [at + 1] : []))
  test.each(told.flatMap(write => (['before', 'after'] as const).map(when => ({ write, when, what: writes[write - 1] }))))(
    '$when $what ($write)',
    async ({ write, when }) => {
      const outcome = await runScenario(scenario, { kill: { write, when } })
      expect(outcome.faults).toEqual([])
      expect(outcome.started).toBe(2)
    },
  )
})

test('over HTTPS, with the rights of its ServiceAccount: the drain ends and the pod lands on n2 (7.2 case 29)', async () => {
  const clock = new VirtualClock(startMs)
  const random = seededRandom(3)
  await using opened = new AsyncDisposableStack()
  const twin = opened.use(await startTwin({ clock, seed: 1, objects: [], listen: { port: 0 } }))
  const client = async (kubeconfig: string) => {
    const file = join(await temporaryDirectory(), 'config')
    await writeFile(file, kubeconfig)
    const config = await loadConfig({ environment: {}, homeDirectory: '/nowhere', kubeconfig: file })
    return openHttpTransport(config, { clock, random })
  }
  const admin = openApi(await client(await twin.kubeconfig()), { clock, userAgent: 'outsider' })
  opened.defer(() => admin.close())
  await installBallast(admin, { capabilities: [deschedule], namespace, signal })
  const token = await controllerToken(admin, { namespace, seconds: 86_400, signal })
  const { file } = opened.use(tokenKubeconfig(await twin.kubeconfig(), token))
  twin.load([...drainableCluster])
  await twin.settle({ limitMs: 120_000 })
  const stop = new AbortController()
  const logged: string[] = []
  const note = (facts: object, message: string) => void logged.push(`${message} ${JSON.stringify(facts)}`)
  const controller = runController({
    transport: await client(await readFile(file, 'utf8')),
    clock,
    random,
    log: { ...silentLog, info: note, warn: note, error: note },
    identity: { name: 'controller', namespace },
    capabilities: [deschedule],
    signal: stop.signal,
  })
  opened.defer(async () => {
    stop.abort(new DOMException('the test is over', 'AbortError'))
    let isOver = false
    const ended = controller.finally(() => {
      isOver = true
    })
    await clock.runUntil(() => isOver, { limitMs: 60_000 })
    await ended
  })
  const drain = new DrainClient(admin, 'n2')
  const until = (isSo: () => Promise<boolean>) =>
    vi.waitUntil(
      async () => {
        await clock.advance(200)
        return isSo()
      },
      { timeout: 120_000, interval: 2 },
    )
  await drain.ask('first', clock.now())
  await until(async () => (await drain.permit('first')).status?.decision === 'Granted')
  await drain.cordon()
  expect(await drain.evictNext('first', 'web')).toBe(true)
  await drain.createPod(bigPod)
  await until(async () => (await drain.pod('big')).spec.nodeName === 'n2')
  await drain.ask('again', clock.now())
  await until(async () => (await drain.permit('again')).status?.decision === 'Denied')
  expect(await endOf(drain, 'again')).toEqual(gaveWay)
  expect(logged.filter(line => line.startsWith('a drain gave way to a pod'))).toHaveLength(1)
  await until(async () => (await eventsOn(admin)).includes('DrainGaveWay n2'))
})

interface EventObject {
  readonly reason?: string
  readonly regarding?: { readonly name?: string }
}

async function eventsOn(api: Api): Promise<readonly string[]> {
  const list = await api.getPath('/apis/events.k8s.io/v1/events', { signal })
  const items: readonly EventObject[] =
    typeof list === 'object' && list !== null && 'items' in list && Array.isArray(list.items) ? list.items : []
  return items.map(({ reason, regarding }) => `${reason} ${regarding?.name}`)
}
