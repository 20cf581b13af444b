// A swap of workers that publish and of who decides by it, forth and back. Upstream decides no more first, so that objects of both sides may be there at
// once; the old ones go when each node has its new one; only then the other side decides. What was decided before stays all the while.

import { listAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { PublishingPart } from '#upstreams/upstream.ts'
import { missingOf, of, ofObject, ofRemoval } from '../access.ts'
import { refusedSettings } from '../apis/own-api.ts'
import {
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
} from '../both.ts'
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
} from '../loops.ts'
import { ownSection, sectionOf } from '../own-section.ts'
import { ownerIsLive, quietly } from '../owner-words.ts'
import type { Loop, Situation } from '../place.ts'
import { savedWith } from '../record.ts'
import { readSituation, wholeOf } from '../situation.ts'
import { type Access, all, eventually, type Step, StepFailed, type Swap, type Way } from '../step.ts'
import { sleeping } from '../writes.ts'
import { agentNamespaceOf, hasRights, install, installed, publishesNoMore, takeRole, wantedObjects } from './own-agents.ts'
import {
  helpersOf,
  isAsleep,
  publishedIn,
  retire,
  retired,
  sleepWorkers,
  sleepWorkersCommand,
  succeeded,
  wakeWorkers,
  workersOf,
  workersSleep,
} from './published.ts'

/** Images that are pulled, pods on all nodes that start, a kubelet that brings a changed ConfigMap. */
const startPatienceMs = 600_000
/** All nodes are looked at once more. */
const decidePatienceMs = 300_000

export const publishingForth = (part: PublishingPart): Way => ({
  steps: swap => stepsForth(swap, part),
  needs: swap => needsForth(swap, part),
})

export const publishingBack = (part: PublishingPart): Way => ({
  steps: swap => stepsBack(swap, part),
  needs: swap => needsBack(swap, part),
})

