// All ScaledObjects and ScaledJobs of a cluster, worked on where we lead: a queue for each kind.
import { isDeepStrictEqual } from 'node:util'
import type { ApiserverContext } from '#coordination/capability.ts'
import type { ExternalMetricSource } from '#coordination/ports/external-metrics.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { Registered } from '../counts/keda-metrics.ts'
import type { ScaledJob } from '../kinds/scaled-job.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import type { TriggerAuthentication } from '../kinds/trigger-authentication.ts'
import {
  cloudEventSources,
  clusterCloudEventSources,
  clusterTriggerAuthentications,
  scaledJobs,
  scaledObjects,
  triggerAuthentications,
} from '../names.ts'
import type { ScalerWorld } from '../scalers/scaler.ts'
import { AuthenticationWork, authenticationsOf } from './authentication-work.ts'
import type { WorkContext } from './held-object.ts'
import { keyOf, ObjectQueue } from './object-queue.ts'
import { ScaledJobWork } from './scaled-job-work.ts'
import { ScaledObjectWork } from './scaled-object-work.ts'

/** KEDA's version whose ways these are: the label of autoscalers says it. */
const kedaVersionLabel = '2.21.0'

interface AutoscalingOptions extends Pick<ApiserverContext, 'informers' | 'clock' | 'log' | 'api'> {
  readonly events: WorkContext['events']
  readonly effects: WorkContext['effects']
  readonly world: ScalerWorld
  readonly given: WorkContext['given']
  readonly metrics?: WorkContext['metrics']
  readonly groups: WorkContext['groups']
  readonly ownNamespace?: WorkContext['ownNamespace']
}

export class Autoscaling implements AsyncDisposable, ExternalMetricSource {
  readonly #objects: ObjectQueue<ScaledObjectWork>
  readonly #jobs: ObjectQueue<ScaledJobWork>
  readonly #authentications: readonly ObjectQueue<AuthenticationWork>[]
  readonly #unwatch: readonly (() => void)[]
  readonly #counted: Disposable | undefined

  constructor(options: AutoscalingOptions) {
    const { informers, clock, api, effects, log, events, world, given, metrics, groups, ownNamespace } = options
    const objects = informers.of<ScaledObject>(scaledObjects)
    const scaled = informers.of<ScaledJob>(scaledJobs)
    const autoscalers = informers.of<KubeObject>(builtIn.horizontalpodautoscalers)
    const watches = {
      deployments: informers.of<KubeObject>(builtIn.deployments),
      statefulSets: informers.of<KubeObject>(builtIn.statefulsets),
      pods: informers.of<Pod>(builtIn.pods),
    }
    const jobs = informers.of<KubeObject>(builtIn.jobs)
    const common = { api, effects, clock, log, events, world, given, metrics, version: kedaVersionLabel }
    this.#objects = new ObjectQueue(
      { name: 'scaled objects', objects, clock, log },
      wake => new ScaledObjectWork({ ...common, objects, autoscalers, watches, groups, ownNamespace, wake }),
    )
    this.#jobs = new ObjectQueue(
      { name: 'scaled jobs', objects: scaled, clock, log },
      wake => new ScaledJobWork({ ...common, objects: scaled, jobs, pods: watches.pods, wake }),
    )
    this.#authentications = ([triggerAuthentications, clusterTriggerAuthentications] as const).map((resource, index) => {
      const kind = index === 0 ? 'TriggerAuthentication' : 'ClusterTriggerAuthentication'
      const authentications = informers.of<TriggerAuthentication>(resource)
      return new ObjectQueue(
        { name: kind, objects: authentications, clock, log },
        () => new AuthenticationWork({ kind, api, clock, events, authentications, objects, jobs: scaled }),
      )
    })
    this.#counted = metrics?.begin(registeredIn(informers))
    this.#unwatch = [
      ...[objects, scaled].map(users => this.#followUsers(users)),
      autoscalers.onChange(({ type, object, previous }) => {
        const owner = object.metadata.ownerReferences?.find(one => one.controller === true && one.kind === 'ScaledObject')
        const hasChanged = type === 'DELETED' || previous === undefined || !isDeepStrictEqual(previous['spec'], object['spec'])
        if (owner !== undefined && hasChanged) this.#objects.wake(`${object.metadata.namespace ?? ''}/${owner.name}`)
      }),
      ...[watches.deployments, watches.statefulSets].map(informer => this.#followTargets(informer, objects)),
    ]
  }

  /** Works until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const queues = [this.#objects, this.#jobs, ...this.#authentications]
    await Promise.all([...queues.map(queue => queue.run(signal)), this.#objects.work.run(signal)])
  }

  async values(of: { readonly namespace: string; readonly scaledObject: string; readonly metric: string }, signal: AbortSignal) {
    return await this.#objects.work.metric(of.namespace, of.scaledObject, of.metric, signal)
  }

  /** How many objects there are, in words. */
  get state(): string {
    return `${this.#objects.work.size} ScaledObjects and ${this.#jobs.work.size} ScaledJobs are looked at`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const unwatch of this.#unwatch) unwatch()
    const queues = [this.#objects, this.#jobs, ...this.#authentications]
    await Promise.all(queues.map(queue => queue[Symbol.asyncDispose]()))
    this.#counted?.[Symbol.dispose]()
  }

  /** Who begins or ceases to use an authentication is news for that. */
  #followUsers(users: Informer<KubeObject>): () => void {
    const kinds = ['TriggerAuthentication', 'ClusterTriggerAuthentication'] as const
    return users.onChange(({ type, object, previous }) => {
      for (const [index, kind] of kinds.entries()) {
        const before = previous === undefined || type === 'DELETED' ? [] : authenticationsOf(previous, kind)
        const now = authenticationsOf(object, kind)
        const isGoing = object.metadata.deletionTimestamp !== undefined
        for (const key of isGoing ? now : new Set(now).symmetricDifference(new Set(before)))
          this.#authentications[index]?.wake(key)
      }
    })
  }

  /** A target that comes or goes is news for whoever scales it. */
  #followTargets(informer: Informer<KubeObject>, objects: Informer<ScaledObject>): () => void {
    return informer.onChange(({ type, object, previous }) => {
      if (type !== 'DELETED' && previous !== undefined) return
      for (const scaled of objects.store.list(object.metadata.namespace))
        if (at(scaled, 'spec', 'scaleTargetRef', 'name') === object.metadata.name) this.#objects.wake(keyOf(scaled))
    })
  }
}

/** Kinds as KEDA's metrics call them. */
const countedKinds = [
  ['scaled_object', scaledObjects],
  ['scaled_job', scaledJobs],
  ['trigger_authentication', triggerAuthentications],
  ['cluster_trigger_authentication', clusterTriggerAuthentications],
  ['cloudevent_source', cloudEventSources],
  ['cloudevent_source', clusterCloudEventSources],
] as const

function registeredIn(informers: Pick<ApiserverContext['informers'], 'of'>): Registered {
  const kinds = countedKinds.map(([type, resource]) => ({ type, informer: informers.of<KubeObject>(resource) }))
  const users = kinds.slice(0, 2)
  return {
    triggers: function* () {
      for (const { informer } of users)
        for (const object of informer.store.list())
          for (const trigger of listAt(object, 'spec', 'triggers')) yield textAt(trigger, 'type') ?? ''
    },
    resources: function* () {
      for (const { type, informer } of kinds)
        for (const { metadata } of informer.store.list()) yield { type, namespace: metadata.namespace ?? '' }
    },
  }
}
