// What the recorder wrote, run by run, made into rows of the fixture: constant time and UIDs, nothing empty, and of what upstream leaves to
// chance all that was seen.
import { isDeepStrictEqual } from 'node:util'
import { recordedNowMs } from '../../../../src/capabilities/deschedule/compat/testdata/upstream-tables.ts'

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type Fields = { readonly [key: string]: Json }

/** `runs` are the files of one package, as many lines in each: of the same test after test. @throws Error where runs tell different things */
export function rowsOf(what: string, lines: readonly string[], runs: number): readonly Fields[] {
  const all = lines.map(line => plainRow(JSON.parse(line)))
  const each = all.length / runs
  if (!Number.isInteger(each)) throw new Error(`${what}: found ${all.length} rows in ${runs} runs, expected as many in each`)
  const rows = Array.from({ length: each }, (_, at) =>
    mergedRow(
      `${what} ${at + 1}`,
      Array.from({ length: runs }, (_run, run) => all[run * each + at] ?? {}),
    ),
  )
  // Defaults are set for the rows of one test again and again.
  return rows.filter((row, at) => !('defaulted' in row) || rows.findIndex(other => isDeepStrictEqual(other, row)) === at)
}

function mergedRow(what: string, seen: readonly Fields[]): Fields {
  const [first = {}] = seen
  if ('answer' in first || 'isRefused' in first || 'defaulted' in first) {
    if (!seen.every(row => isDeepStrictEqual(row['answer'], first['answer']) && row['isRefused'] === first['isRefused']))
      throw new Error(`${what}: found other answers in other runs`)
    return first
  }
  const evicted = seen.map(row => textsOf(row['evicted']).toSorted())
  const ever = [...new Set(evicted.flat())].toSorted()
  const counts = [...new Set(evicted.map(({ length }) => length))].toSorted((a, b) => a - b)
  const always = ever.filter(pod => evicted.every(list => list.includes(pod)))
  const sometimes = ever.filter(pod => !always.includes(pod))
  const { evicted: _evicted, ...given } = first
  return { ...given, counts, always, ...(sometimes.length > 0 && { sometimes }) }
}

const textsOf = (value: Json | undefined): readonly string[] => (Array.isArray(value) ? value.map(String) : [])

/** With `recordedNowMs` as its time, `u1`, `u2` as UIDs, kinds on its objects. */
function plainRow(row: Fields): Fields {
  const uids = new Map<string, string>()
  const offsetMs = recordedNowMs - Number(row['nowMs'] ?? recordedNowMs)
  const plain = (value: Json): Json | undefined => {
    if (value === null) return undefined
    if (typeof value === 'string') return plainText(value, { offsetMs, uids })
    if (Array.isArray(value)) return value.flatMap(item => plain(item) ?? [])
    if (typeof value !== 'object') return value
    const kept: Record<string, Json> = {}
    for (const [key, inner] of Object.entries(value)) {
      if (neverKept.has(key)) continue
      const made = plain(inner)
      if (made === undefined || (droppedWhereEmpty.has(key) && isEmpty(made))) continue
      kept[key] = made
    }
    return kept
  }
  const { nowMs: _now, refusal, failure, nodes, objects = {}, pod, ...rest } = row
  const made = (plain({ ...rest, objects, ...(nodes === undefined ? {} : { nodes }), ...(pod === undefined ? {} : { pod }) }) ??
    {}) as Fields
  return {
    ...withObjects(made),
    // Upstream's words stay with upstream: that it refuses is the fact.
    ...('checked' in row || 'policy' in row ? { isRefused: refusal !== undefined } : {}),
    ...(failure === undefined ? {} : { hasFailed: true }),
  }
}

/** Nobody decides by these. */
const neverKept: ReadonlySet<string> = new Set(['managedFields', 'selfLink', 'imageID', 'nodeInfo', 'daemonEndpoints'])
const droppedWhereEmpty: ReadonlySet<string> = new Set([
  ...['resources', 'status', 'spec', 'state', 'lastState', 'limits', 'evictor', 'failed', 'objects', 'podProtections', 'image'],
])

const isEmpty = (value: Json): boolean =>
  value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)

/** Nodes that the strategy was given only where they are not simply all; objects as one list. */
function withObjects(row: Fields): Fields {
  const { objects = {}, nodes, pod, ...rest } = row
  const byKind = Object.entries(objects as Readonly<Record<string, readonly Fields[]>>)
  const names = namesOf(nodes)
  const known = byKind.flatMap(([kind, list]) => (kind === 'Node' ? namesOf(list) : []))
  const stray = ((nodes ?? []) as readonly Fields[]).filter(node => !known.includes(nameOf(node)))
  const list = [
    ...byKind.flatMap(([kind, all]) => all.map(one => ({ kind, ...one }))),
    ...stray.map(node => ({ kind: 'Node', ...node })),
  ]
  return {
    ...rest,
    ...(pod === undefined ? {} : { pod: keyOf(pod as Fields) }),
    ...(nodes === undefined || names.toSorted().join() === known.toSorted().join() ? {} : { nodes: names }),
    ...(list.length === 0 ? {} : { objects: list }),
  }
}

const namesOf = (list: Json | undefined): readonly string[] => (Array.isArray(list) ? list.map(nameOf) : [])
const metadataOf = (object: Json) =>
  (object as { readonly metadata: { readonly name: string; readonly namespace?: string } }).metadata
const nameOf = (object: Json): string => metadataOf(object).name
const keyOf = (object: Json): string => `${metadataOf(object).namespace}/${nameOf(object)}`

const uidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

function plainText(text: string, { offsetMs, uids }: { readonly offsetMs: number; readonly uids: Map<string, string> }): string {
  if (uidPattern.test(text)) {
    const uid = uids.get(text) ?? `u${uids.size + 1}`
    uids.set(text, uid)
    return uid
  }
  // To the second, as objects have it: what was created "now" was so before now.
  if (timePattern.test(text))
    return new Date(Math.floor((Date.parse(text) + offsetMs) / 1000) * 1000).toISOString().replace('.000Z', 'Z')
  return text
}
