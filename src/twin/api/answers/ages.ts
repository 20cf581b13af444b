// Ages and names as tables show them.
import { humanDuration } from '#kube/time/human-duration.ts'
import type { Column } from './table-column.ts'

/** Milliseconds since 1970 of an RFC 3339 time; undefined for what is none. */
export function parseTimeMs(text: string): number | undefined {
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

/** `5m`, `3h`; `<unknown>` where there is no time. */
export function ageOf(time: string | undefined, nowMs: number): string {
  if (time === undefined) return '<unknown>'
  const ms = parseTimeMs(time)
  return ms === undefined ? '<unknown>' : humanDuration(nowMs - ms)
}

export const nameColumn: Column = {
  name: 'Name',
  format: 'name',
  cell: object => object.metadata.name,
}

export const ageColumn: Column = { name: 'Age', cell: (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs) }
