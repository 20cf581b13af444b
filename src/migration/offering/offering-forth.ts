// From upstream's plugins to ours, where both offer the same on nodes: ours come beside them and are the newest, the operator sleeps, then upstream's pods
// go. No node is without a plugin for a moment, and no pod that holds a device is touched.

import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { OfferingPart } from '#upstreams/upstream.ts'
import { isTree, type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { missingOf, of, ofObject, ofRemoval } from '../access.ts'
import { refusedSettings, sectionAhead } from '../apis/own-api.ts'
import { doctorStep, forget, forgetting, kept, liveOwner, lossProof, type Now, placeOfOurs, settled, shown } from '../both.ts'
import { ofLoop, sleepCommand, wakeCommand } from '../loops.ts'
import { ownSection, sectionOf } from '../own-section.ts'
import { ownerIsLive, quietly } from '../owner-words.ts'
import type { Ours, Situation, Theirs } from '../place.ts'
import { agentNamespaceOf, hasRights, install, installed, publishes, wantedObjects } from '../publishing/own-agents.ts'
import { isAsleep, sleepWorkersCommand } from '../publishing/published.ts'
import { savedWith } from '../record.ts'
import { readSituation, wholeOf } from '../situation.ts'
import { type Access, all, eventually, type Step, StepFailed, type Swap, type Way } from '../step.ts'
import { upstreamObjects } from '../upstream-objects.ts'
import { deleteAll } from '../writes.ts'
import { agentsOffer, hasAsMuch, keepOffered, kubeletSaysMs, pluginsOffer } from './offered.ts'
import {
  convertCommand,
  holdOperators,
  isOwned,
  needsOfPlugins,
  operatorsHeld,
  operatorsOf,
  pluginsOf,
  pluginsSleep,
  sleepPlugins,
  staysFor,
  wakeTheirs,
} from './plugins.ts'

/** Images that are pulled, pods on all nodes that start. */
const startPatienceMs = 600_000

const podsProxy: GroupVersionResource = { group: '', version: 'v1', resource: 'pods/proxy' }

/** Steps and rights from upstream to ours. */
export const offeringForth = (part: OfferingPart): Way => ({
  steps: swap => stepsForth(swap, part),
  needs: swap => needsForth(swap, part),
})

async function stepsForth(swap: Swap, part: OfferingPart): Promise<readonly Step[]> {
  const { name, capability, replaced } = swap.upstream
  const { id } = replaced
  const situation = await readSituation(swap)
  const [operators, plugins] = [operatorsOf(part, situation), pluginsOf(part, situation)]
  const stays = await staysFor(swap, part, situation)
  const going = goingOf(part, situation, stays)
  const shownPlugins = plugins.length === 0 ? "upstream's plugins" : plugins.map(shown).join(', ')
  const back = `ballast migrate apply ${id} --back`
  const byObject = stays.length > 0 && plugins.some(plugin => isOwned(part, plugin))
  return [
    {
      id: 'check',
      title: `look at ${[...operators, ...plugins].map(shown).join(', ') || name} and who owns it`,
      command: 'ballast doctor',
      proof: 'nothing brings it back, and you may write what the steps write',
      undo: '-',
      prove: now => checked(now, part),
    },
    {
      id: 'convert',
      title: 'convert what its plugins are told',
      command: convertCommand(swap, part, plugins),
      proof: 'everything has its place (exit 0), and Ballast takes it',
      undo: '-',
      prove: now => converted(now, part),
    },
    {
      id: 'install',
      title: `${situation.ours === undefined ? 'install Ballast' : 'Ballast is installed: give it the settings and the pods on nodes'}: ours offer beside ${shownPlugins}, and kubelets take the newest`,
      command: `ballast manifests -f values.yaml | kubectl apply --server-side -f -   # with capabilities.${capability}.enabled: true`,
      proof: 'ours is on every node, says there that it is registered for what the node has, and each node has as much as before',
      undo: back,
      patienceMs: startPatienceMs,
      run: now => offerBeside(now, part),
      prove: now => offers(now, part),
    },
    {
      id: 'hold',
      title:
        stays.length > 0
          ? `leave ${operators.map(shown).join(', ')} awake: it looks after ${stays.join(', ')}`
          : `put ${operators.map(shown).join(', ') || 'its operator'} to sleep: it would bring its plugins back`,
      command: stays.length > 0 || operators.length === 0 ? '-' : operators.map(sleepCommand).join('; '),
      proof: 'none of its pods is left, or it is needed',
      undo: operators.map(one => wakeCommand(one, Math.max(1, one.replicas))).join('; ') || '-',
      patienceMs: startPatienceMs,
      run: now => holdOperators(now, part),
      prove: async now => operatorsHeld(now, part, await readSituation(now)),
      revert: now => turnBack(now, part),
      reverts: ['hold'],
    },
    {
      id: 'switch',
      title: `put ${shownPlugins} to sleep: ours offer alone`,
      command: byObject
        ? `kubectl patch <its object> --type merge -p '{"spec":{"nodeSelector":{"ballast.dev/asleep":"true"}}}'   # the operator does it to the DaemonSet`
        : plugins.map(one => sleepWorkersCommand(one, true)).join('; ') || '-',
      proof: 'no pod of upstream is left, and each node has as much as before',
      undo: `${back} (by itself where the proof fails)`,
      patienceMs: startPatienceMs,
      run: now => switchOver(now, part),
      prove: now => switched(now, part),
      revert: now => turnBack(now, part),
      reverts: ['hold', 'switch'],
    },
    {
      id: 'remove',
      title: `orphan and delete ${going.map(shown).join(', ') || "upstream's workloads"} and what came with it; its objects, kinds and NodeFeatureRules stay`,
      command: going.map(quietly).join('; ') || '-',
      proof: 'nothing of upstream is left but what it is needed for',
      undo: `${back} (the objects are kept in ConfigMap ballast-migration-${id})`,
      ...(going.some(one => one.owner?.by === 'helm') ? forgetting(going.find(one => one.owner?.by === 'helm')) : {}),
      patienceMs: startPatienceMs,
      run: now => remove(now, part),
      prove: now => removed(now, part),
    },
    doctorStep(swap, now => ended(now, part)),
  ]
}

/** What is deleted in the end: a DaemonSet that a live operator looks after stays, asleep. */
function goingOf(part: OfferingPart, situation: Situation, stays: readonly string[]): readonly Theirs[] {
  const plugins = pluginsOf(part, situation)
  return stays.length > 0 ? plugins.filter(loop => !isOwned(part, loop)) : [...operatorsOf(part, situation), ...plugins]
}

/** Both sides, with what all of upstream's plugins are told. */
async function nowOf(swap: Swap, part: OfferingPart): Promise<Now> {
  const situation = await readSituation(swap)
  const [theirs] = [...pluginsOf(part, situation), ...operatorsOf(part, situation)]
  if (theirs === undefined) throw new StepFailed(`no ${swap.upstream.name} is installed here`)
  const whole = await wholeOf(swap, theirs)
  return { situation, theirs, whole: { ...whole, converted: besideOwn(swap, whole.converted, situation.ours) } }
}

/** Where ours offers other devices already it goes on with them. */
function besideOwn({ upstream }: Swap, converted: ConvertedValues, ours: Ours | undefined): ConvertedValues {
  const { capability } = upstream
  const section = valueAt(converted.values, ['capabilities', capability])
  if (ours?.isEnabled !== true || !isTree(section)) return converted
  const said = Object.entries(section).filter(([, value]) => !isDeepStrictEqual(value, { enabled: false }))
  return { ...converted, values: { ...converted.values, capabilities: { [capability]: Object.fromEntries(said) } } }
}

async function checked(swap: Swap, part: OfferingPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const { ours, theirs } = situation
  const plugins = pluginsOf(part, situation)
  if (plugins.length === 0)
    return no(`no DaemonSet of ${swap.upstream.name} is here that ours replaces: there is nothing to take over`)
  const stays = await staysFor(swap, part, situation)
  for (const one of goingOf(part, situation, stays)) {
    const live = liveOwner(one, ours, 'the section of the capability with enabled: true, then go on here')
    if (live !== undefined) return no(live)
  }
  const missing = await missingOf(swap, await needsForth(swap, part))
  if (missing !== undefined) return no(missing)
  const asleep = plugins.filter(isAsleep).map(shown)
  const said = asleep.length === 0 ? 'awake' : `${asleep.join(', ')} asleep`
  const kept = stays.length === 0 ? '' : `; the operator stays, since it looks after ${stays.join(', ')}`
  return yes(`${theirs.map(shown).join(', ')}: ${said}${kept}; ${placeOfOurs(ours)}`)
}

async function converted(swap: Swap, part: OfferingPart): Promise<Proof> {
  const now = await nowOf(swap, part)
  const { converted: told } = now.whole
  const proof = lossProof(told, swap)
  if (!proof.ok) return proof
  const refused = refusedSettings(swap, told)
  if (refused !== undefined) return no(`ours refuses what upstream is told: ${refused}`)
  const { ours } = now.situation
  const other = ours === undefined ? [] : otherwise(sectionOf(swap, told), sectionAhead(swap, ours, told))
  if (other.length > 0) {
    const { capability } = swap.upstream
    return no(
      `our configuration says otherwise than upstream: ${other.map(text => `capabilities.${capability}.${text}`).join('; ')}; nodes would have other devices: say the same first`,
    )
  }
  // What our chart would refuse is refused here, before anything is written.
  wantedObjects(swap, part, now)
  const hint = swap.upstream.replaced.swap.hint?.(told.values)
  return hint === undefined ? proof : yes(`${proof.said}; ${hint}`)
}

/** What somebody said of ours that is not what upstream is told. */
function otherwise(theirs: ValuesTree, ours: ValuesTree, above = ''): readonly string[] {
  return Object.entries(theirs).flatMap(([key, value]) => {
    const path = `${above}${key}`
    const own = ours[key]
    if (isTree(value) && isTree(own)) return otherwise(value, own, `${path}.`)
    if (isDeepStrictEqual(value, own)) return []
    return [`${path} is ${JSON.stringify(own)}, not ${JSON.stringify(value)}`]
  })
}

async function offerBeside(swap: Swap, part: OfferingPart): Promise<void> {
  const now = await nowOf(swap, part)
  // What nodes had before ours came is what they are to have.
  if (!publishes(now.situation.ours?.loop, part) || swap.record.saved === undefined) await keepOffered(swap, part)
  await install(swap, part, now, true)
  const isThere = await eventually(swap, startPatienceMs, async () => installed(swap, part, await nowOf(swap, part), true))
  if (!isThere.ok) throw new StepFailed(`${isThere.said}, after ${startPatienceMs / 60_000} minutes; upstream offers as before`)
  await swap.clock.after(kubeletSaysMs, swap.signal)
}

const heard = new WeakMap<Swap, Set<string>>()

/** What pods of ours have said in this run. */
function heardIn(swap: Swap): Set<string> {
  const found = heard.get(swap) ?? new Set<string>()
  heard.set(swap, found)
  return found
}

async function offers(swap: Swap, part: OfferingPart): Promise<Proof> {
  const now = await nowOf(swap, part)
  if (swap.record.saved === undefined) return no('what nodes have is not kept yet')
  const isThere = installed(swap, part, now, true)
  if (!isThere.ok) return isThere
  const isRegistered = await agentsOffer(swap, part, now.situation, heardIn(swap))
  if (!isRegistered.ok) return isRegistered
  const isAsMuch = await hasAsMuch(swap, part)
  return isAsMuch.ok ? all(isThere, isRegistered, isAsMuch, await hasRights(swap, part, now)) : isAsMuch
}

async function switchOver(swap: Swap, part: OfferingPart): Promise<void> {
  const situation = await readSituation(swap)
  const isReady = all(await operatorsHeld(swap, part, situation), await ownOffers(swap, part, situation))
  if (!isReady.ok) throw new StepFailed(isReady.said)
  await sleepPlugins(swap, part)
  await swap.clock.after(kubeletSaysMs, swap.signal)
}

/** Asked again right before upstream's pods go, whatever was proved before. */
async function ownOffers(swap: Swap, part: OfferingPart, situation: Situation): Promise<Proof> {
  const isRegistered = await agentsOffer(swap, part, situation, new Set())
  return isRegistered.ok ? all(isRegistered, await hasAsMuch(swap, part)) : isRegistered
}

async function switched(swap: Swap, part: OfferingPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const asleep = await pluginsSleep(swap, part, situation)
  if (!asleep.ok) return asleep
  return all(asleep, await operatorsHeld(swap, part, situation), await hasAsMuch(swap, part))
}

/** Upstream offers again, and is the newest; ours stay beside it. @throws StepFailed where it does not come */
async function turnBack(swap: Swap, part: OfferingPart): Promise<void> {
  await wakeTheirs(swap, part)
  const again = await eventually(swap, startPatienceMs, async () =>
    all(await pluginsOffer(swap, pluginsOf(part, await readSituation(swap))), await hasAsMuch(swap, part)),
  )
  if (!again.ok) throw new StepFailed(again.said)
}

async function remove(swap: Swap, part: OfferingPart): Promise<void> {
  const isDone = await switched(swap, part)
  if (!isDone.ok) throw new StepFailed(`${isDone.said}: switch first`)
  const situation = await readSituation(swap)
  const going = goingOf(part, situation, await staysFor(swap, part, situation))
  for (const one of going) {
    const live = ownerIsLive(one, 'remove')
    if (live !== undefined) throw new StepFailed(live)
  }
  for (const one of going) await forget(swap, one, part.uninstallHarm)
  const objects = await objectsOf(swap, going)
  // An operator that comes back makes its DaemonSets anew.
  const owned = new Set(going.filter(loop => isOwned(part, loop)).map(({ workload }) => workload.metadata.uid))
  const toKeep = objects.filter(({ metadata }) => !owned.has(metadata.uid))
  const { record } = swap
  await record.write({ saved: savedWith(record.saved, { removed: kept([...(record.saved?.removed ?? []), ...toKeep]) }) })
  await deleteAll(swap, objects)
}

/** All that came with these workloads, each once and themselves last: while they stand, this step finds everything again. */
async function objectsOf(swap: Swap, going: readonly Theirs[]): Promise<readonly KubeObject[]> {
  const workloads = new Set(going.map(({ workload }) => workload.metadata.uid))
  const found: KubeObject[] = []
  for (const { workload } of going)
    found.push(...(await upstreamObjects(swap, workload)).filter(({ metadata }) => !workloads.has(metadata.uid)))
  const each = new Map(found.map(object => [object.metadata.uid, object]))
  return [...each.values(), ...going.map(({ workload }) => workload)]
}

async function removed(swap: Swap, part: OfferingPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const stays = await staysFor(swap, part, situation)
  const left = goingOf(part, situation, stays)
  if (left.length > 0) return no(`${left.map(shown).join(', ')} is still there`)
  return yes(stays.length === 0 ? 'nothing of upstream is left' : `upstream is left for ${stays.join(', ')}`)
}

async function ended(swap: Swap, part: OfferingPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const awake = pluginsOf(part, situation).filter(loop => !isAsleep(loop))
  if (awake.length > 0) return no(`${awake.map(shown).join(', ')} is awake, too`)
  if (!publishes(situation.ours?.loop, part)) return no(`nothing of ours ${swap.upstream.replaced.swap.does}`)
  const has = await hasAsMuch(swap, part)
  return has.ok ? settled(swap, `ours ${swap.upstream.replaced.swap.does}; ${has.said}`) : has
}

async function needsForth(swap: Swap, part: OfferingPart): Promise<readonly Access[]> {
  const situation = await readSituation(swap)
  const switching = ownSection.needsToSwitch(swap, situation.ours)
  if (pluginsOf(part, situation).length === 0) return switching
  const now = await nowOf(swap, part)
  const stays = await staysFor(swap, part, situation)
  const going = goingOf(part, situation, stays)
  const namespace = agentNamespaceOf(situation)
  const wholes = await Promise.all(going.map(async one => ({ one, objects: await upstreamObjects(swap, one.workload) })))
  return [
    ...switching,
    ...wantedObjects(swap, part, now).flatMap(object => ofObject(object, 'create', 'patch')),
    of(podsProxy, namespace, 'get'),
    ...(stays.length > 0 ? [] : operatorsOf(part, situation).map(ofLoop)),
    ...needsOfPlugins(part, situation, stays.length > 0),
    ...wholes.flatMap(({ one, objects }) => ofRemoval(swap, one, { ...now.whole, objects })),
  ]
}
