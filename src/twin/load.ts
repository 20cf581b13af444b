// A snapshot put into the store: identities, owners and status stay as they are, only resourceVersions are new.
import { type FieldError, invalid } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Problem } from '#kube/problem.ts'
import { selectOwnPods } from './api/admission/admission.ts'
import { toStorage } from './api/answers/versions.ts'
import { type ApiServer, timestamp } from './api/api-server.ts'
import { definitionFor, establish } from './api/custom/custom-resources.ts'
import { validateCustom } from './api/custom/custom-schema.ts'
import { prunedPaths, settleValues } from './api/decoding/stored-values.ts'
import { setDefaults } from './api/defaults.ts'
import { hasGeneration, holdNamespace, qualityOfService } from './api/object-strategy.ts'
import { apiVersionOf, type ResourceType } from './api/resource-type.ts'
import { nameProblems } from './api/validation/metadata-validation.ts'
import { controllerProblems } from './api/validation/workloads/workload-validation.ts'
import { asStored } from './api/write-pipeline.ts'
import { missingReplicaSets } from './components/workloads/missing-replica-sets.ts'
import { twinGroup } from './faults/fault-spec.ts'
import { type Draft, draftOf, fieldsAt, itemsAt, jsonText, listAt, textAt, valueAt } from './json-value.ts'
import { kindSchema } from './schema/kind-schema.ts'

interface LoadProblem extends Problem {
  /** What it is about, as it came: whoever read it knows from where. */
  readonly object?: unknown
}

export interface LoadReport {
  readonly loaded: number
  /** What was left out or made up, in a sentence each. */
  readonly problems: readonly LoadProblem[]
  /** UIDs that are named as owners but are not there: the garbage collector leaves their dependents alone. */
  readonly absentOwners: ReadonlySet<string>
}

/** Kinds in the order in which they are loaded; all others come after. */
const order = [
  'CustomResourceDefinition',
  'Namespace',
  'PriorityClass',
  'StorageClass',
  'Node',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'Job',
  'CronJob',
]

/** Kinds of which it matters who writes them. What dumps leave out of them, an API server has from their creation on. */
export const signedKinds: ReadonlySet<string> = new Set(['deployments.apps', 'statefulsets.apps', 'daemonsets.apps', 'nodes'])

/** Characters of what was found that are shown. */
const longestFound = 200

/** What the object's controller would fail at. The twin's own write a status, which a server refuses where the rest is wrong. */
function unworkableFields(type: ResourceType, draft: Draft): readonly FieldError[] {
  const name = textAt(draft, 'metadata', 'name') ?? ''
  const [rule] = nameProblems(type, name)
  if (rule !== undefined) return [invalid('metadata.name', name.slice(0, longestFound), rule)]
  if (type.custom === undefined) return controllerProblems(type.key, draft)
  return type.group === twinGroup ? validateCustom(type.custom.schema, draft, undefined) : []
}

/**
 * Loads objects of any kind. What cannot be loaded is reported and left out; nothing here throws on odd objects. `onProgress` is called
 * before each object.
 */
export function loadObjects(
  server: ApiServer,
  given: readonly KubeObject[],
  onProgress: (done: number, total: number) => void = () => undefined,
): LoadReport {
  const { objects, problems } = wellFormed(given)
  const ranked = objects.map((object, index) => ({ object, index, rank: rankOf(object) }))
  for (const object of objects) noteUids(server, object)
  ranked.sort((left, right) => left.rank - right.rank || left.index - right.index)
  serveUnknownKinds(server, objects, problems)
  let loaded = 0
  const uids = new Map<string, string>()
  const pruned = new Map<string, Pruned>()
  for (const [index, { object }] of ranked.entries()) {
    onProgress(index, ranked.length)
    if (!loadOne(server, object, problems, uids)) continue
    loaded++
    notePruned(server, object, pruned)
  }
  problems.push(...Array.from(pruned.values(), prunedProblem))
  rebuildReplicaSets(server, problems)
  return { loaded, problems, absentOwners: absentOwners(server) }
}

/** What was pruned of the objects of a kind. */
interface Pruned {
  /** The first such object, and what it lost. */
  readonly first: KubeObject
  readonly paths: readonly string[]
  objects: number
  fields: number
}

