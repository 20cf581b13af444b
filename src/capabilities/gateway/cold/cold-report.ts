// What one gateway tells others of its cold starts: those under way and those that it learned of, route by route.
import * as z from 'zod'
import { messageOf } from '#kube/log.ts'
import { problemSentence } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { type BootStage, bootStages } from './boot-stage.ts'
import type { ColdStarts } from './cold-start.ts'
import { type Boot, learnedText, longestLearned, mergedBoots, readLearned } from './learned-boots.ts'

/** Routes of one report. */
const mostRoutes = 5_000
/** Characters of a report. */
const longestReport = 16 * 1024 * 1024
const longestKey = 320
/** A sentence has at most two texts of the cluster, which are shortened, and names. */
const longestSentence = 1_000

interface StartNow {
  readonly stage: BootStage
  readonly sentence: string
  readonly trouble?: string | undefined
  /** Milliseconds since it began. */
  readonly totalMs: number
  readonly etaMs?: number | undefined
}

interface RouteReport {
  /** Undefined: none is under way. */
  readonly start: StartNow | undefined
  readonly boots: readonly Boot[]
}

const time = z.number().min(0).max(Number.MAX_SAFE_INTEGER)
const report = z.strictObject({
  version: z.literal(1),
  routes: z
    .array(
      z.strictObject({
        key: z.string().min(1).max(longestKey),
        learned: z.string().max(longestLearned),
        start: z
          .strictObject({
            stage: z.enum(bootStages),
            sentence: z.string().max(longestSentence),
            trouble: z.string().max(longestSentence).optional(),
            totalMs: time,
            etaMs: time.optional(),
          })
          .optional(),
      }),
    )
    .max(mostRoutes),
})

/** One line of JSON about these routes, as far as there is something to say. */
export function coldReport(starts: Pick<ColdStarts, 'progress' | 'learned'>, keys: Iterable<string>): string {
  const routes: z.output<typeof report>['routes'] = []
  for (const key of keys) {
    const progress = starts.progress(key)
    const boots = starts.learned(key)
    if (routes.length >= mostRoutes) break
    if (progress === undefined && boots.length === 0) continue
    const start = progress && {
      ...{ stage: progress.stage, sentence: progress.sentence.slice(0, longestSentence), totalMs: Math.round(progress.totalMs) },
      ...(progress.trouble === undefined ? {} : { trouble: progress.trouble.sentence.slice(0, longestSentence) }),
      ...(progress.etaMs === undefined ? {} : { etaMs: Math.round(progress.etaMs) }),
    }
    routes.push({ key, learned: learnedText(boots), ...(start === undefined ? {} : { start }) })
  }
  return JSON.stringify({ version: 1, routes } satisfies z.output<typeof report>)
}

/** Reads what {@link coldReport} wrote, by route. `problem`: why it cannot be read, in words. */
export function readColdReport(
  text: string,
): { readonly routes: ReadonlyMap<string, RouteReport> } | { readonly problem: string } {
  if (text.length > longestReport) return { problem: `it has ${text.length} characters, more than ${longestReport}` }
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch (error) {
    return { problem: `it is no JSON: ${messageOf(error)}` }
  }
  const read = checkAgainst(report, found, 'report')
  if (!read.ok) return { problem: read.problems.map(problemSentence).join('; ') }
  const routes = new Map<string, RouteReport>()
  for (const { key, learned, start } of read.value.routes) {
    const boots = readLearned(learned)
    if ('problem' in boots) return { problem: `${key}: ${boots.problem}` }
    routes.set(key, { start, boots: boots.boots })
  }
  return { routes }
}

/** What several gateways say of a route: the start that is farthest, and what each of them learned. */
export function mergedReports(reports: Iterable<RouteReport>): RouteReport {
  let merged: RouteReport = { start: undefined, boots: [] }
  for (const { start, boots } of reports) {
    const isFarther =
      merged.start === undefined ||
      (start !== undefined && bootStages.indexOf(start.stage) > bootStages.indexOf(merged.start.stage))
    merged = { start: isFarther ? start : merged.start, boots: mergedBoots(merged.boots, boots) }
  }
  return merged
}
