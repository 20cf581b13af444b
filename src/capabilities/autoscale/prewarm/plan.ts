// When a target is awake before anybody comes: the spans of the coming day that are worth it, the likeliest first, as far as the budget of each
// day goes. Pure.
import { formatDurationMs } from '#kube/time/duration.ts'
import { formatTime } from '#kube/time/time.ts'
import type { TimeZone } from '#kube/time/time-zone.ts'
import { chanceIn, quarterAt, quarterMs } from './arrivals.ts'
import { bootTimeMs, type Learned, longestBootMs, nextDay, spentToday } from './learned.ts'
import type { PreWarmWish } from './wish.ts'

export interface PlanInput {
  readonly learned: Learned
  readonly wish: PreWarmWish
  readonly zone: TimeZone
  /** Once woken it is awake for so long at least. */
  readonly cooldownMs: number
  /** When it may rest at the earliest; undefined: it is at zero. */
  readonly restsAtMs: number | undefined
  /** A trigger is active: nothing is held awake for a guess. */
  readonly isWanted: boolean
  readonly nowMs: number
}

export interface WarmSpan {
  readonly fromMs: number
  readonly toMs: number
}

export interface WarmPlan {
  readonly kind: 'learning' | 'not-worth' | 'budget-spent' | 'planned' | 'warm'
  /** The next ones of the coming day, the one that is now first. */
  readonly spans: readonly WarmSpan[]
  /** Why, in one sentence without its end. */
  readonly because: string
  /** What is left of today's budget, milliseconds. */
  readonly leftMs: number
  readonly bootMs: number | undefined
}

/** How far ahead is planned. */
const plannedQuarters = 96
/** Boots take longer than the middle one half of the time. */
const leadMarginMs = 60_000
/** Looks and writes come so late at times: so much of the budget is kept for that. */
const slackMs = 60_000
/** What is left of a budget is spent on no shorter time. */
const leastWarmMs = 300_000

interface Candidate {
  readonly quarter: number
  readonly chance: number
}

/** What a plan looks at again and again. */
interface ComingDay extends PlanInput {
  readonly bootMs: number
  readonly chanceAt: (quarter: number) => number
  /** Spent today. */
  readonly spentMs: number
  readonly midnightMs: number
  readonly nextMidnightMs: number
}

function comingDay(input: PlanInput, bootMs: number): ComingDay {
  const { learned, zone, nowMs } = input
  const now = quarterAt(nowMs)
  const known = plannedQuarters + 1 + Math.ceil(longestBootMs / quarterMs)
  const chances = Array.from({ length: known }, (_none, at) => chanceIn(learned.arrivals, now + at, zone))
  const midnightMs = nextDay(nowMs, zone)
  return {
    ...{ ...input, bootMs, midnightMs, nextMidnightMs: nextDay(midnightMs, zone) },
    chanceAt: quarter => chances[quarter - now] ?? 0,
    spentMs: spentToday(learned, nowMs, zone),
  }
}

/** Decides for the moment, and plans the coming day. */
export function warmPlan(input: PlanInput): WarmPlan {
  const { learned, wish, zone, nowMs } = input
  const bootMs = bootTimeMs(learned)
  const leftMs = Math.max(0, wish.budgetMs - spentToday(learned, nowMs, zone))
  const none = (kind: WarmPlan['kind'], because: string): WarmPlan => ({ kind, spans: [], because, leftMs, bootMs })
  if (learned.arrivals.buckets.every(one => one === 0)) return none('learning', 'no arrival was seen a week ago or earlier')
  if (bootMs === undefined) return none('learning', 'no start from zero was seen to its end')
  const day = comingDay(input, bootMs)
  const all = candidates(day)
  const worth = all.filter(({ chance }) => chance * wish.waiting > 1)
  const [first] = worth
  if (first === undefined) {
    const [likeliest] = all
    const most = likeliest === undefined ? 0 : likeliest.chance
    return none('not-worth', `${worthWords(most, bootMs, wish)}, at the likeliest time of the coming day`)
  }
  const spans = affordable(worth, day)
  const [next] = spans
  if (next === undefined)
    return none(
      'budget-spent',
      `what is left of the budget is less than it takes to wake and to cool down (${formatDurationMs(leastCost(day))})`,
    )
  const isWarm = !input.isWanted && next.fromMs <= nowMs
  const chance = Math.max(...worth.filter(one => isWithin(one, next)).map(one => one.chance))
  const because = worthWords(chance, bootMs, wish)
  return { kind: isWarm ? 'warm' : 'planned', spans, because, leftMs, bootMs }
}

