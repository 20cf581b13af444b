// Workloads that are put to sleep and woken: Deployments by their replicas, CronJobs by their suspension.

import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import { of } from './access.ts'
import { named, shown } from './both.ts'
import { fieldManager } from './own-made.ts'
import type { Loop, Situation } from './place.ts'
import { savedWith } from './record.ts'
import { readSituation } from './situation.ts'
import { type Access, eventually, StepFailed, type Swap } from './step.ts'
import { readTemplates } from './templates.ts'
import { sleeping } from './writes.ts'

/** What acts may go on for so long: a cycle of a large cluster, and what it evicts at the end of it. */
const endPatienceMs = 600_000
/** So many looks, a second apart, see no Job: the controller that makes them has heard of the suspension. */
const quietLooks = 5

const isCron = ({ workload }: Pick<Loop, 'workload'>): boolean => workload.kind === 'CronJob'
const resourceOf = (loop: Pick<Loop, 'workload'>) => (isCron(loop) ? builtIn.cronjobs : builtIn.deployments)

export const ofLoop = (loop: Loop): Access => of(resourceOf(loop), loop.namespace, 'patch')

/** Nothing is written where it is so already. The write names the version that it was decided on. */
export async function scaleLoop({ api, signal }: Swap, loop: Loop, replicas: number): Promise<void> {
  const { workload, namespace, name } = loop
  if (loop.replicas === replicas || (isCron(loop) && loop.replicas > 0 === replicas > 0)) return
  const spec = replicas === 0 ? sleeping[workload.kind] : isCron(loop) ? { suspend: false } : { replicas }
  const body = { metadata: { resourceVersion: workload.metadata.resourceVersion }, spec }
  await api.resource(resourceOf(loop)).patch(name, { type: 'merge', body }, { namespace, signal, fieldManager })
}

/** Sleeps, and nothing of it may act any more. @throws StepFailed where somebody wakes it, or it does not end */
export async function putToSleep(swap: Swap, which: (situation: Situation) => Loop): Promise<void> {
  await scaleLoop(swap, which(await readSituation(swap)), 0)
  let quiet = 0
  const ended = await eventually(swap, endPatienceMs, async () => {
    const now = which(await readSituation(swap))
    if (now.replicas > 0) throw new StepFailed(`${shown(now)} was woken again by somebody: find out who, then begin anew`)
    quiet = now.running === 0 ? quiet + 1 : 0
    return quiet >= (isCron(now) ? quietLooks : 1) ? yes('') : no(`${now.running} pods of ${shown(now)} have not ended`)
  })
  if (!ended.ok) throw new StepFailed(`${ended.said} within ${endPatienceMs / 60_000} minutes`)
}

/**
 * What `loops` were before anything changed, and where the swap's roll-outs are to be seen every pod template. Done again after a crash they
 * sleep already, and what was kept counts.
 */
export async function keepBefore(swap: Swap, loops: readonly Loop[], isHalfDone: boolean): Promise<void> {
  const { record, upstream, api, signal } = swap
  const { saved } = record
  const before = (loop: Loop) => (loop.replicas > 0 ? loop.replicas : (saved?.replicas[named(loop)] ?? 1))
  const isCompared = upstream.replaced.swap.rollsOut !== undefined && (!isHalfDone || saved === undefined)
  if (!isCompared && loops.every(loop => saved?.replicas[named(loop)] === before(loop))) return
  const replicas = Object.fromEntries(loops.map(loop => [named(loop), before(loop)]))
  const read = isCompared ? await readTemplates(api, signal) : undefined
  const templates = read === undefined ? {} : { templates: read.hashes, revision: read.revision }
  await record.write({ saved: savedWith(saved, { replicas, ...templates }) })
}

/** How many pods it had; of a CronJob 1. */
export const replicasBefore = ({ record }: Swap, loop: Loop): number =>
  Math.max(1, loop.replicas, record.saved?.replicas[named(loop)] ?? 1)

export function loopSleeps(loop: Loop): Proof {
  if (loop.replicas > 0) return no(`${shown(loop)} is awake`)
  return loop.running > 0 ? no(`${loop.running} pods of ${shown(loop)} have not ended`) : yes(`${shown(loop)} sleeps`)
}

/** Is it at work? `other`, which had its Lease before, may hold it until it ends. */
export function loopWorks(loop: Loop, leases: readonly KubeObject[], other?: Loop): Proof {
  if (loop.replicas === 0) return no(`${shown(loop)} sleeps`)
  if (isCron(loop)) return yes(`${shown(loop)} runs at its times`)
  if (loop.running === 0) return no(`no pod of ${shown(loop)} is ready`)
  const lease = other === undefined ? undefined : leases.find(one => heldBy(one).startsWith(`${other.name}-`))
  if (lease !== undefined)
    return no(`Lease ${lease.metadata.namespace}/${lease.metadata.name} is held by ${heldBy(lease)} until it ends`)
  return yes(`${loop.running} ${loop.running === 1 ? 'pod' : 'pods'} of ${shown(loop)}`)
}

const heldBy = (lease: KubeObject) => textAt(lease, 'spec', 'holderIdentity') ?? ''

export function sleepCommand({ workload, namespace, name }: Pick<Loop, 'workload' | 'namespace' | 'name'>): string {
  return isCron({ workload })
    ? `kubectl -n ${namespace} patch cronjob ${name} -p '{"spec":{"suspend":true}}'`
    : `kubectl -n ${namespace} scale deployment ${name} --replicas=0`
}

export function wakeCommand(
  { workload, namespace, name }: Pick<Loop, 'workload' | 'namespace' | 'name'>,
  replicas: number,
): string {
  return isCron({ workload })
    ? `kubectl -n ${namespace} patch cronjob ${name} -p '{"spec":{"suspend":false}}'`
    : `kubectl -n ${namespace} scale deployment ${name} --replicas=${replicas}`
}
