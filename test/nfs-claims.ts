// Objects of claims and what is done with them, as the scenarios of `nfs-claim-scenarios.ts` write it. `$s` in any text is the scenario's name: its namespace, its server, the
// prefix of its cluster-scoped objects. `$pv:NAME` and `$content:NAME` are the volume of a claim and the content of a snapshot.

export type Manifest = {
  readonly apiVersion: string
  readonly kind: ClaimKind
  readonly metadata: { readonly name: string; readonly [field: string]: unknown }
  readonly [field: string]: unknown
}

export const claimKinds = {
  StorageClass: { apiVersion: 'storage.k8s.io/v1', isNamespaced: false },
  PersistentVolumeClaim: { apiVersion: 'v1', isNamespaced: true },
  PersistentVolume: { apiVersion: 'v1', isNamespaced: false },
  Secret: { apiVersion: 'v1', isNamespaced: true },
  Node: { apiVersion: 'v1', isNamespaced: false },
  VolumeAttributesClass: { apiVersion: 'storage.k8s.io/v1', isNamespaced: false },
  VolumeAttachment: { apiVersion: 'storage.k8s.io/v1', isNamespaced: false },
  VolumeSnapshotClass: { apiVersion: 'snapshot.storage.k8s.io/v1', isNamespaced: false },
  VolumeSnapshot: { apiVersion: 'snapshot.storage.k8s.io/v1', isNamespaced: true },
  VolumeSnapshotContent: { apiVersion: 'snapshot.storage.k8s.io/v1', isNamespaced: false },
} as const
export type ClaimKind = keyof typeof claimKinds
/** `Kind/name`. */
export type Ref = `${ClaimKind}/${string}`

export type ClaimStep =
  | { readonly create: Manifest }
  /** By merge patch. */
  | { readonly patch: Ref; readonly with: Readonly<Record<string, unknown>> }
  | { readonly remove: Ref }
  /** Until it says so: a phase, a class of attributes or a boolean of its status, a reason among the Events on it, `gone`, or `unmodified` (no change of attributes is open). */
  | { readonly await: Ref; readonly is: string }
  /** As the stand-in's `Told`; undefined has the server work again. */
  | { readonly tell: Readonly<Record<string, unknown>> | undefined }
  /** Files on the scenario's server, below its export `kubernetes`. */
  | { readonly plant: Readonly<Record<string, string>> }
  /** What lies there is taken away. */
  | { readonly sweep: string }

export interface ClaimScenario {
  /** A name of the API. */
  readonly name: string
  readonly steps: readonly ClaimStep[]
  /** It changes what counts for the whole cluster. */
  readonly alone?: boolean
}

export interface EventSeen {
  readonly type: string
  readonly reason: string
  readonly message: string
  /** `Kind/name` */
  readonly regarding: string
  readonly from: string
}

/** What a scenario came to. In all texts `$s` is its name, `uid-of-Kind-name` an object's uid. */
export interface ClaimOutcome {
  readonly name: string
  readonly objects: readonly Readonly<Record<string, unknown>>[]
  /** What those who provision, resize and take snapshots tell: in the order in which they first came, each once. */
  readonly events: readonly EventSeen[]
  /** What lies on its server. */
  readonly exports: readonly string[]
}

/**
 * An outcome without what is of chance: the order of Events of several processes, whether a state that failed was looked at once more before it was
 * mended, whether a call that goes on was asked for again, which of two objects a controller heard of first, whether two workers of a resizer write one claim at
 * the same moment, and how small an archive became, whose times are of that hour.
 */
export function comparableOutcome({ events, exports, ...outcome }: ClaimOutcome): ClaimOutcome {
  const isOfChance = ({ reason, message }: EventSeen) =>
    reason === 'SnapshotContentCheckandUpdateFailed' ||
    /code = (Aborted|DeadlineExceeded)/.test(message) ||
    // One that grows a claim and one that changes its attributes.
    (reason === 'VolumeResizeFailed' && message.includes('the object has been modified')) ||
    // A controller may hear of a snapshot before it hears of its class.
    (reason === 'GetSnapshotClassFailed' && message.includes('"$s" not found'))
  const key = (event: EventSeen) => JSON.stringify(event)
  return {
    ...outcome,
    exports: exports.map(line => line.replace(/^(file \d+) \d+ (.*\.tar\.gz)$/, '$1 $bytes $2')),
    events: events.filter(event => !isOfChance(event)).toSorted((one, other) => (key(one) < key(other) ? -1 : 1)),
  }
}

export const driverName = 'nfs.csi.k8s.io'

const manifest = <K extends ClaimKind>(kind: K, name: string, fields: Readonly<Record<string, unknown>>): ClaimStep => {
  const { metadata, ...rest } = fields as { readonly metadata?: Readonly<Record<string, unknown>> }
  return { create: { apiVersion: claimKinds[kind].apiVersion, kind, metadata: { ...metadata, name }, ...rest } }
}

type Parameters = Readonly<Record<string, string>>
type Fields = Readonly<Record<string, unknown>>

export const storageClass = (parameters: Parameters = {}, fields: Fields = {}, name = '$s'): ClaimStep =>
  manifest('StorageClass', name, {
    provisioner: driverName,
    parameters: { server: '$s', share: '/kubernetes', ...parameters },
    mountOptions: ['nfsvers=4.1', 'nconnect=16'],
    ...fields,
  })

export const claim = (name = 'data', spec: Fields = {}, metadata: Fields = {}): ClaimStep =>
  manifest('PersistentVolumeClaim', name, {
    metadata,
    spec: {
      accessModes: ['ReadWriteMany'],
      resources: { requests: { storage: '1Gi' } },
      storageClassName: '$s',
      ...spec,
    },
  })

export const snapshotClass = (parameters: Parameters = {}, fields: Fields = {}, name = '$s'): ClaimStep =>
  manifest('VolumeSnapshotClass', name, { driver: driverName, deletionPolicy: 'Delete', parameters, ...fields })

export const snapshotOf = (source: string, spec: Fields = {}, name = 'snap'): ClaimStep =>
  manifest('VolumeSnapshot', name, {
    spec: { volumeSnapshotClassName: '$s', source: { persistentVolumeClaimName: source }, ...spec },
  })

export const secret = (name: string, stringData: Parameters): ClaimStep => manifest('Secret', name, { stringData })

export const object = (kind: ClaimKind, name: string, fields: Fields): ClaimStep => manifest(kind, name, fields)

export const bound = (name = 'data'): ClaimStep => ({ await: `PersistentVolumeClaim/${name}`, is: 'Bound' })
export const ready = (name = 'snap'): ClaimStep => ({ await: `VolumeSnapshot/${name}`, is: 'readyToUse' })
export const gone = (ref: Ref): ClaimStep => ({ await: ref, is: 'gone' })
export const told = (ref: Ref, reason: string): ClaimStep => ({ await: ref, is: reason })
export const remove = (ref: Ref): ClaimStep => ({ remove: ref })

/** A claim that comes from another or from a snapshot. */
export const from = (
  kind: 'PersistentVolumeClaim' | 'VolumeSnapshot',
  source: string,
  spec: Fields = {},
  name = 'copy',
): ClaimStep =>
  claim(name, {
    dataSource: { kind, name: source, ...(kind === 'VolumeSnapshot' ? { apiGroup: 'snapshot.storage.k8s.io' } : {}) },
    ...spec,
  })
