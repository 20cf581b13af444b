// What the page, the terminal view and programs are told, in English: one function a message. A second language is a second file.
import type { Link, Sentence } from '../contract.ts'
import { age, ago, until } from './age.ts'
import { capital, counted } from './grammar.ts'
import { helpPath, nodePath, planPath } from './links.ts'
import { fineShare, nearGoal, percentText, points, unknownText } from './percent.ts'
import { count, cpuExactOf, memoryExactOf } from './quantity.ts'
import { say } from './sentence.ts'
import { hourAndMinute, otherClock } from './time.ts'

type Stat = 'requests' | 'usage'

/** `CPU`; any other resource by its own name. */
const resourceWord = (resource: string): string => (resource === 'cpu' ? 'CPU' : resource)

/** `CPU requests`, `memory use`, `pods`, `nvidia.com/gpu requests`. */
export function measureName(resource: string, stat: Stat): string {
  return resource === 'pods' ? 'pods' : `${resourceWord(resource)} ${stat === 'usage' ? 'use' : 'requests'}`
}

/** `93% of its CPU requested`, `57% of its memory in use`, `80% of its pods`. */
export function shareWords(percent: string, resource: string, stat: Stat): string {
  if (resource === 'pods') return `${percent} of the pods it can take`
  return `${percent} of its ${resourceWord(resource)} ${stat === 'usage' ? 'in use' : 'requested'}`
}

// The verdict.

/** The source `api` is down or nothing was read yet. `ageMs`: how long it is silent; `time`: of what is shown, a moment. */
export function apiSilent({ ageMs, time }: { readonly ageMs: number; readonly time: string }): Sentence {
  return say('api-silent', `The API server has not answered for ${age(ageMs)}. What follows is from ${time}.`, { ageMs, time })
}

/** Nothing was read from the API server yet. */
export function nothingReadYet(): Sentence {
  return say('nothing-read-yet', 'The API server has not answered yet. Nothing is known of the cluster.')
}

/** `Loading examples/talos-homelab: 61 of 412 objects`. */
export function loading(facts: {
  readonly shown: string
  readonly loaded: number
  readonly total: number | undefined
  /** What keeps it from going on; a sentence without its end. */
  readonly trouble?: string | undefined
}): Sentence {
  const { shown, loaded, total, trouble } = facts
  // A count that stands at nothing tells nothing.
  const of =
    loaded === 0
      ? total === undefined
        ? ''
        : `: ${counted(total, 'object')}`
      : `: ${total === undefined ? counted(loaded, 'object') : `${count(loaded)} of ${counted(total, 'object')}`}`
  const held = trouble === undefined ? '' : `. ${trouble}.`
  return say('loading', `Loading ${shown}${of}${held}`, { shown, loaded, ...(total === undefined ? {} : { total }) })
}

interface FrozenFacts {
  /** A moment (`moments.ts`), or what the reader's clock showed; undefined where nothing says since when. */
  readonly time: string | undefined
  readonly who: string
  readonly reason: string
}

function frozenWords({ time, who, reason }: FrozenFacts): string {
  return `${time === undefined ? '' : ` since ${time}`} by ${who}: ${reason}`
}

function frozenFacts({ time, who, reason }: FrozenFacts): Readonly<Record<string, string>> {
  return { who, reason, ...(time === undefined ? {} : { time }) }
}

/** The whole cluster. */
export function clusterFrozen(facts: FrozenFacts): Sentence {
  return say('frozen', `Ballast is frozen${frozenWords(facts)}. Nothing will be disrupted.`, frozenFacts(facts))
}

/** One thing: `Frozen since 14:00:00 by local: update night.` */
export function thingFrozen(facts: FrozenFacts): Sentence {
  return say('thing-frozen', `Frozen${frozenWords(facts)}.`, frozenFacts(facts))
}

/** No plan can meet `goals`; `row` says what stands in the way. */
export function unreachable(
  { goals, row }: { readonly goals: readonly string[]; readonly row: string },
  links: readonly Link[] = [],
): Sentence {
  const [goal = 'The goal'] = goals
  const what = goals.length > 1 ? `${goal} and ${goals.length - 1} more` : goal
  return say('unreachable', `${what} cannot be reached: ${row}.`, { goals: goals.join(','), row }, links)
}

