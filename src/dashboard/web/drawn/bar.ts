// One bar: what of a node is requested, and within that what is used, from nothing to all that it can give, with the marks of its goals and
// of the plan. Widths are attributes in percent: the page's policy allows no style.
import { element, type Markup } from './markup.ts'

interface BarFacts {
  /** The name of the drawing, which states its finding. */
  readonly name: string
  /** In whatever unit. */
  readonly allocatable: number
  readonly requested: number | null
  readonly used: number | null
  /** What would be requested after the plan. */
  readonly after: number | null
  /** Bounds of requests, in percent. */
  readonly goals: readonly { readonly min: number | null; readonly max: number | null }[]
  /** What is used is older than it should be. */
  readonly isStale: boolean
  readonly isDraining: boolean
}

const barHeight = 20

/** `role="img"` with a name; beside it stands the same as text. */
export function barMarkup(facts: BarFacts): Markup {
  const { name, allocatable, requested, used, after, goals, isStale, isDraining } = facts
  const percent = (amount: number) => (allocatable > 0 ? (amount / allocatable) * 100 : 0)
  const [requestedAt, usedAt] = [percent(requested ?? 0), percent(used ?? 0)]
  const most = Math.min(...goals.flatMap(({ max }) => (max === null ? [] : [max])))
  const least = Math.max(...goals.flatMap(({ min }) => (min === null ? [] : [min])))
  return element(
    'svg',
    {
      class: `drawn-bar${isDraining ? ' drawn-bar-draining' : ''}`,
      role: 'img',
      'aria-label': name,
      width: '100%',
      height: barHeight,
    },
    strip('drawn-bar-track', 0, 100, 12),
    strip('drawn-bar-requested', 0, requestedAt, 12),
    requestedAt > most ? strip('drawn-bar-over', most, requestedAt, 12) : undefined,
    requestedAt < least && requested !== null ? strip('drawn-bar-under', requestedAt, least, 12) : undefined,
    strip('drawn-bar-used', 0, usedAt, 6),
    isStale && used !== null ? strip('drawn-bar-stale', 0, usedAt, 6) : undefined,
    isDraining ? strip('drawn-bar-leaving', 0, requestedAt, 12) : undefined,
    requestedAt > 100 ? at(100, 1, element('path', { class: 'drawn-bar-notch', d: 'M-9 0h5l-3 7 3 7h-5l-3-7z' })) : undefined,
    goals.flatMap(goal => [goal.min, goal.max]).flatMap(bound => (bound === null ? [] : [goalMark(bound)])),
    after === null ? undefined : at(percent(after), 0, element('path', { class: 'drawn-bar-after', d: 'M0 0V16' })),
  )
}

function strip(className: string, from: number, to: number, height: number): Markup | undefined {
  const [start, end] = [within(from), within(to)]
  if (end <= start) return undefined
  return element('rect', {
    class: className,
    x: `${rounded(start)}%`,
    y: 8 - height / 2,
    width: `${rounded(end - start)}%`,
    height,
    rx: className === 'drawn-bar-track' ? 2 : undefined,
  })
}

const goalMark = (bound: number): Markup => at(bound, 0, element('path', { class: 'drawn-bar-goal', d: 'M0 1V15M-4 20h8l-4-5z' }))

/** Draws around a place in percent of the width. */
function at(percent: number, y: number, drawing: Markup): Markup {
  return element('svg', { x: `${rounded(within(percent))}%`, y, width: 1, height: 1, overflow: 'visible' }, drawing)
}

const within = (percent: number): number => Math.min(100, Math.max(0, percent))
const rounded = (percent: number): number => Math.round(percent * 100) / 100

/** The patterns that bars and maps refer to: once in each document. */
export function patternsMarkup(): Markup {
  const pattern = (id: string, size: number, content: Markup) =>
    element('pattern', { id, width: size, height: size, patternUnits: 'userSpaceOnUse' }, content)
  return element(
    'svg',
    { class: 'drawn-patterns', width: 0, height: 0, 'aria-hidden': 'true', focusable: 'false' },
    element(
      'defs',
      {},
      pattern('drawn-hatch-over', 6, element('path', { class: 'drawn-line-over', d: 'M-1 1l2-2M0 6l6-6M5 7l2-2' })),
      pattern('drawn-hatch-stale', 5, element('path', { class: 'drawn-line-stale', d: 'M-1 1l2-2M0 5l5-5M4 6l2-2' })),
      pattern('drawn-hatch-leaving', 8, element('path', { class: 'drawn-line-leaving', d: 'M0 0V8M4 0V8' })),
      pattern('drawn-dots-under', 5, element('circle', { class: 'drawn-dot-under', cx: 2.5, cy: 2.5, r: 1.1 })),
    ),
  )
}
