// Whom a page is about: a workload by kind, namespace and name, or the nearest that there is. And its account, made once a picture.

import { controllerOf } from '#cluster/ownership.ts'
import { type Account, accountOf } from '#coordination/account/account.ts'
import { findSubject, type Subject } from '#coordination/account/subject.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import type { Ref } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import * as words from '../../words/en-workload.ts'
import { placementOf } from '../nodes/placements.ts'
import type { NotThere } from '../not-there.ts'

export type WorkloadSubject = Extract<Subject, { readonly kind: 'workload' | 'pod' }>

/** Kinds that are found by their name at once; others are looked for among owners of pods and in the books. */
const workloadKinds: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob', 'ReplicaSet'])

/** What `ref` means: itself, or the workload that it is part of; what is gone as long as the books speak of it. */
export function workloadSubject(picture: Picture, ref: Ref): WorkloadSubject | NotThere {
  const { state, book } = picture.past?.present ?? picture
  const namespace = ref.namespace ?? undefined
  const object = workloadKinds.has(ref.kind) && namespace !== undefined ? state.object(ref.kind, namespace, ref.name) : undefined
  if (object !== undefined && namespace !== undefined && controllerOf(object.metadata) === undefined) {
    const { apiVersion, kind, metadata } = object
    const workload = { apiVersion, kind, namespace, name: metadata.name, uid: metadata.uid ?? '' }
    return { kind: 'workload', workload, key: workloadKey(workload), askedFor: undefined, pod: undefined, isGone: false }
  }
  const found = findSubject(`${ref.kind}/${ref.name}`, namespace, { state, book })
  if (found.kind === 'found' && (found.subject.kind === 'workload' || found.subject.kind === 'pod')) return found.subject
  const nearest = found.kind === 'none' ? (found.nearest ?? elsewhere(picture, ref)) : undefined
  return {
    notThere: true,
    sentence: words.workloadNotThere({
      shown: shownRef(ref),
      nearest: nearest === undefined ? undefined : nearestRef(nearest, ref),
    }),
  }
}

/** One of that kind in another namespace. */
function elsewhere(picture: Picture, { kind, name }: Ref): string | undefined {
  const { state, book } = picture.past?.present ?? picture
  const found = findSubject(`${kind}/${name}`, undefined, { state, book })
  if (found.kind === 'found')
    return found.subject.kind === 'workload'
      ? `${found.subject.workload.kind} ${found.subject.workload.namespace}/${found.subject.workload.name}`
      : undefined
  return found.kind === 'several' ? found.shown[0] : found.kind === 'none' ? found.nearest : undefined
}

function shownRef({ namespace, name }: Ref): string {
  return namespace === null ? name : `${namespace}/${name}`
}

/** Reads `Deployment media/sonarr`; its kind is named where it is another than was asked for. */
function nearestRef(shown: string, asked: Ref): (Ref & { readonly text: string }) | undefined {
  const [kind = '', key = ''] = shown.split(' ')
  const [namespace = '', name = ''] = key.split('/')
  if (name === '') return undefined
  return { kind, namespace, name, text: kind.toLowerCase() === asked.kind.toLowerCase() ? key : shown }
}

const accounts = new WeakMap<Picture, Map<string, Account>>()

/** The account of `subject` as `ballast why` gives it; of a past picture as it stood then. */
export function accountFor(picture: Picture, subject: WorkloadSubject): Account {
  const known = accounts.get(picture) ?? new Map<string, Account>()
  accounts.set(picture, known)
  const key = subject.kind === 'workload' ? `${subject.key} ${subject.pod ?? ''}` : `${subject.namespace}/${subject.name}`
  const found = known.get(key)
  if (found !== undefined) return found
  const present = picture.past?.present ?? picture
  const { state, book, observed, arbiter, ownerLabel, ownNamespace, scheduler, nowMs, askers } = present
  const account = accountOf({
    subject,
    state,
    book,
    observed,
    policy: arbiter,
    ownerLabel,
    ownNamespace,
    settings: scheduler,
    placement: placementOf(present),
    nowMs,
    askers,
    ...(picture.past === undefined ? {} : { atMs: picture.nowMs }),
  })
  known.set(key, account)
  return account
}

export function refOfSubject(subject: WorkloadSubject): Ref {
  if (subject.kind === 'pod') return { kind: 'Pod', namespace: subject.namespace, name: subject.name }
  const { kind, namespace, name } = subject.workload
  return { kind, namespace, name }
}