/** A gate is red; `gate` is its sentence without an end. */
export function movesWait({ gate }: { readonly gate: string }): Sentence {
  return say('moves-wait', `Moves wait: ${gate}.`, { gate })
}

export function moving(facts: {
  readonly n: number
  readonly total: number
  readonly workload: string
  readonly from: string
  readonly to: string
  readonly done: number
  readonly failed: number
}): Sentence {
  const { n, total, workload, from, to, done, failed } = facts
  return say('moving', `Moving ${n} of ${total}: ${workload} from ${from} to ${to}. ${done} done, ${failed} failed.`, {
    ...facts,
  })
}

/** Permits of others than a plan are out. `what`: the first, as a clause. */
export function acting({ what, others }: { readonly what: string; readonly others: number }): Sentence {
  const rest = others === 0 ? '' : ` ${counted(others, 'other disruption is', 'other disruptions are')} under way.`
  return say('acting', `${capital(what)}.${rest}`, { what, others })
}

const verbWords: Readonly<Record<string, string>> = {
  evict: 'evicts a pod of',
  restart: 'restarts',
  resize: 'resizes pods of',
  scale: 'scales',
  drain: 'drains',
  taint: 'taints',
  gate: 'holds pods of',
  launch: 'starts',
  terminate: 'stops',
}

/** What a permit that is out does: `reload restarts shop/cart`. */
export function doingOther(facts: { readonly requester: string; readonly verb: string; readonly target: string }): Sentence {
  const { requester, verb, target } = facts
  const words = Object.hasOwn(verbWords, verb) ? verbWords[verb] : undefined
  return say('doing', `${requester} ${words ?? `does ${verb} to`} ${target}`, { ...facts })
}

/** A move under way: `monitoring/mimir-querier from talos00 to talos03`. */
export function doingMove(facts: { readonly workload: string; readonly from: string; readonly to: string }): Sentence {
  const { workload, from, to } = facts
  return say('doing-move', `${workload} from ${from} to ${to}`, { ...facts })
}

/** In place of a name that the viewer may not see. */
export const hiddenName = 'something you may not see'

export interface ShareFacts {
  readonly node: string
  /** Exact percent. */
  readonly now: number | null
  readonly resource: string
  readonly stat: Stat
  readonly min: number | null
  readonly max: number | null
}

/** `the goal is at most 70%`. */
export function goalWords({ min, max }: Pick<ShareFacts, 'min' | 'max'>): string {
  if (min !== null && max !== null) return `the goal is ${min}% to ${max}%`
  return max === null ? `the goal is at least ${min ?? 0}%` : `the goal is at most ${max}%`
}

/** `talos00 has 93% of its CPU requested; the goal is at most 70%.` `short`: the measure was named just before: `talos03 has 4%; …`. */
export function goalUnmet(facts: ShareFacts, { short }: { readonly short: boolean }): Sentence {
  const { node, now, resource, stat } = facts
  const shown = nearGoal(now, { ...facts, met: false })
  const share = short ? shown : shareWords(shown, resource, stat)
  return say('goal-unmet', `${node} has ${share}; ${goalWords(facts)}.`, { node, now: now ?? unknownText, resource, stat }, [
    { text: node, path: nodePath(node) },
  ])
}

/** Several sentences told as one: what they have to say belongs together. */
export function together(code: string, sentences: readonly Sentence[]): Sentence {
  const facts = Object.assign({}, ...sentences.map(({ facts }, at) => (at === 0 ? facts : numbered(facts, at + 1))))
  return say(
    code,
    sentences.map(({ text }) => text).join(' '),
    facts,
    sentences.flatMap(({ links }) => links),
  )
}

/** The facts of a second sentence beside those of the first: `node2`. */
function numbered(facts: Sentence['facts'], number: number): Sentence['facts'] {
  return Object.fromEntries(Object.entries(facts).map(([name, fact]) => [`${name}${number}`, fact]))
}

