// What the disruption controller writes into budgets: for workloads of each kind, and step by step through evictions.
import { setTimeout as pause } from 'node:timers/promises'
import { type ApiClient, type ApiObject, apiPath } from '../control-plane/api-client.ts'

export interface RecordedBudget {
  readonly name: string
  readonly workload: Workload
  readonly spec: object
  /** Status of the budget once it is quiet; conditions without times. */
  readonly status: unknown
}

export interface RecordedSequence {
  readonly name: string
  readonly workload: Workload
  readonly spec: object
  readonly steps: readonly {
    readonly action: string
    readonly answer?: { readonly status: number; readonly body: unknown }
    readonly status: unknown
  }[]
}

interface Workload {
  readonly kind:
    | 'ReplicaSet'
    | 'StatefulSet'
    | 'ReplicationController'
    | 'bare pods'
    | 'two ReplicaSets'
    | 'ReplicaSet and bare pod'
  readonly replicas: number
  readonly ready: number
}

const podType = { apiVersion: 'v1', kind: 'Pod' } as const
const budgetType = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' } as const
const quietMs = 400

const workloads = (kind: Workload['kind'], replicas: number, ready: number): Workload => ({ kind, replicas, ready })

// biome-ignore format: a table
const budgets: readonly (readonly [name: string, workload: Workload, spec: object])[] = [
  ['half of five', workloads('ReplicaSet', 5, 5), { minAvailable: '50%' }],
  ['half of five, four ready', workloads('ReplicaSet', 5, 4), { minAvailable: '50%' }],
  ['two of five', workloads('ReplicaSet', 5, 5), { minAvailable: 2 }],
  ['all of one', workloads('ReplicaSet', 1, 1), { minAvailable: 1 }],
  ['more than there are', workloads('ReplicaSet', 2, 2), { minAvailable: 3 }],
  ['one may go', workloads('ReplicaSet', 3, 3), { maxUnavailable: 1 }],
  ['one may go, one unready', workloads('ReplicaSet', 3, 2), { maxUnavailable: 1 }],
  ['none may go', workloads('ReplicaSet', 3, 3), { maxUnavailable: 0 }],
  ['third may go', workloads('ReplicaSet', 4, 4), { maxUnavailable: '30%' }],
  ['more may go than there are', workloads('ReplicaSet', 2, 2), { maxUnavailable: 5 }],
  ['no replicas', workloads('ReplicaSet', 0, 0), { minAvailable: 1 }],
  ['no replicas, none may go', workloads('ReplicaSet', 0, 0), { maxUnavailable: 0 }],
  ['stateful', workloads('StatefulSet', 3, 3), { maxUnavailable: '34%' }],
  ['controller of old', workloads('ReplicationController', 3, 3), { minAvailable: '67%' }],
  ['bare pods, number', workloads('bare pods', 3, 3), { minAvailable: 2 }],
  ['bare pods, percentage', workloads('bare pods', 3, 3), { minAvailable: '50%' }],
  ['bare pods, one may go', workloads('bare pods', 3, 3), { maxUnavailable: 1 }],
  ['two ReplicaSets', workloads('two ReplicaSets', 3, 3), { minAvailable: '50%' }],
  ['ReplicaSet and bare pod, percentage', workloads('ReplicaSet and bare pod', 3, 3), { minAvailable: '50%' }],
  ['ReplicaSet and bare pod, number', workloads('ReplicaSet and bare pod', 3, 3), { minAvailable: 2 }],
  ['null selector', workloads('ReplicaSet', 2, 2), { minAvailable: 1, selector: null }],
  ['empty selector', workloads('ReplicaSet', 2, 2), { minAvailable: 1, selector: {} }],
]

/** The status that each budget settles at. Needs the controller manager and a scheduler with a node. */
export async function recordBudgetStatuses(client: ApiClient): Promise<RecordedBudget[]> {
  const recorded: RecordedBudget[] = []
  for (const [index, [name, workload, spec]] of budgets.entries()) {
    const namespace = `budget-${index}`
    await createWorkload(client, namespace, workload)
    await createBudget(client, namespace, spec)
    recorded.push({ name, workload, spec, status: statusOf(await quietBudget(client, namespace)) })
  }
  return recorded
}

/** Evictions one after the other, with the budget's status after each. */
export async function recordEvictionSequence(client: ApiClient): Promise<RecordedSequence> {
  const workload: Workload = { kind: 'ReplicaSet', replicas: 5, ready: 5 }
  const spec = { minAvailable: '50%' }
  const namespace = 'sequence'
  await createWorkload(client, namespace, workload)
  await createBudget(client, namespace, spec)
  const steps: { action: string; answer?: { status: number; body: unknown }; status: unknown }[] = []
  steps.push({ action: 'none', status: statusOf(await quietBudget(client, namespace)) })
  const first = (await listPods(client, namespace)).map(pod => pod.metadata.name)
  for (const [index, name] of first.slice(0, 3).entries()) {
    const answer = await client.send('POST', `${apiPath(podType, namespace, name)}/eviction`, {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name, namespace },
    })
    const status = statusOf(await quietBudget(client, namespace))
    steps.push({ action: `evict ready pod ${index + 1} of 5`, answer: { status: answer.status, body: answer.body }, status })
  }
  await makeReady(client, namespace, workload.replicas)
  steps.push({ action: 'the replacements become ready', status: statusOf(await quietBudget(client, namespace)) })
  return { name: 'half of five', workload, spec, steps }
}

