// A real control plane on which metrics-server stands by its own manifests, and what kubelets would do there: for each pod of it or of Ballast's
// apiserver a process runs with the pod's flags and its ServiceAccount's token, and the pod is ready when the process says so. Somebody asks
// `kubectl top nodes` each second.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { systemClock } from '#kube/clock.ts'
import { textAt } from '#kube/objects/object-fields.ts'
import { tokenKubeconfig } from '../../controller-process.ts'
import { FakeKubelets } from '../../fake-kubelets.ts'
import { metricsServerInstallation } from '../../metrics-swap-site.ts'
import { commandLine } from '../ballast/site.ts'
import type { PodObject } from '../ballast/tiny-kubelet.ts'
import { PartUnavailable } from '../cache.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { atEnd } from '../endings.ts'
import { type Kubectl, kubectlOf } from '../helm/lifecycle.ts'
import { ended } from '../metrics/servers.ts'
import { loadCluster } from '../metrics/site.ts'
import { apply } from '../reload/programs.ts'
import { upstreamPath } from '../upstreams/build.ts'

const limitMs = 180_000
const upstreamPort = 10_250
/** The shortest that upstream takes. */
export const resolutionSeconds = 10

type Side = 'upstream' | 'ours'

interface Running {
  readonly child: ChildProcess
  readonly lines: string[]
  readonly clean: () => void
}

export class MetricsRealSite implements AsyncDisposable {
  readonly plane: ControlPlane
  readonly kubectl: Kubectl
  /** Each second: whether callers were answered. */
  readonly answers: { readonly at: number; readonly ok: boolean; readonly said: string }[] = []
  readonly #directory: string
  readonly #address: string
  /** One process a side stands for all of its pods, which share an address here. */
  readonly #running = new Map<Side, Running>()
  readonly #log: string[] = []
  readonly #stack: AsyncDisposableStack
  readonly #stop = new AbortController()
  readonly #probe = new Agent({ connect: { rejectUnauthorized: false } })
  #failure: Error | undefined

  private constructor(
    plane: ControlPlane,
    around: { readonly kubectl: Kubectl; readonly directory: string; readonly address: string },
    stack: AsyncDisposableStack,
  ) {
    this.plane = plane
    this.kubectl = around.kubectl
    this.#directory = around.directory
    this.#address = around.address
    this.#stack = stack
  }