async function stepsForth(swap: Swap, part: PublishingPart): Promise<readonly Step[]> {
  const { name, replaced, capability } = swap.upstream
  const { id } = replaced
  const situation = await readSituation(swap)
  const theirs = shownTheirs(swap, situation, swap.record.saved)
  const isThere = situation.theirs.length > 0
  const workers = isThere ? workersOf(swap, situation) : []
  const deciders = [theirs, ...(isThere ? helpersOf(swap, situation) : [])]
  const shownWorkers = workers.length === 0 ? "upstream's workers" : workers.map(shown).join(', ')
  const back = `ballast migrate apply ${id} --back`
  const putBack = (now: Swap) => turnBack(now, part)
  const section = (isOn: boolean) => `capabilities.${capability}.enabled: ${isOn} in ConfigMap ballast-config`
  return [
    {
      id: 'check',
      title: `look at ${shown(theirs)}, its workers, and who owns them`,
      command: 'ballast doctor',
      proof: `one ${name}, nothing brings it back, and you may write what the steps write`,
      undo: '-',
      prove: now => checked(now, part),
    },
    {
      id: 'convert',
      title: 'convert what its programs are told',
      command: convertCommand(swap, [theirs, ...workers]),
      proof: 'everything has its place (exit 0), and Ballast takes it',
      undo: '-',
      prove: now => converted(now, part),
    },
    {
      id: 'hold',
      title: `put ${deciders.map(shown).join(', ')} to sleep: what nodes have stays, nodes that join wait`,
      command: deciders.map(sleepCommand).join('; '),
      proof: 'none of their pods is left',
      undo: deciders.map(one => wakeCommand(one, Math.max(1, one.replicas))).join('; '),
      patienceMs: startPatienceMs,
      run: now => hold(now),
      prove: async now => held(now, await readSituation(now)),
      revert: putBack,
      reverts: ['hold'],
    },
    {
      id: 'install',
      title: `${situation.ours === undefined ? 'install Ballast' : 'Ballast is installed: give it the settings and the pods on nodes'}: ours publish beside ${shownWorkers}, and nobody decides`,
      command: `ballast manifests -f values.yaml | kubectl apply --server-side -f -   # with ${section(false)}`,
      proof: 'ours is on every node, and describes each that upstream describes',
      undo: back,
      patienceMs: startPatienceMs,
      run: now => publishBeside(now, part),
      prove: now => described(now, part),
      revert: putBack,
      reverts: ['hold', 'install'],
    },
    {
      id: 'compare',
      title: 'work out what ours would make of each node, by what ours published',
      command: 'ballast features',
      proof: 'no node loses anything, and nothing gets another value',
      undo: '-',
      // Nothing is written: it takes time.
      run: async () => undefined,
      prove: now => compared(now, part),
      revert: putBack,
      reverts: ['hold', 'install', 'compare'],
    },
    {
      id: 'retire',
      title: `put ${shownWorkers} to sleep, then delete what they published`,
      command: `${workers.map(one => sleepWorkersCommand(one, true)).join('; ')}; kubectl -n ${theirs.namespace} delete ${part.published.resource}.${part.published.group} <of its workers>`,
      proof: 'nothing of upstream runs, and each node is described by ours alone',
      undo: `${workers.map(one => sleepWorkersCommand(one, false)).join('; ')}: they publish again`,
      patienceMs: startPatienceMs,
      run: now => retireTheirs(now, part),
      prove: now => retiredTheirs(now, part),
      revert: putBack,
      reverts: ['hold', 'install', 'compare', 'retire'],
    },
    {
      id: 'switch',
      title: 'have ours decide',
      command: section(true),
      proof: `ours ${replaced.swap.does}, and every node has what it is to have`,
      undo: `${back} (by itself where the proof fails)`,
      patienceMs: decidePatienceMs,
      run: async now => ownSection.wake(now, theTheirs(now, await readSituation(now))),
      prove: now => decides(now, part),
      revert: putBack,
      reverts: ['hold', 'install', 'compare', 'retire', 'switch'],
    },
    {
      id: 'remove',
      title: `orphan and delete upstream's objects; its kinds and what its users wrote stay`,
      command: quietly(theirs),
      proof: 'no workload of upstream is left',
      undo: `${back} (the objects are kept in ConfigMap ballast-migration-${id})`,
      ...forgetting(theirs),
      patienceMs: startPatienceMs,
      run: now => remove(now, part),
      prove: async now => removedProof(await readSituation(now)),
    },
    doctorStep(swap, now => ended(now)),
  ]
}

/** Its workloads, with the files that they read, as values of ours. */
function convertCommand({ upstream }: Swap, loops: readonly Pick<Loop, 'workload' | 'namespace' | 'name'>[]): string {
  const got = loops.flatMap(({ workload, namespace, name }) => {
    const maps = listAt(templateOf(workload), 'spec', 'volumes').flatMap(volume => textAt(volume, 'configMap', 'name') ?? [])
    return [[workload.kind.toLowerCase(), name], ...maps.map(map => ['configmap', map])].map(
      ([kind, of]) => `kubectl -n ${namespace} get ${kind} ${of} -o yaml`,
    )
  })
  return `(${got.join('; echo ---; ')}) | ballast migrate values --from ${upstream.replaced.id} -o values.yaml -`
}

