// Never the data: a controller of its own process reloads over real HTTPS while Secrets with planted values change; then nothing of them is
// in its memory, in what it logged, or in what it wrote. Linux: elsewhere no process can look into another's memory.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { startTwin } from '#twin/twin.ts'
import { controllerToken, installBallast } from '../src/deployment/install-ballast.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { tokenKubeconfig, until } from './controller-process.ts'
import { configMap, secret, surroundings, workload } from './reload-cluster.ts'

const namespace = 'ballast-system'
const { signal } = new AbortController()
const rotations = 6
const limitMs = 180_000
/** V8 writes as it goes, and waits for the machine. */
const snapshotLimitMs = 180_000
const windowBytes = 16
const chunkBytes = 8 * 1024 ** 2
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** A value as a password manager makes it, and every form in which it goes over the wire. */
class Planted {
  readonly value: string
  readonly encoded: string

  constructor(bytes: number) {
    this.value = randomBytes(bytes).toString('base64url')
    this.encoded = Buffer.from(this.value).toString('base64')
  }

  /** Pieces that no chance makes; a part of the value is enough to be found. */
  get pieces(): readonly Buffer[] {
    return [this.value, this.encoded].flatMap(text =>
      Array.from({ length: Math.floor(text.length / windowBytes) }, (_, at) =>
        Buffer.from(text.slice(at * windowBytes, (at + 1) * windowBytes)),
      ),
    )
  }
}

interface Found {
  readonly where: string
  readonly piece: string
}

function findIn(where: string, bytes: Buffer, planted: readonly Planted[]): readonly Found[] {
  return planted.flatMap(({ pieces }, number) =>
    pieces.flatMap((piece, at) => (bytes.indexOf(piece) < 0 ? [] : [{ where, piece: `value ${number}, piece ${at}` }])),
  )
}

/** What a process can write to. The server, which is in this process, has its turn between two mappings: nobody's Lease runs out. */
async function* memoryOf(pid: number): AsyncGenerator<{ readonly where: string; readonly bytes: Buffer }> {
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from = '', to = '', rights = '', name = ''] = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)$/.exec(line) ?? []
      if (!rights.startsWith('rw')) continue
      const endAt = Number.parseInt(to, 16)
      for (let at = Number.parseInt(from, 16); at < endAt; at += chunkBytes) {
        // Pieces that lie over the end of a chunk are whole in it or in the next.
        const bytes = Buffer.alloc(Math.min(chunkBytes + windowBytes, endAt - at))
        try {
          readSync(memory, bytes, 0, bytes.length, at)
        } catch {
          continue // a mapping without memory behind it
        }
        yield { where: `${from} ${rights} ${name}`, bytes }
        await systemClock.after(1)
      }
    }
  } finally {
    closeSync(memory)
  }
}

/** Every piece in what a process can write to. @throws Error where what the process is known to hold is not found either. */
async function findInMemory(pid: number, planted: readonly Planted[], known: string): Promise<readonly Found[]> {
  const found: Found[] = []
  let isThere = false
  for await (const { where, bytes } of memoryOf(pid)) {
    isThere ||= bytes.includes(known)
    found.push(...findIn(where, bytes, planted))
  }
  if (!isThere) throw new Error(`process ${pid} does not hold ${known}: it has ended, or its memory is not read`)
  return found
}

/** The heap as V8 writes it down when it is told to. */
async function snapshotOf(pid: number, directory: string): Promise<Buffer> {
  process.kill(pid, 'SIGUSR2')
  const file = () => readdirSync(directory).find(name => name.endsWith('.heapsnapshot'))
  const isWhole = () => {
    const name = file()
    return name !== undefined && endOf(join(directory, name)) === ']}'
  }
  await until(() => `no heap snapshot in ${readdirSync(directory).join(', ')}`, isWhole, snapshotLimitMs, 500)
  return readFileSync(join(directory, file() ?? ''))
}

function endOf(file: string): string {
  const opened = openSync(file, 'r')
  try {
    const bytes = Buffer.alloc(2)
    readSync(opened, bytes, 0, 2, Math.max(0, statSync(file).size - 2))
    return bytes.toString()
  } finally {
    closeSync(opened)
  }
}

/** As `kubectl apply` leaves it: the whole content once more, in an annotation. */
function applied(planted: Planted): KubeObject {
  const object = secret('token', { password: planted.value })
  const text = JSON.stringify({ ...object, stringData: { password: planted.value } })
  return { ...object, metadata: { ...object.metadata, annotations: { [lastApplied]: text } } }
}

