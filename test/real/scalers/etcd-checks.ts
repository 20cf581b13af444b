// The scaler of etcd against an etcd: values, errors, a user, and what its watch tells.
import { systemClock } from '#kube/clock.ts'
import { scalerKind } from '../../../src/capabilities/autoscale/scalers/registry.ts'
import { openedTrigger, scalerWorld } from '../../../src/capabilities/autoscale/scalers/testdata/scaler-world.ts'
import type { ScalerCase } from '../../scaler-cases.ts'
import { differenceOf } from '../../scaler-reading.ts'
import type { Check } from '../check.ts'
import { etcdPath } from '../control-plane/debian.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { told } from './http-servers.ts'
import { type RealServer, scratch, started } from './servers.ts'

const key = (name: string, expected: number | RegExp, auth: Readonly<Record<string, string>> = {}): ScalerCase => ({
  ...{ name: `${name} ${Object.keys(auth).join(' ')}`, type: 'etcd', metric: `s0-etcd-${name}`, expected, auth },
  metadata: address => ({ endpoints: `127.0.0.1:1,${address}`, watchKey: name, value: '5' }),
})
const login = { username: 'root', password: 'of-the-server' }

const open = [key('length', 7.5), key('word', /a text of 4 characters, not a number/), key('none', /watchKey none doesn't exist/)]
const closed = [
  key('length', 7.5, login),
  key('length', /user name is empty|not to be reached|ECONNREFUSED/),
  key('length', /authentication failed/, { ...login, password: 'wrong' }),
]

const coded = (text: string): string => Buffer.from(text).toString('base64')
const put = (address: string, name: string, value: string) =>
  told(`http://${address}/v3/kv/put`, { body: JSON.stringify({ key: coded(name), value: coded(value) }) })

async function startEtcd(): Promise<RealServer> {
  const program = await etcdPath()
  await using stack = new AsyncDisposableStack()
  const [port, peer] = [await freePort(), await freePort()]
  const [client, others] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peer}`]
  const words = [
    `--data-dir=${scratch(stack)}/data`,
    ...[`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`, `--listen-peer-urls=${others}`],
    ...[`--initial-advertise-peer-urls=${others}`, `--initial-cluster=default=${others}`],
  ]
  await started(stack, program, words, port)
  const address = `127.0.0.1:${port}`
  for (const [name, value] of Object.entries({ length: '7.5', word: 'many' })) await put(address, name, value)
  const moved = stack.move()
  return { port, address, version: "Debian's etcd", [Symbol.asyncDispose]: () => moved.disposeAsync() }
}

async function held(cases: readonly ScalerCase[], address: string): Promise<void> {
  const { signal } = new AbortController()
  const differences = await Promise.all(cases.map(one => differenceOf(one, address, signal)))
  const found = differences.filter(one => one !== undefined)
  if (found.length > 0) throw new Error(found.join('\n'))
}

/** Activity above 5, as it is told while the key changes. */
async function pushed(address: string): Promise<readonly boolean[]> {
  const kind = await scalerKind('etcd')
  await using world = scalerWorld()
  const metadata = { endpoints: address, watchKey: 'length', value: '1', activationValue: '5' }
  await using scaler = await kind?.open(openedTrigger('etcd', metadata), world)
  const stop = new AbortController()
  const heard: boolean[] = []
  const stream = scaler?.pushes?.(stop.signal)[Symbol.asyncIterator]()
  // The watch is open when the change that it tells first is made again and again.
  let isOpen = false
  const first = stream?.next().then(({ value }) => {
    isOpen = true
    heard.push(value)
  })
  while (!isOpen) {
    await put(address, 'length', '9')
    await systemClock.after(100)
  }
  await first
  for (const value of ['4', 'many', '6']) await put(address, 'length', value)
  while (heard.at(-1) !== true || !heard.includes(false)) heard.push((await stream?.next())?.value ?? false)
  stop.abort()
  return heard.filter((one, index) => one !== heard[index - 1] || !one)
}

export const etcdChecks: readonly Check[] = [
  {
    name: 'scalers read an etcd, and hear of its changes',
    async run() {
      await using server = await startEtcd()
      await held(open, server.address)
      const heard = JSON.stringify(await pushed(server.address))
      if (heard !== '[true,false,false,true]') throw new Error(`the watch told ${heard}`)
      await put(server.address, 'length', '7.5')
      const tell = (path: string, body: object) =>
        told(`http://${server.address}/v3/auth/${path}`, { body: JSON.stringify(body) })
      await tell('user/add', { name: login.username, password: login.password })
      await tell('user/grant', { user: 'root', role: 'root' })
      await tell('enable', {})
      await held(closed, server.address)
      return `${open.length + closed.length} of ${server.version}, and its watch`
    },
  },
]
