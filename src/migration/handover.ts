// A swap in which one sleeps before the other wakes, forth and back. At no moment are both awake: between them is a gap in which nobody acts.
import type { KubeObject } from '#kube/objects/objects.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { ProcessPart, SectionPart } from '#upstreams/upstream.ts'
import { missingOf, ofObject, ofRemoval } from './access.ts'
import {
  convertCommand,
  doctorStep,
  forgetting,
  liveOwner,
  lossProof,
  nowOf,
  placeOfOurs,
  reconcilerOf,
  removedProof,
  removeTheirs,
  restoreStep,
  settled,
  shown,
  shownTheirs,
  theOurs,
  theTheirs,
} from './both.ts'
import {
  keepBefore,
  loopSleeps,
  loopWorks,
  ofLoop,
  putToSleep,
  replicasBefore,
  scaleLoop,
  sleepCommand,
  wakeCommand,
} from './loops.ts'
import { ownProcess } from './own-process.ts'
import { ownSection } from './own-section.ts'
import type { OwnSide } from './own-side.ts'
import { ownerIsLive, quietly } from './owner-words.ts'
import { savedWith } from './record.ts'
import { readSituation, wholeOf } from './situation.ts'
import { type Access, all, type Step, StepFailed, type Swap, type Way } from './step.ts'
import { noRollout } from './templates.ts'
import { sleeping } from './writes.ts'

/** Pods that start, a kubelet that brings a changed ConfigMap, and a Lease of 137 s that its holder did not give back. */
const startPatienceMs = 300_000

const sideOf = (part: SectionPart | ProcessPart): OwnSide => (part.kind === 'section' ? ownSection : ownProcess(part))

export const handoverForth = (part: SectionPart | ProcessPart): Way => {
  const side = sideOf(part)
  return { steps: swap => stepsForth(swap, side), needs: swap => needsForth(swap, side) }
}

export const handoverBack = (part: SectionPart | ProcessPart): Way => {
  const side = sideOf(part)
  return { steps: async swap => stepsBack(swap, side), needs: swap => needsBack(swap, side) }
}

async function stepsForth(swap: Swap, side: OwnSide): Promise<readonly Step[]> {
  const { name, leases, replaced } = swap.upstream
  const { id } = replaced
  const situation = await readSituation(swap)
  const theirs = shownTheirs(swap, situation, swap.record.saved)
  const { ours } = situation
  const { words } = side
  const awake = Math.max(1, theirs.replicas)
  const switchOver = (now: Swap) => back(now, side)
  return [
    {
      id: 'check',
      title: `look at ${shown(theirs)} and who owns it`,
      command: 'ballast doctor',
      proof: `one ${name}, nothing brings it back, Ballast may be configured here, and you may write what the steps write`,
      undo: '-',
      prove: now => checked(now, side),
    },
    {
      id: 'convert',
      title: 'convert what it is told',
      command: convertCommand(swap, theirs),
      proof: 'everything has its place (exit 0), and Ballast takes it',
      undo: '-',
      prove: now => converted(now, side),
    },
    {
      id: 'install',
      title: words.installTitle(swap, ours),
      command: words.install(swap, theirs, ours),
      proof: 'ours is there with its rights, is told the same, and sleeps',
      undo: words.installUndo(swap, theirs, ours),
      patienceMs: startPatienceMs,
      run: async now => side.install(now, await nowOf(now)),
      prove: async now => side.installed(now, await nowOf(now)),
    },
    {
      id: 'shadow',
      title: 'compare what both would do',
      command: words.shadow(swap, theirs),
      proof: 'the same on both sides',
      undo: '-',
      prove: async now => side.compare(now, await nowOf(now)),
    },
    {
      id: 'switch',
      title: `put ${shown(theirs)} to sleep, wait until its pods have ended, wake ours`,
      command: `${sleepCommand(theirs)}   # wait for its pods, then: ${words.wake(swap, theirs, ours)}`,
      proof: `nothing of upstream runs, ours does${leases.length === 0 ? '' : `, and Lease ${leases.join(', ')} is free for it`}`,
      undo: words.back(swap, theirs, ours, wakeCommand(theirs, awake)),
      patienceMs: startPatienceMs,
      run: now => forth(now, side),
      prove: async now => switchedForth(now, side),
      revert: switchOver,
      reverts: ['switch'],
    },
    ...compared(swap, switchOver),
    {
      id: 'remove',
      title: "orphan and delete upstream's objects",
      command: quietly(theirs),
      proof: 'no object of upstream is left',
      undo: `ballast migrate apply ${id} --back (the objects are kept in ConfigMap ballast-migration-${id})`,
      ...forgetting(theirs),
      patienceMs: startPatienceMs,
      run: now => removeTheirs(now, async one => one.replicas === 0, 'takes anything with it'),
      prove: async now => removedProof(await readSituation(now)),
    },
    doctorStep(swap, now => ended(now, side)),
  ]
}

/** Where what upstream does rolls out workloads: no swap may. */
function compared({ upstream }: Swap, revert: (swap: Swap) => Promise<void>): readonly Step[] {
  if (upstream.replaced.swap.rollsOut === undefined) return []
  return [
    {
      id: 'prove',
      title: 'compare every pod template with what it was before',
      command: 'kubectl get deployments,statefulsets,daemonsets -A',
      proof: 'no roll-out but of workloads whose ConfigMaps or Secrets were written meanwhile',
      undo: 'the switch is put back by itself',
      prove: noRollout,
      revert,
      reverts: ['switch', 'prove'],
    },
  ]
}

