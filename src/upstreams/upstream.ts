// A program whose job Ballast knows: one value says how it is recognised, what its chart's values become, and how a swap goes. `doctor`,
// `migrate` and docs read it; a further upstream is one more value of its capability.
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import type { ConvertedValues } from './convert-values.ts'
import type { GitopsOwner } from './gitops-owner.ts'
import type { Proof } from './proof.ts'
import type { ValuesRow } from './values-row.ts'
import type { ValuesTree } from './values-tree.ts'

declare module '#coordination/capability.ts' {
  interface CapabilitySections {
    /** The upstreams whose place it takes. */
    readonly upstreams?: () => Promise<readonly Upstream[]>
  }
}

export interface Upstream {
  /** As Ballast's users call it. */
  readonly name: string
  /** The capability that does its job, whether built yet or not. */
  readonly capability: string
  /** Names of workloads: exactly, or by their end. */
  readonly workloads: readonly RegExp[]
  /** Names in `app.kubernetes.io/name`, and in charts. */
  readonly names: readonly string[]
  /** The last part of an image's repository. */
  readonly images: readonly string[]
  readonly leases: readonly string[]
  /** API groups of its kinds. */
  readonly groups: readonly string[]
  readonly finalizers: readonly RegExp[]
  readonly taints: readonly RegExp[]
  readonly nodeLabels: readonly RegExp[]
  /** Keys that its chart has taken away. */
  readonly removedKeys: readonly RemovedKey[]
  /** Two of it do one job twice, where both look at the same namespaces. */
  readonly twice?: Twice
  /** What comes of it beside ours; without it, `both act`. */
  readonly beside?: (workload: KubeObject) => string | undefined
  /** A workload of it that does nothing by itself which ours does, such as an operator of others. */
  readonly doesNoJob?: (workload: KubeObject) => boolean
  /** The Lease by which a workload of it, or ours in its place, elects a leader: `namespace/name`. */
  readonly leaseOf?: (workload: KubeObject) => string | undefined
  /** How Ballast takes its place; absent: not yet. */
  readonly replaced?: Replaced
}

/** What an upstream has none of unless it says so. */
export const none = { leases: [], groups: [], finalizers: [], taints: [], nodeLabels: [], removedKeys: [] } as const

/** Nothing of an object without a namespace tells whose it is. */
export const liesBeside = ({ metadata }: KubeObject, workload: KubeObject): boolean =>
  metadata.namespace === undefined || metadata.namespace === workload.metadata.namespace

/** As most plain manifests have it: everything is named after the workload. */
export const isNamedAfter = (object: KubeObject, workload: KubeObject): boolean =>
  liesBeside(object, workload) &&
  (object.metadata.name === workload.metadata.name || object.metadata.name.startsWith(`${workload.metadata.name}-`))

interface RemovedKey {
  readonly chart: string
  readonly path: string
  /** The first version without it. */
  readonly since: string
  readonly now: string
}

interface Twice {
  /** What it does: `reloads`. */
  readonly verb: string
  /** Namespaces that one looks at; `undefined`: all. */
  readonly scope?: (workload: KubeObject) => readonly string[] | undefined
  /** By values of its chart: it is to have no pods. That is how a swap begins where Git has the say. */
  readonly isScaledToNone?: (values: unknown) => boolean
}

export interface ChartInput {
  /** The chart that is named, by whoever asks or by the file, where there are several. */
  readonly chart?: string | undefined
  readonly values: ValuesTree
  /** The chart's version, where it is known. */
  readonly version: string | undefined
  /** Where the release lies, where it is known. */
  readonly namespace: string | undefined
}

export interface Around {
  /** Other objects of the same release, or of the same file. */
  readonly beside: readonly unknown[]
  /** The release's namespace, where it is known. */
  readonly namespace: string | undefined
}

export interface Replaced {
  /** Its name for `migrate`, and that of its chart unless `chart` says another. */
  readonly id: string
  readonly chart?: string
  /** Other charts of the same upstream, whose values are converted too. */
  readonly furtherCharts?: readonly string[]
  /** Charts whose keys are recorded, oldest first. */
  readonly versions: readonly string[]
  /** Versions of which every key is known to `rows`; absent: doctor judges none. */
  readonly knownVersions?: RegExp
  readonly rows: readonly ValuesRow[]
  readonly convert: (input: ChartInput) => ConvertedValues
  /** What a workload is told, as values of ours. */
  readonly convertWorkload: (workload: ValuesTree, around: Around) => ConvertedValues
  /** Workloads of plain manifests that `migrate values` takes. */
  readonly plainKinds: readonly PlainKind[]
  /** Other objects that `migrate values` takes, any number in one file: the first is what `convertWorkload` gets. */
  readonly isObject?: (object: ValuesTree) => boolean
  readonly swap: Swap
}

