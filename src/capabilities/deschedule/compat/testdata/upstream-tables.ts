// The rows of upstream's own tests as facts (`node test/real/descheduler/tables/record.ts` records them), and what ours makes of each.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildClusterState, type ClusterState, type PodState } from '#cluster/cluster-state.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { runPlugins } from '../cycle.ts'
import { CyclePods } from '../cycle-pods.ts'
import { defaultEvictor } from '../evictor/default-evictor.ts'
import { CompatNodeFit } from '../evictor/node-fit.ts'
import type { DeschedulerPolicy, PolicyProfile } from '../policy/args.ts'
import { policyRefusal, readPolicy } from '../policy/read-policy.ts'
import { nextAverages } from '../strategies/measured-usage.ts'
import type { MeasuredFigures } from '../strategies/low-node-utilization.ts'
import { strategyMaker, strategyPoints } from '../strategies/strategies.ts'

type Fields = Readonly<Record<string, unknown>>

/** A strategy ran. */
export interface RanRow {
  readonly plugin: keyof typeof strategyPoints
  readonly args: Fields
  readonly evictor?: Fields
  readonly limits?: { readonly total?: number; readonly node?: number; readonly namespace?: number; readonly gracePeriodSeconds?: number }
  readonly objects: readonly KubeObject[]
  /** Names of those that it worked on; absent: all nodes. */
  readonly nodes?: readonly string[]
  /** Keys of pods whose eviction the server refused. */
  readonly failed?: readonly string[]
  /** Share of use by node, as Prometheus said it: `MetricResource` in whole percent. */
  readonly shares?: Readonly<Record<string, { readonly MetricResource: string }>>
  readonly averages?: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly podMetrics?: readonly PodMetrics[]
  readonly hasFailed?: boolean
  /** How many pods were evicted: each number that was seen. */
  readonly counts: readonly number[]
  /** Pods that were evicted in every run, and those that were in some. */
  readonly always: readonly string[]
  readonly sometimes?: readonly string[]
}

interface PodMetrics {
  readonly metadata: { readonly namespace: string; readonly name: string }
  readonly containers?: readonly { readonly name: string; readonly usage: Readonly<Record<string, string>> }[]
}

/** The evictor was asked about a pod. */
interface AskedRow {
  readonly question: 'Filter' | 'PreEvictionFilter'
  readonly evictor?: Fields
  readonly objects: readonly KubeObject[]
  /** Its key. */
  readonly pod: string
  readonly answer: boolean
}

/** Arguments were checked. */
export interface CheckedRow {
  /** The type of the arguments. */
  readonly checked: string
  readonly args: Fields
  readonly isRefused: boolean
}

/** Defaults were set. */
export interface DefaultedRow {
  readonly defaulted: string
  readonly args: Fields
  readonly with: Fields
}

/** A whole policy was read. */
export interface PolicyRow {
  readonly policy: Fields
  readonly isRefused: boolean
}

/** It was asked whether a pod fits one of some nodes. */
interface FitRow {
  readonly fit: 'NodeFit' | 'PodFitsCurrentNode' | 'PodFitsAnyNode' | 'PodFitsAnyOtherNode'
  readonly objects: readonly KubeObject[]
  /** Their names. */
  readonly nodes: readonly string[]
  /** Its key. */
  readonly pod: string
  readonly answer: boolean
}

export type RecordedRow = RanRow | AskedRow | CheckedRow | DefaultedRow | PolicyRow | FitRow

interface RecordedTables {
  readonly version: string
  readonly commands: readonly string[]
  /** By package. */
  readonly tables: Readonly<Record<string, readonly RecordedRow[]>>
}

/** The moment at which all rows happen, in milliseconds since 1970. */
export const recordedNowMs = Date.UTC(2026, 0, 1)

export const tablesFixture = join(
  ...[import.meta.dirname, '..', '..', '..', '..', '..', 'test', 'fixtures', 'descheduler-tables', 'plugins.json'],
)

/** @throws Error where the fixture is not there or is no JSON */
export const recordedTables = (): RecordedTables => JSON.parse(readFileSync(tablesFixture, 'utf8'))

/** The policy that gives these arguments to one plugin, read. */
export function policyOf(given: {
  readonly plugin: string
  readonly args: Fields
  readonly evictor?: Fields | undefined
  readonly limits?: RanRow['limits'] | undefined
}): ReturnType<typeof readPolicy> {
  const { plugin, args, evictor = {}, limits = {} } = given
  const isStrategy = Object.hasOwn(strategyPoints, plugin)
  const point = Object.entries(strategyPoints).find(([name]) => name === plugin)?.[1]
  const configs = isStrategy ? [{ name: 'DefaultEvictor', args: evictor }] : []
  const text = JSON.stringify({
    apiVersion: 'descheduler/v1alpha2',
    kind: 'DeschedulerPolicy',
    maxNoOfPodsToEvictTotal: limits.total,
    maxNoOfPodsToEvictPerNode: limits.node,
    maxNoOfPodsToEvictPerNamespace: limits.namespace,
    gracePeriodSeconds: limits.gracePeriodSeconds,
    metricsProviders: [
      { source: 'KubernetesMetrics' },
      { source: 'Prometheus', prometheus: { url: 'http://prometheus.example:9090' } },
    ],
    profiles: [
      {
        name: 'row',
        pluginConfig: [...configs, { name: plugin, args }],
        plugins: point === undefined ? {} : { [point]: { enabled: [plugin] } },
      },
    ],
  })
  return readPolicy(text, { file: 'row.json', priorityOf: () => undefined })
}

