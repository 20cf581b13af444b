// Three gateways on addresses of their own, which find each other by the Service's EndpointSlice: one is killed with requests that wait, and the
// others' scalers agree all the while. Loopback addresses would not do: EndpointSlices refuse them.
import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { spawnSync } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { PartUnavailable } from '../cache.ts'
import { freePorts } from '../control-plane/free-ports.ts'
import { atEnd } from '../endings.ts'
import { needPrograms } from '../machine-programs.ts'
import { until } from '../metrics/servers.ts'
import { runCommand } from '../run-command.ts'
import { type RouteNumbers, ScalerClient } from './scaler-client.ts'
import { collectionPath, type OwnDoor, type ReplicaPlace } from './site.ts'
import { TriedTarget } from './tried-target.ts'

const namespace = 'ballast-system'
/** Requests that wait at each, so that every sum says who is in it. */
const heldAt = [10, 15, 20] as const
const lookMs = 25
/** How long the dead one stays in the endpoints, as a node needs to notice. */
const unnoticedMs = 3_000
/** Another count is known at a replica after a round of asking, and a little. */
const agreedMs = 2_000
/** Against hanging only. */
const limitMs = 120_000
/** Addresses for documentation: nobody has them. */
const network = '198.51.100'
const lastHost = 250

interface Replica {
  readonly place: ReplicaPlace
  readonly door: OwnDoor
  readonly scaler: ScalerClient
}

