// Feature files: what programs and people on the node say of it, a line each.

import { featureFilesDirectory, type HostTree } from '#machines/host-tree.ts'
import type { FeatureSet } from '../matching/feature-set.ts'
import { attributesOf, Found, type Labels, type Machine } from './source.ts'

/** A longer feature file is set aside. */
const mostFeatureFileBytes = 65_536

interface FeatureLines {
  readonly features: ReadonlyMap<string, string>
  readonly labels: ReadonlyMap<string, string>
  /** When the first of its lines expires that has not yet, in milliseconds since 1970. */
  readonly expiresMs?: number
  readonly problems: readonly string[]
}

/** What a feature file says at `nowMs`. */
export function readFeatureFile(text: string, nowMs: number): FeatureLines {
  const features = new Map<string, string>()
  const labels = new Map<string, string>()
  const problems: string[] = []
  let expiryMs: number | undefined
  let expiresMs: number | undefined
  let without = new Set<string>()
  for (const raw of text.split('\n')) {
    const line = raw.trim()
    if (line === '') continue
    if (line.startsWith('#')) {
      if (!line.startsWith('# +')) continue
      const [directive = '', value] = splitOnce(line.slice(3))
      if (directive === 'no-label' || directive === 'no-feature') without.add(directive)
      else if (directive !== 'expiry-time') problems.push(`directive ${JSON.stringify(directive)} is none`)
      else {
        const atMs = timeOf(value?.trim() ?? '')
        if (atMs === undefined) problems.push(`${JSON.stringify(line)} names no time such as 2030-01-31T12:00:00Z`)
        else expiryMs = atMs
      }
      continue
    }
    const skips = without
    // They are of this line, also where it has expired.
    without = new Set()
    if (expiryMs !== undefined && expiryMs < nowMs) continue
    if (expiryMs !== undefined) expiresMs = Math.min(expiresMs ?? expiryMs, expiryMs)
    const [key, value = 'true'] = splitOnce(line)
    if (skips.has('no-feature')) features.delete(key)
    else features.set(key, value)
    if (skips.has('no-label')) labels.delete(key)
    else labels.set(key, value)
  }
  return { features, labels, problems, ...(expiresMs === undefined ? {} : { expiresMs }) }
}

/** The features, and when they change by themselves. */
export function discoverLocal({ tree, nowMs, tell }: Machine): { readonly features: FeatureSet; readonly expiresMs?: number } {
  const features = new Map<string, string>()
  const labels = new Map<string, string>()
  let expiresMs: number | undefined
  for (const { name, text } of featureFiles(tree, tell)) {
    const lines = readFeatureFile(text, nowMs)
    for (const why of lines.problems) tell('a line of a feature file counts for nothing', { file: name, why })
    for (const [key, value] of lines.features) features.set(key, value)
    for (const [key, value] of lines.labels) labels.set(key, value)
    if (lines.expiresMs !== undefined) expiresMs = Math.min(expiresMs ?? lines.expiresMs, lines.expiresMs)
  }
  const found = new Found('local')
  found.attributes('label', labels)
  found.attributes('feature', features)
  return { features: found.features, ...(expiresMs === undefined ? {} : { expiresMs }) }
}

export function localLabels(features: FeatureSet): Labels {
  return attributesOf(features, 'local.label')
}

function featureFiles(tree: HostTree, tell: Machine['tell']): readonly { readonly name: string; readonly text: string }[] {
  const directory = tree.own(featureFilesDirectory)
  return (tree.names(directory) ?? []).flatMap(name => {
    if (name.startsWith('.')) return []
    const path = `${directory}/${name}`
    if (tree.isDirectory(path)) return []
    const bytes = tree.bytes(path)
    if (bytes === undefined) tell('a feature file cannot be read', { file: name })
    else if (bytes.length > mostFeatureFileBytes)
      tell('a feature file is set aside, for it is too long', { file: name, mostBytes: mostFeatureFileBytes })
    else return [{ name, text: bytes.toString('utf8') }]
    return []
  })
}

function splitOnce(text: string): readonly [string, string?] {
  const sign = text.indexOf('=')
  return sign === -1 ? [text] : [text.slice(0, sign), text.slice(sign + 1)]
}

/** A time as RFC 3339 writes it, in milliseconds since 1970. */
function timeOf(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)) return undefined
  const atMs = Date.parse(text.replace(',', '.'))
  return Number.isNaN(atMs) ? undefined : atMs
}
