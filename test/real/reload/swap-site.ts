// A real control plane on which Reloader is installed as its users install it, and what kubelets would do there: the processes of both
// controllers run while their Deployments want them, each with its ServiceAccount's token and its own configuration.
import { ok, strictEqual } from 'node:assert'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '#kube/clock.ts'
import { chartFiles } from '../../../src/deployment/packaging/chart.ts'
import { enabledCapabilities } from '../../../src/process/enabled-capabilities.ts'
import { ControllerProcess, tokenKubeconfig } from '../../controller-process.ts'
import { reloaderObjects } from '../../reloader-role.ts'
import { startTinyKubelet, type TinyKubelet } from '../ballast/tiny-kubelet.ts'
import { PartUnavailable } from '../cache.ts'
import type { ApiClient, ApiObject } from '../control-plane/api-client.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { atEnd } from '../endings.ts'
import { type HelmChart, helmChart } from '../helm/helm.ts'
import { type Kubectl, kubectlOf } from '../helm/lifecycle.ts'
import { upstreamPath } from '../upstreams/build.ts'
import { peerChart } from '../upstreams/peer-archives.ts'
import { hashOf } from './judge.ts'
import { apply } from './programs.ts'
import { keyOf, type SourceName, type SourceSpec } from './scenario.ts'
import { shopSources, shopWorkloads, sourceAnnotations } from './swap-workloads.ts'
import { type Watching, Witness, workloadKeyOf } from './witness.ts'

export type Strategy = 'env-vars' | 'annotations'

const upstreamPlace = { namespace: 'reloader', name: 'reloader-reloader' } as const
const ourPlace = { namespace: 'ballast-system', name: 'ballast-controller' } as const
const limitMs = 90_000

interface Deployment extends ApiObject {
  readonly spec: {
    readonly replicas: number
    readonly template: {
      readonly spec: {
        readonly serviceAccountName: string
        readonly containers: readonly { readonly args?: readonly string[] }[]
      }
    }
  }
}

/** A process that runs while a Deployment wants pods. */
interface Running {
  readonly log: () => string
  /** Its configuration is another: what a kubelet brings to a mounted ConfigMap. */
  readonly configure?: (text: string) => void
  stop(): Promise<void>
}

export class SwapSite implements AsyncDisposable {
  readonly plane: ControlPlane
  readonly client: ApiClient
  readonly kubectl: Kubectl
  readonly chart: HelmChart
  readonly witness: Witness
  readonly kubelet: TinyKubelet
  /** How upstream was installed. */
  upstreamBy = ''
  readonly #resources: AsyncDisposableStack
  readonly #processes = new Map<string, Running>()
  readonly #stop = new AbortController()
  #failure: Error | undefined
  #turn = 1

  private constructor(
    parts: Pick<SwapSite, 'plane' | 'kubectl' | 'chart' | 'witness' | 'kubelet'>,
    resources: AsyncDisposableStack,
  ) {
    this.plane = parts.plane
    this.client = parts.plane.client
    this.kubectl = parts.kubectl
    this.chart = parts.chart
    this.witness = parts.witness
    this.kubelet = parts.kubelet
    this.#resources = resources
  }