function acceptedPolicy(given: Parameters<typeof policyOf>[0]): DeschedulerPolicy {
  const read = policyOf(given)
  if (!read.ok) throw new Error(policyRefusal(read.problems))
  return read.policy
}

/** Upstream's tests mostly set no defaults: what is not said is as Go has it. */
const withoutDefaults: Readonly<Partial<Record<RanRow['plugin'], Fields>>> = { RemoveFailedPods: { minPodLifetimeSeconds: 0 } }

/** What ours evicts, by key, sorted. */
export function evictedByOurs(row: RanRow): { readonly evicted: readonly string[]; readonly hasFailed: boolean } {
  const state = stateOf(row.objects)
  const policy = acceptedPolicy({ ...row, args: { ...withoutDefaults[row.plugin], ...row.args } })
  const worked = row.nodes ?? namesOf(row.objects, 'Node')
  const nodes = Array.from(state.nodes.values()).filter(({ name }) => worked.includes(name))
  const cycle = runPlugins(
    {
      policy,
      state,
      strategies: strategyMaker(measuredBy(row)),
      nowMs: recordedNowMs,
      isDryRun: false,
      verbosity: 0,
      tell: () => undefined,
    },
    nodes,
  )
  const evicted: string[] = []
  let step = cycle.next()
  while (step.done !== true) {
    if (step.value.kind !== 'evict') {
      step = cycle.next()
      continue
    }
    const { key } = step.value.wish.pod
    const isRefused = row.failed?.includes(key) === true
    if (!isRefused) evicted.push(key)
    step = cycle.next(isRefused ? { kind: 'failed', why: 'refused', message: 'refused' } : { kind: 'evicted' })
  }
  return { evicted: evicted.toSorted(), hasFailed: step.value.errors.length > 0 }
}

/** Whether ours would let the pod go. */
export function answeredByOurs({ question, evictor: args = {}, objects, pod: key }: AskedRow): boolean {
  const state = stateOf(objects)
  const pods = new CyclePods(state)
  const [profile] = acceptedPolicy({ plugin: 'DefaultEvictor', args }).profiles
  const pod = podOf(state, key)
  const fit = new CompatNodeFit(pods)
  const evictor = defaultEvictor(evictorOf(profile), { pods, fit, nowMs: recordedNowMs })
  const refusals = question === 'Filter' ? evictor.filter(pod) : evictor.preEvictionFilter(pod)
  return refusals.length === 0
}

/** Whether the pod fits by ours. */
export function fitsByOurs({ fit, objects, nodes, pod: key }: FitRow): boolean {
  const state = stateOf(objects)
  const pod = podOf(state, key)
  const nodeFit = new CompatNodeFit(new CyclePods(state))
  const asked = Array.from(state.nodes.values()).filter(({ name }) => nodes.includes(name))
  return fit === 'PodFitsAnyOtherNode' ? nodeFit.fitsAnyOther(pod, asked) : nodeFit.fitsAny(pod, asked)
}

function evictorOf(profile: PolicyProfile | undefined): PolicyProfile['evictor'] {
  if (profile === undefined) throw new Error('found no profile, expected that of the row')
  return profile.evictor
}

function podOf(state: ClusterState, key: string): PodState {
  const pod = Array.from(state.pods.values()).find(one => one.key === key)
  if (pod === undefined) throw new Error(`found no pod ${key}, expected it in the row`)
  return pod
}

const versions: Readonly<Record<string, string>> = { PodDisruptionBudget: 'policy/v1', PriorityClass: 'scheduling.k8s.io/v1' }

/** With the nodes that only pods name: not ready, so that nothing is done with them. */
function stateOf(objects: readonly KubeObject[]): ClusterState {
  const known = new Set(namesOf(objects, 'Node'))
  const named = new Set(objects.flatMap(object => (object.kind === 'Pod' ? ((object as Pod).spec?.nodeName ?? []) : [])))
  const absent = [...named].filter(name => !known.has(name)).map(unreadyNode)
  return buildClusterState([...objects, ...absent].map(object => ({ ...object, apiVersion: versions[object.kind] ?? 'v1' }))).state
}

const namesOf = (objects: readonly KubeObject[], kind: string): readonly string[] =>
  objects.flatMap(object => (object.kind === kind ? [object.metadata.name] : []))

function unreadyNode(name: string): KubeObject {
  const status = { allocatable: {}, conditions: [{ type: 'Ready', status: 'False' }] }
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, uid: `absent-${name}` }, spec: {}, status }
}

function measuredBy({ shares, averages, podMetrics = [] }: RanRow): MeasuredFigures {
  const samples = new Map(podMetrics.map(one => [`${one.metadata.namespace}/${one.metadata.name}`, one.containers ?? []]))
  return {
    ...(averages && {
      metrics: {
        averages: nextAverages(new Map(), new Map(Object.entries(averages))),
        podSamples: (pod: PodState) => {
          const containers = samples.get(pod.key)
          return containers === undefined ? { problem: 'not found' } : { containers }
        },
      },
    }),
    ...(shares && { prometheus: () => answerOf(shares) }),
  }
}

/** As `/api/v1/query` says it. */
function answerOf(shares: NonNullable<RanRow['shares']>): unknown {
  const result = Object.entries(shares).map(([instance, { MetricResource: percent }]) => ({
    metric: { instance },
    // Half a percent more: the share is cut to whole percent.
    value: [recordedNowMs / 1000, String(Math.min(1, (Number(percent) + 0.5) / 100))],
  }))
  return { status: 'success', data: { resultType: 'vector', result } }
}
