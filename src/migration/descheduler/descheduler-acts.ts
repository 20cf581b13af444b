// What the steps of a descheduler's swap do there: install ours asleep, switch, remove upstream's; and what proves each.
import { checkDeschedulers } from '#doctor/descheduler-checks.ts'
import { liveFacts } from '#doctor/live-facts.ts'
import { toldDifferently } from '#upstreams/descheduler/descheduler-told.ts'
import { ownerIsLive } from '../owner-words.ts'
import { no, type Proof, StepFailed, type SwapCore, yes } from '../step.ts'
import { applyAll, deleteAll, deleteSecrets, missingRights, releaseSecrets, restorable, sleeping } from '../writes.ts'
import { installed } from './descheduler-install.ts'
import { inTheWay, isKept } from './descheduler-kept.ts'
import { type DeschedulerSituation, readDeschedulerSituation } from './descheduler-situation.ts'
import {
  keepReplicas,
  onlyOne,
  ownReplicas,
  putToSleep,
  replicasBefore,
  savedWith,
  scaleLoop,
  shown,
  theOurs,
  theOwnLoop,
  theUpstream,
  toldOf,
} from './descheduler-swap.ts'

export async function install(swap: SwapCore): Promise<void> {
  const situation = await readDeschedulerSituation(swap)
  const upstream = theUpstream(situation)
  if (upstream.replicas === 0 && situation.ours?.loop?.replicas !== undefined && situation.ours.loop.replicas > 0)
    throw new StepFailed('upstream sleeps and ours is awake: ours is not put to sleep for nothing')
  const obstacle = inTheWay(situation)
  if (obstacle !== undefined) throw new StepFailed(obstacle)
  if (isKept(situation.ours)) {
    const lacking = await lackingRights(swap, situation)
    if (lacking !== undefined) throw new StepFailed(lacking)
    if (situation.ours.loop.replicas > 0) await keepReplicas(swap, situation.ours.loop)
    await putToSleep(swap, theOwnLoop)
    return
  }
  await applyAll(swap, installed(upstream.converted.values, situation.ours))
}

export async function isInstalled(swap: SwapCore): Promise<Proof> {
  const situation = await readDeschedulerSituation(swap)
  if (situation.ours === undefined) return no('the controller is not there')
  const { loop } = situation.ours
  if (loop === undefined) return no("Ballast's descheduler is not there")
  const upstream = theUpstream(situation)
  // Somebody has switched by hand.
  const isSwitched = loop.replicas > 0 && upstream.replicas === 0 && upstream.running === 0
  if ((loop.replicas > 0 || loop.running > 0) && !isSwitched) return no(`${shown(loop)} is awake`)
  const lacking = await lackingRights(swap, situation)
  if (lacking !== undefined) return no(lacking)
  const [different] = differences(situation)
  return different === undefined
    ? yes(
        `${shown(loop)} is there, ${isSwitched ? 'awake already while upstream sleeps' : 'asleep'}${isKept(situation.ours) ? ', with all its own settings' : ''}`,
      )
    : no(`ours is told otherwise: ${different}`)
}

/** Of ours that is kept as it is by what it is told, else by what a swap installs; `undefined`: none. */
async function lackingRights(swap: SwapCore, situation: DeschedulerSituation): Promise<string | undefined> {
  if (!isKept(situation.ours)) {
    const wanted = installed(theUpstream(situation).converted.values, situation.ours)
    const lacking = await missingRights(
      swap,
      wanted.filter(({ kind }) => rightsKinds.has(kind)),
    )
    return lacking === undefined ? undefined : `${lacking} is not as the descheduler needs it`
  }
  const { api, capabilities, clock, signal } = swap
  const facts = await liveFacts({ api, capabilities, nowMs: clock.now(), helmSecrets: false, signal })
  const found = checkDeschedulers(facts).filter(({ id }) => id === 'rbac-missing')
  return found.length === 0 ? undefined : found.map(({ object, message, fix }) => `${object} ${message}: ${fix}`).join('; ')
}

const rightsKinds: ReadonlySet<string> = new Set(['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'])

/** Names of what both are told differently. @throws StepFailed where one of them is not there */
export function differences(situation: DeschedulerSituation): readonly string[] {
  const upstream = theUpstream(situation)
  const own = theOwnLoop(situation)
  return toldDifferently(toldOf(upstream, upstream.policy), toldOf(own, own.policy))
}

export async function switchForth(swap: SwapCore): Promise<void> {
  const situation = await readDeschedulerSituation(swap)
  const upstream = theUpstream(situation)
  const live = ownerIsLive(upstream, 'switch', upstream.workload.kind)
  if (live !== undefined) throw new StepFailed(live)
  theOwnLoop(situation)
  await keepReplicas(swap, upstream)
  await putToSleep(swap, theUpstream)
  const after = await readDeschedulerSituation(swap)
  await scaleLoop(swap, theOwnLoop(after), ownReplicas(swap, theOurs(after), upstream))
}

export function switchedForth(situation: DeschedulerSituation): Proof {
  return onlyOne(theOwnLoop(situation), theUpstream(situation), situation.leases)
}

/** Ours to sleep first, then theirs awake: never both. */
export async function switchOver(swap: SwapCore): Promise<void> {
  const situation = await readDeschedulerSituation(swap)
  if (situation.ours?.loop !== undefined) await putToSleep(swap, theOwnLoop)
  const upstream = theUpstream(await readDeschedulerSituation(swap))
  await scaleLoop(swap, upstream, replicasBefore(swap, upstream))
}

export async function remove(swap: SwapCore): Promise<void> {
  const { record } = swap
  const [upstream] = (await readDeschedulerSituation(swap)).upstreams
  if (upstream === undefined) return
  if (upstream.replicas > 0) throw new StepFailed(`${shown(upstream)} is awake: switch first`)
  const live = ownerIsLive(upstream, 'remove', upstream.workload.kind)
  if (live !== undefined) throw new StepFailed(live)
  if (upstream.owner?.by === 'helm') {
    const secrets = await releaseSecrets(swap, upstream.owner.name, upstream.owner.namespace)
    if (secrets.length > 0 && !swap.forgetRelease)
      throw new StepFailed(
        `Helm release ${upstream.owner.name} is known to Helm by ${secrets.length} Secrets in ${upstream.owner.namespace}; --forget-release deletes them, so that no later helm uninstall takes anything with it`,
      )
    await deleteSecrets(swap, secrets)
  }
  // A removal that was broken off is gone on with; what an earlier swap removed of another upstream is none of this one's.
  const earlier = record.saved?.removed ?? []
  const isOfThis = earlier.every(object => sleeping[object.kind] === undefined || keyOf(object) === keyOf(upstream.workload))
  const kept = new Map([...(isOfThis ? earlier : []), ...upstream.objects.map(restorable)].map(object => [keyOf(object), object]))
  await record.write({ saved: savedWith(record.saved, { removed: [...kept.values()] }) })
  // The workload goes last: while it stands, this step finds everything again.
  await deleteAll(swap, upstream.objects)
}

const keyOf = ({
  kind,
  metadata,
}: {
  readonly kind: string
  readonly metadata: { readonly namespace?: string | undefined; readonly name: string }
}) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`

export function removed({ upstreams }: DeschedulerSituation): Proof {
  return upstreams.length === 0 ? yes('nothing of upstream is left') : no(`${upstreams.map(shown).join(', ')} is still there`)
}
