// What all ways of a swap have in common: who is who, what stands in the way, what is removed and looked at in the end.

import { examineCluster } from '#doctor/checks.ts'
import type { Finding } from '#doctor/finding.ts'
import { liveFacts } from '#doctor/live-facts.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import { shownOwner } from '#upstreams/gitops-owner.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import { ownerIsLive } from './owner-words.ts'
import type { Loop, Ours, Situation, Theirs, Whole } from './place.ts'
import { type Saved, savedWith } from './record.ts'
import { readSituation, wholeOf } from './situation.ts'
import { type Step, StepFailed, type Swap } from './step.ts'
import { deleteAll, deleteSecrets, releaseSecrets, restorable, restoreAll, sleeping } from './writes.ts'

export const named = ({ namespace, name }: Pick<Loop, 'namespace' | 'name'>): string => `${namespace}/${name}`
export const shown = (loop: Pick<Loop, 'namespace' | 'name' | 'workload'>): string => `${loop.workload.kind} ${named(loop)}`

/** The one that is to be replaced. @throws StepFailed where there is none, or several */
export function theTheirs({ upstream }: Pick<Swap, 'upstream'>, { theirs }: Situation): Theirs {
  const [one, ...more] = theirs
  if (one === undefined) throw new StepFailed(`no ${upstream.name} is installed here`)
  if (more.length > 0)
    throw new StepFailed(`${theirs.length} ${upstream.name}s are installed (${theirs.map(shown).join(', ')}): remove all but one`)
  return one
}

/** Both sides, with all that upstream is made of. */
export interface Now {
  readonly situation: Situation
  readonly theirs: Theirs
  readonly whole: Whole
}

/** @throws StepFailed where there is no upstream, or several */
export async function nowOf(swap: Swap): Promise<Now> {
  const situation = await readSituation(swap)
  const theirs = theTheirs(swap, situation)
  return { situation, theirs, whole: await wholeOf(swap, theirs) }
}

/** @throws StepFailed where it is not there */
export function theOurs({ ours }: Situation): Ours {
  if (ours === undefined) throw new StepFailed("Ballast's controller is not installed here")
  return ours
}

/** @throws StepFailed where what does the job is not there */
export function theOwnLoop({ upstream }: Pick<Swap, 'upstream'>, situation: Situation): Loop {
  const { loop } = theOurs(situation)
  if (loop === undefined) throw new StepFailed(`Ballast's ${upstream.capability} is not installed here`)
  return loop
}

/** Who would undo what is written to ours; Helm does not by itself. */
export const reconcilerOf = (ours: Ours | undefined) => (ours?.owner?.by === 'helm' ? undefined : ours?.owner)

/** An owner that would put back what a swap changes: nothing is begun beside one. `commit`: what to do in Git instead. */
export function liveOwner(theirs: Theirs, ours: Ours | undefined, commit: string): string | undefined {
  const live = ownerIsLive(theirs)
  const owner = reconcilerOf(ours)
  if (live !== undefined || owner === undefined) return live
  return `ours is reconciled by ${shownOwner(owner)}: what is written here would be undone. Commit it instead: ${commit}; or suspend it meanwhile`
}

export const placeOfOurs = (ours: Ours | undefined): string =>
  ours === undefined ? 'Ballast is not installed yet' : `Ballast is in ${ours.namespace}`

/** What is carried and what is not, of what upstream is told. */
export function lossProof({ report }: ConvertedValues, { allowLossy }: Swap): Proof {
  const of = (...kinds: readonly string[]) => report.filter(({ kind }) => kinds.includes(kind))
  const lost = of('lost', 'unknown', 'changed')
  const carried = of('carried').map(({ from, to = '' }) => `${from} -> ${to}`)
  const dropped = of('dropped').map(({ from }) => from)
  const said = [
    `${carried.length} carried${carried.length === 0 ? '' : ` (${carried.join(', ')})`}`,
    ...(dropped.length === 0 ? [] : [`${dropped.length} dropped without loss (${dropped.join(', ')})`]),
    `${lost.length} lost${lost.length === 0 ? '' : `: ${lost.map(({ from, why = '' }) => `${from} (${why})`).join('; ')}`}`,
  ].join('; ')
  return lost.length === 0 || allowLossy ? yes(said) : no(`${said}; --allow-lossy goes on without them`)
}

