// Storage of a seeded cluster: classes, volumes and claims in the states that filters tell apart.
import type { ApiObject } from '../control-plane/api-client.ts'
import type { SeededRandom } from './seeded-random.ts'

/** Claims by what the scheduler has to do with them. Names are unique; all are in the namespace `data`. */
export interface ClaimPool {
  /** Bound to a volume of one node, of one zone by affinity, of one zone by labels, of any node. */
  readonly bound: readonly string[]
  /** Bound, `ReadWriteOncePod`: one pod at a time. */
  readonly single: readonly string[]
  /** Waiting for their first pod, to be bound to one of the local volumes. */
  readonly local: readonly string[]
  /** Waiting for their first pod, to be provisioned. */
  readonly provisioned: readonly string[]
  /** Not bound although their class binds at once. */
  readonly stuck: readonly string[]
}

export const claimNamespace = 'data'
export const csiDriver = 'disk.csi.example.com'
const zoneLabel = 'topology.kubernetes.io/zone'

/** Storage for a cluster of these nodes. Bound claims and their volumes carry the status that says so. */
export function seededVolumes(
  random: SeededRandom,
  nodes: readonly ApiObject[],
): { readonly objects: readonly ApiObject[]; readonly claims: ClaimPool } {
  const nodeNames = nodes.map(node => node.metadata.name)
  const zones = [...new Set(nodes.flatMap(node => node.metadata.labels?.[zoneLabel] ?? []))]
  const objects: ApiObject[] = [...classes(random, zones), ...csiNodes(random, nodeNames)]
  const claims = {
    bound: [] as string[],
    single: [] as string[],
    local: [] as string[],
    provisioned: [] as string[],
    stuck: [] as string[],
  }
  for (let index = 0; index < 8; index++) {
    const isSingle = index % 4 === 3
    const name = `bound-${index}`
    const where = random.pick(
      zones.length === 0 ? (['node', 'any'] as const) : (['node', 'zone', 'labels', 'any', 'any'] as const),
    )
    const place = {
      node: { affinity: ['kubernetes.io/hostname', random.some(nodeNames, 0.5)] as const },
      zone: { affinity: [zoneLabel, zones.slice(0, random.between(1, 2))] as const },
      labels: { labels: { [zoneLabel]: random.chance(0.3) ? zones.join('__') : random.pick([...zones, 'none']) } },
      any: {},
    }[where]
    objects.push(
      ...boundPair(name, { place, accessMode: isSingle ? 'ReadWriteOncePod' : 'ReadWriteOnce', isCsi: random.chance(0.8) }),
    )
    claims[isSingle ? 'single' : 'bound'].push(name)
  }
  for (let index = 0; index < 6; index++) {
    objects.push(localVolume(`local-volume-${index}`, random.pick(nodeNames), random.pick(['5Gi', '10Gi', '20Gi', '21Gi'])))
  }
  for (let index = 0; index < 4; index++) {
    objects.push(claim(`local-${index}`, 'local', random.pick(['5Gi', '6Gi', '15Gi'])))
    claims.local.push(`local-${index}`)
    objects.push(claim(`provisioned-${index}`, random.pick(['csi', 'csi', 'csi-zone']), '1Gi'))
    claims.provisioned.push(`provisioned-${index}`)
  }
  objects.push(claim('stuck-0', 'at-once', '1Gi'))
  claims.stuck.push('stuck-0')
  return { objects, claims }
}

function classes(random: SeededRandom, zones: readonly string[]): ApiObject[] {
  const storageClass = (name: string, provisioner: string, volumeBindingMode: string, more: object = {}): ApiObject => ({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name },
    provisioner,
    volumeBindingMode,
    ...more,
  })
  const allowed = zones.length === 0 ? ['nowhere'] : [random.pick(zones)]
  return [
    storageClass('local', 'kubernetes.io/no-provisioner', 'WaitForFirstConsumer'),
    storageClass('csi', csiDriver, 'WaitForFirstConsumer'),
    storageClass('csi-zone', csiDriver, 'WaitForFirstConsumer', {
      allowedTopologies: [{ matchLabelExpressions: [{ key: zoneLabel, values: allowed }] }],
    }),
    storageClass('at-once', csiDriver, 'Immediate'),
  ]
}

function csiNodes(random: SeededRandom, nodeNames: readonly string[]): ApiObject[] {
  return nodeNames.flatMap(name => {
    if (random.chance(0.2)) return []
    const driver = {
      name: csiDriver,
      nodeID: name,
      topologyKeys: [zoneLabel],
      ...(random.chance(0.8) ? { allocatable: { count: random.between(1, 3) } } : {}),
    }
    return [{ apiVersion: 'storage.k8s.io/v1', kind: 'CSINode', metadata: { name }, spec: { drivers: [driver] } }]
  })
}

function claim(name: string, storageClassName: string, storage: string): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: claimNamespace },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName, resources: { requests: { storage } } },
  }
}

interface BoundOptions {
  readonly place: { readonly affinity?: readonly [string, readonly string[]]; readonly labels?: Readonly<Record<string, string>> }
  readonly accessMode: string
  readonly isCsi: boolean
}

function boundPair(name: string, { place, accessMode, isCsi }: BoundOptions): ApiObject[] {
  const volume = `volume-${name}`
  const [key, values] = place.affinity ?? ['', []]
  const source = isCsi
    ? { csi: { driver: csiDriver, volumeHandle: volume } }
    : { nfs: { server: 'nfs.example', path: `/${name}` } }
  return [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: volume, ...(place.labels === undefined ? {} : { labels: place.labels }) },
      spec: {
        capacity: { storage: '8Gi' },
        accessModes: [accessMode],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: '',
        claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace: claimNamespace },
        ...(values.length === 0
          ? {}
          : { nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'In', values }] }] } } }),
        ...source,
      },
      status: { phase: 'Bound' },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name, namespace: claimNamespace, annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
      spec: {
        accessModes: [accessMode],
        storageClassName: '',
        volumeName: volume,
        resources: { requests: { storage: '8Gi' } },
      },
      status: { phase: 'Bound', accessModes: [accessMode], capacity: { storage: '8Gi' } },
    },
  ]
}

function localVolume(name: string, node: string, storage: string): ApiObject {
  const terms = [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }]
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      capacity: { storage },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'local',
      local: { path: `/var/lib/${name}` },
      nodeAffinity: { required: { nodeSelectorTerms: terms } },
    },
    status: { phase: 'Available' },
  }
}
