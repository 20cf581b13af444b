// Device plugins before a kubelet that is played, each a process: Intel's own and ours with the same flags on the same cards. How long a plugin takes
// to be known to a kubelet that starts anew, what it answers in, and what it costs at rest.

import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { pluginMethods } from '../src/capabilities/devices/plugin/plugin-api.ts'
import { setup, teardown } from '../test/cli/bundled.ts'
import { type Files, intelCard, merged } from '../test/real/devices/device-trees.ts'
import { type PluginProcess, startPlugin } from '../test/real/devices/plugin-process.ts'
import { upstreamPath } from '../test/real/upstreams/build.ts'

/** As the image has it. */
await setup()
const ours = [process.execPath, '--max-semi-space-size=1', join(process.env['BALLAST_BUNDLE'] ?? '', 'ballast.mjs')]
const theirs = [await upstreamPath('intel-gpu-plugin')]
const restarts = Number(process.env['BENCH_RESTARTS'] ?? 200)
const calls = 4_000
const callers = 8
/** Less than upstream's program answers at most. */
const perSecond = 200
const callsAtRate = 4_000
const idleSeconds = Number(process.env['BENCH_IDLE_SECONDS'] ?? 60)

const cards = (count: number): Files =>
  merged(
    ...Array.from({ length: count }, (_, number) =>
      intelCard(number, {
        address: `0000:${number.toString(16).padStart(2, '0')}:00.0`,
        render: 128 + number,
        driver: ['i915', 'xe', 'vfio-pci', 'other'][number % 4] ?? 'xe',
      }),
    ),
  )

const sorted = (values: readonly number[]) => [...values].sort((left, right) => left - right)
const quantile = (values: readonly number[], at: number) =>
  sorted(values)[Math.min(values.length - 1, Math.floor(values.length * at))] ?? 0
const ms = (values: readonly number[]) =>
  `p50 ${quantile(values, 0.5).toFixed(2)} ms, p99 ${quantile(values, 0.99).toFixed(2)} ms`
const mib = (bytes: number) => `${(bytes / 1_048_576).toFixed(0)} MiB`

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}

const known =
  ({ kubelet }: PluginProcess, resources: number) =>
  () =>
    [...kubelet.endpoints.keys()].filter(resource => kubelet.ids(resource).length > 0).length === resources

const limitMs = 15_000

/** Until it is so, the plugin ended, or it takes too long. */
async function settled({ program }: PluginProcess, done: () => boolean): Promise<void> {
  const startMs = performance.now()
  while (!done() && !program.hasEnded() && performance.now() - startMs < limitMs)
    await new Promise(resolve => setTimeout(resolve, 2))
}

/** From a kubelet's socket, made anew, to all lists. */
async function restarted(name: string, program: readonly string[]): Promise<void> {
  await using plugin = await startPlugin(cards(4), tree => [...program, `-prefix=${tree}`])
  await plugin.kubelet.until(known(plugin, 4))
  const files = () => readdirSync(`/proc/${plugin.program.pid}/fd`).length
  const before = { files: files(), rss: plugin.program.memory().rss }
  const took: number[] = []
  for (let round = 0; round < restarts; round += 1) {
    await plugin.kubelet.stop()
    took.push(
      await timed(async () => {
        await plugin.kubelet.start()
        await settled(plugin, known(plugin, 4))
      }),
    )
    if (plugin.program.hasEnded() || !known(plugin, 4)()) {
      console.log(
        `${name}: it ended, or was not known after ${limitMs} ms, when the kubelet started anew for the ${round + 1}. time: ${plugin.program.log().split('\n').at(-1)}`,
      )
      return
    }
  }
  const after = { files: files(), rss: plugin.program.memory().rss }
  console.log(
    `${name}: ${restarts} kubelets started anew, 4 resources known again: ${ms(took)}; files ${before.files} to ${after.files}, memory ${mib(before.rss)} to ${mib(after.rss)}`,
  )
}

/** 64 cards of one driver with ten shares each. */
async function sharing64(program: readonly string[]): Promise<PluginProcess> {
  const files = merged(
    ...Array.from({ length: 64 }, (_, number) =>
      intelCard(number, { address: `0000:${number.toString(16).padStart(2, '0')}:00.0`, render: 128 + number, driver: 'xe' }),
    ),
  )
  const plugin = await startPlugin(files, tree => [...program, '-shared-dev-num=10', `-prefix=${tree}`])
  await plugin.kubelet.until(known(plugin, 1))
  return plugin
}

const allocate = ({ kubelet }: PluginProcess, number: number) =>
  kubelet.call('gpu.intel.com/xe', pluginMethods.allocate, {
    containerRequests: [{ deviceIds: [`card${number % 64}-${number % 10}`] }],
  })

/** As many calls as both sides' processors can do, eight at a time: what is measured is the work of a call, and the tail is the waits of a full machine. */
async function allocated(name: string, program: readonly string[]): Promise<void> {
  await using plugin = await sharing64(program)
  const took: number[] = []
  let next = 0
  const call = async () => {
    for (let number = next++; number < calls; number = next++) took.push(await timed(() => allocate(plugin, number)))
  }
  const wholeMs = await timed(() => Promise.all(Array.from({ length: callers }, call)))
  console.log(
    `${name}: Allocate, ${callers} callers: ${ms(took.slice(callers * 10))}, ${(calls / (wholeMs / 1_000)).toFixed(0)} a second`,
  )
}

/**
 * The same calls at a rate that both can serve. A call whose caller still waits for the one before when it is due is timed from when it was due.
 */
