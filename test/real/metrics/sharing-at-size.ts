// Two and three real processes of `ballast apiserver` share a thousand kubelets over TLS on a real control plane: each is asked once in a
// resolution, and whatever befalls a replica, another asks in its place. EndpointSlices name a dead replica all the while, as they do until somebody notices.
import { deepStrictEqual, ok } from 'node:assert'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { measuredNode, measuredPod } from '../../../bench/metrics-cluster.ts'
import { cpuMsOf } from '../../../bench/twin-process.ts'
import { commandLine } from '../../cli/bundled.ts'
import { tokenKubeconfig } from '../../controller-process.ts'
import { PartUnavailable } from '../cache.ts'
import { freePorts } from '../control-plane/free-ports.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { atEnd } from '../endings.ts'
import { installPart } from './part.ts'
import { ended, until } from './servers.ts'

const namespace = 'ballast-system'
const service = 'ballast-apiserver'
const count = 1_000
const podsOfEach = 2
const resolutionMs = 15_000
/** What is served no more is older than that. */
const staleMs = 2.5 * resolutionMs
/** By then what is asked in a resolution has been asked, and what others did not ask, too. */
const quietMs = 11_000
/** Kubelets that may be asked twice for what this machine is late with. */
const edge = 0.005

export async function sharedAtSize(): Promise<string> {
  await using site = await Site.start()
  const one = await site.startReplica('one')
  const two = await site.startReplica('two')
  await site.name(one, two)
  await site.untilShared(one, two)
  const pair = await site.steady(4, one, two)
  const agreed = await site.agreement(one, two)
  const wire = await site.wire(one, two)

  const three = await site.startReplica('three')
  await site.name(one, two, three)
  await site.untilShared(one, two, three)
  const trio = await site.steady(2, one, two, three)
  const killed = await site.without('SIGKILL', three, one, two)
  await site.name(one, two)
  await site.untilShared(one, two)
  const stopped = await site.without('SIGSTOP', two, one)
  two.child.kill('SIGCONT')
  await site.untilShared(one, two)
  const again = await site.steady(2, one, two)
  ok(site.fewest >= count, `a list had ${site.fewest} of ${count} nodes`)
  return [
    `${count} kubelets of 45 containers at ${resolutionMs / 1_000} s`,
    `asked once each by two replicas (${pair}), by three (${trio})`,
    `${agreed} samples of both are equal`,
    `passed on: ${wire}`,
    `SIGKILL of one of three: ${killed}`,
    `SIGSTOP of one of two: ${stopped}; after SIGCONT ${again}`,
    `no list had fewer than ${count} nodes`,
  ].join('; ')
}

interface Replica {
  readonly name: string
  readonly port: number
  readonly healthPort: number
  readonly child: ChildProcess
  output: string
}

/** An address of this machine that an EndpointSlice may name. */
function ownAddress(): string {
  const found = Object.values(networkInterfaces())
    .flat()
    .find(one => one?.family === 'IPv4' && !one.internal && !one.address.startsWith('169.254.'))
  if (found === undefined)
    throw new PartUnavailable('this machine has no address but loopback, and EndpointSlices may not name that')
  return found.address
}

class Site implements AsyncDisposable {
  readonly #plane: ControlPlane
  readonly #kubelets: Kubelets
  readonly #directory: string
  readonly #kubeconfig: string
  readonly #token: string
  readonly #agent: Agent
  readonly #stack: AsyncDisposableStack
  readonly #address = ownAddress()
  readonly #named = new Set<string>()
  /** Replicas whose lists are looked at all the time. */
  #watched: readonly Replica[] = []
  fewest = count

  private constructor(
    parts: { readonly plane: ControlPlane; readonly kubelets: Kubelets; readonly directory: string; readonly agent: Agent },
    access: { readonly kubeconfig: string; readonly token: string },
    stack: AsyncDisposableStack,
  ) {
    this.#plane = parts.plane
    this.#kubelets = parts.kubelets
    this.#directory = parts.directory
    this.#agent = parts.agent
    this.#kubeconfig = access.kubeconfig
    this.#token = access.token
    this.#stack = stack
  }