async function stepsBack(swap: Swap, part: PublishingPart): Promise<readonly Step[]> {
  const { replaced, capability } = swap.upstream
  return [
    {
      id: 'check',
      title: `look at what ${replaced.swap.does} now`,
      command: 'ballast doctor',
      proof: 'ours is here, nothing brings it back, and you may write what the steps write',
      undo: '-',
      prove: now => checkedBack(now, part),
    },
    restoreStep(swap),
    {
      id: 'hold',
      title: 'have ours decide no more: what nodes have stays',
      command: `capabilities.${capability}.enabled: false in ConfigMap ballast-config`,
      proof: `nothing of ours ${replaced.swap.does}`,
      undo: `ballast migrate apply ${replaced.id}`,
      patienceMs: startPatienceMs,
      run: now => ownSection.sleep(now),
      prove: async now => ownSection.isAsleep(now, await readSituation(now)),
    },
    {
      id: 'publish',
      title: "wake upstream's workers: they publish beside ours, and nobody decides",
      command: 'kubectl -n <namespace> patch daemonset <its workers>   # without the node selector ballast.dev/asleep',
      proof: 'upstream describes each node that ours describes',
      undo: `ballast migrate apply ${replaced.id}`,
      patienceMs: startPatienceMs,
      run: wakeWorkers,
      prove: now => describedAgain(now, part),
    },
    {
      id: 'retire',
      title: `take the role ${part.role} from our pods on nodes, then delete what they published`,
      command: `ballast manifests --disable ${capability} | kubectl apply --server-side -f -   # and the DaemonSet, where it has no other role`,
      proof: 'nothing of ours publishes, and each node is described by upstream alone',
      undo: `ballast migrate apply ${replaced.id}`,
      patienceMs: startPatienceMs,
      run: now => retireOurs(now, part),
      prove: now => retiredOurs(now, part),
    },
    {
      id: 'switch',
      title: 'wake who decides of upstream',
      command: 'kubectl -n <namespace> scale deployment <its others> --replicas=<as before>',
      proof: 'it runs, and nothing of ours does',
      undo: `ballast migrate apply ${replaced.id}`,
      patienceMs: startPatienceMs,
      run: async now => {
        await wakeDeciders(now)
        // All of it is back: a later swap keeps what is there then.
        await now.record.write({ saved: savedWith(now.record.saved, { removed: [] }) })
      },
      prove: async now => {
        const situation = await readSituation(now)
        const works = [theTheirs(now, situation), ...helpersOf(now, situation)].map(one => loopWorks(one, situation.leases))
        return all(...works, await retiredOurs(now, part))
      },
    },
  ]
}

const ownIsAsleep = (swap: Swap, situation: Situation): Proof =>
  situation.ours === undefined ? yes('ours is not there') : ownSection.isAsleep(swap, situation)

/** As it was before the swap, in the order in which no node is described by nobody, and nobody decides by what is there twice. */
async function turnBack(swap: Swap, part: PublishingPart): Promise<void> {
  const situation = await readSituation(swap)
  if (situation.ours?.isEnabled === true || situation.ours?.isWorking === true) await ownSection.sleep(swap)
  await wakeWorkers(swap)
  const again = await eventually(swap, startPatienceMs, () => describedAgain(swap, part))
  if (!again.ok) throw new StepFailed(again.said)
  await retireOurs(swap, part)
  await wakeDeciders(swap)
}

async function wakeDeciders(swap: Swap): Promise<void> {
  const situation = await readSituation(swap)
  for (const loop of [theTheirs(swap, situation), ...helpersOf(swap, situation)])
    await scaleLoop(swap, loop, replicasBefore(swap, loop))
}

async function checked(swap: Swap, part: PublishingPart): Promise<Proof> {
  const now = await nowOf(swap)
  const { situation, theirs } = now
  const obstacle =
    liveOwner(theirs, situation.ours, 'the section of the capability with enabled: false, then go on here') ??
    (await missingOf(swap, await needsForth(swap, part)))
  if (obstacle !== undefined) return no(obstacle)
  const workers = workersOf(swap, situation)
  const described = (await publishedIn(swap, part, theirs.namespace)).size
  return yes(
    `${shown(theirs)} is ${theirs.replicas > 0 ? 'awake' : 'asleep'}; ${workers.length === 0 ? 'it has no workers' : `${workers.map(shown).join(', ')} describes ${described} nodes`}; ${placeOfOurs(situation.ours)}`,
  )
}

async function converted(swap: Swap, part: PublishingPart): Promise<Proof> {
  const now = await nowOf(swap)
  const proof = lossProof(now.whole.converted, swap)
  if (!proof.ok) return proof
  const refused = refusedSettings(swap, now.whole.converted)
  if (refused !== undefined) return no(`ours refuses what upstream is told: ${refused}`)
  // What our chart would refuse is refused here, before anything is written.
  wantedObjects(swap, part, now)
  const hint = swap.upstream.replaced.swap.hint?.(now.whole.converted.values)
  return hint === undefined ? proof : yes(`${proof.said}; ${hint}`)
}

