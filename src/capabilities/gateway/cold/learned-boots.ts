// What was learned of a target's last cold starts: how long each stage took, and how long it will be from here. Pure.
import * as z from 'zod'
import { messageOf } from '#kube/log.ts'
import { problemSentence } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { type BootStage, bootStages } from './boot-stage.ts'

/** One start that came to its end. */
export interface Boot {
  /** Milliseconds since 1970. */
  readonly endedMs: number
  /** Milliseconds in each stage; a stage that it did not pass is absent. */
  readonly tookMs: Readonly<Partial<Record<BootStage, number>>>
}

/** So many of the last ones are remembered. */
export const mostBoots = 32
/** What takes longer is no start that says anything of the next one. */
export const longestBootMs = 3_600_000
/** Characters of all that is remembered of one target. */
export const longestLearned = 4_096
const latestMs = 8_640_000_000_000_000

/** `boots` with one more, the newest last. One that took too long says nothing. */
export function withBoot(boots: readonly Boot[], boot: Boot): readonly Boot[] {
  const totalMs = totalOf(boot)
  if (totalMs > longestBootMs || totalMs < 0) return boots
  return [...boots, boot].slice(-mostBoots)
}

/** Milliseconds of a whole start. */
export function totalOf({ tookMs }: Boot): number {
  return bootStages.reduce((sum, stage) => sum + (tookMs[stage] ?? 0), 0)
}

/** What several observers learned: a start that two of them saw counts once. */
export function mergedBoots(one: readonly Boot[], other: readonly Boot[]): readonly Boot[] {
  const kept: Boot[] = []
  for (const boot of [...one, ...other].toSorted((a, b) => a.endedMs - b.endedMs || totalOf(b) - totalOf(a))) {
    const before = kept.at(-1)
    const isApart = before === undefined || (boot.endedMs > before.endedMs && boot.endedMs - totalOf(boot) >= before.endedMs)
    if (isApart) kept.push(boot)
  }
  return kept.slice(-mostBoots)
}

export interface Quantiles {
  readonly p50Ms: number
  readonly p95Ms: number
  /** Out of so many starts. */
  readonly count: number
}

/** How long starts took in all, or in one stage; undefined: none passed it. */
export function learnedOf(boots: readonly Boot[], stage?: BootStage): Quantiles | undefined {
  const times = boots.flatMap(boot => (stage === undefined ? totalOf(boot) : (boot.tookMs[stage] ?? [])))
  const p50Ms = quantile(times, 0.5)
  const p95Ms = quantile(times, 0.95)
  return p50Ms === undefined || p95Ms === undefined ? undefined : { p50Ms, p95Ms, count: times.length }
}

/** The smallest time that at least such a part of all does not exceed. */
function quantile(times: readonly number[], part: number): number | undefined {
  return times.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(times.length * part) - 1)]
}

/**
 * Milliseconds until the first answer, for a start that has been in `stage` for `inStageMs`; undefined: nothing was learned. It is the middle
 * of what was left in earlier starts that were as long in this stage; where none was, of what came after it.
 */
export function leftMs(boots: readonly Boot[], stage: BootStage, inStageMs: number): number | undefined {
  const passed = boots.filter(({ tookMs }) => tookMs[stage] !== undefined)
  const asLong = passed.filter(({ tookMs }) => (tookMs[stage] ?? 0) > inStageMs)
  const like = asLong.length > 0 ? asLong : passed.length > 0 ? passed : boots
  const later = bootStages.slice(bootStages.indexOf(stage) + 1)
  const lefts = like.map(({ tookMs }) => {
    const here = Math.max(0, (tookMs[stage] ?? 0) - Math.max(0, inStageMs))
    return later.reduce((sum, one) => sum + (tookMs[one] ?? 0), here)
  })
  return quantile(lefts, 0.5)
}

const entry = z.strictObject({
  version: z.literal(1),
  /** The end, then times in the order of the stages, all in milliseconds; -1 for a stage that was not passed. */
  boots: z.array(z.array(z.int().min(-1).max(latestMs)).length(bootStages.length + 1)).max(mostBoots),
})

/** One line of JSON, at most {@link longestLearned} characters. */
export function learnedText(boots: readonly Boot[]): string {
  const rows = boots.slice(-mostBoots).map(({ endedMs, tookMs }) => [
    Math.max(0, Math.round(endedMs)),
    ...bootStages.map(stage => {
      const took = tookMs[stage]
      return took === undefined ? -1 : Math.min(longestBootMs, Math.max(0, Math.round(took)))
    }),
  ])
  return JSON.stringify({ version: 1, boots: rows })
}

/** Reads what {@link learnedText} wrote. `problem`: why it cannot be read, in words. */
export function readLearned(text: string): { readonly boots: readonly Boot[] } | { readonly problem: string } {
  if (text.length > longestLearned) return { problem: `it has ${text.length} characters, more than ${longestLearned}` }
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch (error) {
    return { problem: `it is no JSON: ${messageOf(error)}` }
  }
  const read = checkAgainst(entry, found, 'learned')
  if (!read.ok) return { problem: read.problems.map(problemSentence).join('; ') }
  const boots = read.value.boots.map(([endedMs = 0, ...times]): Boot => {
    const took = bootStages.flatMap((stage, at) => {
      const ms = times[at] ?? -1
      return ms < 0 ? [] : [[stage, ms] as const]
    })
    return { endedMs, tookMs: Object.fromEntries(took) }
  })
  return { boots: boots.filter(boot => boot.endedMs >= 0 && totalOf(boot) <= longestBootMs) }
}
