// Evictions by the strategies of the descheduler: ours in upstream's place, or upstream's own beside us. What is known of them are Events,
// which API servers keep for an hour, and, where the arbiter was asked, permits.
import type { KeptPermit } from '#coordination/account/book.ts'
import type { ClusterEvent } from '#coordination/account/cluster-events.ts'
import { plansFor } from '#coordination/intent.ts'
import type { EvictionRow, EvictionSum, Evictions } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { evictionsText, unnamedStrategy } from '../../words/en-rebalancing.ts'
import { cutText, printable } from '../../words/names.ts'
import { rfc3339 } from '../../words/time.ts'
import { permitId } from '../ledger/permits-kept.ts'
import type { Viewing } from '../viewing.ts'

/** Rows in the table; all are in the CSV. */
const mostRows = 25
const mostNodes = 10
/** Strategies in the table: names are of whoever wrote the Events. */
const mostStrategies = 20
const longestText = 200

/** Who reports in upstream's name. */
const reporters: ReadonlySet<string> = new Set(['sigs.k8s.io.descheduler', 'sigs.k8s.io/descheduler'])
/** Reason of the Event about an eviction that was refused. */
const failedReason = 'EvictionFailed'

interface Eviction {
  readonly atMs: number
  readonly pod: { readonly namespace: string; readonly name: string }
  readonly node: string | undefined
  readonly strategy: string
  readonly result: EvictionRow['result']
  readonly because: string
  readonly permit: string | undefined
  readonly count: number
}

const known = new WeakMap<
  readonly ClusterEvent[],
  { readonly permits: readonly KeptPermit[]; readonly all: readonly Eviction[] }
>()

/** Every eviction that is told by an Event or a permit, newest first; one that both tell is one. */
export function evictionsOf({ book: { events, permits } }: Pick<Picture, 'book'>): readonly Eviction[] {
  const before = known.get(events)
  if (before?.permits === permits) return before.all
  const byPermits = new Map<string, Eviction>()
  for (const permit of permits) {
    const eviction = ofPermit(permit)
    if (eviction !== undefined) add(byPermits, keyOf(permit.record.targets[0]?.uid, eviction), eviction)
  }
  const byEvents = new Map<string, Eviction>()
  for (const event of events) {
    const eviction = ofEvent(event)
    if (eviction !== undefined) add(byEvents, keyOf(event.regarding.uid, eviction), eviction)
  }
  const keys = new Set([...byPermits.keys(), ...byEvents.keys()])
  const all = Array.from(keys, key => toldOf(byEvents.get(key), byPermits.get(key)))
    .filter(eviction => eviction !== undefined)
    .toSorted((a, b) => b.atMs - a.atMs)
  known.set(events, { permits, all })
  return all
}

/** Refusals of one pod may be many; the pod that is gone is gone once. */
function keyOf(uid: string | undefined, { pod, result, atMs }: Eviction): string {
  const of = uid === undefined || uid === '' ? `${pod.namespace}/${pod.name} ${atMs}` : uid
  return `${result} ${of}`
}

/** The newest word of one pod, with how often there was one. */
function add(evictions: Map<string, Eviction>, key: string, eviction: Eviction): void {
  const before = evictions.get(key)
  const newer = before === undefined || before.atMs <= eviction.atMs ? eviction : before
  evictions.set(key, { ...newer, count: eviction.count + (before?.count ?? 0) })
}

/** What Event and permit say of the same: in the Event's words, with the strategy of the permit where the Event names none. */
function toldOf(event: Eviction | undefined, permit: Eviction | undefined): Eviction | undefined {
  if (event === undefined || permit === undefined) return event ?? permit
  const strategy = event.strategy === unnamedStrategy ? permit.strategy : event.strategy
  const because = event.because === '' ? permit.because : event.because
  return { ...event, strategy, because, permit: permit.permit, count: Math.max(event.count, permit.count) }
}

