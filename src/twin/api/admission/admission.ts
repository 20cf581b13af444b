// Built-in admission: what an API server adds to new objects, and what it refuses although the object is well formed.
import type { KubeObject } from '#kube/objects/objects.ts'
import { forbidden, notFound, StatusError, statusBody } from '#kube/objects/status.ts'
import { type Draft, fieldsAt, isFields, isSame, itemsAt, listAt, setAt, textAt } from '../../json-value.ts'
import { admitAccount } from '../access/account-token.ts'
import type { ApiServer, User } from '../api-server.ts'
import type { ResourceType } from '../resource-type.ts'
import { defaultIngressClassOf, defaultStorageClassOf } from './default-classes.ts'
import { applyLimitRanges } from './limit-ranges.ts'
import { assignServiceAddresses } from './service-addresses.ts'

/** A Job finds its pods by its own UID, unless its user took that in hand. */
export function selectOwnPods(draft: Draft): void {
  const spec = fieldsAt(draft, 'spec')
  const template = fieldsAt(spec, 'template')
  if (spec === undefined || template === undefined || spec['manualSelector'] === true) return
  const uid = textAt(draft, 'metadata', 'uid') ?? ''
  const name = textAt(draft, 'metadata', 'name') ?? ''
  const labels = {
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'controller-uid': uid,
    'job-name': name,
  }
  // What its user says of these is looked at later.
  setAt(template, ['metadata', 'labels'], { ...labels, ...fieldsAt(template, 'metadata', 'labels') })
  spec['selector'] = {
    ...fieldsAt(spec, 'selector'),
    matchLabels: { 'batch.kubernetes.io/controller-uid': uid, ...fieldsAt(spec, 'selector', 'matchLabels') },
  }
  const own = fieldsAt(draft, 'metadata', 'labels')
  if (own === undefined || Object.keys(own).length === 0)
    setAt(draft, ['metadata', 'labels'], { ...fieldsAt(template, 'metadata', 'labels') })
}

/** Namespaces that are always there and cannot be deleted. */
export const immortalNamespaces: readonly string[] = ['default', 'kube-system', 'kube-public']

interface Admission {
  readonly server: ApiServer
  readonly type: ResourceType
  readonly draft: Draft
  readonly user: User
}

/** What is added to new objects of a kind, or why they are refused. */
const completions: Readonly<Record<string, (admission: Admission) => void>> = {
  pods: ({ server, draft }) => admitPod(server, draft),
  persistentvolumeclaims: ({ server, type, draft }) => {
    applyLimitRanges(server, type, draft)
    defaultStorageClass(server, draft)
    protect(draft, 'kubernetes.io/pvc-protection')
  },
  persistentvolumes: ({ draft }) => protect(draft, 'kubernetes.io/pv-protection'),
  'volumeattributesclasses.storage.k8s.io': ({ draft }) => protect(draft, 'kubernetes.io/vac-protection'),
  nodes: ({ draft, user }) => taintNewNode(draft, user),
  'ingresses.networking.k8s.io': ({ server, draft }) => defaultIngressClass(server, draft),
  services: ({ server, draft }) => assignServiceAddresses(server, draft),
  'jobs.batch': ({ draft }) => selectOwnPods(draft),
  'priorityclasses.scheduling.k8s.io': ({ server, type, draft }) => onlyDefault(server, type, draft),
}

/** Refuses a new object, or completes it. @throws StatusError 403, 404, 422 */
export function admitCreate(server: ApiServer, type: ResourceType, draft: Draft, user: User): void {
  admitIntoNamespace(server, type, draft)
  if (Object.hasOwn(completions, type.key)) completions[type.key]?.({ server, type, draft, user })
}

/** The same for an update. What admission resolved when a pod was created stays. */
export function admitUpdate(server: ApiServer, type: ResourceType, draft: Draft, existing: KubeObject): void {
  if (type.key === 'priorityclasses.scheduling.k8s.io') onlyDefault(server, type, draft)
  const spec = fieldsAt(draft, 'spec')
  const before = fieldsAt(existing, 'spec')
  if (spec === undefined) return
  if (type.key === 'services') {
    if ((textAt(spec, 'clusterIP') ?? '') === '' && textAt(spec, 'type') !== 'ExternalName') {
      spec['clusterIP'] = before?.['clusterIP']
      spec['clusterIPs'] = before?.['clusterIPs']
    }
    // Who changed only the one address meant the first of the list too.
    const isMoved = textAt(spec, 'clusterIP') !== textAt(before, 'clusterIP') && before?.['clusterIPs'] !== undefined
    if (isMoved && isSame(spec['clusterIPs'], before['clusterIPs'])) spec['clusterIPs'] = [spec['clusterIP']]
    assignServiceAddresses(server, draft)
  }
  if (type.key !== 'pods') return
  addDefaultTolerations(spec)
  for (const name of ['priority', 'preemptionPolicy', 'overhead']) {
    if (spec[name] === undefined && before?.[name] !== undefined) spec[name] = before[name]
  }
}

