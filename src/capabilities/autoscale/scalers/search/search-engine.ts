// What Elasticsearch and OpenSearch have in common: a search by a query or a template, and a number at a path of its answer.
import { AnswerError, OutsideError } from '#kube/outside-error.ts'
import {
  boolean,
  defaulted,
  float,
  here,
  listOf,
  optional,
  required,
  secretEnvOrHere,
  secretOrHere,
  TriggerProblem,
  text,
} from '../../triggers/parameters.ts'
import { jsonPath } from '../json-path.ts'
import { jsonOf, kindOf, type SourceHttp, urlOf } from '../outgoing.ts'

export const searchParameters = {
  index: required(listOf(text, ';'), secretOrHere('indexes to search, between semicolons')),
  searchTemplateName: optional(text, secretOrHere('a template that the server has; this or query')),
  query: optional(text, secretOrHere('a search as JSON; this or searchTemplateName')),
  parameters: optional(listOf(text, ';'), here('name:value of the template, between semicolons')),
  valueLocation: required(text, secretOrHere('a path of gjson to a number')),
  targetValue: required(float, secretOrHere('amount aimed at')),
  activationTargetValue: defaulted(float, '0', here('active above it')),
  ignoreNullValues: defaulted(boolean, 'false', here('null, or nothing at the path, counts as 0; otherwise it is an error')),
  unsafeSsl: defaulted(boolean, 'false', here('certificates are not checked')),
  username: optional(text, secretOrHere('of the user')),
  password: optional(text, secretEnvOrHere('of the user')),
}

interface GivenSearch {
  readonly index: readonly string[]
  readonly searchTemplateName: string | undefined
  readonly query: string | undefined
  readonly parameters: readonly string[] | undefined
  readonly valueLocation: string
  readonly ignoreNullValues: boolean
}

/** What is asked, and how its answer is read. */
interface Search {
  readonly path: string
  readonly body: string
  readonly read: (answer: unknown) => number
}

/** @throws TriggerProblem */
export function searchOf({ index, searchTemplateName, query, parameters = [], ...given }: GivenSearch): Search {
  if (searchTemplateName === undefined && query === undefined)
    throw new TriggerProblem('either searchTemplateName or query must be provided')
  if (searchTemplateName !== undefined && query !== undefined)
    throw new TriggerProblem('cannot provide both searchTemplateName and query')
  const located = jsonPath(given.valueLocation)
  const base = `/${index.map(encodeURIComponent).join(',')}/_search`
  const read = (answer: unknown) => numberAt(located(answer), given.ignoreNullValues)
  if (query !== undefined) return { path: base, body: checkedJson(query), read }
  const params = Object.fromEntries(parameters.filter(one => one !== '').map(parameterOf))
  const body = { id: searchTemplateName, ...(Object.keys(params).length === 0 ? {} : { params }) }
  return { path: `${base}/template`, body: JSON.stringify(body), read }
}

function checkedJson(query: string): string {
  try {
    JSON.parse(query)
  } catch {
    // A parser's own words show the query.
    throw new TriggerProblem('invalid query JSON')
  }
  return query
}

function parameterOf(written: string): readonly [string, string] {
  const [, name = '', value = ''] = /^([^:]*):(.*)$/s.exec(written) ?? []
  if (name.trim() === '' || value.trim() === '')
    throw new TriggerProblem(`invalid parameter format ${JSON.stringify(written)}, expected key:value`)
  return [name.trim(), value.trim()]
}

function numberAt(found: unknown, ignoresNull: boolean): number {
  if (found === undefined || found === null) {
    if (ignoresNull) return 0
    throw wrongKind('Null')
  }
  if (typeof found === 'boolean') throw wrongKind('True or False')
  if (typeof found === 'object') throw wrongKind('JSON')
  const value = typeof found === 'string' && found.trim() === '' ? Number.NaN : Number(found)
  if (!Number.isFinite(value)) throw wrongKind(kindOf(found))
  return value
}

function wrongKind(found: string): AnswerError {
  return new AnswerError(`valueLocation must point to value of type number but got: '${found}'`)
}

/** Servers of one cluster that one search goes to at most, as upstream's clients do. */
const mostTries = 4
/** What says that another server may answer. */
const awayStatuses = new Set([502, 503, 504])

interface Cluster {
  readonly http: SourceHttp
  readonly addresses: readonly URL[]
  readonly headers: Readonly<Record<string, string>>
  /** As messages name it. */
  readonly who: string
}

/** @throws TriggerProblem */
export function clusterAddresses(addresses: readonly string[]): readonly URL[] {
  return addresses.filter(one => one !== '').map(urlOf)
}

/** Reads the search at one server after the other, from the one that answered last on. */
export function searching({ http, addresses, headers, who }: Cluster, search: Search): (signal: AbortSignal) => Promise<number> {
  let first = 0
  return async signal => {
    let failure: unknown = new TriggerProblem(`no address of ${who} is given`)
    for (let time = 0; time < Math.min(mostTries, addresses.length); time++) {
      const place = (first + time) % addresses.length
      const url = new URL(addresses[place] ?? '')
      url.pathname = `${url.pathname.replace(/\/$/, '')}${search.path}`
      try {
        const answer = await http.ask(url, {
          ...{ method: 'POST', body: search.body, signal },
          headers: { ...headers, 'content-type': 'application/json', accept: 'application/json' },
        })
        if (awayStatuses.has(answer.status)) throw new OutsideError(`${who} answered with status ${answer.status}`)
        first = place
        return search.read(jsonOf(checkedStatus(answer, who), who))
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof AnswerError) throw error
        failure = error
      }
    }
    throw failure
  }
}

function checkedStatus<A extends { readonly status: number }>(answer: A, who: string): A {
  const { status } = answer
  if (status === 401) throw new AnswerError(`${who} authentication failed (HTTP 401): check username and password`)
  if (status === 403) throw new AnswerError(`${who} authorization failed (HTTP 403): user has insufficient permissions`)
  if (status < 200 || status > 299) throw new AnswerError(`${who} answered with status ${status}`)
  return answer
}

export function basicHeader(username: string, password: string): Readonly<Record<string, string>> {
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
}
