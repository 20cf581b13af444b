// One router of ours as a program of its own, steered like the one in Go: a command a line on stdin, a JSON line for each on stdout.
// `--listen address:port`, `--security noise|tls|both`, `--zone name`, `--join address` (bootstrap), `--flood n` (keys announced at the start).
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { systemClock } from '#kube/clock.ts'
import { type Log, silentLog } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { parseContact } from '../../../../src/capabilities/mirror/peers/address.ts'
import type { Bootstrap } from '../../../../src/capabilities/mirror/peers/bootstrap/bootstrap-way.ts'
import { type RouterOptions, startRouter } from '../../../../src/capabilities/mirror/peers/router.ts'

const { values } = parseArgs({
  options: {
    listen: { type: 'string', default: '127.0.0.1:0' },
    security: { type: 'string', default: 'both' },
    zone: { type: 'string', default: '' },
    join: { type: 'string', multiple: true, default: [] },
    networks: { type: 'string', multiple: true, default: [] },
    verbose: { type: 'boolean', default: false },
  },
})
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)
const print = (facts: object, message: string) => process.stderr.write(`${message} ${JSON.stringify(facts)}\n`)
const log: Log = values.verbose
  ? { debug: print, info: print, warn: print, error: print }
  : { ...silentLog, warn: print, error: print }
const contactOf = (text: string) => {
  const parsed = parseContact(text, 5_001, 'join')
  if (!parsed.ok) throw new Error(`${text}: ${parsed.problem.expected}`)
  return parsed.value
}
const contacts = values.join.map(contactOf)
const bootstrap: Bootstrap = { find: async () => contacts }
const encryptions: readonly NonNullable<RouterOptions['encryption']>[] = ['noise', 'tls', 'both']
const encryption = encryptions.find(one => one === values.security) ?? 'both'
// The longest that nothing else could run, since it was last asked.
let longestTurnMs = 0
const watchTurns = (beganMs: number) => {
  setImmediate(() => {
    const nowMs = systemClock.elapsed()
    longestTurnMs = Math.max(longestTurnMs, nowMs - beganMs)
    systemClock.schedule(5, () => watchTurns(systemClock.elapsed()))
  })
}
watchTurns(systemClock.elapsed())

const router = await startRouter({
  address: values.listen,
  bootstrap,
  dataDirectory: '',
  version: '0.1.0',
  zone: values.zone,
  readyWhenAlone: true,
  networks: values.networks,
  clock: systemClock,
  random: systemRandom,
  log,
  encryption,
})
say({ id: router.id })

async function run([command = '', first = '', second = '']: readonly string[]): Promise<unknown> {
  const beganMs = systemClock.elapsed()
  const ms = () => systemClock.elapsed() - beganMs
  switch (command) {
    case 'join':
      contacts.push(contactOf(first))
      return { asked: first }
    case 'announce':
      await router.announce([first])
      return { announced: first, ms: ms() }
    case 'inflight':
      await router.announce([first], { validMs: Number(second) })
      return { announced: first, ms: ms() }
    case 'withdraw':
      router.withdraw([first])
      return { withdrawn: first }
    case 'flood': {
      const keys = Array.from({ length: Number(second) }, (_, index) => `sha256:${first}${`${index}`.padStart(60, '0')}`)
      longestTurnMs = 0
      const before = process.cpuUsage()
      await router.announce(keys)
      const { user, system } = process.cpuUsage(before)
      return { announced: keys.length, ms: ms(), longestTurnMs, cpuMs: (user + system) / 1_000 }
    }
    case 'lookup': {
      const found: string[] = []
      const hosts: Record<string, readonly string[]> = {}
      const agents: Record<string, string | undefined> = {}
      let firstMs: number | undefined
      for await (const peer of router.lookup(first, { count: Number(second), signal: AbortSignal.timeout(10_000) })) {
        firstMs ??= ms()
        found.push(peer.id)
        hosts[peer.id] = peer.hosts
        agents[peer.id] = peer.agent
      }
      return { found, hosts, agents, firstMs, ms: ms() }
    }
    case 'state':
      return { ...router.state(), rss: process.memoryUsage().rss, longestTurnMs }
    default:
      throw new Error(`no command ${JSON.stringify(command)}`)
  }
}

for await (const line of createInterface(process.stdin)) {
  say(await run(line.split(' ')).catch((error: unknown) => ({ error: String(error) })))
}
await router[Symbol.asyncDispose]()
