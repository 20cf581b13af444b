// A gateway before one target that a check puts to sleep and wakes: nobody scales it here. It answers pages, events, WebSockets and slow requests.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { request } from 'undici'
import { commandLine } from '../../cli/bundled.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { until } from '../metrics/servers.ts'
import { type Door, GatewaySite, type OwnDoor, type ReplicaPlace } from './site.ts'
import { SleepingTarget } from './sleeping-target.ts'

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const eventEachMs = 20
/** Its icon is here: a browser that asked for one would wait with its own requests. */
const page = '<!doctype html><title>target</title><link rel="icon" href="data:,"><p id="target">awake</p>'
/** A single frame with a short length. */
const mostFrame = 125
const maskedTextByte = 0x81
const maskBit = 0x80

export interface TriedOptions {
  readonly hosts?: readonly string[]
  readonly kinds?: readonly ApiObject[]
}

export class TriedTarget implements AsyncDisposable {
  readonly site: GatewaySite
  /** What it got of bodies so far, in bytes. */
  readonly taken: () => number
  readonly #target: SleepingTarget
  readonly #stack: AsyncDisposableStack

  private constructor(site: GatewaySite, target: SleepingTarget, taken: () => number, stack: AsyncDisposableStack) {
    this.site = site
    this.taken = taken
    this.#target = target
    this.#stack = stack
  }

  /** Asleep, for requests of localhost, of `web.test` and of further hosts; `kinds` are definitions beside the add-on's. */
  static async open({ hosts = [], kinds = [] }: TriedOptions = {}): Promise<TriedTarget> {
    await using stack = new AsyncDisposableStack()
    const site = stack.use(await GatewaySite.start(kinds))
    let taken = 0
    const server = targetServer(bytes => {
      taken += bytes
    }).listen(0, '0.0.0.0')
    stack.defer(() => {
      server.closeAllConnections()
      server.close()
    })
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const target = stack.use(await SleepingTarget.make(site, 'web', port))
    await site.make([
      {
        apiVersion: 'http.keda.sh/v1beta1',
        kind: 'InterceptorRoute',
        metadata: { name: 'web', namespace: 'default' },
        spec: {
          target: { service: 'web', port },
          rules: [{ hosts: ['localhost', 'web.test', ...hosts] }],
          scalingMetric: { concurrency: { targetValue: 100 } },
        },
      },
    ])
    return new TriedTarget(site, target, () => taken, stack.move())
  }

  async door(more: Readonly<Record<string, unknown>> = {}, place?: ReplicaPlace): Promise<OwnDoor> {
    const door = await this.site.ours([process.execPath, commandLine], more, place)
    await until('the route', async () =>
      (await fetch(`http://${place?.address ?? '127.0.0.1'}:${door.adminPort}/queue`).then(one => one.text())).includes(
        'default/web',
      ),
    )
    return door
  }

  wake(): Promise<void> {
    return this.#target.setReady(true)
  }

  /** Until each of these gateways knows it. */
  async sleep(...doors: readonly Door[]): Promise<void> {
    await this.#target.setReady(false)
    for (const { port } of doors)
      await until('the gateway to know that the target sleeps', async () => {
        const headers = { host: 'web.test', accept: 'text/html', 'upgrade-insecure-requests': '1' }
        const { statusCode, body } = await request(`http://127.0.0.1:${port}/`, { headers })
        await body.dump()
        return statusCode === 503
      })
  }

  setReady(ready: boolean): Promise<void> {
    return this.#target.setReady(ready)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

/** Requests that wait at a gateway. */
export async function heldAt({ metricsPort }: Door): Promise<number> {
  const text = await fetch(`http://127.0.0.1:${metricsPort}/metrics`).then(answer => answer.text())
  return text.matchAll(/^ballast_gateway_held_requests\{[^}]*\} (\d+)$/gm).reduce((sum, [, count]) => sum + Number(count), 0)
}

/** Until nobody is counted any more. Whoever was shown the page counts for half a minute. */
export async function untilNobody({ adminPort }: Door): Promise<void> {
  let seen = ''
  await until(
    () => `nobody at the gateway, which counts ${seen}`,
    async () => {
      seen = await fetch(`http://127.0.0.1:${adminPort}/queue`).then(answer => answer.text())
      return !/"Concurrency":[1-9]/.test(seen)
    },
  )
}

export async function untilHeld(door: Door, count: number): Promise<void> {
  let seen = -1
  await until(
    () => `${count} requests that wait at the gateway, which has ${seen}: ${door.output().slice(-2_000)}`,
    async () => {
      seen = await heldAt(door)
      return seen === count
    },
  )
}

/** Asks while the target sleeps, and wakes it when the request waits at the gateway. */
export async function woken<Answer>(target: TriedTarget, door: Door, ask: () => Promise<Answer>): Promise<Answer> {
  await target.sleep(door)
  await untilHeld(door, 0)
  const answer = ask()
  // What fails before it waits is told by the answer.
  await Promise.race([untilHeld(door, 1), answer])
  await target.wake()
  const said = await answer
  return said
}

function targetServer(onTaken: (bytes: number) => void) {
  const server = createServer((asked, answer) => {
    const url = new URL(asked.url ?? '/', 'http://target')
    // What it got: its head, and how long its body was.
    if (url.pathname === '/told') {
      let bytes = 0
      asked.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        onTaken(chunk.length)
      })
      asked.once('end', () => answer.end(JSON.stringify({ headers: asked.headers, bytes })))
      return
    }
    if (url.pathname === '/events') {
      answer.writeHead(200, { 'content-type': 'text/event-stream' })
      let number = 0
      const timer = setInterval(() => answer.write(`id: ${++number}\ndata: event ${number}\n\n`), eventEachMs)
      answer.once('close', () => clearInterval(timer))
      return
    }
    const afterMs = Number(url.searchParams.get('after') ?? 0)
    const say = () => answer.writeHead(200, { 'content-type': 'text/html' }).end(page)
    if (afterMs > 0) setTimeout(say, afterMs)
    else say()
  })
  // Says back each short text that it gets.
  server.on('upgrade', (asked, socket) => {
    const accept = createHash('sha1').update(`${asked.headers['sec-websocket-key']}${guid}`).digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    let rest = Buffer.alloc(0)
    socket.on('error', () => socket.destroy())
    socket.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes])
      while (rest.length >= 6) {
        const length = (rest[1] ?? 0) & ~maskBit
        if (rest[0] !== maskedTextByte || length > mostFrame) return void socket.end()
        if (rest.length < 6 + length) return
        const mask = rest.subarray(2, 6)
        const text = Buffer.from(rest.subarray(6, 6 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0)))
        socket.write(Buffer.concat([Buffer.from([maskedTextByte, length]), text]))
        rest = rest.subarray(6 + length)
      }
    })
  })
  return server
}
