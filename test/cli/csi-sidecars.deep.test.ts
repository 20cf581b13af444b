// The programs of CSI's sidecars as processes beside a driver: flags, Leases, ports and end of upstream's.
import { rmSync } from 'node:fs'
import { mkdtemp, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { registrationMethods } from '#kube/grpc/plugin-registration.ts'
import { SocketClient } from '#kube/grpc/socket-client.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startTwin } from '#twin/twin.ts'
import { snapshots } from '../../src/capabilities/nfs/jobs/snapshot/snapshot-kinds.ts'
import type { Claim } from '../../src/capabilities/nfs/jobs/storage-kinds.ts'
import { FakeDriver } from '../nfs-jobs-driver.ts'
import { claim, nfsSlow, snapshot, snapshotClass, snapshotDefinitions } from '../nfs-jobs-site.ts'
import { freePort } from '../real/control-plane/free-ports.ts'
import { runBallast } from './run-ballast.ts'
import { startBallast } from './running-ballast.ts'

const stop = new AbortController()
const { signal } = stop
const resources = new AsyncDisposableStack()
const folders: string[] = []
afterAll(async () => {
  stop.abort(new DOMException('the test is over', 'AbortError'))
  await resources.disposeAsync()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

async function folderOf(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), name))
  folders.push(folder)
  return folder
}

async function drivenBy(): Promise<FakeDriver> {
  const driver = resources.use(new FakeDriver())
  await driver.start()
  return driver
}

const within = { timeout: 60_000, interval: 200 }
const namespaces = ['csi-nfs', 'media'].map(name => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))

test("a volume is made, grown, snapshotted and deleted by four processes with upstream's Leases", async () => {
  const objects = [...namespaces, ...snapshotDefinitions, nfsSlow, snapshotClass]
  const options = {
    clock: systemClock,
    objects,
    listen: { port: 0 },
    components: { provisioner: false },
    scheduler: false,
    kubelet: false,
  }
  const twin = resources.use(await startTwin(options))
  const driver = await drivenBy()
  const kubeconfig = join(await folderOf('ballast-kubeconfig-'), 'config')
  await writeFile(kubeconfig, await twin.kubeconfig(), { mode: 0o600 })
  const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test admin' })
  const port = await freePort()
  const common = [`--kubeconfig=${kubeconfig}`, '--leader-election', '--leader-election-namespace=csi-nfs', '-v=2']
  const beside = [...common, `--csi-address=${driver.address}`]
  await using provisioner = startBallast([
    'csi-provisioner',
    ...beside,
    '--extra-create-metadata=true',
    '--timeout=1200s',
    `--http-endpoint=127.0.0.1:${port}`,
  ])
  await using resizer = startBallast(['csi-resizer', ...beside, '--handle-volume-inuse-error=false'])
  await using snapshotter = startBallast(['csi-snapshotter', ...beside])
  await using controller = startBallast(['snapshot-controller', ...common])

  // The casts: the twin keeps objects of all kinds.
  const list = <T extends KubeObject>(resource: string) => twin.access.list(resource) as readonly T[]
  const plex = () => list<Claim>('persistentvolumeclaims')[0]?.status
  await admin.resource(builtIn.persistentvolumeclaims).create(claim('plex'), { signal })
  await vi.waitFor(() => expect(plex()?.phase).toBe('Bound'), within)
  expect(driver.done).toHaveLength(1)
  const body = { spec: { resources: { requests: { storage: '2Gi' } } } }
  await admin.resource(builtIn.persistentvolumeclaims).patch('plex', { type: 'merge', body }, { namespace: 'media', signal })
  await vi.waitFor(() => expect(plex()?.capacity?.['storage']).toBe('2Gi'), within)
  await admin.resource(snapshots).create(snapshot('a', { source: { persistentVolumeClaimName: 'plex' } }), { signal })
  await vi.waitFor(() => expect(driver.snapshots.size).toBe(1), within)
  await admin.resource(snapshots).delete('a', { namespace: 'media', signal })
  await vi.waitFor(() => expect(driver.snapshots.size).toBe(0), within)
  await admin.resource(builtIn.persistentvolumeclaims).delete('plex', { namespace: 'media', signal })
  await vi.waitFor(() => expect(list('persistentvolumes')).toEqual([]), within)
  expect(driver.volumes.size).toBe(0)

  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  expect(metrics).toContain(
    'csi_sidecar_operations_seconds_count{driver_name="nfs.csi.k8s.io",method_name="/csi.v1.Controller/CreateVolume",grpc_status_code="OK"} 1',
  )
  expect((await fetch(`http://127.0.0.1:${port}/healthz/leader-election`)).status).toBe(200)
  const leases = list('leases.coordination.k8s.io').map(({ metadata }) => metadata.name)
  for (const name of [
    'nfs-csi-k8s-io',
    'external-resizer-nfs-csi-k8s-io',
    'external-snapshotter-leader-nfs-csi-k8s-io',
    'snapshot-controller-leader',
  ])
    expect(leases).toContain(name)
  expect(await Promise.all([provisioner, resizer, snapshotter, controller].map(one => one.stop()))).toEqual([0, 0, 0, 0])
}, 240_000)

test('a kubelet finds the driver, and whoever probes learns that it answers', async () => {
  const driver = await drivenBy()
  const registry = await folderOf('ballast-registry-')
  const [port, probe] = [await freePort(), await freePort()]
  const beside = `--csi-address=${driver.address}`
  const environment = { REGISTRATION_PATH: registry }
  await using registrar = startBallast(
    [
      'csi-node-driver-registrar',
      beside,
      `--kubelet-registration-path=${driver.address}`,
      `--plugin-registration-path=${registry}`,
      `--http-endpoint=127.0.0.1:${port}`,
    ],
    { environment },
  )
  await using liveness = startBallast(['livenessprobe', beside, `--http-endpoint=127.0.0.1:${probe}`, '--probe-timeout=3s'])
  await vi.waitFor(async () => expect(await readdir(registry)).toEqual(['nfs.csi.k8s.io-reg.sock']), within)
  using client = new SocketClient({ address: join(registry, 'nfs.csi.k8s.io-reg.sock'), clock: systemClock })
  expect(await client.ask(registrationMethods.info, {}, { limitMs: 5_000, signal })).toMatchObject({
    type: 'CSIPlugin',
    name: 'nfs.csi.k8s.io',
    endpoint: driver.address,
  })
  const status = async (at: number) => (await fetch(`http://127.0.0.1:${at}/healthz`)).status
  await vi.waitFor(async () => expect([await status(port), await status(probe)]).toEqual([200, 200]), within)
  driver.isReady = false
  await vi.waitFor(async () => expect(await status(probe)).toBe(500), within)
  expect(await Promise.all([registrar.stop(), liveness.stop()])).toEqual([0, 0])
  expect(await readdir(registry)).toEqual([])
}, 120_000)

test.each([
  [['csi-provisioner', '--timeout=soon'], 'timeout'],
  [['csi-provisioner', '--node-deployment'], 'node-deployment'],
  [['csi-resizer', '--workers=many'], 'workers'],
  [['csi-snapshotter', '--snapshot-name-prefix='], 'snapshot-name-prefix'],
  [['snapshot-controller', '--enable-distributed-snapshotting'], 'enable-distributed-snapshotting'],
  [['csi-node-driver-registrar', '--what'], 'what'],
  [['livenessprobe', '--probe-timeout=x'], 'probe-timeout'],
])('%j is refused before anything is asked', async (args, why) => {
  const { code, output, words } = await runBallast(args, '')
  expect([code, output]).toEqual([2, ''])
  expect(words).toContain(why)
})
