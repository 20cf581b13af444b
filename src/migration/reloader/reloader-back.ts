// Ballast back to Reloader: the same swap with roles changed. Ballast stays installed, for what else it does.

import { missingAccess } from '../access.ts'
import { guardLeaseName, readSituation, type Situation } from '../situation.ts'
import { no, type Proof, type Step, StepFailed, type Swap, yes } from '../step.ts'
import { restoreAll, scaleTo, writeSection } from '../writes.ts'
import { allowed, leadPatienceMs, named, noRollout, saveBefore, switchOver, theOurs, theUpstream } from './reloader-steps.ts'

export function stepsBack(): readonly Step[] {
  return [
    {
      id: 'check',
      title: 'look at what reloads now',
      command: 'ballast doctor',
      proof: "Ballast's configuration can be written here, and you may write what the steps write",
      undo: '-',
      prove: async swap => {
        const now = await readSituation(swap)
        return allowed(ownIsFree(now), await missingAccess(swap, now, 'back'))
      },
    },
    {
      id: 'restore',
      title: "bring upstream's objects back, scaled to none",
      command: 'helm install reloader stakater/reloader --set reloader.deployment.replicas=0',
      proof: 'its Deployment is there',
      undo: 'delete them again',
      run: async swap => restoreAll(swap, swap.record.saved?.removed ?? []),
      prove: async swap => restored(await readSituation(swap), swap),
    },
    {
      id: 'switch',
      title: 'switch reload off, wait until it stopped, scale upstream up',
      command:
        'kubectl scale deployment <upstream> --replicas=<as before>   # after capabilities.reload.enabled: false in ConfigMap ballast-config',
      proof: `ours does not reload, upstream has its pods (Lease ${guardLeaseName} is free for it)`,
      undo: 'ballast migrate apply reloader',
      patienceMs: leadPatienceMs,
      run: switchBack,
      prove: async swap => switchedBack(await readSituation(swap)),
      revert: switchAgain,
      reverts: ['switch'],
    },
    {
      id: 'prove',
      title: 'compare every pod template with what it was before',
      command: 'kubectl get deployments,statefulsets,daemonsets -A',
      proof: 'no roll-out but of workloads whose ConfigMaps or Secrets were written meanwhile',
      undo: 'the switch is put back by itself',
      prove: noRollout,
      revert: switchAgain,
      reverts: ['switch', 'prove'],
    },
  ]
}

function ownIsFree(situation: Situation): Proof {
  const ours = theOurs(situation)
  return ours.owner === undefined
    ? yes(`Ballast is in ${ours.namespace}, reload is ${ours.isEnabled ? 'on' : 'off'}`)
    : no(
        `ours is reconciled by ${ours.owner.by} ${ours.owner.name}: commit capabilities.reload.enabled: false there, then scale upstream up`,
      )
}

function restored({ upstreams }: Situation, { record }: Swap): Proof {
  const [one] = upstreams
  if (one !== undefined) return yes(`${named(one)} is there`)
  const kept = record.saved?.removed.length ?? 0
  return no(
    kept === 0
      ? 'upstream is not installed and nothing of it was kept: install its chart with 0 replicas, then go on'
      : `${kept} objects were kept and are not there yet`,
  )
}

async function switchBack(swap: Swap): Promise<void> {
  const situation = await readSituation(swap)
  await saveBefore(swap, situation, !theOurs(situation).isEnabled)
  await switchOver(swap)
}

function switchedBack(situation: Situation): Proof {
  const upstream = theUpstream(situation)
  const ours = theOurs(situation)
  if (ours.isEnabled || ours.isReloading) return no('ours reloads still')
  if (upstream.replicas === 0) return no(`${named(upstream)} is scaled to none`)
  return upstream.running > 0
    ? yes(`${named(upstream)} has ${upstream.running} pods, ours does not reload`)
    : no(`${named(upstream)} has no pods yet`)
}

/** Theirs off first, then ours back: never both. */
async function switchAgain(swap: Swap): Promise<void> {
  const situation = await readSituation(swap)
  const upstream = theUpstream(situation)
  await scaleTo(swap, upstream, 0)
  const ours = theOurs(await readSituation(swap))
  if (ours.config === undefined) throw new StepFailed('our configuration is refused: ballast doctor names it')
  await writeSection(swap, ours, { enabled: true })
}
