// How long archived folders are kept, and how much of them: what the configuration says, or the classes of a share. Pure.

import { messageOf } from '#kube/log.ts'
import { durationMs } from '#kube/time/duration.ts'
import { int64Value } from '#kube/values/quantity.ts'
import { volumePlace } from '../driver/volume-place.ts'
import type { VolumeClass } from '../jobs/storage-kinds.ts'
import type { LooseFolder } from './inventory.ts'

const keepAnnotation = 'ballast.dev/nfs-keep-archives'
const mostAnnotation = 'ballast.dev/nfs-most-archived'

/** Each may be absent: nothing goes because of it then. */
export interface ArchiveLimits {
  readonly keepMs: number | undefined
  readonly mostBytes: bigint | undefined
}

/** Nothing goes that was changed since, whatever room it takes. */
export const leastKeptMs = 3_600_000

/**
 * What holds for a share: classes that are on it come before the configuration, and of several the one that keeps longest, or most, where all say something.
 * @returns `problems`: annotations that are none, with what is wrong; nothing goes on that share then
 */
export function limitsOf(
  at: { readonly server: string; readonly share: string },
  storageClasses: Iterable<VolumeClass>,
  driver: string,
  configured: ArchiveLimits,
): { readonly limits: ArchiveLimits; readonly problems: readonly string[] } {
  const problems: string[] = []
  const keeps: (number | undefined)[] = []
  const mosts: (bigint | undefined)[] = []
  for (const { metadata, provisioner, parameters = {} } of storageClasses) {
    if (provisioner !== driver) continue
    const place = volumePlace({ handle: '', attributes: { share: '', ...lowered(parameters) } })
    if (place?.server !== at.server || place.share !== at.share) continue
    const read = <T>(key: string, parse: (text: string) => T): T | undefined => {
      const text = metadata.annotations?.[key]
      if (text === undefined) return undefined
      try {
        return parse(text)
      } catch (error) {
        problems.push(`StorageClass ${metadata.name}: ${key} is ${JSON.stringify(text)}: ${messageOf(error)}`)
        return undefined
      }
    }
    keeps.push(read(keepAnnotation, atLeastAnHour) ?? configured.keepMs)
    mosts.push(read(mostAnnotation, positive) ?? configured.mostBytes)
  }
  if (problems.length > 0) return { limits: { keepMs: undefined, mostBytes: undefined }, problems }
  if (keeps.length === 0) return { limits: configured, problems }
  const keepMs = keeps.includes(undefined) ? undefined : Math.max(...keeps.filter(value => value !== undefined))
  const all = mosts.filter(value => value !== undefined)
  const mostBytes = all.length < mosts.length ? undefined : all.reduce((one, other) => (one > other ? one : other))
  return { limits: { keepMs, mostBytes }, problems }
}

function atLeastAnHour(text: string): number {
  const ms = durationMs(text)
  if (ms < leastKeptMs) throw new RangeError('expected a duration of at least 1h, such as 720h')
  return ms
}

function positive(text: string): bigint {
  const bytes = int64Value(text, 0)
  if (bytes <= 0n) throw new RangeError('expected a quantity above 0, such as 100Gi')
  return bytes
}

const lowered = (parameters: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(parameters).map(([key, value]) => [key.toLowerCase(), value]))

/** An archive with what it takes up. */
export interface MeasuredArchive extends Pick<LooseFolder, 'changedMs'> {
  readonly name: string
  readonly bytes: bigint
}

/** Archives that go so that the others fit, the oldest first; never what was changed a moment ago. */
export function beyondMost(archives: readonly MeasuredArchive[], mostBytes: bigint, nowMs: number): readonly string[] {
  let sum = archives.reduce((bytes, archive) => bytes + archive.bytes, 0n)
  const going: string[] = []
  for (const archive of archives.toSorted((one, other) => one.changedMs - other.changedMs)) {
    if (sum <= mostBytes) break
    if (archive.changedMs >= nowMs - leastKeptMs) continue
    going.push(archive.name)
    sum -= archive.bytes
  }
  return going
}
