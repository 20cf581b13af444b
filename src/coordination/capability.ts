// The capability contract: one value says everything a capability is, needs, may and leaves behind. Manifests, RBAC, uninstall,
// doctor and the documentation are made from these values without starting anything.

import type { Registry } from 'prom-client'
import type * as z from 'zod'
import type { OwnerLabel } from '#cluster/ownership.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { Api } from '#kube/client/api.ts'
import type { Dial } from '#kube/client/dispatcher.ts'
import type { Clock } from '#kube/clock.ts'
import type { ClusterConfig } from '#kube/credentials/cluster-config.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Log } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import type { Random } from '#kube/random.ts'
import type { Webhook } from '#kube/server/admission.ts'
import type { AggregatedApi } from '#kube/server/aggregated-api.ts'
import type { PrivatePath } from '#kube/server/replicas/private-paths.ts'
import type { ReadyReplicas, Replica } from '#kube/server/replicas/ready-replicas.ts'
import type { Solve } from '#planning/solving/solve.ts'
import type { CapabilityQuestion } from './account/asker.ts'
import type { Arbiter } from './arbiter/arbiter.ts'
import type { EffectContext } from './effects/effect-context.ts'
import type { ClusterView } from './facts/cluster-view.ts'
import type { UsageAge } from './gates/usage-age.ts'
import type { Verb } from './intent.ts'
import type { Need, Permission } from './needs.ts'

/** A kind that the capability serves through the API server. */
export interface ServedKind {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly scope: 'Cluster' | 'Namespaced'
  /** `ours`: removed by uninstall when asked to; `upstream`: adopted, never deleted. */
  readonly owner: 'ours' | 'upstream'
  /** The CustomResourceDefinition, made from the schema that also validates the objects. `undefined` where upstream's own file is shipped. */
  readonly definition?: KubeObject
}

/** An upstream that must not act while this capability leads: its Leases are held meanwhile. */
export interface Replacement {
  readonly upstream: string
  readonly leases: readonly string[]
}

/** What a part takes of the machine it runs on. Absent means: nothing. */
export interface HostAccess {
  readonly mounts: readonly {
    readonly path: string
    /** Where the container has it; absent: at the same path. */
    readonly at?: string
    readonly access: 'read' | 'write'
    readonly propagation?: 'HostToContainer' | 'Bidirectional'
    /** The folder is made where it is not there. */
    readonly isMade?: true
    /** A key of its section, a path with dots, without which it is not mounted. */
    readonly switchedBy?: string
    readonly because: string
  }[]
  readonly user: 'root' | 'non-root'
  readonly linuxCapabilities: readonly string[]
  readonly privileged?: boolean
  readonly network: 'pod' | 'host'
}

/** Where others reach the part. */
export type Listener =
  | {
      readonly kind: 'port'
      readonly name: string
      readonly port: number
      readonly protocol: 'TCP' | 'UDP'
      readonly exposure: 'pod' | 'host' | 'loopback'
      /** The port of the process's Service that leads here; default: the same. `none`: pods alone are asked. */
      readonly servicePort?: number | 'none'
    }
  | { readonly kind: 'socket'; readonly path: string; readonly protocol: 'grpc' | 'http' }
  | {
      readonly kind: 'webhook'
      /** `landing.deschedule.ballast.dev`; path `/mutate/<first label>.<second>` or `/validate/…`. */
      readonly name: string
      readonly mutates: boolean
      readonly failurePolicy: 'Ignore' | 'Fail'
      /** Name of the configuration, where the part itself writes it while it wants to be asked. */
      readonly configuration?: string
      readonly groups: readonly string[]
      readonly versions: readonly string[]
      readonly resources: readonly string[]
      readonly operations: readonly ('CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT')[]
    }
  | {
      readonly kind: 'api-service'
      readonly group: string
      readonly version: string
      readonly resources: readonly string[]
      readonly groupPriority: number
      readonly versionPriority: number
    }

declare const faceOfPort: unique symbol

