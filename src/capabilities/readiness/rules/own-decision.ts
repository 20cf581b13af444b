// What our own rules want of one node: one taint until each of them is satisfied, and never again for those of mode bootstrap. Pure.
import { isDeepStrictEqual } from 'node:util'
import type { Taint } from '#kube/objects/objects.ts'
import { formatTime } from '#kube/time/time.ts'
import { isOwnTaint, type OwnTaintKey, releasedAnnotation, timedOutAnnotation } from '../names.ts'
import { isSameTaint, type NodeFacts, type TimeoutTold } from '../node-facts.ts'
import { type DaemonSets, type Met, meets, type OwnRule } from './own-rules.ts'

/** How long what a continuous rule requires may be away before the node is held again. */
export const graceMs = 30_000

export const nodeStates = [
  'New',
  'Tainted',
  'Configuring',
  'Configured',
  'AgentStarting',
  'Ready',
  'Released',
  'TimedOut',
] as const
export type NodeReadinessState = (typeof nodeStates)[number]

export interface OwnWorld {
  readonly rules: readonly OwnRule[]
  readonly daemonSets: DaemonSets
  readonly taintKey: OwnTaintKey
  /** When each rule was first seen, milliseconds since 1970, by name: nodes that are older are not held by it in mode bootstrap. */
  readonly rulesSinceMs: ReadonlyMap<string, number>
  /** Since when a continuous rule is not met, milliseconds since 1970, by `memoryKey`. Forgotten with the leader: it then counts anew. */
  readonly unmetSinceMs: ReadonlyMap<string, number>
  /** How far the mirror's files are, where they are written to nodes from outside; `undefined`: they are not. */
  readonly configuration?: (node: NodeFacts) => 'todo' | 'running' | 'done'
}

interface OwnVerdict {
  readonly rule: string
  readonly state: NodeReadinessState
  readonly isMet: boolean
  /** Keeps the node tainted. */
  readonly holds: boolean
  /** For people: what it waits for. */
  readonly why: string
  /** Over its time and holding on: to be said now and then. */
  readonly isOverdue: boolean
  /** Not met since then, for the next look; only where it counts. */
  readonly unmetSinceMs?: number
}

/** What is to be written to a node, in one patch. */
export interface NodeMarks {
  /** Takes something from pods: needs a permit. A taint of the same key and effect gets this value. */
  readonly add: readonly Taint[]
  readonly remove: readonly Pick<Taint, 'key' | 'effect'>[]
  /** To be set, or taken away where `null`. */
  readonly annotations: Readonly<Record<string, string | null>>
}

export interface OwnDecision {
  readonly verdicts: readonly OwnVerdict[]
  readonly marks: NodeMarks
  /** Rules that let go because their time was over, with this very write. */
  readonly gaveUp: readonly string[]
  /** What the condition of rules over their time is to say; `undefined`: what it says is right. */
  readonly tells: TimeoutTold | undefined
  /** When something is to be looked at again though nothing changes, milliseconds since 1970. */
  readonly nextMs: number | undefined
}

export const noMarks: NodeMarks = { add: [], remove: [], annotations: {} }

/** Under which a node's memory of a rule lies. */
export function memoryKey(node: Pick<NodeFacts, 'uid'>, rule: string): string {
  return `${node.uid}/${rule}`
}

interface Standing {
  readonly node: NodeFacts
  readonly tainted: Taint | undefined
  readonly isReleased: boolean
  readonly timedOut: ReadonlySet<string>
  readonly nowMs: number
}

/** What becomes of our taint on `node`. */
export function decideOwn(node: NodeFacts, world: OwnWorld, nowMs: number): OwnDecision {
  // A node that is being deleted is left alone.
  if (node.isDeleting) return { verdicts: [], marks: noMarks, gaveUp: [], tells: undefined, nextMs: undefined }
  const rules = world.rules.filter(({ selector }) => selector.matches(node.labels))
  const standing: Standing = {
    node,
    tainted: node.taints.find(({ key }) => key === world.taintKey) ?? node.taints.find(isOwnTaint),
    isReleased: node.annotations[releasedAnnotation] !== undefined,
    timedOut: new Set((node.annotations[timedOutAnnotation] ?? '').split(',').filter(name => name !== '')),
    nowMs,
  }
  const judged = rules.map(rule => judgeRule(rule, standing, world))
  const marks = marksOf(judged, standing, world)
  const gaveUp = judged.filter(({ givesUp, verdict }) => givesUp && !standing.timedOut.has(verdict.rule))
  const times = judged.flatMap(({ nextMs }) => (nextMs === undefined ? [] : [nextMs]))
  return {
    verdicts: judged.map(({ verdict }) => verdict),
    marks,
    gaveUp: standing.tainted === undefined ? [] : gaveUp.map(({ verdict }) => verdict.rule),
    tells: timeoutToTell(judged, standing),
    nextMs: times.length === 0 ? undefined : Math.min(...times),
  }
}

