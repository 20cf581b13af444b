// One quantity over time: a line in steps, with what goals allow as the ground that is left clear. It is as wide as its place: distances
// in it are steps and percent, and the browser stretches them.
import { element, type Markup } from './markup.ts'

interface LineFacts {
  /** The name of the drawing, which states its finding. */
  readonly name: string
  /** One for each step, in thousandths; null: not known. */
  readonly requested: readonly (number | null)[]
  readonly used: readonly (number | null)[]
  /** Bounds of what is requested, in percent. */
  readonly goals: readonly { readonly min: number | null; readonly max: number | null }[]
  /** Steps at which pods left and came. */
  readonly left: readonly number[]
  readonly came: readonly number[]
}

const height = 48
const whole = 100
const markLength = 16

/** `role="img"` with a name; beside it stands the same as text. */
export function lineMarkup({ name, requested, used, goals, left, came }: LineFacts): Markup {
  const steps = Math.max(1, requested.length)
  const most = [...requested, ...used].reduce<number>((top, share) => Math.max(top, share ?? 0), 0)
  const top = Math.max(whole, Math.ceil(most / 10))
  const y = (percent: number) => Math.round(((top - Math.min(top, Math.max(0, percent))) * whole) / top)
  const at = (share: number) => y(share / 10)
  return element(
    'svg',
    {
      class: 'drawn-line',
      role: 'img',
      'aria-label': name,
      width: '100%',
      height,
      viewBox: `0 0 ${steps} ${whole}`,
      preserveAspectRatio: 'none',
    },
    element('rect', { class: 'drawn-line-ground', width: steps, height: whole }),
    goals.flatMap(({ min, max }) => [
      max === null ? undefined : beyond(steps, 0, y(max)),
      min === null ? undefined : beyond(steps, y(min), whole),
    ]),
    top === whole ? undefined : element('path', { class: 'drawn-line-full', d: `M0 ${y(whole)}H${steps}` }),
    path('drawn-line-area', areaOf(requested, at)),
    path('drawn-line-requested', stepsOf(requested, at)),
    path('drawn-line-used', stepsOf(used, at)),
    goals
      .flatMap(({ min, max }) => [min, max])
      .map(bound => (bound === null ? undefined : path('drawn-line-goal', `M0 ${y(bound)}H${steps}`))),
    path('drawn-line-left', marks(left, 0)),
    path('drawn-line-came', marks(came, whole - markLength)),
  )
}

/** What a goal does not allow. */
function beyond(steps: number, from: number, to: number): Markup | undefined {
  return to <= from ? undefined : element('rect', { class: 'drawn-line-beyond', y: from, width: steps, height: to - from })
}

function path(className: string, d: string): Markup | undefined {
  return d === '' ? undefined : element('path', { class: className, d })
}

interface Run {
  readonly from: number
  readonly to: number
  readonly values: readonly number[]
}

/** The stretches of steps that are known. */
function runsOf(shares: readonly (number | null)[]): readonly Run[] {
  const runs: Run[] = []
  let values: number[] = []
  for (const [step, share] of [...shares, null].entries()) {
    if (share !== null) values.push(share)
    else if (values.length > 0) {
      runs.push({ from: step - values.length, to: step, values })
      values = []
    }
  }
  return runs
}

/** `M0 7h40v48h80`: from one height to the next, straight along each step. */
function stepsOf(shares: readonly (number | null)[], at: (share: number) => number): string {
  return runsOf(shares)
    .map(({ from, values }) => `M${from} ${at(values[0] ?? 0)}${turns(values, at)}`)
    .join('')
}

/** The same with the ground below it. */
function areaOf(shares: readonly (number | null)[], at: (share: number) => number): string {
  return runsOf(shares)
    .map(({ from, values }) => `M${from} ${whole}V${at(values[0] ?? 0)}${turns(values, at)}V${whole}z`)
    .join('')
}

function turns(values: readonly number[], at: (share: number) => number): string {
  let d = ''
  let height = at(values[0] ?? 0)
  let along = 0
  for (const value of values) {
    const next = at(value)
    if (next !== height) {
      d += `${along === 0 ? '' : `h${along}`}v${next - height}`
      height = next
      along = 0
    }
    along++
  }
  return `${d}h${along}`
}

function marks(steps: readonly number[], from: number): string {
  return [...new Set(steps)].map(step => `M${step + 0.5} ${from}v${markLength}`).join('')
}

/** What lines mean, in a line. */
export function lineLegendMarkup(): Markup {
  const entry = (className: string, d: string, text: string) =>
    element(
      'li',
      { key: className },
      element(
        'svg',
        { class: 'drawn-swatch', width: 18, height: 12, 'aria-hidden': 'true' },
        className === 'drawn-line-beyond'
          ? element('rect', { class: className, width: 18, height: 12 })
          : element('path', { class: className, d }),
      ),
      text,
    )
  return element(
    'ul',
    { class: 'drawn-legend', 'aria-label': 'What the lines show' },
    entry('drawn-line-requested', 'M0 4h9v4h9', 'requested'),
    entry('drawn-line-used', 'M0 8h9V4h9', 'used'),
    entry('drawn-line-beyond', '', 'beyond a goal'),
    entry('drawn-line-left', 'M9 1v8', 'above: a pod left'),
    entry('drawn-line-came', 'M9 3v8', 'below: a pod came'),
  )
}