/** Evictions for the page: sums, and the newest. Pods that may not be seen are counted and not named. */
export function evictionsViewOf(picture: Picture, viewing: Viewing): Evictions {
  const all = evictionsOf(picture)
  const count = (result: EvictionRow['result']) =>
    all.reduce((sum, eviction) => sum + (eviction.result === result ? eviction.count : 0), 0)
  return {
    sentence: evictionsText({ evicted: count('evicted'), refused: count('refused') }),
    byStrategy: sumsOf(all, ({ strategy }) => strategy).slice(0, mostStrategies),
    byNode: sumsOf(all, ({ node }) => node).slice(0, mostNodes),
    rows: all.slice(0, mostRows).map(eviction => evictionRow(eviction, viewing)),
    total: all.length,
  }
}

/** As the viewer may see it. */
export function evictionRow({ atMs, pod, node, strategy, result, because, permit }: Eviction, viewing: Viewing): EvictionRow {
  const isSeen = viewing.sees(pod.namespace)
  return {
    at: rfc3339(atMs),
    pod: isSeen ? { kind: 'Pod', namespace: pod.namespace, name: pod.name } : null,
    node: node ?? null,
    strategy,
    result,
    because: isSeen ? because : '',
    permit: isSeen ? (permit ?? null) : null,
  }
}

function sumsOf(all: readonly Eviction[], nameOf: (eviction: Eviction) => string | undefined): readonly EvictionSum[] {
  const sums = new Map<string, { evicted: number; refused: number }>()
  for (const eviction of all) {
    const name = nameOf(eviction)
    if (name === undefined) continue
    const sum = sums.get(name) ?? { evicted: 0, refused: 0 }
    sum[eviction.result] += eviction.count
    sums.set(name, sum)
  }
  return [...sums]
    .map(([name, sum]) => ({ name, ...sum }))
    .toSorted((a, b) => b.evicted - a.evicted || b.refused - a.refused || (a.name < b.name ? -1 : 1))
}

/** `pod eviction from talos00 node by sigs.k8s.io/descheduler` */
const noted = /^pod eviction from (\S{1,253}) node by /
/** What a permit of it says: `default/RemoveDuplicates: …`. */
const profiled = /^[^/\s]{0,253}\/[A-Za-z]{1,100}: ?/
/** Plugins are called so; reasons that plugins give are sentences. */
const pluginName = /^[A-Z][A-Za-z]{2,99}$/

function ofEvent({ atMs, lastMs, count, reason, note, controller, regarding }: ClusterEvent): Eviction | undefined {
  if (!reporters.has(controller) || regarding.kind !== 'Pod') return undefined
  const isFailure = reason === failedReason
  return {
    atMs: Math.max(atMs, lastMs),
    pod: { namespace: regarding.namespace ?? '', name: regarding.name },
    node: noted.exec(note)?.[1],
    strategy: !isFailure && pluginName.test(reason) && reason !== 'NotSet' ? reason : unnamedStrategy,
    result: isFailure ? 'refused' : 'evicted',
    because: shown(isFailure ? note : pluginName.test(reason) ? '' : reason),
    permit: undefined,
    count,
  }
}

/** The eviction behind a permit that a strategy asked for; moves of plans say where the pod goes. */
function ofPermit({ record }: KeptPermit): Eviction | undefined {
  const { requester, verb, relocation, grant, targets, ending, releasedAtMs, reasons, nodes } = record
  const [target] = targets
  if (requester !== plansFor('move').requester || verb !== 'evict' || relocation !== undefined) return undefined
  if (grant === undefined || target === undefined || (ending !== 'done' && ending !== 'failed')) return undefined
  const { code = '', message = '' } = reasons[0] ?? {}
  return {
    atMs: releasedAtMs ?? grant.atMs,
    pod: { namespace: target.namespace ?? '', name: target.name },
    node: nodes[0],
    strategy: pluginName.test(code) ? code : unnamedStrategy,
    result: ending === 'done' ? 'evicted' : 'refused',
    because: shown(message.replace(profiled, '')),
    permit: permitId(record),
    count: 1,
  }
}

function shown(text: string): string {
  return cutText(printable(text), longestText)
}
