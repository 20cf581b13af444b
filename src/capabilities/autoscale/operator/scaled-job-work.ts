// What is done for one ScaledJob: settled where its spec changed, its queues read where its time has come, Jobs started as the look decides.
// How many there are is asked of the server before any is started, so that a start whose answer was lost, or another operator's, is counted.

import { deleteOwnJob, startOwnJob } from '#coordination/effects/own-jobs.ts'
import { freezeOf } from '#coordination/freeze.ts'
import { addFinalizer, removeFinalizer } from '#kube/client/finalizers.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { secondsMs } from '#kube/time/duration.ts'
import { formatTime } from '#kube/time/time.ts'
import { triggersProblem } from '../admission/triggers.ts'
import type { CountedReading } from '../counts/keda-metrics.ts'
import { type JobRules, jobDecision, type QueueReading } from '../decisions/job-decision.ts'
import { jobCounts, jobsBeyondHistory, jobsOfEarlierSpec, wantedJob } from '../decisions/job-manifest.ts'
import { pausesOf } from '../decisions/pauses.ts'
import type { ScaledJob } from '../kinds/scaled-job.ts'
import { defaultPollingSeconds } from '../kinds/scaled-object.ts'
import type { ScalerCondition } from '../kinds/triggers.ts'
import { jobLabel, kedaFinalizer, scaledJobs } from '../names.ts'
import { amountOf } from './check.ts'
import { Counting } from './counting.ts'
import { annotationsText, emitOn, fieldManager, type WorkContext } from './held-object.ts'
import { keyOf, type ObjectWork } from './object-queue.ts'
import { conditionOf, initialConditions, typeWords, withConditions, writeStatus } from './status-writes.ts'
import { TriggerSet } from './trigger-set.ts'

interface JobContext
  extends Pick<WorkContext, 'api' | 'effects' | 'clock' | 'log' | 'events' | 'world' | 'given' | 'version' | 'wake' | 'metrics'> {
  readonly objects: Informer<ScaledJob>
  readonly jobs: Informer<KubeObject>
  readonly pods: Informer<Pod>
}

interface HeldJob {
  readonly uid: string
  settled: { readonly generation: number; readonly annotations: string } | undefined
  triggers: TriggerSet | undefined
  dueElapsedMs: number
  isStarted: boolean
}

/** A queue as it was read, and what is counted of it. */
interface CountedQueue extends QueueReading {
  readonly counted: Omit<CountedReading, 'isFailed'>
}

/** What one look at the queues came to. */
interface Look {
  readonly readings: readonly CountedQueue[]
  readonly activeMetrics: readonly string[]
  readonly metrics: readonly string[]
  readonly failures: readonly string[]
}

const requester = 'autoscale'

export class ScaledJobWork implements ObjectWork {
  readonly #context: JobContext
  readonly #held = new Map<string, HeldJob>()
  readonly #counting: Counting

  constructor(context: JobContext) {
    this.#context = context
    this.#counting = new Counting(context.metrics, 'scaledjob')
  }