export async function killedReplica(): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const target = stack.use(await TriedTarget.open())
  const { client } = target.site.plane
  await client.want('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  const addresses = await ownAddresses(stack, heldAt.length)
  const [traffic = 0, admin = 0, scaler = 0] = await freePorts(3)
  const replica = async (address: string, index: number): Promise<Replica> => {
    const place = { pod: `ballast-gateway-${index}`, address, ports: { traffic, admin, scaler } }
    const door = await target.door({}, place)
    const asked = new ScalerClient(address, scaler)
    stack.defer(() => asked.close())
    return { place, door, scaler: asked }
  }
  const all = await Promise.all(addresses.map(replica))
  const path = `${collectionPath('EndpointSlice', namespace)}/ballast-gateway-1`
  const slice = sliceOf(all.map(({ place }) => place))
  await client.want('POST', collectionPath('EndpointSlice', namespace), slice)

  const agent = new Agent({ headersTimeout: limitMs, connections: null })
  stack.defer(() => agent.destroy())
  const held = all.map(({ place }, index) => Array.from({ length: heldAt[index] ?? 0 }, () => asked(place, agent)))
  const [dead, second, third] = all
  if (dead === undefined || second === undefined || third === undefined) throw new Error('three replicas')
  const [sum, left] = [sumOf(heldAt), sumOf(heldAt.slice(1))]
  await untilAll(all, sum)

  const watch = watched(stack, [second, third])
  const killedMs = Date.now()
  dead.door.signal('SIGKILL')
  const lost = new Set(await Promise.all(held[0] ?? []))
  for (const end of lost) ok(/^(UND_ERR_SOCKET|ECONNRESET|EPIPE)$/.test(end), [...lost].join())
  await pause(unnoticedMs)
  deepStrictEqual(watch.values(), [sum], 'as long as it is in the endpoints its requests count')
  const removedMs = Date.now()
  await client.want('PATCH', path, { endpoints: sliceOf([second.place, third.place]).endpoints })
  await untilAll([second, third], left)
  const followedMs = Date.now() - removedMs
  ok(followedMs <= agreedMs, `${followedMs} ms until both knew`)
  // Who watches asks by turns: its next turn comes.
  await until('the watch to see it', () => watch.values().includes(left))
  deepStrictEqual(watch.values(), [sum, left], 'never to nothing, and to nothing in between')

  // A container that is started again has its pod's address, and nothing of what waited.
  second.door.signal('SIGKILL')
  await Promise.all(held[1] ?? [])
  await until('its port to be free', async () => (await asked(second.place, agent)) === 'ECONNREFUSED')
  const again = await replica(second.place.address, 1)
  const rest = heldAt[2]
  await untilAll([again, third], rest)
  await until('the watch of the third to see it', () => watch.values(third).includes(rest))
  deepStrictEqual(watch.values(third), [sum, left, rest], 'at the third')
  const isActive = watch.all().every(numbers => numbers.isActive)
  strictEqual(isActive, true, 'wanted all the while')

  await target.wake()
  deepStrictEqual(new Set(await Promise.all(held[2] ?? [])), new Set(['200']))
  await untilAll([again, third], 0)
  return `three replicas with ${heldAt.join(', ')} held requests all say ${sum}; one is killed: the others say ${sum} while it is in the endpoints (${removedMs - killedMs} ms), and ${left} ${followedMs} ms after it left; one that is started again at its address: ${rest}; ${watch.all().length} answers, none else, and the third's are answered`
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((one, other) => one + other, 0)

/** Until each says so. */
async function untilAll(replicas: readonly Replica[], wanted: number): Promise<void> {
  let seen: readonly number[] = []
  await until(
    () =>
      `${wanted} at each, which say ${seen.join(', ')}: ${replicas.map(({ door }) => door.output().slice(-1_000)).join('\n')}`,
    async () => {
      const all = await Promise.all(replicas.map(one => one.scaler.numbers('default', 'web')))
      seen = all.map(({ value }) => value)
      return seen.every(value => value === wanted)
    },
  )
}

/** Asks again and again; one that has ended says nothing. */
function watched(stack: AsyncDisposableStack, replicas: readonly Replica[]) {
  const said: { readonly of: Replica; readonly numbers: RouteNumbers }[] = []
  const failures: unknown[] = []
  let isOver = false
  const asking = replicas.map(async of => {
    while (!isOver && !of.door.hasEnded()) {
      try {
        said.push({ of, numbers: await of.scaler.numbers('default', 'web') })
      } catch (error) {
        // A process that was killed is told as ended a little after its connections are.
        for (let looks = 0; looks < 200 && !of.door.hasEnded(); looks++) await pause(lookMs)
        if (!of.door.hasEnded()) failures.push(error)
      }
      await pause(lookMs)
    }
  })
  stack.defer(async () => {
    isOver = true
    await Promise.all(asking)
    if (failures.length > 0) throw new AggregateError(failures, 'a replica that runs did not answer')
  })
  return {
    all: () => said.map(({ numbers }) => numbers),
    /** What was said, each once, in turn. */
    values: (by?: Replica) => [
      ...new Set(said.filter(({ of }) => by === undefined || of === by).map(({ numbers }) => numbers.value)),
    ],
  }
}

/** The status, or the code of what went wrong. */
async function asked({ address, ports }: ReplicaPlace, dispatcher: Agent): Promise<string> {
  try {
    const answer = await request(`http://${address}:${ports.traffic}/`, { dispatcher, headers: { host: 'web.test' } })
    await answer.body.dump()
    return String(answer.statusCode)
  } catch (error) {
    return String(Reflect.get(Object(error), 'code') ?? error)
  }
}

function sliceOf(places: readonly ReplicaPlace[]) {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'ballast-gateway-1', namespace, labels: { 'kubernetes.io/service-name': 'ballast-gateway' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: places[0]?.ports.traffic ?? 0, protocol: 'TCP' }],
    endpoints: places.map(({ pod, address }) => ({
      addresses: [address],
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: 'Pod', name: pod, namespace },
    })),
  }
}

/** Addresses that this machine answers at as long as the check runs. @throws PartUnavailable without the right to have them */
async function ownAddresses(stack: AsyncDisposableStack, count: number): Promise<readonly string[]> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) throw new PartUnavailable('further addresses need Linux and root')
  await needPrograms('ip')
  const found: string[] = []
  const give = (address: string) => spawnSync('ip', ['address', 'delete', `${address}/32`, 'dev', 'lo'])
  // Another run may have some of them.
  for (let host = 1 + (process.pid % (lastHost - count)); found.length < count; host = (host % lastHost) + 1) {
    const address = `${network}.${host}`
    const { code, stderr } = await runCommand('ip', ['address', 'add', `${address}/32`, 'dev', 'lo'])
    if (code !== 0 && /File exists|already assigned/.test(stderr)) continue
    if (code !== 0) throw new PartUnavailable(`no further address: ${stderr.trim()}`)
    found.push(address)
    const isOver = atEnd(() => give(address))
    stack.defer(() => {
      give(address)
      isOver()
    })
  }
  return found
}
