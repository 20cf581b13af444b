// Claims and volumes in use are not lost: the protection finalizers go when nothing uses them; claims of ephemeral volumes are made.
import type { KubeObject, PersistentVolumeClaim, Pod } from '#kube/objects/objects.ts'
import { isAlreadyExists, isConflict, isNotFound } from '#kube/objects/status.ts'
import type { Writer } from '../../access.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import { isFinished, isTerminating, keyOf, splitKey } from '../workloads/pod-state.ts'
import { controllerReference } from '../workloads/pod-template.ts'
import { isNamespaceTerminating } from '../workloads/slow-start.ts'

const claimFinalizer = 'kubernetes.io/pvc-protection'
const volumeFinalizer = 'kubernetes.io/pv-protection'

export function startVolumeProtection(context: ComponentContext): void {
  const { view, loop } = context
  const claims = loop.queue('pvc-protection', key => {
    const { namespace, name } = splitKey(key)
    const claim = view.get('persistentvolumeclaims', namespace, name)
    if (claim === undefined || !isTerminating(claim) || isUsed(context, claim)) return
    dropFinalizer(context, 'persistentvolumeclaims', claim, {
      finalizer: claimFinalizer,
      writer: controllerWriter('pvc-protection-controller'),
    })
  })
  const volumes = loop.queue('pv-protection', name => {
    const volume = view.get('persistentvolumes', undefined, name)
    if (volume === undefined || !isTerminating(volume) || volume.status?.phase === 'Bound') return
    dropFinalizer(context, 'persistentvolumes', volume, {
      finalizer: volumeFinalizer,
      writer: controllerWriter('pv-protection-controller'),
    })
  })
  view.on('persistentvolumeclaims', ({ type, object }) => {
    if (type !== 'DELETED' && isTerminating(object)) claims.add(keyOf(object))
  })
  view.on('persistentvolumes', ({ type, object }) => {
    if (type !== 'DELETED' && isTerminating(object)) volumes.add(object.metadata.name)
  })
  view.on('pods', ({ type, object }) => {
    if (type !== 'DELETED' && !isFinished(object)) return
    for (const name of claimNames(object)) claims.add(`${object.metadata.namespace}/${name}`)
  })
  view.each('persistentvolumeclaims', claim => {
    if (isTerminating(claim)) claims.add(keyOf(claim))
  })
  view.each('persistentvolumes', volume => {
    if (isTerminating(volume)) volumes.add(volume.metadata.name)
  })
}

/** Generic ephemeral volumes: a claim named after pod and volume, owned by the pod. */
export function startEphemeralVolumes(context: ComponentContext): void {
  const { access, view, loop } = context
  const writer = controllerWriter('ephemeral-volume-controller')
  const queue = loop.queue('ephemeral-volume', key => {
    const { namespace, name } = splitKey(key)
    const pod = view.get('pods', namespace, name)
    if (pod === undefined || isTerminating(pod) || isFinished(pod)) return
    for (const volume of pod.spec.volumes ?? []) {
      const template = volume.ephemeral?.volumeClaimTemplate
      if (template === undefined) continue
      const made = ephemeralClaim(pod, volume.name, template)
      try {
        if (view.get('persistentvolumeclaims', namespace, made.metadata.name) === undefined)
          access.create('persistentvolumeclaims', made, writer)
      } catch (error) {
        if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error
      }
    }
  })
  const add = (pod: Pod) => {
    if (pod.spec.volumes?.some(volume => volume.ephemeral !== undefined)) queue.add(keyOf(pod))
  }
  view.on('pods', ({ type, object }) => {
    if (type === 'ADDED') add(object)
  })
  view.each('pods', add)
}

function ephemeralClaim(pod: Pod, volume: string, template: Readonly<Record<string, unknown>>): KubeObject {
  const metadata = (template['metadata'] ?? {}) as {
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: `${pod.metadata.name}-${volume}`,
      namespace: pod.metadata.namespace ?? '',
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
      ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
      ownerReferences: [controllerReference(pod)],
    },
    spec: template['spec'],
  }
}

/** The claims that a pod uses, those of its ephemeral volumes too. */
export function claimNames(pod: Pod): readonly string[] {
  return (pod.spec.volumes ?? []).flatMap(volume => {
    if (volume.persistentVolumeClaim !== undefined) return [volume.persistentVolumeClaim.claimName]
    return volume.ephemeral === undefined ? [] : [`${pod.metadata.name}-${volume.name}`]
  })
}

function isUsed({ view }: ComponentContext, claim: PersistentVolumeClaim): boolean {
  const { namespace, name } = claim.metadata
  return view
    .list('pods', namespace)
    .some(pod => !isFinished(pod) && Boolean(pod.spec.nodeName) && claimNames(pod).includes(name))
}

interface Drop {
  readonly finalizer: string
  readonly writer: Writer
}

function dropFinalizer({ access }: ComponentContext, resource: string, object: KubeObject, { finalizer, writer }: Drop): void {
  const finalizers = (object.metadata.finalizers ?? []).filter(name => name !== finalizer)
  if (finalizers.length === (object.metadata.finalizers ?? []).length) return
  try {
    access.update(resource, { ...object, metadata: { ...object.metadata, finalizers } }, writer)
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error
  }
}
