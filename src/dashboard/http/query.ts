// Queries of the API: each route names the keys it takes, and says so to whoever sends another.
import * as z from 'zod'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { parseTime } from '#kube/time/time.ts'
import { nearestName } from '#kube/values/nearest-name.ts'
import { refusal, type WholeAnswer } from './answer.ts'

const longestText = 512

/** A text of one line. */
export const text = z.string().min(1).max(longestText)
export const time = z.string().refine(given => parseTime(given).ok, 'not a time in RFC 3339 form such as 2026-03-04T05:06:07Z')
/** A time, or how long ago: `24h`. */
export const timeOrAge = z
  .string()
  .refine(
    given => parseTime(given).ok || isAge(given),
    'not a time in RFC 3339 form such as 2026-03-04T05:06:07Z, or how long ago, such as 24h',
  )
export const flag = z.enum(['0', '1'])

function isAge(given: string): boolean {
  const parsed = parseDurationMs(given)
  return parsed.ok && parsed.value >= 0
}

/** A whole number from `least` to `most`. */
export function whole(least: number, most: number) {
  return z
    .string()
    .refine(
      given => /^\d{1,9}$/.test(given) && Number(given) >= least && Number(given) <= most,
      `not a whole number from ${least} to ${most}`,
    )
}

/** Milliseconds of what `time` or `timeOrAge` has let through. */
export function momentMs(given: string, nowMs: number): number {
  const moment = parseTime(given)
  if (moment.ok) return moment.value
  const age = parseDurationMs(given)
  return age.ok ? nowMs - age.value : nowMs
}

type ReadQuery<Query> = { readonly ok: true; readonly query: Query } | { readonly ok: false; readonly answer: WholeAnswer }

/** The query as `schema` reads it. A key that it does not know, one given twice or a bad value is a 400 that says what would be right. */
export function readQuery<Schema extends z.ZodObject>(schema: Schema, given: URLSearchParams): ReadQuery<z.output<Schema>> {
  const known = Object.keys(schema.shape)
  const fields = new Map<string, string>()
  for (const [key, value] of given) {
    if (!known.includes(key)) return { ok: false, answer: unknownKey(key, known) }
    if (fields.has(key)) return { ok: false, answer: badValue(key, 'the key twice', 'it once') }
    fields.set(key, value)
  }
  const checked = checkAgainst(schema, Object.fromEntries(fields), '')
  if (checked.ok) return { ok: true, query: checked.value }
  const [problem] = checked.problems
  const expected = problem?.expected ?? 'another value'
  return { ok: false, answer: badValue(problem?.where ?? '', cut(problem?.found ?? ''), expected) }
}

function unknownKey(key: string, known: readonly string[]): WholeAnswer {
  const meant = nearestName(key, known)
  const remedy = known.length === 0 ? 'This address takes no query.' : `Known are ${known.join(', ')}.`
  return refusal('unknown-query-key', {
    status: 400,
    message: `The query has an unknown key ${JSON.stringify(cut(key))}.`,
    remedy: meant === undefined ? remedy : `Did you mean ${JSON.stringify(meant)}? ${remedy}`,
  })
}

/** A key of the query that says something that cannot be. */
export function badValue(key: string, found: string, expected: string): WholeAnswer {
  return refusal('bad-query', {
    status: 400,
    message: `The query's ${key} is ${JSON.stringify(found)}.`,
    remedy: `Expected ${expected}.`,
  })
}

function cut(found: string): string {
  return found.length > 80 ? `${found.slice(0, 77)}...` : found
}