function admitIntoNamespace(server: ApiServer, type: ResourceType, draft: Draft): void {
  if (!type.isNamespaced) return
  const namespace = textAt(draft, 'metadata', 'namespace') ?? ''
  const found = server.store.get('namespaces', undefined, namespace)
  if (found === undefined) throw notFound({ group: '', resource: 'namespaces' }, namespace)
  if (found.metadata.deletionTimestamp === undefined) return
  // What controllers and clients write about the end of a namespace is let in.
  if (type.key === 'events' || type.key === 'localsubjectaccessreviews.authorization.k8s.io') return
  const name = textAt(draft, 'metadata', 'name') ?? ''
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`
  const { status } = forbidden({ group: type.group, resource: type.plural }, name, why)
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  }
  throw new StatusError(statusBody(403, status.message ?? why, 'Forbidden', { ...status.details, causes: [cause] }))
}

function admitPod(server: ApiServer, draft: Draft): void {
  const spec = fieldsAt(draft, 'spec')
  if (spec === undefined) return
  admitAccount(server, draft)
  applyLimitRanges(server, { key: 'pods', group: '', plural: 'pods' }, draft)
  resolvePriority(server, draft, spec)
  addDefaultTolerations(spec)
  addOverhead(server, draft, spec)
}

function resolvePriority(server: ApiServer, draft: Draft, spec: Draft): void {
  const name = textAt(spec, 'priorityClassName') ?? ''
  const classes = server.store.list('priorityclasses.scheduling.k8s.io')
  const found =
    name === ''
      ? classes.find(candidate => candidate['globalDefault'] === true)
      : classes.find(candidate => candidate.metadata.name === name)
  if (name !== '' && found === undefined) {
    throw forbidden(
      { group: '', resource: 'pods' },
      textAt(draft, 'metadata', 'name') ?? '',
      `no PriorityClass with name ${name} was found`,
    )
  }
  const value = typeof found?.['value'] === 'number' ? found['value'] : 0
  const given = spec['priority']
  if (typeof given === 'number' && given !== value) {
    const why = `the integer value of priority (${given}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`
    throw forbidden({ group: '', resource: 'pods' }, textAt(draft, 'metadata', 'name') ?? '', why)
  }
  spec['priority'] = value
  if (found !== undefined && name === '') spec['priorityClassName'] = found.metadata.name
  const policy = textAt(found, 'preemptionPolicy') ?? 'PreemptLowerPriority'
  const asked = textAt(spec, 'preemptionPolicy')
  if (asked !== undefined && asked !== policy) {
    const why = `the string value of PreemptionPolicy (${asked}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`
    throw forbidden({ group: '', resource: 'pods' }, textAt(draft, 'metadata', 'name') ?? '', why)
  }
  spec['preemptionPolicy'] = policy
}

/** A cluster has one default. */
function onlyDefault(server: ApiServer, type: ResourceType, draft: Draft): void {
  const name = textAt(draft, 'metadata', 'name') ?? ''
  const other = server.store
    .list(type.key)
    .find(candidate => candidate['globalDefault'] === true && candidate.metadata.name !== name)
  if (draft['globalDefault'] !== true || other === undefined) return
  const why = `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`
  throw forbidden({ group: type.group, resource: type.plural }, name, why)
}

/** Pods leave a node that is not ready or unreachable after five minutes, unless they say otherwise. */
function addDefaultTolerations(spec: Draft): void {
  const tolerations = itemsAt(spec, 'tolerations')
  const added: Draft[] = []
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
    const isCovered = tolerations.some(
      toleration =>
        (toleration['key'] === key || (toleration['key'] ?? '') === '') &&
        ((toleration['effect'] ?? '') === '' || toleration['effect'] === 'NoExecute'),
    )
    if (!isCovered) added.push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 })
  }
  if (added.length > 0) spec['tolerations'] = [...tolerations, ...added]
}

function addOverhead(server: ApiServer, draft: Draft, spec: Draft): void {
  const name = textAt(spec, 'runtimeClassName')
  if (name === undefined) return
  const found = server.store.get('runtimeclasses.node.k8s.io', undefined, name)
  if (found === undefined) {
    throw forbidden(
      { group: '', resource: 'pods' },
      textAt(draft, 'metadata', 'name') ?? '',
      `pod rejected: RuntimeClass "${name}" not found`,
    )
  }
  const fixed = fieldsAt(found, 'overhead', 'podFixed')
  if (fixed !== undefined) spec['overhead'] = { ...fixed }
}

/** Storage that is in use outlives its deletion: a controller takes the finalizer away. */
function protect(draft: Draft, finalizer: string): void {
  const finalizers = listAt(draft, 'metadata', 'finalizers').map(String)
  if (!finalizers.includes(finalizer)) setAt(draft, ['metadata', 'finalizers'], [...finalizers, finalizer])
}

function defaultStorageClass(server: ApiServer, draft: Draft): void {
  const spec = fieldsAt(draft, 'spec')
  const annotation = textAt(draft, 'metadata', 'annotations', 'volume.beta.kubernetes.io/storage-class')
  if (spec === undefined || spec['storageClassName'] !== undefined || annotation !== undefined) return
  const found = defaultStorageClassOf(server.store.list('storageclasses.storage.k8s.io'))
  if (found !== undefined) spec['storageClassName'] = found.metadata.name
}

function defaultIngressClass(server: ApiServer, draft: Draft): void {
  const spec = fieldsAt(draft, 'spec')
  if (
    spec === undefined ||
    spec['ingressClassName'] !== undefined ||
    textAt(draft, 'metadata', 'annotations', 'kubernetes.io/ingress.class') !== undefined
  )
    return
  const found = defaultIngressClassOf(server.store.list('ingressclasses.networking.k8s.io'))
  if (found !== undefined) spec['ingressClassName'] = found.metadata.name
}

/** A node that registers itself is not scheduled to before it reports ready. */
function taintNewNode(draft: Draft, user: User): void {
  if (user.groups.includes('system:masters')) return
  const spec = fieldsAt(draft, 'spec') ?? {}
  draft['spec'] = spec
  const taints = itemsAt(spec, 'taints')
  const key = 'node.kubernetes.io/not-ready'
  if (!taints.some(taint => isFields(taint) && taint['key'] === key)) spec['taints'] = [...taints, { key, effect: 'NoSchedule' }]
}