  static async start(): Promise<Site> {
    await using stack = new AsyncDisposableStack()
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: false, asksEndpoints: true })
    stack.defer(() => plane.stop())
    const directory = mkdtempSync(join(tmpdir(), 'ballast-sharing-'))
    stack.defer(() => rmSync(directory, { recursive: true, force: true }))
    const kubelets = stack.use(await Kubelets.start(directory))
    await load(plane, kubelets.ports)
    await install(plane)
    writeFileSync(
      join(directory, 'config.yaml'),
      `apiVersion: ballast.dev/v1alpha1
kind: BallastConfiguration
capabilities:
  deschedule:
    enabled: false
  isolate:
    enabled: false
  metrics:
    enabled: true
    kubelet:
      certificateAuthority: ${join(directory, 'kubelets.pem')}
`,
    )
    const { status } = Object(
      await plane.client.want('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${service}/token`, {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { expirationSeconds: 7_200 },
      }),
    )
    const token = String(Object(status).token)
    const { file } = stack.use(tokenKubeconfig(readFileSync(plane.kubeconfig, 'utf8'), token))
    const admin = await plane.issueClient('CN=ballast-admin, O=system:masters')
    const connect = { rejectUnauthorized: false, cert: admin.certificate, key: admin.key }
    const agent = new Agent({ connect, headersTimeout: 10_000, bodyTimeout: 10_000 })
    stack.defer(() => agent.destroy())
    return new Site({ plane, kubelets, directory, agent }, { kubeconfig: file, token }, stack.move())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync()
  }

  async startReplica(name: string): Promise<Replica> {
    const [port = 0, healthPort = 0] = await freePorts(2)
    const args = [
      ...['apiserver', '--no-dashboard', `--config=${join(this.#directory, 'config.yaml')}`],
      ...[`--kubeconfig=${this.#kubeconfig}`, `--api-port=${port}`, `--namespace=${namespace}`, `--api-service=${service}`],
      `--health-probe-bind-address=127.0.0.1:${healthPort}`,
    ]
    const child = spawn(process.execPath, [commandLine, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], BALLAST_POD_NAME: name },
    })
    const replica: Replica = { name, port, healthPort, child, output: '' }
    const isOver = atEnd(() => child.kill('SIGKILL'))
    this.#stack.defer(async () => {
      child.kill('SIGCONT')
      await ended(child)
      isOver()
    })
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (piece: string) => {
        replica.output = (replica.output + piece).slice(-8_000)
      })
    return replica
  }

  /** The Service's EndpointSlices name these and no others, whether they live or not. */
  async name(...replicas: readonly Replica[]): Promise<void> {
    const at = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`
    for (const name of this.#named)
      if (!replicas.some(one => one.name === name)) {
        await this.#plane.client.want('DELETE', `${at}/${name}`)
        this.#named.delete(name)
      }
    for (const { name, port } of replicas) {
      if (this.#named.has(name)) continue
      this.#named.add(name)
      await this.#plane.client.want('POST', at, {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name, labels: { 'kubernetes.io/service-name': service } },
        addressType: 'IPv4',
        ports: [{ name: 'aggregated', port, protocol: 'TCP' }],
        endpoints: [
          {
            addresses: [this.#address],
            conditions: { ready: true, serving: true, terminating: false },
            targetRef: { kind: 'Pod', namespace, name },
          },
        ],
      })
    }
  }

  /** Resolves when these ask all kubelets between them, and each knows all. */
  async untilShared(...replicas: readonly Replica[]): Promise<void> {
    this.#watched = []
    let told: readonly string[] = []
    const shares = async () => {
      told = await Promise.all(replicas.map(replica => this.#verbose(replica)))
      const own = told.map(text =>
        Number(/metrics-replicas ok: asks (\d+) of 1000(?!.*nothing from)/.exec(text)?.[1] ?? Number.NaN),
      )
      return (
        own.reduce((sum, one) => sum + one, 0) === count && told.every(text => text.includes(`${count} of ${count} answered`))
      )
    }
    await until(() => `${replicas.map(({ name }) => name)} to share: ${told.join('\n')}\n${replicas[0]?.output}`, shares, 180_000)
    await until('rates of all nodes', async () =>
      (await Promise.all(replicas.map(one => this.#nodes(one)))).every(({ length }) => length === count),
    )
    this.#watched = replicas
  }

  /** So many resolutions in which nothing happens. */
  async steady(resolutions: number, ...replicas: readonly Replica[]): Promise<string> {
    // What was asked in another's place while they found each other is over.
    await pause(2 * resolutionMs - (Date.now() % resolutionMs) + quietMs)
    await this.#kubelets.askedSince()
    const before = replicas.map(({ child }) => cpuMsOf(child.pid ?? 0))
    const ms = resolutions * resolutionMs
    await this.#watchFor(ms)
    const asked = (await this.#kubelets.askedSince()).map(times => times.length)
    const cores = replicas.map(({ child }, at) => (cpuMsOf(child.pid ?? 0) - (before[at] ?? 0)) / ms)
    const sum = asked.reduce((all, one) => all + one, 0)
    const odd = asked.filter(times => Math.abs(times - resolutions) > 1)
    deepStrictEqual(odd, [], `kubelets asked otherwise than ${resolutions} times in ${resolutions} resolutions`)
    ok(Math.abs(sum / (resolutions * count) - 1) <= edge, `${sum} questions in ${resolutions} resolutions of ${count} kubelets`)
    const mebibytes = replicas.map(({ child }) => rssOf(child.pid ?? 0))
    return `${sum} questions in ${resolutions} resolutions, ${cores.map(one => one.toFixed(2))} cores, ${mebibytes} MiB`
  }

  /** What two replicas say of the same moments, of nodes and pods. */
  async agreement(one: Replica, two: Replica): Promise<number> {
    let equal = 0
    for (let round = 0; round < 5; round++) {
      await pause(4_000)
      for (const what of ['nodes', 'pods'] as const) {
        const [ofOne, ofTwo] = await Promise.all([this.#list(one, what), this.#list(two, what)])
        const theirs = new Map(ofTwo.map(sample => [keyOf(sample), sample]))
        for (const sample of ofOne) {
          const other = theirs.get(keyOf(sample))
          if (other === undefined) continue
          equal++
          deepStrictEqual({ ...sample, metadata: null }, { ...other, metadata: null })
        }
      }
    }
    // Both have the newest of most at any moment.
    ok(equal > 5 * count, `${equal} samples of equal times`)
    return equal
  }

  /** All that each passes on, as another replica gets it that is new. */
  async wire(...replicas: readonly Replica[]): Promise<string> {
    const told: string[] = []
    for (const replica of replicas) {
      let bytes = 0
      let answers = 0
      for (let [after, instance, isCut] = ['0', '', true]; isCut; answers++) {
        const path = `/ballast/points?${new URLSearchParams({ after, instance })}`
        const { statusCode, body } = await request(`https://127.0.0.1:${replica.port}${path}`, {
          dispatcher: this.#agent,
          headers: { authorization: `Bearer ${this.#token}` },
        })
        const answer = Buffer.from(await body.arrayBuffer())
        ok(statusCode === 200, `${path}: ${statusCode} ${answer}`)
        bytes += answer.length
        ;({ after, instance, isCut } = headOf(answer))
      }
      told.push(`${(bytes / 1e6).toFixed(2)} MB in ${answers} answers by ${replica.name}`)
    }
    return `${told.join(', ')} a resolution`
  }

  /** `lost` gets the signal, and is named as ready all the time. */
  async without(signal: 'SIGKILL' | 'SIGSTOP', lost: Replica, ...left: readonly Replica[]): Promise<string> {
    this.#watched = left
    await this.#kubelets.askedSince()
    const lostMs = Date.now()
    lost.child.kill(signal)
    await this.#watchFor(4 * resolutionMs)
    const asked = await this.#kubelets.askedSince()
    const firstMs = Math.max(...asked.map(times => (times.find(ms => ms > lostMs) ?? Number.POSITIVE_INFINITY) - lostMs))
    const gaps = asked.map(times => Math.max(...times.slice(1).map((ms, at) => ms - (times[at] ?? ms))))
    const seconds = (ms: number) => (ms / 1_000).toFixed(1)
    // Points are missed for a resolution, which is looked at half of one later at the latest, and asked at the node's own moment.
    ok(firstMs <= 2 * resolutionMs, `a kubelet was asked ${seconds(firstMs)} s after ${signal}`)
    ok(Math.max(...gaps) < staleMs, `a kubelet was not asked for ${seconds(Math.max(...gaps))} s`)
    const agesMs = (await Promise.all(left.map(one => this.#nodes(one)))).flat().map(ms => Date.now() - ms)
    ok(Math.max(...agesMs) < staleMs, `a node is served of ${seconds(Math.max(...agesMs))} s ago`)
    for (const replica of left)
      ok(replica.output.includes(`"replica":"${lost.name}"`), `${replica.name} says nothing of ${lost.name}: ${replica.output}`)
    return `each kubelet asked within ${seconds(firstMs)} s, none left for longer than ${seconds(Math.max(...gaps))} s`
  }

  async #watchFor(ms: number): Promise<void> {
    const endMs = Date.now() + ms
    while (Date.now() < endMs) {
      for (const replica of this.#watched) this.fewest = Math.min(this.fewest, (await this.#nodes(replica)).length)
      await pause(Math.min(1_000, Math.max(0, endMs - Date.now())))
    }
  }

  /** When each node was measured, as a replica says it. */
  async #nodes(replica: Replica): Promise<readonly number[]> {
    return (await this.#list(replica, 'nodes')).map(({ timestamp }) => Date.parse(timestamp))
  }

  async #list({ port }: Replica, what: 'nodes' | 'pods'): Promise<readonly Sample[]> {
    const { statusCode, body } = await request(`https://127.0.0.1:${port}/apis/metrics.k8s.io/v1beta1/${what}`, {
      dispatcher: this.#agent,
    })
    const answer = await body.text()
    if (statusCode !== 200) throw new Error(`a list: ${statusCode} ${answer}`)
    const { items }: { readonly items: readonly Sample[] } = JSON.parse(answer)
    return items
  }

  async #verbose({ healthPort, child, output, name }: Replica): Promise<string> {
    if (child.exitCode !== null) throw new Error(`${name} ended: ${output}`)
    try {
      const { body } = await request(`http://127.0.0.1:${healthPort}/readyz?verbose`)
      return await body.text()
    } catch (cause) {
      // It does not listen yet: whoever waits has a limit.
      return String(cause)
    }
  }
}

