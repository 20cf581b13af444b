// Stands between a client and a real API server and writes down what the one asks and the other answers.
//
// The client's kubeconfig leads here. Requests go on with the administrator's certificate, or with the bearer token that the client
// sends. Where a client reads both protobuf and JSON the server is asked for JSON, which fixtures can show.
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request as sendRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClientExchange, type RecordedBody, type WatchEvent, withoutProtobuf } from '../../fidelity-exchange.ts'
import { makeCertificates } from '../control-plane/certificates.ts'
import { inOrderOfEffects, isInitialEnd } from './effect-order.ts'

/** Sent by the recorder's own requests, which prepare the cluster. */
export const setupAgent = 'ballast-recorder/1'

export interface RecordingProxy extends AsyncDisposable {
  readonly kubeconfig: string
  readonly url: string
  /** What was asked so far, in the order in which the requests began, but for watches that the server took up before. */
  exchanges(): readonly ClientExchange[]
  /** Exchanges that have begun and are no watches, and are not answered yet. */
  readonly underWay: number
}

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } }[]
  readonly users: readonly { readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string } }[]
}

const requestHeaders = ['accept', 'content-type', 'if-none-match', 'impersonate-user', 'impersonate-group']
const answerHeaders = ['content-type', 'warning', 'location', 'retry-after', 'etag', 'cache-control']
/** Headers that belong to one connection, or are made anew for the next one. */
const ownHeaders = new Set(['connection', 'host', 'accept-encoding', 'transfer-encoding', 'keep-alive', 'accept'])

/** Starts a proxy on loopback to the server of an administrator's kubeconfig (JSON, as `startControlPlane` writes it). */
export async function startRecordingProxy(kubeconfig: string): Promise<RecordingProxy> {
  const target = JSON.parse(readFileSync(kubeconfig, 'utf8')) as Kubeconfig
  const [{ cluster }, { user }] = [first(target.clusters), first(target.users)]
  const decoded = (base64: string) => Buffer.from(base64, 'base64')
  const trusted = { ca: decoded(cluster['certificate-authority-data']), keepAlive: true }
  const administrator = new Agent({
    ...trusted,
    cert: decoded(user['client-certificate-data']),
    key: decoded(user['client-key-data']),
  })
  const bearer = new Agent(trusted)
  const certificates = await makeCertificates()
  const recorder = new Recorder()
  const server = createServer(
    { cert: certificates.server.certificate, key: certificates.server.key },
    (incoming, outgoing) =>
      void pass(incoming, outgoing, {
        recorder,
        server: cluster.server,
        agent: incoming.headers.authorization === undefined ? administrator : bearer,
      }),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const directory = mkdtempSync(join(tmpdir(), 'ballast-recording-'))
  const file = join(directory, 'kubeconfig')
  const base64 = Buffer.from(certificates.authority).toString('base64')
  const content = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'recorded',
    contexts: [{ name: 'recorded', context: { cluster: 'recorded', user: 'client' } }],
    clusters: [{ name: 'recorded', cluster: { server: url, 'certificate-authority-data': base64 } }],
    // The proxy speaks for whoever comes without a token; kubectl asks for a password where a user has nothing to show.
    users: [
      {
        name: 'client',
        user: {
          'client-certificate-data': Buffer.from(certificates.admin.certificate).toString('base64'),
          'client-key-data': Buffer.from(certificates.admin.key).toString('base64'),
        },
      },
    ],
  }
  writeFileSync(file, JSON.stringify(content), { mode: 0o600 })
  return {
    kubeconfig: file,
    url,
    exchanges: () => recorder.exchanges(),
    get underWay() {
      return recorder.underWay
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      administrator.destroy()
      bearer.destroy()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

function first<T>(list: readonly T[]): T {
  const [item] = list
  if (item === undefined) throw new Error('the kubeconfig has no cluster or no user')
  return item
}

/** An exchange while it lasts. */
interface Draft {
  readonly asked: Omit<ClientExchange, 'status' | 'answered' | 'answer' | 'events'>
  answered?: Pick<ClientExchange, 'status' | 'answered' | 'answer' | 'isDocument'>
  events?: WatchEvent[]
  endedBefore?: number
  isOver: boolean
}

class Recorder {
  readonly #drafts: Draft[] = []

  begin(asked: Draft['asked']): Draft {
    const draft: Draft = { asked, isOver: false }
    this.#drafts.push(draft)
    return draft
  }

  end(draft: Draft): void {
    draft.isOver = true
    if (draft.events !== undefined) draft.endedBefore = this.#drafts.length
  }

  get underWay(): number {
    return this.#drafts.filter(draft => !draft.isOver && draft.events === undefined).length
  }

  /** In the order of their effects, without those that the client gave up before they were answered. */
  exchanges(): readonly ClientExchange[] {
    const kept = inOrderOfEffects(this.#drafts).flatMap(number => {
      const draft = this.#drafts[number]
      return draft?.answered === undefined ? [] : { ...draft, number, answered: draft.answered }
    })
    /** How many are replayed until the first `count` that began all are. */
    const before = (count: number) => kept.findLastIndex(({ number }) => number < count) + 1
    return kept.map(({ asked, answered, events, endedBefore }) => ({
      ...asked,
      ...answered,
      ...(events === undefined ? {} : { events: events.filter(isKept) }),
      ...(endedBefore === undefined ? {} : { endedBefore: before(endedBefore) }),
    }))
  }
}

/** Bookmarks come with time, all but the one that ends the initial events. */
function isKept(event: WatchEvent): boolean {
  return event.type !== 'BOOKMARK' || isInitialEnd(event)
}

interface Way {
  readonly recorder: Recorder
  readonly server: string
  readonly agent: Agent
}

async function pass(incoming: IncomingMessage, outgoing: ServerResponse, way: Way): Promise<void> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
  } catch {
    return // The client went away in mid-request: nothing was asked.
  }
  const body = Buffer.concat(chunks)
  const draft = way.recorder.begin(askedOf(incoming, body))
  const upstream = sendRequest(`${way.server}${incoming.url ?? '/'}`, {
    agent: way.agent,
    method: incoming.method ?? 'GET',
    headers: { ...passedOn(incoming.headers), ...(body.length === 0 ? {} : { 'content-length': body.length }) },
  })
  upstream.on('response', answer => void answerWith(answer, outgoing, draft, way.recorder))
  upstream.on('error', cause => {
    way.recorder.end(draft)
    if (!outgoing.headersSent) outgoing.writeHead(502).end(`the recorded server: ${cause.message}`)
    else outgoing.destroy()
  })
  outgoing.on('close', () => upstream.destroy())
  upstream.end(body)
}

