// A real control plane on which the descheduler is installed by its own chart, and what kubelets would do there: for each pod of either descheduler
// a process runs with the pod's flags, its ServiceAccount's token and its mounted ConfigMap, until the pod goes or the process ends.
import { ok } from 'node:assert'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '#kube/clock.ts'
import { chartFiles } from '../../../src/deployment/packaging/chart.ts'
import { enabledCapabilities } from '../../../src/process/enabled-capabilities.ts'
import { tokenKubeconfig } from '../../controller-process.ts'
import { type PodObject, startTinyKubelet, type TinyKubelet } from '../ballast/tiny-kubelet.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { atEnd } from '../endings.ts'
import { type HelmChart, helmChart } from '../helm/helm.ts'
import { type Kubectl, kubectlOf } from '../helm/lifecycle.ts'
import { apply } from '../reload/programs.ts'
import { upstreamPath, upstreamSource } from '../upstreams/build.ts'

export const upstreamNamespace = 'kube-system'
const limitMs = 120_000
const nodes = ['n1', 'n2', 'n3'] as const
type NodeName = (typeof nodes)[number]
const shopPods = 6

/** Evicts what does not tolerate the taints of its node: which pods go, and when, is up to whoever taints. */
const policy = {
  profiles: [
    {
      name: 'default',
      pluginConfig: [{ name: 'DefaultEvictor' }, { name: 'RemovePodsViolatingNodeTaints' }],
      plugins: { deschedule: { enabled: ['RemovePodsViolatingNodeTaints'] } },
    },
  ],
}

interface Running {
  readonly child: ChildProcess
  readonly pod: PodObject
  readonly lines: string[]
  readonly clean: () => void
}

type Side = 'upstream' | 'ours'

export class DeschedulerRealSite implements AsyncDisposable {
  readonly plane: ControlPlane
  readonly kubectl: Kubectl
  readonly chart: HelmChart
  readonly kubelet: TinyKubelet
  /** Moments at which pods of both were there. */
  readonly both: string[] = []
  readonly kind: 'Deployment' | 'CronJob'
  readonly #running = new Map<string, Running>()
  readonly #done = new Set<string>()
  readonly #log: string[] = []
  readonly #resources: AsyncDisposableStack
  readonly #stop = new AbortController()
  #tainted: NodeName | undefined
  /** Pods that were given a node and are not seen there yet. */
  readonly #placed = new Map<string, NodeName>()
  #failure: Error | undefined

  private constructor(
    parts: Pick<DeschedulerRealSite, 'plane' | 'kubectl' | 'chart' | 'kind' | 'kubelet'>,
    resources: AsyncDisposableStack,
  ) {
    this.plane = parts.plane
    this.kubectl = parts.kubectl
    this.chart = parts.chart
    this.kind = parts.kind
    this.kubelet = parts.kubelet
    this.#resources = resources
  }