/** After the goals that were told: `And 3 more goals are not met.` */
export function moreUnmet({ more }: { readonly more: number }): Sentence {
  return say('more-unmet', `And ${counted(more, 'more goal is', 'more goals are')} not met.`, { more })
}

/** Goals about which nothing can be said now. */
export function goalsUnknown({ goals, because }: { readonly goals: readonly string[]; readonly because: string }): Sentence {
  return say('goals-unknown', `Nothing can be said about ${goals.join(', ')}: ${because}.`, { goals: goals.join(','), because })
}

/** A plan waits: what it reaches and that nothing was moved. */
export function planProposed(facts: {
  readonly plan: string
  readonly moves: number
  readonly goals: number
  readonly reached: number
}): Sentence {
  const { plan, moves, goals, reached } = facts
  const all = goals === 1 ? 'the goal' : goals === 2 ? 'both goals' : `all ${goals} goals`
  const what = goals === 0 ? '' : reached === goals ? ` reaches ${all}` : ` reaches ${reached} of ${counted(goals, 'goal')}`
  const text = `A plan of ${counted(moves, 'move')}${what}. It is waiting for you; nothing has been moved.`
  return say('plan-proposed', text, { ...facts }, [{ text: 'See the plan', path: planPath(plan) }])
}

/** A plan is approved and starts: `when` is `now`, `at 04:00 …`. */
export function planApproved({
  plan,
  moves,
  when,
}: {
  readonly plan: string
  readonly moves: number
  readonly when: string
}): Sentence {
  const text = `A plan of ${counted(moves, 'move')} is approved. It starts ${when}.`
  return say('plan-approved', text, { plan, moves, when }, [{ text: 'See the plan', path: planPath(plan) }])
}

/** The plan stands still. */
export function planPaused(facts: {
  readonly plan: string
  readonly done: number
  readonly moves: number
  readonly because: string
}): Sentence {
  const { plan, done, moves, because } = facts
  const text = `The plan is paused after ${done} of ${counted(moves, 'move')}: ${because}.`
  return say('plan-paused', text, { ...facts }, [{ text: 'See the plan', path: planPath(plan) }])
}

/** The plan runs and no permit is out at this moment. */
export function planBetween({
  plan,
  done,
  moves,
}: {
  readonly plan: string
  readonly done: number
  readonly moves: number
}): Sentence {
  const text = `The plan is running: ${done} of ${counted(moves, 'move')} done.`
  return say('plan-running', text, { plan, done, moves }, [{ text: 'See the plan', path: planPath(plan) }])
}

// Goals.

export function noGoals(): Sentence {
  return say('no-goals', 'No goals are set. Without a goal Ballast only reports.', {}, [
    { text: 'How to set one', path: helpPath('goals') },
  ])
}

export function goalMet(facts: Pick<ShareFacts, 'min' | 'max'>): Sentence {
  return say('goal-met', 'met', {
    ...(facts.min === null ? {} : { min: facts.min }),
    ...(facts.max === null ? {} : { max: facts.max }),
  })
}

/** `23.4 points over`, `25.9 points short`. Goals exclude their bound, so that what lies on it misses by nothing that points can say. */
export function goalMissed({
  side,
  shortfall,
  bound,
}: {
  readonly side: 'over' | 'short'
  readonly shortfall: number
  readonly bound: number
}): Sentence {
  const facts = { side, points: shortfall, bound }
  if (shortfall === 0) return say('goal-at-bound', `exactly ${bound}%: must be ${side === 'over' ? 'below' : 'above'}`, facts)
  const shown = points(shortfall)
  return say(`goal-${side}`, shown === '0.0' ? `less than 0.1 points ${side}` : `${shown} points ${side}`, facts)
}

export function goalUnknown({ because }: { readonly because: string }): Sentence {
  return say('goal-unknown', `unknown: ${because}`, { because })
}

export function notReadyWords(node: string): string {
  return `${node} is not ready`
}

export function unknownNodeWords(node: string): string {
  return `there is no node ${node}`
}

