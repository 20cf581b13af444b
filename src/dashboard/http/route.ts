// The table of routes: patterns of paths with the query that each takes. One entry answers one method of one pattern.
import * as z from 'zod'
import type { Viewer } from '../access/viewer.ts'
import type { Picture } from '../picture.ts'
import type { Answer } from './answer.ts'
import type { Asked } from './asked.ts'
import { time } from './query.ts'
import type { Services } from './services.ts'

/** A request that was let in, with what it asks for. */
export interface Call<Query> {
  readonly services: Services
  readonly asked: Asked
  readonly viewer: Viewer
  /** Picture of now, or of the moment that `at` names. */
  readonly picture: Picture
  /** What stands in the braces of the pattern, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: Query
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** `/api/v1/nodes/{name}`; `{rest*}` at the end takes all that follows. */
  readonly pattern: string
  readonly segments: readonly string[]
  readonly schema: z.ZodObject
  /** `answer` with the query as `schema` has read it. */
  readonly answer: (call: Call<Readonly<Record<string, unknown>>>) => Promise<Answer>
}

type Answering<Schema extends z.ZodObject> = (call: Call<z.output<Schema>>) => Answer | Promise<Answer>

/** A route that reads. It takes `at` besides. */
export function get<Shape extends z.ZodRawShape>(pattern: string, shape: Shape, answer: Answering<z.ZodObject<Shape>>): Route {
  const own = z.strictObject(shape)
  return route('GET', pattern, own, z.strictObject({ ...shape, at: time.optional() }), answer)
}

/** A route that reads what has no past. */
export function getNow<Shape extends z.ZodRawShape>(pattern: string, shape: Shape, answer: Answering<z.ZodObject<Shape>>): Route {
  const own = z.strictObject(shape)
  return route('GET', pattern, own, own, answer)
}

export function write(method: 'POST' | 'DELETE', pattern: string, answer: Answering<z.ZodObject<Record<never, never>>>): Route {
  const own = z.strictObject({})
  return route(method, pattern, own, own, answer)
}

function route<Schema extends z.ZodObject>(
  method: Route['method'],
  pattern: string,
  own: Schema,
  schema: z.ZodObject,
  answer: Answering<Schema>,
): Route {
  return {
    method,
    pattern,
    segments: pattern === '/' ? [] : pattern.slice(1).split('/'),
    schema,
    answer: async call => {
      const { at: _, ...given } = call.query
      return answer({ ...call, query: own.parse(given) })
    },
  }
}

type Matched =
  | { readonly kind: 'route'; readonly route: Route; readonly params: Readonly<Record<string, string>> }
  | { readonly kind: 'other-methods'; readonly pattern: string; readonly methods: readonly string[] }
  | { readonly kind: 'none' }

/** The first route whose pattern and method fit; HEAD is answered as GET. */
export function matched(routes: readonly Route[], method: string, segments: readonly string[]): Matched {
  const wanted = method === 'HEAD' ? 'GET' : method
  const fitting = routes.flatMap(one => {
    const params = paramsOf(one.segments, segments)
    return params === undefined ? [] : [{ route: one, params }]
  })
  const found = fitting.find(({ route: { method: own } }) => own === wanted)
  if (found !== undefined) return { kind: 'route', ...found }
  const [first] = fitting
  if (first === undefined) return { kind: 'none' }
  const methods = fitting.flatMap(({ route: { method: own } }) => (own === 'GET' ? ['GET', 'HEAD'] : [own]))
  return { kind: 'other-methods', pattern: first.route.pattern, methods: [...new Set(methods)] }
}

function paramsOf(pattern: readonly string[], segments: readonly string[]): Readonly<Record<string, string>> | undefined {
  const params: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    const rest = /^\{(\w+)\*\}$/.exec(part)?.[1]
    if (rest !== undefined) return segments.length > index ? { ...params, [rest]: segments.slice(index).join('/') } : undefined
    const given = segments[index]
    if (given === undefined) return undefined
    const name = /^\{(\w+)\}$/.exec(part)?.[1]
    if (name !== undefined) params[name] = given
    else if (part !== given) return undefined
  }
  return pattern.length === segments.length ? params : undefined
}
