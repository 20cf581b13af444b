// What one gateway tells whoever shows its routes: requests, those that wait, and starts that are under way.
import * as z from 'zod'
import type { RouteStanding } from '#coordination/ports/gateway-door.ts'
import { messageOf } from '#kube/log.ts'
import { problemSentence } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { type BootStage, bootStages } from '../cold/boot-stage.ts'

/** The admin path of the report. */
export const standingPath = '/standing'

/** Routes of one report. */
const mostRoutes = 5_000
/** Bytes of a report that are read. */
export const longestReport = 4 * 1024 * 1024
const longestKey = 320
/** A sentence has at most two texts of the cluster, which are shortened, and names. */
const longestSentence = 1_000

const time = z.number().min(0).max(Number.MAX_SAFE_INTEGER)
const count = z.int().min(0)
const report = z.strictObject({
  version: z.literal(1),
  routes: z
    .array(
      z.strictObject({
        key: z.string().min(1).max(longestKey),
        requests: count,
        held: count,
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

/**
 * One line of JSON. Whoever reaches the port may read it: of a route whose own page tells nobody how its start goes (`hasPage`), it has the
 * stage without words.
 */
export function standingReport(routes: Iterable<readonly [string, RouteStanding]>, hasPage: (key: string) => boolean): string {
  const rows: z.output<typeof report>['routes'] = []
  for (const [key, { requests, held, start }] of routes) {
    if (rows.length >= mostRoutes) break
    rows.push({ key, requests, held, ...(start === undefined ? {} : { start: startOf(start, hasPage(key)) }) })
  }
  return JSON.stringify({ version: 1, routes: rows } satisfies z.output<typeof report>)
}

type Start = NonNullable<RouteStanding['start']>

function startOf({ stage, sentence, trouble, totalMs, etaMs }: Start, isTold: boolean) {
  return {
    ...{ stage: stage as BootStage, sentence: isTold ? sentence.slice(0, longestSentence) : '', totalMs: Math.round(totalMs) },
    ...(trouble === undefined || !isTold ? {} : { trouble: trouble.slice(0, longestSentence) }),
    ...(etaMs === undefined ? {} : { etaMs: Math.round(etaMs) }),
  }
}

/** Reads what {@link standingReport} wrote, by route. `problem`: why it cannot be read, in words. */
export function readStanding(
  text: string,
): { readonly routes: ReadonlyMap<string, RouteStanding> } | { readonly problem: string } {
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch (error) {
    return { problem: `it is no JSON: ${messageOf(error)}` }
  }
  const read = checkAgainst(report, found, 'report')
  if (!read.ok) return { problem: read.problems.map(problemSentence).join('; ') }
  return { routes: new Map(read.value.routes.map(({ key, ...route }) => [key, route])) }
}