export function noAllocatableWords(node: string): string {
  return `${node} reports nothing allocatable`
}

/** Said of a resource that not every node has. */
export function noneOfWords(node: string, resource: string): string {
  return `${node} has no ${resource} to give`
}

export function useUnknownWords(node: string): string {
  return `nothing measured the use of ${node}`
}

/** Where the pods of a cluster are not known. */
export function requestsUnknownWords(node: string): string {
  return `what runs on ${node} is not known`
}

// Nodes.

/** `60m of 15950m (0.37%)`: exact, for tooltips. */
export function exactCpu(part: number | null, whole: number): string {
  return `${cpuExactOf(part, whole)} (${fineShare(part, whole, 2)})`
}

export function exactMemory(part: number | null, whole: number): string {
  return `${memoryExactOf(part, whole)} (${fineShare(part, whole, 2)})`
}

/** The state of a node in words: `Draining`, `Not ready for 95s`, `Ready`; of an earlier moment `–`. */
export function nodeStateText(
  row: {
    readonly ready: boolean | null
    readonly readySince: string | null
    readonly cordoned: boolean | null
    readonly draining: boolean
  },
  nowMs: number,
): string {
  const parts = [
    ...(row.ready !== false
      ? []
      : [row.readySince === null ? 'Not ready' : `Not ready for ${age(nowMs - Date.parse(row.readySince))}`]),
    ...(row.draining ? ['Draining'] : row.cordoned ? ['Cordoned'] : []),
  ]
  if (parts.length > 0) return parts.join(', ')
  return row.ready === null || row.cordoned === null ? unknownText : 'Ready'
}

/** `talos00: CPU 93 percent requested, goal at most 70`: the name of a bar. */
export function barName(facts: ShareFacts & { readonly allocatable: number; readonly part: number | null }): string {
  const { node, resource, stat, part, allocatable, min, max } = facts
  if (allocatable <= 0) return `${node}: ${noAllocatable}`
  const share = part === null ? 'unknown' : `${percentText(part, allocatable).replace('%', '')} percent`
  const word = resource === 'pods' ? 'taken' : stat === 'usage' ? 'used' : 'requested'
  const goal = [...(min === null ? [] : [`goal at least ${min}`]), ...(max === null ? [] : [`goal at most ${max}`])]
  return [`${node}: ${resourceWord(resource)} ${share} ${word}`, ...goal].join(', ')
}

export const noAllocatable = 'no allocatable reported'

/** `5000 nodes, 150,000 pods`. */
export function sizeText({ nodes, pods }: { readonly nodes: number; readonly pods: number | null }): string {
  return `${counted(nodes, 'node')}, ${counted(pods, 'pod')}`
}

/** `12 pods you may not see`. */
export function hiddenPods({ pods }: { readonly pods: number }): string {
  return `${counted(pods, 'pod')} you may not see`
}

/** What a node's page begins with. */
export function nodeFull(facts: {
  readonly node: string
  readonly cpu: string
  readonly memory: string
  readonly pods: number | null
  /** The sentence before this one has told the share of CPU. */
  readonly isCpuTold: boolean
}): Sentence {
  const { node, cpu, memory, pods, isCpuTold } = facts
  const said = isCpuTold
    ? `Its ${counted(pods, 'pod')} request ${memory} of its memory.`
    : `${node} has ${cpu} of its CPU and ${memory} of its memory requested by ${counted(pods, 'pod')}.`
  return say('node-full', said, { node, cpu, memory, ...(pods === null ? {} : { pods }) })
}

export function nodeNotReady({ node, forMs }: { readonly node: string; readonly forMs: number | undefined }): Sentence {
  const since = forMs === undefined ? '' : ` for ${age(forMs)}`
  return say('node-not-ready', `${node} is not ready${since}.`, { node, ...(forMs === undefined ? {} : { forMs }) })
}

export function nodeDraining({ node, pods }: { readonly node: string; readonly pods: number | null }): Sentence {
  const facts = { node, ...(pods === null ? {} : { pods }) }
  return say('node-draining', `${node} is being drained; ${counted(pods, 'pod is', 'pods are')} still on it.`, facts)
}