function askedOf(incoming: IncomingMessage, body: Buffer): Draft['asked'] {
  const [path = '/', ...query] = (incoming.url ?? '/').split('?')
  const agent = incoming.headers['user-agent'] ?? ''
  const headers = requestHeaders.flatMap(name => {
    const value = incoming.headers[name]
    return value === undefined ? [] : [[name, Array.isArray(value) ? value.join(',') : value]]
  })
  return {
    method: incoming.method ?? 'GET',
    path,
    query: query.join('?'),
    // Field managers are named by its first word.
    headers: { ...Object.fromEntries(headers), 'user-agent': agent.split(' ')[0] ?? '' },
    ...(body.length === 0 ? {} : { body: recordedBody(incoming.headers['content-type'] ?? '', body) }),
    ...(agent === setupAgent ? { isSetup: true } : {}),
  }
}

function recordedBody(contentType: string, body: Buffer): RecordedBody {
  return contentType.includes('protobuf') ? { base64: body.toString('base64') } : { text: body.toString() }
}

function passedOn(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const kept = Object.entries(headers).filter(([name]) => !ownHeaders.has(name))
  return { ...Object.fromEntries(kept), accept: withoutProtobuf(headers.accept ?? '*/*') }
}

async function answerWith(answer: IncomingMessage, outgoing: ServerResponse, draft: Draft, recorder: Recorder): Promise<void> {
  const status = answer.statusCode ?? 502
  const isWatch = /(^|&)watch=(true|1)(&|$)/.test(draft.asked.query) && status === 200
  outgoing.writeHead(status, withoutHops(answer.headers))
  outgoing.flushHeaders()
  const { path } = draft.asked
  if (isWatch) {
    draft.events = []
    draft.answered = { status, answered: answeredHeaders(answer.headers) }
  }
  const chunks: Buffer[] = []
  let rest = ''
  try {
    for await (const chunk of answer) {
      outgoing.write(chunk)
      if (!isWatch) {
        chunks.push(chunk as Buffer)
        continue
      }
      const lines = (rest + String(chunk)).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line !== '') draft.events?.push(JSON.parse(line) as WatchEvent)
    }
    if (!isWatch) {
      const text = Buffer.concat(chunks)
      const headers = answeredHeaders(answer.headers)
      draft.answered = isDocument(path)
        ? { status, answered: headers, isDocument: true }
        : { status, answered: headers, answer: parsed(headers['content-type'] ?? '', text) }
    }
  } catch (cause) {
    // A client ends a watch by going away; any other answer that breaks off is not recorded.
    if (!isWatch) draft.answered = undefined as never
    if (!outgoing.destroyed) throw cause
  } finally {
    recorder.end(draft)
    outgoing.end()
  }
}

/** Discovery and schemas of built-in groups: compared once, not with every client. */
function isDocument(path: string): boolean {
  return /^\/(openapi|api|apis)(\/|$)/.test(path) && !/^\/(api\/[^/]+|apis\/[^/]+\/[^/]+)\/./.test(path)
}

function withoutHops(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { 'transfer-encoding': _hop, connection: _way, ...kept } = headers
  return kept
}

function answeredHeaders(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  return Object.fromEntries(
    answerHeaders.flatMap(name => {
      const value = headers[name]
      return value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]]
    }),
  )
}

function parsed(contentType: string, bytes: Buffer): unknown {
  if (contentType.includes('json') && bytes.length > 0) return JSON.parse(bytes.toString())
  return contentType.includes('protobuf') ? { base64: bytes.toString('base64') } : bytes.toString()
}
