// A control plane with an NFS driver in a site, and whoever provisions, resizes and takes snapshots: upstream's four sidecars, or ours.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { ApiObject } from '../control-plane/api-client.ts'
import { apiPath } from '../control-plane/api-client.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { type Program, startProgram, until } from '../mirror/laboratory/program.ts'
import { moduleSource, upstreamPath } from '../upstreams/build.ts'
import { type DriverCommand, type DriverProcess, startDriver, upstreamDriver } from './driver-process.ts'
import { NfsSite } from './site.ts'

/** Where the sidecars keep their Leases. */
export const sidecarNamespace = 'csi-nfs'
const snapshotDefinitions = ['volumesnapshotclasses', 'volumesnapshotcontents', 'volumesnapshots'] as const
export const snapshotClient = { path: 'github.com/kubernetes-csi/external-snapshotter/client/v8', version: 'v8.6.0' }

/** Upstream's definitions of snapshots, without their descriptions. @throws PartUnavailable where the module cannot be had */
export async function snapshotCrds(): Promise<readonly ApiObject[]> {
  const source = await moduleSource(snapshotClient)
  return snapshotDefinitions.map(name =>
    withoutDescriptions(parse(readFileSync(join(source, 'config', 'crd', `snapshot.storage.k8s.io_${name}.yaml`), 'utf8'))),
  )
}

/** As a file of several documents. */
export const crdsText = (crds: readonly ApiObject[]): string =>
  crds.map(crd => `---\n${stringify(crd, { lineWidth: 0 })}`).join('')

/** A description is a text; a field of that name is an object. */
function withoutDescriptions<T>(value: T): T {
  if (Array.isArray(value)) return value.map(one => withoutDescriptions(one)) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, one]) => key !== 'description' || typeof one !== 'string')
      .map(([key, one]) => [key, withoutDescriptions(one)]),
  ) as T
}

export interface ClaimsSite extends AsyncDisposable {
  readonly plane: ControlPlane
  readonly nfs: NfsSite
  readonly driver: DriverProcess
}

/** Beside the driver nothing acts yet. @throws PartUnavailable where a part cannot be had */
export async function startClaimsSite(command?: DriverCommand): Promise<ClaimsSite> {
  const stack = new AsyncDisposableStack()
  try {
    const nfs = stack.use(await NfsSite.start())
    const driver = stack.use(await startDriver(nfs, command ?? (await upstreamDriver())))
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: true })
    stack.defer(() => plane.stop())
    const { client } = plane
    for (const crd of await snapshotCrds()) await client.want('POST', apiPath(crd), crd)
    await until(
      'snapshots are served',
      async () => (await client.send('GET', '/apis/snapshot.storage.k8s.io/v1/volumesnapshots')).status === 200,
    )
    await client.want('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: sidecarNamespace } })
    const csiDriver = {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'CSIDriver',
      metadata: { name: 'nfs.csi.k8s.io' },
      spec: { attachRequired: false, volumeLifecycleModes: ['Persistent'], fsGroupPolicy: 'File' },
    }
    await client.want('POST', apiPath(csiDriver), csiDriver)
    return { plane, nfs, driver, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  } catch (cause) {
    await stack.disposeAsync()
    throw cause
  }
}

/** As the chart of 4.13 has them, but for limits of time: a call ends after 5 s, and what failed is tried again within 2 s. */
const sidecars = [
  [
    'csi-provisioner',
    ['--extra-create-metadata=true', '--feature-gates=VolumeAttributesClass=false', '--timeout=5s', '--retry-interval-max=2s'],
  ],
  [
    'csi-resizer',
    ['-handle-volume-inuse-error=false', '-feature-gates=VolumeAttributesClass=false', '-timeout=5s', '-retry-interval-max=2s'],
  ],
  ['csi-snapshotter', ['--timeout=5s', '--retry-interval-max=2s']],
  ['snapshot-controller', ['--retry-interval-max=2s']],
] as const

export interface Sidecars extends AsyncDisposable {
  readonly programs: readonly Program[]
}

/** Upstream's, with the driver's socket and rights over everything. @throws PartUnavailable where one cannot be built */
export async function startUpstreamSidecars({ plane, driver }: ClaimsSite): Promise<Sidecars> {
  const paths = new Map<string, string>()
  for (const [name] of sidecars) paths.set(name, await upstreamPath(name))
  const programs = sidecars.map(([name, flags]) =>
    startProgram(
      paths.get(name) ?? name,
      [
        `--kubeconfig=${plane.kubeconfig}`,
        ...(name === 'snapshot-controller' ? [] : [`--csi-address=${driver.socket}`]),
        '--leader-election=true',
        `--leader-election-namespace=${sidecarNamespace}`,
        '--kube-api-qps=200',
        '--kube-api-burst=400',
        '-v=2',
        ...flags,
      ],
      { env: { POD_NAMESPACE: sidecarNamespace } },
    ),
  )
  const stop = async () => {
    await Promise.all(programs.map(program => program.stop()))
  }
  try {
    await until(
      'each sidecar leads',
      async () => {
        const ended = programs.find(program => program.hasEnded())
        if (ended !== undefined) throw new Error(`a sidecar ended: ${ended.log()}`)
        const answer = await plane.client.send('GET', `/apis/coordination.k8s.io/v1/namespaces/${sidecarNamespace}/leases`)
        return (answer.body as { readonly items?: readonly unknown[] }).items?.length === sidecars.length
      },
      60_000,
    )
  } catch (cause) {
    await stop()
    throw cause
  }
  return { programs, [Symbol.asyncDispose]: stop }
}
