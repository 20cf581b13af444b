// An agent that gives devices away by claims, between a kubelet that is played and a twin of an API server, under the rights that are installed.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { AllocatedDevice, ResourceClaim, ResourceSlice } from '#cluster/devices/device-shapes.ts'
import { openApi } from '#kube/client/api.ts'
import type { Transport, TransportRequest } from '#kube/client/transport.ts'
import { hostClock, systemClock } from '#kube/clock.ts'
import { type Log, silentLog } from '#kube/log.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { systemRandom } from '#kube/random.ts'
import { HostTree } from '#machines/host-tree.ts'
import { enabledCapabilities as capabilities } from '#process/enabled-capabilities.ts'
import { startTwin } from '#twin/twin.ts'
import { devicesConfiguration } from '../src/capabilities/devices/config.ts'
import { startDevices } from '../src/capabilities/devices/devices-agent.ts'
import { FakeDraKubelet } from '../src/capabilities/devices/testdata/fake-dra-kubelet.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects } from '../src/deployment/objects.ts'
import { type Files, intelCard, merged } from './real/devices/device-trees.ts'
import { writeTree } from './real/features/tree-files.ts'

export const { signal } = new AbortController()
const roots: string[] = []
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true })
})

export const namespace = 'ballast-agent'
export const driver = 'gpu.intel.com'
export const first = '0000-00-02-0-0x7d51'
export const second = '0000-03-00-0-0x7d51'
const oneCard = intelCard(0, { address: '0000:00:02.0', render: 128, driver: 'i915' })
export const twoCards = merged(oneCard, intelCard(1, { address: '0000:03:00.0', render: 129, driver: 'xe', numa: '1' }))

const installed = objects(
  installationValues({ enable: ['devices'], preset: { capabilities: { devices: { dra: { enabled: true } } } } }, capabilities),
  { capabilities, release: plainRelease('ballast', 'ballast-system') },
).filter(
  ({ kind, metadata }) =>
    kind === 'DeviceClass' ||
    (/^(ServiceAccount|ClusterRole|ClusterRoleBinding|Role|RoleBinding|ValidatingAdmissionPolicy|ValidatingAdmissionPolicyBinding)$/.test(
      kind,
    ) &&
      metadata.name.includes('agent')),
)
const node = (name: string) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name, uid: `uid-${name}` }, status: {} })
const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'agent-1', namespace, uid: 'uid-agent-1' },
  spec: { nodeName: 'n1', serviceAccountName: 'ballast-agent', containers: [{ name: 'main', image: 'agent' }] },
}

/** Looks again and again until it holds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await systemClock.after(5)
}

/** Changes what the agent asks of the API server, or throws in its place. */
type Tamper = (request: TransportRequest) => TransportRequest

/** A machine of these files, with all that is around it. */
export async function site(files: Files = oneCard, tamper: Tamper = request => request) {
  await using stack = new AsyncDisposableStack()
  const root = mkdtempSync(join(tmpdir(), 'bd-'))
  roots.push(root)
  writeTree(root, { files: { 'sys/class': { directory: true }, ...files } })
  const around = ['default', namespace].map(name => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))
  const twin = await startTwin({
    clock: systemClock,
    objects: [...around, node('n1'), node('n2'), pod, ...installed],
    components: false,
  })
  stack.defer(() => twin.stop())
  const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test' })
  const token = await twin.issueToken({
    namespace,
    serviceAccount: 'ballast-agent',
    bound: { kind: 'Pod', name: 'agent-1', uid: 'uid-agent-1' },
  })
  const clock = hostClock({ speed: 5 })
  const agentApi = openApi(tampered(twin.transport({ token }), tamper), { clock, userAgent: 'agent' })
  const slicesApi = admin.resource<ResourceSlice>(builtIn.resourceslices)
  const claimsApi = admin.resource<ResourceClaim>(builtIn.resourceclaims)
  const slices = async () => (await slicesApi.list({ signal })).items
  const registry = join(root, 'registry')
  const kubelet = stack.use(
    new FakeDraKubelet(registry, async () => {
      for (const { metadata } of await slices()) await slicesApi.delete(metadata.name, { signal })
    }),
  )
  const paths = {
    pluginDirectory: join(root, 'kubelet'),
    cdiDirectory: join(root, 'cdi'),
    draDirectory: join(root, 'plugins'),
    draRegistry: registry,
  }
  const section = (more: object) => devicesConfiguration.parse({ scanInterval: '1s', dra: { enabled: true }, ...more })
  const start = (more: object = {}, log: Log = silentLog) =>
    startDevices(
      {
        clock,
        random: systemRandom,
        log,
        identity: { name: 'agent-1', namespace, instance: 'agent_1' },
        ports: { take: () => undefined, offer: () => undefined },
        node: 'n1',
        api: agentApi,
      },
      section(more),
      signal,
      { tree: new HostTree({ hostPrefix: `${root}/`, ownRoot: root }), ...paths },
    )
  const choice = { name: 'gpu', firstAvailable: [{ name: 'a', deviceClassName: driver }] }
  const isChoice = (results: readonly Partial<AllocatedDevice>[] | undefined) =>
    results?.some(({ request }) => request?.includes('/')) === true
  const claim = async (name: string, results: readonly Partial<AllocatedDevice>[] | undefined) => {
    const made = await claimsApi.create(
      {
        apiVersion: 'resource.k8s.io/v1',
        kind: 'ResourceClaim',
        metadata: { name, namespace: 'default' },
        spec: { devices: { requests: [isChoice(results) ? choice : { name: 'gpu', exactly: { deviceClassName: driver } }] } },
      },
      { namespace: 'default', signal },
    )
    const { uid = '' } = made.metadata
    if (results !== undefined) await allocate(made, results)
    return { namespace: 'default', name, uid }
  }
  const allocate = async (made: ResourceClaim, results: readonly Partial<AllocatedDevice>[]) => {
    // What a claim was given stays until it is taken back.
    const free =
      made.status?.allocation === undefined
        ? made
        : await claimsApi.updateStatus({ ...made, status: {} }, { namespace: 'default', signal })
    const full = results.map(result => ({ request: 'gpu', driver, pool: 'n1', device: first, ...result }))
    await claimsApi.updateStatus(
      { ...free, status: { allocation: { devices: { results: full } } } },
      { namespace: 'default', signal },
    )
  }
  const published = async () => (await slices()).flatMap(({ spec }) => (spec.devices ?? []).map(({ name }) => name))
  const prepared = () => {
    try {
      return readdirSync(join(paths.draDirectory, driver, 'prepared'))
    } catch {
      return []
    }
  }
  const parts = stack.move()
  return {
    ...{
      root,
      ...paths,
      admin,
      agentApi,
      slices,
      slicesApi,
      claimsApi,
      published,
      kubelet,
      start,
      claim,
      allocate,
      prepared,
      section,
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

const tampered = (transport: Transport, tamper: Tamper): Transport => ({
  request: async request => await transport.request(tamper(request)),
  stream: async request => await transport.stream(tamper(request)),
  close: () => transport.close(),
})

/** What the kubelet is answered of a device of a claim. */
export const device = (name: string, more: object = {}) => ({
  requestNames: ['gpu'],
  poolName: 'n1',
  deviceName: name,
  cdiDeviceIds: [`intel.com/gpu=${name}`],
  shareId: undefined,
  ...more,
})