/** A door between capabilities that do not import each other: whoever implements it offers it, whoever uses it takes it. */
export interface Port<Face> {
  readonly name: string
  readonly [faceOfPort]?: Face
}

/** Names a port; declared once, in `coordination/ports/`. */
export function port<Face>(name: string): Port<Face> {
  return { name }
}

export interface PortUse {
  readonly port: Port<unknown>
  /** What the part does while nobody offers it. */
  readonly without: 'degrade' | 'wait'
}

/** What is found after the capability stopped or was killed; read by uninstall and doctor without starting anything. */
export type Leftover =
  | { readonly kind: 'taint'; readonly key: string }
  | { readonly kind: 'label' | 'annotation'; readonly key: string; readonly on: readonly string[] }
  /** Deployments that are paused by us, which the annotation says: they are to go on. */
  | { readonly kind: 'pause'; readonly annotation: string }
  | { readonly kind: 'finalizer'; readonly name: string; readonly on: readonly string[] }
  | { readonly kind: 'scheduling-gate'; readonly name: string }
  | {
      readonly kind: 'object'
      readonly apiVersion: string
      readonly of: string
      readonly name: string
      readonly namespace?: 'own' | string
    }
  /** All objects of a kind (`endpointslices.discovery.k8s.io`) that bear a label with this value. */
  | { readonly kind: 'labelled-objects'; readonly of: string; readonly label: string; readonly value: string }
  | { readonly kind: 'host-file'; readonly path: string; readonly node: 'every' | 'labelled' }

/** One answer of a health check; a failing check that does not gate leaves the process ready. */
export interface Check {
  readonly name: string
  readonly ok: boolean
  /** Why not, or what it waits for; it is logged only. */
  readonly message?: string
  /** How it stands, in words that anybody may read. */
  readonly state?: string
  /** False: shown, but the process is ready without it. Default true. */
  readonly isGating?: boolean
}

/** A started part. Disposing it stops everything it began and waits for that. */
export interface Running<Config> extends AsyncDisposable {
  health(): readonly Check[]
  /** Takes a changed section of the configuration, or says that the part has to be started anew for it. */
  reconfigure(config: Config): Promise<'applied' | 'restart-part'>
  /**
   * Its capability was switched off while it ran, and it is disposed of next: it takes away what must not stay without it. Not called where
   * the process ends, or another leads. Absent: nothing is in the way.
   */
  switchedOff?(signal: AbortSignal): Promise<void>
}

/** Where pods on nodes are unless an installer says otherwise: what they mount is not admitted where the controller is. */
export const standardAgentNamespace = 'ballast-agent'

/** Who this process is. */
export interface Identity {
  /** Pod name, or host name. */
  readonly name: string
  /** Our own namespace. */
  readonly namespace: string
  /** Where our pods on nodes are: `standardAgentNamespace` where nobody says. It may be our own. */
  readonly agentNamespace?: string
  /** This very process: `<name>_<uuid>`. */
  readonly instance: string
  /** UID of the pod; absent outside of one, and where nobody said. */
  readonly podUid?: string
}

export interface Ports {
  /** The face offered in this process, or `undefined`. */
  take<Face>(port: Port<Face>): Face | undefined
  offer<Face>(port: Port<Face>, face: Face): void
}

/** What every process has. */
export interface PartContext {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly identity: Identity
  readonly ports: Ports
  /** Where the part counts what it does; absent: nobody collects. */
  readonly metrics?: Registry | undefined
}

/** What processes that speak to the API server have besides. */
export interface ClusterContext extends PartContext {
  readonly api: Api
  /** One watch a kind, shared by all parts of the process. */
  readonly informers: Informers
  readonly events: EventRecorder
}

/** How the API server reaches our webhooks; absent where it can't. */
export interface WebhookEndpoint {
  /** `clientConfig` of a webhook configuration for one of our paths. */
  clientConfig(path: string): Readonly<Record<string, unknown>>
  /** What such a configuration is annotated with; absent: nothing. */
  annotations?(): Readonly<Record<string, string>>
  /** Answers admission requests by `webhook`; disposing takes it away. */
  serve(webhook: Webhook): Disposable
}

