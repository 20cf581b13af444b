// A twin on which Reloader stands as its chart installs it, and a stand-in for Ballast's controller that does what its ConfigMap says: for
// trying the swap from one to the other, killed at any write.
import { parse } from 'yaml'
import { type Api, openApi } from '#kube/client/api.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Transport, TransportRequest } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import type { StepResult } from '../src/migration/run.ts'
import { readControllerConfiguration, settingsOf } from '../src/process/configuration/controller-configuration.ts'
import type { ControllerSettings, Reload, SettingsFeed } from '../src/process/configuration/controller-settings.ts'
import { runController } from '../src/process/controller/controller.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import type { Replaceable } from '../src/upstreams/upstreams.ts'
import { carriedSwap, endOf, passed, type SwapWish, upstreamNamed } from './carried-swap.ts'
import { configMap, secret, surroundings, workload } from './reload-cluster.ts'

const startMs = Date.parse('2026-03-02T04:00:00Z')
const signal = new AbortController().signal
const release = {
  'app.kubernetes.io/instance': 'reloader',
  'helm.sh/chart': 'reloader-2.2.16',
  app: 'reloader-reloader',
  release: 'reloader',
}
const helm = { 'meta.helm.sh/release-name': 'reloader', 'meta.helm.sh/release-namespace': 'reloader' }

const of = (apiVersion: string, kind: string, name: string, rest: object = {}, namespaced = true): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, ...(namespaced ? { namespace: 'reloader' } : {}), labels: release, annotations: helm },
  ...rest,
})

/** What the chart 2.2.16 leaves in a cluster, and Helm's own record of it. */
export function upstreamInstallation(args: readonly string[] = [], labels: object = {}): readonly KubeObject[] {
  const selector = { app: 'reloader-reloader', release: 'reloader' }
  const deployment = of('apps/v1', 'Deployment', 'reloader-reloader', {
    spec: {
      replicas: 1,
      selector: { matchLabels: selector },
      template: {
        metadata: { labels: selector },
        spec: {
          serviceAccountName: 'reloader-reloader',
          containers: [{ name: 'reloader-reloader', image: 'ghcr.io/stakater/reloader:v1.4.21', args }],
        },
      },
    },
  })
  const role = { rules: [{ apiGroups: [''], resources: ['secrets', 'configmaps'], verbs: ['list', 'get', 'watch'] }] }
  return [
    { ...deployment, metadata: { ...deployment.metadata, labels: { ...release, ...labels } } },
    of('v1', 'ServiceAccount', 'reloader-reloader'),
    of('rbac.authorization.k8s.io/v1', 'ClusterRole', 'reloader-reloader-role', role, false),
    of(
      'rbac.authorization.k8s.io/v1',
      'ClusterRoleBinding',
      'reloader-reloader-role-binding',
      {
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reloader-reloader-role' },
        subjects: [{ kind: 'ServiceAccount', name: 'reloader-reloader', namespace: 'reloader' }],
      },
      false,
    ),
    configMap('reloader-meta-info', { buildInfo: '{}' }, 'reloader'),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: 'sh.helm.release.v1.reloader.v1',
        namespace: 'reloader',
        labels: { owner: 'helm', name: 'reloader', status: 'deployed' },
      },
      type: 'helm.sh/release.v1',
    },
  ]
}

export const users: readonly KubeObject[] = [
  workload({ name: 'web', secrets: ['keys'] }),
  workload({ name: 'plain', annotations: {}, configmaps: ['settings'] }),
  secret('keys', { password: 'one' }),
  configMap('settings', { a: '1' }),
]

export interface Kill {
  /** Its number, or what it is: the first such one. */
  readonly write: number | string
  readonly when: 'before' | 'after'
}

interface Applied {
  readonly results: readonly StepResult[]
  readonly isDone: boolean
  /** Not done: by a refusal or a kill. */
  readonly error: Error | undefined
  readonly writes: readonly string[]
}

/** Whose place is taken, and the Deployment that does its job. */
interface Subject {
  readonly upstream: Replaceable
  readonly deployment: string
}