/** `an arrival within a boot time of 2m0s has a chance of 12 %, and 12 % of 20m0s (waiting=10) are more than 2m0s of idling` */
function worthWords(chance: number, bootMs: number, { waiting }: PreWarmWish): string {
  const [boot, percent] = [rounded(bootMs), `${Math.round(chance * 100)} %`]
  const than = chance * waiting > 1 ? 'more' : 'no more'
  return `an arrival within its boot time of ${boot} has a chance of ${percent}, and ${percent} of ${rounded(bootMs * waiting)} (waiting=${waiting}) are ${than} than ${boot} of idling`
}

function rounded(ms: number): string {
  return formatDurationMs(Math.round(ms / 1_000) * 1_000)
}

/** Quarter-hours of the coming day in which somebody may come, the likeliest first; the chance is that of an arrival within a boot time. */
function candidates(day: ComingDay): readonly Candidate[] {
  const { learned, nowMs, restsAtMs, bootMs } = day
  const now = quarterAt(nowMs)
  const found: Candidate[] = []
  for (let quarter = now; quarter <= now + plannedQuarters; quarter++) {
    // Who came has come; and what is not awake before its end is awake for nobody.
    const isOver = quarter === learned.arrivals.quarter && learned.arrivals.seen === 'arrival'
    const isTooLate = restsAtMs === undefined && nowMs + bootMs >= (quarter + 1) * quarterMs
    if (isOver || isTooLate || day.chanceAt(quarter) === 0) continue
    found.push({ quarter, chance: chanceOfBoot(quarter, day) })
  }
  return found.toSorted((a, b) => b.chance - a.chance || a.quarter - b.quarter)
}

/** The chance of an arrival within a boot time from the beginning of a quarter-hour: equally likely at any moment of each. */
function chanceOfBoot(quarter: number, { bootMs, chanceAt }: ComingDay): number {
  let nobody = 1
  for (let at = 0; at * quarterMs < bootMs; at++) nobody *= (1 - chanceAt(quarter + at)) ** Math.min(1, bootMs / quarterMs - at)
  return 1 - nobody
}

/** As many as the budgets of today and tomorrow allow, by what each day is likely to spend; no span is longer than what its day has. */
function affordable(worth: readonly Candidate[], day: ComingDay): readonly WarmSpan[] {
  const all = spansOf(worth, day)
  if (isWithinBudgets(all, day)) return all
  let chosen: readonly Candidate[] = []
  for (const one of worth) {
    const more = [...chosen, one]
    if (isWithinBudgets(spansOf(more, day), day)) chosen = more
  }
  return spansOf(chosen, day)
}

function isWithinBudgets(spans: readonly WarmSpan[], day: ComingDay): boolean {
  const spent = { today: day.spentMs, tomorrow: 0 }
  for (const span of spans) spent[span.fromMs < day.midnightMs ? 'today' : 'tomorrow'] += likelyIdle(span, day)
  return spent.today <= day.wish.budgetMs && spent.tomorrow <= day.wish.budgetMs
}

/** How long a span is likely to be awake for nobody: it is not from the moment when somebody comes. */
function likelyIdle({ fromMs, toMs }: WarmSpan, { chanceAt }: ComingDay): number {
  let [idleMs, nobody] = [slackMs, 1]
  for (let atMs = fromMs; atMs < toMs; ) {
    const quarter = quarterAt(atMs)
    const endMs = Math.min(toMs, (quarter + 1) * quarterMs)
    const chance = (chanceAt(quarter) * (endMs - atMs)) / quarterMs
    idleMs += (endMs - atMs) * nobody * (1 - chance / 2)
    nobody *= 1 - chance
    atMs = endMs
  }
  return idleMs
}

