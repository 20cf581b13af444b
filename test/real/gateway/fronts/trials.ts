// What is tried through whatever stands before the gateway: each request meets a target that sleeps, and what comes of it is what it had
// been without a front.
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert'
import type { LookupFunction } from 'node:net'
import { Readable } from 'node:stream'
import { Agent, type Dispatcher, request, WebSocket } from 'undici'
import { until } from '../../metrics/servers.ts'
import type { Door } from '../site.ts'
import { type TriedTarget, untilHeld, woken } from '../tried-target.ts'

export interface Front {
  readonly name: string
  readonly port: number
  /** What stands in `X-Forwarded-For` after the client: addresses of fronts. None where it only passes bytes on. */
  readonly hops: readonly string[]
}

/** A name of the route's and where clients of the front ask it; the machine's DNS has neither. */
export const host = 'ollama.home.arpa'
/** Known to fronts, and no route's. */
export const strangeHost = 'nobody.home.arpa'
/** Not the front's own address, so that both can be told apart. */
const clientAddress = '127.0.0.7'
const uploadBytes = 32 * 1024 * 1024
const chunk = Buffer.alloc(64 * 1024)
/** A front that keeps events back would send many at once. */
const mostEventsAtOnce = 20
const events = 5
/** Against hanging only. */
const limitMs = 60_000

export interface Trial {
  readonly target: TriedTarget
  readonly door: Door
  readonly front: Front
}

/** @returns what was seen, in few words */
export async function tryFront(trial: Trial): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const lookup: LookupFunction = (_name, _options, callback) => callback(null, '127.0.0.1', 4)
  const agent = new Agent({ headersTimeout: limitMs, bodyTimeout: limitMs, localAddress: clientAddress, connect: { lookup } })
  stack.defer(() => agent.destroy())
  const { front } = trial
  const one = { ...trial, agent, site: `http://${host}:${front.port}` }
  const done: string[] = []
  for (const [name, tried] of Object.entries({ heads, unknownHost, webSocket, eventStream, upload, page })) {
    try {
      await tried(one)
    } catch (cause) {
      throw new Error(`${front.name}, ${name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    }
    done.push(name)
  }
  return `${front.name}: ${done.join(', ')}`
}

interface Tried extends Trial {
  readonly agent: Agent
  readonly site: string
}

/** Cold and warm, the target hears of the client and of the name that it asked for. */
async function heads({ target, door, front, agent, site }: Tried): Promise<void> {
  const ask = async () => {
    const answer = await request(`${site}/told`, { dispatcher: agent })
    const text = await answer.body.text()
    strictEqual(answer.statusCode, 200, text)
    return { isCold: answer.headers['x-keda-http-cold-start'], told: JSON.parse(text).headers }
  }
  for (const [isCold, { isCold: said, told }] of [
    ['true', await woken(target, door, ask)],
    ['false', await ask()],
  ] as const) {
    strictEqual(said ?? 'false', isCold)
    strictEqual(told.host, `${host}:${front.port}`)
    deepStrictEqual(told['x-forwarded-for'].split(', '), [clientAddress, ...front.hops])
    strictEqual(told['x-forwarded-proto'], 'http')
    strictEqual(told['x-forwarded-host'], `${host}:${front.port}`)
  }
}

/** The gateway's own answer comes back. */
async function unknownHost({ agent, front }: Tried): Promise<void> {
  const answer = await request(`http://${strangeHost}:${front.port}/`, { dispatcher: agent })
  strictEqual(answer.statusCode, 404)
  strictEqual(await answer.body.text(), 'Not Found\n')
}

async function webSocket({ target, door, agent, site }: Tried): Promise<void> {
  const ask = () => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const socket = new WebSocket(`${site.replace('http', 'ws')}/`, { dispatcher: agent })
    socket.addEventListener('open', () => socket.send('hello'))
    socket.addEventListener('error', () => reject(new Error('the WebSocket failed')))
    socket.addEventListener('message', ({ data }) => {
      socket.close()
      resolve(data)
    })
    return promise
  }
  strictEqual(await woken(target, door, ask), 'hello')
}

/** Events come one by one, and not when a buffer is full. */
async function eventStream({ target, door, agent, site }: Tried): Promise<void> {
  const { body } = await woken(target, door, () => request(`${site}/events`, { dispatcher: agent }))
  let text = ''
  for await (const piece of body) {
    const most = String(piece).match(/^data: /gm)?.length ?? 0
    ok(most <= mostEventsAtOnce, `${most} events at once`)
    text += String(piece)
    if (text.includes(`event ${events}\n`)) break
  }
  match(text, /^id: 1\ndata: event 1\n/)
}

/** The target has the beginning before the client sends the end, and all of it in the end. */
async function upload({ target, door, agent, site }: Tried): Promise<void> {
  const before = target.taken()
  async function* body() {
    for (let sent = 0; sent < uploadBytes; sent += chunk.length) {
      if (sent === uploadBytes / 2) await until('the target to have a first part', () => target.taken() > before)
      yield chunk
    }
  }
  const answer = await woken(target, door, () =>
    request(`${site}/told`, { dispatcher: agent, method: 'POST', body: Readable.from(body()) }),
  )
  const text = await answer.body.text()
  strictEqual(answer.statusCode, 200, text)
  strictEqual(JSON.parse(text).bytes, uploadBytes)
}

/** People are shown the page, and what it listens to says when to go on. */
async function page({ target, door, agent, site }: Tried): Promise<void> {
  await target.sleep(door)
  await untilHeld(door, 0)
  const headers = { accept: 'text/html', 'upgrade-insecure-requests': '1' }
  const answer = await request(`${site}/deep?link=1`, { dispatcher: agent, headers })
  strictEqual(answer.statusCode, 503)
  const shown = await answer.body.text()
  match(shown, /is starting/)
  ok(answer.headers['retry-after'] !== undefined)
  const [listened] = /\/\.ballast\/progress\?for=[^"]+/.exec(shown) ?? []
  const progress = await request(`${site}${listened}`, { dispatcher: agent, headers: { accept: 'text/event-stream' } })
  strictEqual(progress.statusCode, 200)
  strictEqual(await toldReady(target, progress.body), true)
  const after = await request(`${site}/deep?link=1`, { dispatcher: agent, headers })
  strictEqual(after.statusCode, 200)
  match(await after.body.text(), /awake/)
}

/** Wakes the target when a first event is there. @returns whether a later one says that it is ready */
async function toldReady(target: TriedTarget, body: Dispatcher.ResponseData['body']): Promise<boolean> {
  let text = ''
  let isWoken = false
  for await (const piece of body) {
    text += String(piece)
    if (!isWoken && text.includes('event: progress\n')) {
      isWoken = true
      await target.wake()
    }
    if (text.includes('event: ready\n')) return true
  }
  return false
}