  /** With the shop's workloads running and Reloader watching them. @throws PartUnavailable */
  static async open(strategy: Strategy): Promise<SwapSite> {
    await upstreamPath('reloader')
    await using opening = new AsyncDisposableStack()
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: true })
    opening.defer(() => plane.stop())
    const chart = opening.use(await helmChart(chartFiles(enabledCapabilities)))
    const capacity = { cpu: '64', memory: '128Gi', pods: '110' }
    await plane.client.want('POST', '/api/v1/nodes', {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n1', labels: { 'kubernetes.io/os': 'linux' } },
      status: { capacity, allocatable: capacity, conditions: [{ type: 'Ready', status: 'True' }] },
    })
    const kubelet = await startTinyKubelet(plane.client, () => 'n1')
    opening.defer(() => kubelet.stop())
    const witness = opening.use(await Witness.open(plane.client))
    const site = new SwapSite({ plane, kubectl: await kubectlOf(plane), chart, witness, kubelet }, opening.move())
    try {
      await site.#fill()
      await site.#installUpstream(strategy)
      site.#stand()
      await site.#untilUpstreamReloads()
    } catch (cause) {
      await site[Symbol.asyncDispose]()
      throw cause
    }
    return site
  }

  helm(...args: readonly string[]): Promise<string> {
    return this.chart.want([...args, '--kubeconfig', this.plane.kubeconfig, '-n', ourPlace.namespace], 240_000)
  }

  scale(which: 'upstream' | 'ours', replicas: number): Promise<string> {
    const { namespace, name } = which === 'upstream' ? upstreamPlace : ourPlace
    return this.kubectl(['scale', 'deployment', name, '-n', namespace, `--replicas=${replicas}`])
  }

  /** Whether its process runs. */
  runs(which: 'upstream' | 'ours'): boolean {
    return this.#processes.has(which)
  }

  /** What the processes have said last. */
  get log(): string {
    return Array.from(this.#processes, ([name, { log }]) => `${name}: ${log().slice(-3_000)}`).join('\n')
  }

  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const untilMs = systemClock.elapsed() + limitMs
    while (!(await holds())) {
      this.look()
      ok(systemClock.elapsed() < untilMs, `not after ${limitMs / 1_000} s: ${what}\n${this.log}`)
      await pause(100)
    }
  }

  look(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.kubelet.failure !== undefined) throw this.kubelet.failure
    this.witness.look()
  }

  /** Writes new data into each, at once. */
  async change(sources: readonly SourceName[]): Promise<void> {
    this.#turn++
    for (const source of sources) await this.client.want('PATCH', pathOf(source), { data: dataOf(source, `v${this.#turn}`) })
  }

  /** Writes the data that is there. */
  async writeAgain(source: SourceName): Promise<void> {
    const { data } = await this.client.want('GET', pathOf(source))
    await this.client.want('PATCH', pathOf(source), { metadata: { annotations: { 'example.com/written': 'again' } }, data })
  }

  /** How often each template has changed so far. */
  counts(): ReadonlyMap<string, number> {
    return new Map(shopWorkloads.map(({ object }) => [workloadKeyOf(object), this.#watching(object).sightings.length]))
  }

  /**
   * Waits until each workload that `sources` reload has rolled out since `before`, and `quietMs` more.
   * @throws Error where one has done so more than once, another at all, or with another value than upstream's hash
   */
  async acted(what: string, sources: readonly SourceName[], before: ReadonlyMap<string, number>, quietMs: number): Promise<void> {
    const changed = new Set(sources.map(keyOf))
    const wanted = new Map(
      shopWorkloads.map(({ object, reloadedBy }) => [
        workloadKeyOf(object),
        reloadedBy !== undefined && changed.has(keyOf(reloadedBy)) ? 1 : 0,
      ]),
    )
    const done = () => {
      const counts = this.counts()
      return new Map(Array.from(wanted.keys(), key => [key, (counts.get(key) ?? 0) - (before.get(key) ?? 0)] as const))
    }
    await this.until(`${what}: ${JSON.stringify(Object.fromEntries(wanted))}`, () =>
      [...done()].every(([key, count]) => count >= (wanted.get(key) ?? 0)),
    )
    await pause(quietMs)
    this.look()
    const wrong = [...done()].filter(([key, count]) => count !== wanted.get(key))
    ok(
      wrong.length === 0,
      `${what}: ${wrong.map(([key, count]) => `${key} ${count} instead of ${wanted.get(key)}`).join(', ')}\n${this.log}`,
    )
    if (sources.length > 0) this.#judgeMarks(what, changed)
  }

  /** ReplicaSets of Deployments, as kube-controller-manager made them: one for each template that there was. */
  async judgeReplicaSets(): Promise<void> {
    const { items } = (await this.client.want('GET', '/apis/apps/v1/namespaces/shop/replicasets')) as ApiObject & {
      readonly items: readonly { readonly metadata: { readonly ownerReferences?: readonly { readonly name: string }[] } }[]
    }
    for (const { object } of shopWorkloads.filter(one => one.object.kind === 'Deployment')) {
      const { name } = object.metadata
      const own = items.filter(({ metadata }) => metadata.ownerReferences?.some(owner => owner.name === name))
      strictEqual(own.length - 1, this.#watching(object).sightings.length, `${name}: roll-outs by its ReplicaSets`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    for (const running of this.#processes.values()) await running.stop()
    this.#processes.clear()
    await this.#resources.disposeAsync()
  }

  #watching(object: ApiObject): Watching {
    const found = this.witness.get(workloadKeyOf(object))
    if (found === undefined) throw new Error(`${workloadKeyOf(object)} was not seen`)
    return found
  }

  #judgeMarks(what: string, changed: ReadonlySet<string>): void {
    const hash = hashOf(new Map([['value', Buffer.from(`v${this.#turn}`)]]))
    for (const { object, reloadedBy } of shopWorkloads) {
      if (reloadedBy === undefined || !changed.has(keyOf(reloadedBy))) continue
      const values = [...this.#watching(object).marks.values()]
      ok(
        values.length === 1 && values[0] === hash,
        `${what}: ${workloadKeyOf(object)} has ${JSON.stringify(values)}, expected ${hash}`,
      )
    }
  }

  async #fill(): Promise<void> {
    await this.client.want('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } })
    for (const source of Object.values(shopSources)) {
      const annotations = sourceAnnotations[source.name] ?? {}
      const kind = source.type === 'secret' ? 'Secret' : 'ConfigMap'
      const object = { apiVersion: 'v1', kind, metadata: { name: source.name, annotations }, data: dataOf(source, 'v1') }
      await this.client.want('POST', pathOf({ ...source, name: '' }).slice(0, -1), object)
    }
    await apply(
      this.plane,
      shopWorkloads.map(({ object }) => object),
    )
    await this.until('the shop runs', () => [...this.kubelet.pods.values()].filter(isOfShop).length >= shopWorkloads.length)
  }

  async #installUpstream(strategy: Strategy): Promise<void> {
    try {
      const chart = await peerChart('reloader')
      const set = ['--set', `reloader.reloadStrategy=${strategy}`, '--set', 'reloader.readOnlyRootFileSystem=true']
      const place = ['--namespace', upstreamPlace.namespace, '--create-namespace', '--kubeconfig', this.plane.kubeconfig]
      await this.chart.want(['install', 'reloader', chart, ...place, ...set])
      this.upstreamBy = "Helm and upstream's chart"
    } catch (cause) {
      if (!(cause instanceof PartUnavailable)) throw cause
      const { namespace, name } = upstreamPlace
      const labels = { app: name }
      const container = { name, image: 'ghcr.io/stakater/reloader:v1.4.21', args: [`--reload-strategy=${strategy}`] }
      const template = { metadata: { labels }, spec: { serviceAccountName: name, containers: [container] } }
      const spec = { replicas: 1, selector: { matchLabels: labels }, template }
      const objects = reloaderObjects({ namespace, isHighlyAvailable: false }) as readonly ApiObject[]
      await apply(this.plane, [
        ...objects,
        { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace, labels }, spec },
      ])
      this.upstreamBy = "upstream's published role"
    }
  }

  /** What it was not there to see is not a change to it: a workload of its own shows when it is. */
  async #untilUpstreamReloads(): Promise<void> {
    const before = this.counts()
    const { webDb } = shopSources
    await this.until('upstream reloads', async () => {
      await this.change([webDb])
      await pause(1_000)
      return [...this.counts()].some(([key, count]) => count > (before.get(key) ?? 0))
    })
    await pause(2_000)
  }

  /** Looks four times a second what is wanted, until it is over. */
  #stand(): void {
    const standing = (async () => {
      while (!this.#stop.signal.aborted) {
        await this.#reconcile('upstream', upstreamPlace, deployment => this.#startUpstream(deployment))
        await this.#reconcile('ours', ourPlace, deployment => this.#startOurs(deployment))
        await pause(250)
      }
    })().catch((cause: Error) => {
      if (!this.#stop.signal.aborted) this.#failure ??= cause
    })
    this.#resources.defer(() => standing)
  }

  async #reconcile(
    which: string,
    { namespace, name }: { readonly namespace: string; readonly name: string },
    start: (deployment: Deployment) => Promise<Running>,
  ): Promise<void> {
    const { status, body } = await this.client.send('GET', `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`)
    const deployment = status === 200 ? (body as Deployment) : undefined
    const running = this.#processes.get(which)
    const isWanted = (deployment?.spec.replicas ?? 0) > 0
    if (deployment !== undefined && isWanted && running === undefined) this.#processes.set(which, await start(deployment))
    if (!isWanted && running !== undefined) {
      await running.stop()
      this.#processes.delete(which)
    }
    if (isWanted && running?.configure !== undefined) running.configure(await this.#ourConfiguration())
  }

  async #startUpstream({ spec }: Deployment): Promise<Running> {
    const { serviceAccountName, containers } = spec.template.spec
    const kubeconfig = await this.#kubeconfigOf(upstreamPlace.namespace, serviceAccountName)
    const args = containers[0]?.args ?? []
    const child = spawn(await upstreamPath('reloader'), args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: '/usr/bin:/bin', KUBECONFIG: kubeconfig.file, POD_NAMESPACE: upstreamPlace.namespace },
    })
    const lines: string[] = []
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => lines.push(text))
    const isOver = atEnd(() => child.kill('SIGKILL'))
    const stop = async () => {
      await ended(child)
      isOver()
      kubeconfig[Symbol.dispose]()
    }
    return { log: () => lines.join(''), stop }
  }

  async #startOurs({ spec }: Deployment): Promise<Running> {
    const kubeconfig = await this.#kubeconfigOf(ourPlace.namespace, spec.template.spec.serviceAccountName)
    const directory = mkdtempSync(join(tmpdir(), 'ballast-swap-'))
    const file = join(directory, 'config.yaml')
    let known = await this.#ourConfiguration()
    writeFileSync(file, known)
    const controller = new ControllerProcess(kubeconfig.file, 'prefer', ['--config', file])
    const isOver = atEnd(() => controller.kill('SIGKILL'))
    return {
      log: () => controller.log,
      configure(text) {
        if (text !== known) writeFileSync(file, text)
        known = text
      },
      async stop() {
        controller.kill('SIGTERM')
        const { code } = await controller.ended
        isOver()
        kubeconfig[Symbol.dispose]()
        rmSync(directory, { recursive: true, force: true })
        strictEqual(code, 0, controller.log)
      },
    }
  }

  async #ourConfiguration(): Promise<string> {
    const { namespace } = ourPlace
    const object = await this.client.want('GET', `/api/v1/namespaces/${namespace}/configmaps/ballast-config`)
    return (object['data'] as Readonly<Record<string, string>>)['config.yaml'] ?? ''
  }

  async #kubeconfigOf(namespace: string, account: string): Promise<{ readonly file: string } & Disposable> {
    const bearer = (await this.kubectl(['create', 'token', account, '-n', namespace])).trim()
    return tokenKubeconfig(readFileSync(this.plane.kubeconfig, 'utf8'), bearer)
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const over = new Promise<void>(resolve => child.once('exit', () => resolve()))
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), 60_000)
  await over
  clearTimeout(force)
}

const isOfShop = ({ metadata }: ApiObject) => metadata.namespace === 'shop'

const pathOf = ({ type, namespace, name }: SourceName) => `/api/v1/namespaces/${namespace}/${type}s/${name}`

function dataOf({ type }: SourceName | SourceSpec, value: string): Readonly<Record<string, string>> {
  return { value: type === 'secret' ? Buffer.from(value).toString('base64') : value }
}
