// What a query of LogQL comes to, at Loki.
import { at } from '#kube/objects/object-fields.ts'
import { AnswerError } from '#kube/outside-error.ts'
import { boolean, defaulted, float, here, optional, readParameters, required, text } from '../../triggers/parameters.ts'
import { authParameters, provenHttp } from '../http-auth.ts'
import { jsonOf, numberOf, successOf, urlOf } from '../outgoing.ts'
import { oneMetric, type ScalerKind } from '../scaler.ts'
import { sharedReading } from './shared-answers.ts'

const parameters = {
  serverAddress: required(text, here('address of the server, such as http://loki.monitoring:3100')),
  query: required(text, here('LogQL that comes to one number')),
  threshold: required(float, here('amount aimed at')),
  activationThreshold: defaulted(float, '0', here('active above it')),
  tenantName: optional(text, here('sent as X-Scope-OrgID')),
  ignoreNullValues: defaulted(boolean, 'true', here('no result counts as 0; otherwise it is an error')),
  unsafeSsl: defaulted(boolean, 'false', here('certificates are not checked')),
}

export const loki: ScalerKind = {
  types: ['loki'],
  about: 'what a query of LogQL comes to',
  parameters: { ...parameters, ...authParameters },
  async open(trigger, world) {
    const given = readParameters(parameters, trigger.given, 'loki')
    const url = queryUrl(given.serverAddress)
    url.search = new URLSearchParams({ query: given.query }).toString()
    const http = provenHttp(trigger.given, 'loki', world, { isInsecure: given.unsafeSsl })
    const headers: Record<string, string> = given.tenantName === undefined ? {} : { 'X-Scope-OrgID': given.tenantName }
    const ask = async (signal: AbortSignal) =>
      valueIn(jsonOf(successOf(await http.ask(url, { signal, headers }), 'Loki'), 'Loki'), given.ignoreNullValues)
    return oneMetric(trigger, {
      ...{ tail: 'loki', target: given.threshold, activation: given.activationThreshold },
      read: sharedReading(trigger, world, ask),
      close: () => http[Symbol.asyncDispose](),
    })
  },
}

const queryPath = '/loki/api/v1/query'

/** What an address already has of the path is not added again. */
function queryUrl(serverAddress: string): URL {
  const url = new URL(urlOf(serverAddress))
  const path = url.pathname.replace(/\/+$/, '')
  if (path.endsWith(queryPath)) url.pathname = path
  else url.pathname = queryPath.startsWith(`${path}/`) ? queryPath : `${path}${queryPath}`
  return url
}

function valueIn(answer: unknown, ignoresNull: boolean): number {
  const nothing = (what: string): number => {
    if (ignoresNull) return 0
    throw new AnswerError(`loki metrics may be lost, ${what}`)
  }
  if (at(answer, 'status') !== 'success') throw new AnswerError('Loki answered without status success')
  const type = at(answer, 'data', 'resultType')
  if (type !== 'vector' && type !== 'scalar') throw new AnswerError('the query came to no vector: expected a metric query')
  const result = at(answer, 'data', 'result')
  if (!Array.isArray(result)) throw new AnswerError('Loki answered without a result')
  if (result.length === 0) return nothing('the result is empty')
  if (result.length > 1) throw new AnswerError('the query came to more than one element')
  const value = at(result[0], 'value')
  if (!Array.isArray(value)) throw new AnswerError('Loki answered with an element without a value')
  if (value.length === 0) return nothing('the value list is empty')
  if (value.length < 2) throw new AnswerError('the result has a time and no value')
  return value[1] === null ? 0 : numberOf(value[1], 'the result')
}
