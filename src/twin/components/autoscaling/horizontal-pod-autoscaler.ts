// HorizontalPodAutoscalers: every 15 s each reads its metrics, decides, and writes its target's scale, all through the API.
import { type AutoscalerCondition, type AutoscalerDecision, autoscalerDecision } from '#cluster/horizontal-autoscaler.ts'
import { type AutoscalerMemory, noMemory } from '#cluster/horizontal-autoscaler-limits.ts'
import type { AutoscalerSpec, DescribedObject } from '#cluster/horizontal-autoscaler-spec.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { Condition, KubeObject, Pod } from '#kube/objects/objects.ts'
import { parseLabelSelector, type Selector } from '#kube/objects/selector.ts'
import { jsonText, numberAt, textAt } from '../../json-value.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { EventSource } from '../event-recorder.ts'
import { isSameContent } from '../same-content.ts'
import { keyOf, splitKey, timeText } from '../workloads/pod-state.ts'
import { readMetric } from './horizontal-pod-autoscaler-readings.ts'

const autoscalers = 'horizontalpodautoscalers.autoscaling'
const writer = controllerWriter('horizontal-pod-autoscaler')
const source: EventSource = { component: 'horizontal-pod-autoscaler', writer }
const periodMs = 15_000
const scaleTimeoutMs = 30_000
/** Minor of Kubernetes from which on `behavior` has tolerances of its own. */
const ownTolerancesFrom = 35

interface Autoscaler extends KubeObject {
  readonly spec: AutoscalerSpec & { readonly scaleTargetRef: DescribedObject }
  readonly status?: {
    readonly desiredReplicas?: number
    readonly lastScaleTime?: string
    readonly conditions?: readonly Condition[]
    readonly [field: string]: unknown
  }
}

/** Nothing waits for an autoscaler: its rounds are periodic. */
export function startHorizontalPodAutoscalers(context: ComponentContext): void {
  const { api, view, loop, access } = context
  if (api === undefined) return
  const rounds = new Rounds(context, api)
  const queue = loop.queue('horizontalpodautoscaling', async key => {
    const { namespace, name } = splitKey(key)
    const found = access.get(autoscalers, namespace, name)
    if (found === undefined) return rounds.forget(key)
    queue.addPeriodic(key, periodMs)
    await rounds.run(found as Autoscaler)
  })
  view.onAny(autoscalers, ({ type, object }) => {
    if (type === 'ADDED') queue.addPeriodic(keyOf(object), periodMs)
    // One that comes again before its round goes on where it was, as upstream: a round that does not find it forgets it.
    if (type === 'DELETED') rounds.unselect(keyOf(object))
  })
  for (const autoscaler of access.list(autoscalers)) queue.addPeriodic(keyOf(autoscaler), periodMs)
}

interface Scale {
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
  readonly replicas: number
  readonly statusReplicas: number
  readonly selector: string
}

class Rounds {
  readonly #context: ComponentContext
  readonly #api: Transport
  readonly #memories = new Map<string, AutoscalerMemory>()
  readonly #selectors = new Map<string, Selector>()

  constructor(context: ComponentContext, api: Transport) {
    this.#context = context
    this.#api = api
  }

  /** It says no more which pods are its own. */
  unselect(key: string): void {
    this.#selectors.delete(key)
  }

  forget(key: string): void {
    this.#memories.delete(key)
    this.#selectors.delete(key)
  }