/** What only the leader has: the door to every disruption, and the proof that it leads. */
export interface Leading {
  readonly arbiter: Arbiter
  readonly effects: EffectContext
  /** The cluster as the scheduler model reads it. */
  readonly view: ClusterView
  /** Heavy work, in a child process. Renews the Lease before and after it where that is due. */
  readonly solve: Solve
  /** Renews the Lease where that is due: after long work of our own. @throws when it is not ours any more */
  readonly refresh: (signal: AbortSignal) => Promise<void>
  /** How the cluster's scheduler decides. */
  readonly settings: SchedulerSettings
  /** The label that says who may move a workload. */
  readonly ownerLabel: OwnerLabel
  /** Who measures usage says here how old it is: the gate `usage-stale` asks. */
  readonly usageAge: UsageAge
}

export interface ControllerContext extends ClusterContext {
  /** `undefined` in parts that are present always. */
  readonly leading: Leading | undefined
  readonly webhooks: WebhookEndpoint | undefined
}

/** Where APIs are served behind the cluster's API server, and where replicas of this process ask each other what API servers are not told. */
export interface ApiEndpoint {
  /** The Service by which API servers reach us, in our own namespace. */
  readonly service: { readonly name: string; readonly port: number }
  /** Answers for a group and version that a listener of the part names; disposing takes it away. @throws Error for another one */
  serve(api: AggregatedApi): Disposable
  /** Answers replicas of this process at a path of the part's own, and nobody else; disposing takes it away. @throws Error for a taken path */
  answerReplicas(path: PrivatePath): Disposable
  /** The ready replicas by the EndpointSlices of our own namespace, which the part watches; undefined where we are not among them. */
  replicasBy(slices: Iterable<KubeObject>): ReadyReplicas | undefined
  /** What a replica answers at a private path and query, whatever its status. @throws `signal.reason`; Error where none came whole and in time */
  askReplica(
    replica: Replica,
    path: string,
    options: { readonly mostBytes: number; readonly signal: AbortSignal },
  ): Promise<{ readonly status: number; readonly body: Buffer }>
}

/** As whom kubelets are asked, and whom we believe there. */
export interface KubeletAccess {
  /** The process's own way to the API server: its token or certificate is shown to kubelets too, and its authority is to have signed theirs. */
  readonly config: ClusterConfig
  /** For plugins that fetch credentials. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where kubelets are in truth, for nodes whose addresses nobody can reach, as those of a twin. */
  readonly dial?: Dial
}

/** The process that faces the outside: it asks the core for what disrupts, and has effects of its own that the core has not. */
export interface ApiserverContext extends ClusterContext {
  /** The proof that this process leads among its replicas; `undefined` in parts that are present always. */
  readonly leading: Pick<Leading, 'effects'> | undefined
  /** Absent where the API server has no way to this process. */
  readonly apis: ApiEndpoint | undefined
  /** Absent where nobody told this process how kubelets are asked. */
  readonly kubelets?: KubeletAccess | undefined
  /** Where sources of triggers are in truth, for addresses that nobody can reach, as those of a twin; HTTP alone. */
  readonly sources?: Dial | undefined
}

/** The process in the way of requests. */
export interface GatewayContext extends ClusterContext {
  /** Beside a twin: it answers on loopback at free ports, and targets are where `dial` says. */
  readonly beside?: { readonly dial: Dial } | undefined
}

export interface NodeContext extends PartContext {
  readonly node: string
  /** Where the node and its kubelet are reached; absent where nobody said. */
  readonly nodeAddress?: string | undefined
  /** Absent for roles without a token (mirror). A node part has no arbiter: it offers facts, and a leader asks. */
  readonly api: Api | undefined
  /** The API in the name of another user, where the process can ask for that; whoever asks closes it. */
  readonly apiAs?: (user: string) => Promise<Api>
}

