// Things by name: what begins with the words first, then what has them inside. Names are compared without regard to case.
import type { SearchHit } from '../contract.ts'
import type { Picture } from '../picture.ts'
import { nodePath, permitsPath, planPath, podPath, workloadPath } from '../words/links.ts'
import type { Viewing } from './viewing.ts'
import { allRows } from './workloads/workload-rows.ts'

const mostHits = 100
const longestQuery = 253

/** What somebody may see by name: things of a namespace, and kinds that are read as a whole. */
interface Finding extends Pick<Viewing, 'sees'> {
  readonly reads: (reading: 'nodes' | 'plans' | 'permits') => boolean
}

/** At most `limit` things whose name, or `namespace/name`, has `query` in it: nodes, workloads, plans, permits, pods, in that order. */
export function searchIn(picture: Picture, query: string, limit: number, viewing?: Finding): readonly SearchHit[] {
  const words = query.trim().toLowerCase()
  const most = Math.min(mostHits, Math.max(0, Math.trunc(limit)))
  if (words === '' || words.length > longestQuery || most === 0) return []
  const sees = viewing === undefined ? () => true : (namespace: string) => viewing.sees(namespace)
  const first: SearchHit[] = []
  const second: SearchHit[] = []
  for (const kind of kinds) {
    if (kind.reading !== undefined && viewing?.reads(kind.reading) === false) continue
    // No more of any one kind than fit are needed: they come in order.
    let begun = 0
    let inside = 0
    for (const { namespace, name, path } of kind.things(picture)) {
      if (begun >= most) break
      const rank = rankOf(namespace, name, words)
      if (rank === undefined || (rank === 'inside' && inside >= most)) continue
      if (namespace !== undefined && !sees(namespace)) continue
      const hit = { kind: kind.kind, text: namespace === undefined ? name : `${namespace}/${name}`, path: path() }
      if (rank === 'begins') {
        first.push(hit)
        begun++
      } else {
        second.push(hit)
        inside++
      }
    }
  }
  return [...first, ...second].slice(0, most)
}

function rankOf(namespace: string | undefined, name: string, words: string): 'begins' | 'inside' | undefined {
  const its = name.toLowerCase()
  if (its.startsWith(words)) return 'begins'
  const whole = namespace === undefined ? its : `${namespace}/${its}`
  if (whole.startsWith(words)) return 'begins'
  return whole.includes(words) ? 'inside' : undefined
}

interface Thing {
  /** Namespace of a thing that lies in one. */
  readonly namespace: string | undefined
  readonly name: string
  readonly path: () => string
}

interface Kind {
  readonly kind: SearchHit['kind']
  /** Who may not read these as a whole finds none. */
  readonly reading?: 'nodes' | 'plans' | 'permits'
  /** In order of namespace and name. */
  readonly things: (picture: Picture) => Iterable<Thing>
}

const kinds: readonly Kind[] = [
  { kind: 'node', reading: 'nodes', things: nodes },
  { kind: 'workload', things: workloads },
  { kind: 'plan', reading: 'plans', things: plans },
  { kind: 'permit', reading: 'permits', things: permits },
  { kind: 'pod', things: pods },
]

function* nodes({ state }: Picture): Iterable<Thing> {
  for (const name of state.nodes.keys()) yield { namespace: undefined, name, path: () => nodePath(name) }
}

function* workloads(picture: Picture): Iterable<Thing> {
  for (const { ref } of allRows(picture))
    yield { namespace: ref.namespace ?? undefined, name: ref.name, path: () => workloadPath(ref) }
}

function* plans({ book }: Picture): Iterable<Thing> {
  for (const { metadata } of book.plans) yield { namespace: undefined, name: metadata.name, path: () => planPath(metadata.name) }
}

/** A permit is found among those of its workload. */
function* permits({ book }: Picture): Iterable<Thing> {
  let before = ''
  for (const { record } of book.permits) {
    const key = `${record.namespace}/${record.name}`
    if (key === before) continue
    before = key
    const { workload = null, namespace } = record
    yield { namespace, name: record.name, path: () => permitsPath(workload === null ? { namespace } : { workload }) }
  }
}

function* pods({ state }: Picture): Iterable<Thing> {
  for (const { namespace, name } of state.pods.values()) yield { namespace, name, path: () => podPath(namespace, name) }
}
