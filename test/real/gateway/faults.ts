// What goes wrong around a gateway: it is killed with requests that wait, it is rolled, the API server says nothing, its target flaps.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { needProgramsOfImage } from '../image/programs-of-image.ts'
import { until } from '../metrics/servers.ts'
import type { Door, OwnDoor } from './site.ts'
import { heldAt, TriedTarget, untilHeld } from './tried-target.ts'

const heldCount = 40
const clients = 8
const awayMs = 20_000
const flapEachMs = 200
const flaps = 50
const lookMs = 50
/** How long a balancer has to notice that a gateway ends, and to send nothing more there. */
const drain = { delay: '2s', timeout: '30s' }
/** Answers of the target take so long, so that a gateway that ends has requests under way. */
const slowMs = 30
/** Against hanging only. */
const limitMs = 120_000

/** Killed with requests that wait: its clients hear the end of the connection and no half answer; another replica loses none. */
export async function killedWithHeld(): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const target = stack.use(await TriedTarget.open())
  const [killed, other] = await Promise.all([target.door(), target.door()])
  const agent = openAgent(stack)
  const at = (door: Door) => Array.from({ length: heldCount }, () => asked(door.port, agent))
  const [lost, kept] = [at(killed), at(other)]
  for (const door of [killed, other]) await untilHeld(door, heldCount)
  killed.signal('SIGKILL')
  const ends = new Set(await Promise.all(lost))
  for (const end of ends) ok(/^(UND_ERR_SOCKET|ECONNRESET|EPIPE)$/.test(end), [...ends].join())
  await until('the port to be free', async () => (await asked(killed.port, agent)) === 'ECONNREFUSED')
  strictEqual(await heldAt(other), heldCount)
  const next = await target.door()
  const again = at(next)
  await untilHeld(next, heldCount)
  await target.wake()
  deepStrictEqual(new Set(await Promise.all([...kept, ...again])), new Set(['200']))
  for (const door of [other, next]) await untilHeld(door, 0)
  return `${heldCount} held requests end with ${[...ends].join(' or ')}; ${heldCount} of another replica are answered, and those that come again to the next`
}

/** One after the other is replaced behind a chooser of connections while requests are under way and others wait. */
export async function rolled(dataPlane: 'builtin' | 'haproxy'): Promise<string> {
  if (dataPlane === 'haproxy') await needProgramsOfImage()
  const more = { drain, dataPlane }
  await using stack = new AsyncDisposableStack()
  const target = stack.use(await TriedTarget.open())
  const doors = await Promise.all([target.door(more), target.door(more)])
  const chooser = await startChooser(stack, doors)
  const agent = openAgent(stack)

  const held = Array.from({ length: heldCount }, () => asked(chooser.port, agent))
  await until('held requests', async () => (await Promise.all(doors.map(heldAt))).reduce((sum, one) => sum + one) === heldCount)
  const first = await replaced(target, chooser, doors[0], more)
  await target.wake()
  deepStrictEqual(new Set(await Promise.all(held)), new Set(['200']))
  await first.gone

  const load = startLoad(chooser.port, agent, `/?after=${slowMs}`)
  await until('requests', () => load.answered() > 100)
  for (const door of [doors[1], first.next]) {
    const { gone } = await replaced(target, chooser, door, more)
    await gone
  }
  const { answered, failed } = await load.stop()
  deepStrictEqual(failed, [])
  return `three of two replicas replaced: ${heldCount} held requests and ${answered} under way by kept connections, none failed`
}

/** It says nothing for a while; nobody who asks what is awake notices. */
export async function serverAway(): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const target = stack.use(await TriedTarget.open())
  const door = await target.door()
  await target.wake()
  const agent = openAgent(stack)
  strictEqual(await asked(door.port, agent), '200')
  const load = startLoad(door.port, agent, '/?after=1')
  const goOn = target.site.plane.haltServer()
  try {
    await pause(awayMs)
  } finally {
    goOn()
  }
  const { answered, failed } = await load.stop()
  deepStrictEqual(failed, [])
  // It hears of changes again.
  await target.sleep(door)
  const late = asked(door.port, agent)
  await untilHeld(door, 1)
  await target.wake()
  strictEqual(await late, '200')
  return `${answered} warm requests while kube-apiserver was stopped for ${awayMs / 1_000} s, none failed`
}

