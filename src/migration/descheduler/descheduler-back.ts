// Ballast back to the descheduler: the same swap with roles changed. Ballast stays installed, its descheduler asleep.

import { no, type Proof, StepFailed, type SwapCore, yes } from '../step.ts'
import { restoreAll } from '../writes.ts'
import { missingForDescheduler } from './descheduler-access.ts'
import { switchOver } from './descheduler-acts.ts'
import { type DeschedulerSituation, readDeschedulerSituation } from './descheduler-situation.ts'
import {
  type DeschedulerStep,
  keepReplicas,
  onlyOne,
  ownReplicas,
  putToSleep,
  savedWith,
  scaleLoop,
  shown,
  startPatienceMs,
  theOurs,
  theOwnLoop,
  theUpstream,
} from './descheduler-swap.ts'

export function deschedulerStepsBack(): readonly DeschedulerStep[] {
  return [
    {
      id: 'check',
      title: 'look at what evicts now',
      command: 'ballast doctor',
      proof: "Ballast's descheduler is here, nothing brings it back, and you may write what the steps write",
      undo: '-',
      prove: check,
    },
    {
      id: 'restore',
      title: "bring upstream's objects back, asleep",
      command: 'helm install descheduler descheduler/descheduler --set suspend=true   # a Deployment: scale it to 0 at once',
      proof: 'its workload is there',
      undo: 'delete them again',
      run: async swap => restoreAll(swap, swap.record.saved?.removed ?? []),
      prove: async swap => restored(await readDeschedulerSituation(swap), swap),
    },
    {
      id: 'switch',
      title: 'put ours to sleep, wait until its pods have ended, wake upstream',
      command: 'kubectl -n <namespace> scale deployment <upstream> --replicas=<as before>   # after ours: --replicas=0',
      proof: 'nothing of ours runs, upstream does',
      undo: 'ballast migrate apply descheduler',
      patienceMs: startPatienceMs,
      run: switchBack,
      prove: async swap => switchedBack(await readDeschedulerSituation(swap)),
      revert: switchAgain,
      reverts: ['switch'],
    },
  ]
}

async function check(swap: SwapCore): Promise<Proof> {
  const situation = await readDeschedulerSituation(swap)
  const ours = theOurs(situation)
  if (ours.owner !== undefined)
    return no(
      `ours is reconciled by ${ours.owner.by} ${ours.owner.name}: commit descheduler.enabled: false there, then wake upstream`,
    )
  const loop = theOwnLoop(situation)
  const missing = await missingForDescheduler(swap, 'back')
  return missing === undefined ? yes(`${shown(loop)} is ${loop.replicas > 0 ? 'awake' : 'asleep'}`) : no(missing)
}

function restored({ upstreams }: DeschedulerSituation, { record }: SwapCore): Proof {
  const [one] = upstreams
  if (one !== undefined) return yes(`${shown(one)} is there`)
  const kept = record.saved?.removed.length ?? 0
  return no(
    kept === 0
      ? 'upstream is not installed and nothing of it was kept: install its chart asleep, then go on'
      : `${kept} objects were kept and are not there yet`,
  )
}

async function switchBack(swap: SwapCore): Promise<void> {
  const situation = await readDeschedulerSituation(swap)
  await keepReplicas(swap, theUpstream(situation))
  const own = theOwnLoop(situation)
  if (own.replicas > 0) await keepReplicas(swap, own)
  await switchOver(swap)
  // All of it is back: a later swap keeps what is there then.
  await swap.record.write({ saved: savedWith(swap.record.saved, { removed: [] }) })
}

function switchedBack(situation: DeschedulerSituation): Proof {
  return onlyOne(theUpstream(situation), theOwnLoop(situation), situation.leases)
}

/** Theirs to sleep first, then ours awake: never both. */
async function switchAgain(swap: SwapCore): Promise<void> {
  await putToSleep(swap, theUpstream)
  const situation = await readDeschedulerSituation(swap)
  const upstream = theUpstream(situation)
  if (situation.ours?.loop === undefined) throw new StepFailed('ours is gone meanwhile')
  await scaleLoop(swap, theOwnLoop(situation), ownReplicas(swap, situation.ours, upstream))
}
