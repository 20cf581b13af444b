// What the version of a chart becomes in an OCIRepository: a tag where it is one version, a range where it is a range.
import { isOlder } from '#upstreams/convert-values.ts'
import type { ChartSource } from './chart-sources.ts'

export interface Reference {
  readonly key: 'tag' | 'semver'
  readonly value: string
  /** It says the same as before, so that it may stay as it was written. */
  readonly isSame: boolean
}

type ReadVersion =
  | {
      readonly reference: Reference
      readonly notes: readonly string[]
    }
  | { readonly since: string }
  | { readonly seen: string }

const exact = /^=?\s*(v?)(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)(?:\+([0-9A-Za-z.-]+))?$/

/**
 * `written` as it stands in the file; `undefined`: nothing was said, which is any version. A version that is older than the first that the
 * registry has gives `since`, unless an upgrade is allowed; one that is older than any that was seen there gives `seen`, unless that is allowed.
 */
export function referenceOf(
  written: string | undefined,
  { tag, since, seen }: Pick<ChartSource, 'tag' | 'since' | 'seen'>,
  { allowUpgrade, allowUnseen }: { readonly allowUpgrade: boolean; readonly allowUnseen: boolean },
): ReadVersion {
  if (written === undefined || written === '') return { reference: { key: 'semver', value: '*', isSame: false }, notes: [] }
  if (written.includes('${'))
    return {
      reference: { key: 'tag', value: written, isSame: true },
      notes: ['its version is filled in by Flux: it has to be one version, as the registry writes it'],
    }
  const found = exact.exec(written)
  if (found === null)
    return {
      reference: { key: 'semver', value: written, isSame: true },
      notes: since === undefined ? [] : [`the registry has versions from ${since} on`],
    }
  const [, v = '', version = '', build] = found
  if (since !== undefined && isOlder(core(version), since)) {
    if (!allowUpgrade) return { since }
    return {
      reference: { key: 'tag', value: `${tag === 'with-v' ? 'v' : ''}${since}`, isSame: false },
      notes: [`${written} → ${since}`],
    }
  }
  const prefix = tag === 'with-v' ? 'v' : tag === 'without-v' ? '' : v
  const value = `${prefix}${version}${build === undefined ? '' : `_${build}`}`
  const isUnseen = seen !== undefined && isOlder(core(version), seen)
  if (isUnseen && !allowUnseen) return { seen }
  const notes = isUnseen ? [`older than ${seen}, the oldest version that was seen there`] : []
  return { reference: { key: 'tag', value, isSame: value === written }, notes }
}

const core = (version: string): string => version.replace(/[-+].*$/, '')