async function createWorkload(client: ApiClient, namespace: string, workload: Workload): Promise<void> {
  await client.want('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  await until(`the default ServiceAccount of ${namespace}`, async () => {
    return (await client.send('GET', `/api/v1/namespaces/${namespace}/serviceaccounts/default`)).status === 200
  })
  for (const object of workloadObjects(namespace, workload)) {
    await client.want('POST', apiPath(object, namespace), object)
  }
  await makeReady(client, namespace, workload.ready, podCount(workload))
}

function podCount({ kind, replicas }: Workload): number {
  if (kind === 'two ReplicaSets') return replicas * 2
  return kind === 'ReplicaSet and bare pod' ? replicas + 1 : replicas
}

function workloadObjects(namespace: string, { kind, replicas }: Workload): ApiObject[] {
  const spec = {
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    containers: [{ name: 'main', image: 'registry.example/web:v1' }],
  }
  const controller = (type: { apiVersion: string; kind: string }, name: string): ApiObject => {
    const labels = { app: 'web', set: name }
    return {
      ...type,
      metadata: { name, namespace },
      spec: {
        replicas,
        selector: type.apiVersion === 'v1' ? labels : { matchLabels: labels },
        template: { metadata: { labels }, spec },
        ...(type.kind === 'StatefulSet' ? { serviceName: 'web', podManagementPolicy: 'Parallel' } : {}),
      },
    }
  }
  const barePods = (count: number) =>
    Array.from({ length: count }, (_, index): ApiObject => {
      return { ...podType, metadata: { name: `bare-${index}`, namespace, labels: { app: 'web' } }, spec }
    })
  const replicaSet = { apiVersion: 'apps/v1', kind: 'ReplicaSet' }
  switch (kind) {
    case 'ReplicaSet':
    case 'StatefulSet':
      return [controller({ apiVersion: 'apps/v1', kind }, 'first')]
    case 'ReplicationController':
      return [controller({ apiVersion: 'v1', kind }, 'first')]
    case 'two ReplicaSets':
      return [controller(replicaSet, 'first'), controller(replicaSet, 'second')]
    case 'ReplicaSet and bare pod':
      return [controller(replicaSet, 'first'), ...barePods(1)]
    case 'bare pods':
      return barePods(replicas)
  }
}

async function createBudget(client: ApiClient, namespace: string, spec: object): Promise<void> {
  await client.want('POST', apiPath(budgetType, namespace), {
    ...budgetType,
    metadata: { name: 'budget', namespace },
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
  })
}

/** Plays the kubelet: waits for the pods and says of the first `ready` that they are. */
async function makeReady(client: ApiClient, namespace: string, ready: number, count = ready): Promise<void> {
  await until(`${count} bound pods in ${namespace}`, async () => {
    const pods = await listPods(client, namespace)
    const bound = pods.filter(pod => (pod.spec as { nodeName?: string }).nodeName !== undefined)
    return bound.length === count && pods.length === count
  })
  for (const pod of (await listPods(client, namespace)).slice(0, ready === count ? count : ready)) {
    const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }
    await client.want('PATCH', `${apiPath(podType, namespace, pod.metadata.name)}/status`, { status })
  }
}

async function listPods(client: ApiClient, namespace: string): Promise<ApiObject[]> {
  return (await client.want('GET', apiPath(podType, namespace))).items as ApiObject[]
}

async function quietBudget(client: ApiClient, namespace: string): Promise<ApiObject> {
  let budget = await client.want('GET', apiPath(budgetType, namespace, 'budget'))
  let since = Date.now()
  await until(`a quiet budget in ${namespace}`, async () => {
    const now = await client.want('GET', apiPath(budgetType, namespace, 'budget'))
    if (now.metadata.resourceVersion !== budget.metadata.resourceVersion) since = Date.now()
    budget = now
    const { observedGeneration, conditions } = budget.status as { observedGeneration?: number; conditions?: unknown[] }
    return (observedGeneration === 1 || conditions !== undefined) && Date.now() - since > quietMs
  })
  return budget
}

async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await pause(40)
  }
}

function statusOf(budget: ApiObject): unknown {
  const {
    conditions = [],
    disruptedPods = {},
    ...status
  } = budget.status as {
    conditions?: { type: string; status: string; reason: string; message: string }[]
    disruptedPods?: Record<string, string>
  }
  return {
    ...status,
    disruptedPodCount: Object.keys(disruptedPods).length,
    conditions: conditions.map(({ type, status: value, reason, message }) => ({ type, status: value, reason, message })),
  }
}
