// A swap of an API that only whoever leads can answer. Ours is installed and stands by, upstream's leader sleeps, its Lease goes over and one
// write leads callers after it; upstream's other workloads sleep last. Nothing but the two leaders ever scales, and never both.

import { builtIn } from '#kube/objects/resource.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { LedApiPart } from '#upstreams/upstream.ts'
import { missingOf, of, ofRemoval } from '../access.ts'
import { converted, ledElsewhere } from '../apis/obstacles.ts'
import { install, installed, missingFiles, needsToInstall, ownRegistration, ownService } from '../apis/own-api.ts'
import { apiServices } from '../apis/registration.ts'
import {
  convertCommand,
  doctorStep,
  forgetting,
  liveOwner,
  type Now,
  nowOf,
  placeOfOurs,
  removedProof,
  removeTheirs,
  settled,
  shown,
  shownTheirs,
  theTheirs,
} from '../both.ts'
import { keepBefore, ofLoop, sleepCommand, wakeCommand } from '../loops.ts'
import { sectionOf } from '../own-section.ts'
import { ownerIsLive, quietly } from '../owner-words.ts'
import { readSituation, wholeOf } from '../situation.ts'
import { type Access, all, type Step, StepFailed, type Swap, type Way } from '../step.ts'
import { companionsOf, companionsSleep, judges, sleepCompanions, wakeCompanions } from './companions.ts'
import { ofLease, turnOf, unguarded } from './lease-turn.ts'
import { isTurnedToOurs, keepAnswered, ledToOurs, turnToOurs, turnToTheirs, wakeBeside } from './turns.ts'

/** Images that are pulled, pods that start, a certificate that is made. */
const startPatienceMs = 300_000
/** A Lease that was not given back, parts that start, sources that are asked for the first time. */
const turnPatienceMs = 60_000
const sleepPatienceMs = 60_000

export const ledApiForth = (part: LedApiPart): Way => ({
  steps: swap => stepsForth(swap, part),
  needs: swap => needsForth(swap, part),
})

/** Upstream's leader stands by again before ours sleeps. */
async function putBack(swap: Swap, part: LedApiPart): Promise<void> {
  await wakeCompanions(swap, theTheirs(swap, await readSituation(swap)))
  await wakeBeside(swap, part)
  await turnToTheirs(swap, part)
}

