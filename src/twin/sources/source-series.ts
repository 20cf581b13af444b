// What a Service of the twin answers to those who ask it for a number: an annotation says its values over the twin's time. Pure.
import { parse } from 'yaml'
import { z } from 'zod'
import { messageOf } from '#kube/log.ts'
import { parseDuration } from '#kube/time/duration.ts'

export const sourceAnnotation = 'ballast.dev/twin-source'

const durationMs = z.string().transform((text, context) => {
  const parsed = parseDuration(text)
  const ms = parsed.ok ? Number(parsed.value) / 1e6 : Number.NaN
  if (ms >= 0) return ms
  context.addIssue({ code: 'custom', message: 'expected a duration such as 0s, 90s or 2h' })
  return z.NEVER
})

const steps = z.record(z.string(), z.number()).transform((values, context) =>
  Object.entries(values)
    .map(([from, value]) => {
      const parsed = durationMs.safeParse(from)
      if (!parsed.success) context.addIssue({ code: 'custom', message: `${from}: expected a duration such as 0s, 90s or 2h` })
      return { fromMs: parsed.data ?? 0, value }
    })
    .sort((one, other) => one.fromMs - other.fromMs),
)

/** A plain number holds at all times. */
const always = (value: unknown) => (typeof value === 'number' ? { '0s': value } : value)

const fields = z.strictObject({
  kind: z.enum(['prometheus', 'json']),
  every: durationMs.refine(ms => ms > 0, 'expected a duration above 0').optional(),
  values: z.record(z.string(), z.preprocess(always, steps)),
})

const schema = fields.check(({ value: { every, values }, issues }) => {
  const refuse = (name: string, message: string) =>
    issues.push({ code: 'custom', path: ['values', name], message, input: values[name] })
  for (const [name, said] of Object.entries(values)) {
    const moments = said.map(({ fromMs }) => fromMs)
    if (new Set(moments).size < moments.length) refuse(name, 'two steps begin at the same time')
    if (every !== undefined && moments.some(fromMs => fromMs >= every)) refuse(name, 'a step begins after it all begins again')
    const above = name.split('.').slice(0, -1)
    if (above.some((_field, at) => Object.hasOwn(values, above.slice(0, at + 1).join('.'))))
      refuse(name, 'it is a field of what is a number itself')
  }
})

/** What one Service says: of Prometheus by its queries, in JSON by the fields of one document. */
type SourceSeries = z.output<typeof schema>

/** @throws Error that says what is wrong where */
export function readSeries(text: string): SourceSeries {
  const read = schema.safeParse(yamlOf(text))
  if (read.success) return read.data
  const [issue] = read.error.issues
  throw new Error([sourceAnnotation, issue?.path.join('.'), issue?.message].filter(Boolean).join(': '))
}

function yamlOf(text: string): unknown {
  try {
    return parse(text, { maxAliasCount: 0 })
  } catch (error) {
    throw new Error(`${sourceAnnotation}: ${messageOf(error)}`)
  }
}

/** The value of `name` so long after the twin began; undefined where none is told yet, or ever. */
export function valueAt({ values, every }: SourceSeries, name: string, elapsedMs: number): number | undefined {
  const said = Object.hasOwn(values, name) ? values[name] : undefined
  const atMs = every === undefined ? elapsedMs : elapsedMs % every
  return said?.findLast(({ fromMs }) => fromMs <= atMs)?.value
}

/** What is answered at `url`; undefined: nothing is there. */
export function answerAt(
  series: SourceSeries,
  url: URL,
  moment: { readonly nowMs: number; readonly elapsedMs: number },
): unknown {
  if (series.kind === 'json') return documentAt(series, moment.elapsedMs)
  if (!url.pathname.endsWith('/api/v1/query')) return undefined
  const value = valueAt(series, url.searchParams.get('query') ?? '', moment.elapsedMs)
  const result = value === undefined ? [] : [{ metric: {}, value: [moment.nowMs / 1_000, String(value)] }]
  return { status: 'success', data: { resultType: 'vector', result } }
}

/** A name with dots is a field of a field. */
function documentAt(series: SourceSeries, elapsedMs: number): unknown {
  const document = new Map<string, unknown>()
  for (const name of Object.keys(series.values)) {
    const value = valueAt(series, name, elapsedMs)
    if (value === undefined) continue
    const fields = name.split('.')
    const last = fields.pop() ?? ''
    let within = document
    for (const field of fields) {
      const known = within.get(field)
      const next = known instanceof Map ? known : new Map<string, unknown>()
      within.set(field, next)
      within = next
    }
    within.set(last, value)
  }
  return plain(document)
}

const plain = (value: unknown): unknown =>
  value instanceof Map ? Object.fromEntries([...value].map(([key, one]) => [key, plain(one)])) : value