const mostPathsNamed = 3

/** Custom objects alone: of built-in kinds what is unknown stays. */
function notePruned(server: ApiServer, object: KubeObject, pruned: Map<string, Pruned>): void {
  const type = server.resources.ofKind(object.apiVersion, object.kind)
  if (type?.custom === undefined) return
  const paths = prunedPaths(kindSchema(type), object)
  if (paths.length === 0) return
  const key = `${object.apiVersion} ${object.kind}`
  const known = pruned.get(key) ?? { first: object, paths: paths.slice(0, mostPathsNamed), objects: 0, fields: 0 }
  known.objects++
  known.fields += paths.length
  pruned.set(key, known)
}

function prunedProblem({ first, paths, objects, fields }: Pruned): LoadProblem {
  const { kind, metadata } = first
  return {
    object: first,
    code: 'field-unknown',
    where: `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}: ${paths.map(path => path.slice(1)).join(', ')}`,
    found: `${fields === 1 ? 'a field' : `${fields} fields`} of ${objects === 1 ? `one ${kind}` : `${objects} ${kind}s`} that their definition does not describe`,
    expected: 'fields that it describes; these are left out, as an API server does',
  }
}

function noteUids({ uids }: ApiServer, object: KubeObject): void {
  const uid = textAt(object, 'metadata', 'uid')
  if (uid !== undefined) uids.loaded.add(uid)
  for (const owner of itemsAt(object, 'metadata', 'ownerReferences')) uids.loaded.add(textAt(owner, 'uid') ?? '')
}

/** ReplicaSets that a dump left out and whose Deployment and pods it has: without them everything would roll out anew. */
function rebuildReplicaSets(server: ApiServer, problems: LoadProblem[]): void {
  const known = ['deployments.apps', 'replicasets.apps', 'pods'].flatMap(key => server.store.list(key))
  for (const set of missingReplicaSets(known)) {
    loadOne(server, set, problems)
    const where = `ReplicaSet ${set.metadata.namespace ?? ''}/${set.metadata.name}`
    problems.push({
      code: 'owner-absent',
      where,
      found: 'pods of it but not the set',
      expected: 'the set too; it was rebuilt from its Deployment',
    })
  }
}

function rankOf(object: KubeObject): number {
  const rank = order.indexOf(object.kind)
  return rank < 0 ? order.length : rank
}

/** A kind that no definition describes gets a permissive one. */
function serveUnknownKinds(server: ApiServer, objects: readonly KubeObject[], problems: LoadProblem[]): void {
  const described = new Set<string>()
  for (const object of objects) {
    if (object.kind !== 'CustomResourceDefinition') continue
    const group = textAt(object, 'spec', 'group') ?? ''
    const kind = textAt(object, 'spec', 'names', 'kind') ?? ''
    for (const version of itemsAt(object, 'spec', 'versions')) described.add(`${group}/${textAt(version, 'name') ?? ''}/${kind}`)
  }
  for (const object of objects) {
    if (described.has(`${object.apiVersion}/${object.kind}`)) continue
    if (server.resources.ofKind(object.apiVersion, object.kind) !== undefined) continue
    if (!object.apiVersion.includes('/')) continue
    const isNamespaced = objects.some(
      other => other.kind === object.kind && other.apiVersion === object.apiVersion && other.metadata.namespace !== undefined,
    )
    const definition = definitionFor(object.apiVersion, object.kind, isNamespaced)
    if (isBuiltInGroup(server, object.apiVersion)) continue
    described.add(`${object.apiVersion}/${object.kind}`)
    loadOne(server, definition, problems)
  }
}

function isBuiltInGroup(server: ApiServer, apiVersion: string): boolean {
  const group = apiVersion.slice(0, apiVersion.indexOf('/'))
  return server.resources.all().some(type => type.group === group && type.custom === undefined)
}

/** What no server has in a name, since it stands in paths: nothing at all, a slash, a percent sign, blanks, more than 253 characters. */
const badName = /^(|\.{1,2}|.{254,}|.*[/%\s\p{Cc}].*)$/su

