// What an Event says of a part that is set aside, written by its process and read by whoever shows it.
import type { ClusterEvent } from './cluster-events.ts'

export const quarantineReason = 'PartQuarantined'

/** `reload/controller is quarantined until 2026-03-02T04:01:00.000Z, then tried again: why` */
export function quarantineWords({ untilMs, why }: { readonly untilMs: number; readonly why: string }): string {
  return `is quarantined until ${new Date(untilMs).toISOString()}, then tried again: ${why}`
}

interface QuarantinedPart {
  /** `reload/controller` */
  readonly part: string
  readonly untilMs: number
}

const form =
  /^([a-z][a-z0-9-]*\/[a-z][a-z0-9-]*) is quarantined until (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z), then tried again: /

/** The parts that are set aside at `nowMs`, by name. An Event stays after a part that came back before its time: for ten minutes at most. */
export function quarantinedParts(
  events: readonly ClusterEvent[],
  ownNamespace: string,
  nowMs: number,
): readonly QuarantinedPart[] {
  const until = new Map<string, number>()
  for (const { reason, note, controller, regarding } of events) {
    if (reason !== quarantineReason || regarding.namespace !== ownNamespace || !controller.startsWith('ballast.dev/')) continue
    const [, part, time] = form.exec(note) ?? []
    if (part !== undefined && time !== undefined) until.set(part, Math.max(until.get(part) ?? 0, Date.parse(time)))
  }
  return Array.from(until, ([part, untilMs]) => ({ part, untilMs }))
    .filter(({ untilMs }) => untilMs > nowMs)
    .toSorted((a, b) => (a.part < b.part ? -1 : 1))
}
