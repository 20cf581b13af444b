// `ballast nfd-topology-updater` as a DaemonSet of upstream's chart runs it: flags with one dash, its environment, its port, a kubelet on a socket.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { hostClock, systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { featureKinds } from '../../src/capabilities/features/kinds.ts'
import { FakeKubelet } from '../../src/capabilities/features/topology/testdata/fake-kubelet.ts'
import { startEmbeddedCluster } from '../../src/cli/up/embedded-cluster.ts'
import { freePort } from '../real/control-plane/free-ports.ts'
import { writeTree } from '../real/features/tree-files.ts'
import { runBallast } from './run-ballast.ts'
import { startBallast } from './running-ballast.ts'

let folder = ''
const stop = new AbortController()
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-nfd-topology-'))
  const node = 'host-sys/devices/system/node/node0'
  const files = {
    [`${node}/cpulist`]: '0-3\n',
    [`${node}/distance`]: '10\n',
    [`${node}/meminfo`]: 'Node 0 MemTotal: 1000 kB\n',
    'host-var/lib/kubelet/cpu_manager_state': '{}',
    'kubelet.yaml': 'kind: KubeletConfiguration\ntopologyManagerPolicy: best-effort\n',
  }
  writeTree(folder, { files })
})
afterAll(() => {
  stop.abort(new DOMException('the test is over', 'AbortError'))
  rmSync(folder, { recursive: true, force: true })
})

const environment = { NODE_NAME: 'here', KUBERNETES_NAMESPACE: 'nfd' }

async function site() {
  const started = await startEmbeddedCluster({
    objects: [
      ...featureKinds.flatMap(({ definition }) => definition ?? []),
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'nfd' } },
    ],
    clock: hostClock(),
    leaseClock: systemClock,
    seed: 1,
    listen: { port: 0, bind: '127.0.0.1' },
    log: silentLog,
    signal: stop.signal,
  })
  const kubelet = await FakeKubelet.start()
  kubelet.says({ pods: [], allocatable: { cpuIds: [1, 2, 3], devices: [], memory: [] } })
  const kubeconfig = join(folder, `kubeconfig-${Math.floor(systemClock.elapsed())}`)
  writeFileSync(kubeconfig, await started.twin.kubeconfig(), { mode: 0o600 })
  const published = () => (started.twin.access.list('noderesourcetopologies.topology.node.k8s.io') as readonly KubeObject[])[0]
  const flags = [
    ...['nfd-topology-updater', '-kubeconfig', kubeconfig, `-podresources-socket=${kubelet.socket}`, '-sleep-interval=1s'],
    ...[`-kubelet-config-uri=file://${folder}/kubelet.yaml`, `-host-root-prefix=${folder}/host-`],
  ]
  const end = async () => {
    await kubelet[Symbol.asyncDispose]()
    await started[Symbol.asyncDispose]()
  }
  return { kubelet, flags, published, [Symbol.asyncDispose]: end }
}

test('once: it publishes what its configuration leaves, and ends', async () => {
  await using of = await site()
  const config = join(folder, 'nfd-topology-updater.conf')
  writeFileSync(config, 'excludeList: {"*": [cpu]}\n')
  const { code, words } = await runBallast([...of.flags, '-oneshot', '-config', config], '', { environment })
  expect([code, words]).toEqual([0, expect.stringContaining('the topology of the node is published')])
  expect(of.published()).toMatchObject({
    metadata: { name: 'here', ownerReferences: [{ kind: 'Namespace', name: 'nfd' }] },
    topologyPolicies: ['BestEffortContainerLevel'],
    zones: [{ name: 'node-0', resources: [] }],
  })
})

test('it serves metrics and health at its port, sees what the kubelet writes, and ends with 0', async () => {
  await using of = await site()
  const port = await freePort()
  await using updater = startBallast([...of.flags, `-port=${port}`], { environment })
  await updater.said(/topology of the node is published/)
  const ask = async (path: string) => await (await fetch(`http://127.0.0.1:${port}${path}`)).text()
  await vi.waitFor(async () => expect(await ask('/healthz')).toBe('ok'), { timeout: 20_000 })
  const metrics = await ask('/metrics')
  expect(metrics).toContain('nfd_topology_updater_scan_errors_total 0')
  expect(metrics).toContain('nfd_topology_updater_build_info')
  of.kubelet.says({ allocatable: { cpuIds: [1], devices: [], memory: [] } })
  await vi.waitFor(() => expect(JSON.stringify(of.published())).toContain('"allocatable":"1"'), { timeout: 20_000 })
  expect(await updater.stop()).toBe(0)
})

test('once with a kubelet that is away it ends with 1, and says why', async () => {
  await using of = await site()
  of.kubelet.stop()
  const { code, words } = await runBallast([...of.flags, '-oneshot'], '', { environment })
  expect(code).toBe(1)
  expect(words).toContain('GetAllocatableResources')
})

test.each([
  [[], environment, 'NODE_ADDRESS'],
  [['-kubelet-config-uri=ftp://here'], environment, 'ftp://here'],
  [[], { NODE_ADDRESS: '192.0.2.1' }, 'NODE_NAME'],
])('%j is refused before anything is asked', async (args, given, why) => {
  const { code, output, words } = await runBallast(['nfd-topology-updater', ...args], '', { environment: given })
  expect([code, output]).toEqual([2, ''])
  expect(words).toContain(why)
})
