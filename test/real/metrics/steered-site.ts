// A real control plane with controllers, nodes whose kubelets say what a test wants of the pods that run on them, and Ballast behind the APIService:
// for whoever acts on what it serves.
import { join } from 'node:path'
import { bornMs, type FakeContainer, FakeKubelets, type FakeNode } from '../../fake-kubelets.ts'
import { nodeObject } from '../../metrics-cluster.ts'
import { isReady, type PodObject, startTinyKubelet, type TinyKubelet } from '../ballast/tiny-kubelet.ts'
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from '../control-plane/start.ts'
import { type Program, startProgram } from '../mirror/laboratory/program.ts'
import { MetricsServers, type MetricsServerUnderTest, until } from './servers.ts'
import { flagsOf } from './site.ts'

/** What a container uses. */
export interface Use {
  readonly cores: number
  readonly bytes: number
}

/** By container; `peers`: how many pods of its kind run, itself among them. */
export type Load = (container: string, pod: PodObject, peers: number) => Use

interface Counter {
  seconds: number
  atMs: number
}

/** What the system itself uses on each node, in cores and bytes. */
const idle: Use = { cores: 0.1, bytes: 2 ** 30 }
const nodeNames = ['n1', 'n2'] as const

/** A node whose counters go on while its load changes. */
class SteeredNode implements FakeNode {
  readonly name: string
  readonly #pods: () => readonly PodObject[]
  readonly #load: () => Load
  readonly #counters = new Map<string, Counter>()
  #now: readonly FakeContainer[] = []
  #atMs = bornMs + 1
  /** Seconds of processor that all pods have used which ever ran. */
  #podSeconds = 0

  constructor(name: string, pods: () => readonly PodObject[], load: () => Load) {
    this.name = name
    this.#pods = pods
    this.#load = load
  }

  get cores(): number {
    return idle.cores + (this.#podSeconds * 1_000) / (this.#atMs - bornMs)
  }

  get bytes(): number {
    return this.#now.reduce((sum, { bytes }) => sum + bytes, idle.bytes)
  }

  containers(nowMs: number): readonly FakeContainer[] {
    this.#atMs = nowMs
    const running = this.#pods().filter(isReady)
    const kindOf = ({ metadata }: PodObject) => metadata.labels?.['app']
    this.#now = running
      .filter(({ spec }) => spec.nodeName === this.name)
      .flatMap(pod => {
        const peers = running.filter(other => kindOf(other) === kindOf(pod)).length
        const startMs = Date.parse(String(Reflect.get(Object(pod.status), 'startTime')))
        return pod.spec.containers.flatMap(({ name }) => {
          if (startMs >= nowMs) return []
          const { cores, bytes } = this.#load()(name, pod, peers)
          const seconds = this.#secondsOf(`${pod.metadata.uid} ${name}`, startMs, nowMs, cores)
          const { namespace, name: podName } = pod.metadata
          return [{ namespace, pod: podName, name, startMs, cores: (seconds * 1_000) / (nowMs - startMs), bytes }]
        })
      })
    return this.#now
  }

  #secondsOf(key: string, startMs: number, nowMs: number, cores: number): number {
    const counter = this.#counters.get(key) ?? { seconds: 0, atMs: startMs }
    this.#counters.set(key, counter)
    const more = (cores * Math.max(0, nowMs - counter.atMs)) / 1_000
    counter.seconds += more
    this.#podSeconds += more
    counter.atMs = Math.max(counter.atMs, nowMs)
    return counter.seconds
  }
}

export class SteeredSite implements AsyncDisposable {
  readonly plane: ControlPlane
  readonly server: MetricsServerUnderTest
  /** What pods that run use; may be replaced at any time. */
  load: Load
  readonly #kubelet: TinyKubelet
  readonly #directory: string
  readonly #stack: AsyncDisposableStack