  async run(autoscaler: Autoscaler): Promise<void> {
    const { clock } = this.#context
    const { namespace = '' } = autoscaler.metadata
    const scale = await this.#scaleOf(autoscaler)
    if (typeof scale === 'string') {
      this.#warn(autoscaler, 'FailedGetScale', scale)
      const message = `the HPA controller was unable to get the target's current scale: ${scale}`
      this.#write(autoscaler, { conditions: [{ type: 'AbleToScale', status: 'False', reason: 'FailedGetScale', message }] })
      return
    }
    const known: AutoscalerCondition[] = [
      {
        type: 'AbleToScale',
        status: 'True',
        reason: 'SucceededGetScale',
        message: "the HPA controller was able to get the target's current scale",
      },
    ]
    const { spec } = autoscaler
    const least = spec.minReplicas ?? 1
    const isMeasured = scale.replicas <= spec.maxReplicas && scale.replicas >= least
    const pods = isMeasured ? this.#podsOf(autoscaler, scale.selector) : []
    if (!Array.isArray(pods)) {
      this.#warn(autoscaler, pods.event, pods.message)
      this.#warn(autoscaler, 'FailedComputeMetricsReplicas', pods.message)
      const { reason, said: message } = pods
      const condition: AutoscalerCondition = { type: 'ScalingActive', status: 'False', reason, message }
      this.#write(autoscaler, { conditions: [...known, condition], current: scale.replicas, metrics: undefined })
      return
    }
    const question = {
      namespace,
      selector: scale.selector,
      resourceOf: (object: DescribedObject) => servedKind(this.#context, object)?.key,
    }
    const readings = []
    if (isMeasured) for (const metric of spec.metrics) readings.push(await readMetric(this.#api, metric, question))
    const decision = autoscalerDecision({
      spec,
      replicas: scale.replicas,
      statusReplicas: scale.statusReplicas,
      pods,
      readings,
      memory: this.#memories.get(keyOf(autoscaler)) ?? noMemory,
      nowMs: clock.now(),
      hasOwnTolerances: this.#context.minorVersion >= ownTolerancesFrom,
    })
    await this.#carryOut(autoscaler, scale, { ...decision, conditions: [...known, ...decision.conditions] })
  }

  async #carryOut(autoscaler: Autoscaler, scale: Scale, decision: AutoscalerDecision): Promise<void> {
    const { clock, events } = this.#context
    for (const { reason, message } of decision.warnings) this.#warn(autoscaler, reason, message)
    const outcome = { conditions: decision.conditions, current: scale.replicas, metrics: decision.metrics }
    if (decision.rescale === undefined) {
      this.#memories.set(keyOf(autoscaler), decision.memory)
      return this.#write(autoscaler, decision.isFailed ? outcome : { ...outcome, desired: scale.replicas })
    }
    const { replicas, rescale } = decision
    const body = { ...scale.body, spec: { replicas } }
    const answer = await this.#send('PUT', scale.path, body)
    if (answer.status >= 300) {
      this.#warn(autoscaler, 'FailedRescale', `New size: ${replicas}; reason: ${rescale}; error: ${answer.message}`)
      const message = `the HPA controller was unable to update the target scale: ${answer.message}`
      const refused: AutoscalerCondition = { type: 'AbleToScale', status: 'False', reason: 'FailedUpdateScale', message }
      return this.#write(autoscaler, { ...outcome, conditions: [...decision.conditions, refused] })
    }
    this.#memories.set(keyOf(autoscaler), decision.memory)
    const message = `the HPA controller was able to update the target scale to ${replicas}`
    const done: AutoscalerCondition = { type: 'AbleToScale', status: 'True', reason: 'SucceededRescale', message }
    const text = `New size: ${replicas}; reason: ${rescale}`
    events.record(autoscaler, source, { type: 'Normal', reason: 'SuccessfulRescale', message: text })
    const conditions = [...decision.conditions, done]
    this.#write(autoscaler, { ...outcome, conditions, desired: replicas, scaledAt: timeText(clock.now()) })
  }

  /** The pods of the target; or why it is not known which they are. */
  #podsOf(autoscaler: Autoscaler, text: string): Pod[] | Unselected {
    const { view } = this.#context
    const { namespace } = autoscaler.metadata
    if (text === '') {
      const said = "the HPA target's scale is missing a selector"
      return { event: 'SelectorRequired', reason: 'InvalidSelector', message: 'selector is required', said }
    }
    const parsed = parseLabelSelector(text)
    if (!parsed.ok) {
      const why = parsed.problem.message ?? parsed.problem.expected
      const message = `couldn't convert selector into a corresponding internal selector object: ${why}`
      return { event: 'InvalidSelector', reason: 'InvalidSelector', message, said: message }
    }
    this.#selectors.set(keyOf(autoscaler), parsed.value)
    const pods = view.list('pods', namespace).filter(pod => parsed.value.matches(pod.metadata.labels))
    const owners = [...this.#selectors]
      .filter(([key]) => key.startsWith(`${namespace ?? ''}/`))
      .map(([key, selector]) => ({ ...splitKey(key), selector }))
      .filter(other => pods.some(pod => other.selector.matches(pod.metadata.labels)))
    if (owners.length < 2) return pods
    const names = owners.map(other => `${other.namespace}/${other.name}`).join(' ')
    const message = `pods by selector ${text} are controlled by multiple HPAs: [${names}]`
    return { event: 'AmbiguousSelector', reason: 'AmbiguousSelector', message, said: message }
  }

  async #scaleOf({ metadata, spec }: Autoscaler): Promise<Scale | string> {
    const target = spec.scaleTargetRef
    const type = servedKind(this.#context, target)
    const group = target.apiVersion?.includes('/') === true ? (target.apiVersion.split('/')[0] ?? '') : ''
    if (type === undefined) return `no matches for kind "${target.kind}" in group "${group}"`
    const path = `${type.root}/namespaces/${metadata.namespace ?? ''}/${type.plural}/${target.name}/scale`
    const answer = await this.#send('GET', path)
    if (answer.status !== 200) return answer.message
    return {
      path,
      body: answer.body,
      replicas: numberAt(answer.body, 'spec', 'replicas') ?? 0,
      statusReplicas: numberAt(answer.body, 'status', 'replicas') ?? 0,
      selector: textAt(answer.body, 'status', 'selector') ?? '',
    }
  }

  async #send(verb: 'GET' | 'PUT', path: string, body?: unknown) {
    const answer = await this.#api.request({
      verb,
      path,
      headers: { accept: 'application/json', 'content-type': 'application/json', 'user-agent': 'kube-controller-manager' },
      ...(body === undefined ? {} : { body: jsonText(body) }),
      timeoutMs: scaleTimeoutMs,
      signal: AbortSignal.timeout(scaleTimeoutMs),
    })
    const text = new TextDecoder().decode(answer.body)
    const parsed: Readonly<Record<string, unknown>> = text.startsWith('{') ? JSON.parse(text) : {}
    const found = 'the server could not find the requested resource'
    return { status: answer.status, body: parsed, message: textAt(parsed, 'message') ?? found }
  }

  #warn(autoscaler: Autoscaler, reason: string, message: string): void {
    this.#context.events.record(autoscaler, source, { type: 'Warning', reason, message })
  }

  #write(before: Autoscaler, outcome: Outcome): void {
    const { access, clock } = this.#context
    const { namespace, name, uid } = before.metadata
    const stored = access.get(autoscalers, namespace, name)
    if (stored === undefined || stored.metadata.uid !== uid) return
    const autoscaler = stored as Autoscaler
    const nowText = timeText(clock.now())
    let conditions = autoscaler.status?.conditions ?? []
    for (const condition of outcome.conditions) conditions = told(conditions, condition, nowText)
    const was = autoscaler.status ?? {}
    const lastScaleTime = outcome.scaledAt ?? was.lastScaleTime
    const measured = {
      ...(outcome.current === 0 ? {} : { currentReplicas: outcome.current }),
      currentMetrics: outcome.metrics ?? null,
    }
    const status = {
      ...(outcome.current === undefined ? was : measured),
      desiredReplicas: outcome.desired ?? was.desiredReplicas ?? 0,
      ...(lastScaleTime === undefined ? {} : { lastScaleTime }),
      conditions,
    }
    if (isSameContent(status, autoscaler.status)) return
    access.update(autoscalers, { ...autoscaler, status }, writer, { subresource: 'status' })
  }
}

