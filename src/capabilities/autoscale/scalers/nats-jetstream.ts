// What a consumer of NATS JetStream has not done, as the monitoring port of the server that leads it says.
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import { AnswerError } from '#kube/outside-error.ts'
import {
  boolean,
  defaulted,
  here,
  integer,
  optional,
  readParameters,
  required,
  secretOrHere,
  TriggerProblem,
  text,
} from '../triggers/parameters.ts'
import { jsonOf, numberOf, type SourceHttp, successOf, urlOf } from './outgoing.ts'
import { oneMetric, type ScalerKind } from './scaler.ts'

const parameters = {
  natsServerMonitoringEndpoint: required(text, secretOrHere('host:port of the monitoring port')),
  account: optional(text, secretOrHere('name of the account')),
  accountID: optional(text, secretOrHere('its key, where the name is not enough')),
  stream: required(text, here('the stream')),
  consumer: required(text, here('the consumer')),
  lagThreshold: defaulted(integer, '10', here('amount aimed at')),
  activationLagThreshold: defaulted(integer, '0', here('active above it')),
  useHttps: defaulted(boolean, 'false', here('the monitoring port speaks TLS')),
}

/** Servers of one cluster that are asked for the one that leads. */
const mostServers = 32

interface Wanted {
  readonly base: URL
  readonly account: string | undefined
  readonly accountId: string
  readonly stream: string
  readonly consumer: string
}

export const natsJetStream: ScalerKind = {
  types: ['nats-jetstream'],
  about: 'messages that a consumer of NATS JetStream has not done',
  parameters,
  async open(trigger, { outgoing }) {
    const given = readParameters(parameters, trigger.given, 'nats-jetstream')
    const { account, stream, consumer } = given
    const accountId = given.accountID ?? account
    if (accountId === undefined) throw new TriggerProblem('no account name or id given')
    const base = urlOf(`${given.useHttps ? 'https' : 'http'}://${given.natsServerMonitoringEndpoint}`)
    const http = outgoing.http({})
    const wanted: Wanted = { base, account, accountId, stream, consumer }
    return oneMetric(trigger, {
      ...{ tail: `nats-jetstream-${stream}`, target: given.lagThreshold, activation: given.activationLagThreshold },
      read: signal => lagOf(http, wanted, signal),
      close: () => http[Symbol.asyncDispose](),
    })
  },
}

/** Only the server that leads a consumer knows what it has not done. */
async function lagOf(http: SourceHttp, wanted: Wanted, signal: AbortSignal): Promise<number> {
  const { base, consumer, stream } = wanted
  const first = await consumerAt(http, base, wanted, signal)
  if (first.clusterSize <= 1) return lagIn(first.consumer, wanted)
  const info = await serverInfo(http, base, signal)
  const leader = textAt(first.consumer, 'cluster', 'leader')
  if (leader !== undefined && leader === textAt(info, 'server_name')) return lagIn(first.consumer, wanted)
  const advertised = listAt(info, 'connect_urls').map(String)
  const places = advertised.length > 0 ? advertised : listAt(info, 'cluster', 'urls').map(String)
  for (const place of places.slice(0, mostServers)) {
    const host = place.replace(/:\d+$/, '')
    const url = new URL(base)
    // What is not advertised is a pod of the StatefulSet, found by its name before that of the Service.
    url.hostname = advertised.length > 0 ? host : `${host.split('.')[0]}.${base.hostname}`
    const name = advertised.length > 0 ? textAt(await serverInfo(http, url, signal), 'server_name') : host.split('.')[0]
    const found = await consumerAt(http, url, wanted, signal)
    if (name !== undefined && textAt(found.consumer, 'cluster', 'leader') === name) return lagIn(found.consumer, wanted)
  }
  throw new AnswerError(`leader node not found for consumer ${consumer} of stream ${stream}`)
}

async function serverInfo(http: SourceHttp, base: URL, signal: AbortSignal): Promise<unknown> {
  return jsonOf(successOf(await http.ask(new URL('/varz', base), { signal }), 'NATS'), 'NATS')
}

async function consumerAt(http: SourceHttp, base: URL, { account, accountId, stream, consumer }: Wanted, signal: AbortSignal) {
  const url = new URL('/jsz', base)
  for (const [name, value] of Object.entries({ acc: accountId, consumers: 'true', config: 'true' }))
    url.searchParams.set(name, value)
  const answer = jsonOf(successOf(await http.ask(url, { signal }), 'NATS'), 'NATS')
  const found = listAt(answer, 'account_details')
    .filter(one => textAt(one, 'id') === accountId || (account !== undefined && textAt(one, 'name') === account))
    .flatMap(one => listAt(one, 'stream_detail'))
    .filter(one => textAt(one, 'name') === stream)
    .flatMap(one => listAt(one, 'consumer_detail'))
    .find(one => textAt(one, 'name') === consumer)
  const size = at(answer, 'meta_cluster', 'cluster_size')
  return { consumer: found, clusterSize: typeof size === 'number' ? size : 0 }
}

function lagIn(found: unknown, { consumer, stream }: Wanted): number {
  if (found === undefined)
    throw new AnswerError(`consumer ${JSON.stringify(consumer)} not found in stream ${JSON.stringify(stream)}`)
  return numberOf(at(found, 'num_pending'), 'num_pending') + numberOf(at(found, 'num_ack_pending'), 'num_ack_pending')
}