function stepsBack(swap: Swap, side: OwnSide): readonly Step[] {
  const { replaced } = swap.upstream
  const switchAgain = async (now: Swap) => {
    await putToSleep(now, situation => theTheirs(now, situation))
    await side.wake(now, theTheirs(now, await readSituation(now)))
  }
  return [
    {
      id: 'check',
      title: `look at what ${replaced.swap.does} now`,
      command: 'ballast doctor',
      proof: 'ours is here, nothing brings it back, and you may write what the steps write',
      undo: '-',
      prove: now => checkedBack(now, side),
    },
    restoreStep(swap),
    {
      id: 'switch',
      title: 'put ours to sleep, wait until it ended, wake upstream',
      command: 'kubectl -n <namespace> scale deployment <upstream> --replicas=<as before>   # once ours sleeps',
      proof: 'nothing of ours runs, upstream does',
      undo: `ballast migrate apply ${replaced.id}`,
      patienceMs: startPatienceMs,
      run: async now => {
        const situation = await readSituation(now)
        const asleep = side.isAsleep(now, situation)
        await keepBefore(now, [theTheirs(now, situation), ...side.awakeLoops(situation)], asleep.ok)
        await back(now, side)
        // All of it is back: a later swap keeps what is there then.
        await now.record.write({ saved: savedWith(now.record.saved, { removed: [] }) })
      },
      prove: async now => {
        const situation = await readSituation(now)
        const own = situation.ours?.loop
        return all(side.isAsleep(now, situation), loopWorks(theTheirs(now, situation), situation.leases, own))
      },
      revert: switchAgain,
      reverts: ['switch'],
    },
    ...compared(swap, switchAgain),
  ]
}

async function checked(swap: Swap, side: OwnSide): Promise<Proof> {
  const now = await nowOf(swap)
  const { situation, theirs } = now
  const obstacle =
    liveOwner(theirs, situation.ours, `upstream asleep first, then ${side.committed.on}`) ??
    (await side.obstacle(swap, now)) ??
    (await missingOf(swap, await needsForth(swap, side)))
  if (obstacle !== undefined) return no(obstacle)
  const state = theirs.replicas > 0 ? 'awake' : 'asleep'
  return yes(`${shown(theirs)} is ${state}; ${placeOfOurs(situation.ours)}`)
}

async function checkedBack(swap: Swap, side: OwnSide): Promise<Proof> {
  const situation = await readSituation(swap)
  const owner = reconcilerOf(theOurs(situation))
  if (owner !== undefined)
    return no(`ours is reconciled by ${owner.by} ${owner.name}: commit ${side.committed.off} there, then wake upstream`)
  const asleep = side.isAsleep(swap, situation)
  const missing = await missingOf(swap, await needsBack(swap, side))
  return missing === undefined ? yes(asleep.said) : no(missing)
}

async function converted(swap: Swap, side: OwnSide): Promise<Proof> {
  const now = await nowOf(swap)
  const { converted: found } = now.whole
  const proof = lossProof(found, swap)
  if (!proof.ok) return proof
  // What our chart would refuse is refused here, before anything is written.
  side.needsToInstall(swap, now)
  const hint = swap.upstream.replaced.swap.hint?.(found.values)
  return hint === undefined ? proof : yes(`${proof.said}; ${hint}`)
}

async function forth(swap: Swap, side: OwnSide): Promise<void> {
  const situation = await readSituation(swap)
  const theirs = theTheirs(swap, situation)
  const live = ownerIsLive(theirs)
  if (live !== undefined) throw new StepFailed(live)
  // It has to be there before upstream sleeps.
  side.isAsleep(swap, situation)
  await keepBefore(swap, [theirs], theirs.replicas === 0)
  await putToSleep(swap, now => theTheirs(swap, now))
  await side.wake(swap, theTheirs(swap, await readSituation(swap)))
}

async function switchedForth(swap: Swap, side: OwnSide): Promise<Proof> {
  const situation = await readSituation(swap)
  const theirs = theTheirs(swap, situation)
  return all(loopSleeps(theirs), side.isAwake(swap, situation, theirs))
}

/** Ours to sleep first, then theirs awake: never both. */
async function back(swap: Swap, side: OwnSide): Promise<void> {
  if ((await readSituation(swap)).ours !== undefined) await side.sleep(swap)
  const theirs = theTheirs(swap, await readSituation(swap))
  await scaleLoop(swap, theirs, replicasBefore(swap, theirs))
}

async function ended(swap: Swap, side: OwnSide): Promise<Proof> {
  const situation = await readSituation(swap)
  if (situation.theirs.some(({ replicas }) => replicas > 0)) return no('upstream is awake, too')
  if (side.isAsleep(swap, situation).ok) return no(`nothing of ours ${swap.upstream.replaced.swap.does}`)
  return settled(swap, `ours ${swap.upstream.replaced.swap.does}, upstream is gone`)
}

async function needsForth(swap: Swap, side: OwnSide): Promise<readonly Access[]> {
  const situation = await readSituation(swap)
  const [theirs] = situation.theirs
  if (theirs === undefined) return side.needsToSwitch(swap, situation.ours)
  const whole = await wholeOf(swap, theirs)
  return [
    ...side.needsToSwitch(swap, situation.ours),
    ...side.needsToInstall(swap, { situation, theirs, whole }),
    ofLoop(theirs),
    ...ofRemoval(swap, theirs, whole),
  ]
}

async function needsBack(swap: Swap, side: OwnSide): Promise<readonly Access[]> {
  const { theirs, ours } = await readSituation(swap)
  const removed = swap.record.saved?.removed ?? []
  const isLoop = ({ kind }: KubeObject) => sleeping[kind] !== undefined
  return [
    ...(ours === undefined ? [] : side.needsToSwitch(swap, ours)),
    ...removed.flatMap(object => ofObject(object, ...(isLoop(object) ? ['create', 'patch'] : ['create']))),
    ...theirs.map(ofLoop),
  ]
}