interface Sample {
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly timestamp: string
  readonly window: string
}

const keyOf = ({ metadata, timestamp }: Sample) => `${metadata.namespace ?? ''}/${metadata.name} ${timestamp}`

function rssOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kilobytes) / 1_024)
}

/** Fields of an answer before its entries, read without our own decoder: version, instance, number, whether there is more. */
function headOf(answer: Buffer): { readonly after: string; readonly instance: string; readonly isCut: boolean } {
  const head = { after: '0', instance: '', isCut: false }
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = answer[at++] ?? 0
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  while (at < answer.length) {
    const tag = Number(varint())
    const value = varint()
    if ((tag & 7) === 2) {
      if (tag >> 3 === 2) head.instance = answer.toString('utf8', at, at + Number(value))
      at += Number(value)
    } else if (tag >> 3 === 3) head.after = String(value)
    else if (tag >> 3 === 4) head.isCut = value === 1n
  }
  return head
}

class Kubelets implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #isOver: () => void
  ports: readonly number[] = []

  private constructor(directory: string) {
    const program = join(import.meta.dirname, '..', '..', '..', 'bench', 'metrics-kubelets.ts')
    const child = spawn(process.execPath, [program, String(count), directory], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child = child
    this.#isOver = atEnd(() => child.kill('SIGKILL'))
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  static async start(directory: string): Promise<Kubelets> {
    const kubelets = new Kubelets(directory)
    kubelets.ports = await kubelets.#said()
    return kubelets
  }

  /** When each was asked since this was asked for before. */
  async askedSince(): Promise<readonly (readonly number[])[]> {
    this.#child.stdin?.write('\n')
    return await this.#said()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const over = once(this.#child, 'exit')
    this.#child.stdin?.end()
    await over
    this.#isOver()
  }

  async #said<T>(): Promise<T> {
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error('the kubelets have ended')
    return JSON.parse(value)
  }
}

