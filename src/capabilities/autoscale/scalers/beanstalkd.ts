// Jobs that wait or are worked on in a tube of beanstalkd.
import { AnswerError } from '#kube/outside-error.ts'
import { queryEscaped } from '../triggers/metric-names.ts'
import {
  boolean,
  defaulted,
  duration,
  float,
  here,
  optional,
  readParameters,
  required,
  TriggerProblem,
  text,
} from '../triggers/parameters.ts'
import { ByteStream, type StreamPlace } from './byte-stream.ts'
import { KeptConnection, type OpenConnection } from './kept-connection.ts'
import type { Outgoing } from './outgoing.ts'
import { oneMetric, type ScalerKind } from './scaler.ts'

const parameters = {
  server: required(text, here('host:port')),
  tube: required(text, here('the tube')),
  value: required(float, here('amount aimed at')),
  activationValue: defaulted(float, '0', here('active above it')),
  includeDelayed: defaulted(boolean, 'false', here('jobs whose time has not come count too')),
  timeout: optional(duration, here('of connecting')),
}

/** Bytes of what is said about one tube. */
const mostStatsBytes = 64 * 1024

export const beanstalkd: ScalerKind = {
  types: ['beanstalkd'],
  about: 'jobs that wait or are worked on in a tube of beanstalkd',
  parameters,
  async open(trigger, { clock, outgoing }) {
    const { server, tube, value, activationValue, includeDelayed, timeout } = readParameters(
      parameters,
      trigger.given,
      'beanstalkd',
    )
    const [, bracketed, plain = '', port] = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(server) ?? []
    const host = bracketed ?? plain
    if (host === '' || Number(port) < 1 || Number(port) > 65_535)
      throw new TriggerProblem('server: expected host:port, with a port of 1 to 65535')
    // A name of another form would be a command.
    if (!/^[A-Za-z0-9+/;.$_()][A-Za-z0-9+/;.$_()-]{0,199}$/.test(tube))
      throw new TriggerProblem('tube: expected up to 200 letters, digits and -+/;.$_(), not beginning with -')
    const place = { host, port: Number(port), tls: undefined }
    const kept = new KeptConnection({
      ...{ clock, outgoing, who: 'beanstalkd', connectMs: timeout },
      open: (signal: AbortSignal) => Tubes.open(place, outgoing, signal),
    })
    return oneMetric(trigger, {
      ...{ tail: `beanstalkd-${queryEscaped(tube)}`, target: value, activation: activationValue },
      read: signal => kept.ask(tubes => tubes.jobsIn(tube, includeDelayed), signal),
      close: async () => kept[Symbol.dispose](),
    })
  },
}

class Tubes implements OpenConnection {
  readonly #stream: ByteStream
  #isEnded = false

  static async open(place: StreamPlace, outgoing: Outgoing, signal: AbortSignal): Promise<Tubes> {
    return await ByteStream.open(place, outgoing, signal, stream => new Tubes(stream))
  }

  private constructor(stream: ByteStream) {
    this.#stream = stream
  }

  get isOpen(): boolean {
    return !this.#isEnded && !this.#stream.hasMore
  }

  /** None where there is no such tube: beanstalkd forgets those that are empty. @throws AnswerError */
  async jobsIn(tube: string, includeDelayed: boolean): Promise<number> {
    this.#stream.again()
    this.#stream.write(`stats-tube ${tube}\r\n`)
    const line = await this.#stream.line()
    if (line === 'NOT_FOUND') return 0
    const length = /^OK (\d{1,9})$/.exec(line)?.[1]
    if (length === undefined)
      throw new AnswerError(`what answers there is no beanstalkd${/^[A-Z_]{3,20}$/.test(line) ? `: ${line}` : ''}`)
    if (Number(length) > mostStatsBytes) throw new AnswerError(`beanstalkd announced ${length} bytes about a tube`)
    const stats = (await this.#stream.exactly(Number(length) + 2)).toString()
    const count = (name: string): number => {
      const found = new RegExp(`^current-jobs-${name}: (\\d{1,15})\\r?$`, 'm').exec(stats)?.[1]
      if (found === undefined) throw new AnswerError(`beanstalkd does not say how many jobs are ${name}`)
      return Number(found)
    }
    return count('ready') + count('reserved') + (includeDelayed ? count('delayed') : 0)
  }

  [Symbol.dispose](): void {
    this.#isEnded = true
    this.#stream[Symbol.dispose]()
  }
}