async function allocatedAtRate(name: string, program: readonly string[]): Promise<void> {
  await using plugin = await sharing64(program)
  const took: number[] = []
  const startMs = performance.now()
  const call = async (caller: number) => {
    for (let number = caller; number < callsAtRate; number += callers) {
      const dueMs = startMs + (number * 1_000) / perSecond
      const waitMs = dueMs - performance.now()
      if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs))
      const fromMs = waitMs > 0 ? performance.now() : dueMs
      await allocate(plugin, number)
      took.push(performance.now() - fromMs)
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)))
  console.log(`${name}: Allocate, ${callers} callers, ${perSecond} a second: ${ms(took.slice(callers * 10))}`)
}

/** Eight cards with 128 shares each, eight wanted. */
async function preferred(name: string, program: readonly string[], policy: string): Promise<void> {
  const files = merged(
    ...Array.from({ length: 8 }, (_, number) =>
      intelCard(number, { address: `0000:0${number}:00.0`, render: 128 + number, driver: 'xe' }),
    ),
  )
  const flags = ['-shared-dev-num=128', `-allocation-policy=${policy}`]
  await using plugin = await startPlugin(files, tree => [...program, ...flags, `-prefix=${tree}`])
  await plugin.kubelet.until(known(plugin, 1))
  const availableDeviceIds = plugin.kubelet.ids('gpu.intel.com/xe')
  const took: number[] = []
  for (let number = 0; number < 1_000; number += 1)
    took.push(
      await timed(() =>
        plugin.kubelet.call('gpu.intel.com/xe', pluginMethods.preferred, {
          containerRequests: [{ availableDeviceIds, mustIncludeDeviceIds: [], allocationSize: 8 }],
        }),
      ),
    )
  console.log(`${name}: GetPreferredAllocation ${policy}, with the call itself: ${ms(took.slice(100))}`)
}

async function idle(
  name: string,
  command: (tree: string) => readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  await using plugin = await startPlugin(cards(2), command, env)
  await plugin.kubelet.until(known(plugin, 2))
  // What belongs to the start is over after a minute: the last of it gives back the memory that the start took.
  await new Promise(resolve => setTimeout(resolve, 65_000))
  const startSeconds = plugin.program.cpuSeconds()
  await new Promise(resolve => setTimeout(resolve, idleSeconds * 1_000))
  const millicores = ((plugin.program.cpuSeconds() - startSeconds) / idleSeconds) * 1_000
  if (plugin.program.hasEnded()) throw new Error(`${name} ended: ${plugin.program.log()}`)
  const { rss, pss } = plugin.program.memory()
  console.log(
    `${name}, at rest for ${idleSeconds} s with 2 cards: ${mib(rss)} resident (${mib(pss)} its own), ${millicores.toFixed(1)} millicores`,
  )
}

/** Takes what it is sent, and has nothing. */
async function emptyServer(): Promise<{ readonly url: string } & Disposable> {
  const published = new Map<string, unknown>()
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json')
    const answer = (code: number, body: unknown) => {
      response.statusCode = code
      response.end(JSON.stringify(body))
    }
    const path = request.url?.split('?')[0] ?? ''
    if (request.method !== 'POST')
      answer(
        published.has(path) ? 200 : 404,
        published.get(path) ?? { kind: 'Status', apiVersion: 'v1', code: 404, reason: 'NotFound' },
      )
    else
      json(request).then(
        body => {
          published.set(`${path}/bench`, body)
          answer(201, body)
        },
        (error: unknown) => response.destroy(error instanceof Error ? error : undefined),
      )
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  // The cast: a server that listens on an address and a port has both.
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, [Symbol.dispose]: () => void server.close() }
}

console.log(`${cpus().length} × ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(1)}, Node ${process.version}`)
const programs = [
  ['ours', [...ours, 'intel-gpu-plugin']],
  ['upstream', theirs],
] as const
for (const [name, program] of programs) await restarted(name, program)
for (const [name, program] of programs) await allocated(name, program)
for (const [name, program] of programs) await allocatedAtRate(name, program)
for (const policy of ['none', 'balanced', 'packed'])
  for (const [name, program] of programs) await preferred(name, program, policy)
for (const [name, program] of programs) await idle(name, tree => [...program, `-prefix=${tree}`])
using server = await emptyServer()
const kubeconfig = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'here', cluster: { server: server.url } }],
  contexts: [{ name: 'here', context: { cluster: 'here', user: 'nobody' } }],
  users: [{ name: 'nobody', user: {} }],
  'current-context': 'here',
})
/** The machine of the agent is below its prefix by mounts over its own places, as in a pod. */
const agent = (roles: string) => (tree: string) => [
  'sh',
  '-c',
  `mkdir -p /run/bench; printf %s "$KUBECONFIG_TEXT" > /run/bench/kubeconfig; for place in class devices bus; do [ ! -d ${tree}/sys/$place ] || mount -t overlay -o lowerdir=${tree}/sys/$place:/sys/$place overlay /sys/$place; done; mkdir -p /dev/dri; mount -t tmpfs tmpfs /dev/dri; cp ${tree}/dev/dri/* /dev/dri/; exec "$@"`,
  'agent',
  ...ours,
  'agent',
  `--role=${roles}`,
  '--kubeconfig=/run/bench/kubeconfig',
  '--node-name=bench',
]
for (const roles of ['devices', 'features,devices'])
  await idle(`ballast agent --role=${roles}`, agent(roles), { KUBECONFIG_TEXT: kubeconfig })
teardown()
