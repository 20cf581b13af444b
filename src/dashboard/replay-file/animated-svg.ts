// A replay as one SVG that plays by itself for ten seconds, again and again: CSS alone moves it, so that it plays where pictures do. A viewer
// that plays nothing, and whoever wants no motion, sees how it ends.
import type { ReplayView } from '../contract-replay.ts'
import { htmlOf } from '../page/html.ts'
import { element, type Markup } from '../web/drawn/markup.ts'
import { drawingName, replayDrawing, replayPatterns } from '../web/drawn/replay/drawing.ts'
import { type ReplayLayout, replayLayout } from '../web/drawn/replay/layout.ts'
import { replayMoment } from '../web/drawn/replay/moment.ts'
import type { Rect } from '../web/drawn/replay/squares.ts'
import { counted } from '../words/grammar.ts'
import { cutText, printable } from '../words/names.ts'
import { percentText } from '../words/percent.ts'

const width = 960
const margin = 16
const headHeight = 74
const seconds = 10
/** Shares of the time before the first and after the last beat. */
const restBefore = 0.1
const restAfter = 0.2
/** Moves that are more than this go several at a time: a sentence has to be read. */
const mostBeats = 12
/** Letters of a line. */
const lineLetters = 118

/** Steps that are shown together: from `first` on, so that `last` steps are made. */
interface Beat {
  readonly first: number
  readonly last: number
  /** Percent of the time: when it begins, when its tiles have arrived, when the next one begins. */
  readonly begins: number
  readonly arrives: number
  readonly ends: number
}