  /** Upstream runs and answers. @throws PartUnavailable */
  static async open(): Promise<MetricsRealSite> {
    await upstreamPath('metrics-server')
    const address = ownAddress()
    await using stack = new AsyncDisposableStack()
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: true, asksEndpoints: true })
    stack.defer(() => plane.stop())
    const kubelets = stack.use(await FakeKubelets.start())
    const directory = mkdtempSync(join(tmpdir(), 'ballast-metrics-swap-'))
    stack.defer(() => rmSync(directory, { recursive: true, force: true }))
    writeFileSync(join(directory, 'kubelets.pem'), kubelets.authority.certificate)
    await loadCluster(plane, kubelets)
    const site = new MetricsRealSite(plane, { kubectl: await kubectlOf(plane), directory, address }, stack.move())
    try {
      await apply(plane, installation(directory) as readonly ApiObject[])
      site.#go(() => site.#reconcile(), 200)
      site.#go(() => site.#ask(), 1_000)
      await site.until('upstream answers', () => site.answers.at(-1)?.ok === true)
      site.answers.length = 0
    } catch (cause) {
      await site[Symbol.asyncDispose]()
      throw cause
    }
    return site
  }

  runs(side: Side): boolean {
    return this.#running.has(side)
  }

  /** The longest time in which nobody was answered, in seconds, and what was said then. */
  get longestGap(): { readonly seconds: number; readonly said: readonly string[] } {
    let longest = { seconds: 0, said: [] as readonly string[] }
    let begin: number | undefined
    let said: string[] = []
    for (const answer of this.answers) {
      if (answer.ok) {
        begin = undefined
        said = []
        continue
      }
      begin ??= answer.at
      said.push(answer.said)
      const seconds = (answer.at - begin) / 1000 + 1
      if (seconds > longest.seconds) longest = { seconds, said: [...said] }
    }
    return longest
  }

  get log(): string {
    return [...this.#log, ...Array.from(this.#running, ([side, { lines }]) => `${side}: ${lines.join('').slice(-3_000)}`)]
      .join('\n')
      .slice(-9_000)
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    const untilMs = systemClock.elapsed() + limitMs
    while (!holds()) {
      if (this.#failure !== undefined) throw this.#failure
      if (systemClock.elapsed() > untilMs)
        throw new Error(`not after ${limitMs / 1_000} s: ${what}\n${this.answers.at(-1)?.said}\n${this.log}`)
      await pause(200)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#stack.disposeAsync()
  }

  #go(act: () => Promise<void>, everyMs: number): void {
    const going = (async () => {
      while (!this.#stop.signal.aborted) {
        await act()
        await pause(everyMs)
      }
    })().catch((cause: Error) => {
      if (!this.#stop.signal.aborted) this.#failure ??= cause
    })
    this.#stack.defer(async () => {
      await going
      for (const side of [...this.#running.keys()]) await this.#end(side)
      await this.#probe.destroy()
    })
  }

  async #ask(): Promise<void> {
    const at = Date.now()
    const said = await this.kubectl(['top', 'nodes']).catch((error: unknown) => `failed: ${String(error)}`)
    this.answers.push({ at, ok: /^n1 .*\d+m/m.test(said) && /^n2 .*\d+m/m.test(said), said })
  }

  async #reconcile(): Promise<void> {
    const { client } = this.plane
    const all = (
      await Promise.all(
        ['kube-system', 'ballast-system'].map(namespace => client.send('GET', `/api/v1/namespaces/${namespace}/pods`)),
      )
    ).flatMap(({ status, body }) => (status === 200 ? (Reflect.get(Object(body), 'items') as PodObject[]) : []))
    const isEnding = (pod: PodObject) => pod.metadata.deletionTimestamp !== undefined
    for (const side of ['upstream', 'ours'] as const) {
      const [pod] = all.filter(one => sideOf(one) === side && !isEnding(one) && one.spec.nodeName !== undefined)
      const running = this.#running.get(side)
      const isOther = running !== undefined && (pod === undefined || running.child.exitCode !== null)
      if (isOther) await this.#end(side)
      if (pod !== undefined && !this.#running.has(side)) this.#running.set(side, await this.#start(side, pod))
    }
    for (const pod of all) await this.#tend(pod, isEnding(pod))
  }

  /** Binds it, says how it is, lets it go. */
  async #tend(pod: PodObject, isEnding: boolean): Promise<void> {
    const { client } = this.plane
    const { namespace, name, uid } = pod.metadata
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`
    if (isEnding)
      return tolerated(await client.send('DELETE', path, { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 }))
    if (pod.spec.nodeName === undefined)
      return tolerated(
        await client.send('POST', `${path}/binding`, {
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: { name, namespace, uid },
          target: { apiVersion: 'v1', kind: 'Node', name: 'n1' },
        }),
      )
    const side = sideOf(pod)
    const isReady = side === undefined || (await this.#isReady(side))
    const known = pod.status?.conditions?.find(({ type }) => type === 'Ready')?.status
    if (known === (isReady ? 'True' : 'False')) return
    const now = `${new Date().toISOString().slice(0, 19)}Z`
    tolerated(
      await client.send('PATCH', `${path}/status`, {
        metadata: { uid },
        status: {
          phase: 'Running',
          startTime: now,
          podIP: this.#address,
          podIPs: [{ ip: this.#address }],
          conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map(type => ({
            type,
            status: isReady || type === 'PodScheduled' || type === 'Initialized' ? 'True' : 'False',
            lastTransitionTime: now,
          })),
        },
      }),
    )
  }

  async #isReady(side: Side): Promise<boolean> {
    const url = side === 'upstream' ? `https://${this.#address}:${upstreamPort}/readyz` : `http://${this.#address}:8081/readyz`
    return request(url, { dispatcher: this.#probe, headersTimeout: 2_000 }).then(
      async ({ statusCode, body }) => {
        await body.dump()
        return statusCode === 200
      },
      () => false,
    )
  }

  async #start(side: Side, pod: PodObject): Promise<Running> {
    const { namespace, name } = pod.metadata
    const account = String(pod.spec['serviceAccountName'])
    const token = (await this.kubectl(['create', 'token', account, '-n', namespace])).trim()
    const kubeconfig = tokenKubeconfig(readFileSync(this.plane.kubeconfig, 'utf8'), token)
    const [container] = pod.spec.containers as readonly { readonly args?: readonly string[] }[]
    const words = container?.args ?? []
    const started = side === 'upstream' ? await this.#upstream(words, kubeconfig.file) : await this.#ours(words, kubeconfig.file)
    const child = spawn(started.program, started.words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: '/usr/bin:/bin', NO_COLOR: '1', BALLAST_POD_NAME: name, BALLAST_POD_NAMESPACE: namespace },
    })
    const lines: string[] = []
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => lines.push(text))
    const isOver = atEnd(() => child.kill('SIGKILL'))
    const clean = () => {
      isOver()
      kubeconfig[Symbol.dispose]()
    }
    return { child, lines, clean }
  }

  async #upstream(words: readonly string[], kubeconfig: string) {
    const more = ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(flag => `--${flag}=${kubeconfig}`)
    return { program: await upstreamPath('metrics-server'), words: [...words, ...more, `--cert-dir=${this.#directory}`] }
  }

  async #ours(words: readonly string[], kubeconfig: string) {
    const map = await this.plane.client.want('GET', '/api/v1/namespaces/ballast-system/configmaps/ballast-config')
    const file = join(this.#directory, 'config.yaml')
    writeFileSync(file, textAt(map, 'data', 'config.yaml') ?? '')
    const own = words.filter(word => !word.startsWith('--config='))
    const more = [`--config=${file}`, '--kubeconfig', kubeconfig, '--health-probe-bind-address=:8081']
    return { program: process.execPath, words: [commandLine, ...own, ...more] }
  }

  async #end(side: Side): Promise<void> {
    const running = this.#running.get(side)
    if (running === undefined) return
    const { child, lines, clean } = running
    this.#running.delete(side)
    await ended(child)
    clean()
    this.#log.push(`${side} ended with ${child.exitCode ?? child.signalCode}: ${lines.join('').slice(-3_000)}`)
  }
}