export interface Contexts {
  readonly controller: ControllerContext
  readonly apiserver: ApiserverContext
  readonly gateway: GatewayContext
  readonly node: NodeContext
}

export type Process = keyof Contexts

/** A list, or what it is for a configuration: what is switched off needs no watch and no right. */
export type OfConfig<Config, Item> = readonly Item[] | ListOf<Config, Item>['of']

/** A method, so that a part of one configuration is a part of any, as its `start` has it. */
interface ListOf<Config, Item> {
  of(config: Config): readonly Item[]
}

/** What `part` watches with `config`, its capability's section as its schema gave it. */
export function needsOf<Config>(part: Pick<Part<Config>, 'needs'>, config: Config): readonly Need[] {
  return typeof part.needs === 'function' ? part.needs(config) : part.needs
}

/** What `part` may with `config`, beyond reading what it watches. */
export function permissionsOf<Config>(part: Pick<Part<Config>, 'permissions'>, config: Config): readonly Permission[] {
  return typeof part.permissions === 'function' ? part.permissions(config) : part.permissions
}

/**
 * Writes of a part on a node to the very Node that it runs on. RBAC can only give the right for all nodes: it is given where a policy of the
 * API server narrows it to this, and nowhere else.
 */
export interface OwnNodeWrites {
  /** A key of its section that switches it: a path with dots. */
  readonly setting: string
  /** Keys of taints that it may take away. It may set none. */
  readonly removesTaints: readonly string[]
  readonly setsAnnotations: readonly string[]
  readonly because: string
}

/**
 * Objects of which a part on a node writes the one that bears its node's name, and may say by a label whose it is: the API server is told to hold it to
 * that, where it can, so that a token that is stolen from one node says nothing of the others.
 */
export interface OwnObjects {
  readonly group: string
  readonly resource: string
  /** The label that names the node; absent where the name alone says it. */
  readonly nodeLabel?: string
  /** The field that names the node, for kinds of which a node has several: their names say nothing. */
  readonly nodeField?: 'spec.nodeName'
}

/** A program that is one part of a node. */
export interface AloneEntry {
  /** Path of its first file. */
  readonly entry: string
  /** How V8 is to run it. */
  readonly flags: readonly string[]
}

export interface PartOf<P extends Process, Config> {
  readonly process: P
  /** Distinguishes several parts of one process: the agent's `--role`. */
  readonly role?: string
  /** Only of parts on nodes: a key of its section, a path with dots, without which its container is not installed. Absent: it is wherever its capability is on. */
  readonly switchedBy?: string
  /** `leading`: on the leader only; `always`: on every replica, safe side by side. */
  readonly presence: 'leading' | 'always'
  /** Parts of one trust share a pod and a ServiceAccount: `core`, `edge`, `gateway`, and those of pods on nodes (`part-hosts.ts`). */
  readonly trust: string
  readonly needs: OfConfig<Config, Need>
  readonly permissions: OfConfig<Config, Permission>
  /** Only of parts on nodes that call the API: what they may do to their own node beyond `permissions`. */
  readonly ownNode?: OwnNodeWrites
  /** The same of objects that its `permissions` let it write. */
  readonly ownObjects?: readonly OwnObjects[]
  readonly host?: HostAccess
  /** Only of parts on nodes: the program that an agent with this role and no other becomes, and that carries nothing of what read the settings. */
  readonly alone?: () => Promise<AloneEntry>
  readonly listeners: readonly Listener[]
  /** Ports of others that it connects to beside those of API servers and DNS, so that a policy of the network lets it. Only of apiserver and gateway. */
  readonly connectsTo?: readonly (
    | {
        /** A key of its section whose value is the port: `kubelet.port`. */
        readonly setting: string
        readonly because: string
      }
    /** Addresses and ports that only its objects name. */
    | { readonly anywhere: true; readonly because: string }
  )[]
  readonly offers: readonly Port<unknown>[]
  readonly takes: readonly PortUse[]
  start(context: Contexts[P], config: Config, signal: AbortSignal): Promise<Running<Config>>
}

