// Asks a twin what a client asked of a real server, in order, and compares each answer.

import type { HttpVerb, Transport, TransportRequest } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { startTwin } from '#twin/twin.ts'
import { type Comparison, compareAnswers } from './fidelity-compare.ts'
import { type ClientExchange, type ClientRecording, type WatchEvent, withoutProtobuf } from './fidelity-exchange.ts'
import { Identities } from './fidelity-identities.ts'
import { withJudgedBookmarks } from './fidelity-versions.ts'

export interface ReplayedExchange {
  readonly exchange: ClientExchange
  readonly comparison: Comparison
}

/** Lets what is under way go on. */
const turn = () => new Promise(resolve => setImmediate(resolve))

/** Turns of the loop in which a watch may still bring what was recorded. */
const mostTurns = 200

/**
 * Plays a recording on a twin of its own. What the recorder asked to prepare the cluster is asked and compared as well.
 * `mayLackLast`: a client that ended may have done so before the last events of its watches reached it.
 */
export async function replay(recording: ClientRecording, mayLackLast = false): Promise<readonly ReplayedExchange[]> {
  const clock = new VirtualClock(recording.exchanges.map(writtenMs).find(ms => ms > 0) ?? 0)
  await using twin = await startTwin({
    clock,
    seed: 1,
    components: false,
    // What aggregated servers are told is there where they can ask for it.
    listen: { port: 0 },
    kubernetesVersion: '1.36',
  })
  const transport = twin.transport({ admin: true })
  const identities = new Identities()
  const watches = new Map<ClientExchange, ReplayedWatch>()
  const replayed: ReplayedExchange[] = []
  for (const [index, exchange] of recording.exchanges.entries()) {
    for (const [ended, watch] of watches) {
      if (ended.endedBefore !== undefined && ended.endedBefore <= index) await watch.end(ended.events?.length ?? 0)
    }
    // Clients send back times of the server: the twin's clock has to have them.
    const laterMs = writtenMs(exchange) - clock.now()
    if (laterMs > 0) await clock.advance(laterMs)
    if (exchange.events === undefined) {
      replayed.push({ exchange, comparison: await replayOne(transport, exchange, identities) })
    } else watches.set(exchange, await ReplayedWatch.open(transport, exchange, identities))
  }
  for (const [exchange, watch] of watches) {
    await watch.end(exchange.events?.length ?? 0)
    replayed.push({ exchange, comparison: watch.compared(exchange, identities, mayLackLast) })
  }
  return replayed.toSorted(
    (left, right) => recording.exchanges.indexOf(left.exchange) - recording.exchanges.indexOf(right.exchange),
  )
}

/** When the server last wrote what it answers with; 0 where the answer does not tell. */
function writtenMs({ answer }: ClientExchange): number {
  const metadata: unknown = typeof answer === 'object' && answer !== null && 'metadata' in answer ? answer.metadata : undefined
  if (typeof metadata !== 'object' || metadata === null) return 0
  const { creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, managedFields }: Readonly<Record<string, unknown>> = {
    ...metadata,
  }
  const managed = Array.isArray(managedFields) ? managedFields.map(({ time }: { readonly time?: string }) => time) : []
  const grace = typeof deletionGracePeriodSeconds === 'number' ? deletionGracePeriodSeconds : 0
  const times = [creationTimestamp, ...managed].map(time => Date.parse(String(time)))
  return Math.max(0, ...[...times, Date.parse(String(deletionTimestamp)) - grace * 1000].filter(Number.isFinite))
}

async function replayOne(transport: Transport, exchange: ClientExchange, identities: Identities): Promise<Comparison> {
  const request = requestOf(exchange, identities, new AbortController().signal)
  if (/(^|&)watch=(true|1)(&|$)/.test(exchange.query)) return replayRefusedWatch(transport, exchange, identities)
  const etag = exchange.status === 304 ? (await transport.request(request)).headers['etag'] : undefined
  const answer = await transport.request(
    etag === undefined ? request : { ...request, headers: { ...request.headers, 'if-none-match': etag } },
  )
  const contentType = answer.headers['content-type'] ?? ''
  const text = new TextDecoder().decode(answer.body)
  const body: unknown = contentType.includes('json') && text !== '' ? JSON.parse(text) : text
  if (exchange.method === 'POST') learnName(exchange, body, identities)
  const isDocument = exchange.isDocument === true
  if (exchange.status === 304) return compareAnswers({ status: 304 }, { status: answer.status }, identities)
  return compareAnswers(
    { status: exchange.status, headers: comparedHeaders(exchange.answered), ...(isDocument ? {} : { answer: exchange.answer }) },
    { status: answer.status, headers: comparedHeaders(answer.headers), ...(isDocument ? {} : { answer: body }) },
    identities,
  )
}