async function hold(swap: Swap): Promise<void> {
  const situation = await readSituation(swap)
  const theirs = theTheirs(swap, situation)
  const live = ownerIsLive(theirs)
  if (live !== undefined) throw new StepFailed(live)
  const loops = [theirs, ...helpersOf(swap, situation)]
  await keepBefore(swap, loops, theirs.replicas === 0)
  for (const { namespace, name } of loops)
    await putToSleep(swap, now => {
      const found = [theTheirs(swap, now), ...helpersOf(swap, now)].find(one => one.namespace === namespace && one.name === name)
      if (found === undefined) throw new StepFailed(`Deployment ${namespace}/${name} is gone: somebody deleted it meanwhile`)
      return found
    })
}

const held = (swap: Swap, situation: Situation): Proof =>
  all(...[theTheirs(swap, situation), ...helpersOf(swap, situation)].map(loopSleeps))

async function publishBeside(swap: Swap, part: PublishingPart): Promise<void> {
  const now = await nowOf(swap)
  // Upstream would decide by what is there twice.
  const isHeld = held(swap, now.situation)
  if (!isHeld.ok) throw new StepFailed(`${isHeld.said}: hold first`)
  await install(swap, part, now, false)
}

async function described(swap: Swap, part: PublishingPart): Promise<Proof> {
  const now = await nowOf(swap)
  const isHeld = held(swap, now.situation)
  if (!isHeld.ok) return isHeld
  const isInstalled = installed(swap, part, now, false)
  if (!isInstalled.ok) return isInstalled
  const sides = { from: now.theirs.namespace, to: agentNamespaceOf(now.situation) }
  const isDescribed = await succeeded(swap, part, sides)
  return isDescribed.ok ? all(isInstalled, isDescribed, await hasRights(swap, part, now)) : isDescribed
}

async function describedAgain(swap: Swap, part: PublishingPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const theirs = theTheirs(swap, situation)
  const asleep = workersOf(swap, situation).find(isAsleep)
  if (asleep !== undefined) return no(`${shown(asleep)} sleeps`)
  return succeeded(swap, part, { from: agentNamespaceOf(situation), to: theirs.namespace })
}

/** What ours would do to nodes, by what is published without upstream's workers. */
async function comparedNow(swap: Swap, part: PublishingPart) {
  const { situation, theirs, whole } = await nowOf(swap)
  const section = situation.ours?.config ?? sectionOf(swap, whole.converted)
  return part.compare(swap, {
    section,
    ownNamespace: agentNamespaceOf(situation),
    isLeftOut: object => part.describes(object, theirs.namespace) !== undefined,
  })
}

async function compared(swap: Swap, part: PublishingPart): Promise<Proof> {
  const { taken, added } = await comparedNow(swap, part)
  const more = added === 0 ? '' : `; ${added} more come`
  if (taken.length === 0) return yes(`no node loses anything${more}`)
  const told = `${taken.slice(0, 5).join('; ')}${taken.length > 5 ? ` and ${taken.length - 5} more` : ''}`
  return swap.allowLossy ? yes(`${told}${more}`) : no(`${told}; --allow-lossy goes on`)
}

async function retireTheirs(swap: Swap, part: PublishingPart): Promise<void> {
  const situation = await readSituation(swap)
  const sides = { from: theTheirs(swap, situation).namespace, to: agentNamespaceOf(situation) }
  const isHeld = all(held(swap, situation), ownIsAsleep(swap, situation), await succeeded(swap, part, sides))
  if (!isHeld.ok) throw new StepFailed(isHeld.said)
  await sleepWorkers(swap)
  await retire(swap, part, sides)
}

async function retiredTheirs(swap: Swap, part: PublishingPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const sleeps = await workersSleep(swap, workersOf(swap, situation))
  return all(sleeps, await retired(swap, part, theTheirs(swap, situation).namespace))
}

async function retireOurs(swap: Swap, part: PublishingPart): Promise<void> {
  const situation = await readSituation(swap)
  const asleep = ownIsAsleep(swap, situation)
  const again = await describedAgain(swap, part)
  if (!asleep.ok || !again.ok) throw new StepFailed(asleep.ok ? again.said : asleep.said)
  const sides = { from: agentNamespaceOf(situation), to: theTheirs(swap, situation).namespace }
  await takeRole(swap, part)
  await retire(swap, part, sides)
}

