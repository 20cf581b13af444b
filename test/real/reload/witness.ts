// Watches the workloads itself and writes down each change of a pod template, with the values that say what it was reloaded for. It can
// also say of each roll-out that it is over, where nobody runs pods.
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '#kube/clock.ts'
import { type ApiClient, type ApiObject, apiPath } from '../control-plane/api-client.ts'

interface EnvVariable {
  readonly name: string
  readonly value?: string
}

interface Watched extends ApiObject {
  readonly metadata: ApiObject['metadata'] & {
    readonly namespace: string
    readonly generation: number
    readonly uid: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec: {
    readonly paused?: boolean
    readonly replicas?: number
    readonly template: {
      readonly metadata: { readonly annotations?: Readonly<Record<string, string>> }
      readonly spec: { readonly containers: readonly { readonly name: string; readonly env?: readonly EnvVariable[] }[] }
    }
  }
  readonly status?: { readonly observedGeneration?: number }
}

/** What a pod template says that it was reloaded for: name of a variable, or type and name, with the hash. */
export type Marks = ReadonlyMap<string, string>

export interface Sighting {
  readonly atMs: number
  readonly marks: Marks
  /** Names of marks whose value is another than before. */
  readonly changed: readonly string[]
}

export interface Pause {
  readonly fromMs: number
  readonly toMs: number | undefined
}

export interface Watching {
  readonly uid: string
  readonly isGone: boolean
  readonly marks: Marks
  readonly sightings: readonly Sighting[]
  readonly pauses: readonly Pause[]
  /** The whole pod template as it was last seen. */
  readonly template: string
}

interface State extends Watching {
  isGone: boolean
  marks: Marks
  template: string
  readonly sightings: Sighting[]
  readonly pauses: { fromMs: number; toMs: number | undefined }[]
}

const collections = ['deployments', 'statefulsets', 'daemonsets'] as const
const lastReloaded = 'reloader.stakater.com/last-reloaded-from'

export const workloadKeyOf = ({ kind, metadata }: Pick<ApiObject, 'kind' | 'metadata'>) =>
  `${kind}/${metadata.namespace ?? ''}/${metadata.name}`

export class Witness implements AsyncDisposable {
  readonly #client: ApiClient
  readonly #stop = new AbortController()
  readonly #states = new Map<string, State>()
  readonly #watching: Promise<unknown>
  readonly #isStandIn: boolean
  readonly #told = new Map<string, { readonly generation: number; readonly sentMs: number }>()
  readonly #echoesMs: number[] = []
  readonly #telling = new Set<Promise<void>>()
  #failure: Error | undefined
  #lastMs = 0

  private constructor(client: ApiClient, from: ReadonlyMap<string, string>, isStandIn: boolean) {
    this.#client = client
    this.#isStandIn = isStandIn
    this.#watching = Promise.all(collections.map(of => this.#watch(of, from.get(of) ?? '0')))
  }

  /** `isStandIn`: says of each roll-out that it is over, as controllers and kubelets would in time. */
  static async open(client: ApiClient, { isStandIn = false }: { readonly isStandIn?: boolean } = {}): Promise<Witness> {
    const from = new Map<string, string>()
    for (const of of collections) {
      const list = await client.want('GET', `/apis/apps/v1/${of}`)
      from.set(of, list.metadata.resourceVersion ?? '0')
    }
    return new Witness(client, from, isStandIn)
  }

  get(key: string): Watching | undefined {
    return this.#states.get(key)
  }

  /** How long its own writes of a status took to come back by its watch, in milliseconds: what the server and the machine take. */
  takeEchoesMs(): readonly number[] {
    return this.#echoesMs.splice(0).sort((a, b) => a - b)
  }

  /** When a template last changed. */
  get lastMs(): number {
    return this.#lastMs
  }

