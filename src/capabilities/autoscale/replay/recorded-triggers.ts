// Triggers whose sources are a recorded series: what a trigger aims at is read from its metadata, what its source said from a column.
import type { ScaledObject } from '../kinds/scaled-object.ts'
import type { Trigger } from '../kinds/triggers.ts'
import type { CheckedTriggers } from '../operator/check.ts'
import { calendarWindow, isOfCalendar } from '../scalers/calendar/calendar.ts'
import { activityOf } from '../scalers/calendar/cron-windows.ts'
import { resourceMetric } from '../scalers/cpu-memory.ts'
import { standingOf } from '../scalers/registry.ts'
import { type OpenedTrigger, targetType } from '../scalers/scaler.ts'
import { externalMetric, type HpaMetric, metricName } from '../triggers/metric-names.ts'
import { TriggerProblem } from '../triggers/parameters.ts'
import type { Series } from './series.ts'

export interface RecordedTriggers extends CheckedTriggers {
  readonly all: readonly HpaMetric[]
  /** What is to be known of how they are replayed. */
  readonly notes: readonly string[]
  /** What all pods use together of the resource of trigger `index`, in what its target counts: per cent of one request, or an amount. */
  used(index: number): number | undefined
}

/** Where triggers say what they aim at, and from when on they are active; upstream's defaults where it has some. */
const targetKeys: readonly (readonly [target: string, activation: string])[] = [
  ['threshold', 'activationThreshold'],
  ['targetValue', 'activationTargetValue'],
  ['value', 'activationValue'],
  ['listLength', 'activationListLength'],
  ['pendingEntriesCount', 'activationPendingEntriesCount'],
  ['streamLength', 'activationStreamLength'],
  ['lagCount', 'activationLagCount'],
  ['lagThreshold', 'activationLagThreshold'],
  ['queueLength', 'activationQueueLength'],
  ['targetQueueSize', 'activationTargetQueueSize'],
  ['targetQueryValue', 'activationTargetQueryValue'],
  ['queryValue', 'activationQueryValue'],
  ['targetMetricValue', 'activationTargetMetricValue'],
  ['thresholdValue', 'activationThresholdValue'],
  ['targetWorkflowQueueLength', 'activationTargetWorkflowQueueLength'],
  ['messageCount', 'activationMessageCount'],
  ['targetLength', 'activationTargetLength'],
]
const defaultTargets: Readonly<Record<string, readonly [number, string]>> = {
  redis: [5, 'activationListLength'],
  'redis-cluster': [5, 'activationListLength'],
  'redis-sentinel': [5, 'activationListLength'],
  kafka: [10, 'activationLagThreshold'],
  'apache-kafka': [10, 'activationLagThreshold'],
  'aws-sqs-queue': [5, 'activationQueueLength'],
  activemq: [10, 'activationTargetQueueSize'],
  temporal: [5, 'activationTargetQueueSize'],
  'github-runner': [1, 'activationTargetWorkflowQueueLength'],
}

interface Recorded {
  readonly metrics: readonly HpaMetric[]
  /** @throws Error where the source did not answer then */
  readonly value: () => number
  readonly activation: number
}

/** `now` says which moment it is; the series holds from one of its times to the next. @throws TriggerProblem */
export async function recordedTriggers(object: ScaledObject, series: Series, now: () => number): Promise<RecordedTriggers> {
  const { triggers } = object.spec
  for (const type of ['cpu', 'memory'])
    if (triggers.filter(trigger => trigger.type === type).length > 1)
      throw new TriggerProblem(`two triggers of type ${type} cannot be told apart in a replay`)
  const columns = columnsOf(triggers, series)
  const notes: string[] = []
  const opened = await Promise.all(
    triggers.map(async (trigger, index): Promise<Recorded> => {
      const asOpened = openedOf(object, trigger, index)
      try {
        return await openRecorded(asOpened, { series, column: columns.get(index), now })
      } catch (error) {
        if (error instanceof TriggerProblem) throw new TriggerProblem(`trigger ${index} (${trigger.type}): ${error.message}`)
        throw error
      }
    }),
  )
  for (const [index, trigger] of triggers.entries()) {
    if (standingOf(trigger.type) === 'missing')
      notes.push(
        `Trigger ${index} is of type ${trigger.type}, which Ballast cannot ask yet: here its numbers come from the series.`,
      )
    if (isResource(trigger))
      notes.push(
        `Trigger ${index} (${trigger.type}): its column is what all pods use together; here they share it evenly and are ready at once.`,
      )
  }
  return {
    triggers,
    notes,
    all: opened.flatMap(({ metrics }) => metrics),
    metrics: async index => opened[index]?.metrics ?? [],
    used: index => {
      const column = columns.get(index)
      return column === undefined ? undefined : valueAt(series, column, now())
    },
    read: async (index, name) => {
      const one = opened[index]
      if (one === undefined) throw new Error(`there is no trigger ${index}`)
      const value = one.value()
      return { values: [{ name, value }], isActive: value > one.activation }
    },
  }
}