export type PlainKind = 'Deployment' | 'CronJob'

/** How ours takes its place, as far as it is its own; the machinery of steps is `migration`. */
interface Swap {
  readonly part: Part
  /** `reloads`: what is said of whoever is at work. */
  readonly does: string
  /** Another workload of its chart that has no place in a swap. */
  readonly isAside?: (workload: KubeObject) => boolean
  /** Another workload of its chart that does a part of the job: it sleeps, wakes and goes with the one that leads. */
  readonly isCompanion?: (workload: KubeObject) => boolean
  /** Kinds of which objects came with it, beside those that every upstream may have. */
  readonly furtherKinds?: readonly (readonly [apiVersion: string, kind: string])[]
  /** What its users wrote and a conversion has to see; reads only. */
  readonly usersObjects?: (at: Reads) => Promise<readonly KubeObject[]>
  /** The ConfigMap that its program, or ours in its place, reads. */
  readonly reads?: (workload: KubeObject) => { readonly namespace: string; readonly name: string } | undefined
  /** Whether an object of plain manifests came with it; absent: `isNamedAfter`. */
  readonly isPlain?: (object: KubeObject, workload: KubeObject) => boolean
  readonly shadow?: Shadow
  /** Pod templates are compared after the switch: what it does rolls out workloads. */
  readonly rollsOut?: RollsOut
  /** What ours would roll out when it starts in its place; reads only. */
  readonly firstRollouts?: (at: FirstStartPlace, section: unknown) => Promise<FirstRollouts>
  /** What a person should know of converted values. */
  readonly hint?: (values: ValuesTree) => string | undefined
  /** How its chart is installed so that it sleeps. */
  readonly reinstall: string
}

/** Which part of ours does the job. */
export type Part =
  | SectionPart
  | ProcessPart
  | NodePart
  | ApiPart
  | LedApiPart
  | InPlacePart
  | PublishingPart
  | OfferingPart
  | ByHandPart

/** A section of the controller's configuration, switched on and off there. */
export interface SectionPart {
  readonly kind: 'section'
}

/** A workload of its own beside the controller. */
export interface ProcessPart {
  readonly kind: 'process'
  /** Its label, its key in our values, and the end of its name. */
  readonly component: string
  /** Where its workload differs from upstream's in what it is told, by name. */
  readonly differences: (theirs: Told, ours: Told) => readonly string[]
  /** What a person runs beside upstream's, while it is awake, to see what ours would do. */
  readonly shadowCommand: (workload: KubeObject) => string
}

/** A DaemonSet whose ports or sockets upstream's takes, too: nodes change one after the other. */
export interface NodePart {
  readonly kind: 'nodes'
  /** Its label; its name is `ballast-<component>`. */
  readonly component: string
  /** Its block of our values, a path with dots. */
  readonly valuesKey: string
  /** The key of upstream's values that is the affinity of its pods on nodes; absent: `affinity`. */
  readonly affinityKey?: string
  /** What one in a cluster does beside the pods on nodes; absent: nothing. */
  readonly leader?: NodeLeader
  /** The label of a node that says whose turn it is. */
  readonly label: string
  /** Ports of the node that both bind. */
  readonly ports: (values: ValuesTree) => readonly number[]
  /** Upstream's first pod is never Ready alone: it counts when it runs. */
  readonly isUnreadyAlone: boolean
  /** Version of its chart by the workload. */
  readonly versionOf: (workload: KubeObject) => string | undefined
  /** How its chart selects its pods: for an upstream that is gone. */
  readonly selector: string
  /** What a person should know of some steps. */
  readonly notes: Readonly<Record<'convert' | 'free' | 'switch' | 'remove' | 'forget' | 'back' | 'off', string>>
}

/**
 * A Deployment of ours that does what upstream's companions do. These sleep before it wakes, once all nodes have changed; and what outlives both sides is given
 * to ours.
 */
export interface NodeLeader {
  /** Its label; its name is `ballast-<component>`. */
  readonly component: string
  /** Its block of our values, a path with dots. */
  readonly valuesKey: string
  /** `makes volumes`: what is said of whoever is at work. */
  readonly does: string
  /** The companion by whose replicas ours wakes. */
  readonly isMain: (workload: KubeObject) => boolean
  /** Objects of no namespace that both sides have by one name, which a release of ours is to own. */
  readonly shared: {
    readonly resource: GroupVersionResource
    readonly kind: string
    /** By converted values. */
    readonly names: (values: ValuesTree) => readonly string[]
  }
  /** What a person should know of the step. */
  readonly note: string
}

