// A scenario of the controllers: steps that a real cluster and the twin go through alike, and what is to be seen after each.
// The scenario plays the kubelets itself, so that nothing depends on how fast pods start: they get ready when a step says so.
import type { MetricsTable } from './metrics-table.ts'
import { NormalForm, type NormalObject } from './normal-form.ts'

/** How long nothing happens between the pods of one step, so that each is reacted to. */
const shortlyQuietMs = 300

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** The cluster that a scenario is played on; its namespace is the scenario's own. */
export interface ScenarioCluster {
  readonly namespace: string
  send(
    method: Method,
    path: string,
    body?: unknown,
    contentType?: string,
  ): Promise<{ readonly status: number; readonly body: unknown }>
  /** Milliseconds since 1970. */
  now(): number
  /** Until nothing has happened for `quietMs`: the controllers have nothing left to do at once. */
  settle(quietMs: number): Promise<void>
  /** Serves these metrics, and waits until an autoscaler of the namespace has asked for them. */
  autoscalerRound(table: MetricsTable): Promise<void>
  /** Lets time pass. */
  wait(milliseconds: number): Promise<void>
}

export interface Scenario {
  readonly name: string
  /** Kinds whose objects are recorded after each step; Events are always. */
  readonly kinds: readonly RecordedKind[]
  /** Which of equal nodes comes first is chance in the real controller: the nodes' numbers are left out. */
  readonly hidesNodes?: boolean
  /** How long nothing happens before a step is over, where a second is not enough: controllers that gather changes. */
  readonly quietMs?: number
  readonly play: (run: ScenarioRun) => Promise<void>
}

export interface RecordedStep {
  readonly step: string
  /** What differs from the step before: kind and name, with the objects that there are under that name. */
  readonly changed: Readonly<Record<string, readonly NormalObject[]>>
  readonly gone?: readonly string[]
  /** New ones, sorted. */
  readonly events?: readonly string[]
  /** Answer to the request of the step, where it matters. */
  readonly answer?: unknown
}

const paths = {
  Deployment: ['apis/apps/v1', 'deployments'],
  ReplicaSet: ['apis/apps/v1', 'replicasets'],
  StatefulSet: ['apis/apps/v1', 'statefulsets'],
  DaemonSet: ['apis/apps/v1', 'daemonsets'],
  ControllerRevision: ['apis/apps/v1', 'controllerrevisions'],
  ReplicationController: ['api/v1', 'replicationcontrollers'],
  Pod: ['api/v1', 'pods'],
  Service: ['api/v1', 'services'],
  Endpoints: ['api/v1', 'endpoints'],
  EndpointSlice: ['apis/discovery.k8s.io/v1', 'endpointslices'],
  Job: ['apis/batch/v1', 'jobs'],
  CronJob: ['apis/batch/v1', 'cronjobs'],
  PodDisruptionBudget: ['apis/policy/v1', 'poddisruptionbudgets'],
  HorizontalPodAutoscaler: ['apis/autoscaling/v2', 'horizontalpodautoscalers'],
  PersistentVolumeClaim: ['api/v1', 'persistentvolumeclaims'],
  ConfigMap: ['api/v1', 'configmaps'],
  ServiceAccount: ['api/v1', 'serviceaccounts'],
  ResourceQuota: ['api/v1', 'resourcequotas'],
  Event: ['api/v1', 'events'],
  Namespace: ['api/v1', 'namespaces'],
  Node: ['api/v1', 'nodes'],
  PersistentVolume: ['api/v1', 'persistentvolumes'],
  StorageClass: ['apis/storage.k8s.io/v1', 'storageclasses'],
  DeviceClass: ['apis/resource.k8s.io/v1', 'deviceclasses'],
  ResourceSlice: ['apis/resource.k8s.io/v1', 'resourceslices'],
  ResourceClaim: ['apis/resource.k8s.io/v1', 'resourceclaims'],
  ResourceClaimTemplate: ['apis/resource.k8s.io/v1', 'resourceclaimtemplates'],
  ClusterRole: ['apis/rbac.authorization.k8s.io/v1', 'clusterroles'],
  ValidatingAdmissionPolicy: ['apis/admissionregistration.k8s.io/v1', 'validatingadmissionpolicies'],
} as const