  private constructor(
    parts: { plane: ControlPlane; server: MetricsServerUnderTest; kubelet: TinyKubelet; directory: string },
    load: Load,
    stack: AsyncDisposableStack,
  ) {
    this.plane = parts.plane
    this.server = parts.server
    this.#kubelet = parts.kubelet
    this.#directory = parts.directory
    this.load = load
    this.#stack = stack
  }

  /** Ballast answers behind the API server when it resolves. */
  static async start(
    load: Load,
    options: Pick<ControlPlaneOptions, 'controllerFlags' | 'onControllerLine'> = {},
  ): Promise<SteeredSite> {
    await using stack = new AsyncDisposableStack()
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: true, ...options })
    stack.defer(() => plane.stop())
    const kubelets = stack.use(await FakeKubelets.start())
    let placed = 0
    const kubelet = await startTinyKubelet(plane.client, () => nodeNames[placed++ % nodeNames.length])
    stack.defer(() => kubelet.stop())
    const steered: { site: SteeredSite | undefined } = { site: undefined }
    for (const name of nodeNames) {
      const node = new SteeredNode(
        name,
        () => [...kubelet.pods.values()],
        () => steered.site?.load ?? load,
      )
      const { port } = await kubelets.open(node)
      const { status, ...object } = nodeObject(name, port)
      await plane.client.want('POST', '/api/v1/nodes', object)
      await plane.client.want('PATCH', `/api/v1/nodes/${name}/status`, { status })
    }
    const servers = stack.use(await MetricsServers.open(plane))
    const server = await servers.start('ours', flagsOf(kubelets, servers.directory))
    await until(
      () => `the server to serve: ${server.output()}`,
      async () =>
        await server.ask('/livez').then(
          ({ status }) => status === 200,
          () => false,
        ),
    )
    await servers.putInPlace(server)
    const parts = { plane, server, kubelet, directory: servers.directory }
    steered.site = new SteeredSite(parts, load, stack.move())
    return steered.site
  }

  /** Makes a Deployment in `default` whose containers ask for these amounts. */
  async deploy(
    name: string,
    replicas: number,
    containers: Readonly<Record<string, Readonly<Record<string, string>>>>,
  ): Promise<void> {
    const labels = { app: name }
    const spec = {
      automountServiceAccountToken: false,
      containers: Object.entries(containers).map(([container, requests]) => ({
        name: container,
        image: 'registry.example/app:1',
        resources: { requests },
      })),
    }
    await this.plane.client.want('POST', '/apis/apps/v1/namespaces/default/deployments', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    })
  }

  /** Resolves when so many pods have a sample that began after they were ready: no autoscaler leaves it out as too early. */
  async untilMeasured(count: number): Promise<void> {
    const { client } = this.plane
    await until(
      () => `use of ${count} pods: ${this.server.output().slice(-2_000)}`,
      async () => {
        if (this.#kubelet.failure !== undefined) throw this.#kubelet.failure
        const list = await client.want('GET', '/apis/metrics.k8s.io/v1beta1/namespaces/default/pods')
        const items = Reflect.get(list, 'items') as readonly {
          readonly metadata: { readonly name: string }
          readonly timestamp: string
          readonly window: string
        }[]
        return (
          items.filter(({ metadata, timestamp, window }) => {
            const pod = [...this.#kubelet.pods.values()].find(one => one.metadata.name === metadata.name)
            const readyMs = Date.parse(String(Reflect.get(Object(pod?.status), 'startTime')))
            return Date.parse(timestamp) - 1_000 * Number(window.replace(/s$/, '')) >= readyMs
          }).length >= count
        )
      },
    )
  }

  /** Starts a program that reads what is served; it has the rights of an administrator. */
  startClient(program: string, args: readonly string[], onLine: (line: string) => void): Program {
    const client = startProgram(program, [`--kubeconfig=${this.plane.kubeconfig}`, ...args], { cwd: this.#directory, onLine })
    this.#stack.defer(() => client.kill())
    return client
  }

  /** A path for a file of a check. */
  place(name: string): string {
    return join(this.#directory, name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}