/** An API behind the cluster's API server. Both may be awake side by side; one write leads callers from one to the other. */
export interface ApiPart {
  readonly kind: 'api'
  /** The label of our process that serves it, and the end of its name. */
  readonly component: string
  /** Name of its APIService. */
  readonly apiService: string
  /** What callers are told now, whoever tells it. @throws StatusError */
  readonly served: (at: { readonly api: Api; readonly signal: AbortSignal }) => Promise<Served>
  /** What ours has to tell, by the verbose readiness of one of its pods; `undefined`: it does not say. */
  readonly measured: (readiness: string) => Served['counts'] | undefined
  /** How old the newest may be that is told by these settings of ours; what is older was measured by nobody who is there. */
  readonly freshMs: (section: unknown) => number
  /** What a person should know once upstream is removed: who may bring it back. */
  readonly afterwards: (workload: KubeObject) => string | undefined
}

/** An API that only the holder of upstream's Lease can answer: both stand by, the Lease goes over, and one write leads callers after it. */
export interface LedApiPart {
  readonly kind: 'led-api'
  /** The label of our process that serves it, and the end of its name. */
  readonly component: string
  /** Name of its APIService. */
  readonly apiService: string
  /** By which its workloads elect their leader, and ours in their place. */
  readonly lease: string
  /** Its leader writes the authority that callers judge it by into the APIService. */
  readonly writesAuthority: boolean
  /** What ours cannot do here that upstream does, by name: nothing is written while there is any. `section`: of our configuration. */
  readonly obstacles: (at: TimedReads, workload: KubeObject, section: unknown) => Promise<readonly string[]>
  /** What users' objects have of ours that upstream does not know. */
  readonly lostBack: (at: TimedReads) => Promise<BackLoss>
  /** Why a workload of upstream does not stand by while somebody else holds `lease`; none: it does. */
  readonly standsAlone: (workload: KubeObject) => readonly string[]
  /** Questions of callers that are answered now; of `among`, else of all that there are. */
  readonly answered: (at: Reads, among?: readonly string[]) => Promise<readonly string[]>
  /** Does an admission configuration ask this upstream, which answers no more once it sleeps? */
  readonly isJudgedBy: (configuration: KubeObject, workload: KubeObject) => boolean
  /** What Helm's uninstall would take along. */
  readonly uninstallHarm: string
}

/**
 * Programs of upstream's that become ours within their own Deployments, one after the other, by its own roll-outs. Services, ports, rights and
 * objects stay as they are, so that whoever asks by them is answered by those pods that are ready, old or new.
 */
export interface InPlacePart {
  readonly kind: 'in-place'
  /** In the order in which they change; on the way back the other way round. */
  readonly programs: readonly InPlaceProgram[]
}

/**
 * Workers on nodes publish an object a node, and who leads decides by them. Objects of both sides are there at once only while nobody decides, and those
 * of one side go when the other's are there: so that nothing that was decided is taken back, or decided by what is there twice.
 */
export interface PublishingPart {
  readonly kind: 'publishing'
  /** The label of our pods on nodes. */
  readonly component: string
  /** The role of them that publishes. */
  readonly role: string
  readonly published: GroupVersionResource
  /** Is it the workload on nodes that publishes? The one that leads decides. */
  readonly isWorker: (workload: KubeObject) => boolean
  /** The node that an object describes which a worker in `namespace` published; `undefined`: it is somebody else's. */
  readonly describes: (object: KubeObject, namespace: string) => string | undefined
  /** What ours would do to nodes now, without the objects that are left out. */
  readonly compare: (
    at: Reads,
    by: {
      readonly section: unknown
      readonly ownNamespace: string
      readonly isLeftOut: (object: KubeObject) => boolean
    },
  ) => Promise<Compared>
  /** What Helm's uninstall would do. */
  readonly uninstallHarm: string
}

/**
 * Pods on nodes offer the same to their kubelets, who take it from the newest. So ours come beside upstream's; these, and the operator that would bring
 * them back, go when every node has as much by ours.
 */
