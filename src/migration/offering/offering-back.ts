// From ours to upstream's plugins: they come beside ours and are the newest, then ours go.

import { parse } from 'yaml'
import { standardAgentNamespace } from '#coordination/capability.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { OfferingPart } from '#upstreams/upstream.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { missingOf, of, ofObject } from '../access.ts'
import { reconcilerOf, shown, theOurs } from '../both.ts'
import { ofLoop } from '../loops.ts'
import { ownSection } from '../own-section.ts'
import type { Ours, Situation } from '../place.ts'
import { agentNamespaceOf, publishes, publishesNoMore, takeRole, tellAgents } from '../publishing/own-agents.ts'
import { savedWith } from '../record.ts'
import { readSituation } from '../situation.ts'
import { type Access, all, eventually, type Step, StepFailed, type Swap, type Way } from '../step.ts'
import { resourceOf, restoreAll, writeSection } from '../writes.ts'
import { agentsWithhold, hasAsMuch, keepOffered, kubeletSaysMs, pluginsOffer } from './offered.ts'
import { missingOnes, needsOfPlugins, operatorsOf, pluginsOf, renewPlugins, theirsAwake, wakeTheirs } from './plugins.ts'

/** Images that are pulled, pods on all nodes that start. */
const startPatienceMs = 600_000

/** Steps and rights from ours to upstream. */
export const offeringBack = (part: OfferingPart): Way => ({
  steps: swap => stepsBack(swap, part),
  needs: swap => needsBack(swap, part),
})

async function stepsBack(swap: Swap, part: OfferingPart): Promise<readonly Step[]> {
  const { replaced, capability } = swap.upstream
  const forth = `ballast migrate apply ${replaced.id}`
  return [
    {
      id: 'check',
      title: `look at what ${replaced.swap.does} now`,
      command: 'ballast doctor',
      proof: 'ours is here, nothing brings it back, and you may write what the steps write',
      undo: '-',
      prove: now => checked(now, part),
    },
    {
      id: 'restore',
      title: "bring upstream's objects back, asleep",
      command: replaced.swap.reinstall,
      proof: 'all that was kept is there',
      undo: 'delete them again',
      run: now => restoreAll(now, now.record.saved?.removed ?? []),
      prove: restored,
    },
    {
      id: 'offer',
      title: 'wake upstream: its operator, then its plugins, which offer beside ours; kubelets take the newest',
      command:
        'kubectl -n <namespace> scale deployment <its operator> --replicas=<as before>; kubectl -n <namespace> patch daemonset <its plugins>   # without the node selector ballast.dev/asleep',
      proof: 'upstream has a ready pod on each node with devices, and each node has them',
      undo: forth,
      patienceMs: startPatienceMs,
      run: now => offerBeside(now, part),
      prove: now => offers(now, part),
    },
    {
      id: 'switch',
      title: `take the role ${part.role} from our pods on nodes`,
      command: `ballast manifests --disable ${capability} | kubectl apply --server-side -f -   # and the DaemonSet, where it has no other role`,
      proof: `nothing of ours ${replaced.swap.does}, and each node has its devices by upstream`,
      undo: forth,
      patienceMs: startPatienceMs,
      run: now => switchOver(now, part),
      prove: now => switched(now, part),
    },
  ]
}

async function checked(swap: Swap, part: OfferingPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const owner = reconcilerOf(theOurs(situation))
  if (owner !== undefined)
    return no(`ours is reconciled by ${owner.by} ${owner.name}: wake upstream, then commit ${ownSection.committed.off} there`)
  const missing = await missingOf(swap, await needsBack(swap, part))
  if (missing !== undefined) return no(missing)
  const { does } = swap.upstream.replaced.swap
  return yes(publishes(situation.ours?.loop, part) ? `ours ${does}` : `nothing of ours ${does}`)
}

async function restored(swap: Swap): Promise<Proof> {
  const kept = swap.record.saved?.removed ?? []
  const missing = await missingOnes(swap, kept, resourceOf)
  if (missing.length > 0) return no(`not there yet: ${missing.join(', ')}`)
  const { theirs } = await readSituation(swap)
  if (theirs.length > 0) return yes(`${theirs.map(shown).join(', ')} is there`)
  return no('upstream is not installed and nothing of it was kept: install its charts, then go on')
}

async function offerBeside(swap: Swap, part: OfferingPart): Promise<void> {
  const { ours } = await readSituation(swap)
  if (publishes(ours?.loop, part)) await keepOffered(swap, part)
  await wakeTheirs(swap, part)
  const isThere = await eventually(swap, startPatienceMs, () => awake(swap, part))
  if (!isThere.ok) throw new StepFailed(`${isThere.said}, after ${startPatienceMs / 60_000} minutes; ours offers as before`)
  await swap.clock.after(kubeletSaysMs, swap.signal)
}

