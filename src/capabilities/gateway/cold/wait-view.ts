// What people see of a cold start, in words: the same for the page and for what keeps it up to date. Pure.
import type { BootStage } from './boot-stage.ts'
import type { Progress } from './cold-start.ts'

export interface WaitView {
  /** `about 2 min left`. */
  readonly left: string
  /** How far it is, 0 to 100; null: nobody knows. */
  readonly percent: number | null
  readonly sentence: string
  readonly trouble: string | null
  /** `waking for 32 s`. */
  readonly elapsed: string
  readonly stages: readonly StageView[]
}

interface StageView {
  readonly label: string
  readonly state: 'done' | 'now' | 'ahead'
  /** `12 s`, `12 s of 40 s`, `50 s, usually 40 s`, `usually 40 s`, or nothing. */
  readonly time: string
}

/** The page is gone when the first answer is waited for. */
const labels: Readonly<Partial<Record<BootStage, string>>> = {
  queued: 'Asked for',
  'node-requested': 'A node is started',
  'node-ready': 'Room is made on the node',
  image: 'The image is pulled',
  container: 'The container starts',
  ready: 'Ready for requests',
  model: 'The model is loaded',
}

/** Undefined: nothing is known yet. */
export function waitView(progress: Progress | undefined): WaitView {
  if (progress === undefined)
    return { left: unknownLeft, percent: null, sentence: 'the target is woken', trouble: null, elapsed: '', stages: [] }
  const { etaMs, totalMs, sentence, trouble, stages } = progress
  return {
    left: isHeldUp(progress) ? 'it is held up' : leftText(etaMs),
    percent: etaMs === undefined ? null : percentOf(totalMs, etaMs),
    sentence,
    trouble: trouble === undefined ? null : `${trouble.sentence} [${trouble.reason}]`,
    elapsed: `waking for ${durationText(totalMs)}`,
    stages: stages.flatMap(({ stage, state, tookMs, usualMs, isExpected }): StageView[] => {
      const label = labels[stage]
      return label === undefined || !isExpected ? [] : [{ label, state, time: timeText(state, tookMs, usualMs) }]
    }),
  }
}

const unknownLeft = 'no start was seen before: how long it takes is not known'

/** Most troubles pass by themselves: a stage is held up when it takes longer than it does without them. */
function isHeldUp({ trouble, stage, stages }: Progress): boolean {
  const here = stages.find(one => one.stage === stage)
  return trouble !== undefined && (here?.usualMs === undefined || (here.tookMs ?? 0) > here.usualMs)
}

function leftText(etaMs: number | undefined): string {
  if (etaMs === undefined) return unknownLeft
  return etaMs < 1_000 ? 'any moment now' : `about ${durationText(etaMs)} left`
}

/** It is never whole before it is ready. */
function percentOf(totalMs: number, etaMs: number): number {
  const wholeMs = totalMs + etaMs
  return wholeMs <= 0 ? 0 : Math.min(99, Math.floor((totalMs / wholeMs) * 100))
}

function timeText(state: StageView['state'], tookMs: number | undefined, usualMs: number | undefined): string {
  if (state === 'ahead') return usualMs === undefined ? '' : `usually ${durationText(usualMs)}`
  if (tookMs === undefined) return ''
  if (state === 'done' || usualMs === undefined) return durationText(tookMs)
  return tookMs <= usualMs
    ? `${durationText(tookMs)} of ${durationText(usualMs)}`
    : `${durationText(tookMs)}, usually ${durationText(usualMs)}`
}

/** `8 s`, `2 min 5 s`, `12 min`, `1 h 5 min`. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`
  if (minutes < 60) return `${minutes} min`
  return minutes % 60 === 0 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
