// What was last acted on, durable: per workload and source a short mark of the content (config-reload P4), in a few ConfigMaps.
import { createHash } from 'node:crypto'
import { exactHashOf, type SourceContent } from '../sources/content-hash.ts'
import type { SourceState } from '../sources/source-state.ts'
import type { WorkloadFacts } from '../workloads/workload-facts.ts'

export interface WorkloadBaseline {
  /** A mark of the workload's UID: a baseline of an earlier workload of the name says nothing. */
  readonly uid: string
  /** Marks by `sourceKey`. */
  readonly marks: ReadonlyMap<string, SourceMark>
}

/**
 * What is remembered of one source, in hex without separators: 16 digits of the unambiguous hash, 8 of upstream's, 8 of its UID, 8 of
 * the hash that the template said then; with key-level use 16 more of the keys that are used. `-`: it was not there.
 */
export type SourceMark = string

export const absentMark: SourceMark = '-'

const exactLength = 16
const shortLength = 8
const writtenAt = exactLength + 2 * shortLength
const markLength = writtenAt + shortLength
const markText = /^(-|[0-9a-f]{40}([0-9a-f]{16})?)$/
const nothingWritten = '0'.repeat(shortLength)

/**
 * The mark of a source as it is now. `used` are the keys that count, where not all do; `written` is the hash that the template says of
 * the source.
 */
export function markOfSource(
  state: SourceState & { readonly content: SourceContent | 'absent' },
  { used, written }: { readonly used: ReadonlySet<string> | 'all'; readonly written: string | undefined },
): SourceMark {
  const { content } = state
  if (content === 'absent') return absentMark
  const whole = `${content.exact.slice(0, exactLength)}${content.sha1.slice(0, shortLength)}${markOfUid(state.uid)}`
  const keys = used === 'all' ? '' : exactHashOf(content, used).slice(0, exactLength)
  return `${whole}${writtenDigits(written)}${keys}`
}

/** The mark once `written` is what the template says. */
export function markAfterWriting(mark: SourceMark, written: string): SourceMark {
  return mark === absentMark ? mark : `${mark.slice(0, writtenAt)}${writtenDigits(written)}${mark.slice(markLength)}`
}

/** Digits of a hash; empty where the text is no hash, so that nothing is remembered. */
function writtenDigits(written: string | undefined): string {
  const digits = written?.slice(0, shortLength) ?? ''
  return /^[0-9a-f]{8}$/.test(digits) ? digits : nothingWritten
}

/** How a mark differs from an earlier one of the same source. */
export interface MarkDifference {
  readonly kind: 'same' | 'created' | 'deleted' | 'recreated' | 'changed' | 'unused-keys'
  /** The content differs although upstream's hash is the same. */
  readonly collides: boolean
}

/** What happened between two marks. */
export function differenceOf(before: SourceMark, now: SourceMark): MarkDifference {
  const kind = kindOfDifference(before, now)
  const isCollision = kind === 'changed' && before.slice(0, exactLength) !== now.slice(0, exactLength)
  return { kind, collides: isCollision && sha1Of(before) === sha1Of(now) }
}

function kindOfDifference(before: SourceMark, now: SourceMark): MarkDifference['kind'] {
  if (before === absentMark) return now === absentMark ? 'same' : 'created'
  if (now === absentMark) return 'deleted'
  if (before.slice(0, exactLength) === now.slice(0, exactLength)) return isOutdated(before, now) ? 'changed' : 'same'
  if (before.slice(exactLength + shortLength, writtenAt) !== now.slice(exactLength + shortLength, writtenAt)) return 'recreated'
  const used = now.slice(markLength)
  const isUsedAlike = used !== '' && used === before.slice(markLength)
  return isUsedAlike && !isOutdated(before, now) ? 'unused-keys' : 'changed'
}

/**
 * Whether a roll-out with another content came in between that nobody remembered: the writer was killed after it, or was another one. The
 * template says a hash that it did not say then, and it is not that of the content.
 */
function isOutdated(before: SourceMark, now: SourceMark): boolean {
  const written = now.slice(writtenAt, markLength)
  return written !== nothingWritten && written !== before.slice(writtenAt, markLength) && written !== sha1Of(now)
}

function sha1Of(mark: SourceMark): string {
  return mark.slice(exactLength, exactLength + shortLength)
}

/** A mark of a UID. */
export function markOfUid(uid: string): string {
  return createHash('sha256').update(uid).digest('hex').slice(0, shortLength)
}

export function isUidMark(text: string): boolean {
  return /^[0-9a-f]{8}$/.test(text)
}

export function isMark(text: string): text is SourceMark {
  return markText.test(text)
}

/** An empty baseline of the workload. */
export function emptyBaseline({ uid }: Pick<WorkloadFacts, 'uid'>): WorkloadBaseline {
  return { uid: markOfUid(uid), marks: new Map() }
}

export function isSameBaseline(a: WorkloadBaseline, b: WorkloadBaseline): boolean {
  return a.uid === b.uid && a.marks.size === b.marks.size && Array.from(a.marks).every(([key, mark]) => b.marks.get(key) === mark)
}
