// Plays the controllers that complete what the scheduler begins with volumes: it binds the claim to the volume that
// the scheduler reserved, and provisions a volume for a claim that got a selected node.
import { type ApiClient, type ApiObject, apiPath } from '../control-plane/api-client.ts'
import { csiDriver } from './seeded-volumes.ts'

const zoneLabel = 'topology.kubernetes.io/zone'
const volumeType = { apiVersion: 'v1', kind: 'PersistentVolume' } as const
const claimType = { apiVersion: 'v1', kind: 'PersistentVolumeClaim' } as const

interface VolumeSpec {
  readonly claimRef?: { readonly name: string; readonly namespace: string }
}

/** All volumes and claims, with their types filled in, volumes first, each by name. */
export async function volumesAndClaims(client: ApiClient): Promise<ApiObject[]> {
  const lists = await Promise.all([volumeType, claimType].map(type => client.want('GET', apiPath(type))))
  return lists.flatMap((list, index) => {
    const type = index === 0 ? volumeType : claimType
    return (list.items as ApiObject[]).map(item => ({ ...item, ...type }))
  })
}

/** One round over all claims; call it again until the pod that waits for them is bound. */
export async function completeVolumes(client: ApiClient, nodes: readonly ApiObject[]): Promise<void> {
  const objects = await volumesAndClaims(client)
  for (const claim of objects.filter(object => object.kind === claimType.kind)) {
    if ((claim.spec as { volumeName?: string }).volumeName !== undefined) continue
    const reserved = objects.find(object => {
      const { claimRef } = (object.spec ?? {}) as VolumeSpec
      return claimRef?.name === claim.metadata.name && claimRef.namespace === claim.metadata.namespace
    })
    if (reserved !== undefined) {
      await bind(client, reserved.metadata.name, claim)
      continue
    }
    const annotations = (claim.metadata.annotations ?? {}) as Readonly<Record<string, string>>
    const selected = annotations['volume.kubernetes.io/selected-node']
    const node = nodes.find(candidate => candidate.metadata.name === selected)
    if (node === undefined) continue
    const volume = provisionedVolume(claim, node)
    await client.want('POST', apiPath(volumeType), volume)
    await bind(client, volume.metadata.name, claim)
  }
}

function provisionedVolume(claim: ApiObject, node: ApiObject): ApiObject {
  const zone = node.metadata.labels?.[zoneLabel]
  const [key, value] = zone === undefined ? ['kubernetes.io/hostname', node.metadata.name] : [zoneLabel, zone]
  const { storageClassName } = claim.spec as { storageClassName: string }
  const { name, namespace, uid } = claim.metadata
  return {
    ...volumeType,
    metadata: { name: `made-${name}`, annotations: { 'pv.kubernetes.io/provisioned-by': csiDriver } },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Delete',
      storageClassName,
      claimRef: { ...claimType, name, namespace, uid },
      csi: { driver: csiDriver, volumeHandle: `made-${name}` },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'In', values: [value] }] }] } },
    },
  }
}

async function bind(client: ApiClient, volume: string, claim: ApiObject): Promise<void> {
  const { name, namespace } = claim.metadata
  const path = apiPath(claimType, namespace, name)
  await client.want('PATCH', `${apiPath(volumeType, '', volume)}/status`, { status: { phase: 'Bound' } })
  // The status first: the scheduler goes on as soon as it sees the claim's spec complete.
  const { accessModes, resources } = claim.spec as { accessModes: string[]; resources: { requests: object } }
  await client.want('PATCH', `${path}/status`, { status: { phase: 'Bound', accessModes, capacity: resources.requests } })
  await client.want('PATCH', path, {
    metadata: { annotations: { 'pv.kubernetes.io/bind-completed': 'yes', 'pv.kubernetes.io/bound-by-controller': 'yes' } },
    spec: { volumeName: volume },
  })
}