const keyOf = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`

/** Objects as they are to come back, each once, the newest of each. */
export const kept = (objects: readonly KubeObject[]): readonly KubeObject[] => [
  ...new Map(objects.map(object => [keyOf(object), restorable(object)])).values(),
]

/** Deletes all of upstream once it sleeps; what is deleted is kept for the way back. @throws StepFailed where its owner is live */
export async function removeTheirs(swap: Swap, isAsleep: (theirs: Theirs) => Promise<boolean>, harm: string): Promise<void> {
  const { record } = swap
  const [theirs] = (await readSituation(swap)).theirs
  if (theirs === undefined) return
  if (!(await isAsleep(theirs))) throw new StepFailed(`${shown(theirs)} is awake: switch first`)
  const live = ownerIsLive(theirs, 'remove')
  if (live !== undefined) throw new StepFailed(live)
  await forget(swap, theirs, harm)
  const { objects } = await wholeOf(swap, theirs)
  if (theirs.workload.kind !== 'DaemonSet')
    await record.write({ saved: savedWith(record.saved, { removed: toKeep(record.saved, theirs, objects) }) })
  // The workload goes last: while it stands, this step finds everything again.
  await deleteAll(swap, objects)
}

/** A removal that was broken off is gone on with; what an earlier swap removed of another upstream is none of this one's. */
function toKeep(saved: Saved | undefined, { workload }: Theirs, objects: readonly KubeObject[]): readonly KubeObject[] {
  const earlier = saved?.removed ?? []
  const isOfThis =
    earlier.every(({ kind }) => sleeping[kind] === undefined) || earlier.some(object => keyOf(object) === keyOf(workload))
  return kept([...(isOfThis ? earlier : []), ...objects])
}

/** Deletes Helm's own record of upstream's release, where that is agreed to. @throws StepFailed where it is not */
export async function forget(swap: Swap, { owner }: Theirs, harm: string): Promise<void> {
  if (owner?.by !== 'helm') return
  const secrets = await releaseSecrets(swap, owner.name, owner.namespace)
  if (secrets.length > 0 && !swap.forgetRelease)
    throw new StepFailed(
      `Helm release ${owner.name} is known to Helm by ${secrets.length} Secrets in ${owner.namespace}; --forget-release deletes them, so that no later helm uninstall ${harm}`,
    )
  await deleteSecrets(swap, secrets)
}

/** A Helm release is deleted only with consent. */
export const forgetting = (theirs: Pick<Theirs, 'owner'> | undefined) =>
  theirs?.owner?.by === 'helm' ? { forgetsRelease: true } : {}

export const removedProof = ({ theirs }: Situation): Proof =>
  theirs.length === 0 ? yes('nothing of upstream is left') : no(`${theirs.map(shown).join(', ')} is still there`)

/** What doctor finds of the capability, and of the rights of Ballast's controller; what is only to be looked at is told. */
export async function settled(swap: Swap, said: string): Promise<Proof> {
  const { upstream } = swap
  const { capability, replaced } = upstream
  const findings = await lookedAt(swap)
  // A process has an account of its own: what else is wrong with Ballast was so before.
  const isOfRights = (area: string) => area === 'rights' && replaced.swap.part.kind !== 'process'
  const errors = findings.filter(one => one.severity === 'error' && (one.capability === capability || isOfRights(one.area)))
  const shownIn = (ones: readonly Finding[]) => ones.map(({ id, object, message }) => `${id}: ${object}: ${message}`).join('; ')
  if (errors.length > 0) return no(shownIn(errors))
  const told = findings.filter(({ area }) => area === capability)
  return yes(`${said}${told.length === 0 ? '' : `; to look at: ${shownIn(told)}`}`)
}

export async function lookedAt({ api, capabilities, clock, signal }: Swap): Promise<readonly Finding[]> {
  return examineCluster(await liveFacts({ api, capabilities, nowMs: clock.now(), helmSecrets: false, signal }))
}

/** What the steps call upstream, also when it is deleted already. */
export function shownTheirs(swap: Swap, situation: Situation, saved: Saved | undefined): Theirs {
  // The one that leads goes last.
  const workload = saved?.removed.findLast(({ kind }) => sleeping[kind] !== undefined)
  if (situation.theirs.length > 0 || workload === undefined) return theTheirs(swap, situation)
  const { namespace = 'default', name } = workload.metadata
  return { workload, namespace, name, replicas: 0, running: 0, selector: '', owner: undefined, isOwnerQuiet: true }
}

/** The first step back that writes. */
export function restoreStep({ upstream }: Swap): Step {
  return {
    id: 'restore',
    title: "bring upstream's objects back, asleep",
    command: upstream.replaced.swap.reinstall,
    proof: 'its workload is there',
    undo: 'delete them again',
    run: async now => restoreAll(now, now.record.saved?.removed ?? []),
    prove: restored,
  }
}

/** The last look of a swap. */
export function doctorStep({ upstream }: Swap, prove: Step['prove']): Step {
  return {
    id: 'doctor',
    title: 'look once more',
    command: 'ballast doctor',
    proof: `ours ${upstream.replaced.swap.does} and has its rights, upstream is gone`,
    undo: '-',
    prove,
  }
}

/** Is upstream there, or what was kept of it? */
async function restored(swap: Swap): Promise<Proof> {
  const [one] = (await readSituation(swap)).theirs
  if (one !== undefined) return yes(`${shown(one)} is there`)
  const count = swap.record.saved?.removed.length ?? 0
  return no(
    count === 0
      ? 'upstream is not installed and nothing of it was kept: install its chart asleep, then go on'
      : `${count} objects were kept and are not there yet`,
  )
}

/** Upstream's workload, with what it reads, as values of ours. */
export function convertCommand({ upstream }: Swap, { workload, namespace, name }: Theirs): string {
  const { id, swap } = upstream.replaced
  const get = `kubectl -n ${namespace} get ${workload.kind.toLowerCase()} ${name} -o yaml`
  if (swap.reads === undefined) return `${get} | ballast migrate values --from ${id} -`
  const read = swap.reads(workload)?.name ?? '<what it reads>'
  return `(${get}; echo ---; kubectl -n ${namespace} get configmap ${read} -o yaml) | ballast migrate values --from ${id} -n ${namespace} -o values.yaml -`
}