export type Part<Config> = { readonly [P in Process]: PartOf<P, Config> }[Process]

/** What a capability says of a workload in `ballast why`: from objects alone, without starting anything. */
export interface WorkloadWords {
  /** What it looks at beside the workload and Events, in the workload's namespace; of these only metadata is read. */
  readonly reads: readonly GroupVersionResource[]
  /** Sentences, in order. `config` is the capability's section. */
  linesOn(of: {
    readonly workload: KubeObject
    readonly objects: readonly KubeObject[]
    readonly config: unknown
    readonly nowMs: number
  }): readonly string[]
}

/** An alert that ships. */
export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly for: string
  readonly severity: 'critical' | 'warning' | 'info'
  readonly summary: string
  readonly description: string
}

/** A row of the Grafana dashboard. */
export interface PanelRow {
  readonly title: string
  readonly panels: readonly {
    readonly title: string
    readonly expr: string
    readonly legend?: string
    /** As Grafana names it; left out: a plain number. */
    readonly unit?: string
  }[]
}

/** A setting of the capability's own section that its rights depend on. */
export type RightsSetting = { readonly with: Readonly<Record<string, unknown>> } & (
  | { /** It is neither false, 0, empty nor absent. */ readonly on: string }
  | { /** It is this text. */ readonly is: string; readonly value: string }
  | { /** It is a list with this member. */ readonly has: string; readonly value: string }
)

/** The keys of a section that rights follow from, so that a chart says of each rule when it is there. What is not named here must not change them. */
export interface RightsSettings {
  /** `with` makes a section in which the setting holds, and in none of the defaults does it. */
  readonly settings?: readonly RightsSetting[]
  /** A list of namespaces: where it is not empty, rights to its sources are in each of them. */
  readonly namespacesIn?: string
  /** A list of kinds (`group`, `version`, `kind`, `resource`), each of which brings rights of its own. */
  readonly kindsIn?: string
  /** Whose rights the lists bring, where parts of several trusts are in the capability; absent: those of each. */
  readonly listsOf?: Part<unknown>['trust']
}

/**
 * What rooms above this one ask of a capability: commands, upstreams, findings, installed objects. Each room declares its own section
 * (`declare module '#coordination/capability.ts'`) and reads it; the value gives it by `import()`, so that a process carries none of it.
 */
// biome-ignore lint/suspicious/noEmptyInterface: rooms above declare its members
export interface CapabilitySections {}

export interface Capability<Schema extends z.ZodType = z.ZodType> extends CapabilitySections {
  /** Its section of the configuration: `capabilities.<name>`. */
  readonly name: string
  /** What explains it, below `docs`: the values of the chart name it. */
  readonly document?: string
  readonly config: Schema
  readonly kinds: readonly ServedKind[]
  readonly replaces: readonly Replacement[]
  /** Empty: it never asks the arbiter. */
  readonly disrupts: readonly Verb[]
  readonly parts: readonly Part<z.output<Schema>>[]
  readonly leaves: readonly Leftover[]
  /** Absent: whatever its section says, its rights are the same. */
  readonly rightsFollow?: RightsSettings
  readonly words?: WorkloadWords
  /** What codes mean that only it uses, of problems with what was given and of reasons on permits: rows of `docs/errors.md`. */
  readonly codes?: Readonly<Partial<Record<'problem' | 'finding' | 'reason', Readonly<Record<string, string>>>>>
  /** Rules of the PrometheusRule, of what it counts. */
  readonly alerts?: readonly AlertRule[]
  /** Its row of the Grafana dashboard. */
  readonly panels?: PanelRow
  /** What `ballast why` and the page ask the arbiter in its name. */
  readonly questions?: readonly CapabilityQuestion[]
  /** Registers what it counts, where it is enabled: names and zeros are there before anything is counted, on every replica. */
  readonly metrics?: (registry: Registry) => void
}

/** The value itself; checks it and keeps the type of its configuration. */
export function capability<Schema extends z.ZodType>(value: Capability<Schema>): Capability<Schema> {
  return value
}
