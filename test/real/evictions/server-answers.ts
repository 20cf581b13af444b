// What the API server answers to evictions when a budget's status is as written here: no controller changes it.
import { type ApiClient, type ApiObject, apiPath } from '../control-plane/api-client.ts'
import { recordedForm } from '../placements/stored-object.ts'

export interface RecordedEviction {
  readonly name: string
  /** Pods and budgets of the namespace before the request. */
  readonly objects: readonly ApiObject[]
  readonly request: { readonly path: string; readonly body: unknown }
  readonly answer: { readonly status: number; readonly retryAfter?: string; readonly body: unknown }
  /** Name, deletion and budgets of what is left after the request. */
  readonly after: {
    readonly pods: readonly string[]
    readonly terminating: readonly string[]
    readonly budgets: readonly ApiObject[]
  }
}

interface EvictionCase {
  readonly name: string
  readonly pod?: {
    readonly phase?: string
    readonly isReady?: boolean
    readonly graceSeconds?: number
    readonly isBound?: boolean
  }
  readonly budgets?: readonly { readonly spec?: object; readonly status?: object; readonly selector?: object | null }[]
  readonly eviction?: object
  /** Query of the request, or another name in the body or in the path. */
  readonly query?: string
  readonly bodyName?: string
  readonly pathName?: string
  /** Deletes the pod, with its grace, before the eviction. */
  readonly isDeletedBefore?: boolean
}

const podType = { apiVersion: 'v1', kind: 'Pod' } as const
const budgetType = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' } as const
const current = { observedGeneration: 1, currentHealthy: 3, desiredHealthy: 2, expectedPods: 3, disruptionsAllowed: 1 }
const exhausted = { ...current, currentHealthy: 2, disruptionsAllowed: 0 }
const belowDesired = { ...current, currentHealthy: 1, disruptionsAllowed: 0 }
const manyDisrupted = Object.fromEntries(Array.from({ length: 2001 }, (_, index) => [`gone-${index}`, '2026-01-01T00:00:00Z']))

// biome-ignore format: a table
const cases: readonly EvictionCase[] = [
  { name: 'no budget' },
  { name: 'no budget, grace period', pod: { graceSeconds: 30 } },
  { name: 'no budget, grace period in the request', pod: { graceSeconds: 30 }, eviction: { deleteOptions: { gracePeriodSeconds: 5 } } },
  { name: 'pod does not exist', pathName: 'absent', bodyName: 'absent' },
  { name: 'name in body differs from path', bodyName: 'other' },
  { name: 'dry run by query', query: '?dryRun=All', budgets: [{ status: current }] },
  { name: 'dry run by options', eviction: { deleteOptions: { dryRun: ['All'] } }, budgets: [{ status: current }] },
  { name: 'precondition on another uid', eviction: { deleteOptions: { preconditions: { uid: 'another' } } } },
  { name: 'precondition on another uid, budget allows', eviction: { deleteOptions: { preconditions: { uid: 'another' } } }, budgets: [{ status: current }] },
  { name: 'budget allows one', budgets: [{ status: current }] },
  { name: 'budget allows none', budgets: [{ status: exhausted }] },
  { name: 'budget allows none, dry run', budgets: [{ status: exhausted }], query: '?dryRun=All' },
  { name: 'budget never allows', budgets: [{ spec: { minAvailable: 1 }, status: { ...current, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1, disruptionsAllowed: 0 } }] },
  { name: 'budget not observed yet', budgets: [{ status: { ...current, observedGeneration: 0 } }] },
  { name: 'budget without status', budgets: [{}] },
  { name: 'too many disrupted pods', budgets: [{ status: { ...current, disruptedPods: manyDisrupted } }] },
  { name: 'two budgets', budgets: [{ status: current }, { status: current }] },
  { name: 'budget with null selector', budgets: [{ selector: null, status: exhausted }] },
  { name: 'budget with empty selector', budgets: [{ selector: {}, status: exhausted }] },
  { name: 'pending pod', pod: { phase: 'Pending', isReady: false }, budgets: [{ status: exhausted }] },
  { name: 'unbound pending pod', pod: { phase: 'Pending', isReady: false, isBound: false, graceSeconds: 30 }, budgets: [{ status: exhausted }] },
  { name: 'succeeded pod', pod: { phase: 'Succeeded', isReady: false }, budgets: [{ status: exhausted }] },
  { name: 'failed pod', pod: { phase: 'Failed', isReady: false }, budgets: [{ status: exhausted }] },
  { name: 'terminating pod', pod: { graceSeconds: 30 }, isDeletedBefore: true, budgets: [{ status: exhausted }] },
  { name: 'not ready, budget healthy, default policy', pod: { isReady: false }, budgets: [{ status: exhausted }] },
  { name: 'not ready, budget below desired, default policy', pod: { isReady: false }, budgets: [{ status: belowDesired }] },
  { name: 'not ready, budget below desired, IfHealthyBudget', pod: { isReady: false }, budgets: [{ spec: { unhealthyPodEvictionPolicy: 'IfHealthyBudget' }, status: belowDesired }] },
  { name: 'not ready, budget below desired, AlwaysAllow', pod: { isReady: false }, budgets: [{ spec: { unhealthyPodEvictionPolicy: 'AlwaysAllow' }, status: belowDesired }] },
  { name: 'ready, budget below desired, AlwaysAllow', budgets: [{ spec: { unhealthyPodEvictionPolicy: 'AlwaysAllow' }, status: belowDesired }] },
  { name: 'not ready, nothing desired', pod: { isReady: false }, budgets: [{ status: { ...current, currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0 } }] },
  { name: 'not ready, budget not observed yet', pod: { isReady: false }, budgets: [{ status: { ...exhausted, observedGeneration: 0 } }] },
  { name: 'not ready, budget allows one', pod: { isReady: false }, budgets: [{ status: current }] },
]