async function load({ client }: ControlPlane, ports: readonly number[]): Promise<void> {
  for (let team = 0; team < 40; team++)
    await client.want('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: `team-${team}` } })
  const queue = [...ports.entries()]
  const worker = async () => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const [number, port] = next
      const { status, ...node } = measuredNode(number, port)
      await client.want('POST', '/api/v1/nodes', node)
      await client.want('PATCH', `/api/v1/nodes/${node.metadata.name}/status`, { status })
      for (let at = 0; at < podsOfEach; at++) {
        const { status: running, spec, ...pod } = measuredPod(number, at)
        const { ownerReferences: _, ...metadata } = pod.metadata
        const path = `/api/v1/namespaces/${metadata.namespace}/pods`
        await client.want('POST', path, { ...pod, metadata, spec: { ...spec, automountServiceAccountToken: false } })
        await client.want('PATCH', `${path}/${metadata.name}/status`, { status: running })
      }
    }
  }
  await Promise.all(Array.from({ length: 16 }, worker))
}

async function install(plane: ControlPlane): Promise<void> {
  await installPart(plane)
  // Replicas are named by the check: nobody runs pods here.
  await plane.client.want('PATCH', `/api/v1/namespaces/${namespace}/services/${service}`, { spec: { selector: null } })
}
