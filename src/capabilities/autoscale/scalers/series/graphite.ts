// The newest number of a series of Graphite.
import { at } from '#kube/objects/object-fields.ts'
import { AnswerError } from '#kube/outside-error.ts'
import { defaulted, float, here, readParameters, required, text } from '../../triggers/parameters.ts'
import { authParameters, provenHttp } from '../http-auth.ts'
import { jsonOf, numberOf, successOf, urlOf } from '../outgoing.ts'
import { oneMetric, type ScalerKind } from '../scaler.ts'
import { sharedReading } from './shared-answers.ts'

const parameters = {
  serverAddress: required(text, here('address of the server, such as http://graphite.monitoring:8080')),
  query: required(text, here('a target that comes to one series')),
  queryTime: required(text, here('from when on, such as -5minutes')),
  threshold: defaulted(float, '100', here('amount aimed at')),
  activationThreshold: defaulted(float, '0', here('active above it')),
}

export const graphite: ScalerKind = {
  types: ['graphite'],
  about: 'the newest number of a series of Graphite',
  parameters: { ...parameters, ...authParameters },
  async open(trigger, world) {
    const given = readParameters(parameters, trigger.given, 'graphite')
    const { metadata, auth } = trigger.given
    // Older manifests name no mode: a user name means basic.
    const isBasic =
      readParameters(authParameters, trigger.given, 'graphite').authModes === undefined && auth['username'] !== undefined
    const proving = isBasic ? { ...trigger.given, metadata: { ...metadata, authModes: 'basic' } } : trigger.given
    const base = urlOf(given.serverAddress)
    const http = provenHttp(proving, 'graphite', world, { allowed: ['basic'] })
    const ask = async (signal: AbortSignal) => {
      const url = new URL(base)
      url.pathname = `${url.pathname.replace(/\/$/, '')}/render`
      for (const [name, value] of Object.entries({ from: given.queryTime, target: given.query, format: 'json' }))
        url.searchParams.append(name, value)
      return newestIn(jsonOf(successOf(await http.ask(url, { signal }), 'Graphite'), 'Graphite'))
    }
    return oneMetric(trigger, {
      ...{ tail: 'graphite', target: given.threshold, activation: given.activationThreshold },
      read: sharedReading(trigger, world, ask),
      close: () => http[Symbol.asyncDispose](),
    })
  },
}

/** No series, or one without points, is 0. */
function newestIn(answer: unknown): number {
  if (!Array.isArray(answer)) throw new AnswerError('Graphite answered without a list of series')
  if (answer.length === 0) return 0
  if (answer.length > 1) throw new AnswerError('the query came to several series')
  const points = at(answer[0], 'datapoints')
  if (!Array.isArray(points)) throw new AnswerError('Graphite answered with a series without datapoints')
  if (points.length === 0) return 0
  const newest = points.findLast((point): point is readonly unknown[] => Array.isArray(point) && point[0] !== null)
  if (newest === undefined)
    throw new AnswerError('no point of the series has a value: a longer queryTime, or another query, may have one')
  return numberOf(newest[0], 'the newest point')
}