async function stepsForth(swap: Swap, part: LedApiPart): Promise<readonly Step[]> {
  const { name, replaced, capability } = swap.upstream
  const { id } = replaced
  const situation = await readSituation(swap)
  const theirs = shownTheirs(swap, situation, swap.record.saved)
  const beside = companionsOf(situation, theirs)
  const { ours } = situation
  const own = ownService(part, ours)
  const again = `ballast migrate apply ${id} --back`
  const isOn = (on: boolean) => `capabilities.${capability}.enabled: ${on} in ConfigMap ballast-config`
  return [
    {
      id: 'check',
      title: `look at ${shown(theirs)}, who owns it, what its users have, and where ${part.apiService} leads`,
      command: 'ballast doctor',
      proof: `one ${name}, nothing brings it back, ours can do all that its users ask for, and you may write what the steps write`,
      undo: '-',
      prove: now => checked(now, part),
    },
    {
      id: 'convert',
      title: 'convert what it is told',
      command: convertCommand(swap, theirs),
      proof: 'everything has its place (exit 0), and Ballast takes it',
      undo: '-',
      prove: now => converted(now, part),
    },
    {
      id: 'install',
      title: `${ours === undefined ? `install Ballast with ${capability} on` : `Ballast is installed: give it ${capability} with the settings`}: it waits for Lease ${part.lease}; ${part.apiService} and the kinds that are there stay as they are`,
      command: `ballast manifests -f values.yaml | yq 'select(.kind != "APIService" and .kind != "CustomResourceDefinition")' | kubectl apply --server-side -f -`,
      proof: `${own} is there with its rights and ready`,
      undo: ours === undefined ? 'ballast uninstall' : isOn(false),
      patienceMs: startPatienceMs,
      run: async now => install(now, part, await nowOf(now)),
      prove: async now => installed(now, part, await nowOf(now)),
    },
    {
      id: 'compare',
      title: 'see what callers are answered now, and that ours stands by',
      command: `kubectl -n ${theirs.namespace} get lease ${part.lease}`,
      proof: 'somebody holds the Lease, callers are answered, and ours has its certificate',
      undo: '-',
      patienceMs: turnPatienceMs,
      // Nothing is written: it takes time.
      run: async () => undefined,
      prove: async now => standsBy(now, part),
    },
    {
      id: 'switch',
      title: `put ${shown(theirs)} to sleep, give its Lease to ours, lead callers to ours`,
      command: `${sleepCommand(theirs)}   # wait for its pods, then: kubectl edit apiservice ${part.apiService}: spec.service: ${own}, spec.caBundle: ca.crt of Secret ballast-apiserver-tls`,
      proof: 'ours holds the Lease, and whoever was answered is answered again',
      undo: `${wakeCommand(theirs, Math.max(1, theirs.replicas))}, then ${again} (by itself where the proof fails; what led to upstream is kept in ConfigMap ballast-migration-${id})`,
      patienceMs: turnPatienceMs,
      run: now => turn(now, part),
      prove: now => isTurnedToOurs(now, part),
      revert: now => putBack(now, part),
      reverts: ['install', 'compare', 'switch'],
    },
    {
      id: 'sleep',
      title: `take back upstream's admission, and put ${beside.length === 0 ? 'what else there is of it' : beside.map(shown).join(' and ')} to sleep`,
      command: [
        'kubectl delete validatingwebhookconfiguration <the one that names its Service>',
        ...beside.map(sleepCommand),
      ].join('; '),
      proof: 'nothing of upstream runs, nobody asks it, and callers are answered',
      undo: `${beside.map(loop => wakeCommand(loop, Math.max(1, loop.replicas))).join('; ')}; ${again}`,
      patienceMs: sleepPatienceMs,
      run: now => sleep(now, part),
      prove: now => asleep(now, part),
      revert: now => putBack(now, part),
      reverts: ['install', 'compare', 'switch', 'sleep'],
    },
    {
      id: 'remove',
      title: `orphan and delete upstream's objects; its kinds, their objects and ${part.apiService} stay`,
      command: quietly(theirs),
      proof: 'no workload of upstream is left',
      undo: `${again} (the objects are kept in ConfigMap ballast-migration-${id})`,
      ...forgetting(theirs),
      patienceMs: startPatienceMs,
      run: now => remove(now, part),
      prove: async now => removedProof(await readSituation(now)),
    },
    doctorStep(swap, now => ended(now, part)),
  ]
}

async function checked(swap: Swap, part: LedApiPart): Promise<Proof> {
  const now = await nowOf(swap)
  const { situation, theirs, whole } = now
  // What ours is told already counts, beside what it would be told.
  const section = { ...sectionOf(swap, whole.converted), ...Object(situation.ours?.config) }
  const cannot = await part.obstacles(swap, theirs.workload, section)
  if (cannot.length > 0) return no(`${cannot.join('; ')}. Nothing was written`)
  const obstacle =
    liveOwner(theirs, situation.ours, `the section of ${swap.upstream.capability} with enabled: true, then go on here`) ??
    unguarded(swap.upstream, part, situation.ours, theirs.namespace) ??
    (await ledElsewhere(swap, part, now)) ??
    (await heldByNobody(swap, part, now)) ??
    (await missingFiles(swap, now)) ??
    (await missingOf(swap, await needsForth(swap, part)))
  if (obstacle !== undefined) return no(obstacle)
  return yes(
    `${shown(theirs)} is ${theirs.replicas > 0 ? 'awake' : 'asleep'}; ${placeOfOurs(situation.ours)}; ours can do what its users ask for`,
  )
}