async function awake(swap: Swap, part: OfferingPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const isAwake = theirsAwake(part, situation)
  return isAwake.ok ? all(isAwake, await pluginsOffer(swap, pluginsOf(part, situation))) : isAwake
}

/** Ours may have shared a card among more: it is enough that each node has some of each. */
async function offers(swap: Swap, part: OfferingPart): Promise<Proof> {
  const isAwake = await awake(swap, part)
  return isAwake.ok ? all(isAwake, await hasAsMuch(swap, part, 1)) : isAwake
}

async function switchOver(swap: Swap, part: OfferingPart): Promise<void> {
  const ready = await offers(swap, part)
  if (!ready.ok) throw new StepFailed(ready.said)
  await takeOver(swap, part)
  await swap.clock.after(kubeletSaysMs, swap.signal)
  await renewPlugins(swap, part)
  const has = await eventually(swap, startPatienceMs, () => offers(swap, part))
  if (!has.ok) throw new StepFailed(has.said)
  // All of it is back: a later swap keeps what is there then.
  await swap.record.write({ saved: savedWith(swap.record.saved, { removed: [] }) })
}

/** Ours offer it no more: the role goes, or what they offer besides stays. */
async function takeOver(swap: Swap, part: OfferingPart): Promise<void> {
  const { ours } = await readSituation(swap)
  const { capability } = swap.upstream
  if (ours === undefined || !offersBesides(part, ours)) {
    await takeRole(swap, part)
    const left = (await readSituation(swap)).ours
    if (left !== undefined) await writeSection(swap, left, capability, { enabled: false })
    return
  }
  const off = Object.fromEntries(
    part.sections.own.map(key => [
      key,
      { ...Object(valueAt(parse(ours.text), ['capabilities', capability, key])), enabled: false },
    ]),
  )
  await writeSection(swap, ours, capability, off)
  if (ours.loop !== undefined) await tellAgents(swap, ours.loop, off)
  const ended = await eventually(swap, startPatienceMs, async () => agentsWithhold(swap, part, await readSituation(swap)))
  if (!ended.ok) throw new StepFailed(ended.said)
}

/** Is what another upstream offers on in our section? Ours took its place too, or was told to offer it. */
const offersBesides = ({ sections }: OfferingPart, { config, isEnabled, loop }: Ours): boolean =>
  isEnabled && loop !== undefined && sections.others.some(key => valueAt(config, [key, 'enabled']) === true)

async function withheld(swap: Swap, part: OfferingPart, situation: Situation, { config }: Ours): Promise<Proof> {
  const on = part.sections.own.filter(key => valueAt(config, [key, 'enabled']) !== false)
  if (on.length > 0) return no(`${on.join(', ')} is on in our configuration`)
  return await agentsWithhold(swap, part, situation)
}

async function switched(swap: Swap, part: OfferingPart): Promise<Proof> {
  const situation = await readSituation(swap)
  const { ours } = situation
  const staysOn = ours !== undefined && offersBesides(part, ours)
  if (ours?.isEnabled === true && !staysOn) return no(`${swap.upstream.capability} is on in our configuration`)
  const ended = staysOn ? await withheld(swap, part, situation, ours) : await publishesNoMore(swap, part, situation)
  if (!ended.ok) return ended
  if ((swap.record.saved?.removed ?? []).length > 0) return no('what nodes have is not looked at yet')
  return all(ended, await offers(swap, part))
}

async function needsBack(swap: Swap, part: OfferingPart): Promise<readonly Access[]> {
  const situation = await readSituation(swap)
  const { ours } = situation
  const removed = swap.record.saved?.removed ?? []
  const own = ours === undefined ? standardAgentNamespace : agentNamespaceOf(situation)
  const places = new Set([...removed, ...situation.theirs.map(({ workload }) => workload)].map(one => one.metadata.namespace))
  return [
    ...(ours === undefined ? [] : ownSection.needsToSwitch(swap, ours)),
    ...removed.flatMap(object =>
      ofObject(object, ...(['Deployment', 'DaemonSet'].includes(object.kind) ? ['create', 'patch'] : ['create'])),
    ),
    ...operatorsOf(part, situation).map(ofLoop),
    ...needsOfPlugins(part, situation, false),
    ...Object.values(part.objects).map(resource => of(resource, undefined, 'patch')),
    ...[...places].filter(place => place !== undefined).map(place => of(builtIn.pods, place, 'delete')),
    ...['update', 'delete'].map(verb => of(builtIn.daemonsets, own, verb)),
  ]
}
