// All that is in the cluster's network besides its pods: clients of the add-on's Services, KEDA's place before its scaler, the targets behind its
// interceptors, and a kubelet's probes. Orders come by lines, and so does what is told.
import { Agent, createServer, get } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { Client, credentials } from '@grpc/grpc-js'
import { request, Agent as TlsAgent } from 'undici'
import { ScalerClient } from '../gateway/scaler-client.ts'
import { type Order, ports, type Target, type Told, type Wanted } from './visitor-words.ts'

const warmClients = 6
/** Warm requests take so long, each client's longer than the one's before, so that some are under way whenever somebody looks. */
const warmMs = 200
const warmStepMs = 37
const askEachMs = 500
const answerMs = 3_000
const targets = ['web', 'sleepy'] as const

const tell = (told: Told) => void process.stdout.write(`${JSON.stringify(told)}\n`)
let endpoints: Readonly<Record<Wanted, readonly string[]>> = { proxy: [], scaler: [] }
let turn = 0
const next = (of: Wanted): string => endpoints[of][turn++ % endpoints[of].length] ?? 'nobody'

createServer((asked, answer) => {
  const afterMs = Number(new URL(asked.url ?? '/', 'http://target').searchParams.get('after') ?? 0)
  setTimeout(() => answer.end('here'), afterMs)
}).listen(ports.target, '0.0.0.0')

/** By a connection of its own, as a client that begins. */
function ask(target: Target, address: string, path = '/'): Promise<void> {
  const startedMs = Date.now()
  const { promise, resolve } = Promise.withResolvers<void>()
  const ended = (outcome: string) => {
    tell({ kind: 'asked', target, address, startedMs, endedMs: Date.now(), outcome })
    resolve()
  }
  const agent = new Agent({ keepAlive: false })
  const options = { host: address, port: ports.proxy, path, agent, headers: { host: `${target}.test` } }
  get(options, async answer => {
    let text = ''
    try {
      for await (const piece of answer) text += piece
      ended(answer.statusCode === 200 && text === 'here' ? '200' : `${answer.statusCode} ${text.slice(0, 200)}`)
    } catch (cause) {
      ended(String(cause))
    }
  }).on('error', (cause: NodeJS.ErrnoException) => ended(cause.code ?? cause.message))
  return promise
}

async function warm(afterMs: number): Promise<never> {
  for (;;) await ask('web', next('proxy'), `/?after=${afterMs}`)
}

let scaler: ScalerClient | undefined

/** Over one connection as long as its pod is in the Service, as KEDA does. */
async function consume(): Promise<never> {
  for (;;) {
    if (scaler === undefined || !endpoints.scaler.includes(scaler.address)) connect()
    await tellNumbers()
    await pause(askEachMs)
  }
}

function connect(): void {
  scaler?.close()
  scaler = new ScalerClient(next('scaler'), ports.scaler)
}

async function tellNumbers(): Promise<void> {
  const asked = scaler
  if (asked === undefined) return
  const { address } = asked
  const atMs = Date.now()
  try {
    const [web, sleepy] = await Promise.all(targets.map(target => asked.numbers('shop', target)))
    if (web !== undefined && sleepy !== undefined) tell({ kind: 'scaled', atMs, address, answers: { web, sleepy } })
  } catch (cause) {
    tell({ kind: 'scaled', atMs, address, error: String(cause) })
    connect()
  }
}

const tls = new TlsAgent({ connect: { rejectUnauthorized: false }, headersTimeout: answerMs })

async function replyTo(id: number, work: () => Promise<{ readonly status: number; readonly body: string }>): Promise<void> {
  const { status, body } = await work().catch((cause: Error) => ({ status: 0, body: cause.message }))
  tell({ kind: 'replied', id, status, body })
}

async function got(url: string, token: string | undefined) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const { statusCode, body } = await request(url, { dispatcher: tls, headers })
  return { status: statusCode, body: await body.text() }
}

/** As a kubelet's probe by gRPC: the service is the first field of the question, and 1 the answer of one that serves. */
async function health(address: string) {
  const client = new Client(`${address}:${ports.scaler}`, credentials.createInsecure())
  const service = Buffer.from('readiness')
  const question = Buffer.concat([Buffer.from([0x0a, service.length]), service])
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const deadline = Date.now() + answerMs
  const same = (bytes: Buffer) => bytes
  client.makeUnaryRequest('/grpc.health.v1.Health/Check', same, same, question, { deadline }, (error, answer) =>
    error === null && answer !== undefined ? resolve(answer) : reject(error),
  )
  try {
    const answer = await promise
    return { status: answer.length === 2 && answer[1] === 1 ? 200 : 503, body: answer.toString('hex') }
  } finally {
    client.close()
  }
}

function obey(order: Order): void {
  switch (order.kind) {
    case 'endpoints':
      endpoints = order.of
      break
    case 'burst':
      for (let at = 0; at < order.count; at++) void ask('sleepy', next('proxy'))
      break
    case 'begin':
      for (let at = 0; at < warmClients; at++) void warm(warmMs + at * warmStepMs)
      void consume()
      break
    case 'get':
      void replyTo(order.id, () => got(order.url, order.token))
      break
    case 'health':
      void replyTo(order.id, () => health(order.address))
      break
  }
}

for await (const line of createInterface({ input: process.stdin })) obey(JSON.parse(line))
process.exit(0)