/** Ready and not, over and over, while requests come: they wait or go on, and none fails. */
export async function flapping(): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const target = stack.use(await TriedTarget.open())
  const door = await target.door()
  await target.wake()
  const agent = openAgent(stack)
  strictEqual(await asked(door.port, agent), '200')
  const load = startLoad(door.port, agent, `/?after=${slowMs}`)
  for (let at = 0; at < flaps; at++) {
    await target.setReady(at % 2 === 1)
    await pause(flapEachMs)
  }
  await target.setReady(true)
  const { answered, cold, failed } = await load.stop()
  deepStrictEqual(failed, [])
  ok(cold > 0, 'no request met the target while it was not ready')
  return `${flaps} changes, one each ${flapEachMs} ms: ${answered} answered, ${cold} of them after a wait, none failed`
}

function openAgent(stack: AsyncDisposableStack): Agent {
  const agent = new Agent({ headersTimeout: limitMs })
  stack.defer(() => agent.destroy())
  return agent
}

/** The status, or the code of what went wrong. A body that ends too early is an error. */
async function asked(port: number, agent: Agent, path = '/'): Promise<string> {
  return (await answerOf(port, agent, path)).status
}

async function answerOf(
  port: number,
  agent: Agent,
  path: string,
): Promise<{ readonly status: string; readonly isCold: boolean }> {
  try {
    const { statusCode, headers, body } = await request(`http://127.0.0.1:${port}${path}`, {
      dispatcher: agent,
      headers: { host: 'web.test' },
    })
    const text = await body.text()
    const isWhole = statusCode !== 200 || text.includes('awake')
    return { status: isWhole ? String(statusCode) : `200 with ${text}`, isCold: headers['x-keda-http-cold-start'] === 'true' }
  } catch (error) {
    return { status: String(Reflect.get(Object(error), 'code') ?? error), isCold: false }
  }
}

/** Clients that ask again as soon as they are answered, by connections that they keep. */
function startLoad(port: number, agent: Agent, path: string) {
  let answered = 0
  let cold = 0
  let isOver = false
  const failed: string[] = []
  const all = Array.from({ length: clients }, async () => {
    while (!isOver) {
      const { status, isCold } = await answerOf(port, agent, path)
      if (status === '200') answered++
      else failed.push(status)
      if (isCold) cold++
      // An end of the connection that is told at once would be asked for without end.
      if (failed.length > clients) return
    }
  })
  return {
    answered: () => answered,
    async stop() {
      isOver = true
      await Promise.all(all)
      return { answered, cold, failed }
    },
  }
}

interface Chooser {
  readonly port: number
  /** Has it send new connections there too. */
  add(door: Door): void
}

/** As a Service does: each new connection goes to one of those that are ready; those that are there stay. */
async function startChooser(stack: AsyncDisposableStack, doors: readonly Door[]): Promise<Chooser> {
  const known = [...doors]
  let ready: readonly Door[] = doors
  let turn = 0
  let isOver = false
  const sockets = new Set<Socket>()
  const look = async () => {
    while (!isOver) {
      const seen = await Promise.all(known.map(async door => ((await isReady(door)) ? [door] : [])))
      ready = seen.flat()
      await pause(lookMs)
    }
  }
  const server = createServer(client => {
    const door = ready[turn++ % ready.length]
    if (door === undefined) return void client.destroy()
    const there = connect(door.port, '127.0.0.1')
    const pair = [client, there] as const
    for (const [one, other] of [pair, [there, client] as const]) {
      sockets.add(one)
      one.pipe(other)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const looking = look()
  stack.defer(async () => {
    isOver = true
    await looking
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, add: door => void known.push(door) }
}

const isReady = ({ adminPort }: Door): Promise<boolean> =>
  fetch(`http://127.0.0.1:${adminPort}/readyz`).then(
    ({ ok: is }) => is,
    () => false,
  )

/** A new one takes its place, and it is told to end. */
async function replaced(
  target: TriedTarget,
  chooser: Chooser,
  door: OwnDoor,
  more: Readonly<Record<string, unknown>>,
): Promise<{ readonly next: OwnDoor; readonly gone: Promise<void> }> {
  const next = await target.door(more)
  chooser.add(next)
  door.signal('SIGTERM')
  await until('it to say that it ends', async () => !(await isReady(door)))
  return { next, gone: until('its end', () => door.hasEnded()) }
}