/** `resource`: its place in the view's. */
export function animatedSvg(view: ReplayView, resource: number): string {
  const layout = replayLayout(view, resource, width)
  const beats = beatsOf(view.steps.length)
  const rules: string[] = []
  const end = view.steps.length
  const head = [titleLine(view), ...textLines(view, beats, rules), ...trackOf(beats, rules)]
  const drawn = replayDrawing({ view, layout, resource, at: end }).filter(one => !ownParts.has(String(one.key ?? '')))
  const moving = new Map(movingRules(layout, beats, rules))
  const scene = element(
    'g',
    { transform: `translate(${margin} ${headHeight})` },
    ...drawn.map(one => withMotion(one, moving)),
    ...sharesBefore(view, layout, resource),
  )
  const height = headHeight + layout.height + margin
  const svg = element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      width: width + 2 * margin,
      height,
      viewBox: `0 0 ${width + 2 * margin} ${height}`,
      role: 'img',
      'aria-label': drawingName({ view, at: end, resource }),
    },
    element('title', {}, `Plan ${printable(view.plan)} of ${printable(view.cluster)}`),
    // What follows is of numbers only: nothing of a cluster is in it.
    element('style', {}, `${looks}\n${rules.join('\n')}`),
    element('rect', { class: 'replay-ground', width: '100%', height: '100%' }),
    replayPatterns(),
    ...head,
    scene,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n${allowed(htmlOf(svg))}\n`
}

/** The way and the mark of the last step: here each beat has its own. */
const ownParts: ReadonlySet<string> = new Set(['way', 'mark'])

function beatsOf(steps: number): readonly Beat[] {
  const count = Math.min(steps, mostBeats)
  const length = (1 - restBefore - restAfter) / Math.max(1, count)
  return Array.from({ length: count }, (_, at) => {
    const begins = restBefore + at * length
    return {
      first: Math.floor((at * steps) / count),
      last: Math.floor(((at + 1) * steps) / count),
      begins: begins * 100,
      arrives: (begins + length * 0.75) * 100,
      ends: (begins + length) * 100,
    }
  })
}

function titleLine({ plan, cluster }: ReplayView): Markup {
  return element('text', { class: 'replay-title', x: margin, y: 22 }, cutText(printable(`Plan ${plan} · ${cluster}`), 90))
}

/** Before, each beat, after: two lines each, of which one is seen at a time. The last is what is seen without motion. */
function textLines(view: ReplayView, beats: readonly Beat[], rules: string[]): readonly Markup[] {
  const lines = (name: string, texts: readonly string[]) =>
    element(
      'g',
      { class: name },
      ...texts
        .slice(0, 2)
        .map((text, index) =>
          element(
            'text',
            { class: index === 0 ? 'replay-what' : 'replay-why', x: margin, y: 45 + index * 19 },
            cutText(printable(text), lineLetters),
          ),
        ),
    )
  const first = beats[0]?.begins ?? 100
  const last = beats.at(-1)?.ends ?? 0
  rules.push(shownRule('before', 0, first))
  const spoken = beats.map((beat, index) => {
    rules.push(shownRule(`beat${index}`, beat.begins, beat.ends))
    return lines(`beat${index} replay-told`, beatWords(view, beat))
  })
  rules.push(seenAtEnd('afterwards', last))
  return [
    lines(
      'before replay-told',
      view.before.map(({ text }) => text),
    ),
    ...spoken,
    lines(
      'afterwards',
      view.afterwards.map(({ text }) => text),
    ),
  ]
}

/** One move is told whole; of several how many go where, and why the first does. */
function beatWords({ steps }: ReplayView, { first, last }: Beat): readonly string[] {
  const [one, ...others] = steps.slice(first, last)
  if (one === undefined) return []
  const refused = [one, ...others].flatMap(({ refusals }) => refusals.map(({ text }) => text))
  const why = [one.why.text, ...(refused.length === 0 ? [] : [`✕ ${refused[0]}`])].join(' · ')
  if (others.length === 0) return [one.text.text, why]
  return [
    `Moves ${first + 1} to ${last} of ${steps.length}: ${counted(last - first, 'pod')}, first ${one.text.text.replace(/^[^:]*: /, '')}`,
    why,
  ]
}

/** The times of the beats as a line that fills. */
function trackOf(beats: readonly Beat[], rules: string[]): readonly Markup[] {
  if (beats.length === 0) return []
  rules.push(
    `@keyframes track{from{transform:scaleX(0)}to{transform:scaleX(1)}}.track{animation:track ${seconds}s linear infinite;transform-origin:${margin}px 0}`,
  )
  return [
    element('rect', { class: 'replay-track-ground', x: margin, y: 28, width, height: 2 }),
    element('rect', { class: 'track replay-track', x: margin, y: 28, width, height: 2 }),
  ]
}

/** Each tile that moves has its own keyframes; the picture itself is the last of them. Yields ids with the names of their rules. */
function* movingRules(layout: ReplayLayout, beats: readonly Beat[], rules: string[]): Generator<[string, string]> {
  const frames = [layout.moving(0), ...beats.map(({ last }) => layout.moving(last))]
  const end = frames.at(-1)
  let index = 0
  for (const [id, final] of end ?? []) {
    const keys: string[] = []
    const put = (at: number, rect: Rect) => keys.push(`${round(at)}%{transform:${placed(rect, final)}}`)
    const [start] = frames
    let before = start?.get(id) ?? final
    put(0, before)
    for (const [at, beat] of beats.entries()) {
      const rect = frames[at + 1]?.get(id) ?? before
      if (isSame(rect, before)) continue
      put(beat.begins, before)
      put(beat.arrives, rect)
      before = rect
    }
    if (keys.length === 1) continue
    put(100, final)
    const name = `t${index++}`
    rules.push(`@keyframes ${name}{${keys.join('')}}.${name}{animation:${name} ${seconds}s ease-in-out infinite}`)
    yield [id, name]
  }
}

/** A drawn part in which each tile that moves lies in a group that does. */
function withMotion(part: Markup, moving: ReadonlyMap<string, string>): Markup {
  const id = part.attributes['data-tile']
  const name = typeof id === 'string' ? moving.get(id) : undefined
  const children = part.children.map(child => (typeof child === 'string' ? child : withMotion(child, moving)))
  const attributes = Object.fromEntries(Object.entries(part.attributes).filter(([name]) => !name.startsWith('data-')))
  // A label would be stretched with its tile.
  const own = name === undefined ? children : children.filter(child => typeof child === 'string' || child.tag !== 'text')
  const drawn: Markup = { ...part, attributes, children: own }
  return name === undefined ? drawn : element('g', { class: name }, drawn)
}

/** `93% →` before the share that a box comes to. */
function sharesBefore(view: ReplayView, { boxes }: ReplayLayout, resource: number): readonly Markup[] {
  const end = replayMoment(view, view.steps.length)
  return boxes.flatMap(({ box, inside }): readonly Markup[] => {
    const allocatable = box.allocatable[resource] ?? 0
    const [before, after] = [box.requested[resource] ?? 0, end.boxes.get(box.name)?.requested[resource] ?? 0]
    if (before === after || allocatable <= 0) return []
    const text = `was ${percentText(before, allocatable)}`
    return [
      element(
        'text',
        {
          class: 'replay-pods',
          x: round(inside.x + inside.width),
          y: round(inside.y + inside.height + 15),
          'text-anchor': 'end',
        },
        text,
      ),
    ]
  })
}

/** From where it ends to `rect`, as a transform in the tile's own place. */
function placed(rect: Rect, final: Rect): string {
  const [sx, sy] = [final.width > 0 ? rect.width / final.width : 1, final.height > 0 ? rect.height / final.height : 1]
  return `translate(${round(rect.x - final.x * sx)}px,${round(rect.y - final.y * sy)}px) scale(${fine(sx)},${fine(sy)})`
}

const isSame = (a: Rect, b: Rect): boolean => a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height

/** Seen from one moment to another, in percent. */
function shownRule(name: string, from: number, to: number): string {
  const keys = `0%{opacity:${from <= 0 ? 1 : 0}}${round(from)}%{opacity:1}${round(to)}%{opacity:0}100%{opacity:0}`
  return `@keyframes ${name}{${keys}}.${name}{animation:${name} ${seconds}s step-end infinite}`
}

/** Hidden until then. */
function seenAtEnd(name: string, from: number): string {
  return `@keyframes ${name}{0%{opacity:${from <= 0 ? 1 : 0}}${round(from)}%{opacity:1}100%{opacity:1}}.${name}{animation:${name} ${seconds}s step-end infinite}`
}

const round = (amount: number): number => Math.round(amount * 100) / 100
const fine = (amount: number): number => Math.round(amount * 10_000) / 10_000

/** What XML takes: control characters and halves of letters stand for nothing that could be shown. */
function allowed(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.toWellFormed().replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
}

/** The page's colours, written out: a picture has no style sheet beside it. */
const looks = `svg{font-family:system-ui,-apple-system,Segoe UI,Roboto,Noto Sans,DejaVu Sans,sans-serif;--ground:#fff;--panel:#f6f8fa;--text:#1f2328;--muted:#57606a;--line:#818b98;--requested:#5b8fd6;--used:#0b4f9e;--over:#b3261e;--under:#7a5200;--on-accent:#fff}
@media (prefers-color-scheme:dark){svg{--ground:#0f1419;--panel:#171d24;--text:#e6edf3;--muted:#9aa7b4;--line:#6b7785;--requested:#3f78b8;--used:#8cc2ff;--over:#ff8a80;--under:#e3b341;--on-accent:#0f1419}}
text{fill:var(--text)}.replay-title{font-size:13px;fill:var(--muted)}.replay-what{font-size:15px;font-weight:600}.replay-why{font-size:13.5px}
.replay-name{font-size:13px;font-weight:600}.replay-share{font-size:15px;font-weight:600}.replay-missed{fill:var(--over)}.replay-pods{font-size:11.5px;fill:var(--muted)}.replay-label{font-size:11px}
.replay-ground{fill:var(--ground)}.replay-frame{fill:var(--panel);stroke:var(--line)}.replay-full{stroke:var(--text);stroke-width:1.5}
.replay-moves rect{fill:var(--used)}.replay-moves .replay-label{fill:var(--on-accent)}.replay-may rect{fill:var(--requested)}.replay-held rect{fill:url(#replay-dots);stroke:var(--under)}.replay-pinned rect{fill:url(#replay-hatch);stroke:var(--muted)}.replay-rest rect{fill:var(--panel);stroke:var(--line)}
.replay-dot{fill:var(--under)}.replay-hatch{fill:none;stroke:var(--muted)}.replay-line{stroke:var(--text);stroke-width:1.75;stroke-dasharray:6 3}.replay-bound rect{fill:var(--ground);fill-opacity:.85}.replay-bound text{font-size:11px;font-weight:600}
.replay-track-ground{fill:var(--panel)}.replay-track{fill:var(--used)}.replay-told{opacity:0}
@media (prefers-reduced-motion:reduce){*{animation:none!important}}`
