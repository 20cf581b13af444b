// A replay after so many steps, as a picture: boxes with their tiles, lines of goals, and the way of the pod that moved last. Page, file and server draw it.
import type { ReplayStep, ReplayTile, ReplayView } from '../../../contract-replay.ts'
import { tileWords } from '../../../words/en-replay.ts'
import { counted } from '../../../words/grammar.ts'
import { printable, shortName } from '../../../words/names.ts'
import { exactPercent, percentText } from '../../../words/percent.ts'
import { count, cpuExact, memoryExact } from '../../../words/quantity.ts'
import { element, type Markup } from '../markup.ts'
import type { DrawnBox, ReplayLayout } from './layout.ts'
import { replayMoment } from './moment.ts'
import type { Rect } from './squares.ts'

interface DrawingFacts {
  readonly view: ReplayView
  readonly layout: ReplayLayout
  /** Place among the view's resources. */
  readonly resource: number
  /** Steps that are made. */
  readonly at: number
  /** Id of the tile that is chosen or has the cursor. */
  readonly chosen?: string | undefined
}

/** Between two tiles. */
const seam = 0.75
/** Width of a letter, in pixels of the font that labels have. */
const letter = 6.2

/** What stands in the `svg`. Patterns have the ids of `replayPatterns`. */
export function replayDrawing(facts: DrawingFacts): readonly Markup[] {
  const { view, layout, at, chosen } = facts
  const moving = layout.moving(at)
  const tiles = new Map(view.tiles.map(tile => [tile.id, tile]))
  const { step } = replayMoment(view, at)
  const before = step === undefined ? undefined : layout.moving(at - 1).get(step.tile)
  const now = step === undefined ? undefined : moving.get(step.tile)
  const drawn = (rects: ReadonlyMap<string, Rect>, className: string) =>
    element(
      'g',
      { class: className },
      Array.from(rects, ([id, rect]) => {
        const tile = tiles.get(id)
        return tile === undefined ? undefined : tileMarkup(tile, rect, { isNow: step?.tile === id, isChosen: chosen === id })
      }),
    )
  const mark = step === undefined || now === undefined ? undefined : refusalMark(step, now)
  return [
    ...layout.boxes.map(box => boxMarkup(facts, box)),
    drawn(layout.staying, 'replay-staying'),
    drawn(moving, 'replay-moving'),
    ...layout.boxes.map(linesMarkup),
    ...(before === undefined || now === undefined || step?.from === step?.to ? [] : [wayMarkup(before, now)]),
    ...(mark === undefined ? [] : [mark]),
  ]
}

