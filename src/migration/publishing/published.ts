// What workers of both sides publish: which nodes it describes, and how it goes once the other side's is there. And upstream's workers, which sleep
// and wake by a node selector.
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import { asleepLabel, sleepsBySelector } from '#upstreams/recognition.ts'
import type { PublishingPart } from '#upstreams/upstream.ts'
import { shown, theTheirs } from '../both.ts'
import { fieldManager } from '../own-made.ts'
import type { Loop, Situation } from '../place.ts'
import { listOf } from '../reading.ts'
import { readSituation } from '../situation.ts'
import { eventually, StepFailed, type Swap } from '../step.ts'

/** Pods have their grace to end. */
const endPatienceMs = 300_000

/** Upstream's workloads beside the one that leads, of the same installation. */
const besideOf = (situation: Situation, swap: Swap): readonly Loop[] => {
  const { namespace } = theTheirs(swap, situation)
  return situation.companions.filter(one => one.namespace === namespace)
}

/** Those on nodes that publish, and others of the same kind. */
export const workersOf = (swap: Swap, situation: Situation): readonly Loop[] =>
  besideOf(situation, swap).filter(({ workload }) => workload.kind === 'DaemonSet')

/** Deployments that help the one that leads. */
export const helpersOf = (swap: Swap, situation: Situation): readonly Loop[] =>
  besideOf(situation, swap).filter(({ workload }) => workload.kind === 'Deployment')

export const isAsleep = ({ workload }: Pick<Loop, 'workload'>): boolean => sleepsBySelector(workload)

/** A DaemonSet sleeps by `'true'`, and wakes by `null`. */
export async function setSleep({ api, signal }: Swap, { namespace, name, workload }: Loop, value: string | null): Promise<void> {
  const body = {
    metadata: { resourceVersion: workload.metadata.resourceVersion },
    spec: { template: { spec: { nodeSelector: { [asleepLabel]: value } } } },
  }
  await api.resource(builtIn.daemonsets).patch(name, { type: 'merge', body }, { namespace, signal, fieldManager })
}

export function sleepWorkersCommand({ namespace, name }: Pick<Loop, 'namespace' | 'name'>, isToSleep: boolean): string {
  const value = isToSleep ? '"true"' : 'null'
  return `kubectl -n ${namespace} patch daemonset ${name} -p '{"spec":{"template":{"spec":{"nodeSelector":{"${asleepLabel}":${value}}}}}}'`
}

/** Sleeps, and none of its pods is left. @throws StepFailed where they do not end */
export async function sleepWorkers(swap: Swap): Promise<void> {
  const of = async () => workersOf(swap, await readSituation(swap))
  for (const loop of await of()) if (!isAsleep(loop)) await setSleep(swap, loop, 'true')
  const ended = await eventually(swap, endPatienceMs, async () => workersSleep(swap, await of()))
  if (!ended.ok) throw new StepFailed(`${ended.said}, after ${endPatienceMs / 60_000} minutes`)
}

export async function workersSleep({ api, signal }: Swap, workers: readonly Loop[]): Promise<Proof> {
  for (const loop of workers) {
    if (!isAsleep(loop)) return no(`${shown(loop)} is awake`)
    const pods = await listOf(api, builtIn.pods, 'Pod', { signal, namespace: loop.namespace, labelSelector: loop.selector })
    const own = pods.filter(pod => isOwnedBy(pod, loop.workload))
    if (own.length > 0) return no(`${own.length} pods of ${shown(loop)} have not ended`)
  }
  return yes(workers.length === 0 ? 'nothing of upstream is on nodes' : `${workers.map(shown).join(', ')} sleeps`)
}

const isOwnedBy = ({ metadata }: KubeObject, { metadata: { uid } }: KubeObject): boolean =>
  (metadata.ownerReferences ?? []).some(owner => owner.uid === uid)

export async function wakeWorkers(swap: Swap): Promise<void> {
  for (const loop of workersOf(swap, await readSituation(swap))) if (isAsleep(loop)) await setSleep(swap, loop, null)
}

/** What workers in `namespace` have published, by the node that it describes. */
export async function publishedIn(
  { api, signal }: Pick<Swap, 'api' | 'signal'>,
  part: PublishingPart,
  namespace: string,
): Promise<ReadonlyMap<string, KubeObject>> {
  const all = await listOf(api, part.published, 'Published', { signal, namespace, metadataOnly: true })
  return new Map(
    all.flatMap(object => {
      const node = part.describes(object, namespace)
      return node === undefined ? [] : [[node, object] as const]
    }),
  )
}

interface Sides {
  readonly from: string
  readonly to: string
}

/** Does `to` describe each node that is there and that `from` describes? */
export async function succeeded(swap: Swap, part: PublishingPart, { from, to }: Sides): Promise<Proof> {
  const [old, made] = await Promise.all([publishedIn(swap, part, from), publishedIn(swap, part, to)])
  const nodes = await listOf(swap.api, builtIn.nodes, 'Node', { signal: swap.signal, metadataOnly: true })
  const there = new Set(nodes.map(({ metadata }) => metadata.name))
  const lacking = [...old.keys()].filter(node => there.has(node) && !made.has(node))
  if (lacking.length === 0) return yes(`${made.size} ${made.size === 1 ? 'node is' : 'nodes are'} described in ${to}`)
  const more = lacking.length > 5 ? ` and ${lacking.length - 5} more` : ''
  return no(`not described in ${to} yet: ${lacking.slice(0, 5).join(', ')}${more}; no worker runs there, or it does not publish`)
}

/** Takes away what `from` published of nodes that `to` describes, and of nodes that are gone. @throws StepFailed where a node would be described by nobody */
export async function retire(swap: Swap, part: PublishingPart, sides: Sides): Promise<void> {
  const { api, signal } = swap
  const covered = await succeeded(swap, part, sides)
  if (!covered.ok) throw new StepFailed(covered.said)
  for (const { metadata } of (await publishedIn(swap, part, sides.from)).values()) {
    const { name, namespace, uid } = metadata
    try {
      await api
        .resource(part.published)
        .delete(name, { namespace, signal, ...(uid === undefined ? {} : { preconditions: { uid } }) })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}

export async function retired(swap: Swap, part: PublishingPart, namespace: string): Promise<Proof> {
  const left = await publishedIn(swap, part, namespace)
  return left.size === 0
    ? yes(`nothing is published in ${namespace}`)
    : no(`${left.size} objects of workers are in ${namespace} still`)
}
