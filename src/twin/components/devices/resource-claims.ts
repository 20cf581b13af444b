// Claims of devices, as resourceclaim-controller of kube-controller-manager 1.36 keeps them: made from templates, reserved for pods that
// got their node from somebody else, given back when their pods are done, and gone with them.

import type { ClaimConsumer, ResourceClaim, ResourceClaimTemplate } from '#cluster/devices/device-shapes.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { isConflict, isNotFound, notFound } from '#kube/objects/status.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { EventSource } from '../event-recorder.ts'
import { isFinished, isTerminating, keyOf, splitKey } from '../workloads/pod-state.ts'
import { isNamespaceTerminating } from '../workloads/slow-start.ts'

const writer = controllerWriter('resource-claim-controller')
const source: EventSource = { component: 'resource_claim', writer }
const claims = 'resourceclaims.resource.k8s.io'
const finalizer = 'resource.kubernetes.io/delete-protection'
const podClaimAnnotation = 'resource.kubernetes.io/pod-claim-name'
/** A name has 63 characters: a hyphen and five random ones come behind. */
const longestGeneratedBase = 57

export function startResourceClaims(context: ComponentContext): void {
  const { view, loop } = context
  const controller = new ResourceClaims(context)
  const pods = loop.queue('resource-claim-pods', key => controller.pod(key))
  const released = loop.queue('resource-claims', key => controller.claim(key))
  const noteClaims = (pod: Pod) => {
    for (const { resourceClaimName } of claimNames(pod)) released.add(`${pod.metadata.namespace}/${resourceClaimName}`)
  }
  const notePod = (pod: Pod) => {
    if ((pod.spec.resourceClaims ?? []).length === 0) return
    if (isDone(pod)) noteClaims(pod)
    else if (!isTerminating(pod)) pods.add(keyOf(pod))
  }
  view.each('pods', notePod)
  view.on('pods', ({ type, object }) => {
    if (type !== 'DELETED') notePod(object)
    else if ((object.spec.resourceClaims ?? []).length > 0) noteClaims(object)
  })
  view.each(claims, claim => released.add(keyOf(claim)))
  view.on(claims, ({ type, object }) => {
    if (type !== 'DELETED') released.add(keyOf(object))
    for (const pod of view.list('pods', object.metadata.namespace))
      if (claimNames(pod).some(({ resourceClaimName }) => resourceClaimName === object.metadata.name)) notePod(pod)
  })
  view.on('resourceclaimtemplates.resource.k8s.io', ({ object }) => {
    for (const pod of view.list('pods', object.metadata.namespace))
      if (pod.spec.resourceClaims?.some(claim => claim.resourceClaimTemplateName === object.metadata.name)) notePod(pod)
  })
}

class ResourceClaims {
  readonly #context: ComponentContext

  constructor(context: ComponentContext) {
    this.#context = context
  }

  /** Makes what the pod's templates say, tells the pod of it, and reserves what it uses already. */
  pod(key: string): void {
    const { access, view } = this.#context
    const { namespace, name } = splitKey(key)
    const pod = view.get('pods', namespace, name)
    if (pod === undefined || isTerminating(pod) || isDone(pod)) return
    const made: { name: string; resourceClaimName: string }[] = []
    for (const claim of pod.spec.resourceClaims ?? []) {
      const { resourceClaimTemplateName: template } = claim
      if (template === undefined || this.#isThere(pod, claim.name)) continue
      const found = this.#madeBefore(pod, claim.name) ?? this.#make(pod, claim.name, template)
      if (found === undefined) return
      made.push({ name: claim.name, resourceClaimName: found.metadata.name })
    }
    if (made.length > 0) {
      const kept = (pod.status?.resourceClaimStatuses ?? []).filter(one => !made.some(({ name: other }) => other === one.name))
      const resourceClaimStatuses = [...kept, ...made]
      try {
        access.update('pods', { ...pod, status: { ...pod.status, resourceClaimStatuses } }, writer, { subresource: 'status' })
      } catch (error) {
        if (!isConflict(error) && !isNotFound(error)) throw error
      }
      return
    }
    if (pod.spec.nodeName) this.#reserve(pod)
  }

  #isThere(pod: Pod, podClaim: string): boolean {
    const status = pod.status?.resourceClaimStatuses?.find(({ name }) => name === podClaim)
    if (status === undefined) return false
    if (!status.resourceClaimName) return true
    const claim = this.#context.view.get(claims, pod.metadata.namespace, status.resourceClaimName)
    return claim !== undefined && ownerOf(claim)?.uid === pod.metadata.uid
  }

