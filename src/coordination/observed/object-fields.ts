// Fields of objects that come from the wire as anything: read with a check, never trusted.
import type { KubeObject } from '#kube/objects/objects.ts'

/** `object[part]` where it is a map of fields; else empty. */
export function fieldsOf(object: KubeObject | undefined, part: 'spec' | 'status'): Readonly<Record<string, unknown>> {
  return recordOf(object?.[part])
}

/** `value` where it is a map of fields; else empty. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

/** `spec.replicas`, 1 where it is left out (as the API server defaults it). */
export function replicasOf(object: KubeObject): number {
  const { replicas } = fieldsOf(object, 'spec')
  return typeof replicas === 'number' ? replicas : 1
}

/** An RFC 3339 time in milliseconds since 1970; `undefined` for what is none. */
export function timeMs(text: unknown): number | undefined {
  const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN
  return Number.isFinite(ms) ? ms : undefined
}

/** How far a time of something just seen may be in the past: what watches and our clocks differ by, in milliseconds. */
const freshMs = 60_000

/**
 * When, by our clock, something happened that a watch has just shown, and of which the server says that it was at `ms`. Where that is not
 * about now our clocks differ, or the watch was away: then it counts from now.
 */
export function justSeen(ms: number | undefined, nowMs: number): number {
  return ms === undefined || ms > nowMs || ms < nowMs - freshMs ? nowMs : ms
}

/** A time of the server that is not in our future. */
export function notAfter(ms: number | undefined, nowMs: number): number {
  return ms === undefined ? nowMs : Math.min(ms, nowMs)
}

/** `Deployment shop/cart`, for evidence. */
export function nameOf({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`
}

/** Labels by which pods of a StatefulSet and of a DaemonSet say which revision they are of. */
export const revisionLabels = ['controller-revision-hash', 'pod-template-generation'] as const