test.runIf(process.platform === 'linux')(
  'nothing of a Secret stays in a process that reloads',
  async () => {
    const planted = Array.from({ length: rotations }, (_, at) => new Planted(at % 2 === 0 ? 60 : 18))
    await using stack = new AsyncDisposableStack()
    const directory = mkdtempSync(join(tmpdir(), 'ballast-memory-'))
    stack.defer(() => rmSync(directory, { recursive: true, force: true }))
    const twin = stack.use(await startTwin({ clock: systemClock, seed: 1, objects: [], listen: { port: 0 } }))
    const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test admin' })
    await installBallast(admin, { capabilities: enabledCapabilities, namespace, signal })
    const token = await controllerToken(admin, { namespace, seconds: 3_600, signal })
    const [first = new Planted(60)] = planted
    const blobs = Array.from({ length: 3 }, () => new Planted(61))
    const [firstBlob = new Planted(61)] = blobs
    const { data: _, ...blob } = configMap('blob', {})
    const objects = [
      configMap('settings', { key: 'one' }),
      { ...blob, binaryData: { key: firstBlob.encoded } },
      applied(first),
      workload({ name: 'web', configmaps: ['settings', 'blob'], secrets: ['token'] }),
    ]
    twin.load([...surroundings(objects), ...objects])
    const { file } = stack.use(tokenKubeconfig(await twin.kubeconfig(), token))
    const config = join(directory, 'config.yaml')
    const reload = { enabled: true, debounce: '0s', rateGuard: { enabled: false } }
    writeFileSync(
      config,
      JSON.stringify({ apiVersion: 'ballast.dev/v1alpha1', kind: 'BallastConfiguration', capabilities: { reload } }),
    )
    const program = join(import.meta.dirname, '..', 'src', 'cli', 'main.ts')
    const flags = ['--heapsnapshot-signal=SIGUSR2', `--diagnostic-dir=${directory}`]
    const child = spawn(
      process.execPath,
      [...flags, program, 'controller', '--kubeconfig', file, '--install-crds', 'never', '--config', config],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] } },
    )
    stack.defer(() => void child.kill('SIGKILL'))
    const told: string[] = []
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => told.push(text))

    const list = (resource: string) => twin.access.list(resource)
    const written = () => JSON.stringify(list('deployments.apps'))
    const baselines = () => list('configmaps').filter(({ metadata }) => metadata.name.startsWith('ballast-reload-baseline-'))
    await until(
      () => `nothing is remembered: ${told.join('')}`,
      () => baselines().length > 0,
      limitMs,
    )
    for (const one of planted.slice(1)) {
      const before = written()
      const { metadata, ...rest } = applied(one)
      const body = { metadata: { annotations: metadata.annotations }, ...rest }
      await admin.resource(builtIn.secrets).patch('token', { type: 'merge', body }, { namespace: 'shop', signal })
      await until(
        () => `not reloaded: ${told.join('')}`,
        () => written() !== before && written().includes('STAKATER_TOKEN_SECRET'),
        limitMs,
      )
    }
    for (const { encoded } of blobs.slice(1)) {
      const before = written()
      const body = { binaryData: { key: encoded } }
      await admin.resource(builtIn.configmaps).patch('blob', { type: 'merge', body }, { namespace: 'shop', signal })
      await until(
        () => `not reloaded: ${told.join('')}`,
        () => written() !== before && written().includes('STAKATER_BLOB_CONFIGMAP'),
        limitMs,
      )
    }
    const isOver = () => list('disruptionpermits.ballast.dev').every(permit => JSON.stringify(permit).includes('releasedAt'))
    await until(() => 'a permit is out', isOver, limitMs)
    const marks = JSON.stringify(baselines())
    expect(marks).toContain('secret/shop/token')

    const pid = child.pid ?? 0
    // It holds the name of what it read.
    const all = [...planted, ...blobs]
    expect(await findInMemory(pid, all, 'secret/shop/token')).toEqual([])
    expect(findIn('heap snapshot', await snapshotOf(pid, directory), all)).toEqual([])
    expect(findIn('log', Buffer.from(told.join('')), planted)).toEqual([])
    const objectsOfOurs = ['events', 'disruptionpermits.ballast.dev', 'configmaps', 'deployments.apps', 'replicasets.apps']
    for (const resource of objectsOfOurs)
      expect(findIn(resource, Buffer.from(JSON.stringify(list(resource))), planted)).toEqual([])
    // What is looked for is found where it is.
    expect(findIn('the server', Buffer.from(JSON.stringify(list('secrets'))), planted).length).toBeGreaterThan(0)
    expect((await findInMemory(process.pid, planted, 'secret/shop/token')).length).toBeGreaterThan(0)
  },
  300_000,
)