  /** A claim that was made when its name could not be told to the pod. */
  #madeBefore(pod: Pod, podClaim: string): ResourceClaim | undefined {
    return this.#context.view
      .list(claims, pod.metadata.namespace)
      .find(claim => ownerOf(claim)?.uid === pod.metadata.uid && claim.metadata.annotations?.[podClaimAnnotation] === podClaim)
  }

  #make(pod: Pod, podClaim: string, templateName: string): ResourceClaim | undefined {
    const { access, view, events } = this.#context
    const { namespace, name, uid = '' } = pod.metadata
    const template = view.get('resourceclaimtemplates.resource.k8s.io', namespace, templateName)
    if (template === undefined) {
      // It is tried again, later and later, until the template is there.
      const error = notFound({ group: 'resource.k8s.io', resource: 'resourceclaimtemplate' }, templateName)
      const message = `PodResourceClaim ${podClaim}: resource claim template "${templateName}": ${error.message}`
      events.record(pod, source, { type: 'Warning', reason: 'FailedResourceClaimCreation', message, action: '' })
      throw error
    }
    try {
      return access.create(claims, claimOf(template, { podClaim, namespace, name, uid }), writer) as ResourceClaim
    } catch (error) {
      if (isNamespaceTerminating(error)) return undefined
      throw error
    }
  }

  /** A pod that has its node from somebody else than the scheduler uses claims that are allocated already. */
  #reserve(pod: Pod): void {
    const { access, view } = this.#context
    const { namespace, name, uid = '' } = pod.metadata
    for (const { resourceClaimName } of claimNames(pod)) {
      const claim = view.get(claims, namespace, resourceClaimName)
      const { allocation, reservedFor = [] } = claim?.status ?? {}
      if (claim === undefined || allocation === undefined || reservedFor.some(one => one.uid === uid)) continue
      const consumer: ClaimConsumer = { resource: 'pods', name, uid }
      const status = { ...claim.status, reservedFor: [...reservedFor, consumer] }
      access.update(claims, { ...claim, status }, writer, { subresource: 'status' })
    }
  }

  /** Takes the claim from pods that are done; free of all it is allocated no more, and one that was made for such a pod is gone. */
  claim(key: string): void {
    const { namespace, name } = splitKey(key)
    const claim = this.#context.view.get(claims, namespace, name)
    if (claim === undefined) return
    try {
      this.#release(claim)
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error
    }
  }

  #release(stored: ResourceClaim): void {
    const { access, view } = this.#context
    const { namespace, name } = stored.metadata
    const reservedFor = stored.status?.reservedFor ?? []
    const remaining = reservedFor.filter(consumer => this.#isUsing(stored, consumer))
    const isProtected = stored.metadata.finalizers?.includes(finalizer) === true
    const isLeft = remaining.length < reservedFor.length
    if (isLeft || (isProtected && isTerminating(stored) && remaining.length === 0)) {
      const { allocation, reservedFor: _, devices, ...rest } = stored.status ?? {}
      const isFree = remaining.length === 0 && isProtected
      const status = isFree
        ? rest
        : {
            ...rest,
            ...(allocation === undefined ? {} : { allocation }),
            ...(devices === undefined ? {} : { devices }),
            ...(remaining.length > 0 ? { reservedFor: remaining } : {}),
          }
      let claim = stored
      if (isLeft || allocation !== undefined)
        claim = access.update(claims, { ...claim, status }, writer, { subresource: 'status' }) as ResourceClaim
      if (isProtected && claim.status?.allocation === undefined) {
        const finalizers = (claim.metadata.finalizers ?? []).filter(one => one !== finalizer)
        access.update(claims, { ...claim, metadata: { ...claim.metadata, finalizers } }, writer)
      }
    }
    if (remaining.length > 0 || isTerminating(stored)) return
    const owner = ownerOf(stored)
    const pod = owner === undefined ? undefined : view.get('pods', namespace, owner.name)
    // A pod that is not there is the garbage collector's business.
    if (owner === undefined || pod === undefined) return
    if (pod.metadata.uid !== owner.uid || isDone(pod)) access.remove(claims, namespace, name, writer)
  }

  /** Consumers that are no pods are somebody else's: they stay. */
  #isUsing(claim: ResourceClaim, { apiGroup, resource, name, uid }: ClaimConsumer): boolean {
    if (apiGroup || resource !== 'pods') return true
    const pod = this.#context.view.get('pods', claim.metadata.namespace, name)
    return pod !== undefined && pod.metadata.uid === uid && !isDone(pod)
  }
}

interface ForPod {
  readonly podClaim: string
  readonly namespace: string | undefined
  readonly name: string
  readonly uid: string
}

function claimOf({ spec }: ResourceClaimTemplate, { podClaim, namespace = '', name, uid }: ForPod) {
  const { labels, annotations } = spec.metadata ?? {}
  return {
    apiVersion: 'resource.k8s.io/v1',
    kind: 'ResourceClaim',
    metadata: {
      // The API server makes the name.
      name: '',
      generateName: generatedBase(name, podClaim),
      namespace,
      ...(labels === undefined ? {} : { labels }),
      annotations: { ...annotations, [podClaimAnnotation]: podClaim },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name, uid, controller: true }],
    },
    spec: spec.spec,
  }
}

/** Pod and claim, each cut in proportion where both together are too long. */
function generatedBase(pod: string, podClaim: string): string {
  const whole = `${pod}-${podClaim}-`
  if (whole.length <= longestGeneratedBase) return whole
  const part = (text: string, of: number) => text.slice(0, Math.floor((text.length * longestGeneratedBase) / of))
  const first = part(pod, whole.length)
  return `${first}-${part(podClaim, whole.length)}`
}

function ownerOf({ metadata }: ResourceClaim): { readonly name: string; readonly uid: string } | undefined {
  const owner = metadata.ownerReferences?.find(
    ({ apiVersion, kind, controller }) => apiVersion === 'v1' && kind === 'Pod' && controller === true,
  )
  return owner?.uid === undefined ? undefined : { name: owner.name, uid: owner.uid }
}

/** The claims of a pod that have a name. */
function claimNames({ spec, status }: Pod): readonly { readonly resourceClaimName: string }[] {
  return (spec.resourceClaims ?? []).flatMap(({ name, resourceClaimName }) => {
    const made = resourceClaimName ?? status?.resourceClaimStatuses?.find(one => one.name === name)?.resourceClaimName
    return made ? [{ resourceClaimName: made }] : []
  })
}

/** Finished, or on its way out before it had a node. */
function isDone(pod: Pod): boolean {
  return isFinished(pod) || (isTerminating(pod) && !pod.spec.nodeName)
}