/** The patterns of `held` and `pinned`, once in each document. */
export function replayPatterns(): Markup {
  const pattern = (id: string, size: number, ground: string, content: Markup) =>
    element(
      'pattern',
      { id, width: size, height: size, patternUnits: 'userSpaceOnUse' },
      element('rect', { class: ground, width: size, height: size }),
      content,
    )
  return element(
    'defs',
    {},
    pattern('replay-dots', 5, 'replay-ground', element('circle', { class: 'replay-dot', cx: 2.5, cy: 2.5, r: 1.2 })),
    pattern('replay-hatch', 6, 'replay-ground', element('path', { class: 'replay-hatch', d: 'M-1 1l2-2M0 6l6-6M5 7l2-2' })),
    element(
      'marker',
      { id: 'replay-head', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto-start-reverse' },
      element('path', { class: 'replay-head', d: 'M0 0L8 4L0 8z' }),
    ),
  )
}

function boxMarkup({ view, resource, at }: DrawingFacts, { box, inside, fullY, unsized }: DrawnBox): Markup {
  const sum = replayMoment(view, at).boxes.get(box.name) ?? box
  const { x, y, width, height } = inside
  const allocatable = box.allocatable[resource] ?? 0
  const requested = sum.requested[resource] ?? 0
  const name = view.resources[resource] ?? ''
  const lines = box.lines.filter(line => line.resource === name)
  const isMissed = lines.some(({ goal }) => sum.missed.includes(goal))
  const sign = lines.length === 0 ? '' : isMissed ? ' ✕' : ' ✓'
  const share = allocatable > 0 ? percentText(requested, allocatable) : 'none to give'
  const nodes = box.kind === 'node' ? '' : counted(box.nodes, 'node')
  const pods = [nodes, counted(sum.pods, 'pod'), unsized > 0 ? `${count(unsized)} ask none` : '']
  return element(
    'g',
    { class: 'replay-box', key: `box ${box.name}`, 'data-box': box.name },
    element('title', {}, `${printable(box.name)}: ${amountText(name, requested)} of ${amountText(name, allocatable)}`),
    text('replay-name', x, y - 6, printable(shortName(box.name, Math.max(8, Math.floor(width / 7.4))))),
    element('rect', { class: 'replay-frame', x: x - 1, y: y - 1, width: width + 2, height: height + 2, rx: 2 }),
    fullY > y + 1 ? element('path', { class: 'replay-full', d: `M${fixed(x)} ${fixed(fullY)}h${fixed(width)}` }) : undefined,
    text(`replay-share${isMissed ? ' replay-missed' : ''}`, x, y + height + 15, `${share}${sign}`),
    text('replay-pods', x, y + height + 30, fitted(pods.filter(part => part !== '').join(', '), width + 10)),
  )
}

function linesMarkup({ box, inside, lines }: DrawnBox): Markup {
  return element(
    'g',
    { class: 'replay-lines', key: `lines ${box.name}` },
    lines.map(({ goal, kind, percent, y }) =>
      element(
        'g',
        { key: `${goal} ${kind}` },
        element('title', {}, `${printable(goal)}: at ${kind === 'max' ? 'most' : 'least'} ${percent}%`),
        element('path', {
          class: `replay-line replay-line-${kind}`,
          d: `M${fixed(inside.x - 4)} ${fixed(y)}h${fixed(inside.width + 8)}`,
        }),
        element(
          'g',
          { class: 'replay-bound' },
          element('rect', {
            x: fixed(inside.x + inside.width - 40),
            y: fixed(kind === 'max' ? y - 15 : y + 2),
            width: 40,
            height: 13,
            rx: 2,
          }),
          element(
            'text',
            { x: fixed(inside.x + inside.width - 3), y: fixed(kind === 'max' ? y - 5 : y + 12), 'text-anchor': 'end' },
            `${kind === 'max' ? '≤' : '≥'} ${percent}%`,
          ),
        ),
      ),
    ),
  )
}

function tileMarkup(
  tile: ReplayTile,
  { x, y, width, height }: Rect,
  { isNow, isChosen }: { readonly isNow: boolean; readonly isChosen: boolean },
): Markup {
  const inset = Math.min(seam, width / 4, height / 4)
  const classes = ['replay-tile', `replay-${tile.kind}`, isNow ? 'replay-now' : '', isChosen ? 'replay-chosen' : '']
  const label = labelOf(tile, width, height)
  return element(
    'g',
    {
      class: classes.filter(one => one !== '').join(' '),
      key: tile.id,
      'data-tile': tile.id,
      transform: `translate(${fixed(x)} ${fixed(y)})`,
    },
    element('title', {}, `${tileName(tile)}: ${tileWords[tile.kind].name}. ${printable(tile.because.text)}`),
    element('rect', {
      x: fixed(inset),
      y: fixed(inset),
      width: fixed(Math.max(0, width - 2 * inset)),
      height: fixed(Math.max(0, height - 2 * inset)),
      rx: width > 8 && height > 8 ? 1.5 : 0,
    }),
    label === undefined ? undefined : text('replay-label', 4, Math.min(height / 2 + 4, 14), label),
  )
}

/** What a tile has room for: the workload of one that moves, the number of pods of one that stands for several. */
function labelOf({ kind, workload, pods, pod }: ReplayTile, width: number, height: number): string | undefined {
  if (height < 14 || (kind !== 'moves' && kind !== 'rest')) return undefined
  const name = kind === 'rest' && pod === null ? counted(pods, 'pod') : printable(workload?.name ?? pod?.name ?? '')
  const letters = Math.floor((width - 8) / letter)
  return letters < 4 ? undefined : shortName(name, letters)
}

/** An arc from where it stood to where it stands. */
function wayMarkup(from: Rect, to: Rect): Markup {
  const [x1, y1, x2, y2] = [from.x + from.width / 2, from.y + from.height / 2, to.x + to.width / 2, to.y + to.height / 2]
  const lift = Math.min(60, Math.abs(x2 - x1) / 4 + 12)
  const d = `M${fixed(x1)} ${fixed(y1)}Q${fixed((x1 + x2) / 2)} ${fixed(Math.max(4, Math.min(y1, y2) - lift))} ${fixed(x2)} ${fixed(y2)}`
  return element('path', { class: 'replay-way', key: 'way', d, 'marker-end': 'url(#replay-head)' })
}

/** Over a tile that was refused, or came elsewhere. */
function refusalMark({ refusals, state }: ReplayStep, { x, y, width, height }: Rect): Markup | undefined {
  const sign = refusalSign({ refusals, state })
  if (sign === undefined) return undefined
  const [cx, cy] = [x + width / 2, Math.max(12, y + Math.min(0, height / 2 - 9))]
  return element(
    'g',
    { class: 'replay-mark', key: 'mark' },
    element('circle', { cx: fixed(cx), cy: fixed(cy), r: 9 }),
    element('text', { x: fixed(cx), y: fixed(cy + 4.5), 'text-anchor': 'middle' }, sign),
  )
}

/** `✕` of what was not done, `◔` of what had to wait, `▲` of what came elsewhere; undefined: all went as meant. */
export function refusalSign({ refusals, state }: Pick<ReplayStep, 'refusals' | 'state'>): '✕' | '◔' | '▲' | undefined {
  if (state === 'skipped' || state === 'failed') return '✕'
  if (state === 'elsewhere') return '▲'
  return refusals.length > 0 ? '◔' : undefined
}

/** `monitoring/mimir-querier-5d8f-z`, `44 pods`. */
export function tileName({ pod, pods }: ReplayTile): string {
  return pod === null ? counted(pods, 'pod') : printable(`${pod.namespace ?? ''}/${pod.name}`)
}

/** In the resource's unit, exact. */
export function amountText(resource: string, amount: number): string {
  if (resource === 'cpu') return cpuExact(amount)
  return /memory|storage|hugepages/.test(resource) ? memoryExact(amount) : count(amount)
}

/** What a picture says: `talos00 93%, 1 of 2 goals missed`. */
export function drawingName({ view, at, resource }: Pick<DrawingFacts, 'view' | 'at' | 'resource'>): string {
  const moment = replayMoment(view, at)
  const shares = view.boxes
    .filter(({ lines }) => lines.length > 0)
    .slice(0, 4)
    .map(box => {
      const percent = exactPercent(moment.boxes.get(box.name)?.requested[resource] ?? 0, box.allocatable[resource] ?? 0)
      const isMissed = (moment.boxes.get(box.name)?.missed.length ?? 0) > 0
      return `${printable(box.name)} ${percent === null ? '–' : `${Math.trunc(percent)}%`} ${isMissed ? 'misses its goal' : 'meets its goal'}`
    })
  const place =
    at === 0
      ? 'before the plan'
      : at === view.steps.length
        ? 'after the plan'
        : `after ${at} of ${counted(view.steps.length, 'move')}`
  return `${counted(view.boxes.length, view.boxes.every(({ kind }) => kind === 'node') ? 'node' : 'box', view.boxes.every(({ kind }) => kind === 'node') ? 'nodes' : 'boxes')} ${place}${shares.length === 0 ? '' : `: ${shares.join(', ')}`}`
}

function text(className: string, x: number, y: number, content: string): Markup {
  return element('text', { class: className, x: fixed(x), y: fixed(y) }, content)
}

function fitted(content: string, width: number): string {
  const most = Math.floor(width / letter)
  return content.length <= most ? content : `${content.slice(0, Math.max(1, most - 1))}…`
}

const fixed = (amount: number): number => Math.round(amount * 100) / 100