  /** With a shop on three nodes and upstream installed by Helm. @throws PartUnavailable */
  static async open(kind: 'Deployment' | 'CronJob'): Promise<DeschedulerRealSite> {
    await upstreamPath('descheduler')
    await using opening = new AsyncDisposableStack()
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: true })
    opening.defer(() => plane.stop())
    const chart = opening.use(await helmChart(chartFiles(enabledCapabilities)))
    const capacity = { cpu: '64', memory: '128Gi', pods: '110' }
    for (const name of nodes)
      await plane.client.want('POST', '/api/v1/nodes', {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name, labels: { 'kubernetes.io/os': 'linux' } },
        status: { capacity, allocatable: capacity, conditions: [{ type: 'Ready', status: 'True' }] },
      })
    const placing: { site?: DeschedulerRealSite } = {}
    const kubelet = await startTinyKubelet(plane.client, pod => placing.site?.place(pod) ?? 'n1')
    opening.defer(() => kubelet.stop())
    const parts = { plane, kubectl: await kubectlOf(plane), chart, kind, kubelet }
    const site = new DeschedulerRealSite(parts, opening.move())
    placing.site = site
    try {
      await site.#fill()
      await site.#install()
      site.#stand()
      if (kind === 'Deployment') await site.until('upstream runs', () => site.runs('upstream'))
    } catch (cause) {
      await site[Symbol.asyncDispose]()
      throw cause
    }
    return site
  }

  /** The shop's in turn on nodes that are not tainted; all else on the first. */
  place(pod: PodObject): NodeName {
    if (pod.metadata.namespace !== 'shop') return 'n1'
    const free = nodes.filter(name => name !== this.#tainted)
    const { uid } = pod.metadata
    // What was placed a moment ago is not seen on its node yet.
    const unseen = new Set(this.#pods().flatMap(one => (one.spec.nodeName === undefined ? [one.metadata.uid] : [])))
    for (const one of this.#placed.keys()) if (!unseen.has(one) || one === uid) this.#placed.delete(one)
    const placed = [...this.#placed.values()]
    const counts = free.map(name => this.shopOn(name).length + placed.filter(one => one === name).length)
    const chosen = free[counts.indexOf(Math.min(...counts))] ?? 'n1'
    this.#placed.set(uid, chosen)
    return chosen
  }

  /** UIDs of the shop's pods on a node. */
  shopOn(node: NodeName): readonly string[] {
    return this.#pods()
      .filter(({ metadata, spec }) => metadata.namespace === 'shop' && spec.nodeName === node)
      .map(({ metadata }) => metadata.uid)
  }

  get shop(): readonly string[] {
    return nodes.flatMap(node => this.shopOn(node))
  }

  /** Only this node is tainted from now on. */
  async taint(node: NodeName | undefined): Promise<void> {
    this.#tainted = node
    for (const name of nodes) {
      const taints = name === node ? [{ key: 'shop', value: 'closed', effect: 'NoSchedule' }] : []
      await this.plane.client.want('PATCH', `/api/v1/nodes/${name}`, { spec: { taints } })
    }
  }

  runs(side: Side): boolean {
    return [...this.#running.values()].some(({ pod }) => sideOf(pod) === side)
  }

  /** What the processes said. */
  get log(): string {
    return [...this.#log, ...Array.from(this.#running.values(), ({ pod, lines }) => `${pod.metadata.name}: ${lines.join('')}`)]
      .join('\n')
      .slice(-8_000)
  }

  /** How many processes of a side have ended by themselves. */
  ended(side: Side): number {
    return [...this.#done].filter(line => line.startsWith(`${side} `)).length
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    const untilMs = systemClock.elapsed() + limitMs
    while (!holds()) {
      this.look()
      ok(systemClock.elapsed() < untilMs, `not after ${limitMs / 1_000} s: ${what}\n${this.log}`)
      await pause(100)
    }
  }

  look(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.kubelet.failure !== undefined) throw this.kubelet.failure
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    for (const uid of this.#running.keys()) await this.#end(uid)
    await this.#resources.disposeAsync()
  }

  #pods(): readonly PodObject[] {
    return [...this.kubelet.pods.values()]
  }

  async #fill(): Promise<void> {
    await this.plane.client.want('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shop' },
    })
    const labels = { app: 'web' }
    const template = { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'registry.example/web:1' }] } }
    await apply(this.plane, [
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'shop' },
        spec: { replicas: shopPods, selector: { matchLabels: labels }, template },
      } as ApiObject,
    ])
    await this.until('the shop runs', () => this.shop.length === shopPods)
  }

  async #install(): Promise<void> {
    const chart = join(await upstreamSource('descheduler'), 'charts', 'descheduler')
    const values = {
      kind: this.kind,
      schedule: '* * * * *',
      deschedulingInterval: '2s',
      ...(this.kind === 'Deployment'
        ? { leaderElection: { enabled: true, leaseDuration: '6s', renewDeadline: '4s', retryPeriod: '1s' } }
        : {}),
      deschedulerPolicy: policy,
    }
    const file = this.chart.write('upstream.json', JSON.stringify(values))
    const place = ['--namespace', upstreamNamespace, '--kubeconfig', this.plane.kubeconfig]
    await this.chart.want(['install', 'descheduler', chart, ...place, '-f', file])
  }

  /** Ten times a second, what a kubelet would do with the pods of either. */
  #stand(): void {
    const standing = (async () => {
      while (!this.#stop.signal.aborted) {
        await this.#reconcile()
        await pause(100)
      }
    })().catch((cause: Error) => {
      if (!this.#stop.signal.aborted) this.#failure ??= cause
    })
    this.#resources.defer(() => standing)
  }

  async #reconcile(): Promise<void> {
    const wanted = this.#pods().filter(pod => sideOf(pod) !== undefined && pod.status?.phase === 'Running')
    const sides = new Set(wanted.map(sideOf))
    if (sides.size > 1) this.both.push(new Date().toISOString())
    for (const [uid, { child }] of this.#running) {
      const isWanted = wanted.some(({ metadata }) => metadata.uid === uid && metadata.deletionTimestamp === undefined)
      if (!isWanted || child.exitCode !== null) await this.#end(uid)
    }
    for (const pod of wanted) {
      const { uid, deletionTimestamp } = pod.metadata
      if (deletionTimestamp !== undefined || this.#running.has(uid) || this.#isDone(uid)) continue
      this.#running.set(uid, await this.#start(pod))
    }
  }

  #isDone(uid: string): boolean {
    return [...this.#done].some(line => line.endsWith(` ${uid}`))
  }

  /** Its process is over, or is to be; of a Job the pod is told how it ended. */
  async #end(uid: string): Promise<void> {
    const running = this.#running.get(uid)
    if (running === undefined) return
    const { child, pod, lines, clean } = running
    const code = child.exitCode
    await stopped(child)
    this.#running.delete(uid)
    clean()
    this.#log.push(`${pod.metadata.name} ended with ${child.exitCode ?? child.signalCode}: ${lines.join('').slice(-3_000)}`)
    if (code === null) return
    this.#done.add(`${sideOf(pod)} ${uid}`)
    ok(code === 0, `${pod.metadata.name} ended with ${code}: ${lines.join('').slice(-3_000)}`)
    const { namespace, name } = pod.metadata
    const { status } = await this.plane.client.send('PATCH', `/api/v1/namespaces/${namespace}/pods/${name}/status`, {
      metadata: { uid },
      status: { phase: 'Succeeded', conditions: [{ type: 'Ready', status: 'False' }] },
    })
    ok(status < 300 || status === 404, `${name}: ${status}`)
  }

  async #start(pod: PodObject): Promise<Running> {
    const side = sideOf(pod)
    const { namespace } = pod.metadata
    const directory = mkdtempSync(join(tmpdir(), 'ballast-descheduler-'))
    const configMap = await this.plane.client.want(
      'GET',
      `/api/v1/namespaces/${namespace}/configmaps/${side === 'ours' ? 'ballast-descheduler' : 'descheduler'}`,
    )
    for (const [file, text] of Object.entries(configMap['data'] as Readonly<Record<string, string>>))
      writeFileSync(join(directory, file), text)
    const account = String(pod.spec['serviceAccountName'])
    const bearer = (await this.kubectl(['create', 'token', account, '-n', namespace])).trim()
    const kubeconfig = tokenKubeconfig(readFileSync(this.plane.kubeconfig, 'utf8'), bearer)
    const [container] = pod.spec.containers as readonly { readonly args?: readonly string[] }[]
    const words = (container?.args ?? []).map(word => word.replace('=/policy-dir', `=${directory}`))
    // Both of a kubelet's pods have a network of their own, these two have one.
    const more = ['--kubeconfig', kubeconfig.file, '--secure-port=0']
    const main = join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'main.ts')
    const [program, ...first] = side === 'ours' ? [process.execPath, main] : [await upstreamPath('descheduler')]
    const child = spawn(program, [...first, ...words, ...more], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: '/usr/bin:/bin', NO_COLOR: '1' },
    })
    const lines: string[] = []
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => lines.push(text))
    const isOver = atEnd(() => child.kill('SIGKILL'))
    const clean = () => {
      isOver()
      kubeconfig[Symbol.dispose]()
      rmSync(directory, { recursive: true, force: true })
    }
    return { child, pod, lines, clean }
  }
}

/** Whose pod it is; `undefined`: nobody's. */
function sideOf({ metadata }: PodObject): Side | undefined {
  const labels = metadata.labels ?? {}
  if (labels['app.kubernetes.io/component'] === 'descheduler') return 'ours'
  return labels['app.kubernetes.io/name'] === 'descheduler' ? 'upstream' : undefined
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const over = new Promise<void>(resolve => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), 60_000)
  await over
  clearTimeout(force)
}