/** A watch that the real server did not open; the twin's is not read, should there be one. */
async function replayRefusedWatch(transport: Transport, exchange: ClientExchange, identities: Identities): Promise<Comparison> {
  const stop = new AbortController()
  const { status } = await transport.stream(requestOf(exchange, identities, stop.signal))
  stop.abort()
  return compareAnswers({ status: exchange.status }, { status }, identities)
}

/** A name that the server made stands for the other server's from now on. */
function learnName(exchange: ClientExchange, twin: unknown, identities: Identities): void {
  const [real, ours] = [exchange.answer, twin].map(nameOf)
  if (real === undefined || ours === undefined || real.name === ours.name) return
  if (real.generateName !== undefined && real.generateName === ours.generateName) identities.stands(real.name, ours.name)
}

function nameOf(object: unknown): { readonly name: string; readonly generateName: unknown } | undefined {
  if (typeof object !== 'object' || object === null || !('metadata' in object)) return undefined
  const { metadata } = object
  if (typeof metadata !== 'object' || metadata === null || !('name' in metadata) || typeof metadata.name !== 'string') return
  return { name: metadata.name, generateName: 'generateName' in metadata ? metadata.generateName : undefined }
}

const comparedNames = ['content-type', 'warning', 'retry-after']

function comparedHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(comparedNames.flatMap(name => (headers[name] === undefined ? [] : [[name, headers[name]]])))
}

function requestOf(exchange: ClientExchange, identities: Identities, signal: AbortSignal): TransportRequest {
  const { body } = exchange
  const sent =
    body === undefined
      ? undefined
      : 'text' in body
        ? identities.translatedBody(body.text)
        : identities.translatedFrame(Buffer.from(body.base64, 'base64'))
  const { 'if-none-match': _etag, ...headers } = exchange.headers
  return {
    verb: exchange.method as HttpVerb,
    path: identities.translated(exchange.path),
    // The hash of a schema document is the server's own.
    query: exchange.path.startsWith('/openapi/') ? {} : Object.fromEntries(identities.translatedQuery(exchange.query)),
    headers: { ...headers, ...(headers['accept'] === undefined ? {} : { accept: withoutProtobuf(headers['accept']) }) },
    ...(sent === undefined ? {} : { body: sent }),
    signal,
  }
}

/** A watch of the twin that is read while the replay goes on. */
class ReplayedWatch {
  readonly #stop: AbortController
  readonly #events: WatchEvent[] = []
  #isEnded = false
  #status = 0
  #headers: Readonly<Record<string, string>> = {}

  private constructor(stop: AbortController) {
    this.#stop = stop
  }

  static async open(transport: Transport, exchange: ClientExchange, identities: Identities): Promise<ReplayedWatch> {
    const stop = new AbortController()
    const watch = new ReplayedWatch(stop)
    const stream = await transport.stream(requestOf(exchange, identities, stop.signal))
    watch.#status = stream.status
    watch.#headers = stream.headers
    void watch.#read(stream.chunks)
    await turn()
    return watch
  }

  async #read(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    let rest = ''
    try {
      for await (const chunk of chunks) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) if (line !== '') this.#events.push(JSON.parse(line) as WatchEvent)
      }
    } catch (cause) {
      if (!this.#stop.signal.aborted) throw cause
    }
  }

  /** Closes it when it brought what was recorded, or will bring no more. */
  async end(recorded: number): Promise<void> {
    if (this.#isEnded) return
    for (let turns = 0; turns < mostTurns && this.#events.length < recorded; turns++) await turn()
    this.#isEnded = true
    this.#stop.abort()
  }

  compared(exchange: ClientExchange, identities: Identities, mayLackLast: boolean): Comparison {
    const brought = this.#events.filter(
      ({ type, object }) => type !== 'BOOKMARK' || JSON.stringify(object).includes('k8s.io/initial-events-end'),
    )
    const events = mayLackLast ? brought.slice(0, exchange.events?.length) : brought
    return compareAnswers(
      {
        status: exchange.status,
        headers: comparedHeaders(exchange.answered),
        events: withJudgedBookmarks(exchange.events ?? []),
      },
      { status: this.#status, headers: comparedHeaders(this.#headers), events: withJudgedBookmarks(events) },
      identities,
    )
  }
}

/** `POST /api/v1/nodes`, for messages and rules. */
export function requestLine(exchange: ClientExchange): string {
  const body = exchange.body === undefined ? '' : 'text' in exchange.body ? ` ${exchange.body.text}` : ' (protobuf)'
  return `${exchange.method} ${exchange.path}${exchange.query === '' ? '' : `?${exchange.query}`}${body}`
}
