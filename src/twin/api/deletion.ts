// DELETE: preconditions, grace, finalizers, removal, in that order.
import type { KubeObject } from '#kube/objects/objects.ts'
import { conflict, forbidden, StatusError, statusBody } from '#kube/objects/status.ts'
import { secondsMs } from '#kube/time/duration.ts'
import type { DeleteChoice } from '../access.ts'
import { draftOf, integerAt, itemsAt, listAt, raised, setAt, textAt } from '../json-value.ts'
import { immortalNamespaces } from './admission/admission.ts'
import { type ApiServer, timestamp } from './api-server.ts'
import { withdraw } from './custom/custom-resources.ts'
import type { ResourceType } from './resource-type.ts'
import { asStored, subjectOf, type WritePipeline } from './write-pipeline.ts'

const definitions = 'customresourcedefinitions.apiextensions.k8s.io'
/** What a definition has while its objects are deleted. */
const cleanup = 'customresourcecleanup.apiextensions.k8s.io'
const terminating = {
  type: 'Terminating',
  status: 'True',
  reason: 'InstanceDeletionPending',
  message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
}

interface DeletionOutcome {
  readonly object: KubeObject
  readonly isGone: boolean
}

export interface DeletionChoice extends DeleteChoice {
  readonly isDryRun?: boolean
}

export class Deletion {
  readonly #server: ApiServer
  readonly #writes: WritePipeline

  constructor(server: ApiServer, writes: WritePipeline) {
    this.#server = server
    this.#writes = writes
  }