/** From when it has to boot to their end, or that of the budget; what lies so near together that it would hardly rest is one. */
function spansOf(chosen: readonly Candidate[], day: ComingDay): readonly WarmSpan[] {
  const { nowMs, restsAtMs, cooldownMs, bootMs } = day
  const leadMs = bootMs + leadMarginMs
  const spans: { fromMs: number; toMs: number; wantedMs: number }[] = []
  for (const { quarter } of chosen.toSorted((a, b) => a.quarter - b.quarter)) {
    const [wantedMs, toMs] = [quarter * quarterMs, (quarter + 1) * quarterMs]
    const fromMs = Math.max(nowMs, wantedMs - leadMs)
    const last = spans.at(-1)
    if (last !== undefined && fromMs - last.toMs < leadMs) last.toMs = toMs
    else spans.push({ fromMs, toMs, wantedMs })
  }
  return spans.flatMap(({ fromMs, toMs, wantedMs }) => {
    const isHeld = restsAtMs !== undefined && fromMs <= nowMs
    const endMs = budgetEnd(fromMs, day)
    const usefulMs = Math.min(toMs, Math.max(wantedMs, fromMs + bootMs) + leastWarmMs)
    const isEnough = isHeld ? endMs > nowMs : endMs >= Math.max(fromMs + cooldownMs, usefulMs)
    return isEnough ? [{ fromMs, toMs: Math.min(toMs, endMs) }] : []
  })
}

/** Until when a target that is awake from `fromMs` on for nobody may be so. */
function budgetEnd(fromMs: number, { wish, spentMs, midnightMs, nextMidnightMs }: ComingDay): number {
  const isToday = fromMs < midnightMs
  const endMs = fromMs + wish.budgetMs - (isToday ? spentMs : 0) - slackMs
  const dayEndMs = isToday ? midnightMs : nextMidnightMs
  return endMs < dayEndMs ? endMs : dayEndMs + wish.budgetMs - slackMs
}

function isWithin({ quarter }: Candidate, { fromMs, toMs }: WarmSpan): boolean {
  return quarter * quarterMs < toMs && (quarter + 1) * quarterMs > fromMs
}

function leastCost({ cooldownMs, bootMs }: ComingDay): number {
  return Math.max(cooldownMs, bootMs + leadMarginMs + leastWarmMs) + slackMs
}

/**
 * When another look is due at the latest, so that a span begins in time and nothing is awake beyond its budget; milliseconds since 1970.
 * `isIdling`: it is awake for nobody.
 */
export function nextLookMs(
  { kind, spans: [first] }: WarmPlan,
  { isIdling, restsAtMs, nowMs }: Pick<PlanInput, 'restsAtMs' | 'nowMs'> & { readonly isIdling: boolean },
): number {
  const changesAtMs = first === undefined ? Number.POSITIVE_INFINITY : first.fromMs > nowMs ? first.fromMs : first.toMs
  if (!isIdling || kind === 'warm') return changesAtMs
  // It goes to zero with the end of its cool-down; where that failed, it is tried again.
  const restMs = restsAtMs !== undefined && restsAtMs >= nowMs ? restsAtMs + 1 : nowMs + slackMs
  return Math.min(changesAtMs, restMs)
}

/** A plan in words, as a condition says it: no word of it changes from one look to the next while the plan is the same. */
export function planWords(
  { kind, spans, because, leftMs, bootMs }: WarmPlan,
  { wish, nowMs, expected }: { readonly wish: PreWarmWish; readonly nowMs: number; readonly expected: number },
): string {
  const coming = spans.filter(({ fromMs }) => fromMs > nowMs)
  const current = kind === 'warm' ? spans[0] : undefined
  const next = coming.slice(0, mostTold).map(({ fromMs, toMs }) => `${formatTime(fromMs)}/${formatTime(toMs)}`)
  const more = coming.length > mostTold ? ` and ${coming.length - mostTold} more` : ''
  return [
    `learned: ${Math.round(expected)} quarter-hours of a week with arrivals`,
    `boot time ${bootMs === undefined ? 'not known' : rounded(bootMs)}`,
    `${formatDurationMs(Math.floor(leftMs / toldStepMs) * toldStepMs)} of ${formatDurationMs(wish.budgetMs)} are left today`,
    ...(current === undefined ? [] : [`warm until ${formatTime(current.toMs)}`]),
    next.length === 0 ? 'no warm span within a day' : `next warm ${next.join(', ')}${more}`,
    `because ${because}`,
  ].join('; ')
}

/** Spans that are told. */
const mostTold = 6
/** What is left is told in such steps, so that a status is not written with every look. */
const toldStepMs = 300_000

/** The spans that {@link planWords} told. */
export function spansIn(words: string): readonly WarmSpan[] {
  const spans = words.matchAll(/\b(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)/g)
  return [...spans].map(([, from = '', to = '']) => ({ fromMs: Date.parse(from), toMs: Date.parse(to) }))
}
