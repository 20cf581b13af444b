// Back from ours to upstream's API: upstream is brought back, its workloads wake and its leader stands by for the Lease that ours has; then ours
// sleeps, and callers are led back.
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { LedApiPart } from '#upstreams/upstream.ts'
import { missingOf, of, ofObject } from '../access.ts'
import { putBackByOwner } from '../apis/obstacles.ts'
import { install, ownRegistration, ownService } from '../apis/own-api.ts'
import { apiServices, leadToUs, ledTo, readRegistration } from '../apis/registration.ts'
import { isReady, wakePatienceMs } from '../apis/wake-theirs.ts'
import { nowOf, restoreStep, shown, theOurs, theTheirs } from '../both.ts'
import { keepBefore, ofLoop, putToSleep } from '../loops.ts'
import { savedWith } from '../record.ts'
import { readSituation } from '../situation.ts'
import { type Access, all, type Step, StepFailed, type Swap, type Way } from '../step.ts'
import { resourceOf, sleeping } from '../writes.ts'
import { companionsOf, companionsReady, judgedAgain, wakeCompanions } from './companions.ts'
import { ofLease, unguarded } from './lease-turn.ts'
import { canStandBy, isTurnedToTheirs, keepAnswered, turnToTheirs, wakeBeside } from './turns.ts'

const turnPatienceMs = 60_000

export const ledApiBack = (part: LedApiPart): Way => ({
  steps: async swap => stepsBack(swap, part),
  needs: swap => needsBack(swap, part),
})

function stepsBack(swap: Swap, part: LedApiPart): readonly Step[] {
  const { capability, replaced } = swap.upstream
  return [
    {
      id: 'check',
      title: `look at what ${replaced.swap.does} now`,
      command: `kubectl get apiservice ${part.apiService}`,
      proof: 'ours is here, nothing brings it back, and you may write what the steps write',
      undo: '-',
      prove: now => checkedBack(now, part),
    },
    restoreStep(swap),
    {
      id: 'wake',
      title: `wake upstream beside ours: its leader waits for Lease ${part.lease}, and its admission is asked again`,
      command: 'kubectl -n <namespace> scale deployment <upstream> --replicas=<as before>',
      proof: 'its pods are ready',
      undo: 'scale it to none again',
      patienceMs: wakePatienceMs,
      run: now => wake(now, part),
      prove: now => awake(now, part),
    },
    {
      id: 'switch',
      title: `put ours to sleep, and lead callers back: ${part.apiService} as it was`,
      command: `capabilities.${capability}.enabled: false in ConfigMap ballast-config; kubectl edit apiservice ${part.apiService}   # as ConfigMap ballast-migration-${replaced.id} has kept it`,
      proof: 'upstream holds the Lease, and whoever was answered is answered again',
      undo: `ballast migrate apply ${replaced.id} (by itself where the proof fails)`,
      patienceMs: turnPatienceMs,
      run: now => turn(now, part),
      prove: now => isTurnedToTheirs(now, part),
      revert: now => turnAgain(now, part),
      reverts: ['wake', 'switch'],
    },
    {
      id: 'end',
      title: 'forget what was kept: all of it is back',
      command: '-',
      proof: 'the record is empty',
      undo: '-',
      run: now => now.record.write({ saved: savedWith(now.record.saved, { removed: [], led: [], answered: [] }) }),
      prove: async ({ record: { saved } }) =>
        (saved?.removed.length ?? 0) + (saved?.led.length ?? 0) === 0 ? yes('nothing is kept any more') : no('something is kept'),
    },
  ]
}

async function checkedBack(swap: Swap, part: LedApiPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const ours = theOurs(situation)
  const owner = putBackByOwner(swap, ours)
  if (owner !== undefined) return no(owner)
  const [theirs] = situation.theirs
  // Only one that elects its leader by this Lease can stand by.
  const cannot = theirs === undefined ? [] : part.standsAlone(theirs.workload)
  if (cannot.length > 0) return no(cannot.join('; '))
  const place = theirs?.namespace ?? swap.record.saved?.removed.find(isLoop)?.metadata.namespace
  const alone = place === undefined || !ours.isEnabled ? undefined : unguarded(swap.upstream, part, ours, place)
  if (alone !== undefined) return no(alone)
  const missing = await missingOf(swap, await needsBack(swap, part))
  if (missing !== undefined) return no(missing)
  const led = ledTo(await readRegistration(swap, part.apiService))
  const lost = led === ownService(part, ours) ? await lossesBack(swap, part) : []
  return yes([`callers are led to ${led ?? 'nobody'}`, ...lost].join('; '))
}

/** Where callers are led to upstream already, or again, nothing is to keep anybody from going back whole. @throws StepFailed */
async function lossesBack(swap: Swap, part: LedApiPart): Promise<readonly string[]> {
  const { refused, lost } = await part.lostBack(swap)
  if (refused.length > 0) throw new StepFailed(`${[...refused, ...lost].join('; ')}. Nothing was written`)
  if (lost.length > 0 && !swap.allowLossy)
    throw new StepFailed(`${lost.join('; ')}; --allow-lossy goes on without them. Nothing was written`)
  return lost
}

async function wake(swap: Swap, part: LedApiPart): Promise<void> {
  // As long as ours is to be relied on.
  const { theirs } = await nowOf(swap)
  if (theirs.replicas === 0) await keepAnswered(swap, part)
  await wakeCompanions(swap, theirs)
  await wakeBeside(swap, part)
}

async function awake(swap: Swap, part: LedApiPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const theirs = theTheirs(swap, situation)
  const leader = (await canStandBy(swap, part)) ? isReady(theirs) : yes(`${shown(theirs)} waits until ours sleeps`)
  const ready = all(companionsReady(situation, theirs), leader)
  return ready.ok ? all(ready, await judgedAgain(swap)) : ready
}

async function turn(swap: Swap, part: LedApiPart): Promise<void> {
  const { ours } = await readSituation(swap)
  if (ours?.loop !== undefined) await keepBefore(swap, [ours.loop], !ours.isEnabled)
  await turnToTheirs(swap, part)
}

/** Upstream's leader to sleep, ours on again and callers led to it. */
async function turnAgain(swap: Swap, part: LedApiPart): Promise<void> {
  await install(swap, part, await nowOf(swap))
  await putToSleep(swap, situation => theTheirs(swap, situation))
  await leadToUs(swap, await ownRegistration(swap, part))
}

const isLoop = ({ kind }: KubeObject): boolean => sleeping[kind] !== undefined

async function needsBack(swap: Swap, part: LedApiPart): Promise<readonly Access[]> {
  const situation = await readSituation(swap)
  const { theirs, ours } = situation
  const [namespace = ''] = ownService(part, ours).split('/')
  const removed = swap.record.saved?.removed ?? []
  return [
    ...['get', 'create', 'update'].map(verb => of(apiServices, undefined, verb)),
    ...['list', 'create'].map(verb => of(builtIn.validatingwebhookconfigurations, undefined, verb)),
    of(builtIn.configmaps, namespace, 'update'),
    of(builtIn.secrets, namespace, 'get'),
    ...ofLease(theirs[0]?.namespace ?? removed.find(isLoop)?.metadata.namespace ?? namespace),
    ...(ours?.loop !== undefined && ours.isOfSwap ? [of(resourceOf(ours.loop.workload), namespace, 'patch')] : []),
    ...removed.flatMap(object => ofObject(object, ...(isLoop(object) ? ['create', 'patch'] : ['create']))),
    ...theirs.flatMap(one => [one, ...companionsOf(situation, one)]).map(ofLoop),
  ]
}
