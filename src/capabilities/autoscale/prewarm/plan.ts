// When a target is awake before anybody comes: the spans of the coming day that are worth it, the likeliest first, as far as the budget of each
// day goes. Pure.
import { formatDurationMs } from '#kube/time/duration.ts'
import { formatTime } from '#kube/time/time.ts'
import type { TimeZone } from '#kube/time/time-zone.ts'
import { chanceIn, quarterAt, quarterMs } from './arrivals.ts'
import { bootTimeMs, type Learned, nextDay, spentToday } from './learned.ts'
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
  /** Of today's budget, milliseconds. */
  readonly leftMs: number
  readonly bootMs: number | undefined
}

/** How far ahead is planned. */
const plannedQuarters = 96
/** Boots take longer than the middle one half of the time. */
const leadMarginMs = 60_000
/** Looks and writes come so late at times: so much of the budget is kept for that. */
export const slackMs = 60_000
/** What is left of a budget is spent on no shorter time. */
const leastWarmMs = 300_000

interface Candidate {
  readonly quarter: number
  readonly chance: number
}

export function warmPlan(input: PlanInput): WarmPlan {
  const { learned, wish, zone, nowMs } = input
  const bootMs = bootTimeMs(learned)
  const leftMs = Math.max(0, wish.budgetMs - spentToday(learned, nowMs, zone))
  const none = (kind: WarmPlan['kind'], because: string): WarmPlan => ({ kind, spans: [], because, leftMs, bootMs })
  if (learned.arrivals.buckets.every(one => one === 0)) return none('learning', 'no arrival was seen a week ago or earlier')
  if (bootMs === undefined) return none('learning', 'no start from zero was seen to its end')
  const all = candidates(input, bootMs)
  const worth = all.filter(({ chance }) => chance * wish.waiting > 1)
  const [first] = worth
  if (first === undefined) {
    const [likeliest] = all
    const most = likeliest === undefined ? 0 : likeliest.chance
    return none('not-worth', `${worthWords(most, bootMs, wish)}, at the likeliest time of the coming day`)
  }
  const spans = affordable(worth, input, bootMs)
  const [next] = spans
  if (next === undefined)
    return none(
      'budget-spent',
      `what is left of the budget is less than it takes to wake and to cool down (${formatDurationMs(leastCost(input, bootMs))})`,
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
function candidates({ learned, zone, nowMs, restsAtMs }: PlanInput, bootMs: number): readonly Candidate[] {
  const now = quarterAt(nowMs)
  const found: Candidate[] = []
  for (let quarter = now; quarter <= now + plannedQuarters; quarter++) {
    // Who came has come; and what is not awake before its end is awake for nobody.
    const isOver = quarter === learned.arrivals.quarter && learned.arrivals.seen === 'arrival'
    const isTooLate = restsAtMs === undefined && nowMs + bootMs >= (quarter + 1) * quarterMs
    if (isOver || isTooLate || chanceIn(learned.arrivals, quarter, zone) === 0) continue
    found.push({ quarter, chance: chanceWithin(quarter, bootMs, { learned, zone }) })
  }
  return found.toSorted((a, b) => b.chance - a.chance || a.quarter - b.quarter)
}

/** Of an arrival within `spanMs` of the beginning of a quarter-hour: equally likely at any moment of each. */
function chanceWithin(quarter: number, spanMs: number, { learned, zone }: Pick<PlanInput, 'learned' | 'zone'>): number {
  let nobody = 1
  for (let at = 0; at * quarterMs < spanMs; at++) {
    const share = Math.min(1, spanMs / quarterMs - at)
    nobody *= (1 - chanceIn(learned.arrivals, quarter + at, zone)) ** share
  }
  return 1 - nobody
}

/** As many as the budgets of today and tomorrow allow, by what each day is likely to spend; no span is longer than what its day has. */
function affordable(worth: readonly Candidate[], input: PlanInput, bootMs: number): readonly WarmSpan[] {
  let chosen: readonly Candidate[] = []
  for (const one of worth) {
    const more = [...chosen, one]
    if (isWithinBudgets(spansOf(more, input, bootMs), input)) chosen = more
  }
  return spansOf(chosen, input, bootMs)
}

function isWithinBudgets(spans: readonly WarmSpan[], input: PlanInput): boolean {
  const { learned, wish, zone, nowMs } = input
  const midnight = nextDay(nowMs, zone)
  const spent = { today: spentToday(learned, nowMs, zone), tomorrow: 0 }
  for (const span of spans) spent[span.fromMs < midnight ? 'today' : 'tomorrow'] += likelyIdle(span, input)
  return spent.today <= wish.budgetMs && spent.tomorrow <= wish.budgetMs
}

/** How long a span is likely to be awake for nobody: it is not from the moment when somebody comes. */
function likelyIdle({ fromMs, toMs }: WarmSpan, { learned, zone }: PlanInput): number {
  let [idleMs, nobody] = [slackMs, 1]
  for (let atMs = fromMs; atMs < toMs; ) {
    const quarter = quarterAt(atMs)
    const endMs = Math.min(toMs, (quarter + 1) * quarterMs)
    const chance = 1 - (1 - chanceIn(learned.arrivals, quarter, zone)) ** ((endMs - atMs) / quarterMs)
    idleMs += (endMs - atMs) * nobody * (1 - chance / 2)
    nobody *= 1 - chance
    atMs = endMs
  }
  return idleMs
}

/** From when it has to boot to their end, or that of the budget; what lies so near together that it would hardly rest is one. */
function spansOf(chosen: readonly Candidate[], input: PlanInput, bootMs: number): readonly WarmSpan[] {
  const leadMs = bootMs + leadMarginMs
  const spans: { fromMs: number; toMs: number; wantedMs: number }[] = []
  for (const { quarter } of chosen.toSorted((a, b) => a.quarter - b.quarter)) {
    const [wantedMs, toMs] = [quarter * quarterMs, (quarter + 1) * quarterMs]
    const fromMs = Math.max(input.nowMs, wantedMs - leadMs)
    const last = spans.at(-1)
    if (last !== undefined && fromMs - last.toMs < leadMs) last.toMs = toMs
    else spans.push({ fromMs, toMs, wantedMs })
  }
  return spans.flatMap(({ fromMs, toMs, wantedMs }) => {
    const isHeld = input.restsAtMs !== undefined && fromMs <= input.nowMs
    const endMs = budgetEnd(fromMs, input)
    const readyMs = Math.max(wantedMs, fromMs + bootMs)
    const isEnough = isHeld
      ? endMs > input.nowMs
      : endMs >= Math.max(fromMs + input.cooldownMs, Math.min(toMs, readyMs + leastWarmMs))
    return isEnough ? [{ fromMs, toMs: Math.min(toMs, endMs) }] : []
  })
}

/** Until when whoever is awake from `fromMs` on for nobody may be so. */
function budgetEnd(fromMs: number, { learned, wish, zone, nowMs }: PlanInput): number {
  const spentMs = fromMs < nextDay(nowMs, zone) ? spentToday(learned, nowMs, zone) : 0
  const endMs = fromMs + wish.budgetMs - spentMs - slackMs
  const midnight = nextDay(fromMs, zone)
  return endMs < midnight ? endMs : midnight + wish.budgetMs - slackMs
}

function isWithin({ quarter }: Candidate, { fromMs, toMs }: WarmSpan): boolean {
  return quarter * quarterMs < toMs && (quarter + 1) * quarterMs > fromMs
}

function leastCost({ cooldownMs }: PlanInput, bootMs: number): number {
  return Math.max(cooldownMs, bootMs + leadMarginMs + leastWarmMs) + slackMs
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
