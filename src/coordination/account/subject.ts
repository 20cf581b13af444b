// Whom an account is about: KIND/NAME as kubectl takes it, found among what is there and what the books still know of.

import type { ClusterState, WorkloadReference } from '#cluster/cluster-state.ts'
import { controllerOf, kindKey } from '#cluster/ownership.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseApiVersion } from '#kube/objects/resource.ts'
import { nearestName } from '#kube/values/nearest-name.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import { planKind } from '../api.ts'
import type { Book } from './book.ts'

export type Subject =
  | {
      readonly kind: 'workload'
      readonly workload: WorkloadReference
      /** `namespace/Kind/name`. */
      readonly key: string
      /** What was asked for where it was a part of the workload: `Pod shop/cart-a`. */
      readonly askedFor: string | undefined
      /** The pod that was asked for, where it runs. */
      readonly pod: string | undefined
      readonly isGone: boolean
    }
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string; readonly isGone: boolean }
  | { readonly kind: 'node'; readonly name: string; readonly isGone: boolean }
  | { readonly kind: 'plan'; readonly name: string }
  | { readonly kind: 'policy'; readonly name: string }

export type Search =
  | { readonly kind: 'found'; readonly subject: Subject }
  | { readonly kind: 'unknown-kind'; readonly found: string; readonly nearest: string | undefined }
  | { readonly kind: 'none'; readonly shown: string; readonly nearest: string | undefined }
  | { readonly kind: 'several'; readonly shown: readonly string[] }

/** Kinds by the names that kubectl takes for them, in lower case. */
const kindNames: Readonly<Record<string, string>> = {
  ...named('Pod', 'pod', 'pods', 'po'),
  ...named('Deployment', 'deployment', 'deployments', 'deploy'),
  ...named('StatefulSet', 'statefulset', 'statefulsets', 'sts'),
  ...named('DaemonSet', 'daemonset', 'daemonsets', 'ds'),
  ...named('ReplicaSet', 'replicaset', 'replicasets', 'rs'),
  ...named('ReplicationController', 'replicationcontroller', 'replicationcontrollers', 'rc'),
  ...named('Job', 'job', 'jobs'),
  ...named('CronJob', 'cronjob', 'cronjobs', 'cj'),
  ...named('Node', 'node', 'nodes', 'no'),
  ...named(planKind, 'rebalanceplan', 'rebalanceplans', 'rbplan', 'plan', 'plans'),
  ...named('RebalancePolicy', 'rebalancepolicy', 'rebalancepolicies', 'rbpol', 'policy', 'policies'),
  ...named('DisruptionPermit', 'disruptionpermit', 'disruptionpermits', 'permit', 'permits'),
}

function named(kind: string, ...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map(name => [name, kind]))
}

const groups: Readonly<Record<string, string>> = {
  Deployment: 'apps',
  StatefulSet: 'apps',
  DaemonSet: 'apps',
  ReplicaSet: 'apps',
  Job: 'batch',
  CronJob: 'batch',
  RebalancePlan: 'ballast.dev',
  RebalancePolicy: 'ballast.dev',
  DisruptionPermit: 'ballast.dev',
}

/** Something that can be asked for. */
interface Candidate {
  readonly namespace: string | undefined
  readonly name: string
  subject(): Subject
}

/**
 * The one thing that `text` (`deploy/cart`, `deployments.apps/cart`, `pod/cart-a`) means. A pod, a permit or a ReplicaSet leads to its
 * workload; what is gone is found as long as a permit, plan or event speaks of it. Without a namespace all are searched.
 */
export function findSubject(
  text: string,
  namespace: string | undefined,
  from: { readonly state: ClusterState; readonly book: Book },
): Search {
  const slash = text.indexOf('/')
  const given = (slash < 0 ? text : text.slice(0, slash)).toLowerCase()
  const name = slash < 0 ? '' : text.slice(slash + 1)
  const kind = kindOf(given, from)
  if (kind === undefined || name === '')
    return { kind: 'unknown-kind', found: text, nearest: kind ?? nearestName(given, Object.keys(kindNames)) }
  const inScope = candidatesOf(kind, from).filter(
    one => namespace === undefined || one.namespace === undefined || one.namespace === namespace,
  )
  const found = inScope.filter(one => one.name === name)
  const subjects = [...new Map(found.map(one => [shownCandidate(kind, one), one])).values()]
  const [only] = subjects
  if (subjects.length > 1) return { kind: 'several', shown: subjects.map(one => shownCandidate(kind, one)).toSorted() }
  if (only !== undefined) return { kind: 'found', subject: only.subject() }
  const nearest = inScope.find(
    one =>
      one.name ===
      nearestTo(
        name,
        inScope.map(({ name: known }) => known),
      ),
  )
  return {
    kind: 'none',
    shown: `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`,
    nearest: nearest === undefined ? namesake(kind, name, from) : shownCandidate(kind, nearest),
  }
}