function openedOf(object: ScaledObject, { type, name, metricType, metadata }: Trigger, index: number): OpenedTrigger {
  const { namespace = '', name: owner, uid = '' } = object.metadata
  return {
    ...{ type, name, metricType, index, given: { metadata, env: {}, auth: {} } },
    owner: { kind: 'ScaledObject', namespace, name: owner, uid, generation: 1 },
  }
}

async function openRecorded(
  trigger: OpenedTrigger,
  { series, column, now }: { readonly series: Series; readonly column: number | undefined; readonly now: () => number },
): Promise<Recorded> {
  const window = calendarWindow({ type: trigger.type, metadata: trigger.given.metadata })
  if (window !== undefined) {
    const metrics = [externalMetric(metricName(trigger.index, window.tail), targetType(trigger), 1)]
    const isActive = activityOf(window)
    return { metrics, activation: 0, value: () => (isActive(now()) ? window.replicas : 0) }
  }
  if (isResource(trigger)) return { metrics: [resourceMetric(trigger)], activation: 0, value: () => 0 }
  if (standingOf(trigger.type) === 'unknown') throw new TriggerProblem(`no scaler found for type: ${trigger.type}`)
  const { target, activation } = aimOf(trigger)
  const metrics = [externalMetric(metricName(trigger.index, trigger.type), targetType(trigger), target)]
  return {
    metrics,
    activation,
    value: () => {
      const value = column === undefined ? undefined : valueAt(series, column, now())
      if (value === undefined) throw new Error('the series has no value then')
      return value
    },
  }
}

function isResource({ type }: { readonly type: string }): boolean {
  return type === 'cpu' || type === 'memory'
}

function aimOf({ type, given: { metadata } }: OpenedTrigger): { readonly target: number; readonly activation: number } {
  const said = targetKeys.find(([key]) => metadata[key] !== undefined && metadata[key] !== '')
  const otherwise = Object.hasOwn(defaultTargets, type) ? defaultTargets[type] : undefined
  if (said === undefined && otherwise === undefined)
    throw new TriggerProblem('its metadata says no target that a series could be held against, such as threshold or value')
  const target = said === undefined ? (otherwise?.[0] ?? 0) : amount(said[0], metadata[said[0]])
  if (!(target > 0)) throw new TriggerProblem(`${said?.[0] ?? 'its target'} must be more than 0`)
  const key = said?.[1] ?? otherwise?.[1] ?? ''
  return { target, activation: metadata[key] === undefined ? 0 : amount(key, metadata[key]) }
}

function amount(key: string, text = ''): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (!Number.isFinite(value)) throw new TriggerProblem(`${key} ${JSON.stringify(text)}: expected a number such as 5 or 0.5`)
  return value
}

/** Which column each trigger reads: by its name, its place, or its type; the only one for the only trigger. @throws TriggerProblem */
function columnsOf(triggers: readonly Trigger[], { columns }: Series): ReadonlyMap<number, number> {
  const read = triggers.flatMap((trigger, index) => (isOfCalendar(trigger.type) ? [] : [{ trigger, index }]))
  const found = new Map<number, number>()
  const [only] = read
  if (only !== undefined && read.length === 1 && columns.length === 1) return new Map([[only.index, 0]])
  for (const { trigger, index } of read) {
    const isAlone = read.filter(one => one.trigger.type === trigger.type).length === 1
    const names = [
      ...(trigger.name === undefined ? [] : [trigger.name]),
      String(index),
      `s${index}`,
      ...(isAlone ? [trigger.type] : []),
    ]
    const at = columns.findIndex(column => names.includes(column))
    if (at < 0)
      throw new TriggerProblem(
        `the series has no column for trigger ${index} (${trigger.type}): expected one called ${names.join(' or ')}`,
      )
    found.set(index, at)
  }
  const unread = columns.filter((_column, at) => ![...found.values()].includes(at))
  if (unread.length > 0) throw new TriggerProblem(`no trigger reads ${unread.join(', ')} of the series`)
  return found
}

const places = new WeakMap<Series, number>()

/** The value that holds at `nowMs`. Moments are asked for in order: the place of the last one is where the search goes on. */
function valueAt(series: Series, column: number, nowMs: number): number | undefined {
  const { times, values } = series
  let at = places.get(series) ?? 0
  if ((times[at] ?? 0) > nowMs) at = 0
  while (at + 1 < times.length && (times[at + 1] ?? 0) <= nowMs) at++
  places.set(series, at)
  return values[column]?.[at]
}

/** Thousandths of what a target of `metric` counts, of one pod's share. */
export function shareOf(total: number, pods: number): bigint {
  return BigInt(Math.round((total * 1_000) / Math.max(1, pods)))
}
