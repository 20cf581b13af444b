// A twin on which the descheduler stands as its chart or its plain manifests install it: for trying the swap to ours and back, killed at any
// write. The twin runs Deployments and CronJobs of both, and a witness looks each second whether pods of both are there at once.
import { type Api, openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import type { StepResult } from '../src/migration/run.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { carriedSwap, endOf, passed, type SwapWish, upstreamNamed } from './carried-swap.ts'
import { surroundings } from './reload-cluster.ts'
import { type Kill, mortal } from './swap-site.ts'

const startMs = Date.parse('2026-03-02T04:00:30Z')
const upstreamNamespace = 'kube-system'

interface Applied {
  readonly results: readonly StepResult[]
  readonly isDone: boolean
  /** Not done: by a refusal or a kill. */
  readonly error: Error | undefined
  readonly writes: readonly string[]
}

export class DeschedulerSwapSite implements AsyncDisposable {
  readonly clock: VirtualClock
  readonly twin: Twin
  readonly admin: Api
  /** Moments at which pods of both were there, or were to be made. */
  readonly both: string[] = []
  /** How many pods of each were seen. */
  readonly seen = { upstream: new Set<string>(), ours: new Set<string>() }
  /** Called with each write of a migration before it is sent. */
  meanwhile: (write: string) => Promise<void> = async () => undefined
  #isOver = false

  private constructor(clock: VirtualClock, twin: Twin) {
    this.clock = clock
    this.twin = twin
    this.admin = this.#api(twin.transport({ admin: true }))
  }

  static async start(objects: readonly KubeObject[]): Promise<DeschedulerSwapSite> {
    const clock = new VirtualClock(startMs)
    const around = surroundings(objects).map(onLinux)
    const twin = await startTwin({ clock, seed: 1, objects: [...around, ...objects] })
    const site = new DeschedulerSwapSite(clock, twin)
    site.#witness().catch(error => site.#isOver || site.both.push(`the witness broke: ${String(error)}`))
    await site.pass(30_000)
    return site
  }

  /** Runs the steps as a person would, with a holder of its own; killed where asked. */
  async apply(options: SwapWish & { readonly kill?: Kill } = {}): Promise<Applied> {
    const writes: string[] = []
    const results: StepResult[] = []
    const meanwhile = async (write: string) => {
      this.#look()
      await this.meanwhile(write)
    }
    const death = new AbortController()
    const api = this.#api(mortal(this.twin.transport({ admin: true }), writes, { kill: options.kill, meanwhile, death }))
    const reach = { api, clock: this.clock, capabilities: enabledCapabilities, signal: death.signal }
    const run = carriedSwap(upstreamNamed('descheduler'), reach, options, result => results.push(result))
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

  find(resource: string, name: string): KubeObject | undefined {
    return this.list(resource).find(({ metadata }) => metadata.name === name)
  }

  /** Replicas of a Deployment; a CronJob counts 1 while it is not suspended; `undefined`: it is not there. */
  replicasOf(which: 'upstream' | 'ours'): number | undefined {
    const names = which === 'ours' ? ['ballast-descheduler'] : ['descheduler', 'descheduler-cronjob']
    const found = ['deployments.apps', 'cronjobs.batch'].flatMap(resource =>
      names.flatMap(name => this.find(resource, name) ?? []),
    )
    const [workload] = found
    if (workload === undefined) return undefined
    if (Reflect.get(Object(workload['spec']), 'schedule') === undefined) return numberAt(workload, 'spec', 'replicas') ?? 1
    return Reflect.get(Object(workload['spec']), 'suspend') === true ? 0 : 1
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.twin.stop()
  }

  #api(transport: Parameters<typeof openApi>[0]): Api {
    return openApi(transport, { clock: this.clock, userAgent: 'ballast-test' })
  }

  /** Before each write, and twice a second: pods that are not over, of either. */
  async #witness(): Promise<void> {
    while (!this.#isOver) {
      await this.clock.after(500)
      this.#look()
    }
  }

  #look(): void {
    const active = this.list('pods').filter(pod => !['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase') ?? ''))
    const ours = active.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === 'descheduler')
    const upstream = active.filter(({ metadata }) => metadata.namespace === upstreamNamespace)
    for (const { metadata } of ours) this.seen.ours.add(metadata.name)
    for (const { metadata } of upstream) this.seen.upstream.add(metadata.name)
    const areAwake = (this.replicasOf('upstream') ?? 0) > 0 && (this.replicasOf('ours') ?? 0) > 0
    if (areAwake || (ours.length > 0 && upstream.length > 0)) this.both.push(new Date(this.clock.now()).toISOString())
  }
}

/** As every kubelet labels its node. */
function onLinux(object: KubeObject): KubeObject {
  if (object.kind !== 'Node') return object
  const { labels } = object.metadata
  return { ...object, metadata: { ...object.metadata, labels: { ...labels, 'kubernetes.io/os': 'linux' } } }
}