/** What can be an object at all; of the rest `problems` tells. */
export function wellFormed(given: readonly unknown[]): {
  readonly objects: readonly KubeObject[]
  readonly problems: LoadProblem[]
} {
  const problems: LoadProblem[] = []
  const objects: KubeObject[] = []
  for (const value of given) {
    if (isObject(value)) objects.push(value)
    else problems.push(shapeless(value))
  }
  return { objects, problems }
}

function isObject(object: unknown): object is KubeObject {
  const name = textAt(object, 'metadata', 'name')
  const namespace = valueAt(object, 'metadata', 'namespace')
  if (name === undefined || badName.test(name)) return false
  if (
    namespace !== undefined &&
    namespace !== null &&
    (typeof namespace !== 'string' || (namespace !== '' && badName.test(namespace)))
  )
    return false
  return Boolean(textAt(object, 'apiVersion')) && Boolean(textAt(object, 'kind'))
}

function shapeless(value: unknown): LoadProblem {
  return {
    object: value,
    code: 'object-shape',
    where: 'snapshot',
    found: (jsonText(value) ?? String(value)).slice(0, longestFound),
    expected: 'an object with apiVersion, kind and metadata.name, whose name and namespace an API server can have',
  }
}

/** `uids` has who came with which UID: two objects of one would be one for their controllers, which undo each other's work for ever. */
function loadOne(server: ApiServer, object: KubeObject, problems: LoadProblem[], uids = new Map<string, string>()): boolean {
  const type = server.resources.ofKind(object.apiVersion, object.kind)
  const where = `${object.kind} ${object.metadata.namespace === undefined ? '' : `${object.metadata.namespace}/`}${object.metadata.name}`
  if (type === undefined || !(type.verbs.includes('watch') || type.group === 'metrics.k8s.io')) {
    problems.push({
      object,
      code: 'kind-unknown',
      where,
      found: `${object.apiVersion} ${object.kind}`,
      expected: 'a kind that this version of Kubernetes serves',
    })
    return false
  }
  // In the form in which writes store it: what differs only in writing must not look like a change.
  const read = draftOf(object)
  const fault = settleValues(kindSchema(type), read)
  if (fault !== undefined) {
    const { code, path, found, expected } = fault
    problems.push({ object, code, where: `${where}: ${path.slice(1)}`, found, expected: `${expected}; the object is left out` })
    return false
  }
  const draft = completed(server, type, read)
  const storage = server.resources.ofKey(type.key) ?? type
  const [unworkable] = unworkableFields(storage, draft)
  if (unworkable !== undefined) {
    const { field, body } = unworkable
    const expected = 'what its controller can work with; the object is left out'
    problems.push({
      object,
      code: 'object-unworkable',
      where: `${where}: ${field}`,
      found: body.slice(0, longestFound),
      expected,
    })
    return false
  }
  const holder = `${type.key} ${textAt(draft, 'metadata', 'namespace') ?? ''}/${object.metadata.name}`
  const given = textAt(draft, 'metadata', 'uid') ?? ''
  if ((uids.get(given) ?? holder) !== holder) {
    problems.push({
      object,
      code: 'object-duplicate',
      where: `${where}: metadata.uid`,
      found: `the UID of ${uids.get(given)}`,
      expected: 'a UID of its own; it got one',
    })
    draft['metadata'] = {
      ...fieldsAt(draft, 'metadata'),
      uid: server.uids.fresh(storage.key, textAt(draft, 'metadata', 'namespace'), textAt(draft, 'metadata', 'name')),
    }
  } else uids.set(given, holder)
  const uid = textAt(draft, 'metadata', 'uid')
  if (signedKinds.has(type.key) && uid !== undefined && listAt(draft, 'metadata', 'managedFields').length === 0)
    server.unsigned.add(uid)
  const namespace = type.isNamespaced ? textAt(draft, 'metadata', 'namespace') : undefined
  if (namespace !== undefined) ensureNamespace(server, namespace)
  if (server.store.get(type.key, namespace, object.metadata.name) !== undefined && !isReplaceable(type, object.metadata.name)) {
    problems.push({
      object,
      code: 'object-duplicate',
      where,
      found: 'a second object of that name',
      expected: 'one; the last one is taken',
    })
  }
  const stored = server.store.put(type.key, madeOf(draft, object), object)
  if (type.key === 'customresourcedefinitions.apiextensions.k8s.io') establish(server, stored)
  return true
}