/** Ours would not wait: it acts as soon as nobody holds the Lease. */
async function heldByNobody(swap: Swap, part: LedApiPart, { situation, theirs }: Now): Promise<string | undefined> {
  if (theirs.replicas === 0) return undefined
  const { turn: whose, said } = await turnOf(swap, part, situation.ours)
  return whose === 'nobody'
    ? `${shown(theirs)} is awake, and ${said}: wait until it leads, or put it to sleep, or ours would act beside it`
    : undefined
}

async function standsBy(swap: Swap, part: LedApiPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const { turn: whose, said } = await turnOf(swap, part, situation.ours)
  const isAwake = theTheirs(swap, situation).replicas > 0
  if (whose === 'nobody' && isAwake) return no(said)
  await ownRegistration(swap, part)
  return yes(`${said}; ${(await part.answered(swap)).length} metrics are answered now`)
}

async function turn(swap: Swap, part: LedApiPart): Promise<void> {
  const situation = await readSituation(swap)
  const theirs = theTheirs(swap, situation)
  const live = ownerIsLive(theirs)
  if (live !== undefined) throw new StepFailed(live)
  if (situation.ours?.isEnabled !== true) throw new StepFailed(`${swap.upstream.capability} is off in our configuration`)
  // What callers are led by has to be there before upstream sleeps.
  await ownRegistration(swap, part)
  await keepBefore(swap, [theirs, ...companionsOf(situation, theirs)], theirs.replicas === 0)
  if (theirs.replicas > 0) await keepAnswered(swap, part)
  await turnToOurs(swap, part)
}

async function sleep(swap: Swap, part: LedApiPart): Promise<void> {
  const now = await isTurnedToOurs(swap, part)
  if (!now.ok) throw new StepFailed(`callers are not answered by ours: ${now.said}`)
  const situation = await readSituation(swap)
  const theirs = theTheirs(swap, situation)
  const live = ownerIsLive(theirs)
  if (live !== undefined) throw new StepFailed(live)
  await keepBefore(swap, companionsOf(situation, theirs), true)
  await sleepCompanions(swap, part, theirs)
}

async function asleep(swap: Swap, part: LedApiPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const theirs = theTheirs(swap, situation)
  const asked = (await judges(swap, part, theirs.workload)).map(({ metadata }) => metadata.name)
  if (asked.length > 0) return no(`${asked.join(', ')} asks upstream`)
  return all(companionsSleep(situation, theirs), await isTurnedToOurs(swap, part))
}

async function remove(swap: Swap, part: LedApiPart): Promise<void> {
  const now = await ledToOurs(swap, part)
  if (!now.ok) throw new StepFailed(`callers are not answered by ours: ${now.said}`)
  const isAsleep = async (theirs: Now['theirs']) => theirs.replicas === 0 && companionsSleep(await readSituation(swap), theirs).ok
  await removeTheirs(swap, isAsleep, part.uninstallHarm)
}

async function ended(swap: Swap, part: LedApiPart): Promise<Proof> {
  const situation = await readSituation(swap)
  if (situation.theirs.some(({ replicas }) => replicas > 0)) return no('upstream is awake, too')
  const now = await ledToOurs(swap, part)
  return now.ok ? settled(swap, now.said) : now
}

async function needsForth(swap: Swap, part: LedApiPart): Promise<readonly Access[]> {
  const situation = await readSituation(swap)
  const [theirs] = situation.theirs
  const [namespace = ''] = ownService(part, situation.ours).split('/')
  const always = [
    ...['get', 'create', 'update'].map(verb => of(apiServices, undefined, verb)),
    ...['list', 'create', 'delete'].map(verb => of(builtIn.validatingwebhookconfigurations, undefined, verb)),
    of(builtIn.secrets, namespace, 'get'),
    of(builtIn.deployments, namespace, 'patch'),
    ...ofLease(theirs?.namespace ?? namespace),
  ]
  if (theirs === undefined) return always
  const whole = await wholeOf(swap, theirs)
  return [
    ...always,
    ...needsToInstall(swap, part, { situation, theirs, whole }),
    ...[theirs, ...companionsOf(situation, theirs)].map(ofLoop),
    ...ofRemoval(swap, theirs, whole),
  ]
}
