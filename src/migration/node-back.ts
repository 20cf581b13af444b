// Back to an upstream whose ports ours binds, too: the same swap with roles changed. Ballast stays, for what else it does.

import { listAt, numberAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { shownOwner } from '#upstreams/gitops-owner.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { NodePart } from '#upstreams/upstream.ts'
import { missingOf, of, ofObject } from './access.ts'
import { kept, named, reconcilerOf, theOurs, theOwnLoop, theTheirs } from './both.ts'
import * as commands from './node-commands.ts'
import { leadBack, needsOfLeader } from './node-leader.ts'
import { ownMark, pinned } from './node-pin.ts'
import * as sides from './node-sides.ts'
import { markAll, podsOf, switchNodes, unmarkAll } from './node-turns.ts'
import { fieldManager } from './own-made.ts'
import type { Situation, Theirs } from './place.ts'
import { readSituation, wholeOf } from './situation.ts'
import { type Access, type Step, StepFailed, type Swap, type Way } from './step.ts'
import { deleteAll, restoreAll, writeSection } from './writes.ts'

export const nodesBack = (part: NodePart): Way => ({
  async steps(swap) {
    const { theirs, ours } = await readSituation(swap)
    const isLeftOver = theirs.length === 1 && theirs.every(one => sides.isHeldOff(one, part))
    if (ours?.loop === undefined && (isLeftOver || sides.isPast(swap, 'back', 'off'))) return ending(swap, part, theirs[0])
    return [...returning(swap, part, { theirs, ours, companions: [], leases: [] }), ...ending(swap, part, theirs[0])]
  },
  needs: swap => needsBack(swap, part),
})

/** As its chart calls it, where it is gone. */
const asInstalled = ({ upstream }: Swap, { selector }: NodePart) => ({
  namespace: upstream.replaced.id,
  name: upstream.replaced.id,
  selector,
})

/** @throws StepFailed where ours is not there, or there are several of upstream */
function returning(swap: Swap, part: NodePart, situation: Situation): readonly Step[] {
  const { name, replaced } = swap.upstream
  const { id, swap: rows } = replaced
  const { ours } = situation
  if (ours?.loop === undefined)
    throw new StepFailed(`Ballast's ${swap.upstream.capability} is not installed here: nothing to go back from`)
  const theirs = situation.theirs.length === 0 ? undefined : theTheirs(swap, situation)
  const own = sides.ownSide(part, ours)
  const side = sides.theirSide(part, swap, theirs ?? asInstalled(swap, part))
  const pods = `kubectl -n ${side.namespace} get pods -l ${side.selector}`
  const ownPods = `kubectl -n ${own.namespace} get pods -l ${own.selector}`
  const ownNow = async (now: Swap) => sides.ownSide(part, (await readSituation(now)).ours)
  return [
    {
      id: 'check',
      title: `look at what ${rows.does} now`,
      command: 'ballast doctor',
      proof: 'ours is here, nothing brings it back, and you may write what the steps write',
      undo: '-',
      prove: now => checked(now, part),
    },
    {
      id: 'mark',
      title: 'mark every node that ours is on',
      command: commands.mark(own),
      proof: `kubectl get nodes -L ${part.label}: ${ownMark} on each`,
      undo: commands.unmark(part),
      run: async now => markAll(now, await ownNow(now)),
      prove: async now => sides.markedProof(now, await ownNow(now)),
    },
    {
      id: 'pin',
      title: 'have ours leave nodes that are marked otherwise; its pods are not restarted for it',
      command: commands.pinOurs(own, part),
      proof: `${ownPods}: all there, none younger than before`,
      undo: `ballast migrate plan ${id}   # its last steps`,
      async run(now) {
        const template = { spec: commands.heldBack(part, ownMark) }
        const loop = theOwnLoop(now, await readSituation(now))
        await sides.patchSet(now, loop, { spec: { updateStrategy: commands.withoutRestart, template } })
      },
      prove: async now =>
        sides.isHeldBack(theOwnLoop(now, await readSituation(now)), part)
          ? yes('ours leaves nodes that are marked otherwise')
          : no('ours is on every node'),
    },
    {
      id: 'restore',
      title: `have ${name} again, on no marked node${theirs === undefined ? `. Names are those of its chart: change them to yours; of plain manifests apply ${commands.upstreamObjects(swap)} with the same affinity in its DaemonSet` : ''}`,
      command:
        theirs === undefined
          ? `${rows.reinstall} --create-namespace --version <as before> --set-json '${part.affinityKey ?? 'affinity'}=${JSON.stringify(pinned({}, part.label))}'`
          : commands.pinTheirs(theirs, part),
      proof: `${pods}: none on a node that is marked ${ownMark}`,
      undo: theirs === undefined ? `ballast migrate plan ${id}   # step remove; no helm uninstall` : '-',
      patienceMs: sides.patienceMs,
      run: now => restore(now, part),
      async prove(now) {
        const [one] = (await readSituation(now)).theirs
        if (one === undefined) return no(`${name} is not there`)
        return sides.isHeldOff(one, part)
          ? yes(`${named(one)} is there, on no node of ours`)
          : no(`${named(one)} is on every node`)
      },
    },
    {
      id: 'switch',
      title: `node by node: our pod goes, ${name}'s comes. ${part.notes.back}. Killed, it goes on with the nodes that are left`,
      command: commands.nodeByNode(own, side),
      proof: `${ownPods}: none left; ${pods}: Ready on each node`,
      undo: commands.nodeByNode(side, own),
      async run(now) {
        const both = await sides.sidesOf(now, part)
        await switchNodes(now, both.own, both.theirs)
      },
      async prove(now) {
        const both = await sides.sidesOf(now, part)
        return sides.switchedProof(now, both.own, both.theirs)
      },
    },
    ...leadBack(part, situation),
    {
      id: 'off',
      title: `switch ours off, ${part.notes.off}`,
      command: commands.switchedOff(swap, ours, own),
      proof: `kubectl -n ${own.namespace} get daemonset ${own.name}: NotFound`,
      undo: `ballast migrate plan ${id}`,
      patienceMs: sides.patienceMs,
      run: switchOff,
      async prove(now) {
        const loop = (await readSituation(now)).ours?.loop
        return loop === undefined ? yes('ours is gone') : no(`${named(loop)} is still there`)
      },
    },
  ]
}

/** What is left when ours is gone. */
function ending(swap: Swap, part: NodePart, theirs: Theirs | undefined): readonly Step[] {
  const { name, replaced } = swap.upstream
  const place = theirs ?? asInstalled(swap, part)
  const upgraded = `${replaced.swap.reinstall.replace('helm install', 'helm upgrade')} --version <as before>`
  return [
    {
      id: 'open',
      title: `take the marks away, then what kept ${name} off marked nodes`,
      command: `${commands.unmark(part)} && ${theirs === undefined ? upgraded : commands.unpinTheirs(theirs, part)}`,
      proof: `kubectl -n ${place.namespace} get daemonset ${place.name}: as many ready as nodes`,
      undo: '-',
      patienceMs: sides.rolloutMs,
      run: now => open(now, part),
      async prove(now) {
        const one = theTheirs(now, await readSituation(now))
        return sides.isHeldOff(one, part)
          ? no(`${named(one)} is kept off nodes that are marked`)
          : sides.openProof(now, part, one)
      },
    },
    {
      id: 'doctor',
      title: 'look once more',
      command: 'ballast doctor',
      proof: `upstream-present names ${name}, no double-duty for it`,
      undo: '-',
      async prove(now) {
        const { theirs: found, ours } = await readSituation(now)
        if (ours?.loop !== undefined) return no('both are there')
        const { does } = now.upstream.replaced.swap
        return found.length === 1 ? yes(`${name} ${does}, ours is off`) : no(`${found.length} ${name}s are installed`)
      },
    },
  ]
}

async function checked(swap: Swap, part: NodePart): Promise<Proof> {
  const situation = await readSituation(swap)
  const own = theOwnLoop(swap, situation)
  const [theirs] = situation.theirs
  const { name, replaced } = swap.upstream
  const owner = reconcilerOf(theOurs(situation))
  if (owner !== undefined)
    return no(`ours is reconciled by ${shownOwner(owner)}: suspend it first, or what is written here is undone`)
  if (theirs?.owner !== undefined && !theirs.isOwnerQuiet)
    return no(`${name} is reconciled by ${shownOwner(theirs.owner)}: suspend it first, or what keeps it off nodes is undone`)
  const missing = await missingOf(swap, await needsBack(swap, part))
  if (missing !== undefined) return no(missing)
  if (theirs === undefined && sides.keptSet(swap.record.saved) === undefined)
    return no(
      `${name} is not installed and nothing of it was kept: install it as step restore of ballast migrate plan ${replaced.id} --back says, then go on`,
    )
  return yes(`${named(own)} on ${sides.onNodes(own)}; ${theirs === undefined ? `${name} is gone` : `${named(theirs)} is there`}`)
}

/** What was kept comes back, on no node of ours, and with no port that ours has; upstream that is there is only kept off those nodes. */
async function restore(swap: Swap, part: NodePart): Promise<void> {
  const [theirs] = (await readSituation(swap)).theirs
  const { record } = swap
  if (theirs !== undefined) {
    // The last step puts back what is kept.
    if (!sides.isHeldOff(theirs, part)) {
      const { objects } = await wholeOf(swap, theirs)
      await record.write({ saved: { replicas: {}, templates: {}, revision: '0', led: [], answered: [], removed: kept(objects) } })
    }
    if (sides.keptSet(record.saved) === undefined)
      throw new StepFailed(
        `nothing was kept of ${named(theirs)}: keep it off marked nodes by hand, as ballast migrate plan ${swap.upstream.replaced.id} --back prints`,
      )
    await sides.replaceSet(swap, sides.heldOff(theirs.workload, part))
    return
  }
  const changed = (record.saved?.removed ?? []).map(object => {
    if (object.kind === 'Service') return sides.withoutNodePorts(object)
    return object.kind === 'DaemonSet' ? sides.heldOff(object, part) : object
  })
  // The DaemonSet comes last, when all that it needs is there.
  await restoreAll(
    swap,
    changed.toSorted((a, b) => Number(a.kind === 'DaemonSet') - Number(b.kind === 'DaemonSet')),
  )
}

async function switchOff(swap: Swap): Promise<void> {
  const { ours } = await readSituation(swap)
  if (ours?.loop === undefined) return
  const { loop, leader } = ours
  if ((await podsOf(swap, loop)).length > 0) throw new StepFailed(`${named(loop)} has pods: switch first`)
  if (leader !== undefined && leader.replicas + leader.running > 0)
    throw new StepFailed(`${named(leader)} is awake: it sleeps first`)
  if (ours.owner?.by === 'helm')
    throw new StepFailed(`Ballast is installed by Helm. Run this, then go on: ${commands.switchedOff(swap, ours, loop)}`)
  if (ours.file !== undefined) await writeSection(swap, ours, swap.upstream.capability, { enabled: false })
  // The Service first: by the DaemonSet this step finds everything again.
  const { name, namespace } = loop
  await deleteAll(swap, [
    ...(leader === undefined ? [] : [leader.workload]),
    { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace } },
    loop.workload,
  ])
}

