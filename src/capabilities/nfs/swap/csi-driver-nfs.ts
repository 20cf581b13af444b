// csi-driver-nfs, whose place the capability `nfs` takes: both drivers have one name and one socket on each node, so nodes change one after the other, and then
// who makes volumes. Volumes, claims, classes and what is mounted are touched by no step.

import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import { liesBeside, none, type Reads, type Upstream } from '#upstreams/upstream.ts'
import { type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { driverName, healthPorts } from '../names.ts'
import { convertNfs, nfsRows, nfsVersions } from './nfs-rows.ts'
import { convertNfsWorkload } from './nfs-workload.ts'

const id = 'csi-driver-nfs'
const snapshotClasses: GroupVersionResource = {
  group: 'snapshot.storage.k8s.io',
  version: 'v1',
  resource: 'volumesnapshotclasses',
}

const uninstallHarm =
  'deletes the CSIDriver, the classes of its values, and with externalSnapshotter.enabled the kinds of snapshots and so every snapshot'

const textIn = (values: ValuesTree, path: string): string | undefined => {
  const found = valueAt(values, path.split('.'))
  return typeof found === 'string' ? found : undefined
}

export const csiDriverNfs: Upstream = {
  ...none,
  name: 'csi-driver-nfs',
  capability: 'nfs',
  workloads: [/^csi-nfs-(controller|node)$/],
  names: [id],
  images: ['nfsplugin'],
  leases: ['nfs-csi-k8s-io', 'external-snapshotter-leader-nfs-csi-k8s-io', 'external-resizer-nfs-csi-k8s-io'],
  finalizers: [/nfs\.csi\.k8s\.io/],
  beside: workload =>
    workload.kind === 'DaemonSet'
      ? 'two drivers of one name take one socket on each node from each other, and a node on which the loser ends mounts nothing'
      : 'both make a volume of each claim, and delete each released one, since each elects in its own namespace',
  replaced: {
    id,
    versions: nfsVersions,
    knownVersions: /^v?4\.(5|6|7|8|9|10|11|12|13)\.\d+$/,
    rows: nfsRows,
    convert: convertNfs,
    convertWorkload: convertNfsWorkload,
    plainKinds: [],
    isObject: object => ['DaemonSet', 'Deployment'].includes(textAt(object, 'kind') ?? '') && hasDriver(object),
    swap: {
      part: {
        kind: 'nodes',
        component: 'agent-nfs',
        valuesKey: 'nfs.node',
        affinityKey: 'node.affinity',
        leader: {
          component: 'nfs-controller',
          valuesKey: 'nfs.controller',
          does: 'makes volumes',
          isMain: workload => hasDriver(workload),
          shared: {
            resource: builtIn.csidrivers,
            kind: 'CSIDriver',
            names: values => [textIn(values, 'capabilities.nfs.driverName') ?? driverName],
          },
          note: 'A claim that is made meanwhile waits, and is bound by whoever comes',
        },
        label: 'ballast.dev/nfs-swap',
        ports: values => [Number(valueAt(values, ['nfs', 'node', 'healthPort']) ?? healthPorts.node)],
        isUnreadyAlone: false,
        versionOf: ({ metadata: { labels = {} } }) =>
          /^csi-driver-nfs-v?(\d+\.\d+\.\d+)$/.exec(labels['helm.sh/chart'] ?? '')?.[1],
        selector: 'app=csi-nfs-node',
        notes: {
          convert: 'classes and volumes stay as they are: the driver keeps its name',
          free: 'nothing of NFS asks by it',
          switch:
            'What is mounted stays mounted; a pod that starts in between waits until the driver is there, as when upstream is upgraded',
          remove: `No helm uninstall: it ${uninstallHarm}`,
          back: 'What is mounted stays mounted; a pod that starts in between waits until the driver is there',
          off: 'the CSIDriver stays, upstream needs it',
          forget: uninstallHarm,
        },
      },
      does: 'mounts and makes volumes',
      isCompanion: ({ kind }) => kind === 'Deployment',
      usersObjects: driversAndClasses,
      isPlain,
      hint: () => 'classes, volumes, claims and snapshots stay as they are',
      reinstall: `helm install ${id} csi-driver-nfs/${id} -n kube-system -f ${id}-values.yaml --set controller.replicas=0`,
    },
  },
}

/** Has it the driver itself? Its release may bring a snapshot controller besides. */
function hasDriver(workload: KubeObject | ValuesTree): boolean {
  return listAt(workload, 'spec', 'template', 'spec', 'containers').some(container =>
    /(^|\/)nfsplugin(@|:|$)/.test(textAt(container, 'image') ?? ''),
  )
}

/** What the cluster says of the driver, and which classes name it. */
async function driversAndClasses(at: Reads): Promise<readonly KubeObject[]> {
  const lists = [
    listed(at, builtIn.csidrivers, 'CSIDriver'),
    listed(at, builtIn.storageclasses, 'StorageClass'),
    listed(at, snapshotClasses, 'VolumeSnapshotClass'),
  ]
  return (await Promise.all(lists)).flat()
}

/** None where the kind is not served, or may not be read: then upstream's defaults are taken for what it is. */
async function listed({ api, signal }: Reads, resource: GroupVersionResource, kind: string): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = []
  try {
    for await (const page of api.resource<KubeObject>(resource).pages({ signal }))
      found.push(...page.items.map(item => ({ ...item, apiVersion: `${resource.group}/${resource.version}`, kind })))
  } catch (error) {
    if (!isNotFound(error) && !isForbidden(error)) throw error
  }
  return found
}

/** Names in upstream's manifests: of pods and accounts, and of roles. */
const plainNames =
  /^(csi-nfs-(controller|node)(-sa)?|nfs-(external-provisioner|external-resizer|csi-resizer)-role|nfs-csi-provisioner-binding)$/

function isPlain(object: KubeObject, workload: KubeObject): boolean {
  return liesBeside(object, workload) && plainNames.test(object.metadata.name)
}