  /** Deletes an object, or marks it as being deleted where something must happen first. @throws StatusError 404, 409. */
  remove(type: ResourceType, namespace: string | undefined, name: string, choice: DeletionChoice): DeletionOutcome {
    const existing = this.#writes.existing(type, namespace, name)
    checkPreconditions(type, existing, choice)
    if (type.key === 'namespaces') return this.#removeNamespace(type, existing, choice)
    if (type.key === definitions) return this.#removeDefinition(type, existing, choice)
    const finalizers = wantedFinalizers(type, existing, choice)
    const graceSeconds = type.key === 'pods' ? podGrace(existing, choice) : 0
    if (graceSeconds > 0) return this.#startGrace(type, existing, graceSeconds, finalizers, choice)
    if (finalizers.length > 0) return this.#mark(type, existing, finalizers, choice)
    const removed = choice.isDryRun === true ? existing : this.#removeNow(type, existing)
    return { object: type.key === 'pods' ? this.#ended(removed) : removed, isGone: true }
  }

  /** @throws StatusError 409 where a precondition does not hold. */
  check(type: ResourceType, existing: KubeObject, choice: DeletionChoice): void {
    checkPreconditions(type, existing, choice)
  }

  /** Yields the last state, at the version of its removal. */
  #removeNow(type: ResourceType, existing: KubeObject): KubeObject {
    const removed = this.#server.store.remove(type.key, existing.metadata.namespace, existing.metadata.name)
    if (type.key === definitions) {
      for (const served of this.#server.resources
        .all()
        .filter(candidate => candidate.custom?.definition === existing.metadata.name)) {
        for (const object of this.#server.store.list(served.key))
          this.#server.store.remove(served.key, object.metadata.namespace, object.metadata.name)
      }
      withdraw(this.#server, existing)
    }
    return removed ?? existing
  }

  /** A definition is marked first, whatever is to become of dependents, and goes once its objects are gone: here within the same request. */
  #removeDefinition(type: ResourceType, existing: KubeObject, choice: DeletionChoice): DeletionOutcome {
    if (existing.metadata.deletionTimestamp !== undefined) {
      const isHeld = (existing.metadata.finalizers?.length ?? 0) > 0
      if (!isHeld && choice.isDryRun !== true) this.#removeNow(type, existing)
      return { object: existing, isGone: !isHeld }
    }
    const now = timestamp(this.#server.clock.now())
    const held = existing.metadata.finalizers ?? []
    const draft = draftOf(existing)
    setAt(draft, ['metadata', 'deletionTimestamp'], now)
    setAt(draft, ['metadata', 'finalizers'], [...held.filter(name => name !== cleanup), cleanup])
    const conditions = itemsAt(draft, 'status', 'conditions').filter(condition => condition['type'] !== 'Terminating')
    setAt(draft, ['status', 'conditions'], [...conditions, { ...terminating, lastTransitionTime: now }])
    const marked = asStored(draft)
    if (choice.isDryRun === true) return { object: marked, isGone: false }
    const stored = this.#server.store.put(type.key, marked)
    const others = held.filter(name => name !== cleanup)
    if (others.length === 0) this.#removeNow(type, stored)
    else {
      const left = draftOf(stored)
      setAt(left, ['metadata', 'finalizers'], [...others])
      this.#server.store.put(type.key, asStored(left))
    }
    return { object: stored, isGone: false }
  }

  /** A pod that went at once, as the answer shows it. */
  #ended(pod: KubeObject): KubeObject {
    const draft = draftOf(pod)
    setAt(draft, ['metadata', 'deletionTimestamp'], pod.metadata.deletionTimestamp ?? timestamp(this.#server.clock.now()))
    setAt(draft, ['metadata', 'deletionGracePeriodSeconds'], 0)
    const { generation, deletionTimestamp } = pod.metadata
    if (generation !== undefined && deletionTimestamp === undefined) setAt(draft, ['metadata', 'generation'], raised(generation))
    return asStored(draft)
  }

  /** A pod gets time to end; asking again may only shorten it. */
  #startGrace(
    type: ResourceType,
    existing: KubeObject,
    seconds: number | bigint,
    finalizers: readonly string[],
    choice: DeletionChoice,
  ): DeletionOutcome {
    const before = existing.metadata.deletionGracePeriodSeconds
    if (existing.metadata.deletionTimestamp !== undefined && before !== undefined && seconds >= before)
      return { object: existing, isGone: false }
    return this.#mark(type, existing, finalizers, choice, seconds)
  }

  #mark(
    type: ResourceType,
    existing: KubeObject,
    finalizers: readonly string[],
    choice: DeletionChoice,
    seconds: number | bigint = 0,
  ): DeletionOutcome {
    const isMarked = existing.metadata.deletionTimestamp !== undefined
    const draft = draftOf(existing)
    if (!isMarked || type.key === 'pods') {
      setAt(draft, ['metadata', 'deletionTimestamp'], timestamp(this.#deletionMs(existing, seconds)))
      setAt(draft, ['metadata', 'deletionGracePeriodSeconds'], seconds)
      const generation = existing.metadata.generation
      if (generation !== undefined && !isMarked) setAt(draft, ['metadata', 'generation'], raised(generation))
    }
    setAt(draft, ['metadata', 'finalizers'], finalizers.length === 0 ? undefined : [...finalizers])
    const object = asStored(draft)
    if (choice.isDryRun === true) return { object, isGone: false }
    return { object: this.#server.store.put(type.key, object), isGone: false }
  }

  /** When the grace ends: counted from the first request, so that a shorter one brings the end nearer. */
  #deletionMs(existing: KubeObject, seconds: number | bigint): number {
    const { deletionTimestamp, deletionGracePeriodSeconds } = existing.metadata
    const now = this.#server.clock.now()
    if (deletionTimestamp === undefined) return now + secondsMs(seconds)
    const askedMs = Date.parse(deletionTimestamp) - secondsMs(deletionGracePeriodSeconds ?? 0)
    return Math.max(now, askedMs + secondsMs(seconds))
  }

  /** Its controller empties a namespace and takes the finalizer away. */
  #removeNamespace(type: ResourceType, existing: KubeObject, choice: DeletionChoice): DeletionOutcome {
    if (immortalNamespaces.includes(existing.metadata.name))
      throw forbidden(subjectOf(type), existing.metadata.name, 'this namespace may not be deleted')
    if (listAt(existing, 'spec', 'finalizers').length === 0 && (existing.metadata.finalizers?.length ?? 0) === 0) {
      if (choice.isDryRun !== true) this.#server.store.remove(type.key, undefined, existing.metadata.name)
      return { object: existing, isGone: true }
    }
    const draft = draftOf(existing)
    setAt(draft, ['metadata', 'deletionTimestamp'], existing.metadata.deletionTimestamp ?? timestamp(this.#server.clock.now()))
    setAt(draft, ['status', 'phase'], 'Terminating')
    if (choice.propagationPolicy === 'Orphan')
      setAt(draft, ['metadata', 'finalizers'], [...wantedFinalizers(type, existing, choice)])
    const object = asStored(draft)
    return { object: choice.isDryRun === true ? object : this.#server.store.put(type.key, object), isGone: false }
  }
}

function checkPreconditions(type: ResourceType, existing: KubeObject, choice: DeletionChoice): void {
  const { uid, resourceVersion } = choice.preconditions ?? {}
  const subject = { group: type.group, resource: type.kind }
  const { name } = existing.metadata
  if (type.key === definitions || type.key === 'namespaces') {
    for (const [field, wanted] of [
      ['UID', uid],
      ['ResourceVersion', resourceVersion],
    ] as const) {
      const found = field === 'UID' ? existing.metadata.uid : existing.metadata.resourceVersion
      if (wanted === undefined || wanted === found) continue
      const why = `Precondition failed: ${field} in precondition: ${wanted}, ${field} in object meta: ${found ?? ''}`
      throw conflict(subjectOf(type), name, why)
    }
    return
  }
  if (uid !== undefined && uid !== existing.metadata.uid) {
    throw preconditionFailed(
      subject,
      name,
      `the UID in the precondition (${uid}) does not match the UID in record (${existing.metadata.uid ?? ''}). The object might have been deleted and then recreated`,
    )
  }
  if (resourceVersion !== undefined && resourceVersion !== existing.metadata.resourceVersion) {
    throw preconditionFailed(
      subject,
      name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${existing.metadata.resourceVersion ?? ''}). The object might have been modified`,
    )
  }
}

function preconditionFailed(
  subject: { readonly group: string; readonly resource: string },
  name: string,
  why: string,
): StatusError {
  const message = `Operation cannot be fulfilled on ${subject.resource} "${name}": ${why}`
  return subject.group === ''
    ? new StatusError(statusBody(409, message, 'Conflict', { name, kind: subject.resource }))
    : conflict(subject, name, why)
}

const leavesDependents: ReadonlySet<string> = new Set(['jobs.batch', 'replicationcontrollers'])

/** The finalizers the object has to lose before it goes, with those that the propagation policy adds. */
function wantedFinalizers(type: ResourceType, existing: KubeObject, choice: DeletionChoice): readonly string[] {
  // Nothing depends on an Event.
  if (type.key === 'events') return existing.metadata.finalizers ?? []
  const present = (existing.metadata.finalizers ?? []).filter(name => name !== 'foregroundDeletion' && name !== 'orphan')
  const kept = existing.metadata.finalizers ?? []
  switch (choice.propagationPolicy) {
    case 'Foreground':
      return [...present, 'foregroundDeletion']
    case 'Orphan':
      return [...present, 'orphan']
    case 'Background':
      return present
    default:
      // The oldest workloads leave their pods unless told otherwise.
      return leavesDependents.has(type.key) && kept.length === present.length ? [...kept, 'orphan'] : kept
  }
}

/** Seconds a pod is given. None where it runs nowhere, or no longer. */
function podGrace(pod: KubeObject, choice: DeletionChoice): number | bigint {
  const phase = textAt(pod, 'status', 'phase')
  if ((textAt(pod, 'spec', 'nodeName') ?? '') === '' || phase === 'Succeeded' || phase === 'Failed') return 0
  return choice.gracePeriodSeconds ?? integerAt(pod, 'spec', 'terminationGracePeriodSeconds') ?? 30
}
