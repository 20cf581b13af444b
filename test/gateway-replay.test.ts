// What the HTTP add-on's interceptor was recorded to make of requests, against ours over real sockets.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { routesOf } from '../src/capabilities/gateway/routing/route-of.ts'
import { answerOf, type Backend, backends, type GatewayCase, gatewayCases, gatewayObjects } from './gateway-cases.ts'
import { isByHaproxy } from './gateway-data-plane.ts'
import { differences } from './gateway-differences.ts'
import { haproxyDifferences } from './gateway-haproxy-differences.ts'
import { type Said, saidIn } from './gateway-replay.ts'
import { exchangeRaw, type Patience, type StrictBackend, startStrictBackend } from './gateway-strict-backend.ts'
import { loopbackGateway } from './loopback-gateway.ts'

interface Recorded {
  readonly client: string
  readonly backends: Readonly<Record<string, readonly string[]>>
}

const fixture = join(import.meta.dirname, 'fixtures', 'http-add-on', 'answers.json')
const recorded: Readonly<Record<string, Recorded>> = JSON.parse(readFileSync(fixture, 'utf8')).cases

interface Gateway extends AsyncDisposable {
  readonly port: number
  /** Limits of time pass in strides while a case runs. */
  readonly patience: Patience
}

const strideMs = 10

async function startGateway(objects: readonly KubeObject[]): Promise<Gateway> {
  const clock = new VirtualClock(0)
  const ofKind = (kind: string) => objects.filter(object => object.kind === kind)
  const { routes, problems } = routesOf(ofKind('InterceptorRoute'), ofKind('HTTPScaledObject'))
  if (problems.some(({ name }) => name !== 'same-name')) throw new Error(JSON.stringify(problems))
  // A cluster's informer sees labelled ConfigMaps only.
  const seen = objects.filter(
    ({ kind, metadata }) => kind !== 'ConfigMap' || metadata.labels?.['http.keda.sh/response-body'] === 'true',
  )
  const gateway = await loopbackGateway({ routes, objects: seen, clock })
  return {
    port: gateway.port,
    patience: {
      mostTurns: 5_000,
      moreTurns: 5,
      async turn() {
        // Sockets need real time, the gateway's own limits pass faster.
        await systemClock.after(1)
        await clock.advance(strideMs)
      },
    },
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  }
}

/** A port of which nobody listens any more. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

interface Outcome {
  readonly client: readonly Said[]
  readonly backends: Readonly<Record<string, readonly Said[]>>
}

function outcomeOf(one: { readonly isHead?: boolean }, { client, backends: got }: Recorded): Outcome {
  return {
    client: saidIn(client, one),
    backends: Object.fromEntries(Object.entries(got).map(([name, texts]) => [name, texts.flatMap(text => saidIn(text))])),
  }
}

/**
 * What Go's library adds by itself, which nobody asked for: it wants gzip where the client said nothing, and guesses the type of an answer
 * that bears none.
 */
function withoutGo({ sent, answer }: GatewayCase, { client, backends: got }: Outcome): Outcome {
  const less = (said: readonly Said[], header: string, isWanted: boolean) =>
    isWanted ? said : said.map(one => ({ ...one, headers: one.headers.filter(line => line !== header) }))
  const asksForEncoding = /^accept-encoding:/im.test(sent)
  const isGuess = answer !== undefined && !/^content-type:/im.test(answer)
  return {
    client: less(client, 'content-type: text/plain; charset=utf-8', !isGuess),
    backends: Object.fromEntries(
      Object.entries(got).map(([name, said]) => [name, less(said, 'accept-encoding: gzip', asksForEncoding)]),
    ),
  }
}

describe('what the interceptor does', () => {
  const strict = new Map<Backend, StrictBackend>()
  let gateway: Gateway

  beforeAll(async () => {
    for (const name of backends) strict.set(name, await startStrictBackend())
    const ports = Object.fromEntries([...strict].map(([name, { port }]) => [name, port])) as Record<Backend, number>
    const places = { ports, closedPort: await closedPort(), address: '127.0.0.1' }
    gateway = await startGateway(gatewayObjects(places) as readonly KubeObject[])
  })
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]()
    for (const backend of strict.values()) await backend[Symbol.asyncDispose]()
  })

  it.each(gatewayCases)('$name', async one => {
    for (const backend of strict.values()) backend.reset(answerOf(one))
    const client = await exchangeRaw(gateway.port, one, gateway.patience)
    const got = [...strict].flatMap(([name, { requests }]) =>
      requests.length === 0 ? [] : [[name, requests.map(({ text }) => text)] as const],
    )
    const found = withoutGo(one, outcomeOf(one, { client, backends: Object.fromEntries(got) }))
    const expected = recorded[one.name]
    if (expected === undefined) throw new Error(`${one.name} is not recorded`)
    const upstream = withoutGo(one, outcomeOf(one, expected))
    if (isByHaproxy && haproxyDifferences[one.name] !== undefined) expect(found).not.toEqual(upstream)
    else if (differences[one.name] === undefined) expect(found).toEqual(upstream)
    // A difference that is gone has to leave the table.
    else expect(found, 'test/gateway-differences.ts has a row for what is equal now').not.toEqual(upstream)
  })
})
