// Ballast back to Spegel, carried out: the same swap with roles changed. Ballast stays, for what else it does.

import { ownConfigMapName } from '#doctor/own-facts.ts'
import { listAt, numberAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isAlreadyExists, isNotFound } from '#kube/objects/status.ts'
import { missingOf, of, ofObject } from '../access.ts'
import { allNodes, markAll, markOf, podsOf, switchNodes, unmarkAll, unmarked } from '../mirror-nodes.ts'
import { swapLabel } from '../mirror-pin.ts'
import type { MirrorSwap } from '../mirror-swap.ts'
import { optional } from '../situation.ts'
import { no, StepFailed, yes } from '../step.ts'
import { deleteAll, resourceOf, writeSection } from '../writes.ts'
import { type Acts, carriedOutBy, everywhere, type MirrorStep, rolledOut } from './spegel-acts.ts'
import { endedBack, mirrorStepsBack, switchedOff } from './spegel-back.ts'
import { heldOff, isHeldOff, keptSet, replaceSet, savedWith, spegelObjects, withoutNodePorts } from './spegel-objects.ts'
import { isHeldBack, type MirrorSituation, type NodeSet, readMirrorSituation } from './spegel-situation.ts'
import { shownSet, theSpegel } from './spegel-steps.ts'

const fieldManager = 'ballast-migrate'
const patienceMs = 300_000
const rolloutMs = 1_800_000

/** @throws StepFailed where our mirror is not there, or several Spegels are */
export function mirrorActsBack(situation: MirrorSituation, { record }: Pick<MirrorSwap, 'record'>): readonly MirrorStep[] {
  const { direction, done } = record.content
  const isOver = situation.ours?.mirror === undefined && direction === 'back' && done.includes('off')
  return carriedOutBy(isOver ? endedBack(situation.spegels[0]) : mirrorStepsBack(situation), back)
}

/** @throws StepFailed where it is not there */
function theMirror({ ours }: MirrorSituation): NodeSet {
  if (ours?.mirror === undefined) throw new StepFailed("Ballast's mirror is not installed here")
  return ours.mirror
}

function sidesOf(situation: MirrorSituation) {
  const own = { ...theMirror(situation), mark: 'ballast' as const }
  return { own, spegel: { ...theSpegel(situation), mark: 'spegel' as const } }
}

