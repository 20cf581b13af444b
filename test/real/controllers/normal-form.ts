// Objects of a cluster without what chance and time make of them, so that two runs of a scenario can be compared:
// hashes are numbered in the order of their revisions, random endings, times, UIDs and cluster addresses become words.
import type { Loose, RecordedKind } from './scenario.ts'

export interface NormalObject {
  readonly times?: number
  readonly name: string
  readonly [field: string]: unknown
}

interface Metadata {
  readonly name: string
  readonly generateName?: string
  readonly generation?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  readonly deletionTimestamp?: string
  readonly uid?: string
  readonly ownerReferences?: readonly Loose[]
}

const letters = 'bcdfghjklmnpqrstvwxz2456789'
const revisionAnnotation = 'deployment.kubernetes.io/revision'

export class NormalForm {
  readonly #hashes = new Map<string, string>()
  readonly #uids = new Map<string, string>()
  readonly #namespace: string
  readonly #hidesNodes: boolean

  constructor(namespace: string, hidesNodes: boolean) {
    this.#namespace = namespace
    this.#hidesNodes = hidesNodes
  }

  /** Hashes and UIDs of objects that are there; to be told of all before any is put into its form. */
  learn(kind: RecordedKind, objects: readonly Loose[]): void {
    const sorted = objects.toSorted((a, b) => revisionOf(kind, a) - revisionOf(kind, b))
    for (const object of sorted) {
      const { name, uid, labels } = object['metadata'] as Metadata
      const hash =
        kind === 'ReplicaSet'
          ? labels?.['pod-template-hash']
          : kind === 'ControllerRevision'
            ? /-([^-]+)$/.exec(name)?.[1]
            : undefined
      if (hash !== undefined && !this.#hashes.has(hash)) this.#hashes.set(hash, `<hash ${this.#hashes.size + 1}>`)
      if (uid !== undefined) this.#uids.set(uid, `<uid of ${kind}>`)
    }
  }

  object(kind: RecordedKind, object: Loose): NormalObject {
    const metadata = object['metadata'] as Metadata
    const owners = (metadata.ownerReferences ?? []).map(({ kind: ownerKind, name, controller, blockOwnerDeletion }) => ({
      kind: ownerKind,
      name,
      ...(controller === undefined ? {} : { controller }),
      ...(blockOwnerDeletion === undefined ? {} : { blockOwnerDeletion }),
    }))
    const annotations = without(metadata.annotations, ['kubectl.kubernetes.io/last-applied-configuration', ...noise])
    const labels = without(metadata.labels, ['kubernetes.io/metadata.name'])
    const form = {
      name: metadata.name,
      ...(metadata.generateName === undefined ? {} : { generateName: metadata.generateName }),
      ...(metadata.generation === undefined || kind === 'Pod' ? {} : { generation: metadata.generation }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(owners.length === 0 ? {} : { owners }),
      ...((metadata.finalizers ?? []).length === 0 ? {} : { finalizers: metadata.finalizers }),
      ...(metadata.deletionTimestamp === undefined ? {} : { isBeingDeleted: true }),
      ...content(kind, object),
    }
    return this.plain(form) as NormalObject
  }

  /** One line; undefined for events of others than controllers. */
  event(event: Loose): string | undefined {
    const about = event['involvedObject'] as { readonly kind: string; readonly name: string }
    const source = event['source'] as { readonly component?: string } | undefined
    const component = source?.component ?? String(event['reportingComponent'] ?? '')
    if (component === 'default-scheduler') return undefined
    const line = `${event['type']} ${event['reason']} ${about.kind}/${about.name} (${component}): ${event['message']}`
    return this.#text(line)
  }

  plain(value: unknown): unknown {
    if (value === undefined) return undefined
    return JSON.parse(this.#text(JSON.stringify(sortedKeys(value))))
  }

  #text(text: string): string {
    let plain = text
    for (const [hash, word] of this.#hashes) plain = plain.replaceAll(hash, word)
    for (const [uid, word] of this.#uids) plain = plain.replaceAll(uid, word)
    if (this.#hidesNodes) plain = plain.replaceAll(new RegExp(`${this.#namespace}-n\\d+`, 'g'), '<node>')
    return plain
      .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uid>')
      .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>')
      .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([+-]\d\d:\d\d)/g, '<time $1>')
      .replaceAll(/\b10\.(0|96)\.\d+\.\d+\b/g, '<cluster address>')
      .replaceAll(new RegExp(`(?<=[a-z0-9>])-[${letters}]{5}(?![a-z0-9-])`, 'g'), '-<random>')
      .replaceAll(/-\d{8}(?=\D|$)/g, '-<minutes>')
      .replaceAll(`${this.#namespace}/`, '<namespace>/')
      .replaceAll(/"resourceVersion":"\d+"/g, '"resourceVersion":"<version>"')
  }
}

/** Written by parts that a scenario plays itself. */
const noise = ['endpoints.kubernetes.io/last-change-trigger-time']

function without(map: Readonly<Record<string, string>> | undefined, keys: readonly string[]): Record<string, string> | undefined {
  const left = Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => !keys.includes(key)))
  return Object.keys(left).length === 0 ? undefined : left
}

function revisionOf(kind: RecordedKind, object: Loose): number {
  if (kind === 'ControllerRevision') return Number(object['revision'] ?? 0)
  const { annotations } = object['metadata'] as Metadata
  return Number(annotations?.[revisionAnnotation] ?? 0)
}

/** The part of spec and status that controllers write; what the scenario wrote itself says nothing. */
function content(kind: RecordedKind, object: Loose): Loose {
  const spec = (object['spec'] ?? {}) as Loose
  const status = (object['status'] ?? {}) as Loose
  switch (kind) {
    case 'Pod':
      return podContent(spec, status)
    case 'ReplicaSet':
    case 'Deployment':
    case 'StatefulSet':
    case 'ReplicationController':
      return { replicas: spec['replicas'], status: statusForm(status) }
    case 'DaemonSet':
    case 'PodDisruptionBudget':
    case 'ResourceQuota':
    case 'HorizontalPodAutoscaler':
      return { status: statusForm(status) }
    case 'Job':
      return {
        spec: {
          suspend: spec['suspend'],
          parallelism: spec['parallelism'],
          selector: spec['selector'],
          templateLabels: ((spec['template'] as Loose)['metadata'] as Loose)['labels'],
        },
        status: statusForm(status),
      }
    case 'CronJob':
      return { status: statusForm(status) }
    case 'ControllerRevision':
      return { revision: object['revision'] }
    case 'Node':
      return {
        taints: ((spec['taints'] ?? []) as readonly Loose[])
          .map(({ key, value, effect }) => `${key}${value === undefined ? '' : `=${value}`}:${effect}`)
          .sort(),
        conditions: conditionsForm((status['conditions'] ?? []) as readonly Loose[]),
      }
    case 'PersistentVolume':
      return { claimRef: claimForm(spec['claimRef']), status: statusForm(status) }
    case 'PersistentVolumeClaim':
      return { volumeName: spec['volumeName'], storageClassName: spec['storageClassName'], status: statusForm(status) }
    case 'Endpoints':
      return { subsets: object['subsets'] }
    case 'EndpointSlice':
      return { addressType: object['addressType'], endpoints: endpointsForm(object['endpoints']), ports: object['ports'] }
    case 'Namespace':
      return { finalizersOfSpec: spec['finalizers'], status: statusForm(status) }
    case 'ConfigMap':
      return { keys: Object.keys((object['data'] ?? {}) as Loose) }
    case 'ResourceClaim':
      return { spec, status: statusForm(status) }
    case 'ClusterRole':
      return { rules: object['rules'] ?? [], managers: managersForm(object) }
    case 'ValidatingAdmissionPolicy':
      return { status: numberedTypesLeftOut(statusForm(status)), managers: managersForm(object) }
    case 'ResourceClaimTemplate':
    case 'DeviceClass':
    case 'ResourceSlice':
    case 'Service':
    case 'ServiceAccount':
    case 'StorageClass':
    case 'Event':
      return {}
  }
}

function podContent(spec: Loose, status: Loose): Loose {
  const conditions = ((status['conditions'] ?? []) as readonly Loose[])
    .filter(({ type }) => type === 'Ready' || type === 'DisruptionTarget')
    .map(({ type, status: value, reason, message }) => [`${type}=${value}`, reason, message].filter(Boolean).join(' '))
  const affinity = spec['affinity'] as Loose | undefined
  const claims =
    spec['resourceClaims'] === undefined ? {} : { claims: status['resourceClaimStatuses'], scheduled: scheduledForm(status) }
  return {
    ...claims,
    image: (spec['containers'] as readonly Loose[])[0]?.['image'],
    nodeName: spec['nodeName'],
    hostname: spec['hostname'],
    subdomain: spec['subdomain'],
    ...(affinity === undefined ? {} : { affinity, tolerations: spec['tolerations'] }),
    volumes: spec['volumes'],
    phase: status['phase'],
    conditions,
  }
}

/** What the scheduler says of a pod that it has no node for. */
function scheduledForm(status: Loose): unknown {
  return ((status['conditions'] ?? []) as readonly Loose[])
    .filter(({ type, status: value }) => type === 'PodScheduled' && value === 'False')
    .map(({ reason, message }) => ({ reason, message: othersNodesLeftOut(String(message)) }))[0]
}

/** Nodes of scenarios that are played beside it count in the scheduler's sentence. */
function othersNodesLeftOut(message: string): string {
  return message
    .replace(/^0\/\d+ nodes/, '0/<n> nodes')
    .replace(/\d+ (node\(s\) didn't match Pod's node affinity\/selector|Preemption is not helpful for scheduling)/g, '<n> $1')
    .replace(
      /^0\/<n> nodes are available: (.*?) preemption: 0\/\d+ nodes/,
      '0/<n> nodes are available: $1 preemption: 0/<n> nodes',
    )
}

function statusForm(status: Loose): Loose {
  const { conditions, ...rest } = status
  if (!Array.isArray(conditions)) return rest
  return { ...rest, conditions: conditionsForm(conditions as readonly Loose[]) }
}

/** In the order of their types: whose order is whose write came first, which the scenarios do not fix. */
function conditionsForm(conditions: readonly Loose[]): readonly Loose[] {
  return conditions
    .map(({ type, status, reason, message, observedGeneration }) => ({ type, status, reason, message, observedGeneration }))
    .toSorted((a, b) => (String(a.type) < String(b.type) ? -1 : 1))
}

/** Who owns which fields, of controllers alone: the name of the scenario's own client says nothing. */
function managersForm(object: Loose): readonly Loose[] {
  const { managedFields = [] } = object['metadata'] as { readonly managedFields?: readonly Loose[] }
  return managedFields
    .filter(({ manager }) => /-(controller|status)$/.test(String(manager)))
    .map(({ manager, operation, subresource, fieldsV1 }) => ({ manager, operation, subresource, fieldsV1 }))
}

/** Types that are named after a kind have a number of chance in their names. */
function numberedTypesLeftOut(status: Loose): unknown {
  return JSON.parse(JSON.stringify(status).replaceAll(/(?<=[ ([','][A-Z][A-Za-z]+)\d{1,9}(?=[.,)'\]])/g, '<number>'))
}

function claimForm(claim: unknown): unknown {
  if (typeof claim !== 'object' || claim === null) return undefined
  const { resourceVersion, ...rest } = claim as Loose
  return rest
}

function endpointsForm(endpoints: unknown): unknown {
  if (!Array.isArray(endpoints)) return endpoints
  return (endpoints as readonly Loose[]).toSorted((a, b) =>
    JSON.stringify(a['addresses']) < JSON.stringify(b['addresses']) ? -1 : 1,
  )
}

function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, field]) => [key, sortedKeys(field)]),
  )
}