  /** Forgets what it has seen of a namespace's workloads that are gone. */
  forget(isForgotten: (key: string) => boolean): void {
    for (const key of [...this.#states.keys()]) if (isForgotten(key)) this.#states.delete(key)
  }

  /** @throws Error with what went wrong while watching */
  look(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Resolves when `holds`. @throws Error with `what` after `limitMs` */
  async until(what: () => string, holds: () => boolean, limitMs: number): Promise<void> {
    const untilMs = systemClock.elapsed() + limitMs
    while (!holds()) {
      this.look()
      if (systemClock.elapsed() > untilMs) throw new Error(`not after ${limitMs / 1_000} s: ${what()}`)
      await pause(20)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#watching
    await Promise.all(this.#telling)
  }

  async #watch(collection: (typeof collections)[number], from: string): Promise<void> {
    try {
      // A watch that falls behind is closed by the server: it goes on where it was.
      for (let version = from; !this.#stop.signal.aborted; )
        for await (const { type, object } of this.#client.watch(`/apis/apps/v1/${collection}`, version, this.#stop.signal)) {
          if (type === 'ERROR') throw new Error(`the witness's watch ended: ${JSON.stringify(object)}`)
          version = object.metadata.resourceVersion ?? version
          this.#see(type, object as Watched)
        }
    } catch (cause) {
      if (!this.#stop.signal.aborted) this.#failure ??= cause instanceof Error ? cause : new Error(String(cause))
    }
  }

  #see(type: string, object: Watched): void {
    const atMs = systemClock.elapsed()
    const key = workloadKeyOf(object)
    const known = this.#states.get(key)
    if (type === 'DELETED') {
      if (known !== undefined) known.isGone = true
      return
    }
    const template = JSON.stringify(object.spec.template)
    const marks = marksOf(object)
    if (known === undefined || known.uid !== object.metadata.uid) {
      const state = { uid: object.metadata.uid, isGone: false, marks, template, sightings: [], pauses: [] }
      this.#states.set(key, state)
    } else if (known.template !== template) {
      const changed = [...marks].filter(([name, value]) => known.marks.get(name) !== value).map(([name]) => name)
      known.sightings.push({ atMs, marks, changed })
      known.marks = marks
      known.template = template
      this.#lastMs = atMs
    }
    this.#seePause(key, object, atMs)
    if (!this.#isStandIn) return
    const told = this.#told.get(object.metadata.uid)
    if (told !== undefined && told.generation === object.status?.observedGeneration) {
      this.#echoesMs.push(atMs - told.sentMs)
      this.#told.delete(object.metadata.uid)
    }
    this.#sayDone(object)
  }

  #seePause(key: string, { spec }: Watched, atMs: number): void {
    const pauses = this.#states.get(key)?.pauses ?? []
    const last = pauses.at(-1)
    const isPaused = last !== undefined && last.toMs === undefined
    if (spec.paused === true && !isPaused) pauses.push({ fromMs: atMs, toMs: undefined })
    else if (spec.paused !== true && isPaused) last.toMs = atMs
  }

  #sayDone(object: Watched): void {
    const { generation, uid, namespace, name } = object.metadata
    if ((object.status?.observedGeneration ?? 0) >= generation || (this.#told.get(uid)?.generation ?? 0) >= generation) return
    this.#told.set(uid, { generation, sentMs: systemClock.elapsed() })
    const said = this.#client
      .send('PATCH', `${apiPath(object, namespace, name)}/status`, { metadata: { uid }, status: wholeStatus(object) })
      .then(({ status, body }) => {
        // It may be gone by now.
        if (status !== 200 && status !== 404 && status !== 409)
          throw new Error(`status of ${name}: ${status} ${JSON.stringify(body)}`)
      })
      .catch((cause: Error) => {
        if (!this.#stop.signal.aborted) this.#failure ??= cause
      })
      .finally(() => this.#telling.delete(said))
    this.#telling.add(said)
  }
}

function wholeStatus({ kind, metadata: { generation }, spec }: Watched): object {
  const count = spec.replicas ?? 1
  const observedGeneration = generation
  if (kind === 'DaemonSet')
    return {
      observedGeneration,
      currentNumberScheduled: 1,
      desiredNumberScheduled: 1,
      updatedNumberScheduled: 1,
      numberAvailable: 1,
      numberReady: 1,
      numberMisscheduled: 0,
    }
  const revision = `r${generation}`
  const revisions = kind === 'StatefulSet' ? { currentRevision: revision, updateRevision: revision, currentReplicas: count } : {}
  const counts = { replicas: count, updatedReplicas: count, readyReplicas: count, availableReplicas: count }
  return { observedGeneration, ...counts, ...revisions }
}

/** `STAKATER_APP_CONFIGMAP` of variables; `CONFIGMAP app` of the annotation. */
function marksOf({ spec: { template } }: Watched): Marks {
  const marks = new Map<string, string>()
  for (const { env = [] } of template.spec.containers)
    for (const { name, value = '' } of env) if (name.startsWith('STAKATER_')) marks.set(name, value)
  const text = template.metadata.annotations?.[lastReloaded]
  if (text !== undefined) {
    const { type, name, hash }: { readonly type: string; readonly name: string; readonly hash: string } = JSON.parse(text)
    marks.set(`${type} ${name}`, hash)
  }
  return marks
}
