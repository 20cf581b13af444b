// How many messages wait in a channel of NSQ, over all servers that have its topic.
import { at, listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import { AnswerError } from '#kube/outside-error.ts'
import {
  boolean,
  defaulted,
  hereOrEnv,
  integer,
  listOf,
  readParameters,
  required,
  TriggerProblem,
  text,
} from '../triggers/parameters.ts'
import { jsonOf, numberOf, type SourceHttp, urlOf } from './outgoing.ts'
import { oneMetric, type ScalerKind } from './scaler.ts'

const parameters = {
  nsqLookupdHTTPAddresses: required(listOf(text), hereOrEnv('host:port of servers of nsqlookupd, between commas')),
  topic: required(text, hereOrEnv('the topic')),
  channel: required(text, hereOrEnv('the channel; where a server has not got it, the topic counts')),
  depthThreshold: defaulted(integer, '10', hereOrEnv('amount aimed at')),
  activationDepthThreshold: defaulted(integer, '0', hereOrEnv('active above it')),
  useHttps: defaulted(boolean, 'false', hereOrEnv('the servers speak TLS')),
  unsafeSsl: defaulted(boolean, 'false', hereOrEnv('certificates are not checked')),
}

type Given = ReturnType<typeof readParameters<typeof parameters>>

/** Servers of one kind that are asked. */
const mostServers = 64

export const nsq: ScalerKind = {
  types: ['nsq'],
  about: 'messages that wait in a channel of NSQ',
  parameters,
  async open(trigger, { outgoing }) {
    const given = readParameters(parameters, trigger.given, 'nsq')
    const { topic, channel, nsqLookupdHTTPAddresses: places } = given
    if (given.depthThreshold <= 0) throw new TriggerProblem('depthThreshold must be a positive integer')
    if (given.activationDepthThreshold < 0)
      throw new TriggerProblem('activationDepthThreshold must be greater than or equal to 0')
    if (places.length > mostServers) throw new TriggerProblem(`nsqLookupdHTTPAddresses: at most ${mostServers} servers`)
    for (const place of places) placeUrl(place, '', given)
    const http = outgoing.http({ isInsecure: given.unsafeSsl })
    return oneMetric(trigger, {
      ...{ tail: `nsq-${topic}-${channel}`, target: given.depthThreshold, activation: given.activationDepthThreshold },
      async read(signal) {
        const found = await Promise.all(places.map(place => producersAt(http, place, given, signal)))
        const servers = [...new Set(found.flat())]
        if (servers.length > mostServers)
          throw new AnswerError(`${servers.length} servers of NSQ have the topic, of at most ${mostServers}`)
        const depths = await Promise.all(servers.map(server => depthAt(http, server, given, signal)))
        return depths.reduce((sum, depth) => sum + depth, 0)
      },
      close: () => http[Symbol.asyncDispose](),
    })
  },
}

function placeUrl(place: string, path: string, { useHttps }: Given): URL {
  return new URL(path, urlOf(`${useHttps ? 'https' : 'http'}://${place}`))
}

/** None where that server does not know the topic: another may. */
async function producersAt(http: SourceHttp, place: string, given: Given, signal: AbortSignal): Promise<readonly string[]> {
  const url = placeUrl(place, '/lookup', given)
  url.searchParams.set('topic', given.topic)
  const answer = await http.ask(url, { signal, headers: { accept: 'application/json; charset=utf-8' } })
  if (answer.status === 404) return []
  if (answer.status !== 200) throw new AnswerError(`nsqlookupd answered with status ${answer.status}`)
  const producers = at(jsonOf(answer, 'nsqlookupd'), 'producers')
  if (!Array.isArray(producers)) throw new AnswerError('nsqlookupd answered without producers')
  return producers.map(one => {
    const [host, port] = [textAt(one, 'broadcast_address'), numberAt(one, 'http_port')]
    if (host === undefined || port === undefined) throw new AnswerError('nsqlookupd answered without the address of a producer')
    return `${host.includes(':') ? `[${host}]` : host}:${port}`
  })
}

async function depthAt(http: SourceHttp, place: string, given: Given, signal: AbortSignal): Promise<number> {
  const url = placeUrl(place, '/stats', given)
  const asked = { format: 'json', include_clients: 'false', include_mem: 'false', topic: given.topic }
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value)
  const answer = await http.ask(url, { signal })
  if (answer.status !== 200) throw new AnswerError(`nsqd answered with status ${answer.status}`)
  const topics = at(jsonOf(answer, 'nsqd'), 'topics')
  if (!Array.isArray(topics)) throw new AnswerError('nsqd answered without topics')
  return topics
    .filter(topic => textAt(topic, 'topic_name') === given.topic)
    .map(topic => {
      const channel = listAt(topic, 'channels').find(one => textAt(one, 'channel_name') === given.channel)
      // Nobody has asked for messages of the channel yet: those of the topic are to be its own.
      if (channel === undefined) return numberOf(at(topic, 'depth'), 'depth of the topic')
      return at(channel, 'paused') === true ? 0 : numberOf(at(channel, 'depth'), 'depth of the channel')
    })
    .reduce((sum, depth) => sum + depth, 0)
}
