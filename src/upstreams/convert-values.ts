// Upstream's values to ours by a table of rows: pure. Every key of the input is accounted for in the report.
import { nearestName } from '#kube/values/nearest-name.ts'
import type { RowContext, Step, ValuesRow } from './values-row.ts'
import { isTree, type ValuesTree, valueAt, withValue } from './values-tree.ts'

export interface ReportLine {
  /** Path in the input, dotted. */
  readonly from: string
  /** `unknown`: no supported chart has such a key, or not this version. */
  readonly kind: Step['kind'] | 'unknown'
  readonly to?: string
  readonly why?: string
}

export interface ConvertedValues {
  readonly values: ValuesTree
  readonly report: readonly ReportLine[]
  /** A key of which something is lost, changed or not known is among the lines. */
  readonly isLossy: boolean
}

interface ConversionInput {
  readonly rows: readonly ValuesRow[]
  /** Version of the chart; `undefined`: not known. */
  readonly version: string | undefined
  readonly values: ValuesTree
  readonly namespace: string | undefined
  /** What our values start from: `{capabilities: {reload: {enabled: true}}}`. */
  readonly start: ValuesTree
}

/** Our values, and what became of each key, in the order of the input. */
export function convertValues({ rows, version, values, namespace, start }: ConversionInput): ConvertedValues {
  const byPath = new Map(rows.map(row => [row.path, row]))
  const context: RowContext = {
    read: path => valueAt(values, path.split('.')) ?? byPath.get(path)?.upstreamDefault,
    namespace,
  }
  const report: ReportLine[] = []
  let ours = start
  const take = (from: string, step: Step) => {
    if (step.kind === 'carried' || step.kind === 'changed') {
      const path = step.to.split('.')
      ours = withValue(ours, path, joined(valueAt(ours, path), step))
    }
    const { kind } = step
    report.push({ from, kind, ...('to' in step ? { to: step.to } : {}), ...(step.why === undefined ? {} : { why: step.why }) })
  }
  const walk = (value: unknown, path: readonly string[]) => {
    const from = path.join('.')
    const row = byPath.get(from)
    const isAbsent = value === null || value === undefined
    if (row !== undefined && version !== undefined && row.since !== undefined && isOlder(version, row.since)) {
      report.push({ from, kind: 'unknown', why: `chart ${version} does not know it, ${row.since} is the first that does` })
      return
    }
    // As Helm takes it: nothing said.
    if (isAbsent) return
    if (row !== undefined) {
      for (const step of row.carry(value, context)) take(from, step)
      return
    }
    const below = rows.filter(one => one.path.startsWith(`${from}.`))
    if (path.length > 0 && below.length === 0) {
      report.push({ from, kind: 'unknown', why: nearestSentence(from, rows) })
      return
    }
    if (!isTree(value)) {
      report.push({
        from,
        kind: 'unknown',
        why: `found ${JSON.stringify(value)}, expected a map of ${keysBelow(from, rows).join(', ')}`,
      })
      return
    }
    for (const [key, inner] of Object.entries(value)) walk(inner, [...path, key])
  }
  walk(values, [])
  const isLossy = report.some(({ kind }) => kind === 'lost' || kind === 'unknown' || kind === 'changed')
  return { values: ours, report, isLossy }
}

/** A chart of which every key has a row, whatever its version, for a capability of ours. */
export const byRows =
  (rows: readonly ValuesRow[], capability: string) =>
  (input: Pick<ConversionInput, 'values' | 'version' | 'namespace'>): ConvertedValues =>
    convertValues({ ...input, rows, start: { capabilities: { [capability]: { enabled: true } } } })

function joined(present: unknown, step: Extract<Step, { readonly to: string }>): unknown {
  const { value } = step
  if ('isItem' in step && step.isItem === true) return [...(Array.isArray(present) ? present : []), value]
  // Two keys of upstream's may say something of one of ours: labels.
  return isTree(present) && isTree(value) ? { ...present, ...value } : value
}

function keysBelow(path: string, rows: readonly ValuesRow[]): readonly string[] {
  const prefix = path === '' ? '' : `${path}.`
  return [
    ...new Set(rows.filter(row => row.path.startsWith(prefix)).map(row => row.path.slice(prefix.length).split('.')[0] ?? '')),
  ]
}

function nearestSentence(from: string, rows: readonly ValuesRow[]): string {
  const at = from.lastIndexOf('.')
  const parent = at < 0 ? '' : from.slice(0, at)
  const siblings = keysBelow(parent, rows)
  const name = from.slice(at + 1)
  const sibling = nearestName(name, siblings)
  // Or the right key in the wrong place.
  const elsewhere = rows.find(({ path }) => path.endsWith(`.${name}`))?.path
  const shown = sibling === undefined ? elsewhere : parent === '' ? sibling : `${parent}.${sibling}`
  return `no chart of this upstream has it${shown === undefined ? '' : `; did you mean ${shown}?`}`
}

/** Versions of three numbers. */
export function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map(text => text.replace(/^v/, '').split('.').map(Number))
  for (const index of [0, 1, 2]) {
    const difference = (a?.[index] ?? 0) - (b?.[index] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}