export type RecordedKind = keyof typeof paths
const clusterWide: ReadonlySet<RecordedKind> = new Set<RecordedKind>([
  'Namespace',
  'Node',
  'PersistentVolume',
  'StorageClass',
  'DeviceClass',
  'ResourceSlice',
  'ClusterRole',
  'ValidatingAdmissionPolicy',
])

/** Paths of the collections over all namespaces: what a recorder watches to see that all is quiet. */
export const collections: readonly string[] = Object.values(paths).map(([group, plural]) => `/${group}/${plural}`)

/** A JSON object whose fields the scenarios read without further ado: their own API servers have checked it. */
export interface Loose {
  readonly [field: string]: unknown
}

export interface PodView extends Loose {
  readonly metadata: {
    readonly name: string
    readonly labels?: Readonly<Record<string, string>>
    readonly deletionTimestamp?: string
    readonly finalizers?: readonly string[]
  }
  readonly spec: { readonly nodeName?: string; readonly containers: readonly { readonly name: string; readonly image: string }[] }
  readonly status?: {
    readonly phase?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

export type PodChoice = (pod: PodView) => boolean
export const everyPod: PodChoice = () => true
export const podNamed =
  (...names: readonly string[]): PodChoice =>
  pod =>
    names.includes(pod.metadata.name)
export const withImage =
  (image: string): PodChoice =>
  pod =>
    pod.spec.containers[0]?.image === image

export class ScenarioRun {
  readonly steps: RecordedStep[] = []
  readonly #cluster: ScenarioCluster
  readonly #kinds: readonly RecordedKind[]
  readonly #form: NormalForm
  readonly #quietMs: number
  #before = new Map<string, string>()
  readonly #seenEvents = new Map<string, number>()

  constructor(cluster: ScenarioCluster, { kinds, hidesNodes = false, quietMs = 1_000 }: Omit<Scenario, 'name' | 'play'>) {
    this.#quietMs = quietMs
    this.#cluster = cluster
    this.#kinds = kinds
    this.#form = new NormalForm(cluster.namespace, hidesNodes)
  }

  get namespace(): string {
    return this.#cluster.namespace
  }

  get nowMs(): number {
    return this.#cluster.now()
  }

  path(kind: RecordedKind, name = ''): string {
    const [group, plural] = paths[kind]
    const where = clusterWide.has(kind) ? '' : `/namespaces/${this.namespace}`
    return `/${group}${where}/${plural}${name === '' ? '' : `/${name}`}`
  }

  /** Does something, waits until the controllers are quiet, and notes what has changed. */
  async step(step: string, action: () => Promise<unknown> = async () => undefined, keepAnswer = false): Promise<void> {
    const answer = await action()
    await this.#cluster.settle(this.#quietMs)
    const seen = await this.#look()
    const changed: Record<string, readonly NormalObject[]> = {}
    for (const [key, text] of [...seen].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (this.#before.get(key) !== text) changed[key] = JSON.parse(text)
    }
    const gone = [...this.#before.keys()].filter(key => !seen.has(key)).sort()
    const events = await this.#newEvents()
    this.#before = seen
    this.steps.push({
      step,
      changed,
      ...(gone.length === 0 ? {} : { gone }),
      ...(events.length === 0 ? {} : { events }),
      ...(keepAnswer ? { answer: this.#form.plain(answer) } : {}),
    })
  }

  async create(kind: RecordedKind, object: Loose): Promise<void> {
    await this.want('POST', this.path(kind), { apiVersion: apiVersionOf(kind), kind, ...object })
  }

  /** JSON merge patch. */
  async patch(kind: RecordedKind, name: string, patch: Loose, subresource = ''): Promise<void> {
    await this.want('PATCH', `${this.path(kind, name)}${subresource === '' ? '' : `/${subresource}`}`, patch)
  }

  async remove(kind: RecordedKind, name: string, options: Loose = {}): Promise<void> {
    await this.want('DELETE', this.path(kind, name), { apiVersion: 'v1', kind: 'DeleteOptions', ...options })
  }

  async wait(milliseconds: number): Promise<void> {
    await this.#cluster.wait(milliseconds)
  }

  /** See {@link ScenarioCluster.autoscalerRound}. */
  autoscalerRound(table: MetricsTable): Promise<void> {
    return this.#cluster.autoscalerRound(table)
  }

  /** Any request; the answer as status and body. */
  send(method: Method, path: string, body?: unknown, contentType?: string) {
    return this.#cluster.send(method, path, body, contentType)
  }

  async want(method: Method, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.#cluster.send(method, path, body)
    if (answer.status >= 200 && answer.status < 300) return answer.body
    throw new Error(`${this.namespace}: ${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }

  async list(kind: RecordedKind): Promise<readonly Loose[]> {
    const body = (await this.want('GET', this.path(kind))) as { readonly items: readonly Loose[] }
    return body.items
  }

  /** By name. */
  async pods(choice: PodChoice = everyPod): Promise<readonly PodView[]> {
    return ((await this.list('Pod')) as readonly PodView[]).filter(choice)
  }

  /** Bound pods that are not ready get ready; at most `most` of them. */
  async ready(choice: PodChoice = everyPod, most = Number.POSITIVE_INFINITY): Promise<void> {
    await this.#cluster.settle(shortlyQuietMs)
    const waiting = (await this.pods(choice)).filter(pod => pod.spec.nodeName !== undefined && isStanding(pod) && !isReady(pod))
    await this.#oneByOne(waiting.slice(0, most), pod => this.setPod(pod, true))
  }

  async unready(choice: PodChoice = everyPod): Promise<void> {
    await this.#oneByOne((await this.pods(choice)).filter(isStanding), pod => this.setPod(pod, false))
  }

  /** Pods that are to go are gone. */
  async gone(choice: PodChoice = everyPod): Promise<void> {
    const going = (await this.pods(choice)).filter(pod => pod.metadata.deletionTimestamp !== undefined)
    await this.#oneByOne(going, async pod => {
      const answer = await this.send('DELETE', this.path('Pod', pod.metadata.name), { gracePeriodSeconds: 0 })
      if (answer.status >= 300 && answer.status !== 404) throw new Error(JSON.stringify(answer.body))
    })
  }

  /** Ends containers of running or waiting pods; at most `most`. */
  async finish(phase: 'Succeeded' | 'Failed', choice: PodChoice = everyPod, end: PodEnd = {}): Promise<void> {
    const { exitCode = phase === 'Succeeded' ? 0 : 1, most = Number.POSITIVE_INFINITY, conditions = [] } = end
    const at = this.#nowText()
    const running = (await this.pods(choice)).filter(pod => pod.spec.nodeName !== undefined && !isFinished(pod))
    await this.#oneByOne(running.slice(0, most), async pod => {
      const containerStatuses = pod.spec.containers.map(({ name, image }) => ({
        name,
        image,
        imageID: image,
        ready: false,
        restartCount: 0,
        state: { terminated: { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', startedAt: at, finishedAt: at } },
      }))
      const status = { phase, conditions: [...readiness('False', at), ...conditions], containerStatuses }
      await this.patch('Pod', pod.metadata.name, { status }, 'status')
    })
  }

  async setPod(pod: PodView, isToBeReady: boolean): Promise<void> {
    const at = this.#nowText()
    const status = isToBeReady ? 'True' : 'False'
    const containerStatuses = pod.spec.containers.map(({ name, image }) => ({
      name,
      image,
      imageID: image,
      ready: isToBeReady,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: at } },
    }))
    const ip = `10.244.0.${addressOf(pod.metadata.name)}`
    const body = {
      phase: 'Running',
      startTime: at,
      podIP: ip,
      podIPs: [{ ip }],
      conditions: readiness(status, at),
      containerStatuses,
    }
    await this.patch('Pod', pod.metadata.name, { status: body }, 'status')
  }

  /** With a short silence in between: how far controllers come between two pods is no matter of chance then. */
  async #oneByOne(pods: readonly PodView[], change: (pod: PodView) => Promise<void>): Promise<void> {
    for (const [at, pod] of pods.entries()) {
      if (at > 0) await this.#cluster.settle(shortlyQuietMs)
      await change(pod)
    }
  }

  #nowText(): string {
    return `${new Date(this.#cluster.now()).toISOString().slice(0, 19)}Z`
  }

  async #look(): Promise<Map<string, string>> {
    // Hashes are in names and messages everywhere.
    for (const kind of ['ReplicaSet', 'ControllerRevision'] as const) this.#form.learn(kind, await this.list(kind))
    const lists = await Promise.all(this.#kinds.map(async kind => [kind, await this.list(kind)] as const))
    const mine = lists.map(
      ([kind, items]) => [kind, clusterWide.has(kind) ? items.filter(item => this.#isMine(item)) : items] as const,
    )
    for (const [kind, items] of mine) this.#form.learn(kind, items)
    const groups = new Map<string, string[]>()
    for (const [kind, items] of mine) {
      for (const item of items) {
        const form = this.#form.object(kind, item)
        const key = `${kind} ${form.name}`
        groups.set(key, [...(groups.get(key) ?? []), JSON.stringify(form)])
      }
    }
    return new Map([...groups].map(([key, texts]) => [key, `[${counted(texts).join(',')}]`]))
  }

  /** Objects without a namespace belong to the scenario whose name they begin with. */
  #isMine(item: Loose): boolean {
    const name = (item['metadata'] as { readonly name: string }).name
    return name === this.namespace || name.startsWith(`${this.namespace}-`)
  }

  async #newEvents(): Promise<readonly string[]> {
    const lines = new Set<string>()
    for (const event of await this.list('Event')) {
      const { uid } = event['metadata'] as { readonly uid: string }
      const count = Number((event['series'] as { readonly count?: number } | undefined)?.count ?? event['count'] ?? 1)
      if (this.#seenEvents.get(uid) === count) continue
      this.#seenEvents.set(uid, count)
      const line = this.#form.event(event)
      if (line !== undefined) lines.add(line)
    }
    return [...lines].sort()
  }
}

export interface PodEnd {
  readonly exitCode?: number
  readonly most?: number
  readonly conditions?: readonly Loose[]
}

function isStanding(pod: PodView): boolean {
  return pod.metadata.deletionTimestamp === undefined && !isFinished(pod)
}

function isFinished(pod: PodView): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}

function isReady(pod: PodView): boolean {
  return (pod.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')
}

function readiness(status: 'True' | 'False', at: string) {
  const known = [
    ['PodScheduled', 'True'],
    ['Initialized', 'True'],
    ['ContainersReady', status],
    ['Ready', status],
  ]
  return known.map(([type, value]) => ({ type, status: value, lastTransitionTime: at }))
}

/** A byte for the pod's address: the number at the end of its name, or one made of its letters. */
function addressOf(name: string): number {
  const number = /-(\d{1,2})$/.exec(name)?.[1]
  if (number !== undefined) return 10 + Number(number)
  return 110 + ([...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 140)
}

function apiVersionOf(kind: RecordedKind): string {
  return paths[kind][0].replace(/^apis?\//, '')
}

/** Equal ones once, with their number. */
function counted(texts: readonly string[]): readonly string[] {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([text, count]) => (count === 1 ? text : `{"times":${count},${text.slice(1)}`))
}