/** Not frozen yet: the store does that, and takes what did not change from `object`. */
function madeOf(draft: Draft, { metadata: { name } }: KubeObject): KubeObject {
  const { apiVersion, kind } = draft
  return { ...draft, apiVersion: String(apiVersion), kind: String(kind), metadata: { ...fieldsAt(draft, 'metadata'), name } }
}

/** Objects that a twin makes before anything is loaded. */
function isReplaceable(type: ResourceType, name: string): boolean {
  return (
    type.key === 'namespaces' ||
    type.group === 'rbac.authorization.k8s.io' ||
    name.startsWith('system-') ||
    type.key === 'services' ||
    type.group === 'flowcontrol.apiserver.k8s.io'
  )
}

function completed(server: ApiServer, type: ResourceType, given: Draft): Draft {
  const draft = toStorage(type, given)
  const storage = server.resources.ofKey(type.key) ?? type
  draft['apiVersion'] = apiVersionOf(storage)
  draft['kind'] = storage.kind
  const metadata: Draft = { ...fieldsAt(draft, 'metadata') }
  draft['metadata'] = metadata
  delete metadata['resourceVersion']
  delete metadata['selfLink']
  if (type.isNamespaced) metadata['namespace'] = textAt(metadata, 'namespace') ?? 'default'
  else delete metadata['namespace']
  metadata['uid'] ??= server.uids.fresh(type.key, textAt(metadata, 'namespace'), textAt(metadata, 'name'))
  metadata['creationTimestamp'] ??= timestamp(server.clock.now())
  if (hasGeneration(type, server.minor)) metadata['generation'] ??= 1
  decodeStringData(type, draft)
  setDefaults(storage, draft, server)
  if (type.key === 'namespaces' && metadata['deletionTimestamp'] === undefined) holdNamespace(draft)
  if (type.key === 'namespaces' && fieldsAt(draft, 'status', 'phase') === undefined)
    draft['status'] = { phase: 'Active', ...fieldsAt(draft, 'status') }
  if (type.key === 'pods') completePod(server, draft)
  // As it was written, not as a server had it: without its selector it would let go of each pod that it makes.
  if (type.key === 'jobs.batch' && fieldsAt(draft, 'spec', 'selector') === undefined) selectOwnPods(draft)
  return draft
}

function decodeStringData(type: ResourceType, draft: Draft): void {
  if (type.key !== 'secrets') return
  const texts = fieldsAt(draft, 'stringData')
  if (texts === undefined) return
  const data: Draft = { ...fieldsAt(draft, 'data') }
  for (const [key, value] of Object.entries(texts)) data[key] = Buffer.from(String(value)).toString('base64')
  draft['data'] = data
  delete draft['stringData']
}

function completePod(server: ApiServer, draft: Draft): void {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const status: Draft = { phase: 'Pending', ...fieldsAt(draft, 'status') }
  status['qosClass'] ??= qualityOfService(spec)
  draft['status'] = status
  const name = textAt(spec, 'priorityClassName')
  if (spec['priority'] === undefined) {
    const found = name === undefined ? undefined : server.store.get('priorityclasses.scheduling.k8s.io', undefined, name)
    spec['priority'] = typeof found?.['value'] === 'number' ? found['value'] : 0
  }
  spec['serviceAccountName'] ??= 'default'
  spec['serviceAccount'] ??= spec['serviceAccountName']
}

/** A namespace that is only mentioned is made. */
function ensureNamespace(server: ApiServer, name: string): void {
  if (server.store.get('namespaces', undefined, name) !== undefined) return
  server.store.put(
    'namespaces',
    asStored({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name,
        uid: server.uids.fresh('namespaces', undefined, name),
        creationTimestamp: timestamp(server.clock.now()),
        labels: { 'kubernetes.io/metadata.name': name },
      },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    }),
  )
}

function absentOwners(server: ApiServer): ReadonlySet<string> {
  const present = new Set<string>()
  const named = new Set<string>()
  for (const key of server.resources.keys()) {
    for (const object of server.store.list(key)) {
      if (object.metadata.uid !== undefined) present.add(object.metadata.uid)
      for (const { uid } of object.metadata.ownerReferences ?? []) named.add(uid)
    }
  }
  return named.difference(present)
}
