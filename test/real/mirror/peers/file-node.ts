// One mirror on a store made of files as a program of its own, and what a containerd does for a blob: it begins a download, asks the mirror,
// goes to the outside for what is missing, checks and commits. A command a line on stdin, a JSON line for each on stdout.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { Registry } from 'prom-client'
import { systemClock } from '#kube/clock.ts'
import { type Log, silentLog } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { startMirrorAgent } from '../../../../src/capabilities/mirror/agent.ts'
import { mirrorConfiguration } from '../../../../src/capabilities/mirror/config.ts'
import { settingsOf } from '../../../../src/capabilities/mirror/settings-of.ts'
import { fileStore } from '../../../../src/capabilities/mirror/store/file-store.ts'
import { ports } from '../laboratory/agents.ts'

const { values } = parseArgs({
  options: {
    address: { type: 'string', default: '127.0.0.1' },
    directory: { type: 'string', default: '' },
    first: { type: 'string', default: '' },
    outside: { type: 'string', default: '' },
    /** A duration for all that is waited for: these checks are of who asks whom, not of how fast a machine is. */
    patience: { type: 'string', default: '60s' },
  },
})
const { address, directory, outside, patience } = values
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)
const print = (facts: object, message: string) => process.stderr.write(`${message} ${JSON.stringify(facts)}\n`)
const log: Log = { ...silentLog, warn: print, error: print }
const config = mirrorConfiguration.parse({
  enabled: true,
  allowFrom: 'any',
  relay: { hold: patience },
  headerTimeout: patience,
  stallTimeout: patience,
})
const bootstrap = {
  kind: 'http',
  httpAddress: `${address}:${ports.bootstrap}`,
  httpUrl: `http://${values.first}:${ports.bootstrap}/id`,
} as const
const agent = await startMirrorAgent({
  settings: {
    ...settingsOf(config),
    registryAddresses: [`${address}:${ports.registry}`],
    peerPort: ports.registry,
    peerTlsAddress: undefined,
    peerTransport: 'http',
    routerAddress: `${address}:${ports.router}`,
    metricsAddress: `${address}:${ports.metrics}`,
    dataDirectory: '',
    bootstrap,
  },
  version: '0.1.0',
  clock: systemClock,
  random: systemRandom,
  log,
  metrics: new Registry(),
  store: await fileStore(directory, { clock: systemClock, log }),
})
say({ id: agent.router.id })

const path = (digest: string) => `/v2/acme/app/blobs/${digest}?ns=registry.test`
let fromOutside = 0
let downloads = 0

/** Appends what `host` has of it from `at` on; yields the bytes that came, whole or not. */
async function from(host: string, digest: string, data: string, at: number): Promise<number> {
  const headers = at === 0 ? {} : { range: `bytes=${at}-` }
  const answer = await fetch(`${host}${path(digest)}`, { headers })
  if (answer.status !== (at === 0 ? 200 : 206) || answer.body === null) {
    await answer.body?.cancel()
    return 0
  }
  const file = await open(data, 'a')
  const before = fromOutside
  let came = 0
  try {
    for await (const piece of answer.body) {
      came += piece.length
      if (host === outside) fromOutside += piece.length
      await file.write(piece)
    }
  } catch (cause) {
    // Broken off: the rest is asked for again, as containerd does.
    print({ host, came, before, cause: String(cause) }, 'broken off')
  } finally {
    await file.close()
  }
  return came
}

async function pull(digest: string, size: number): Promise<{ readonly mirrored: number; readonly outside: number }> {
  const hex = digest.slice('sha256:'.length)
  const ingest = join(directory, 'ingest', `${++downloads}`)
  const data = join(ingest, 'data')
  await mkdir(ingest, { recursive: true })
  await writeFile(data, '')
  await writeFile(join(ingest, 'total'), `${size}`)
  await writeFile(join(ingest, 'ref'), `k8s.io/${downloads}/layer-${digest}`)
  const before = fromOutside
  let at = 0
  for (let tries = 0; at < size; tries++) {
    if (tries > 5) throw new Error(`${at} of ${size} bytes of ${digest} after ${tries} tries`)
    const mirrored = await from(`http://${address}:${ports.registry}`, digest, data, at)
    at += mirrored
    if (mirrored === 0) at += await from(outside, digest, data, at)
  }
  const hash = createHash('sha256')
  await pipeline(createReadStream(data), hash)
  if (hash.digest('hex') !== hex || (await stat(data)).size !== size) throw new Error(`the bytes are not ${digest}`)
  await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true })
  await rename(data, join(directory, 'blobs', 'sha256', hex))
  await rm(ingest, { recursive: true })
  return { mirrored: size - (fromOutside - before), outside: fromOutside - before }
}

async function run([command = '', first = '', second = '']: readonly string[]): Promise<unknown> {
  if (command === 'pull') return await pull(first, Number(second))
  if (command === 'state') return { peers: agent.router.state().peers, ready: agent.readiness().isReady, fromOutside }
  throw new Error(`no command ${JSON.stringify(command)}`)
}

// Each is answered when it is done: a state while something is pulled.
for await (const line of createInterface(process.stdin)) {
  const [tag = '', ...words] = line.split(' ')
  void run(words)
    .catch((error: unknown) => ({ error: String(error) }))
    .then(answer => say({ tag, answer }))
}
await agent[Symbol.asyncDispose]()