export function nodeCordoned({ node }: { readonly node: string }): Sentence {
  return say('node-cordoned', `${node} is cordoned: no new pod comes to it.`, { node })
}

// Sources.

export interface SilenceFacts {
  /** `metrics.k8s.io`, `The API server`. */
  readonly who: string
  readonly forMs: number
}

/** `metrics.k8s.io has not answered for 3m20s`. */
export function sourceSilent({ who, forMs }: SilenceFacts): string {
  return `${who} has not answered for ${age(forMs)}`
}

export function sourceNeverAnswered(who: string): string {
  return `${who} has not answered yet`
}

/** `as of 14:01:40`: beside a value that is older than its limit. */
export function asOf(time: string): string {
  return `as of ${time}`
}

/** `Showing 14:03:18, 2h ago`: above a page of the past. */
export function showingMoment({ time, agoMs }: { readonly time: string; readonly agoMs: number }): Sentence {
  return say('showing-moment', `Showing ${time}, ${ago(agoMs)}`, { time, agoMs })
}

// Tiles.

export function scaleToZero({ can, atZero }: { readonly can: number; readonly atZero: number }): Sentence {
  return say('scale-to-zero', `${counted(can, 'workload')} can sleep, ${count(atZero)} asleep`, { can, atZero })
}

export function nothingMoves(): Sentence {
  return say('nothing-moves', 'Nothing is being moved.')
}

// Plans.

/** `15 moves, the fewest possible (bound 14.63).` Of a plan that is not proven best the bound alone. */
export function planSize(facts: {
  readonly moves: number
  readonly lowerBound: number
  readonly optimal: boolean
  /** The bound is of plans that keep the margins of their goals. */
  readonly withMargins?: boolean
}): Sentence {
  const { moves, lowerBound, optimal, withMargins = false } = facts
  if (moves === 0) return say('plan-empty', 'Nothing to move.', { moves, lowerBound })
  const bound = lowerBound > 0 ? ` (bound ${Math.round(lowerBound * 100) / 100})` : ''
  const words = optimal
    ? `the fewest ${withMargins ? 'that keep the margins' : 'possible'}${bound}`
    : lowerBound > 0
      ? `at least ${Math.ceil(lowerBound - 1e-6)} are needed${withMargins ? ' with the margins' : ''}${bound}`
      : ''
  return say('plan-size', `${counted(moves, 'move')}${words === '' ? '' : `, ${words}`}.`, {
    moves,
    lowerBound,
    optimal: optimal ? 1 : 0,
  })
}

interface StartFacts {
  readonly atMs: number
  readonly nowMs: number
  /** Zone of the schedule. */
  readonly zone: string
  readonly displayZone: string | undefined
}

/** `at 04:00 (Europe/Berlin), in 5h12m`; where the reader's clock differs `at 04:00 (Europe/Berlin, 03:00 UTC), in 5h12m`. */
export function startWords({ atMs, nowMs, zone, displayZone }: StartFacts): string {
  const other = otherClock(atMs, zone, displayZone)
  return `at ${hourAndMinute(atMs, zone)} (${zone}${other === undefined ? '' : `, ${other}`}), ${until(atMs - nowMs)}`
}

/** An approved plan outside of its windows. */
export function startsAt(facts: StartFacts): Sentence {
  return say('starts-at', `Starts ${startWords(facts)}`, { atMs: facts.atMs, zone: facts.zone })
}

/** Said of a policy in mode Auto. */
export function startsByItself(facts: StartFacts): Sentence {
  return say('starts-by-itself', `Starts by itself ${startWords(facts)}`, { atMs: facts.atMs, zone: facts.zone })
}

export function startsNow(): Sentence {
  return say('starts-now', 'Starts by itself now')
}

export function policyOnlyReports(): Sentence {
  return say('policy-only-reports', 'This policy only reports.')
}

/** `3 of 15 moves done`: for the live region. */
export function movesDone({ done, moves }: { readonly done: number; readonly moves: number }): string {
  return `${count(done)} of ${counted(moves, 'move')} done`
}