interface Judged {
  readonly verdict: OwnVerdict
  readonly isBootstrapping: boolean
  /** Unmet, and over the time after which it lets go. */
  readonly givesUp: boolean
  readonly nextMs: number | undefined
}

function judgeRule(rule: OwnRule, standing: Standing, world: OwnWorld): Judged {
  const { node, tainted, isReleased, nowMs } = standing
  const sinceMs = world.rulesSinceMs.get(rule.name) ?? nowMs
  // A node that registered with the taint asks to be held, however old it is.
  const isBootstrapping = !isReleased && (tainted !== undefined || node.createdMs >= sinceMs)
  const met = metOn(rule, { node, isBootstrapping }, world)
  const verdict = { rule: rule.name, isMet: met.isMet, holds: false, why: met.why, isOverdue: false } as const
  const judged = { isBootstrapping, givesUp: false, nextMs: undefined } as const
  if (rule.mode === 'bootstrap' && !isBootstrapping) {
    // Done with the node, but it is remembered that the node was let go without what it was to wait for, until that is there.
    const givesUp = !met.isMet && standing.timedOut.has(rule.name)
    return { ...judged, givesUp, verdict: { ...verdict, state: givesUp ? 'TimedOut' : 'Released' } }
  }
  if (met.isMet) return { ...judged, verdict: { ...verdict, state: tainted === undefined ? 'Released' : 'Ready' } }
  return isBootstrapping
    ? judgeNew(rule, { ...judged, verdict: { ...verdict, state: 'New' } }, standing, { world, met })
    : judgeOld(rule, { ...judged, verdict: { ...verdict, state: 'New' } }, standing, { world, met })
}

/** A node whose files are written from outside is not let go without them: what it pulls would come from outside. */
function metOn(
  { requirements }: OwnRule,
  { node, isBootstrapping }: { readonly node: NodeFacts; readonly isBootstrapping: boolean },
  { daemonSets, configuration }: OwnWorld,
): Met {
  const met = meets(requirements, node, daemonSets)
  const isWithout = isBootstrapping && configuration !== undefined && configuration(node) !== 'done'
  return isWithout && met.isMet ? { ...met, isMet: false, why: "the mirror's files are not on the node yet" } : met
}

/** Not met on a node that was never let go. A clock that is behind the node's makes it younger than it is, never older. */
function judgeNew(
  rule: OwnRule,
  judged: Judged,
  standing: Standing,
  { world, met }: { readonly world: OwnWorld; readonly met: Met },
): Judged {
  const { node, nowMs, tainted, timedOut } = standing
  // A taint that another rule sets now starts no new time for one that gave up.
  if (timedOut.has(rule.name)) return { ...judged, givesUp: true, verdict: { ...judged.verdict, state: 'TimedOut' } }
  const dueMs = waitsSinceMs(node, tainted, { nowMs, rules: world.rules }) + rule.timeoutMs
  if (nowMs < dueMs) {
    return { ...judged, nextMs: dueMs, verdict: { ...judged.verdict, holds: true, state: waitingState(standing, world, met) } }
  }
  return rule.onTimeout === 'hold'
    ? { ...judged, verdict: { ...judged.verdict, holds: true, isOverdue: true, state: 'TimedOut' } }
    : { ...judged, givesUp: true, verdict: { ...judged.verdict, state: 'TimedOut' } }
}

/** Not met on a node that was let go once, or is older than the rule: a continuous rule holds it again after a while. */
function judgeOld(
  rule: OwnRule,
  judged: Judged,
  standing: Standing,
  { world, met }: { readonly world: OwnWorld; readonly met: Met },
): Judged {
  const { node, tainted, nowMs, timedOut } = standing
  const knownMs = Math.min(nowMs, world.unmetSinceMs.get(memoryKey(node, rule.name)) ?? nowMs)
  const verdict = { ...judged.verdict, unmetSinceMs: knownMs }
  // It had its time; what it requires has to come back before it may hold the node again.
  if (timedOut.has(rule.name)) return { ...judged, givesUp: true, verdict: { ...verdict, state: 'TimedOut' } }
  if (tainted === undefined) {
    const dueMs = knownMs + graceMs
    return nowMs >= dueMs
      ? { ...judged, verdict: { ...verdict, holds: true, state: 'New' } }
      : { ...judged, nextMs: dueMs, verdict: { ...verdict, state: 'Released' } }
  }
  const addedMs = Date.parse(tainted.timeAdded ?? '')
  const dueMs = (Number.isNaN(addedMs) ? knownMs : Math.min(nowMs, addedMs)) + rule.timeoutMs
  if (nowMs < dueMs)
    return { ...judged, nextMs: dueMs, verdict: { ...verdict, holds: true, state: waitingState(standing, world, met) } }
  return rule.onTimeout === 'hold'
    ? { ...judged, verdict: { ...verdict, holds: true, isOverdue: true, state: 'TimedOut' } }
    : { ...judged, givesUp: true, verdict: { ...verdict, state: 'TimedOut' } }
}