/** Another kind of that very name. */
function namesake(kind: string, name: string, from: { readonly state: ClusterState; readonly book: Book }): string | undefined {
  for (const other of new Set(Object.values(kindNames))) {
    const found = other === kind ? undefined : candidatesOf(other, from).find(one => one.name === name)
    if (found !== undefined) return shownCandidate(other, found)
  }
  return undefined
}

/** One that is spelt nearly so, else one that begins so: people remember the workload of a pod. */
function nearestTo(name: string, known: readonly string[]): string | undefined {
  return nearestName(name, known) ?? known.find(one => one.startsWith(name))
}

function kindOf(given: string, { state }: { readonly state: ClusterState }): string | undefined {
  const [word = '', ...rest] = given.split('.')
  const kind = Object.hasOwn(kindNames, word) ? kindNames[word] : undefined
  const group = rest.filter(part => !/^v\d/.test(part)).join('.')
  if (kind !== undefined && (group === '' || group === (groups[kind] ?? ''))) return kind
  // Controllers that are nobody's built-in kinds are known by the pods they have.
  for (const { workload } of state.pods.values()) {
    const own = workload?.kind.toLowerCase() ?? ''
    if (workload === undefined || (own !== word && `${own}s` !== word)) continue
    if (group === '' || group === parseApiVersion(workload.apiVersion).group) return workload.kind
  }
  return undefined
}

