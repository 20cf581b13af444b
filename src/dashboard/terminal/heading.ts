// What stands above the terminal's table: the cluster in one line, its plan and goals in another, and what is not as it should be.
import type { Overview, PlanHead, Source } from '../contract.ts'
import { age } from '../words/age.ts'
import { inZone } from '../words/moments.ts'
import { printable } from '../words/names.ts'
import { percentText, unknownText } from '../words/percent.ts'
import { count, cpuExact, memoryExact } from '../words/quantity.ts'
import { dayAndTime, timeOfDay } from '../words/time.ts'
import { columnsOf, type Line, type Piece } from './lines.ts'

interface HeadingOptions {
  readonly width: number
  /** IANA name of the zone that times are told in. */
  readonly zone: string
  /** Whether somebody can press one. */
  readonly hasKeys: boolean
}

const gap = '  '

/** As many lines as it takes, none wider than asked, where words can be parted. */
export function headingLines(overview: Overview, options: HeadingOptions): readonly Line[] {
  const flowing = flowed(clusterParts(overview), options.width)
  return [
    ...withRight(flowing, clockText(overview, options.zone), options.width),
    ...planLines(overview, options),
    ...notices(overview, options),
  ]
}

function clusterParts({ cluster, mode, totals, loading }: Overview): readonly string[] {
  const name = `${printable(cluster)}${mode === 'twin' ? ' (twin)' : ''}`
  if (loading !== null) return [name]
  const { cpu, memory, pods, nodes } = totals
  return [
    name,
    `${count(nodes)} ${nodes === 1 ? 'node' : 'nodes'}`,
    `${count(pods.count)} ${pods.count === 1 ? 'pod' : 'pods'}`,
    `cpu ${cpuExact(cpu.requested)}/${cpuExact(cpu.allocatable)} ${percentText(cpu.requested, cpu.allocatable)}`,
    `memory ${memoryExact(memory.requested)}/${memoryExact(memory.allocatable)} ${percentText(memory.requested, memory.allocatable)}`,
  ]
}

/** `2025-12-19 14:03:20  60x`. */
function clockText({ now, speed, mode }: Overview, zone: string): string {
  const time = dayAndTime(Date.parse(now), zone)
  if (mode === 'cluster') return time
  if (speed === null) return `${time}${gap}max`
  return `${time}${gap}${speed === 0 ? 'paused' : `${speed}x`}`
}

/** Parts beside each other, in as many lines as they need. */
function flowed(parts: readonly string[], width: number): readonly string[] {
  const lines: string[] = []
  for (const part of parts) {
    const last = lines.at(-1)
    if (last !== undefined && columnsOf(last) + gap.length + columnsOf(part) <= width) lines[lines.length - 1] = last + gap + part
    else lines.push(part)
  }
  return lines
}

/** `right` at the right edge of the last line that has room for it, else on a line of its own. */
function withRight(lines: readonly string[], right: string, width: number): readonly Line[] {
  const last = lines.at(-1) ?? ''
  const space = width - columnsOf(last) - columnsOf(right)
  if (space < gap.length) return [...lines, right].map(text => [{ text }])
  return [...lines.slice(0, -1), `${last}${' '.repeat(space)}${right}`].map(text => [{ text }])
}

const betweenPlanAndGoals = ' '.repeat(7)

function planLines(
  { plan, buttons, goals: nodeGoals, wideGoals, goalsEmpty, loading }: Overview,
  { width, hasKeys }: HeadingOptions,
): readonly Line[] {
  if (loading !== null) return [[{ text: printable(loading.text) }]]
  const isOffered = (action: string) => hasKeys && buttons.some(button => button.action === action && button.enabled)
  const left = plan === null ? 'no plan' : `plan ${printable(plan.name)}: ${planText(plan, isOffered)}`
  const goals = [
    ...nodeGoals.map(({ met }) => met),
    ...wideGoals.flatMap(({ state }) => (state === 'unknown' ? [] : [state === 'met'])),
  ]
  const met = goals.filter(isMet => isMet).length
  const right: Piece =
    goals.length === 0
      ? { text: goalsEmpty === null ? 'no goals' : printable(goalsEmpty.text), tone: 'dim' }
      : { text: `goals ${met}/${goals.length} met`, tone: met === goals.length ? 'good' : 'over' }
  const standing = standingOf(plan)
  const isOneLine = columnsOf(left) + betweenPlanAndGoals.length + columnsOf(right.text) <= width
  return [...(isOneLine ? [[{ text: `${left}${betweenPlanAndGoals}` }, right]] : [[{ text: left }], [right]]), ...standing]
}

/** Why a plan that may run does not, and when it will: the page's own sentence. */
function standingOf(plan: PlanHead | null): readonly Line[] {
  if (plan === null || (plan.phase !== 'Approved' && plan.phase !== 'Paused')) return []
  const last = plan.sentences.at(-1)
  return last === undefined ? [] : [[{ text: printable(last.text), tone: 'under' }]]
}

function planText(plan: PlanHead, isOffered: (action: string) => boolean): string {
  const moves = `${count(plan.moves)} ${plan.moves === 1 ? 'move' : 'moves'}`
  const done = `${count(plan.done)} of ${moves} done${plan.failed === 0 ? '' : `, ${count(plan.failed)} failed !`}`
  switch (plan.phase) {
    case 'Pending':
      return 'being made'
    case 'Proposed':
      return plan.moves === 0 ? 'nothing to move' : `${moves}, waiting for approval${isOffered('approve') ? ' (press a)' : ''}`
    case 'Approved':
      return `${moves}, approved, not begun${isOffered('pause') ? ' (space pauses)' : ''}`
    case 'Running':
      return `${done}${isOffered('pause') ? ' (space pauses)' : ''}`
    case 'Paused':
      return `paused, ${done}${isOffered('resume') ? ' (space resumes)' : ''}`
    case 'Succeeded':
      return `over, ${done}`
    case 'Incomplete':
      return `over, incomplete !, ${done}`
    case 'Failed':
      return `failed !, ${done}`
    case 'Expired':
      return plan.replacedBy === null ? `expired, ${done}` : `replaced by ${printable(plan.replacedBy)}, ${done}`
  }
}

/** How many of the things that run now are named. */
const mostDoing = 3

function notices(overview: Overview, { zone }: HeadingOptions): readonly Line[] {
  const { freeze, sources, doing, loading } = overview
  if (loading !== null) return []
  const nowMs = Date.parse(overview.now)
  const lines: Line[] = []
  if (freeze !== null) {
    const since = freeze.since === null ? '' : ` since ${timeOfDay(Date.parse(freeze.since), zone, nowMs)}`
    lines.push([{ text: `! frozen by ${printable(freeze.by)}${since}: ${printable(freeze.reason)}`, tone: 'over' }])
  }
  for (const source of sources) if (source.state === 'stale' || source.state === 'down') lines.push([sourceNotice(source, nowMs)])
  for (const { sentence } of doing.slice(0, mostDoing)) lines.push([{ text: printable(inZone(sentence, zone, nowMs)) }])
  if (doing.length > mostDoing) lines.push([{ text: `and ${count(doing.length - mostDoing)} more at work`, tone: 'dim' }])
  return lines
}

function sourceNotice({ name, because, lastAt, state }: Source, nowMs: number): Piece {
  const since = lastAt === null ? unknownText : `${age(nowMs - Date.parse(lastAt))} old`
  return { text: `! ${printable(name)} is ${state}: ${because === null ? since : printable(because)}`, tone: 'under' }
}