export class SwapSite implements AsyncDisposable {
  readonly clock: VirtualClock
  readonly twin: Twin
  readonly admin: Api
  /** Moments at which both reloaded. */
  readonly both: string[] = []
  /** Does the stand-in follow its ConfigMap? */
  isFollowing = true
  #isOver = false
  readonly #stop = new AbortController()
  /** Called with each write of a migration before it is sent. */
  meanwhile: (write: string) => Promise<void> = async () => undefined
  /** Stands between a migration and the twin: for what a twin cannot answer. */
  wrapped: (transport: Transport) => Transport = transport => transport

  readonly #subject: Subject

  private constructor(clock: VirtualClock, twin: Twin, subject: Subject) {
    this.#subject = subject
    this.clock = clock
    this.twin = twin
    this.admin = this.api(twin.transport({ admin: true }))
  }

  /** `real`: a controller in this process instead of the stand-in, with nothing but its ServiceAccount's token. */
  static async start(
    objects: readonly KubeObject[],
    controller: 'real' | 'stand-in' = 'stand-in',
    subject: Subject = { upstream: upstreamNamed('reloader'), deployment: 'reloader-reloader' },
  ): Promise<SwapSite> {
    const clock = new VirtualClock(startMs)
    const twin = await startTwin({ clock, seed: 1, objects: [...surroundings(objects).map(onLinux), ...objects] })
    const site = new SwapSite(clock, twin, subject)
    await site.pass(30_000)
    const standing = controller === 'real' ? site.#control() : site.#stand()
    standing.catch(error => site.#isOver || site.both.push(`the controller broke: ${String(error)}`))
    return site
  }

  api(transport: Transport): Api {
    return openApi(transport, { clock: this.clock, userAgent: 'ballast-test' })
  }

  /** Runs the steps as a person would, with a holder of its own; killed where asked. */
  async apply(options: SwapWish & { readonly kill?: Kill } = {}): Promise<Applied> {
    const writes: string[] = []
    const results: StepResult[] = []
    const death = new AbortController()
    const mortality = { kill: options.kill, meanwhile: this.meanwhile, death }
    const api = this.api(mortal(this.wrapped(this.twin.transport({ admin: true })), writes, mortality))
    const reach = { api, clock: this.clock, capabilities: enabledCapabilities, signal: death.signal }
    const run = carriedSwap(this.#subject.upstream, reach, options, result => results.push(result))
    return { results, writes, ...(await endOf(run, this.clock)) }
  }

  /** Lets so many milliseconds pass. */
  async pass(ms: number): Promise<void> {
    await passed(this.clock, ms)
  }

  list(resource: string): readonly KubeObject[] {
    // The twin's store holds what the API server validated.
    return this.twin.access.list(resource) as readonly KubeObject[]
  }

  /** The first of that name, the controller's own before those of agents. */
  find(resource: string, name: string): KubeObject | undefined {
    const named = this.list(resource).filter(({ metadata }) => metadata.name === name)
    return named.find(({ metadata }) => metadata.namespace === 'ballast-system') ?? named[0]
  }

  get upstreamReplicas(): number | undefined {
    const deployment = this.find('deployments.apps', this.#subject.deployment)
    return deployment === undefined ? undefined : (numberAt(deployment, 'spec', 'replicas') ?? 1)
  }

  get isEnabled(): boolean {
    const text = textAt(this.find('configmaps', 'ballast-config'), 'data', 'config.yaml')
    return (
      text !== undefined && Reflect.get(Object(parse(text).capabilities?.[this.#subject.upstream.capability]), 'enabled') === true
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    this.#stop.abort(new Error('the test is over'))
    await this.twin.stop()
  }

  /** Every second: what the controller would say of itself, once its pods are there. */
  async #stand(): Promise<void> {
    while (!this.#isOver) {
      await this.clock.after(1_000)
      const deployment = this.find('deployments.apps', 'ballast-controller')
      if (deployment === undefined || !this.isFollowing || this.#isOver) continue
      const isReady = (numberAt(deployment, 'status', 'readyReplicas') ?? 0) > 0
      const isOn = isReady && this.isEnabled
      const upstream = this.find('deployments.apps', this.#subject.deployment)
      const running = numberAt(upstream, 'status', 'replicas') ?? 0
      if (isOn && running > 0) this.both.push(new Date(this.clock.now()).toISOString())
      await this.#say(isOn)
    }
  }

  /** The controller, once its Deployment is ready, told of its ConfigMap every five seconds as a kubelet would. */
  async #control(): Promise<void> {
    const place = { namespace: 'ballast-system', name: 'ballast-controller' }
    const isReady = () => (numberAt(this.find('deployments.apps', place.name), 'status', 'readyReplicas') ?? 0) > 0
    while (!isReady() && !this.#isOver) await this.clock.after(1_000)
    const feed = new ConfigMapFeed(() => textAt(this.find('configmaps', 'ballast-config'), 'data', 'config.yaml') ?? '')
    const token = await this.twin.issueToken({ namespace: place.namespace, serviceAccount: place.name, seconds: 86_400 })
    const running = runController({
      transport: this.twin.transport({ token }),
      clock: this.clock,
      random: seededRandom(3),
      log: silentLog,
      identity: { name: 'ballast-controller-0', namespace: place.namespace },
      capabilities: enabledCapabilities,
      settings: feed,
      signal: this.#stop.signal,
    })
    running.catch(error => this.#isOver || this.both.push(`the controller ended: ${String(error)}`))
    while (!this.#isOver) {
      await this.clock.after(5_000)
      feed.look()
    }
  }

  async #say(isOn: boolean): Promise<void> {
    const conditions = [{ type: 'Ready', status: isOn ? 'True' : 'False', reason: isOn ? 'Running' : 'NotRunning' }]
    const object = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'ballast-status', namespace: 'ballast-system' },
      data: { [this.#subject.upstream.capability]: JSON.stringify({ conditions }) },
    }
    try {
      await this.admin
        .resource(builtIn.configmaps)
        .apply(object, { namespace: 'ballast-system', signal, fieldManager: 'stand-in', force: true })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}

/** Settings that follow a ConfigMap. */
class ConfigMapFeed implements SettingsFeed {
  readonly #read: () => string
  readonly #listeners = new Set<(reload: Reload) => void>()
  #text: string
  #current: ControllerSettings

  constructor(read: () => string) {
    this.#read = read
    this.#text = read()
    this.#current = settingsIn(this.#text)
  }

  get current(): ControllerSettings {
    return this.#current
  }

  onReload(listener: (reload: Reload) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  look(): void {
    const text = this.#read()
    if (text === this.#text) return
    this.#text = text
    this.#current = settingsIn(text)
    for (const listener of this.#listeners) listener({ kind: 'applied', needRestart: [] })
  }
}

function settingsIn(text: string): ControllerSettings {
  const read = readControllerConfiguration({ file: 'ballast-config', text, overrides: [] }, enabledCapabilities)
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return settingsOf(read.configuration, enabledCapabilities)
}

/** As every kubelet labels its node. */
function onLinux(object: KubeObject): KubeObject {
  if (object.kind !== 'Node') return object
  const { labels } = object.metadata
  return { ...object, metadata: { ...object.metadata, labels: { ...labels, 'kubernetes.io/os': 'linux' } } }
}

interface Mortality {
  readonly kill: Kill | undefined
  readonly meanwhile: (write: string) => Promise<void>
  /** The end of the process, as its own parts see it. */
  readonly death: AbortController
}

/** Counts writes and dies at the one it is told to: nothing is sent or heard afterwards. */
export function mortal(inner: Transport, writes: string[], { kill, meanwhile, death }: Mortality): Transport {
  const die = () => {
    death.abort(new Error('killed'))
    return new ConnectionError('killed')
  }
  const alive = async <T>(request: TransportRequest, send: () => Promise<T>): Promise<T> => {
    if (death.signal.aborted) throw die()
    // Asking what is allowed writes nothing.
    if (request.verb === 'GET' || request.path.includes('/selfsubject')) return send()
    const write = `${request.verb} ${request.path}`
    const isLast = (number: number) => kill?.write === (typeof kill?.write === 'number' ? number : write)
    if (kill?.when === 'before' && isLast(writes.length + 1)) throw die()
    writes.push(write)
    await meanwhile(write)
    const answer = await send()
    if (kill?.when === 'after' && isLast(writes.length)) throw die()
    return answer
  }
  return {
    request: request => alive(request, () => inner.request(request)),
    stream: request => alive(request, () => inner.stream(request)),
    close: () => inner.close(),
  }
}
