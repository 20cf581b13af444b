// Which content of a SecretProviderClass counts while its pods report different ones (config-reload 3.10): the greatest that was reported
// within the window, so that pods that rotate one after another do not roll their workload back and forth.
import { hashContent, type SourceContent } from './content-hash.ts'

export interface Report {
  /** `id=version` of each object, sorted, one a line: what is compared. */
  readonly versions: string
  readonly content: SourceContent
}

/** Reports of one SecretProviderClass that still count, oldest first; never empty once there was one. */
export type Rotation = readonly { readonly report: Report; readonly atMs: number }[]

const mostReports = 1_000

/** What a SecretProviderClassPodStatus reports: its objects and the name of its class. */
export function reportOf(className: string, objects: readonly { readonly id: string; readonly version: string }[]): Report {
  const entries = [...objects.map(({ id, version }) => [id, version] as const), ['SecretProviderClassName', className] as const]
  return {
    versions: objects
      .map(({ id, version }) => `${id}=${version}`)
      .toSorted()
      .join('\n'),
    content: hashContent(entries.map(([key, value]) => ({ key, value: Buffer.from(value), encoded: false }))),
  }
}

/** The rotation after one more report. */
export function withReport(
  rotation: Rotation,
  report: Report,
  at: { readonly nowMs: number; readonly windowMs: number },
): Rotation {
  const others = rotation.filter(one => one.report.versions !== report.versions && one.atMs > at.nowMs - at.windowMs)
  return [...others, { report, atMs: at.nowMs }].slice(-mostReports)
}

/** The rotation of what is found at the start: of all that is reported then the greatest, as if it were the only one. */
export function withFoundReport(rotation: Rotation, report: Report, nowMs: number): Rotation {
  const [found] = rotation
  return found === undefined || found.report.versions < report.versions ? [{ report, atMs: nowMs }] : rotation
}

/** The report that counts now, and when that may change; `undefined`: nothing was reported. */
export function countingReport(
  rotation: Rotation,
  { nowMs, windowMs }: { readonly nowMs: number; readonly windowMs: number },
): { readonly report: Report; readonly changesAtMs: number | undefined } | undefined {
  const latest = rotation.at(-1)
  if (latest === undefined) return undefined
  const recent = rotation.filter(({ atMs }) => atMs > nowMs - windowMs)
  const greatest = recent.reduce((best, one) => (one.report.versions > best.report.versions ? one : best), recent[0] ?? latest)
  return { report: greatest.report, changesAtMs: greatest === latest ? undefined : greatest.atMs + windowMs }
}
