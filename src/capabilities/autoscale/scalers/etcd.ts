// The number that a key of etcd has: read when it is asked for, and told whenever it changes.
import { AnswerError, OutsideError } from '#kube/outside-error.ts'
import {
  defaulted,
  float,
  here,
  integer,
  listOf,
  oneOf,
  optional,
  readParameters,
  required,
  secret,
  secretOrEnv,
  TriggerProblem,
  text,
} from '../triggers/parameters.ts'
import { etcdApi } from './etcd-api.ts'
import { type GrpcSource, grpcAddress, grpcPoolOf, grpcTls, NotProven } from './external/grpc-source.ts'
import { numberOf } from './outgoing.ts'
import { oneMetric, type ScalerKind, type ScalerWorld, targetType } from './scaler.ts'

const parameters = {
  endpoints: required(listOf(text), here('host:port of its servers, between commas')),
  watchKey: required(text, here('the key')),
  value: required(float, here('amount aimed at')),
  activationValue: defaulted(float, '0', here('active above it')),
  watchProgressNotifyInterval: defaulted(
    integer,
    '600',
    here('seconds, as etcd is told; silent for twice as long, it is asked anew'),
  ),
  username: optional(text, secretOrEnv('of the user')),
  password: optional(text, secretOrEnv('of the user')),
  tls: defaulted(oneOf('enable', 'disable'), 'disable', secret('whether its servers speak TLS')),
  cert: optional(text, secret('PEM')),
  key: optional(text, secret('PEM')),
  keyPassword: optional(text, secret('of the key')),
  ca: optional(text, secret('whom we trust, PEM')),
}

/** Servers of one cluster. */
const mostEndpoints = 16

type Given = ReturnType<typeof readParameters<typeof parameters>>

export const etcd: ScalerKind = {
  types: ['etcd'],
  about: 'the number that a key of etcd has',
  parameters,
  async open(trigger, world) {
    const given = checked(readParameters(parameters, trigger.given, 'etcd'))
    // Before anything is taken that would have to be given back.
    targetType(trigger)
    const tls = given.tls === 'disable' ? undefined : grpcTls(given)
    const pool = grpcPoolOf(world)
    const leases = given.endpoints
      .map(written => {
        const bare = written.replace(/^https?:\/\//, '')
        const isSecure = tls !== undefined || written.startsWith('https://')
        return { ...grpcAddress(bare, isSecure ? (tls ?? {}) : undefined, 'endpoints'), who: 'etcd' }
      })
      .map(address => pool.take(address))
    const cluster = new EtcdCluster(
      leases.map(({ source }) => source),
      given,
      world,
    )
    return {
      ...oneMetric(trigger, {
        ...{ tail: `etcd-${given.watchKey}`, target: given.value, activation: given.activationValue },
        read: signal => cluster.value(signal),
        close: async () => {
          for (const lease of leases) lease[Symbol.dispose]()
        },
      }),
      pushes: signal => cluster.changes(signal),
    }
  },
}

function checked(given: Given): Given {
  const refuse = (message: string): never => {
    throw new TriggerProblem(message)
  }
  const { endpoints, watchProgressNotifyInterval, tls, cert, key, username, password } = given
  if (endpoints.length > mostEndpoints) refuse(`endpoints: at most ${mostEndpoints} servers`)
  if (watchProgressNotifyInterval <= 0) refuse('watchProgressNotifyInterval must be greater than 0')
  if (tls === 'enable' && cert === undefined && key !== undefined) refuse('cert must be provided with key')
  if (tls === 'enable' && key === undefined && cert !== undefined) refuse('key must be provided with cert')
  if (password !== undefined && username === undefined) refuse('username must be provided with password')
  if (username !== undefined && password === undefined) refuse('password must be provided with username')
  return given
}

class EtcdCluster {
  readonly #sources: readonly GrpcSource[]
  readonly #given: Given
  readonly #clock: ScalerWorld['clock']
  /** The server that answered last. */
  #first = 0
  #token: string | undefined

  constructor(sources: readonly GrpcSource[], given: Given, { clock }: ScalerWorld) {
    this.#sources = sources
    this.#given = given
    this.#clock = clock
  }

  /** @throws AnswerError; OutsideError; `signal.reason` */
  async value(signal: AbortSignal): Promise<number> {
    const { watchKey } = this.#given
    let failure: unknown
    for (let time = 0; time < this.#sources.length; time++) {
      const place = (this.#first + time) % this.#sources.length
      try {
        const { kvs } = await this.#proven(place, signal, (source, headers) =>
          source.call(etcdApi.range, { key: watchKey, limit: 1 }, signal, headers),
        )
        this.#first = place
        if (kvs[0] === undefined) throw new AnswerError(`watchKey ${watchKey} doesn't exist`)
        return numberOf(kvs[0].value, `the value of ${watchKey}`)
      } catch (error) {
        signal.throwIfAborted()
        // Nothing that another server knows better.
        if (error instanceof AnswerError || error instanceof NotProven) throw error
        failure = error
      }
    }
    throw failure
  }

  /** Whether it is active, at each change; what is no number counts as 0 here. @throws OutsideError whenever it ends; `signal.reason` */
  async *changes(signal: AbortSignal): AsyncGenerator<boolean, never, undefined> {
    const { watchKey, activationValue, watchProgressNotifyInterval } = this.#given
    const silentMs = watchProgressNotifyInterval * 2 * 1_000
    const place = this.#first
    const silence = new AbortController()
    let stopTimer: (() => void) | undefined
    const heard = () => {
      stopTimer?.()
      stopTimer = this.#clock.schedule(silentMs, () =>
        silence.abort(new OutsideError(`etcd said nothing for ${silentMs / 1_000} s`)),
      )
    }
    try {
      const stream = await this.#proven(place, signal, async (source, headers) =>
        source.stream(
          etcdApi.watch,
          { createRequest: { key: watchKey, progressNotify: true } },
          AbortSignal.any([signal, silence.signal]),
          { headers: { ...headers, hasleader: 'true' }, isTwoWay: true },
        ),
      )
      heard()
      for await (const { isCanceled, cancelReason, compactRevision, events } of stream) {
        heard()
        if (isCanceled || compactRevision > 0)
          throw new OutsideError(`etcd ended the watch: ${cancelReason || 'no reason given'}`)
        for (const { kv } of events) {
          const value = Number(kv?.value.trim() || '0')
          yield (Number.isNaN(value) ? 0 : value) > activationValue
        }
      }
      throw new OutsideError('the watch ended')
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof NotProven) this.#token = undefined
      // Another server is watched next.
      else this.#first = (place + 1) % this.#sources.length
      throw error
    } finally {
      stopTimer?.()
    }
  }

  /** Asks with a token where there is a user: an old one is renewed once. */
  async #proven<T>(
    place: number,
    signal: AbortSignal,
    ask: (source: GrpcSource, headers: Readonly<Record<string, string>>) => Promise<T>,
  ): Promise<T> {
    const source = this.#sources[place]
    if (source === undefined) throw new OutsideError('no endpoint of etcd is given')
    const { username, password } = this.#given
    if (username === undefined || password === undefined) return await ask(source, {})
    const login = async () => {
      const { token } = await source.call(etcdApi.authenticate, { name: username, password }, signal)
      this.#token = token
      return { token }
    }
    if (this.#token === undefined) return await ask(source, await login())
    try {
      return await ask(source, { token: this.#token })
    } catch (error) {
      if (!(error instanceof NotProven)) throw error
      this.#token = undefined
      return await ask(source, await login())
    }
  }
}
