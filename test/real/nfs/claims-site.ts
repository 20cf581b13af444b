// A control plane with an NFS driver in a site; `sidecars.ts` has whoever provisions, resizes and takes snapshots.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { ApiObject } from '../control-plane/api-client.ts'
import { apiPath } from '../control-plane/api-client.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { until } from '../mirror/laboratory/program.ts'
import { moduleSource } from '../upstreams/build.ts'
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
export function withoutDescriptions<T>(value: T): T {
  if (Array.isArray(value)) return value.map(one => withoutDescriptions(one)) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, one]) => key !== 'description' || typeof one !== 'string')
      .map(([key, one]) => [key, withoutDescriptions(one)]),
  ) as T
}

/** A control plane with the kinds of snapshots, and NFS servers. */
export interface ClaimsPlane {
  readonly plane: ControlPlane
  readonly nfs: NfsSite
}

export interface ClaimsSite extends ClaimsPlane {
  readonly driver: DriverProcess
}

/** Beside the driver nothing acts yet. @throws PartUnavailable where a part cannot be had */
export async function startClaimsSite(
  command?: DriverCommand,
  controllerFlags: readonly string[] = [],
): Promise<ClaimsSite & AsyncDisposable> {
  const stack = new AsyncDisposableStack()
  try {
    const place = stack.use(await startClaimsPlane(controllerFlags))
    const driver = stack.use(await startDriver(place.nfs, command ?? (await upstreamDriver())))
    return { ...place, driver, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  } catch (cause) {
    await stack.disposeAsync()
    throw cause
  }
}

/** With its standard limit of 20 requests a second Kubernetes' own controller binds no 500 claims in two minutes, whoever provisions. */
export const quickBinder = ['--kube-api-qps=1000', '--kube-api-burst=2000']

/** Nothing acts yet. `controllerFlags`: further ones of kube-controller-manager. @throws PartUnavailable where a part cannot be had */
export async function startClaimsPlane(controllerFlags: readonly string[] = []): Promise<ClaimsPlane & AsyncDisposable> {
  const stack = new AsyncDisposableStack()
  try {
    const nfs = stack.use(await NfsSite.start())
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: true, controllerFlags })
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
    return { plane, nfs, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  } catch (cause) {
    await stack.disposeAsync()
    throw cause
  }
}
