// How long a queue of RabbitMQ is, or how fast it fills, as its management API says; or how long it is, by AMQP.
import { at, listAt, numberAt } from '#kube/objects/object-fields.ts'
import { AnswerError } from '#kube/outside-error.ts'
import { queryEscaped } from '../triggers/metric-names.ts'
import {
  boolean,
  defaulted,
  duration,
  float,
  here,
  hereOrSecret,
  hereSecretOrEnv,
  integer,
  oneOf,
  optional,
  readParameters,
  required,
  secret,
  secretOrEnv,
  TriggerProblem,
  text,
} from '../triggers/parameters.ts'
import { authParameters, provenHttp } from './http-auth.ts'
import { KeptConnection } from './kept-connection.ts'
import { jsonOf, numberOf, successOf, urlOf } from './outgoing.ts'
import { AmqpSession, amqpPlace } from './rabbitmq-amqp.ts'
import { type OpenedTrigger, oneMetric, type Scaler, type ScalerKind, type ScalerWorld } from './scaler.ts'

const modes = [
  'QueueLength',
  'MessageRate',
  'DeliverGetRate',
  'PublishedToDeliveredRatio',
  'ExpectedQueueConsumptionTime',
] as const
type Mode = (typeof modes)[number]

const parameters = {
  host: required(text, hereSecretOrEnv('http://user:password@host:15672/vhost, or amqp://user:password@host:5672/vhost')),
  queueName: required(text, here('the queue; with useRegex an expression')),
  mode: optional(oneOf(...modes), here('what is measured; without it and value a length of 20')),
  value: optional(float, here('amount aimed at')),
  queueLength: optional(float, here('older name of mode QueueLength with value')),
  activationValue: defaulted(float, '0', here('active above it')),
  protocol: defaulted(oneOf('auto', 'http', 'amqp'), 'auto', hereOrSecret('how the host is asked; auto says it by the scheme')),
  vhostName: optional(text, hereOrSecret('in place of the one in host')),
  useRegex: defaulted(boolean, 'false', here('queueName is an expression, which RabbitMQ reads')),
  pageSize: defaulted(integer, '100', here('queues that an expression may find at most')),
  operation: defaulted(oneOf('sum', 'avg', 'max'), 'sum', here('of several queues')),
  excludeUnacknowledged: defaulted(boolean, 'false', here('messages that consumers hold do not count')),
  timeout: optional(duration, here('of one request')),
  unsafeSsl: defaulted(boolean, 'false', here('certificates are not checked')),
  username: optional(text, secretOrEnv('in place of the one in host')),
  password: optional(text, secretOrEnv('in place of the one in host')),
  tls: defaulted(oneOf('enable', 'disable'), 'disable', secret('certificate and key are shown to the server')),
  ca: optional(text, secret('whom we trust, PEM')),
  cert: optional(text, secret('PEM')),
  key: optional(text, secret('PEM')),
  keyPassword: optional(text, secret('of the key')),
}

const standardLength = 20

export const rabbitmq: ScalerKind = {
  types: ['rabbitmq'],
  about: 'length or rate of a queue of RabbitMQ by its management API, or its length by AMQP',
  parameters: { ...authParameters, ...parameters },
  async open(trigger, world) {
    const given = readParameters(parameters, trigger.given, 'rabbitmq')
    const { mode, value } = modeOf(given)
    const isAmqp = protocolOf(given) === 'amqp'
    const { username, password } = given
    if ((username === undefined) !== (password === undefined))
      throw new TriggerProblem('username and password must be given together')
    if (isAmqp) return overAmqp(trigger, world, given, mode, value)
    const url = urlFor(given)
    if (username !== undefined) {
      url.username = encodeURIComponent(username)
      url.password = encodeURIComponent(password ?? '')
    }
    const { auth } = trigger.given
    const hasOauth = auth['oauthTokenURI'] !== undefined || auth['clientID'] !== undefined
    if (hasOauth && username !== undefined)
      throw new TriggerProblem('OAuth2 authentication cannot be combined with username/password authentication')
    // Older manifests do not say the mode: it follows from what is given.
    const inferred = [...(hasOauth ? ['oauth'] : []), ...(given.tls === 'enable' && auth['cert'] !== undefined ? ['tls'] : [])]
    const proving = { ...trigger.given, metadata: { ...trigger.given.metadata, authModes: inferred.join(',') } }
    const http = provenHttp(proving, 'rabbitmq', world, { isInsecure: given.unsafeSsl, timeoutMs: given.timeout })
    const read = async (signal: AbortSignal) => {
      const answer = jsonOf(successOf(await http.ask(url, { signal }), 'RabbitMQ'), 'RabbitMQ')
      return measured(mode, joined(given.useRegex ? queuesIn(answer) : [answer], given), given.activationValue)
    }
    return oneMetric(trigger, {
      ...{ tail: `rabbitmq-${queryEscaped(given.queueName)}`, target: value, activation: given.activationValue, read },
      close: () => http[Symbol.asyncDispose](),
    })
  },
}

type Given = ReturnType<typeof readParameters<typeof parameters>>

function modeOf({ mode, value = 0, queueLength = 0 }: Given): { readonly mode: Mode; readonly value: number } {
  if (queueLength !== 0) {
    if (mode !== undefined || value !== 0) throw new TriggerProblem('queueLength is deprecated; use mode and value')
    return { mode: 'QueueLength', value: queueLength }
  }
  if (mode === undefined && value === 0) return { mode: 'QueueLength', value: standardLength }
  if (mode === undefined) throw new TriggerProblem('mode must be specified')
  if (value === 0) throw new TriggerProblem('value must be specified')
  return { mode, value }
}