/** Whose pod it is; `undefined`: nobody's. */
function sideOf({ metadata }: PodObject): Side | undefined {
  const labels = metadata.labels ?? {}
  if (labels['app.kubernetes.io/component'] === 'apiserver') return 'ours'
  return labels['k8s-app'] === 'metrics-server' ? 'upstream' : undefined
}

/** An address of this machine that API servers may proxy to: loopback is none. @throws PartUnavailable */
function ownAddress(): string {
  const found = Object.values(networkInterfaces())
    .flatMap(all => all ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)
  if (found === undefined) throw new PartUnavailable('this machine has no address but loopback')
  return found.address
}

/** `components.yaml`, with the authority of the kubelets in a ConfigMap, which has to lie beside ours as well. */
function installation(directory: string): readonly unknown[] {
  const args = [
    '--cert-dir=/tmp',
    `--secure-port=${upstreamPort}`,
    '--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname',
    '--kubelet-use-node-status-port',
    `--metric-resolution=${resolutionSeconds}s`,
    '--kubelet-request-timeout=5s',
    `--kubelet-certificate-authority=${join(directory, 'kubelets.pem')}`,
  ]
  const container = {
    name: 'metrics-server',
    image: 'registry.k8s.io/metrics-server/metrics-server:v0.9.0',
    args,
    ports: [{ name: 'https', containerPort: upstreamPort, protocol: 'TCP' }],
    volumeMounts: [{ name: 'kubelets', mountPath: directory, readOnly: true }],
  }
  const pod = { containers: [container], volumes: [{ name: 'kubelets', configMap: { name: 'kubelet-authority' } }] }
  const data = { 'kubelets.pem': readFileSync(join(directory, 'kubelets.pem'), 'utf8') }
  const file = (namespace: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kubelet-authority', namespace },
    data,
  })
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ballast-system' } },
    file('ballast-system'),
    file('kube-system'),
    ...metricsServerInstallation({ pod }),
  ]
}

/** A pod may be gone, or changed, before it is written. */
function tolerated({ status, body }: { readonly status: number; readonly body: unknown }): void {
  if (status >= 300 && status !== 404 && status !== 409) throw new Error(`${status} ${JSON.stringify(body)}`)
}