interface Unselected {
  readonly event: string
  readonly reason: string
  readonly message: string
  /** In the condition. */
  readonly said: string
}

interface Outcome {
  readonly conditions: readonly AutoscalerCondition[]
  /** Absent where the target's size is not known: its part of the status stays. */
  readonly current?: number
  readonly desired?: number
  readonly metrics?: AutoscalerDecision['metrics']
  readonly scaledAt?: string
}

/** `lastTransitionTime` moves with the status; reason and message always follow. */
function told(conditions: readonly Condition[], next: AutoscalerCondition, nowText: string): readonly Condition[] {
  const before = conditions.find(({ type }) => type === next.type)
  const lastTransitionTime = before?.status === next.status ? (before.lastTransitionTime ?? nowText) : nowText
  const replaced: Condition = { ...next, lastTransitionTime }
  return before === undefined
    ? [...conditions, replaced]
    : conditions.map(condition => (condition === before ? replaced : condition))
}

interface ServedKind {
  readonly root: string
  readonly plural: string
  /** `deployments.apps` */
  readonly key: string
}

/** The resource of a kind that is served. */
function servedKind({ resourceOf }: ComponentContext, { apiVersion = 'v1', kind }: DescribedObject): ServedKind | undefined {
  const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
  const key = resourceOf?.(group, kind)
  if (key === undefined) return undefined
  const plural = group === '' ? key : key.slice(0, key.length - group.length - 1)
  return { root: group === '' ? `/api/${version}` : `/apis/${group}/${version}`, plural, key }
}
