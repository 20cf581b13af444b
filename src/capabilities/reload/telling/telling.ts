// What the loop tells of its work, and to whom it makes no difference: metrics, Events, alerts, the update webhook. Nothing here may
// delay or fail a reload; only names and hashes pass this way, never the content of an object.
import type { QueueObserver } from '#kube/controllers/queue.ts'

export type SourceType = 'configmap' | 'secret' | 'secretproviderclass'

/** What changed: a ConfigMap, a Secret or a SecretProviderClass. */
export interface ToldSource {
  readonly type: SourceType
  readonly namespace: string
  readonly name: string
}

/** What was reloaded, or was to be. */
export interface ToldWorkload {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** Events refer to it: without it, whoever looks at the object does not see them. */
  readonly uid: string
}

/** One reload of one workload, with all sources that it was made for. */
export interface Acted {
  readonly workload: ToldWorkload
  readonly sources: readonly ToldSource[]
  readonly result: 'success' | 'error'
  /** From the receipt of the first change to the answer of the API server. */
  readonly seconds: number
  /** Text of an error: what was refused, and by whom. */
  readonly message?: string
}

export const skipReasons = ['no_data_change', 'ignored_or_not_selected', 'strategy_not_updated'] as const
export type SkipReason = (typeof skipReasons)[number]

/** Plural names, as upstream's labels have them. */
export type ReceivedResource = 'configmaps' | 'secrets' | 'secretproviderclasspodstatuses' | 'namespaces'

export interface ReloadTelling {
  /** A watch told of an object. */
  eventReceived(eventType: 'add' | 'update' | 'delete', resourceType: ReceivedResource): void
  /** What a watch told has been worked off; `dropped`: given up, or of no use any more. */
  eventProcessed(resourceType: ReceivedResource, result: 'success' | 'dropped'): void
  /** Workloads of a kind that were asked whether they use what changed. */
  scanned(kind: string, count: number): void
  /** Those of them that are to be reloaded. */
  matched(kind: string, count: number): void
  skipped(reason: SkipReason): void
  /** A changed object was worked off, once for each change. */
  reconciled(result: 'success' | 'error' | 'skipped', seconds: number): void
  /** A workload was reloaded, or that failed: counters, an Event for each source, and the alert after a success. */
  acted(what: Acted): void
  /** The rate guard holds a workload back until then. */
  throttled(workload: ToldWorkload, untilMs: number, sources: readonly ToldSource[]): void
  /** An annotation that cannot be read; told once for each value of it. */
  annotationInvalid(workload: ToldWorkload, key: string, value: string, why: string): void
  /** A kind may not be read or written: told once for each kind and message. */
  forbidden(kind: string, message: string): void
  /** Work was given back with a back-off. */
  retried(): void
  /** Observer of the queue of workloads. */
  readonly queue: QueueObserver
  /** True: an update webhook is configured and was told; no workload is to be touched. @throws when nobody answered: to be tried again */
  sourceChanged(source: ToldSource, signal: AbortSignal): Promise<boolean>
}
