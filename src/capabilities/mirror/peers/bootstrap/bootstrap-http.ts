// Bootstrap over HTTP: one node's address answers with its id and addresses, and we answer the same for ourselves at `/id`.
import { existsSync, readFileSync } from 'node:fs'
import { request as askPlainly, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { request as askByTls, createServer as createTlsServer } from 'node:https'
import { join } from 'node:path'
import { bodyWithin } from '#kube/client/outgoing-http.ts'
import { systemClock } from '#kube/clock.ts'
import { InputError, problemSentence } from '#kube/problem.ts'
import { type Contact, listenAddresses, multiaddressOf, parseContact } from '../address.ts'
import type { Bootstrap, OwnContact } from './bootstrap-way.ts'

const answerWithinMs = 10_000
const largestBootstrapAnswer = 64 * 1_024
/** Peers of an answer that are taken. */
const mostOfAnAnswer = 3

interface HttpBootstrapOptions {
  readonly url: string
  /** Where we answer; empty: nowhere. */
  readonly address: string
  /** `ca.crt`, `tls.crt`, `tls.key`; empty: plain HTTP. */
  readonly certificateDirectory: string
}

const longestId = 128
const longestAddress = 256
const mostAddresses = 64
const mostEntries = 1_024

interface Certificates {
  readonly ca: string | undefined
  readonly pair: { readonly cert: string; readonly key: string } | undefined
}

/**
 * Without a guard of addresses: a flag names the other node, which has a private one.
 * @throws InputError where only one of certificate and key is there, or the URL is none.
 */
export function httpBootstrap({ url, address, certificateDirectory }: HttpBootstrapOptions): Bootstrap {
  const { target, isOlderLine } = idUrl(url)
  const { ca, pair } = certificatesOf(certificateDirectory)
  const tls = { ...(ca === undefined ? {} : { ca }), ...pair }
  return {
    async find(signal) {
      const { status, body } = await askOnce(target, tls, signal)
      if (status !== 200) throw new Error(`${url} answered ${status}`)
      return contactsOf(body.toString('utf8'), url)
    },
    ...(address === '' ? {} : { serve: own => serveOwn(address, pair, isOlderLine, own) }),
  }
}

interface Trust {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/**
 * One request on a connection of its own, without redirects. It is made by Node's own client: a mirror asks nothing else over HTTP in most
 * clusters, and the program's client would take 3 MiB of memory for it. @throws `signal.reason`, Error where no answer came whole
 */
async function askOnce(url: URL, trust: Trust, stop: AbortSignal): Promise<{ readonly status: number; readonly body: Buffer }> {
  const late = new AbortController()
  const cancel = systemClock.schedule(answerWithinMs, () =>
    late.abort(new DOMException(`no answer in ${answerWithinMs / 1_000} s`, 'TimeoutError')),
  )
  const signal = AbortSignal.any([stop, late.signal])
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const how = { agent: false, signal, headers: { 'user-agent': 'ballast' } }
  const asked = url.protocol === 'https:' ? askByTls(url, { ...how, ...trust }, resolve) : askPlainly(url, how, resolve)
  try {
    asked.on('error', reject).end()
    const answer = await promise
    return { status: answer.statusCode ?? 0, body: await bodyWithin(answer, largestBootstrapAnswer) }
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    cancel()
    asked.destroy()
  }
}

/** `http://10.0.0.1:5002` is the spelling up to 0.7, which means `/id` there and answers with one object; later ones name the path. @throws InputError */
function idUrl(text: string): { readonly target: URL; readonly isOlderLine: boolean } {
  const target = URL.parse(text)
  if (target === null || !/^https?:$/.test(target.protocol)) {
    throw new InputError([
      { code: 'bootstrap-settings', where: 'http-bootstrap-url', found: text, expected: 'an http or https URL' },
    ])
  }
  const isOlderLine = target.pathname === '/'
  if (isOlderLine) target.pathname = '/id'
  return { target, isOlderLine }
}

function certificatesOf(directory: string): Certificates {
  if (directory === '') return { ca: undefined, pair: undefined }
  const [ca, cert, key] = ['ca.crt', 'tls.crt', 'tls.key'].map(name => {
    const path = join(directory, name)
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined
  })
  if ((cert === undefined) !== (key === undefined)) {
    const found = cert === undefined ? 'tls.key only' : 'tls.crt only'
    throw new InputError([
      { code: 'bootstrap-settings', where: directory, found, expected: 'tls.crt and tls.key, or none of both' },
    ])
  }
  return { ca, pair: cert === undefined || key === undefined ? undefined : { cert, key } }
}

/** Contacts of an answer; addresses of other kinds than TCP are left out. @throws Error where it is none. */
export function contactsOf(text: string, where: string): readonly Contact[] {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new Error(`${where} answered with what is no JSON`, { cause: error })
  }
  // The line up to 0.7 answers with one object, later ones with a list.
  const entries: readonly unknown[] = Array.isArray(json) ? json : [json]
  if (entries.length > mostEntries || !entries.every(isEntry)) throw new Error(`${where} answered with what are no peers`)
  return entries.slice(0, mostOfAnAnswer).flatMap(({ ID = '', Addrs = [] }) => {
    const addresses = Addrs.flatMap(text => {
      const parsed = parseContact(text, 0, where)
      return parsed.ok ? parsed.value.addresses.filter(({ port }) => port > 0) : []
    })
    return addresses.length === 0 ? [] : [{ id: ID === '' ? undefined : ID, addresses }]
  })
}

interface Entry {
  readonly ID?: string
  readonly Addrs?: readonly string[]
}

/** Checked by hand: zod, which nothing else of an agent needs, takes 6 MiB. */
function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false
  const { ID = '', Addrs = [] }: Partial<Record<keyof Entry, unknown>> = value
  const isText = (text: unknown, longest: number) => typeof text === 'string' && text.length <= longest
  return (
    isText(ID, longestId) &&
    Array.isArray(Addrs) &&
    Addrs.length <= mostAddresses &&
    Addrs.every(one => isText(one, longestAddress))
  )
}

async function serveOwn(
  address: string,
  pair: Certificates['pair'],
  isOlderLine: boolean,
  own: () => OwnContact,
): Promise<AsyncDisposable> {
  const parsed = listenAddresses(address, 'http-bootstrap-addr')
  if (!parsed.ok) throw new Error(problemSentence(parsed.problem))
  const { port, host } = parsed.value
  const answer = ({ method, url }: IncomingMessage, response: ServerResponse) => {
    if (url !== '/id') return void response.writeHead(404).end()
    if (method !== 'GET' && method !== 'HEAD') return void response.writeHead(405, { allow: 'GET, HEAD' }).end()
    const { id, addresses } = own()
    const itself = { ID: id, Addrs: addresses.map(multiaddressOf) }
    const body = JSON.stringify(isOlderLine ? itself : [itself])
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(method === 'HEAD' ? undefined : body)
  }
  const server = pair === undefined ? createServer(answer) : createTlsServer(pair, answer)
  server.headersTimeout = answerWithinMs
  server.requestTimeout = answerWithinMs
  server.maxConnections = 64
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ port, ...(host === undefined ? {} : { host }) }, resolve)
  await promise
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      const { promise: closed, resolve: done } = Promise.withResolvers<void>()
      server.close(() => done())
      await closed
    },
  }
}