async function retiredOurs(swap: Swap, part: PublishingPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const ended = await publishesNoMore(swap, part, situation)
  return ended.ok ? retired(swap, part, agentNamespaceOf(situation)) : ended
}

async function decides(swap: Swap, part: PublishingPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const awake = ownSection.isAwake(swap, situation, theTheirs(swap, situation))
  if (!awake.ok) return awake
  const { taken, added } = await comparedNow(swap, part)
  const open = taken.length + added
  return open === 0 ? yes(`${awake.said}; every node has what it is to have`) : no(`${open} things are not written to nodes yet`)
}

async function remove(swap: Swap, part: PublishingPart): Promise<void> {
  const asleep = async () => {
    const situation = await readSituation(swap)
    return all(held(swap, situation), await retiredTheirs(swap, part)).ok
  }
  await removeTheirs(swap, asleep, part.uninstallHarm)
}

async function ended(swap: Swap): Promise<Proof> {
  const situation = await readSituation(swap)
  if (situation.theirs.some(({ replicas }) => replicas > 0)) return no('upstream is awake, too')
  if (ownSection.isAsleep(swap, situation).ok) return no(`nothing of ours ${swap.upstream.replaced.swap.does}`)
  return settled(swap, `ours ${swap.upstream.replaced.swap.does}, upstream is gone`)
}

async function checkedBack(swap: Swap, part: PublishingPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const owner = reconcilerOf(theOurs(situation))
  if (owner !== undefined)
    return no(`ours is reconciled by ${owner.by} ${owner.name}: commit ${ownSection.committed.off} there, then wake upstream`)
  const missing = await missingOf(swap, await needsBack(swap, part))
  return missing === undefined ? yes(ownSection.isAsleep(swap, situation).said) : no(missing)
}

const ofSets = (loops: readonly Loop[]): readonly Access[] =>
  loops.map(({ namespace }) => of(builtIn.daemonsets, namespace, 'patch'))

function ofBoth(situation: Situation, part: PublishingPart, theirNamespace: string): readonly Access[] {
  const own = agentNamespaceOf(situation)
  return [
    ...['list', 'delete'].flatMap(verb => [theirNamespace, own].map(namespace => of(part.published, namespace, verb))),
    ...['update', 'delete'].map(verb => of(builtIn.daemonsets, own, verb)),
    of(builtIn.configmaps, own, 'update'),
  ]
}

async function needsForth(swap: Swap, part: PublishingPart): Promise<readonly Access[]> {
  const situation = await readSituation(swap)
  const [theirs] = situation.theirs
  const switching = ownSection.needsToSwitch(swap, situation.ours)
  if (theirs === undefined) return switching
  const whole = await wholeOf(swap, theirs)
  return [
    ...switching,
    ...wantedObjects(swap, part, { situation, theirs, whole }).flatMap(object => ofObject(object, 'create', 'patch')),
    ...[theirs, ...helpersOf(swap, situation)].map(ofLoop),
    ...ofSets(workersOf(swap, situation)),
    ...ofBoth(situation, part, theirs.namespace),
    ...ofRemoval(swap, theirs, whole),
  ]
}

async function needsBack(swap: Swap, part: PublishingPart): Promise<readonly Access[]> {
  const situation = await readSituation(swap)
  const { theirs, ours } = situation
  const removed = swap.record.saved?.removed ?? []
  const namespace = theirs[0]?.namespace ?? removed.at(-1)?.metadata.namespace ?? ''
  return [
    ...(ours === undefined ? [] : ownSection.needsToSwitch(swap, ours)),
    ...removed.flatMap(object =>
      ofObject(
        object,
        ...(sleeping[object.kind] !== undefined || object.kind === 'DaemonSet' ? ['create', 'patch'] : ['create']),
      ),
    ),
    ...theirs.map(ofLoop),
    ...ofBoth(situation, part, namespace),
  ]
}