export interface OfferingPart {
  readonly kind: 'offering'
  /** The label of our pods on nodes. */
  readonly component: string
  /** The role of them that offers. */
  readonly role: string
  /** Keys of our section that say what upstream offers, and what others do: while one of theirs is on, the way back leaves the role to our pods. */
  readonly sections: { readonly own: readonly string[]; readonly others: readonly string[] }
  /** Where a pod of ours tells its readiness. */
  readonly healthPort: number
  /** Is a resource of a node one of those that upstream offers? */
  readonly isOffered: (resource: string) => boolean
  /** Does a pod of ours say in its readiness that the kubelet knows it for this resource? */
  readonly isRegistered: (readiness: string, resource: string) => boolean
  /** Is it the operator, which makes workloads on nodes of objects? */
  readonly isOperator: (workload: KubeObject) => boolean
  /** Objects that it makes workloads of which ours replaces, by their kind. */
  readonly objects: Readonly<Record<string, GroupVersionResource>>
  /** What else it looks after, which ours does not replace; while there is any it stays awake. */
  readonly looksAfter: (at: Reads) => Promise<readonly string[]>
  /** What Helm's uninstall would take along. */
  readonly uninstallHarm: string
}

/** Steps that only a person takes, since something is to be decided or waited for: each is printed and looked at, none is carried out. */
export interface ByHandPart {
  readonly kind: 'by-hand'
  /** After a look at upstream and the conversion of what it is told. One of them has the id `switch`: what comes after it is not judged beforehand. */
  readonly steps: readonly HandStep[]
}

interface HandStep {
  readonly id: string
  readonly title: string
  readonly command: (told: HandTold) => string
  readonly proof: string
  readonly undo: string
  readonly look: (at: Reads, told: HandTold) => Promise<Proof>
}

/** Upstream's workload, and what it is told as values of ours. */
export interface HandTold {
  readonly workload: KubeObject
  readonly namespace: string
  readonly name: string
  readonly owner: GitopsOwner | undefined
  readonly values: ValuesTree
}

export interface Compared {
  /** What nodes would lose, or have otherwise, by sentences. */
  readonly taken: readonly string[]
  /** So many things nodes would get besides. */
  readonly added: number
}

export interface InPlaceProgram {
  /** The command of ours, and the step's name. */
  readonly command: string
  /** The last part of the repository of upstream's image. */
  readonly image: string
  readonly isOf: (workload: KubeObject) => boolean
  /** How ours takes the words and the environment that upstream is told, by sentences. */
  readonly told: (words: readonly string[], environment: Readonly<Record<string, string>>) => TakenWords
  /** Two of it act at once unless this word of it lets them elect one. */
  readonly electedBy?: string
}

export interface TakenWords {
  /** Ours would not start. */
  readonly refused: readonly string[]
  /** Ours starts, and leaves it out. */
  readonly unused: readonly string[]
}

/** On the way back, by name. */
export interface BackLoss {
  /** Upstream cannot have it: nothing is written while there is any. */
  readonly refused: readonly string[]
  /** Upstream passes it over. */
  readonly lost: readonly string[]
}

/** What takes the host's time holds the clock. */
export interface TimedReads extends Reads {
  readonly clock: Clock
}

export interface Reads {
  readonly api: Api
  readonly signal: AbortSignal
}

export interface Served {
  /** So many of each kind: `{ nodes: 3, containers: 40 }`. */
  readonly counts: Readonly<Record<string, number>>
  /** When the newest of them was measured. */
  readonly newestMs: number | undefined
}

interface Told {
  readonly workload: KubeObject
  /** The ConfigMap that it reads, where it could be read. */
  readonly configMap: KubeObject | undefined
}

/** Both sides judge the same objects, before anything is switched. */
interface Shadow {
  readonly reads: readonly ShadowRead[]
  /** By the section of our configuration that upstream is converted to, and by ours. */
  readonly compare: (objects: readonly KubeObject[], theirs: unknown, ours: unknown) => Proof
}

interface ShadowRead {
  readonly resource: GroupVersionResource
  readonly kind: string
  readonly metadataOnly?: boolean
}

/** Where ours would start. */
interface FirstStartPlace {
  readonly api: Api
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Where ours lies, with what it remembers from before. */
  readonly namespace: string
}

/** What a first start rolls out, since what the templates say is older than what there is. */
export interface FirstRollouts {
  readonly rollsOut: readonly FirstRollout[]
  /** What could not be compared, and why: more may be rolled out for it. */
  readonly unknown: readonly { readonly what: string; readonly why: string }[]
}

interface FirstRollout {
  /** `Deployment shop/web`. */
  readonly workload: string
  /** `Secret shop/keys`: what is newer than its template says. */
  readonly by: readonly string[]
  /** So many run and are replaced; of a CronJob, which starts a Job, none. */
  readonly pods: number
}

/** A roll-out by it or by ours carries a mark, and somebody's write explains it. */
export interface RollsOut {
  readonly isMarked: (template: unknown) => boolean
  /** Might a write of `source` have rolled out `workload`? */
  readonly isNamedBy: (workload: KubeObject, source: KubeObject) => boolean
}