/** Runs each case in a namespace of its own, on a server without controllers. */
export async function recordServerAnswers(client: ApiClient): Promise<RecordedEviction[]> {
  const recorded: RecordedEviction[] = []
  for (const [index, evictionCase] of cases.entries()) {
    const namespace = `case-${index}`
    await client.want('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
    recorded.push(await recordCase(client, namespace, evictionCase))
  }
  return recorded
}

async function recordCase(client: ApiClient, namespace: string, evictionCase: EvictionCase): Promise<RecordedEviction> {
  await createPod(client, namespace, evictionCase.pod ?? {})
  for (const [index, budget] of (evictionCase.budgets ?? []).entries()) {
    await createBudget(client, namespace, { name: `budget-${index}`, ...budget })
  }
  const { pathName = 'web', bodyName = 'web', query = '', eviction = {} } = evictionCase
  if (evictionCase.isDeletedBefore === true) await client.want('DELETE', apiPath(podType, namespace, 'web'))
  const objects = await state(client, namespace)
  const path = `${apiPath(podType, namespace, pathName)}/eviction${query}`
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: bodyName, namespace }, ...eviction }
  const answer = await client.send('POST', path, body)
  const after = await state(client, namespace)
  const pods = after.filter(object => object.kind === 'Pod')
  const retryAfter = answer.headers['retry-after']
  return {
    name: evictionCase.name,
    objects: objects.map(shortened),
    request: { path, body },
    answer: {
      status: answer.status,
      ...(typeof retryAfter === 'string' ? { retryAfter } : {}),
      body: withoutChance(answer.body),
    },
    after: {
      pods: pods.map(pod => pod.metadata.name),
      terminating: pods.filter(pod => pod.metadata.deletionTimestamp !== undefined).map(pod => pod.metadata.name),
      budgets: after.filter(object => object.kind !== 'Pod').map(shortened),
    },
  }
}

async function createPod(client: ApiClient, namespace: string, options: NonNullable<EvictionCase['pod']>): Promise<void> {
  const { phase = 'Running', isReady = true, graceSeconds = 0, isBound = true } = options
  await client.want('POST', apiPath(podType, namespace), {
    ...podType,
    metadata: { name: 'web', namespace, labels: { app: 'web' } },
    spec: {
      terminationGracePeriodSeconds: graceSeconds,
      containers: [{ name: 'main', image: 'registry.example/web:v1' }],
      ...(isBound ? { nodeName: 'n0' } : {}),
    },
  })
  const conditions = [{ type: 'Ready', status: isReady ? 'True' : 'False' }]
  await client.want('PATCH', `${apiPath(podType, namespace, 'web')}/status`, { status: { phase, conditions } })
}

interface BudgetOptions {
  readonly name: string
  readonly spec?: object
  readonly status?: object
  readonly selector?: object | null
}

async function createBudget(client: ApiClient, namespace: string, options: BudgetOptions): Promise<void> {
  const { name, spec = {}, status, selector = { matchLabels: { app: 'web' } } } = options
  await client.want('POST', apiPath(budgetType, namespace), {
    ...budgetType,
    metadata: { name, namespace },
    spec: { minAvailable: 2, selector, ...spec },
  })
  if (status === undefined) return
  await client.want('PATCH', `${apiPath(budgetType, namespace, name)}/status`, { status })
}

async function state(client: ApiClient, namespace: string): Promise<ApiObject[]> {
  const objects: ApiObject[] = []
  for (const type of [podType, budgetType]) {
    const list = await client.want('GET', apiPath(type, namespace))
    objects.push(...(list.items as ApiObject[]).map(item => recordedForm(item, type)))
  }
  return objects
}

const someTime = '2026-01-01T00:00:00Z'

/** Two thousand disrupted pods are told by two of them and their number; times are one time. */
function shortened(object: ApiObject): ApiObject {
  const recorded: ApiObject = JSON.parse(JSON.stringify(object), (key, value: unknown) =>
    key === 'deletionTimestamp' || key === 'lastTransitionTime' ? someTime : value,
  )
  const status = recorded.status as { disruptedPods?: Record<string, string> } | undefined
  const names = Object.keys(status?.disruptedPods ?? {}).sort()
  if (names.length === 0) return recorded
  const disruptedPods = Object.fromEntries(names.slice(0, 2).map(name => [name, someTime]))
  return { ...recorded, status: { ...status, disruptedPods, disruptedPodCount: names.length } }
}

/** The answer with what differs from run to run (the pod's own uid in a refused precondition) replaced. */
function withoutChance(body: unknown): unknown {
  return JSON.parse(JSON.stringify(body).replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'the-uid-of-the-pod'))
}
