// CloudEvents as KEDA sends them: which Kubernetes event becomes one, who wants it, and how it goes over HTTP. Pure.
import type { EmittedEvent } from '#kube/events/event-object.ts'
import { formatMicroTime } from '#kube/time/time.ts'
import type { CloudEventSource } from '../kinds/cloud-event-source.ts'

const ofScaled = (kind: 'ScaledObject' | 'ScaledJob') => {
  const type = (what: string) => `keda.${kind.toLowerCase()}.${what}.v1`
  return {
    [`${kind}Ready`]: type('ready'),
    [`${kind}CheckFailed`]: type('failed'),
    [`${kind}UpdateFailed`]: type('failed'),
    [`${kind}Deleted`]: type('removed'),
    [`${kind}Paused`]: type('paused'),
    [`${kind}Unpaused`]: type('unpaused'),
  }
}

const ofAuthentication = (kind: 'TriggerAuthentication' | 'ClusterTriggerAuthentication') => {
  const type = (what: string) => `keda.authentication.${kind.toLowerCase()}.${what}.v1`
  return {
    [`${kind}Added`]: type('created'),
    // Upstream's reason is that of the cluster's kind for both.
    ClusterTriggerAuthenticationUpdated: type('updated'),
    [`${kind}Deleted`]: type('removed'),
  }
}

const typesByReason: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ScaledObject: ofScaled('ScaledObject'),
  ScaledJob: {
    ...ofScaled('ScaledJob'),
    ScaledJobRolloutCleanupStarted: 'keda.scaledjob.rolloutcleanup.started.v1',
    ScaledJobRolloutCleanupCompleted: 'keda.scaledjob.rolloutcleanup.completed.v1',
    ScaledJobRolloutCleanupFailed: 'keda.scaledjob.rolloutcleanup.failed.v1',
  },
  TriggerAuthentication: ofAuthentication('TriggerAuthentication'),
  ClusterTriggerAuthentication: ofAuthentication('ClusterTriggerAuthentication'),
}

/** What is told of one Kubernetes event. */
export interface Notice {
  readonly type: string
  /** Empty: the object is the cluster's. */
  readonly namespace: string
  readonly kind: string
  readonly name: string
  readonly reason: string
  readonly message: string
  /** The same however often it is sent, so that who gets it twice can tell. */
  readonly id: string
  readonly atMs: number
}

/** Undefined: it is none that is told. */
export function noticeOf(
  { reason, note, regarding }: Pick<EmittedEvent, 'reason' | 'note' | 'regarding'>,
  { id, atMs }: Pick<Notice, 'id' | 'atMs'>,
): Notice | undefined {
  const { kind, name, namespace = '' } = regarding
  const type = typesByReason[kind]?.[reason]
  return type === undefined ? undefined : { type, namespace, kind, name, reason, message: note, id, atMs }
}

/** Whether `source` wants it: its types, and where it has a namespace, that alone. What includes types excludes none. */
export function isWanted(notice: Notice, { metadata, spec }: CloudEventSource): boolean {
  if (metadata.namespace !== undefined && metadata.namespace !== notice.namespace) return false
  const { includedEventTypes: included = [], excludedEventTypes: excluded = [] } = spec.eventSubscription ?? {}
  return included.length > 0 ? included.includes(notice.type) : !excluded.includes(notice.type)
}

export interface NoticePlace {
  readonly cluster: string
  /** Where the operator's own objects are. */
  readonly namespace: string
}

/** Binary mode of CloudEvents 1.0: attributes are headers, the body is the data. */
export function requestOf(
  notice: Notice,
  { cluster, namespace }: NoticePlace,
): { readonly headers: Readonly<Record<string, string>>; readonly body: string } {
  const { type, kind, name, reason, message, id, atMs } = notice
  return {
    headers: {
      'ce-specversion': '1.0',
      'ce-id': id,
      'ce-source': inHeader(`/${cluster}/${namespace}/keda`),
      'ce-subject': inHeader(`/${cluster}/${notice.namespace}/${kind.toLowerCase()}/${name.toLowerCase()}`),
      'ce-time': formatMicroTime(atMs),
      'ce-type': type,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ reason, message }),
  }
}

/** The name of a cluster is anybody's text: what no header may hold is written in percents, as the protocol has it. */
function inHeader(text: string): string {
  return text.replaceAll(/[^\u0021-\u007e]|["%]/gu, character => encodeURIComponent(character.toWellFormed()))
}
