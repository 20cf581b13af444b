// What every view is made from: the cluster with Ballast's books at one moment. Views are pure functions of it.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { OwnerLabel } from '#cluster/ownership.ts'
import type { Placement } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { Asker } from '#coordination/account/asker.ts'
import type { Book } from '#coordination/account/book.ts'
import type { Observations } from '#coordination/observed/observation.ts'
import type { ArbiterPolicy } from '#coordination/policy/arbiter-policy.ts'
import type { GatewaysStanding } from '#coordination/ports/gateway-door.ts'
import type { NodeScrapeState, UsagePeaks } from '#coordination/ports/usage.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { PullRecord } from '#twin/components/kubelets/image-pulls.ts'
import type { CapabilityView, Source } from './contract.ts'
import type { UtilisationReader } from './source/utilisation-history.ts'
import type { Viewing } from './views/viewing.ts'

export interface Picture {
  /** Grows with each change, within one epoch. */
  readonly sequence: number
  /** New with each process, each leader and each load of a twin. */
  readonly epoch: string
  /** The cluster's present, in milliseconds since 1970. */
  readonly nowMs: number
  readonly mode: 'twin' | 'cluster'
  /** How the cluster is called: `talos-homelab`. */
  readonly cluster: string
  /** With NodeMetrics and PodMetrics among its objects where somebody serves them. */
  readonly state: ClusterState
  readonly book: Book
  readonly observed: Observations
  readonly arbiter: ArbiterPolicy
  readonly ownerLabel: OwnerLabel
  readonly scheduler: SchedulerSettings
  /** Ballast's own namespace. */
  readonly ownNamespace: string
  /** Names of the capabilities that are on. */
  readonly capabilities: readonly string[]
  /** Pages that capabilities bring, also of those that are off. */
  readonly pages?: readonly OwnPage[]
  /** All that this program has, on or off. */
  readonly askers: readonly Asker[]
  readonly sources: readonly Source[]
  /** Kinds that this process may not list, as `resourceKey` has them: no viewer sees more than it. */
  readonly denied?: ReadonlySet<string>
  /** Ids of permits whose steps are carried out now, and the gates that are red, as the arbiter's last Events and conditions say. */
  readonly twin: TwinPicture | undefined
  /** The scheduler's model of a moment ago, in a large cluster. Without it each view makes the model from `state`. */
  readonly placed?: { readonly placement: Placement; readonly atMs: number } | undefined
  /** What mirrors of images say of themselves; absent: nobody was asked. */
  readonly mirrors?: MirrorsPicture | undefined
  /** What gateways say of their routes; absent: none was asked. */
  readonly gateways?: GatewaysStanding | undefined
  /** How full the nodes were, as far as this process has noted it; absent: nobody keeps it. */
  readonly utilisation?: UtilisationReader | undefined
  /** What this process measures by itself of nodes and pods; absent: others do, and metrics.k8s.io says no more than `state` has. */
  readonly measured?: MeasuredPicture | undefined
  readonly past?: PastPicture
  /** While the cluster is being loaded. */
  readonly loading: { readonly shown: string; readonly loaded: number; readonly total: number | undefined } | undefined
}

/** What asking kubelets brought, as it was when use was read last. */
export interface MeasuredPicture {
  readonly resolutionMs: number
  /** How each node stands that is asked. */
  readonly scrapes: readonly NodeScrapeState[]
  /** By `namespace/pod`. */
  readonly peaks: ReadonlyMap<string, UsagePeaks>
  /** Until when pods are told by the rules of whoever was here before. */
  readonly strictUntilMs?: number | undefined
}

/** Set on the picture of an earlier moment: `book`, `observed` and `nowMs` are of then, as far as they are kept. */
interface PastPicture {
  /** What it was made from: the cluster as it is now. Of then the cluster keeps no pods and no figures: `state` has none. */
  readonly present: Picture
}

/** What the image mirrors of a cluster did: read from each of them, or, of a twin, what was simulated. */
export interface MirrorsPicture {
  /** By node. */
  readonly readings: ReadonlyMap<string, MirrorReading>
  /** Pulls in a twin. */
  readonly pulls: readonly PullRecord[] | undefined
}

/** Since the mirror of a node started. */
export type MirrorReading =
  | {
      readonly kind: 'read'
      readonly registries: ReadonlyMap<string, { readonly hits: number; readonly misses: number }>
      readonly bytesIn: number
      readonly bytesOut: number
    }
  | { readonly kind: 'silent'; readonly because: string }

export interface TwinPicture {
  /** What was loaded: `examples/talos-homelab`. */
  readonly source: string
  readonly seed: number
  readonly clock: KubeObject | undefined
  readonly faults: readonly KubeObject[]
}

/** Where pictures come from. */
export interface PictureSource {
  /** As it is now. The same value until something changes, but for `nowMs`. */
  current(): Picture
  /** Called after each change, at most once in a turn of the event loop. Returns what ends that. */
  onChange(listener: () => void): () => void
  /** Makes ready what pictures need to say where pods may go: resolves when the next one has it. Never rejects. */
  prepare?(): Promise<void>
}

declare module '#coordination/capability.ts' {
  interface CapabilitySections {
    /** Its page, shown where it is on. */
    readonly page?: () => Promise<CapabilityPage>
  }
}

export interface CapabilityPage {
  /** Its address, one part: `refresh` is `/refresh`. */
  readonly path: string
  /** In the menu, and above the page. */
  readonly title: string
  /** Pure. What `viewing` may not see is left out, and said so. */
  view(picture: Picture, viewing: Viewing): CapabilityView
  /** The table that `ballast top` prints below its own where it has rows: a line each, narrow. Pure. */
  readonly onTop?: (picture: Picture, viewing: Viewing) => CapabilityView['tables'][number]
}

/** A page with the capability whose it is. */
export interface OwnPage extends CapabilityPage {
  readonly capability: string
}