/**
 * Since when a node that was never let go waits, milliseconds since 1970: its creation, or the taint that came later. A node that is old and
 * brought the taint along waits from when we first saw to it; our first write notes that.
 */
function waitsSinceMs(
  node: Pick<NodeFacts, 'createdMs'>,
  tainted: Taint | undefined,
  { nowMs, rules }: { readonly nowMs: number; readonly rules: readonly Pick<OwnRule, 'name'>[] },
): number {
  const isSeen = tainted?.timeAdded !== undefined || rules.some(({ name }) => name === tainted?.value)
  return tainted === undefined || isSeen ? taintedSinceMs(node, tainted, nowMs) : Math.max(node.createdMs, nowMs)
}

/** The later of a node's creation and the time that a controller or webhook noted on the taint, milliseconds since 1970. */
export function taintedSinceMs(
  { createdMs }: Pick<NodeFacts, 'createdMs'>,
  tainted: Pick<Taint, 'timeAdded'> | undefined,
  nowMs: number,
): number {
  const addedMs = Date.parse(tainted?.timeAdded ?? '')
  return Number.isNaN(addedMs) ? createdMs : Math.max(createdMs, Math.min(nowMs, addedMs))
}

const longestTold = 1_024

/** What the condition is to say of the rules that are over their time. A node on which none ever was has no such condition. */
function timeoutToTell(judged: readonly Judged[], { node, timedOut }: Standing): TimeoutTold | undefined {
  const said = ({ verdict: { rule, why } }: Judged) => `rule '${rule}': ${why}`
  // Told when it is on the node, not while it is to be written.
  const released = judged.filter(({ givesUp, verdict }) => givesUp && timedOut.has(verdict.rule))
  const holding = judged.filter(({ verdict }) => verdict.isOverdue)
  const [reason, of] = released.length > 0 ? ['ReleasedByTimeout', released] : ['HeldOverTime', holding]
  const told: TimeoutTold =
    of.length > 0
      ? { status: 'True', reason, message: of.map(said).join('; ').slice(0, longestTold) }
      : { status: 'False', reason: 'WithinTime', message: 'no rule is over its time' }
  const before = node.timeoutTold
  if (before === undefined && of.length === 0) return undefined
  return isDeepStrictEqual(before, told) ? undefined : told
}

function waitingState({ node, tainted }: Standing, { configuration }: OwnWorld, { isBegun }: Met): NodeReadinessState {
  if (tainted === undefined) return 'New'
  const configured = configuration?.(node)
  if (configured === 'running') return 'Configuring'
  if (isBegun) return 'AgentStarting'
  return configured === 'done' ? 'Configured' : 'Tainted'
}

function marksOf(judged: readonly Judged[], standing: Standing, world: OwnWorld): NodeMarks {
  const { node, tainted, isReleased, nowMs } = standing
  const wanted = { key: world.taintKey, effect: 'NoSchedule' } as const
  const now = formatTime(nowMs)
  const first = judged.find(({ verdict }) => verdict.holds)
  const annotations: Record<string, string | null> = {}
  const timedOut = judged.filter(({ givesUp }) => givesUp).map(({ verdict }) => verdict.rule)
  const said = node.annotations[timedOutAnnotation]
  if ((said ?? '') !== timedOut.join(',')) annotations[timedOutAnnotation] = timedOut.length === 0 ? null : timedOut.join(',')
  if (first === undefined) {
    const remove = node.taints.filter(isOwnTaint).map(({ key, effect }) => ({ key, effect }))
    const isDone = remove.length > 0 || (!isReleased && judged.some(one => one.isBootstrapping))
    return { add: [], remove, annotations: { ...annotations, ...(isDone ? { [releasedAnnotation]: now } : {}) } }
  }
  const remove = node.taints.filter(taint => isOwnTaint(taint) && !isSameTaint(taint, wanted))
  const held = node.taints.find(taint => isSameTaint(taint, wanted))
  const value = first.verdict.rule
  const isRight = held !== undefined && held.value === value
  // Held again without having been new: what is done once was done, or is not for this node.
  const isOld = !isReleased && !judged.some(one => one.isBootstrapping)
  return {
    add: isRight ? [] : [{ ...wanted, value, timeAdded: held?.timeAdded ?? tainted?.timeAdded ?? now }],
    remove: remove.map(({ key, effect }) => ({ key, effect })),
    annotations: { ...annotations, ...(isOld ? { [releasedAnnotation]: now } : {}) },
  }
}