/** Without a mark it is on every node as well: this order takes none away. */
async function open(swap: Swap, part: NodePart): Promise<void> {
  const theirs = theTheirs(swap, await readSituation(swap))
  await unmarkAll(swap, part.label)
  const { saved } = swap.record
  for (const object of saved?.removed ?? []) if (object.kind === 'Service') await putService(swap, object)
  const set = sides.keptSet(saved)
  if (sides.isHeldOff(theirs, part) && set !== undefined) await sides.replaceSet(swap, { ...theirs.workload, spec: set['spec'] })
}

/** With its node ports again, which nobody of ours has any more. */
async function putService({ api, signal }: Swap, service: KubeObject): Promise<void> {
  if (!listAt(service, 'spec', 'ports').some(port => numberAt(port, 'nodePort') !== undefined)) return
  const { namespace, name } = service.metadata
  const services = api.resource(builtIn.services)
  try {
    const now = await services.get(name, { namespace, signal })
    const { clusterIP, clusterIPs } = Object(now['spec'])
    const spec = { ...Object(service['spec']), clusterIP, clusterIPs }
    await services.update({ ...now, apiVersion: 'v1', kind: 'Service', spec }, { namespace, signal, fieldManager })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

async function needsBack(swap: Swap, part: NodePart): Promise<readonly Access[]> {
  const situation = await readSituation(swap)
  const { ours } = situation
  const loop = ours?.loop
  const removed = swap.record.saved?.removed ?? []
  return [
    of(builtIn.nodes, undefined, 'patch'),
    ...(loop === undefined ? [] : ['patch', 'delete'].map(verb => of(builtIn.daemonsets, loop.namespace, verb))),
    ...(ours === undefined ? [] : [of(builtIn.configmaps, ours.namespace, 'update')]),
    ...needsOfLeader(part, situation),
    ...removed.flatMap(object => ofObject(object, 'create', 'update')),
  ]
}
