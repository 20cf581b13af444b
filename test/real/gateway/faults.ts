// What requests live through: replicas that are killed or rolled, an API server that is away, endpoints that come and go.
import { ok, strictEqual } from 'node:assert'
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net'
import { systemClock } from '#kube/clock.ts'
import { commandLine } from '../../cli/bundled.ts'
import { until } from '../metrics/servers.ts'
import { backendObjects, collectionPath, GatewaySite, machineAddress } from './site.ts'

const heldCount = 200
const clientCount = 16
const outageMs = 15_000
/** A request that is not answered by then waits for its target. */
const longMs = 1_000
const slice = `${collectionPath('EndpointSlice')}/app-1`
const command = [process.execPath, commandLine]

/** `200 awake`, or what went wrong. */
function ask(port: number, agent: Agent | false = false): Promise<string> {
  return new Promise(resolve => {
    const asked = request({ host: '127.0.0.1', port, path: '/', headers: { host: 'app.test' }, agent }, answer => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      answer.on('error', ({ message }) => resolve(`broken: ${message}`))
      answer.on('end', () => resolve(`${answer.statusCode} ${text}`))
    })
    asked.on('error', ({ message }) => resolve(`lost: ${message}`))
    asked.end()
  })
}

async function open(isReady: boolean) {
  await using stack = new AsyncDisposableStack()
  const backend = createServer((_request, answer) => void answer.end('awake')).listen(0, '0.0.0.0')
  await once(backend, 'listening')
  stack.defer(() => {
    backend.closeAllConnections()
    backend.close()
  })
  const port = (backend.address() as AddressInfo).port
  const site = stack.use(await GatewaySite.start())
  await site.make([
    ...backendObjects('app', port, isReady),
    {
      apiVersion: 'http.keda.sh/v1beta1',
      kind: 'InterceptorRoute',
      metadata: { name: 'app', namespace: 'default' },
      spec: {
        target: { service: 'app', port },
        rules: [{ hosts: ['app.test'] }],
        scalingMetric: { concurrency: { targetValue: 1_000 } },
      },
    },
  ])
  const makeReady = (ready: boolean) =>
    site.plane.client.want('PATCH', slice, { endpoints: [{ addresses: [machineAddress()], conditions: { ready } }] })
  const own = stack.move()
  return { site, makeReady, [Symbol.asyncDispose]: () => own.disposeAsync() }
}

const counted = (answers: readonly string[]): Readonly<Record<string, number>> =>
  Object.fromEntries([...Map.groupBy(answers, one => one)].map(([one, list]) => [one, list.length]))

async function waitingAt(adminPort: number): Promise<number> {
  const queue: unknown = await (await fetch(`http://127.0.0.1:${adminPort}/queue`)).json()
  return Object(Object(queue)['default/app'])['Concurrency'] ?? 0
}

/** Requests that wait at a replica which is killed are told so; those at the other one are answered. */
export async function killedWithHeld(): Promise<string> {
  await using world = await open(false)
  const [first, second] = [await world.site.ours(command), await world.site.ours(command)]
  const held = [first, second].map(({ port }) => Promise.all(Array.from({ length: heldCount }, () => ask(port))))
  for (const { adminPort } of [first, second]) await until('all to wait', async () => (await waitingAt(adminPort)) === heldCount)
  process.kill(first.pid, 'SIGKILL')
  const lost = counted((await held[0]) ?? [])
  for (const one of Object.keys(lost)) ok(/^lost: (socket hang up|read ECONNRESET)$/.test(one), JSON.stringify(lost))
  strictEqual(await waitingAt(second.adminPort), heldCount)
  await world.makeReady(true)
  const answered = counted((await held[1]) ?? [])
  strictEqual(answered['200 awake'], heldCount, JSON.stringify(answered))
  return `${heldCount} at the killed one ended without half an answer, ${heldCount} at the other were answered`
}

/** Two replicas behind what a Service does: connections go to those that are ready; one after the other is replaced under load. */
export async function rolled(): Promise<string> {
  await using world = await open(true)
  const more = { drain: { delay: '2s', timeout: '20s' } }
  const doors = [await world.site.ours(command, more), await world.site.ours(command, more)]
  let turn = 0
  const chooser = createTcpServer(socket => {
    const door = doors[turn++ % doors.length]
    if (door === undefined) return void socket.destroy()
    const to = connect(door.port, '127.0.0.1')
    socket.pipe(to).pipe(socket)
    // The other end hears of either end.
    for (const [one, other] of [
      [socket, to],
      [to, socket],
    ] as const)
      one.on('error', () => other.destroy()).on('close', () => other.destroy())
  }).listen(0, '127.0.0.1')
  await once(chooser, 'listening')
  const { port } = chooser.address() as AddressInfo
  const agent = new Agent({ keepAlive: true, maxSockets: clientCount })
  const answers: string[] = []
  let isOver = false
  const load = Array.from({ length: clientCount }, async () => {
    while (!isOver) answers.push(await ask(port, agent))
  })
  for (let count = 0; count < 2; count++) {
    const before = answers.length
    await until('requests to come', async () => answers.length > before + 200)
    const next = await world.site.ours(command, more)
    const old = doors.shift()
    doors.push(next)
    const ended = old?.stop()
    await ended
  }
  isOver = true
  await Promise.all(load)
  agent.destroy()
  chooser.close()
  const all = counted(answers)
  strictEqual(all['200 awake'], answers.length, JSON.stringify(all))
  return `both of two replaced under load: ${answers.length} requests on kept connections, none lost`
}

/** Requests go on while nobody answers questions about the cluster. */
export async function withoutServer(): Promise<string> {
  await using world = await open(true)
  const door = await world.site.ours(command)
  await until('the route to be known', async () => (await ask(door.port)) === '200 awake')
  const answers: string[] = []
  const goOn = world.site.plane.haltServer()
  try {
    const endMs = performance.now() + outageMs
    while (performance.now() < endMs) answers.push(await ask(door.port))
  } finally {
    goOn()
  }
  strictEqual(counted(answers)['200 awake'], answers.length, JSON.stringify(counted(answers)))
  await world.makeReady(false)
  let asked = ask(door.port)
  await until('the gateway to hear of what changed since', async () => {
    const waits = await Promise.race([asked.then(() => false), systemClock.after(longMs).then(() => true)])
    if (!waits) asked = ask(door.port)
    return waits
  })
  await world.makeReady(true)
  strictEqual(await asked, '200 awake')
  return `${answers.length} requests answered in ${outageMs / 1_000} s without the API server; what changed after it was heard of`
}

/** Endpoints that come and go: who comes meanwhile waits or is answered. */
export async function flapping(): Promise<string> {
  await using world = await open(true)
  const door = await world.site.ours(command)
  await until('the route to be known', async () => (await ask(door.port)) === '200 awake')
  const agent = new Agent({ keepAlive: true, maxSockets: clientCount })
  const answers: string[] = []
  let isOver = false
  const load = Array.from({ length: clientCount }, async () => {
    while (!isOver) answers.push(await ask(door.port, agent))
  })
  const flaps = 50
  for (let flap = 0; flap < flaps; flap++) {
    const before = answers.length
    await world.makeReady(flap % 2 === 1)
    if (flap % 2 === 1) await until('answers to come again', async () => answers.length > before)
  }
  isOver = true
  await Promise.all(load)
  agent.destroy()
  strictEqual(counted(answers)['200 awake'], answers.length, JSON.stringify(counted(answers)))
  return `${flaps} changes of an endpoint's readiness under ${answers.length} requests: all were answered`
}