const back = {
  check: {
    async prove(swap) {
      const situation = await readMirrorSituation(swap)
      const proof = mirrorStepsBack(situation).find(({ id }) => id === 'check')?.now ?? yes('nothing to see')
      if (!proof.ok) return proof
      if (situation.spegels.length === 0 && keptSet(swap.record.saved) === undefined)
        return no(
          'Spegel is not installed and nothing of it was kept: ballast migrate plan spegel --back prints how its chart is installed',
        )
      const mirror = theMirror(situation)
      const missing = await missingOf(swap, [
        of(builtIn.nodes, undefined, 'patch'),
        of(builtIn.daemonsets, mirror.namespace, 'patch'),
        of(builtIn.daemonsets, mirror.namespace, 'delete'),
        of(builtIn.configmaps, situation.ours?.namespace, 'update'),
        ...(swap.record.saved?.removed ?? []).flatMap(object => ofObject(object, 'create', 'update')),
      ])
      return missing === undefined ? proof : no(missing)
    },
  },
  mark: {
    async run(swap) {
      await markAll(swap, { ...theMirror(await readMirrorSituation(swap)), mark: 'ballast' })
    },
    async prove(swap) {
      const left = await unmarked(swap, { ...theMirror(await readMirrorSituation(swap)), mark: 'ballast' })
      return left.length === 0 ? yes('every node with our mirror is marked') : no(`not marked: ${left.join(', ')}`)
    },
  },
  pin: {
    async run(swap) {
      const { namespace, name } = theMirror(await readMirrorSituation(swap))
      const updateStrategy = { type: 'OnDelete', rollingUpdate: null }
      const body = { spec: { updateStrategy, template: { spec: { nodeSelector: { [swapLabel]: 'ballast' } } } } }
      await swap.api
        .resource(builtIn.daemonsets)
        .patch(name, { type: 'merge', body }, { namespace, signal: swap.signal, fieldManager })
    },
    async prove(swap) {
      return isHeldBack(theMirror(await readMirrorSituation(swap)))
        ? yes('ours leaves nodes that are marked otherwise')
        : no('ours is on every node')
    },
  },
  restore: {
    patienceMs,
    run: restore,
    async prove(swap) {
      const { spegels } = await readMirrorSituation(swap)
      const [spegel] = spegels
      if (spegel === undefined) return no('Spegel is not there')
      return isHeldOff(spegel)
        ? yes(`${shownSet(spegel)} is there, on no node of ours`)
        : no(`${shownSet(spegel)} is on every node`)
    },
  },
  switch: {
    async run(swap) {
      const { own, spegel } = sidesOf(await readMirrorSituation(swap))
      await switchNodes(swap, own, spegel)
    },
    async prove(swap) {
      const { own, spegel } = sidesOf(await readMirrorSituation(swap))
      const left = await podsOf(swap, own)
      return left.length > 0 ? no(`ours has ${left.length} pods`) : everywhere(swap, spegel)
    },
  },
  off: {
    patienceMs,
    async run(swap) {
      const { ours } = await readMirrorSituation(swap)
      if (ours?.mirror === undefined) return
      const { mirror } = ours
      if ((await podsOf(swap, mirror)).length > 0) throw new StepFailed(`${shownSet(mirror)} has pods: switch first`)
      if (ours.owner?.by === 'helm')
        throw new StepFailed(`Ballast is installed by Helm. Run this, then go on: ${switchedOff(ours, mirror)}`)
      const { namespace, controller } = ours
      const found = await optional(
        swap.api.resource(builtIn.configmaps).get(ownConfigMapName(controller), { namespace, signal: swap.signal }),
      )
      if (found !== undefined) {
        const configMap: KubeObject = { ...found, apiVersion: 'v1', kind: 'ConfigMap' }
        await writeSection(swap, { namespace, configMap }, { enabled: false }, 'mirror')
      }
      // The Service first: by the DaemonSet this step finds everything again.
      const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: mirror.name, namespace: mirror.namespace } }
      await deleteAll(swap, [service, { ...mirror.daemonSet, apiVersion: 'apps/v1', kind: 'DaemonSet' }])
    },
    async prove(swap) {
      const { ours } = await readMirrorSituation(swap)
      return ours?.mirror === undefined
        ? yes('our mirror is gone; the hosts files are Spegel’s')
        : no(`${shownSet(ours.mirror)} is still there`)
    },
  },
  open: {
    patienceMs: rolloutMs,
    async run(swap) {
      const spegel = theSpegel(await readMirrorSituation(swap))
      // Without a mark it is on every node as well: this order takes none away.
      await unmarkAll(swap)
      for (const kept of swap.record.saved?.removed ?? []) if (kept.kind === 'Service') await putService(swap, kept)
      const kept = keptSet(swap.record.saved)
      if (isHeldOff(spegel) && kept !== undefined) await replaceSet(swap, { ...spegel.daemonSet, spec: kept['spec'] })
    },
    async prove(swap) {
      const spegel = theSpegel(await readMirrorSituation(swap))
      const marked = (await allNodes(swap)).filter(node => markOf(node) !== undefined)
      if (marked.length > 0) return no(`marked still: ${marked.map(({ metadata }) => metadata.name).join(', ')}`)
      if (isHeldOff(spegel)) return no(`${shownSet(spegel)} is kept off nodes that are marked`)
      return rolledOut(spegel.daemonSet)
    },
  },
  doctor: {
    async prove(swap) {
      const { spegels, ours } = await readMirrorSituation(swap)
      if (ours?.mirror !== undefined) return no('both are there')
      return spegels.length === 1 ? yes('Spegel mirrors, ours is off') : no(`${spegels.length} Spegels are installed`)
    },
  },
} satisfies Acts

/** What was kept comes back, on no node of ours, and with no port that ours has; Spegel that is there is only kept off those nodes. */
async function restore(swap: MirrorSwap): Promise<void> {
  const [spegel] = (await readMirrorSituation(swap)).spegels
  if (spegel !== undefined) {
    // The last step puts back what is kept.
    if (!isHeldOff(spegel)) await swap.record.write({ saved: savedWith(await spegelObjects(swap, spegel)) })
    if (keptSet(swap.record.saved) === undefined)
      throw new StepFailed(
        `nothing was kept of ${shownSet(spegel)}: keep it off marked nodes by hand, as ballast migrate plan spegel --back prints`,
      )
    await replaceSet(swap, heldOff(spegel.daemonSet))
    return
  }
  const kept = swap.record.saved?.removed ?? []
  // The DaemonSet comes last, when all that it needs is there.
  for (const object of [...kept.filter(({ kind }) => kind !== 'DaemonSet'), ...kept.filter(({ kind }) => kind === 'DaemonSet')])
    await create(
      swap,
      object.kind === 'Service' ? withoutNodePorts(object) : object.kind === 'DaemonSet' ? heldOff(object) : object,
    )
}

async function create({ api, signal }: MirrorSwap, object: KubeObject): Promise<void> {
  const { namespace } = object.metadata
  try {
    await api.resource(resourceOf(object)).create(object, { namespace, signal, fieldManager })
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
  }
}

/** With its node ports again, which nobody of ours has any more. */
async function putService({ api, signal }: MirrorSwap, kept: KubeObject): Promise<void> {
  if (!listAt(kept, 'spec', 'ports').some(port => numberAt(port, 'nodePort') !== undefined)) return
  const { namespace, name } = kept.metadata
  try {
    const now = await api.resource(builtIn.services).get(name, { namespace, signal })
    const { clusterIP, clusterIPs } = Object(now['spec'])
    const spec = { ...Object(kept['spec']), clusterIP, clusterIPs }
    await api
      .resource(builtIn.services)
      .update({ ...now, apiVersion: 'v1', kind: 'Service', spec }, { namespace, signal, fieldManager })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}
