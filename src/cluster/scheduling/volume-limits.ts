// The other filters about volumes: disks that one pod alone may use (VolumeRestrictions), how many volumes a node attaches
// (NodeVolumeLimits), and zone labels of bound volumes (VolumeZone).

import type { Node, PersistentVolumeClaim, Volume } from '#kube/objects/objects.ts'
import type { PodState } from '../cluster-state.ts'
import type { NodeLoads } from './node-loads.ts'
import { type Refusal, refusal } from './refusal.ts'
import { claimNames, notFound } from './volume-binding.ts'
import { claimClass, type VolumeObjects } from './volume-objects.ts'

type VolumeCheck =
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'filter'; readonly filter: (node: number) => Refusal | undefined }

const diskConflict = refusal('VolumeRestrictions', 'node(s) had no available disk', { isUnresolvable: false })
const singlePodConflict = refusal(
  'VolumeRestrictions',
  'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod',
  { isUnresolvable: false },
)
const tooManyVolumes = refusal('NodeVolumeLimits', 'node(s) exceed max volume count', { isUnresolvable: false })
const noZone = refusal('VolumeZone', 'node(s) had no available volume zone', { isUnresolvable: true })

/** ReadWriteOncePod claims in use, and disks of the old in-tree kinds that pods of a node already hold. `undefined`: nothing to check. */
export function restrictionsCheck(objects: VolumeObjects, loads: NodeLoads, pod: PodState): VolumeCheck | undefined {
  let isClaimInUse = false
  for (const { name, isEphemeral } of claimNames(pod)) {
    if (isEphemeral) continue
    const claim = objects.claim(pod.namespace, name)
    if (claim === undefined)
      return {
        kind: 'refused',
        refusal: refusal('VolumeRestrictions', notFound('persistentvolumeclaim', name), { isUnresolvable: true }),
      }
    if (claim.spec.accessModes?.includes('ReadWriteOncePod') && loads.claimUsers(`${pod.namespace}/${name}`) > 0)
      isClaimInUse = true
  }
  const disks = (pod.object.spec.volumes ?? []).flatMap(diskOf)
  if (disks.length === 0 && !isClaimInUse) return undefined
  return {
    kind: 'filter',
    filter: node => {
      const used =
        disks.length === 0
          ? []
          : loads.volumePods(node).flatMap(({ pod: other }) => (other.object.spec.volumes ?? []).flatMap(diskOf))
      if (disks.some(disk => used.some(other => excludes(disk, other)))) return diskConflict
      return isClaimInUse ? singlePodConflict : undefined
    },
  }
}

/** A disk that pods of one node cannot share, unless both only read (and its kind allows that). */
interface Disk {
  readonly name: string
  readonly isReadOnly: boolean
  readonly monitors?: readonly string[]
}

function diskOf(volume: Volume): readonly Disk[] {
  const google = fieldsOf(volume['gcePersistentDisk'])
  if (google) return [{ name: `gce ${String(google['pdName'])}`, isReadOnly: google['readOnly'] === true }]
  const amazon = fieldsOf(volume['awsElasticBlockStore'])
  if (amazon) return [{ name: `aws ${String(amazon['volumeID'])}`, isReadOnly: false }]
  const iscsi = fieldsOf(volume['iscsi'])
  if (iscsi) return [{ name: `iscsi ${String(iscsi['iqn'])}`, isReadOnly: iscsi['readOnly'] === true }]
  const ceph = fieldsOf(volume['rbd'])
  if (ceph) {
    const monitors = Array.isArray(ceph['monitors']) ? ceph['monitors'].map(String) : []
    return [
      { name: `rbd ${String(ceph['pool'] ?? 'rbd')} ${String(ceph['image'])}`, isReadOnly: ceph['readOnly'] === true, monitors },
    ]
  }
  return []
}

function excludes(disk: Disk, other: Disk): boolean {
  if (disk.name !== other.name || (disk.isReadOnly && other.isReadOnly)) return false
  return disk.monitors === undefined || disk.monitors.some(monitor => other.monitors?.includes(monitor))
}