function shownCandidate(kind: string, { namespace, name }: Candidate): string {
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`
}

function candidatesOf(kind: string, from: { readonly state: ClusterState; readonly book: Book }): readonly Candidate[] {
  const { state, book } = from
  switch (kind) {
    case 'Node':
      return [...new Set([...state.nodes.keys(), ...book.permits.flatMap(({ record }) => record.nodes)])].map(name => ({
        namespace: undefined,
        name,
        subject: () => ({ kind: 'node', name, isGone: !state.nodes.has(name) }),
      }))
    case planKind:
      return book.plans.map(({ metadata: { name } }) => ({ namespace: undefined, name, subject: () => ({ kind: 'plan', name }) }))
    case 'RebalancePolicy':
      return book.policies.map(({ metadata: { name } }) => ({
        namespace: undefined,
        name,
        subject: () => ({ kind: 'policy', name }),
      }))
    case 'DisruptionPermit':
      return book.permits.map(({ record }) => ({
        namespace: record.namespace,
        name: record.name,
        subject: () => subjectOfPermit(record, from),
      }))
    case 'Pod':
      return podCandidates(from)
    default:
      return workloadCandidates(kind, from)
  }
}

type KeptRecord = Book['permits'][number]['record']

function subjectOfPermit(record: KeptRecord, from: { readonly state: ClusterState; readonly book: Book }): Subject {
  if (record.workload !== undefined) return byKey(record.workload, from.state, `permit ${record.namespace}/${record.name}`)
  const node = record.targets.find(target => target.kind === 'Node')?.name ?? record.nodes[0] ?? ''
  return { kind: 'node', name: node, isGone: !from.state.nodes.has(node) }
}

function podCandidates({ state, book }: { readonly state: ClusterState; readonly book: Book }): readonly Candidate[] {
  const running = Array.from(
    state.pods.values(),
    (pod): Candidate => ({
      namespace: pod.namespace,
      name: pod.name,
      subject: () =>
        pod.workload === undefined
          ? { kind: 'pod', namespace: pod.namespace, name: pod.name, isGone: false }
          : { ...ofReference(pod.workload, state), askedFor: `Pod ${pod.key}`, pod: pod.key },
    }),
  )
  const gone = (namespace: string, name: string, workload: string): readonly Candidate[] =>
    state.pods.has(`${namespace}/${name}`)
      ? []
      : [{ namespace, name, subject: () => byKey(workload, state, `Pod ${namespace}/${name}`) }]
  return [
    ...running,
    ...book.permits.flatMap(({ record: { targets, workload } }) =>
      workload === undefined
        ? []
        : targets.filter(({ kind }) => kind === 'Pod').flatMap(({ namespace, name }) => gone(namespace ?? '', name, workload)),
    ),
    ...book.plans.flatMap(plan =>
      plan.spec.moves.flatMap(move => gone(move.pod.namespace, move.pod.name, workloadKey(move.workload))),
    ),
  ]
}

function workloadCandidates(
  kind: string,
  { state, book }: { readonly state: ClusterState; readonly book: Book },
): readonly Candidate[] {
  const there = state.objects(kind).map(
    (object): Candidate => ({
      namespace: object.metadata.namespace ?? '',
      name: object.metadata.name,
      subject: () => ofObject(object, state),
    }),
  )
  const known = new Set([
    ...Array.from(state.pods.values()).flatMap(({ workload }) => (workload === undefined ? [] : [workloadKey(workload)])),
    ...book.permits.flatMap(({ record }) => record.workload ?? []),
    ...book.plans.flatMap(plan => plan.spec.moves.map(move => workloadKey(move.workload))),
  ])
  const spoken = [...known].flatMap((key): readonly Candidate[] => {
    const [namespace = '', ofKind, name = ''] = key.split('/')
    const isThere = there.some(one => one.namespace === namespace && one.name === name)
    return ofKind !== kind || isThere ? [] : [{ namespace, name, subject: () => byKey(key, state, undefined) }]
  })
  return [...there, ...spoken]
}

/** The topmost controller above `object`, or itself. */
function ofObject(object: KubeObject, state: ClusterState): Subject {
  const namespace = object.metadata.namespace ?? ''
  let top = object
  for (let level = 0; level < 10; level++) {
    const above = controllerOf(top.metadata)
    const found = above === undefined ? undefined : state.object(kindKey(above.apiVersion, above.kind), namespace, above.name)
    if (found === undefined) break
    top = found
  }
  const { apiVersion, kind, metadata } = top
  const subject = ofReference({ apiVersion, kind, namespace, name: metadata.name, uid: metadata.uid ?? '' }, state)
  return top === object ? subject : { ...subject, askedFor: `${object.kind} ${namespace}/${object.metadata.name}` }
}

function ofReference(workload: WorkloadReference, state: ClusterState): Subject & { kind: 'workload' } {
  const isThere = state.object(kindKey(workload.apiVersion, workload.kind), workload.namespace, workload.name) !== undefined
  return {
    kind: 'workload',
    workload,
    key: workloadKey(workload),
    askedFor: undefined,
    pod: undefined,
    isGone: !isThere && state.podsOf(workload.uid).length === 0,
  }
}

/** The workload of `namespace/Kind/name`, as far as it is still there. */
function byKey(key: string, state: ClusterState, askedFor: string | undefined): Subject {
  const [namespace = '', kind = '', name = ''] = key.split('/')
  const ofPod = Array.from(state.pods.values()).find(
    ({ workload }) => workload !== undefined && workloadKey(workload) === key,
  )?.workload
  const object = state.object(kind, namespace, name)
  const workload = ofPod ?? {
    apiVersion: object?.apiVersion ?? apiVersions[kind] ?? 'v1',
    kind,
    namespace,
    name,
    uid: object?.metadata.uid ?? '',
  }
  return { ...ofReference(workload, state), askedFor }
}

const apiVersions: Readonly<Record<string, string>> = {
  Deployment: 'apps/v1',
  StatefulSet: 'apps/v1',
  DaemonSet: 'apps/v1',
  ReplicaSet: 'apps/v1',
  Job: 'batch/v1',
  CronJob: 'batch/v1',
}

/** `Deployment shop/cart`. */
export function shownSubject(subject: Subject): string {
  switch (subject.kind) {
    case 'workload':
      return `${subject.workload.kind} ${subject.workload.namespace}/${subject.workload.name}`
    case 'pod':
      return `Pod ${subject.namespace}/${subject.name}`
    case 'node':
      return `Node ${subject.name}`
    case 'plan':
      return `RebalancePlan ${subject.name}`
    case 'policy':
      return `RebalancePolicy ${subject.name}`
  }
}
