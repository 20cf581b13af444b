// POST …/pods/P/binding: a pod is given its node.
import type { KubeObject } from '#kube/objects/objects.ts'
import { conflict, notFound } from '#kube/objects/status.ts'
import { type Draft, draftOf, itemsAt, setAt, textAt, textsAt } from '../../json-value.ts'
import { type ApiServer, timestamp } from '../api-server.ts'
import type { WriteOptions } from '../write-options.ts'
import { asStored, type WritePipeline } from '../write-pipeline.ts'

interface BindingTarget {
  readonly namespace: string
  readonly pod: string
  readonly node: string
  /** The request's own object: what it says of the pod's identity, and what it adds to its metadata. */
  readonly binding: Draft
}

/** Sets the pod's node and PodScheduled. @throws StatusError 404 without the pod, 409 where it is bound or going. */
export function bindPod(server: ApiServer, _writes: WritePipeline, target: BindingTarget, _options: WriteOptions): KubeObject {
  const subject = { group: '', resource: 'pods/binding' }
  const pod = server.store.get('pods', target.namespace, target.pod)
  if (pod === undefined) throw notFound({ group: '', resource: 'pods' }, target.pod)
  checkIdentity(pod, target)
  const bound = textAt(pod, 'spec', 'nodeName') ?? ''
  if (bound !== '') throw conflict(subject, target.pod, `pod ${target.pod} is already assigned to node ${JSON.stringify(bound)}`)
  if (pod.metadata.deletionTimestamp !== undefined)
    throw conflict(subject, target.pod, `pod ${target.pod} is being deleted, cannot be assigned to a host`)
  const gates = itemsAt(pod, 'spec', 'schedulingGates')
  if (gates.length > 0) throw conflict(subject, target.pod, `pod ${target.pod} has non-empty .spec.schedulingGates`)
  const draft = draftOf(pod)
  setAt(draft, ['spec', 'nodeName'], target.node)
  for (const name of ['labels', 'annotations'] as const) {
    const added = textsAt(target.binding, 'metadata', name)
    if (Object.keys(added).length > 0) setAt(draft, ['metadata', name], { ...pod.metadata[name], ...added })
  }
  const others = itemsAt(draft, 'status', 'conditions').filter(condition => condition['type'] !== 'PodScheduled')
  const scheduled = {
    type: 'PodScheduled',
    status: 'True',
    lastProbeTime: null,
    lastTransitionTime: timestamp(server.clock.now()),
  }
  setAt(draft, ['status', 'conditions'], [scheduled, ...others])
  return server.store.put('pods', asStored(draft))
}

/** @throws StatusError 409 where another pod, or another version of it, is meant */
function checkIdentity(pod: KubeObject, { pod: name, namespace, binding }: BindingTarget): void {
  const pairs = [
    ['UID', textAt(binding, 'metadata', 'uid') ?? '', pod.metadata.uid ?? ''],
    ['ResourceVersion', textAt(binding, 'metadata', 'resourceVersion') ?? '', pod.metadata.resourceVersion ?? ''],
  ] as const
  for (const [what, wanted, found] of pairs) {
    if (wanted === '' || wanted === found) continue
    const why = `Precondition failed: ${what} in precondition: ${wanted}, ${what} in object meta: ${found}`
    const key = `/registry/pods/${namespace}/${name}`
    throw conflict(
      { group: '', resource: 'pods' },
      name,
      `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${why}`,
    )
  }
}
