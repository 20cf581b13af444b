// What a query of PromQL comes to, at Prometheus or at whatever answers as it does (Thanos, Mimir, VictoriaMetrics).
import { at, listAt } from '#kube/objects/object-fields.ts'
import { AnswerError } from '#kube/outside-error.ts'
import {
  boolean,
  defaulted,
  duration,
  float,
  here,
  optional,
  pairs,
  readParameters,
  required,
  text,
} from '../../triggers/parameters.ts'
import { countEmpty } from '../asking.ts'
import { authParameters, provenHttp } from '../http-auth.ts'
import { jsonOf, numberOf, successOf, urlOf } from '../outgoing.ts'
import { oneMetric, type ScalerKind } from '../scaler.ts'
import { sharedReading } from './shared-answers.ts'

const parameters = {
  serverAddress: required(text, here('address of the server, such as http://prometheus.monitoring:9090')),
  query: required(text, here('PromQL that comes to one number')),
  threshold: required(float, here('amount aimed at')),
  activationThreshold: defaulted(float, '0', here('active above it')),
  namespace: optional(text, here('sent with the query, for servers of many tenants')),
  customHeaders: optional(pairs, here('sent with the query')),
  queryParameters: optional(pairs, here('sent with the query')),
  ignoreNullValues: defaulted(boolean, 'true', here('no result counts as 0; otherwise it is an error')),
  unsafeSsl: defaulted(boolean, 'false', here('certificates are not checked')),
  timeout: optional(duration, here('of one request')),
}

export const prometheus: ScalerKind = {
  types: ['prometheus'],
  about: 'what a query of PromQL comes to',
  parameters: { ...parameters, ...authParameters },
  async open(trigger, world) {
    const given = readParameters(parameters, trigger.given, 'prometheus')
    const base = urlOf(given.serverAddress)
    const http = provenHttp(trigger.given, 'prometheus', world, { isInsecure: given.unsafeSsl, timeoutMs: given.timeout })
    const ask = async (signal: AbortSignal) => {
      const url = new URL(base)
      url.pathname = `${url.pathname.replace(/\/$/, '')}/api/v1/query`
      const asked = {
        query: given.query,
        time: new Date(world.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z'),
        ...(given.namespace === undefined ? {} : { namespace: given.namespace }),
        ...given.queryParameters,
      }
      for (const [name, value] of Object.entries(asked)) url.searchParams.append(name, value)
      const answer = successOf(await http.ask(url, { signal, headers: given.customHeaders ?? {} }), 'Prometheus')
      return promValue(jsonOf(answer, 'Prometheus'), given.ignoreNullValues)
    }
    return oneMetric(trigger, {
      ...{ tail: 'prometheus', target: given.threshold, activation: given.activationThreshold },
      read: sharedReading(trigger, world, ask),
      close: () => http[Symbol.asyncDispose](),
    })
  },
}

/** @throws AnswerError where there is no one number, but for what counts as 0 */
function promValue(answer: unknown, ignoresNull: boolean): number {
  const result = at(answer, 'data', 'result')
  if (!Array.isArray(result)) throw new AnswerError('Prometheus answered without a result')
  const nothing = (what: string): number => {
    if (ignoresNull) return 0
    throw new AnswerError(`prometheus metrics 'prometheus' target may be lost, ${what}`)
  }
  // A scalar and a text are a pair themselves, a vector is a list of series.
  const isPair = ['scalar', 'string'].includes(String(at(answer, 'data', 'resultType')))
  if (result.length === 0) {
    countEmpty(ignoresNull)
    return nothing('the result is empty')
  }
  if (!isPair && result.length > 1) throw new AnswerError('the query came to more than one element')
  const value = isPair ? result : listAt(result[0], 'value')
  if (value.length === 0) {
    countEmpty(ignoresNull)
    return nothing('the value list is empty')
  }
  const said = value[1]
  if (said === 'NaN' || said === '+Inf' || said === '-Inf' || said === 'Inf') return nothing(`the result is ${said}`)
  return numberOf(said, 'the result')
}
