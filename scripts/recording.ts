// The moving picture of the README: `ballast up --once` on the example, drawn as an animated SVG from what the run printed. The run has
// a clock and a seed of its own, so the same source gives the same picture; a test of `up` holds the picture to the output.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
export const recordingPath = join(root, 'docs', 'pictures', 'up.svg')
const command = 'bin/ballast up --once'
/** Bytes of the picture: a README is read on slow lines, too. */
const largest = 500 * 1024
const runMs = 240_000

const rows = 32
const lineHeight = 18
const charWidth = 7.8
/** From a line's base to the bottom of its row. */
const descent = 5
const margin = 14
/** Seconds of the picture: typing the command, between two lines of a table, of a cluster's second, and at the end. */
const pace = { typing: 1.6, line: 0.08, paragraph: 0.9, clusterSecond: 0.3, end: 8 }

const colours: Readonly<Record<string, string>> = { 31: '#ff7b72', 32: '#7ee787', 33: '#e3b341', 36: '#76e3ea', 90: '#8b949e' }

/** Runs the example and writes the picture. False where the run failed or the picture is too large. */
export function recordExample(): boolean {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'bin', 'ballast'), 'up', '--once'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, FORCE_COLOR: '1' },
    timeout: runMs,
  })
  if (status !== 0) {
    console.error(`${command} ended with ${status}: ${stderr}`)
    return false
  }
  const picture = drawRecording(stdout)
  writeFileSync(recordingPath, picture)
  console.log(`${relative(root, recordingPath)}  ${Math.ceil(picture.length / 1024)} KB`)
  return picture.length <= largest
}

/** The animated picture of a terminal that prints `output`, which may have colours. */
export function drawRecording(output: string): string {
  const printed = output.trimEnd().split('\n')
  const moments = momentsOf(printed)
  const total = (moments.at(-1) ?? 0) + pace.end
  const lines = [`$ ${command}`, ...printed]
  const percent = (seconds: number) => `${Math.round((seconds / total) * 100_000) / 1000}%`
  const y = (line: number) => (line + 1) * lineHeight - descent
  const scrolled = lines.map((_, line) => Math.max(0, line + 1 - rows) * lineHeight)
  // The command is there from the start.
  const appear = printed.map((_, at) => `@keyframes l${at + 1}{0%{opacity:0}${percent(moments[at + 1] ?? 0)}{opacity:1}}`)
  const steps = scrolled.flatMap((by, line) =>
    by === 0 ? [] : [`${percent(moments[line] ?? 0)}{transform:translateY(-${by}px)}`],
  )
  const columns = Math.max(...lines.map(charactersOf))
  const width = Math.ceil(columns * charWidth) + 2 * margin
  const height = rows * lineHeight + 2 * margin
  const style = [
    `text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#e6edf3;white-space:pre}`,
    `.l{animation-duration:${total.toFixed(1)}s;animation-iteration-count:infinite;animation-timing-function:step-end}`,
    `.s{animation:s ${total.toFixed(1)}s step-end infinite}`,
    ...appear,
    `@keyframes s{0%{transform:none}${steps.join('')}}`,
    `@media (prefers-reduced-motion:reduce){.l,.s{animation:none}.s{transform:translateY(-${scrolled.at(-1)}px)}}`,
  ]
  const drawn = lines.map((line, at) =>
    line === '' ? '' : `<text class="l" style="animation-name:l${at}" ${place(line, y(at))}>${spans(line)}</text>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${command} on the example: nodes, plan, moves, and the nodes again</title>
<style>
${style.join('\n')}
</style>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<clipPath id="w"><rect x="0" y="0" width="${width}" height="${rows * lineHeight}"/></clipPath>
<g transform="translate(${margin} ${margin})" clip-path="url(#w)">
<g class="s">
${drawn.join('\n')}
</g>
</g>
</svg>
`
}

/** When each line is there, the command first: a move at its time in the cluster, a table line by line, a pause before a paragraph. */
function momentsOf(printed: readonly string[]): number[] {
  const moments = [0]
  let now = pace.typing
  let clusterSeconds = 0
  for (const [at, line] of printed.entries()) {
    const [, seconds] = /^ +(\d+\.\d) s {2}m\d/.exec(line) ?? []
    if (seconds !== undefined) {
      now += Math.max(pace.line, (Number(seconds) - clusterSeconds) * pace.clusterSecond)
      clusterSeconds = Number(seconds)
    } else now += printed[at - 1] === '' ? pace.paragraph : pace.line
    moments.push(now)
  }
  return moments
}

const colourCode = new RegExp(`${String.fromCharCode(27)}\\[(\\d+)m`)

const charactersOf = (line: string) => line.replaceAll(new RegExp(colourCode, 'g'), '').length

/** Each font has another width; `textLength` holds all to the same columns. */
function place(line: string, y: number): string {
  return `xml:space="preserve" x="0" y="${y}" textLength="${Math.round(charactersOf(line) * charWidth)}"`
}

/** A line's text with its colours as SVG has them. */
function spans(line: string): string {
  const [first = '', ...parts] = line.split(colourCode)
  let drawn = escaped(first)
  for (let at = 0; at < parts.length; at += 2) {
    const [code = '', text = ''] = parts.slice(at, at + 2)
    const fill = colours[code]
    drawn += fill === undefined || text === '' ? escaped(text) : `<tspan fill="${fill}">${escaped(text)}</tspan>`
  }
  return drawn
}

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** What a recording shows, without its colours: the lines after the command. */
export function textOfRecording(picture: string): string {
  const texts = new Map(
    [...picture.matchAll(/<text .*?y="(\d+)".*?>(.*)<\/text>/g)].map(([, y, text = '']) => [
      (Number(y) + descent) / lineHeight - 1,
      text
        .replaceAll(/<\/?tspan[^>]*>/g, '')
        .replaceAll('&lt;', '<')
        .replaceAll('&gt;', '>')
        .replaceAll('&amp;', '&'),
    ]),
  )
  const last = Math.max(...texts.keys())
  return Array.from({ length: last }, (_, at) => `${texts.get(at + 1) ?? ''}\n`).join('')
}