function protocolOf({ host, protocol, pageSize }: Given): 'http' | 'amqp' {
  if (pageSize < 1) throw new TriggerProblem('pageSize should be 1 or greater')
  if (protocol === 'amqp') return 'amqp'
  if (!URL.canParse(host)) throw new TriggerProblem("can't parse host to find protocol")
  const scheme = new URL(host).protocol
  if (protocol === 'auto' && (scheme === 'amqp:' || scheme === 'amqps:')) return 'amqp'
  if (scheme !== 'http:' && scheme !== 'https:') throw new TriggerProblem(`unknown host URL scheme: ${scheme.slice(0, 20)}`)
  return 'http'
}

/** Only how many messages are ready can be asked so. */
function overAmqp(trigger: OpenedTrigger, { clock, outgoing }: ScalerWorld, given: Given, mode: Mode, target: number): Scaler {
  const { queueName, activationValue, ca, cert, key, keyPassword, unsafeSsl } = given
  const { auth } = trigger.given
  if (auth['oauthTokenURI'] !== undefined || auth['clientID'] !== undefined || auth['clientSecret'] !== undefined)
    throw new TriggerProblem('OAuth2 authentication is only supported with HTTP protocol, not AMQP')
  if (given.useRegex) throw new TriggerProblem('configure useRegex=true only with HTTP protocol')
  if (given.excludeUnacknowledged) throw new TriggerProblem('configure excludeUnacknowledged=true only with HTTP protocol')
  if (mode !== 'QueueLength') throw new TriggerProblem(`protocol amqp not supported; must be HTTP to use trigger mode ${mode}`)
  if (given.mode !== undefined && given.timeout !== undefined && given.timeout !== 0)
    throw new TriggerProblem("AMQP protocol doesn't support custom timeouts")
  if ((cert === undefined) !== (key === undefined)) throw new TriggerProblem('both key and certificate must be provided')
  if (Buffer.byteLength(queueName) > 255) throw new TriggerProblem('queueName is longer than 255 bytes')
  const own = { authority: ca, certificate: cert, key, passphrase: keyPassword, isInsecure: unsafeSsl }
  const tls = given.tls === 'enable' ? own : undefined
  const place = amqpPlace({ ...given, tls }, `keda-${trigger.owner.namespace}-${trigger.owner.name}`)
  const kept = new KeptConnection({ clock, outgoing, who: 'RabbitMQ', open: signal => AmqpSession.open(place, outgoing, signal) })
  return oneMetric(trigger, {
    ...{ tail: `rabbitmq-${queryEscaped(queueName)}`, target, activation: activationValue },
    read: signal => kept.ask(session => session.messagesOf(queueName), signal),
    close: async () => kept[Symbol.dispose](),
  })
}

/** `/api/queues/<vhost>/<queue>` below what the host has before its last part, which is the vhost. */
function urlFor({ host, vhostName, queueName, useRegex, pageSize }: Given): URL {
  const url = urlOf(host)
  const parts = url.pathname.split('/').filter(part => part !== '')
  const last = parts.pop()
  const vhost = vhostName === undefined ? (last ?? '%2F') : encodeURIComponent(vhostName)
  const before = parts.map(part => `/${part}`).join('')
  url.pathname = `${before}/api/queues/${vhost}${useRegex ? '' : `/${encodeURIComponent(queueName)}`}`
  const paging = { page: '1', use_regex: 'true', pagination: 'false', name: queueName, page_size: String(pageSize) }
  url.search = useRegex ? new URLSearchParams(paging).toString() : ''
  return url
}

function queuesIn(answer: unknown): readonly unknown[] {
  const pages = numberAt(answer, 'page_count')
  if (pages !== undefined && pages > 1) throw new AnswerError('regex matches more queues than can be recovered at once')
  if (!Array.isArray(at(answer, 'items'))) throw new AnswerError('RabbitMQ answered without queues')
  return listAt(answer, 'items')
}

interface Queue {
  readonly messages: number
  readonly published: number
  readonly delivered: number
}

function joined(queues: readonly unknown[], { excludeUnacknowledged, operation }: Given): Queue {
  const counted = excludeUnacknowledged ? 'messages_ready' : 'messages'
  const rate = (queue: unknown, name: string) => numberAt(queue, 'message_stats', name, 'rate') ?? 0
  const each = queues.map(queue => ({
    messages: numberOf(at(queue, counted), counted),
    published: rate(queue, 'publish_details'),
    delivered: rate(queue, 'deliver_get_details'),
  }))
  const over = (field: keyof Queue): number => {
    const values = each.map(queue => queue[field])
    if (operation === 'max') return Math.max(0, ...values)
    const sum = values.reduce((all, one) => all + one, 0)
    if (operation === 'sum' || values.length === 0) return sum
    return field === 'messages' ? Math.trunc(sum / values.length) : sum / values.length
  }
  return { messages: over('messages'), published: over('published'), delivered: over('delivered') }
}

function measured(mode: Mode, { messages, published, delivered }: Queue, activation: number) {
  switch (mode) {
    case 'QueueLength':
      return messages
    case 'MessageRate':
      return { value: published, isActive: published > activation || messages > activation }
    case 'DeliverGetRate':
      return delivered
    case 'PublishedToDeliveredRatio': {
      const isStuck = published > 0 && delivered === 0
      const value = isStuck ? activation : published > 0 ? published / delivered : 0
      return { value, isActive: value > activation || isStuck }
    }
    case 'ExpectedQueueConsumptionTime': {
      const isStuck = messages > 0 && delivered === 0
      const value = messages === 0 ? 0 : isStuck ? activation : (published - delivered + messages) / delivered
      return { value, isActive: value > activation || isStuck }
    }
  }
}