/** How many volumes of each CSI driver a node may attach, by its CSINode. `undefined` where the pod has no claims. */
export function limitsCheck(
  objects: VolumeObjects,
  loads: NodeLoads,
  pod: PodState,
  nodes: readonly Node[],
): ((node: number) => Refusal | undefined) | undefined {
  if (claimNames(pod).length === 0) return undefined
  const wanted = attachedVolumes(objects, pod)
  return node => {
    const name = nodes[node]?.metadata.name ?? ''
    const limits = new Map(
      (objects.csiNode(name)?.spec.drivers ?? []).flatMap(({ name, allocatable }) =>
        allocatable?.count === undefined ? [] : [[name, allocatable.count]],
      ),
    )
    if (limits.size === 0 || wanted.size === 0) return undefined
    const attached = new Map<string, string>()
    for (const { pod: other } of loads.volumePods(node))
      for (const [volume, driver] of attachedVolumes(objects, other)) attached.set(volume, driver)
    const fresh = Array.from(wanted).filter(([volume]) => !attached.has(volume))
    for (const [volume, driver] of attachmentsOf(objects, name)) attached.set(volume, driver)
    for (const driver of new Set(fresh.map(([, driver]) => driver))) {
      const limit = limits.get(driver)
      const count = [...attached.values(), ...fresh.map(([, driver]) => driver)].filter(one => one === driver).length
      if (limit !== undefined && count > limit) return tooManyVolumes
    }
    return undefined
  }
}

/** Volumes of a pod's claims with their drivers; a claim still without a volume counts as one of its class's driver. */
function attachedVolumes(objects: VolumeObjects, pod: PodState): ReadonlyMap<string, string> {
  const volumes = new Map<string, string>()
  for (const { name } of claimNames(pod)) {
    const claim = objects.claim(pod.namespace, name)
    const volume = claim && driverVolume(objects, claim)
    if (volume !== undefined) volumes.set(volume.handle, volume.driver)
  }
  return volumes
}

function driverVolume(
  objects: VolumeObjects,
  claim: PersistentVolumeClaim,
): { readonly driver: string; readonly handle: string } | undefined {
  const volume = claim.spec.volumeName ? objects.volume(claim.spec.volumeName) : undefined
  if (volume !== undefined) {
    const csi = volume.spec.csi
    return csi === undefined ? undefined : { driver: csi.driver, handle: `${csi.driver}/${csi.volumeHandle}` }
  }
  const provisioner = objects.storageClass(claimClass(claim))?.provisioner
  if (!provisioner) return undefined
  return { driver: provisioner, handle: `${provisioner}/\u0000${claim.metadata.namespace}/${claim.metadata.name}` }
}

function attachmentsOf(objects: VolumeObjects, node: string): ReadonlyMap<string, string> {
  const volumes = new Map<string, string>()
  for (const { spec } of objects.attachments()) {
    if (spec.nodeName !== node || !spec.attacher || spec.source?.persistentVolumeName === undefined) continue
    const csi = objects.volume(spec.source.persistentVolumeName)?.spec.csi
    if (csi !== undefined) volumes.set(`${spec.attacher}/${csi.volumeHandle}`, spec.attacher)
  }
  return volumes
}

const zoneKeys = [
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
] as const

const modernKeys: Readonly<Record<string, string>> = {
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
}

/** Zone and region labels of bound volumes must be those of the node, where the node has any. `undefined`: nothing to check. */
export function zoneCheck(objects: VolumeObjects, pod: PodState, nodes: readonly Node[]): VolumeCheck | undefined {
  const refused = (reason: string): VolumeCheck => ({
    kind: 'refused',
    refusal: refusal('VolumeZone', reason, { isUnresolvable: true }),
  })
  const asked: { readonly key: string; readonly values: ReadonlySet<string> }[] = []
  for (const { name, isEphemeral } of claimNames(pod)) {
    if (isEphemeral) continue
    const claim = objects.claim(pod.namespace, name)
    if (claim === undefined) return refused(notFound('persistentvolumeclaim', name))
    if (!claim.spec.volumeName) {
      const className = claimClass(claim)
      if (className === '') return refused('PersistentVolumeClaim had no pv name and storageClass name')
      const storageClass = objects.storageClass(className)
      if (storageClass === undefined) return refused(notFound('storageclass.storage.k8s.io', className))
      if (storageClass.volumeBindingMode === 'WaitForFirstConsumer') continue
      return refused('PersistentVolume had no name')
    }
    const volume = objects.volume(claim.spec.volumeName)
    if (volume === undefined) return refused(notFound('persistentvolume', claim.spec.volumeName))
    for (const key of zoneKeys) {
      const value = volume.metadata.labels?.[key]
      if (value !== undefined) asked.push({ key, values: new Set(value.split('__')) })
    }
  }
  if (asked.length === 0) return undefined
  return {
    kind: 'filter',
    filter: node => {
      const labels = nodes[node]?.metadata.labels ?? {}
      if (!zoneKeys.some(key => Object.hasOwn(labels, key))) return undefined
      const isMet = asked.every(({ key, values }) => {
        const value = labels[key] ?? labels[modernKeys[key] ?? key]
        return value !== undefined && values.has(value)
      })
      return isMet ? undefined : noZone
    },
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined
}
