// What the steps of a descheduler's swap have in common, forth and back: who is who, and putting one to sleep before the other wakes.

import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { wordsOf } from '#upstreams/descheduler/descheduler-told.ts'
import type { Saved } from '../record.ts'
import { eventually, no, type Proof, type Step, StepFailed, type SwapCore, yes } from '../step.ts'
import { sleeping } from '../writes.ts'
import { fieldManager } from './descheduler-own.ts'
import {
  type DeschedulerSituation,
  type Loop,
  type OwnDescheduler,
  type OwnLoop,
  readDeschedulerSituation,
  type UpstreamLoop,
} from './descheduler-situation.ts'

export type DeschedulerStep = Step<SwapCore>

/** A cycle of a large cluster, and what it evicts at the end of it. */
const endPatienceMs = 600_000
/** So many looks, a second apart, see no Job: the controller that makes them has heard of the suspension. */
const quietLooks = 5
/** Pods that start, and a Lease of 137 s that its holder did not give back. */
export const startPatienceMs = 300_000

export const named = ({ namespace, name }: Pick<Loop, 'namespace' | 'name'>): string => `${namespace}/${name}`
export const shown = ({ workload, ...loop }: Pick<Loop, 'namespace' | 'name' | 'workload'>): string =>
  `${workload.kind} ${named(loop)}`

/** @throws StepFailed where there is none, or several */
export function theUpstream({ upstreams }: DeschedulerSituation): UpstreamLoop {
  const [one, ...more] = upstreams
  if (one === undefined) throw new StepFailed('no descheduler is installed here')
  if (more.length > 0)
    throw new StepFailed(
      `${upstreams.length} deschedulers are installed (${upstreams.map(shown).join(', ')}): remove all but one`,
    )
  return one
}

/** @throws StepFailed */
export function theOurs({ ours }: DeschedulerSituation): OwnDescheduler {
  if (ours === undefined) throw new StepFailed("Ballast's controller is not installed here")
  return ours
}

/** @throws StepFailed */
export function theOwnLoop(situation: DeschedulerSituation): OwnLoop {
  const { loop } = theOurs(situation)
  if (loop === undefined) throw new StepFailed("Ballast's descheduler is not installed here")
  return loop
}

/** Nothing is written where it is so already. The write names the version that it was decided on. */
export async function scaleLoop({ api, signal }: SwapCore, loop: Loop, replicas: number): Promise<void> {
  const { workload, namespace, name } = loop
  if (loop.replicas === replicas || (workload.kind === 'CronJob' && loop.replicas > 0 === replicas > 0)) return
  const spec = replicas === 0 ? sleeping[workload.kind] : workload.kind === 'CronJob' ? { suspend: false } : { replicas }
  const body = { metadata: { resourceVersion: workload.metadata.resourceVersion }, spec }
  const resource = workload.kind === 'CronJob' ? builtIn.cronjobs : builtIn.deployments
  await api.resource(resource).patch(name, { type: 'merge', body }, { namespace, signal, fieldManager })
}

/** Sleeps, and nothing of it may evict any more. @throws StepFailed where somebody wakes it, or it does not end */
export async function putToSleep(swap: SwapCore, which: (situation: DeschedulerSituation) => Loop): Promise<void> {
  const loop = which(await readDeschedulerSituation(swap))
  await scaleLoop(swap, loop, 0)
  let quiet = 0
  const ended = await eventually(swap, endPatienceMs, async () => {
    const now = which(await readDeschedulerSituation(swap))
    if (now.replicas > 0) throw new StepFailed(`${shown(now)} was woken again by somebody: find out who, then begin anew`)
    quiet = now.running === 0 ? quiet + 1 : 0
    const enough = now.workload.kind === 'CronJob' ? quietLooks : 1
    return quiet >= enough ? yes('') : no(`${now.running} pods of ${shown(now)} have not ended`)
  })
  if (!ended.ok) throw new StepFailed(`${ended.said} within ${endPatienceMs / 60_000} minutes`)
}

/** What `loop` was before anything changed; done again after a crash it sleeps already, and what was kept counts. */
export async function keepReplicas(swap: SwapCore, loop: Loop): Promise<void> {
  const { record } = swap
  const known = record.saved?.replicas[named(loop)]
  const before = loop.replicas > 0 ? loop.replicas : (known ?? 1)
  if (known === before) return
  await record.write({ saved: savedWith(record.saved, { replicas: { [named(loop)]: before } }) })
}

export function savedWith(saved: Saved | undefined, changed: Partial<Saved>): Saved {
  const { replicas = {}, removed = [] } = saved ?? {}
  return {
    templates: {},
    revision: '0',
    removed: changed.removed ?? removed,
    replicas: { ...replicas, ...changed.replicas },
  }
}

/** How many pods upstream had; of a CronJob 1. */
export const replicasBefore = ({ record }: SwapCore, upstream: Loop): number =>
  Math.max(1, upstream.replicas, record.saved?.replicas[named(upstream)] ?? 1)

/** How many pods ours gets: as many as upstream had, but what others made is woken as it was. */
export function ownReplicas(swap: SwapCore, { isOfSwap, loop }: OwnDescheduler, upstream: Loop): number {
  const own = loop === undefined || isOfSwap ? undefined : swap.record.saved?.replicas[named(loop)]
  return own ?? replicasBefore(swap, upstream)
}

/** Is `awake` at work and `asleep` not? */
export function onlyOne(awake: Loop & { readonly isReady?: boolean }, asleep: Loop, leases: readonly KubeObject[]): Proof {
  if (asleep.replicas > 0 || asleep.running > 0)
    return no(asleep.replicas > 0 ? `${shown(asleep)} is awake` : `${asleep.running} pods of ${shown(asleep)} have not ended`)
  if (awake.replicas === 0) return no(`${shown(awake)} sleeps`)
  if (awake.workload.kind === 'CronJob') return yes(`${shown(awake)} runs at its times, ${shown(asleep)} sleeps`)
  if (awake.running === 0 || awake.isReady === false) return no(`no pod of ${shown(awake)} is ready`)
  const other = leases.find(lease => heldBy(lease).startsWith(`${asleep.name}-`))
  if (other !== undefined)
    return no(`Lease ${other.metadata.namespace}/${other.metadata.name} is held by ${heldBy(other)} until it ends`)
  return yes(`${awake.running} ${awake.running === 1 ? 'pod' : 'pods'} of ${shown(awake)}, none of ${shown(asleep)}`)
}

/** Of a Loop, with the text of its policy. */
export const toldOf = (loop: Loop, policy: string | undefined) => ({
  workload: loop.workload,
  words: wordsOf(loop.workload),
  policy,
})

const heldBy = (lease: KubeObject) => textAt(lease, 'spec', 'holderIdentity') ?? ''
