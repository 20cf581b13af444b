// Has a real kube-scheduler place the pods of one seeded cluster, one at a time, and yields what it did.
import { setTimeout as pause } from 'node:timers/promises'
import { type ApiClient, type ApiObject, apiPath } from '../control-plane/api-client.ts'
import { kubernetesVersions, type MinorVersion } from '../control-plane/build.ts'
import { type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { resizedStatus } from './resized-status.ts'
import { type LoggedDecision, loggingFlags, SchedulerLog } from './scheduler-log.ts'
import { type SeededCluster, type StandingPod, seededCluster } from './seeded-cluster.ts'
import { seededPod } from './seeded-pods.ts'
import { recordedForm, recordedPod } from './stored-object.ts'
import { completeVolumes, volumesAndClaims } from './volume-controller.ts'

/** Raised when the same seed gives another cluster, or a recording has another form. */
export const recorderRevision = 1

/** The form of a recording; README.md beside the recordings says what each field means. */
export interface Recording {
  readonly kubernetesVersion: string
  readonly serverVersion: string
  readonly command: string
  readonly recorder: number
  /** Fields of the KubeSchedulerConfiguration it ran with; absent where it ran with the defaults. */
  readonly configuration?: Readonly<Record<string, unknown>>
  readonly seed: number
  readonly objects: readonly ApiObject[]
  readonly nodes: readonly string[]
  readonly plugins: readonly string[]
  readonly steps: readonly RecordedStep[]
}

export interface RecordedStep {
  readonly pod: ApiObject
  readonly node: string | null
  readonly evaluated?: number
  readonly feasible?: readonly number[]
  readonly scores?: RecordedScores
  readonly reason?: string
  readonly message?: string
  readonly after?: readonly ApiObject[]
}

export interface RecordedScores {
  readonly total: readonly number[]
  readonly plugins: Readonly<Record<string, number | readonly number[]>>
}

export interface RecordOptions {
  readonly seed: number
  readonly version: MinorVersion
  readonly podCount: number
  /** Instead of the size that the seed has. */
  readonly nodeCount?: number
  readonly configuration?: Readonly<Record<string, unknown>>
}

const decisionTimeoutMs = 60_000

/** Records one cluster on a control plane of its own. Throws PartUnavailable where a program cannot be had. */
export async function recordCluster({ seed, version, podCount, nodeCount, configuration }: RecordOptions): Promise<Recording> {
  const cluster = seededCluster(seed, nodeCount)
  const controlPlane = await startControlPlane({ scheduler: 'off', controllerManager: false })
  try {
    const { client } = controlPlane
    const objects = await createCluster(client, cluster, version)
    const log = new SchedulerLog()
    // The scheduler starts after the cluster stands, so its caches hold all of it before the first pod.
    await controlPlane.startScheduler({
      version,
      flags: loggingFlags,
      onLine: log.line,
      ...(configuration === undefined ? {} : { configuration }),
    })
    const steps: RecordedStep[] = []
    for (let index = 0; index < podCount; index++) {
      steps.push(await recordStep({ controlPlane, cluster, log }, seededPod(cluster.random, cluster, `pod-${index}`)))
    }
    return {
      kubernetesVersion: `v${kubernetesVersions[version]}`,
      serverVersion: controlPlane.serverVersion,
      command: ['kube-scheduler', '--leader-elect=false', '--secure-port=0', ...loggingFlags].join(' '),
      recorder: recorderRevision,
      ...(configuration === undefined ? {} : { configuration }),
      seed,
      objects,
      nodes: cluster.nodes.map(node => node.metadata.name),
      plugins: [...new Set(steps.flatMap(step => Object.keys(step.scores?.plugins ?? {})))].sort(),
      steps,
    }
  } finally {
    await controlPlane.stop()
  }
}

async function createCluster(client: ApiClient, cluster: SeededCluster, version: MinorVersion): Promise<ApiObject[]> {
  const recorded: ApiObject[] = []
  for (const object of [...cluster.nodes, ...cluster.objects]) {
    const { namespace = '', name } = object.metadata
    let stored = await client.want('POST', apiPath(object, namespace), object)
    if (object.status !== undefined && object.kind !== 'Node') {
      stored = await client.want('PATCH', `${apiPath(object, namespace, name)}/status`, { status: object.status })
    }
    if (object.kind !== 'RuntimeClass') recorded.push(recordedForm(stored, object))
  }
  for (const standing of cluster.standing) recorded.push(await createStanding(client, standing, version))
  return recorded
}

async function createStanding(
  client: ApiClient,
  { pod, state, resized }: StandingPod,
  version: MinorVersion,
): Promise<ApiObject> {
  const { namespace = '', name } = pod.metadata
  const path = apiPath(pod, namespace, name)
  const created = await client.want('POST', apiPath(pod, namespace), pod)
  const form = (stored: ApiObject) => recordedForm(stored, pod)
  switch (state) {
    case 'running':
      return form(await client.want('PATCH', `${path}/status`, { status: { phase: 'Running' } }))
    case 'succeeded':
      return form(await client.want('PATCH', `${path}/status`, { status: { phase: 'Succeeded' } }))
    case 'failed':
      return form(await client.want('PATCH', `${path}/status`, { status: { phase: 'Failed' } }))
    case 'terminating':
      // No kubelet confirms the end, so the pod stays as one that is being stopped.
      return form(await client.want('DELETE', path, { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 86_400 }))
    case 'resized':
    case 'resize-infeasible':
      return form(
        await client.want('PATCH', `${path}/status`, {
          status: resizedStatus(created, { resized, isInfeasible: state === 'resize-infeasible', version }),
        }),
      )
  }
}

interface StepContext {
  readonly controlPlane: ControlPlane
  readonly cluster: SeededCluster
  readonly log: SchedulerLog
}

async function recordStep({ controlPlane: { client }, cluster, log }: StepContext, pod: ApiObject): Promise<RecordedStep> {
  const { namespace = '', name } = pod.metadata
  const hasVolumes = (pod.spec as { volumes?: unknown }).volumes !== undefined
  const before = hasVolumes ? await recordedVolumes(client) : []
  const stored = await client.want('POST', apiPath(pod, namespace), pod)
  const gated = unscheduledCondition(stored)
  const outcome = gated ?? (await decisionOn(client, log, stored, hasVolumes ? cluster.nodes : []))
  if ('kind' in outcome) {
    const known = new Set(before.map(object => JSON.stringify(object)))
    const after = hasVolumes ? (await recordedVolumes(client)).filter(object => !known.has(JSON.stringify(object))) : []
    return {
      pod: recordedPod(stored),
      ...placement(cluster, outcome),
      ...(after.length === 0 ? {} : { after }),
    }
  }
  await client.want('DELETE', apiPath(pod, namespace, name), { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 })
  return { pod: recordedPod(stored), node: null, ...outcome }
}

type Bound = Extract<LoggedDecision, { kind: 'bound' }>
interface Refusal {
  readonly reason: string
  readonly message: string
}

async function decisionOn(
  client: ApiClient,
  log: SchedulerLog,
  { metadata: { namespace, name } }: ApiObject,
  nodes: readonly ApiObject[],
): Promise<Bound | Refusal> {
  const path = apiPath({ apiVersion: 'v1', kind: 'Pod' }, namespace, name)
  let decision: LoggedDecision | undefined
  void log.decision(`${namespace}/${name}`).then(logged => {
    decision = logged
  })
  const deadline = Date.now() + decisionTimeoutMs
  while (Date.now() < deadline) {
    if (nodes.length > 0) await completeVolumes(client, nodes)
    if (decision !== undefined) {
      const pod = await client.want('GET', path)
      // The log line of a refusal comes before the condition is written.
      const refusal = decision.kind === 'bound' ? undefined : unscheduledCondition(pod)
      if (refusal !== undefined) return refusal
      if (decision.kind === 'bound' && (pod.spec as { nodeName?: string }).nodeName === decision.node) return decision
    }
    await pause(5)
  }
  throw new Error(`no decision on pod ${namespace}/${name}: ${JSON.stringify(await client.want('GET', path))}`)
}

function unscheduledCondition(pod: ApiObject): Refusal | undefined {
  const { conditions = [] } = (pod.status ?? {}) as {
    conditions?: { type: string; status: string; reason: string; message: string }[]
  }
  const condition = conditions.find(({ type, status }) => type === 'PodScheduled' && status === 'False')
  return condition === undefined ? undefined : { reason: condition.reason, message: condition.message }
}

async function recordedVolumes(client: ApiClient): Promise<ApiObject[]> {
  return (await volumesAndClaims(client)).map(object => recordedForm(object, object))
}

function placement(cluster: SeededCluster, { node, evaluated, feasibleCount, scores }: Bound): Omit<RecordedStep, 'pod'> {
  const indexOf = new Map(cluster.nodes.map((known, index) => [known.metadata.name, index]))
  const scored = [...(scores.size === 0 ? [node] : scores.keys())]
    .map(name => indexOf.get(name) ?? -1)
    .sort((first, second) => first - second)
  if (scored.length !== feasibleCount) {
    throw new Error(`${scored.length} nodes have scores in the log, ${feasibleCount} were feasible`)
  }
  if (scores.size === 0) return { node, evaluated, feasible: scored }
  const rows = scored.map(index => scores.get(cluster.nodes[index]?.metadata.name ?? '') ?? { total: 0, plugins: {} })
  for (const row of rows) {
    const sum = Object.values(row.plugins).reduce((first, second) => first + second, 0)
    if (sum !== row.total) throw new Error(`scores of ${node}: ${JSON.stringify(row)} do not add up`)
  }
  const names = [...new Set(rows.flatMap(row => Object.keys(row.plugins)))].sort()
  const columns = names.map((name): [string, number | number[]] => {
    const column = rows.map(row => row.plugins[name] ?? 0)
    return [name, new Set(column).size === 1 ? (column[0] ?? 0) : column]
  })
  return {
    node,
    evaluated,
    feasible: scored,
    scores: { total: rows.map(row => row.total), plugins: Object.fromEntries(columns) },
  }
}
