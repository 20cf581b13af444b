// How many messages a queue of ActiveMQ has, as the broker's Jolokia says.
import { at } from '#kube/objects/object-fields.ts'
import { AnswerError } from '#kube/outside-error.ts'
import {
  defaulted,
  here,
  hereSecretOrEnv,
  integer,
  optional,
  readParameters,
  required,
  secretEnvOrHere,
  TriggerProblem,
  text,
} from '../triggers/parameters.ts'
import { decoded, jsonOf, numberOf, successOf, urlOf } from './outgoing.ts'
import { oneMetric, type ScalerKind } from './scaler.ts'

const parameters = {
  managementEndpoint: optional(text, hereSecretOrEnv('host:port of the console')),
  destinationName: optional(text, here('the queue')),
  brokerName: optional(text, here('the broker')),
  restAPITemplate: optional(text, here('the whole address, in place of these three')),
  username: required(text, secretEnvOrHere('of the console')),
  password: required(text, secretEnvOrHere('of the console')),
  corsHeader: optional(text, here('sent as Origin; http:// and the endpoint')),
  targetQueueSize: defaulted(integer, '10', here('amount aimed at')),
  activationTargetQueueSize: defaulted(integer, '0', here('active above it')),
}

interface Queue {
  readonly url: URL
  readonly endpoint: string
  readonly destination: string
}

export const activemq: ScalerKind = {
  types: ['activemq'],
  about: 'messages in a queue of ActiveMQ',
  parameters,
  async open(trigger, { outgoing }) {
    const given = readParameters(parameters, trigger.given, 'activemq')
    const { url, endpoint, destination } = queueOf(given)
    const http = outgoing.http({})
    const headers = {
      authorization: `Basic ${Buffer.from(`${given.username}:${given.password}`).toString('base64')}`,
      'content-type': 'application/json',
      origin: given.corsHeader ?? `http://${endpoint}`,
    }
    const read = async (signal: AbortSignal) => {
      const answer = jsonOf(successOf(await http.ask(url, { signal, headers }), 'ActiveMQ'), 'ActiveMQ')
      const status = at(answer, 'status')
      if (status !== 200)
        throw new AnswerError(`ActiveMQ answered without the queue: its status is ${numberOf(status, 'status')}`)
      return numberOf(at(answer, 'value'), 'value')
    }
    return oneMetric(trigger, {
      ...{ tail: `activemq-${destination}`, target: given.targetQueueSize, activation: given.activationTargetQueueSize, read },
      close: () => http[Symbol.asyncDispose](),
    })
  },
}

type Given = ReturnType<typeof readParameters<typeof parameters>>

function queueOf({ restAPITemplate, managementEndpoint, destinationName, brokerName }: Given): Queue {
  if (restAPITemplate !== undefined) return queueAt(restAPITemplate)
  if (managementEndpoint === undefined) throw new TriggerProblem('no management endpoint given')
  if (destinationName === undefined) throw new TriggerProblem('no destination name given')
  if (brokerName === undefined) throw new TriggerProblem('no broker name given')
  const bean = `org.apache.activemq:type=Broker,brokerName=${brokerName},destinationType=Queue,destinationName=${destinationName}`
  return {
    url: urlOf(`http://${managementEndpoint}/api/jolokia/read/${bean}/QueueSize`),
    endpoint: managementEndpoint,
    destination: destinationName,
  }
}

/** The names are in what the address says of the queue: `…:type=Broker,brokerName=a,destinationType=Queue,destinationName=b/QueueSize`. */
function queueAt(written: string): Queue {
  const url = urlOf(written)
  const [, bean = ''] = url.pathname.split(':')
  const said = new Map(
    (bean.split('/')[0] ?? '').split(',').map(pair => {
      const [name = '', ...value] = pair.split('=')
      return [name, decoded(value.join('='), 'restAPITemplate')]
    }),
  )
  const named = (name: string): string => {
    const found = said.get(name) ?? ''
    if (found === '')
      throw new TriggerProblem(
        `no ${name} in restAPITemplate: expected …:type=Broker,brokerName=a,destinationType=Queue,destinationName=b/QueueSize`,
      )
    return found
  }
  named('brokerName')
  return { url, endpoint: url.host, destination: named('destinationName') }
}
