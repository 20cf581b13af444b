// Groups of ScaledObjects of which one is awake at a time, as whoever shares one graphics card must be. Pure: the same members at the same
// time have the same winner, whoever of them asks.
import { annotations } from '../names.ts'

export interface Member {
  /** `namespace/name` */
  readonly key: string
  readonly priority: number
  /** It is asked for: by its triggers, by force, by one that needs it, or by its least. Unknown while its triggers fail counts as asked. */
  readonly isActive: boolean
  readonly isAwake: boolean
  /** Nothing asks for it: it is awake, or is to be, before anybody comes. */
  readonly isWarmed: boolean
  /** What keeps us from putting it to sleep, in words. */
  readonly fixedBy: string | undefined
  /** False while it is paused or frozen: then it holds no place while it sleeps. */
  readonly canWake: boolean
  /** Its pods, those that are ending among them. */
  readonly pods: readonly MemberPod[]
  readonly lastActiveMs: number | undefined
}

export interface MemberPod {
  readonly createdMs: number
  /** When its grace is over; undefined: it is not ending. */
  readonly endsMs: number | undefined
}

export type Turn =
  /** Nobody is in its way. */
  | { readonly kind: 'free' }
  /** It is to be awake, once the others are gone. */
  | { readonly kind: 'waits'; readonly group: string; readonly others: readonly string[] }
  /** Another is to be awake. */
  | {
      readonly kind: 'yields'
      readonly group: string
      readonly to: string
      readonly because: string
      /** When it may be otherwise at the earliest, where that is known. */
      readonly untilMs?: number
    }

/** One that is awake and not asked for keeps its place so long against its equals: they must not take turns with every question. */
export const leastAwakeMs = 300_000
/** A pod that is still there so long after its grace is stuck, as on a node that is lost, and nobody waits for it. */
const stuckAfterMs = 120_000
/** Pods that nobody ends are waited for so long: what makes them is away. */
const longestWaitMs = 900_000

const free: Turn = { kind: 'free' }

/** Whose turn it is for member `key`. `waitingSinceMs`: since when it waits for others; undefined: it does not. */
export function turnOf(
  key: string,
  members: readonly Member[],
  {
    group,
    nowMs,
    waitingSinceMs,
  }: { readonly group: string; readonly nowMs: number; readonly waitingSinceMs: number | undefined },
): Turn {
  const ranked = members.filter(isContending).toSorted((a, b) => compare(a, b, nowMs).order)
  const [winner] = ranked
  const self = members.find(one => one.key === key)
  if (winner === undefined || self === undefined) return free
  if (winner.key !== key) {
    const holdsUntilMs = winner.isActive ? undefined : heldUntilMs(winner, nowMs)
    const { because } = compare(winner, self, nowMs)
    const until = holdsUntilMs === undefined || winner.priority > self.priority ? {} : { untilMs: holdsUntilMs }
    return { kind: 'yields', group, to: winner.key, because, ...until }
  }
  if (self.isAwake) return free
  const isOver = waitingSinceMs !== undefined && nowMs - waitingSinceMs >= longestWaitMs
  const isInWay = ({ isAwake, pods }: Member) =>
    isAwake || pods.some(({ endsMs }) => (endsMs === undefined ? !isOver : nowMs < endsMs + stuckAfterMs))
  const others = members.filter(one => one.key !== key && isInWay(one)).map(one => one.key)
  return others.length === 0 ? free : { kind: 'waits', group, others: others.toSorted() }
}

/** It is awake, or could be and is asked for or to be warmed. */
function isContending({ isActive, isAwake, isWarmed, canWake }: Member): boolean {
  return isAwake || ((isActive || isWarmed) && canWake)
}

/** Until when it keeps its place against its equals; undefined: it does no more, or sleeps. */
function heldUntilMs({ isAwake, pods }: Member, nowMs: number): number | undefined {
  if (!isAwake) return undefined
  const born = pods.flatMap(({ createdMs, endsMs }) => (endsMs === undefined ? [createdMs] : []))
  // Its pods are yet to come.
  const untilMs = (born.length === 0 ? nowMs : Math.min(nowMs, ...born)) + leastAwakeMs
  return untilMs > nowMs ? untilMs : undefined
}

/** Who goes first, and the first rule that tells them apart. */
function compare(a: Member, b: Member, nowMs: number): { readonly order: number; readonly because: string } {
  const isBlocked = (one: Member) => one.isActive && !isContending(one)
  const isFixed = (one: Member) => one.isAwake && one.fixedBy !== undefined
  const holds = (one: Member) => one.isAwake && (one.isActive || heldUntilMs(one, nowMs) !== undefined)
  const rules: readonly [number, string][] = [
    [Number(isBlocked(a)) - Number(isBlocked(b)), 'the other cannot be woken'],
    [Number(isFixed(b)) - Number(isFixed(a)), `it is awake and stays so: ${a.fixedBy ?? ''}`],
    [
      Number(a.isWarmed) - Number(b.isWarmed),
      a.isWarmed ? 'somebody is likely to come for it' : 'nobody asked for the other yet',
    ],
    [b.priority - a.priority, `its priority ${a.priority} is above ${b.priority}`],
    [
      Number(holds(b)) - Number(holds(a)),
      a.isActive ? 'it is awake and asked for' : `it woke less than ${leastAwakeMs / 60_000} minutes ago`,
    ],
    [Number(b.isActive) - Number(a.isActive), 'it is asked for'],
    [(a.lastActiveMs ?? 0) - (b.lastActiveMs ?? 0), 'it has not been active for longer'],
    [a.key < b.key ? -1 : a.key > b.key ? 1 : 0, 'it is the first by name'],
  ]
  const [order, because] = rules.find(([one]) => one !== 0) ?? [0, '']
  return { order, because }
}

/** Why it is not awake, as conditions and events say it. */
export function turnWords(turn: Exclude<Turn, { readonly kind: 'free' }>): string {
  const rule = `${annotations.oneAwake}: ${turn.group}`
  return turn.kind === 'yields'
    ? `ScaledObject ${turn.to} has the turn, since ${turn.because} (${rule})`
    : `it waits until ${turn.others.map(one => `ScaledObject ${one}`).join(', ')} ${turn.others.length === 1 ? 'has' : 'have'} no pods any more (${rule})`
}

/** A group of the configuration, which spans namespaces. */
export interface SpanningGroup {
  readonly name: string
  readonly namespaces: readonly string[]
}

/** What names the group `name` as it is meant in `namespace`: everywhere the same where the configuration lists both, else the namespace's own. */
export function groupKey(name: string, namespace: string, spanning: readonly SpanningGroup[]): string {
  const isSpanning = spanning.some(one => one.name === name && one.namespaces.includes(namespace))
  return isSpanning ? name : `${namespace}/${name}`
}