  /** How many are looked at. */
  get size(): number {
    return [...this.#held.values()].filter(({ triggers }) => triggers !== undefined).length
  }

  async reconcile(key: string, signal: AbortSignal): Promise<number | undefined> {
    const { objects, clock } = this.#context
    const [namespace = '', name = ''] = key.split('/')
    const object = objects.store.get(namespace, name)
    if (object === undefined || (this.#held.get(key)?.uid ?? object.metadata.uid) !== object.metadata.uid) await this.#forget(key)
    if (object === undefined) {
      this.#counting.gone(key)
      return undefined
    }
    if (object.metadata.deletionTimestamp !== undefined) return this.#finish(key, object, signal)
    const held = this.#heldOf(key, object)
    const isSettled =
      held.settled?.generation === (object.metadata.generation ?? 0) && held.settled.annotations === annotationsText(object)
    if (!isSettled) {
      if ((await this.#settle(key, object, held, signal)) === 'paused') return undefined
      this.#counting.closed(key)
      held.dueElapsedMs = clock.elapsed()
    }
    const waitMs = held.dueElapsedMs - clock.elapsed()
    if (waitMs > 0) return waitMs
    this.#counting.late(key, -waitMs)
    held.dueElapsedMs = clock.elapsed() + secondsMs(object.spec.pollingInterval ?? defaultPollingSeconds)
    await this.#look(objects.store.get(namespace, name) ?? object, held, signal)
    return Math.max(0, held.dueElapsedMs - clock.elapsed())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#held.keys()].map(key => this.#forget(key)))
  }

  #heldOf(key: string, object: ScaledJob): HeldJob {
    const known = this.#held.get(key)
    if (known !== undefined) return known
    const dueElapsedMs = this.#context.clock.elapsed()
    const held = { uid: object.metadata.uid ?? '', settled: undefined, triggers: undefined, dueElapsedMs, isStarted: false }
    this.#held.set(key, held)
    return held
  }

  async #forget(key: string): Promise<void> {
    const held = this.#held.get(key)
    this.#held.delete(key)
    this.#counting.closed(key)
    await held?.triggers?.[Symbol.asyncDispose]()
  }

  /** Finalizer, pause, roll-out, triggers, conditions. Whether it is looked at from now on. */
  async #settle(key: string, found: ScaledJob, held: HeldJob, signal: AbortSignal): Promise<'paused' | 'opened'> {
    let step = ''
    try {
      const object = await this.#begun(found, signal)
      const { spec, metadata } = object
      const wasPaused = conditionOf(object, 'Paused')?.status === 'True'
      if (pausesOf(object).isPausedByWord) {
        await this.#pause(key, object, wasPaused, signal)
        return 'paused'
      }
      step = "ScaledJob doesn't have correct triggers specification"
      const problem = triggersProblem(spec.triggers)
      if (problem !== undefined) throw new Error(problem)
      step = 'Failed to roll out'
      await this.#rollOut(object, signal)
      step = 'Failed to ensure ScaledJob is correctly created'
      await held.triggers?.[Symbol.asyncDispose]()
      held.triggers = undefined
      const pushes = spec.triggers.find(({ type }) => type === 'external-push')
      if (pushes !== undefined) throw new Error('external-push is not supported in a ScaledJob: use external')
      const triggers = await this.#open(object, signal)
      if (spec.triggers.some(({ metricType }) => metricType !== undefined && metricType !== '')) {
        await triggers[Symbol.asyncDispose]()
        step = 'Cannot set metricType in ScaledJob triggers'
        throw new Error('metricType is set in one of the ScaledJob scaler')
      }
      held.triggers = triggers
      await this.#tellReady(object, 'ScaledJob is defined correctly and is ready to scaling', { isPaused: false }, signal)
      held.settled = { generation: metadata.generation ?? 0, annotations: annotationsText(object) }
      if (!held.isStarted) {
        held.isStarted = true
        emitOn(this.#context, object, 'Normal', 'KEDAScalersStarted', 'Started scalers watch')
      }
      return 'opened'
    } catch (error) {
      signal.throwIfAborted()
      await this.#tellFailed(found, step === '' ? messageOf(error) : `${step}: ${messageOf(error)}`, signal)
      throw error
    }
  }

  async #begun(object: ScaledJob, signal: AbortSignal): Promise<ScaledJob> {
    const { api, objects } = this.#context
    const held = await addFinalizer(api.resource<ScaledJob>(scaledJobs), object, kedaFinalizer, { fieldManager, signal })
    if (held !== object) objects.observe(held)
    if (held.status?.conditions !== undefined) return held
    await writeStatus(api, objects, held, status => ({ ...status, conditions: initialConditions }), signal)
    return objects.store.get(held.metadata.namespace, held.metadata.name) ?? held
  }

  /** Said before anything stops: whoever reads the status knows first. */
  async #pause(key: string, object: ScaledJob, wasPaused: boolean, signal: AbortSignal): Promise<void> {
    const wasHeld = this.#held.get(key)?.triggers !== undefined
    await this.#tellReady(object, 'ScaledJob is paused, skipping reconcile loop', { isPaused: true }, signal)
    await this.#forget(key)
    if (!wasPaused) emitOn(this.#context, object, 'Normal', 'ScaledJobPaused', 'ScaledJob is paused')
    if (wasHeld) emitOn(this.#context, object, 'Normal', 'KEDAScalersStopped', 'Stopped scalers watch')
  }

  async #open(object: ScaledJob, signal: AbortSignal): Promise<TriggerSet> {
    const { world, given } = this.#context
    const { namespace = '', name, uid = '', generation = 0 } = object.metadata
    const { template } = object.spec.jobTargetRef
    const container = object.spec.envSourceContainerName
    return await TriggerSet.open(
      {
        owner: { kind: 'ScaledJob', namespace, name, uid, generation },
        triggers: object.spec.triggers,
        world,
        given: (trigger, limit) => given({ trigger, namespace, container, template }, limit),
      },
      signal,
    )
  }

  /** Jobs of an earlier spec go, unless they are to end by themselves. */
  async #rollOut(object: ScaledJob, signal: AbortSignal): Promise<void> {
    const old = jobsOfEarlierSpec(object, await this.#listed(object, signal))
    if (old.length === 0) return
    const of = 'jobs owned by the previous version of the scaledJob'
    emitOn(this.#context, object, 'Normal', 'ScaledJobRolloutCleanupStarted', `Deleting ${old.length} ${of}`)
    const propagationPolicy = object.spec.rollout?.propagationPolicy === 'foreground' ? 'Foreground' : 'Background'
    for (const job of old) {
      try {
        await deleteOwnJob(this.#context.effects, job, { propagationPolicy, signal })
      } catch (error) {
        signal.throwIfAborted()
        const note = `Failed to delete job ${job.metadata.name}: ${messageOf(error)}`
        emitOn(this.#context, object, 'Warning', 'ScaledJobRolloutCleanupFailed', note)
        throw error
      }
    }
    emitOn(this.#context, object, 'Normal', 'ScaledJobRolloutCleanupCompleted', `Deleted ${old.length} ${of}`)
  }

  /** Its Jobs as the server has them now. @throws StatusError */
  async #listed(object: ScaledJob, signal: AbortSignal): Promise<readonly KubeObject[]> {
    const { api, jobs } = this.#context
    const { namespace, name } = object.metadata
    const found: KubeObject[] = []
    const labelSelector = `${jobLabel}=${name}`
    for await (const page of api.resource<KubeObject>(builtIn.jobs).pages({ namespace, labelSelector, signal }))
      found.push(...page.items)
    for (const job of found) jobs.observe(job)
    return found
  }

  #known({ metadata }: ScaledJob): readonly KubeObject[] {
    return [...this.#context.jobs.store.list(metadata.namespace)].filter(job => job.metadata.labels?.[jobLabel] === metadata.name)
  }

  async #look(object: ScaledJob, held: HeldJob, signal: AbortSignal): Promise<void> {
    const { clock } = this.#context
    if (held.triggers === undefined) return
    const look = await read(held.triggers, signal, clock)
    this.#count(keyOf(object), look)
    for (const failure of look.failures) emitOn(this.#context, object, 'Warning', 'KEDAScalerFailed', failure)
    const rules = rulesOf(object)
    const decide = (jobs: readonly KubeObject[]) => jobDecision(look.readings, rules, this.#counts(object, jobs))
    let decision = decide(this.#known(object))
    const nowMs = clock.now()
    const freeze = freezeOf(object, nowMs)
    let failure: string | undefined
    if (decision.create > 0 && freeze !== undefined) failure = `frozen by ${freeze.where}: ${freeze.reason}`
    else if (decision.create > 0) {
      decision = decide(await this.#listed(object, signal))
      failure = await this.#start(object, decision.create, signal)
    }
    await this.#say(object, look, { isActive: decision.isActive, failure, nowMs }, signal)
    await this.#clean(object, signal)
  }

  #count(key: string, { readings, failures }: Look): void {
    this.#counting.failed(key, failures.length)
    for (const { counted } of readings) this.#counting.reading(key, { ...counted, isFailed: false })
  }

  #counts(object: ScaledJob, jobs: readonly KubeObject[]) {
    const pods = this.#context.pods.store.list(object.metadata.namespace)
    const byJob = Map.groupBy(pods, ({ metadata }) => metadata.labels?.['job-name'])
    return jobCounts(jobs, job => byJob.get(job) ?? [], object.spec.scalingStrategy?.pendingPodConditions)
  }

  /** @returns why not all of them were started */
  async #start(object: ScaledJob, count: number, signal: AbortSignal): Promise<string | undefined> {
    const { effects, jobs, version } = this.#context
    const job = wantedJob(object, version)
    let failure: string | undefined
    let started = 0
    for (; started < count && failure === undefined; ) {
      try {
        jobs.observe(await startOwnJob(effects, job, { requester, signal }))
        started++
      } catch (error) {
        signal.throwIfAborted()
        failure = messageOf(error)
        const note = `Failed to create job ${object.metadata.name}-: ${failure}`
        emitOn(this.#context, object, 'Warning', 'KEDAJobCreateFailed', note)
      }
    }
    if (started > 0) emitOn(this.#context, object, 'Normal', 'KEDAJobsCreated', `Created ${started} jobs`)
    return failure
  }

  async #say(
    object: ScaledJob,
    { failures, activeMetrics, metrics }: Look,
    { isActive, failure, nowMs }: { readonly isActive: boolean; readonly failure: string | undefined; readonly nowMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { api, objects } = this.#context
    const wasActive = conditionOf(object, 'Active')?.status === 'True'
    const ready = readyCondition({ isError: failures.length > 0, isActive, failure })
    const words = isActive
      ? 'Scaling is performed because triggers are active'
      : 'Scaling is not performed because triggers are not active'
    const active: ScalerCondition = isActive
      ? { type: 'Active', status: 'True', reason: 'ScalerActive', message: words }
      : { type: 'Active', status: 'False', reason: 'ScalerNotActive', message: words }
    const activity = Object.fromEntries(metrics.map(name => [name, { isActive: activeMetrics.includes(name) }]))
    const change = (status: Readonly<Record<string, unknown>>) => ({
      ...status,
      ...(isActive ? { lastActiveTime: formatTime(nowMs) } : {}),
      externalMetricNames: metrics.length === 0 ? undefined : metrics,
      triggersActivity: metrics.length === 0 ? undefined : activity,
      conditions: withConditions(object.status?.conditions, [ready, active]),
    })
    await writeStatus(api, objects, object, change, signal)
    if (isActive !== wasActive) emitOn(this.#context, object, 'Normal', isActive ? 'ScaledJobActive' : 'ScaledJobInactive', words)
  }

  /** Finished ones beyond the history go; one that cannot be deleted is tried again at the next look. */
  async #clean(object: ScaledJob, signal: AbortSignal): Promise<void> {
    const { effects, log } = this.#context
    for (const job of jobsBeyondHistory(object, this.#known(object))) {
      try {
        await deleteOwnJob(effects, job, { propagationPolicy: 'Background', signal })
      } catch (error) {
        signal.throwIfAborted()
        log.warn(
          { scaledJob: keyOf(object), job: job.metadata.name, why: messageOf(error) },
          'a finished Job could not be deleted',
        )
        return
      }
    }
  }

  async #tellReady(
    object: ScaledJob,
    message: string,
    { isPaused }: { readonly isPaused: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const { api, objects } = this.#context
    const wasReady = conditionOf(object, 'Ready')?.status === 'True'
    const wasPaused = conditionOf(object, 'Paused')?.status === 'True'
    const paused: readonly ScalerCondition[] = isPaused
      ? [{ type: 'Paused', status: 'True', reason: 'ScaledJobPaused', message: 'ScaledJob is paused' }]
      : wasPaused
        ? [{ type: 'Paused', status: 'False', reason: 'ScaledJobUnpaused', message: 'ScaledJob is unpaused' }]
        : []
    const conditions = withConditions(object.status?.conditions, [
      { type: 'Ready', status: 'True', reason: 'ScaledJobReady', message },
      ...paused,
    ])
    const types = isPaused ? {} : typeWords(object.spec.triggers)
    await writeStatus(api, objects, object, status => ({ ...status, ...types, conditions }), signal)
    if (!wasReady) emitOn(this.#context, object, 'Normal', 'ScaledJobReady', 'ScaledJob is ready for scaling')
    if (wasPaused && !isPaused) emitOn(this.#context, object, 'Normal', 'ScaledJobUnpaused', 'ScaledJob is unpaused')
  }

  async #tellFailed(object: ScaledJob, message: string, signal: AbortSignal): Promise<void> {
    const { api, objects } = this.#context
    const current = objects.store.get(object.metadata.namespace, object.metadata.name) ?? object
    const conditions = withConditions(current.status?.conditions, [
      { type: 'Ready', status: 'False', reason: 'ScaledJobCheckFailed', message },
      { type: 'Active', status: 'Unknown', reason: 'UnknownState', message: 'ScaledJob check failed' },
    ])
    emitOn(this.#context, object, 'Warning', 'ScaledJobCheckFailed', message)
    await writeStatus(api, objects, current, status => ({ ...status, conditions }), signal)
  }

  /** It goes: its Jobs are the garbage collector's. */
  async #finish(key: string, object: ScaledJob, signal: AbortSignal): Promise<undefined> {
    const wasHeld = this.#held.get(key)?.triggers !== undefined
    await this.#forget(key)
    this.#counting.gone(key)
    if (object.metadata.finalizers?.includes(kedaFinalizer) !== true) return undefined
    if (wasHeld) emitOn(this.#context, object, 'Normal', 'KEDAScalersStopped', 'Stopped scalers watch')
    const { api } = this.#context
    await removeFinalizer(api.resource<ScaledJob>(scaledJobs), object, kedaFinalizer, { fieldManager, signal })
    emitOn(this.#context, object, 'Warning', 'ScaledJobDeleted', 'ScaledJob was deleted')
    return undefined
  }
}

/** Reads the queues of all triggers. One that fails counts for none. @throws `signal.reason` */
async function read(triggers: TriggerSet, signal: AbortSignal, clock: Clock): Promise<Look> {
  const each = await Promise.all(
    triggers.triggers.map(async ({ name, type }, index): Promise<Look> => {
      const metrics: string[] = []
      const active: string[] = []
      const readings: CountedQueue[] = []
      try {
        const external = (await triggers.metrics(index, signal)).flatMap(one => (one.type === 'External' ? [one.external] : []))
        const [first] = external
        const targets = external.map(({ target }) => ('averageValue' in target ? amountOf(target.averageValue) : 0))
        const target = targets.reduce((sum, one) => sum + one, 0) / Math.max(1, targets.length)
        for (const { metric } of external) {
          metrics.push(metric.name)
          const askedMs = clock.elapsed()
          const { values, isActive } = await triggers.read(index, metric.name, signal)
          const tookMs = clock.elapsed() - askedMs
          const queueLength = values.reduce((sum, { name, value }) => (name === first?.metric.name ? sum + value : sum), 0)
          if (!Number.isFinite(queueLength)) throw new Error(`the source told ${queueLength}, which is no length of a queue`)
          if (isActive) active.push(metric.name)
          const value = values.find(one => one.name === metric.name)?.value
          const counted = { metric: metric.name, trigger: { index, name, type }, value, isActive, tookMs }
          readings.push({ queueLength, target, isActive: active.length > 0, counted })
        }
        return { readings, metrics, activeMetrics: active, failures: [] }
      } catch (error) {
        signal.throwIfAborted()
        return { readings, metrics, activeMetrics: active, failures: [messageOf(error)] }
      }
    }),
  )
  return {
    readings: each.flatMap(one => one.readings),
    metrics: each.flatMap(one => one.metrics),
    activeMetrics: each.flatMap(one => one.activeMetrics),
    failures: each.flatMap(one => one.failures),
  }
}

function readyCondition({
  isError,
  isActive,
  failure,
}: {
  readonly isError: boolean
  readonly isActive: boolean
  readonly failure: string | undefined
}): ScalerCondition {
  const type = 'Ready'
  if (failure !== undefined) return { type, status: 'False', reason: 'KEDAJobCreateFailed', message: failure }
  if (!isError)
    return { type, status: 'True', reason: 'ScaledJobReady', message: 'ScaledJob is defined correctly and is ready for scaling' }
  return isActive
    ? {
        type,
        status: 'Unknown',
        reason: 'PartialTriggerError',
        message: 'Some triggers defined in ScaledJob are not working correctly',
      }
    : { type, status: 'False', reason: 'TriggerError', message: 'Triggers defined in ScaledJob are not working correctly' }
}

function rulesOf({ spec }: ScaledJob): JobRules {
  const { strategy, customScalingQueueLengthDeduction, customScalingRunningJobPercentage, multipleScalersCalculation } =
    spec.scalingStrategy ?? {}
  const share = customScalingRunningJobPercentage?.trim() ?? ''
  return {
    minReplicas: spec.minReplicaCount,
    maxReplicas: spec.maxReplicaCount,
    strategy: strategy ?? 'default',
    deduction: customScalingQueueLengthDeduction ?? 0,
    runningShare: share !== '' && Number.isFinite(Number(share)) ? Number(share) : undefined,
    calculation: multipleScalersCalculation ?? 'max',
  }
}
