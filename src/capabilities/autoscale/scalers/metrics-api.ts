// A number in what any HTTP server answers, or in what each pod of a Service answers.
import { messageOf } from '#kube/log.ts'
import { AnswerError } from '#kube/outside-error.ts'
import {
  boolean,
  defaulted,
  duration,
  float,
  here,
  oneOf,
  optional,
  readParameters,
  required,
  TriggerProblem,
  text,
} from '../triggers/parameters.ts'
import { authParameters, provenHttp } from './http-auth.ts'
import { jsonPath } from './json-path.ts'
import { locatedValue, selectorOf } from './located-value.ts'
import { urlOf } from './outgoing.ts'
import { type OpenedTrigger, oneMetric, type ScalerKind, type ScalerWorld } from './scaler.ts'

const parameters = {
  targetValue: optional(float, here('amount aimed at; not 0')),
  activationTargetValue: defaulted(float, '0', here('active above it')),
  url: required(text, here('what is asked for; with aggregateFromKubeServiceEndpoints its host begins with service.namespace')),
  format: defaulted(oneOf('prometheus', 'json', 'xml', 'yaml'), 'json', here('of the answer')),
  valueLocation: required(text, here('a path of gjson, names between dots for xml and yaml, a selector for prometheus')),
  unsafeSsl: defaulted(boolean, 'false', here('certificates are not checked')),
  aggregateFromKubeServiceEndpoints: defaulted(boolean, 'false', here('each ready endpoint of the Service is asked')),
  aggregationType: defaulted(oneOf('average', 'sum', 'max', 'min'), 'average', here('of what endpoints answer')),
  timeout: optional(duration, here('of one request')),
}

/** Endpoints asked at once. */
const askedAtOnce = 5

export const metricsApi: ScalerKind = {
  types: ['metrics-api'],
  about: 'a number in what an HTTP server answers',
  parameters: { ...parameters, ...authParameters },
  async open(trigger, world) {
    const given = readParameters(parameters, trigger.given, 'metrics-api')
    const { format, valueLocation, targetValue = 0 } = given
    if (targetValue === 0) throw new TriggerProblem('no targetValue given in metadata')
    if (format === 'json') jsonPath(valueLocation)
    if (format === 'prometheus') selectorOf(valueLocation)
    const url = urlOf(given.url)
    if (given.aggregateFromKubeServiceEndpoints) serviceOf(url)
    const http = provenHttp(trigger.given, 'metrics-api', world, {
      ...{ allowed: ['apiKey', 'basic', 'tls', 'bearer'], isInsecure: given.unsafeSsl, timeoutMs: given.timeout },
    })
    const readFrom = async (from: URL, signal: AbortSignal) => {
      const { status, body } = await http.ask(from, { signal })
      if (status !== 200) throw new AnswerError(`${from.pathname}: api returned ${status}`)
      return await locatedValue(body.toString(), valueLocation, format)
    }
    const read = async (signal: AbortSignal) => {
      if (!given.aggregateFromKubeServiceEndpoints) return await readFrom(url, signal)
      const urls = await endpointUrls(url, trigger, world, signal)
      return await joined(urls, from => readFrom(from, signal), given.aggregationType, signal)
    }
    return oneMetric(trigger, {
      ...{ tail: `metric-api-${valueLocation}`, target: targetValue, activation: given.activationTargetValue, read },
      close: () => http[Symbol.asyncDispose](),
    })
  },
}

function serviceOf(url: URL): { readonly service: string; readonly namespace: string } {
  const [service, namespace] = url.hostname.split('.')
  if (service === undefined || namespace === undefined || service === '' || namespace === '')
    throw new TriggerProblem(`invalid hostname ${url.hostname}: expected service.namespace`)
  return { service, namespace }
}

async function endpointUrls(
  url: URL,
  { owner }: OpenedTrigger,
  { cluster, log }: ScalerWorld,
  signal: AbortSignal,
): Promise<readonly URL[]> {
  const { service, namespace } = serviceOf(url)
  const wanted = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
  const found = new Map<string, URL>()
  for (const { address, ports } of await cluster.endpoints(namespace, service, signal)) {
    if (found.has(address)) continue
    const one = new URL(url)
    one.hostname = address.includes(':') ? `[${address}]` : address
    if (!ports.includes(wanted)) {
      one.port = ''
      log.debug(
        { namespace: owner.namespace, name: owner.name, service, port: wanted },
        'no endpoint of the Service has the port',
      )
    }
    found.set(address, one)
  }
  if (found.size === 0) throw new AnswerError(`the Service ${namespace}/${service} has no ready endpoint`)
  return [...found.values()]
}

/** Those that fail are left out; all failing is an error. */
async function joined(
  urls: readonly URL[],
  readFrom: (url: URL) => Promise<number>,
  how: 'average' | 'sum' | 'max' | 'min',
  signal: AbortSignal,
): Promise<number> {
  const values: number[] = []
  const waiting = [...urls]
  let failure: unknown
  const lane = async () => {
    for (let url = waiting.shift(); url !== undefined; url = waiting.shift()) {
      try {
        values.push(await readFrom(url))
      } catch (error) {
        signal.throwIfAborted()
        failure = error
      }
    }
  }
  await Promise.all(Array.from({ length: askedAtOnce }, lane))
  if (values.length === 0)
    throw new AnswerError(`could not get any metric from the ${urls.length} endpoints, the last: ${messageOf(failure)}`)
  const sum = values.reduce((all, one) => all + one, 0)
  return { average: sum / values.length, sum, max: Math.max(...values), min: Math.min(...values) }[how]
}
