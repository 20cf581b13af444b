// What the twin does in the place of a provisioner that is not there.
import type { PersistentVolume, PersistentVolumeClaim } from '#kube/objects/objects.ts'
import type { Writer } from '../../access.ts'
import type { ComponentContext } from '../component.ts'
import { selectedNodeAnnotation } from '../scheduling/scheduler.ts'
import { claimClassOf } from './volume-match.ts'
import { provisionedByAnnotation } from './volume-step.ts'

/** Makes the volume that a provisioner would make for the claim. */
export function provisionVolume(context: ComponentContext, claim: PersistentVolumeClaim, writer: Writer): void {
  const { access, view, events } = context
  const storageClass = view.get('storageclasses.storage.k8s.io', undefined, claimClassOf(claim))
  if (storageClass === undefined) return
  const nodeName = claim.metadata.annotations?.[selectedNodeAnnotation]
  const node = nodeName === undefined ? undefined : view.get('nodes', undefined, nodeName)
  const host = node?.metadata.labels?.['kubernetes.io/hostname'] ?? nodeName
  const isLocal = /local|hostpath/i.test(storageClass.provisioner)
  const required = {
    nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [host ?? ''] }] }],
  }
  const name = `pvc-${claim.metadata.uid ?? ''}`
  const reclaim = storageClass['reclaimPolicy']
  const volume: PersistentVolume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, annotations: { [provisionedByAnnotation]: storageClass.provisioner } },
    spec: {
      accessModes: claim.spec.accessModes ?? [],
      capacity: { storage: claim.spec.resources?.requests?.['storage'] ?? '1Gi' },
      claimRef: { namespace: claim.metadata.namespace ?? '', name: claim.metadata.name, uid: claim.metadata.uid ?? '' },
      persistentVolumeReclaimPolicy: typeof reclaim === 'string' ? reclaim : 'Delete',
      storageClassName: storageClass.metadata.name,
      ...(isLocal && host !== undefined
        ? { local: { path: `/var/lib/volumes/${name}` }, nodeAffinity: { required } }
        : remoteSource(storageClass.provisioner, name)),
    },
  }
  access.create('persistentvolumes', volume, writer)
  const source = { component: storageClass.provisioner, writer }
  events.record(claim, source, {
    type: 'Normal',
    reason: 'ProvisioningSucceeded',
    message: `Successfully provisioned volume ${name}`,
  })
}

/** A provisioner from before CSI has a slash in its name, which no driver may have: what it makes is a directory. */
function remoteSource(provisioner: string, name: string): Record<string, unknown> {
  return provisioner.includes('/')
    ? { hostPath: { path: `/var/lib/volumes/${name}`, type: 'DirectoryOrCreate' } }
    : { csi: { driver: provisioner, volumeHandle: name } }
}
