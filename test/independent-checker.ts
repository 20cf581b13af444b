// Judges a run from outside: disruption budgets recomputed from the pods' readiness on a watch of its own, evictions from the request
// log. It reads the wire itself and shares no code with what it judges.
import type { Transport } from '#kube/client/transport.ts'

interface WirePod {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid: string
    readonly resourceVersion: string
    readonly labels?: Readonly<Record<string, string>>
    readonly deletionTimestamp?: string
  }
  readonly spec: {
    readonly nodeName?: string
    readonly containers: readonly { readonly resources?: { readonly requests?: Readonly<Record<string, string>> } }[]
  }
  readonly status?: {
    readonly phase?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

interface WireBudget {
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly spec: {
    readonly maxUnavailable?: number
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> }
  }
}

interface WireWorkload {
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly spec: { readonly replicas: number; readonly selector: { readonly matchLabels: Readonly<Record<string, string>> } }
}

export interface Judgement {
  /** Every moment at which fewer pods were healthy than a budget asks for. */
  readonly violations: readonly string[]
  readonly pending: readonly string[]
  /** Node → millicores and mebibytes requested, and pods, of pods that are not finished. */
  readonly nodes: ReadonlyMap<string, { readonly millicores: number; readonly mebibytes: number; readonly pods: number }>
  /** Watch events that were judged: a checker that saw nothing proves nothing. */
  readonly events: number
}

export interface Checker {
  /** Stops watching and judges what was seen. */
  judge(): Promise<Judgement>
}

const matches = (wanted: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>> = {}) =>
  Object.entries(wanted).every(([key, value]) => labels[key] === value)

async function read<T>(
  transport: Transport,
  path: string,
): Promise<{ readonly items: readonly T[]; readonly metadata: { readonly resourceVersion: string } }> {
  const answer = await transport.request({
    verb: 'GET',
    path,
    signal: AbortSignal.timeout(120_000),
    headers: { accept: 'application/json' },
  })
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`)
  return JSON.parse(Buffer.from(answer.body).toString('utf8')) as { items: readonly T[]; metadata: { resourceVersion: string } }
}

const isHealthy = (pod: WirePod) =>
  pod.metadata.deletionTimestamp === undefined &&
  (pod.status?.conditions ?? []).some(condition => condition.type === 'Ready' && condition.status === 'True')

const millicores = (text = '0') => (text.endsWith('m') ? Number(text.slice(0, -1)) : Number(text) * 1000)
const mebibytes = (text = '0Mi') =>
  text.endsWith('Gi') ? Number(text.slice(0, -2)) * 1024 : text.endsWith('Mi') ? Number(text.slice(0, -2)) : Number.NaN

/** Begins to watch. Every budget of the cluster must be a whole `maxUnavailable` with `matchLabels`, as the example's are. */
export async function openChecker(transport: Transport): Promise<Checker> {
  const budgets = (await read<WireBudget>(transport, '/apis/policy/v1/poddisruptionbudgets')).items
  const workloads = [
    ...(await read<WireWorkload>(transport, '/apis/apps/v1/deployments')).items,
    ...(await read<WireWorkload>(transport, '/apis/apps/v1/statefulsets')).items,
  ]
  const list = await read<WirePod>(transport, '/api/v1/pods')
  const pods = new Map(list.items.map(pod => [pod.metadata.uid, pod]))
  const guarded = budgets.map(budget => {
    if (typeof budget.spec.maxUnavailable !== 'number')
      throw new Error(`budget ${budget.metadata.namespace}/${budget.metadata.name}: maxUnavailable is not a whole number`)
    const expected = workloads
      .filter(
        workload =>
          workload.metadata.namespace === budget.metadata.namespace &&
          matches(budget.spec.selector.matchLabels, workload.spec.selector.matchLabels),
      )
      .reduce((sum, workload) => sum + workload.spec.replicas, 0)
    return { budget, desired: expected - budget.spec.maxUnavailable }
  })
  const violations: string[] = []
  let events = 0
  const judgeMoment = (moment: string, namespace: string) => {
    for (const { budget, desired } of guarded) {
      if (budget.metadata.namespace !== namespace) continue
      const healthy = [...pods.values()].filter(
        pod =>
          pod.metadata.namespace === namespace &&
          matches(budget.spec.selector.matchLabels, pod.metadata.labels) &&
          isHealthy(pod),
      ).length
      if (healthy < desired)
        violations.push(`${moment}: ${namespace}/${budget.metadata.name}: ${healthy} healthy, ${desired} desired`)
    }
  }
  const stop = new AbortController()
  const stream = await transport.stream({
    verb: 'GET',
    path: '/api/v1/pods',
    query: { watch: 'true', resourceVersion: list.metadata.resourceVersion, timeoutSeconds: '3000' },
    headers: { accept: 'application/json' },
    priority: 'watch',
    signal: stop.signal,
  })
  const watching = (async () => {
    let rest = ''
    for await (const chunk of stream.chunks) {
      const lines = (rest + Buffer.from(chunk).toString('utf8')).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const event = JSON.parse(line) as { readonly type: string; readonly object: WirePod }
        if (event.type === 'ERROR') throw new Error(`the checker's watch ended: ${line}`)
        if (event.type === 'BOOKMARK') continue
        events++
        if (event.type === 'DELETED') pods.delete(event.object.metadata.uid)
        else pods.set(event.object.metadata.uid, event.object)
        judgeMoment(`revision ${event.object.metadata.resourceVersion}`, event.object.metadata.namespace)
      }
    }
  })()
  // Settled here, judged at the end: a watch that broke is told by `judge`.
  const ended = watching.then(
    () => undefined,
    (error: unknown) => error,
  )
  return {
    async judge() {
      const now = await read<WirePod>(transport, '/api/v1/pods')
      stop.abort()
      const error = await ended
      if (error !== undefined && error !== stop.signal.reason) throw error
      const nodes = new Map<string, { millicores: number; mebibytes: number; pods: number }>()
      for (const pod of now.items) {
        if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed' || pod.spec.nodeName === undefined) continue
        const sum = nodes.get(pod.spec.nodeName) ?? { millicores: 0, mebibytes: 0, pods: 0 }
        for (const container of pod.spec.containers) {
          sum.millicores += millicores(container.resources?.requests?.['cpu'])
          sum.mebibytes += mebibytes(container.resources?.requests?.['memory'])
        }
        sum.pods++
        nodes.set(pod.spec.nodeName, sum)
      }
      return {
        violations,
        pending: now.items.filter(pod => pod.status?.phase === 'Pending').map(pod => pod.metadata.name),
        nodes,
        events,
      }
    },
  }
}
