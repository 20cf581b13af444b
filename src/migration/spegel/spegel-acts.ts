// Spegel to Ballast, carried out: the printed steps with what does and what proves each. Ours and theirs bind one port, so nodes change one
// after the other; hosts files name the node's own address and port all the time, and end with the registry.
import { parse } from 'yaml'
import { examineCluster } from '#doctor/checks.ts'
import { liveFacts } from '#doctor/live-facts.ts'
import { ownConfigMapName } from '#doctor/own-facts.ts'
import { numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { type Access, missingOf, of, ofObject } from '../access.ts'
import { allNodes, markAll, markOf, podsOf, switchNodes, unmarkAll, unmarked } from '../mirror-nodes.ts'
import { swapLabel } from '../mirror-pin.ts'
import { addedMirror, type MirrorSwap, newInstallation } from '../mirror-swap.ts'
import { isUp } from '../mirror-up.ts'
import { ownerIsLive } from '../owner-words.ts'
import { optional } from '../situation.ts'
import { eventually, no, type Proof, type Step, StepFailed, yes } from '../step.ts'
import { applyAll, deleteAll, deleteSecrets, missingRights, releaseSecrets, writeSection } from '../writes.ts'
import { install as installCommand, onlyMarked, ownNodeSet } from './spegel-commands.ts'
import { heldOff, isHeldOff, isKept, replaceSet, savedWith, spegelObjects, withoutNodePorts } from './spegel-objects.ts'
import { isHeldBack, type MirrorSituation, type OwnMirror, readMirrorSituation, type SpegelState } from './spegel-situation.ts'
import { ended, mirrorStepsForth, type PrintedStep, shownSet, theSpegel } from './spegel-steps.ts'

export type MirrorStep = Step<MirrorSwap>
export type Acts = Readonly<Record<string, Pick<MirrorStep, 'run' | 'prove' | 'patienceMs' | 'forgetsRelease'>>>

/** A controller with its image, and a DaemonSet whose pods are renewed one by one. */
const patienceMs = 300_000
const rolloutMs = 1_800_000
const seenMs = 60_000

/** The printed steps, each with what does it. */
export function carriedOutBy(printed: readonly PrintedStep[], acts: Acts): readonly MirrorStep[] {
  const seen = new Set<string>()
  return printed.flatMap(({ now: _now, ...step }) => {
    const act = acts[step.id]
    if (act === undefined) throw new Error(`nothing carries out step ${step.id}`)
    // Several Services in the way are freed by one step.
    if (seen.has(step.id)) return []
    seen.add(step.id)
    return [{ ...step, ...act }]
  })
}

/** @throws StepFailed where there is no Spegel, or several */
export function mirrorActsForth(
  situation: MirrorSituation,
  swap: Pick<MirrorSwap, 'record' | 'allowLossy'>,
): readonly MirrorStep[] {
  const { direction, done } = swap.record.content
  const isOver = situation.spegels.length === 0 && direction === 'forth' && done.includes('remove')
  const printed = isOver ? ended(situation.ours) : mirrorStepsForth(situation, swap.allowLossy)
  const isOfHelm = situation.spegels[0]?.owner?.by === 'helm'
  return carriedOutBy(printed, { ...forth, remove: { ...forth.remove, ...(isOfHelm ? { forgetsRelease: true } : {}) } })
}

/** What the first of printed steps saw, asked again. */
const seenBy =
  (id: string) =>
  async (swap: MirrorSwap): Promise<Proof> => {
    const printed = mirrorStepsForth(await readMirrorSituation(swap), swap.allowLossy)
    return printed.find(step => step.id === id)?.now ?? yes('nothing to see')
  }

const forth = {
  check: {
    async prove(swap) {
      const proof = await seenBy('check')(swap)
      const missing = proof.ok ? await missingOf(swap, await neededForth(swap)) : undefined
      return missing === undefined ? proof : no(missing)
    },
  },
  convert: { prove: seenBy('convert') },
  keep: {
    async run(swap) {
      const spegel = theSpegel(await readMirrorSituation(swap))
      if (isHeldOff(spegel))
        throw new StepFailed(`${shownSet(spegel)} is changed for a swap already, and nothing was kept of it before`)
      await swap.record.write({ saved: savedWith(await spegelObjects(swap, spegel)) })
    },
    async prove(swap) {
      const spegel = theSpegel(await readMirrorSituation(swap))
      const { saved } = swap.record
      return isKept(spegel, saved)
        ? yes(`${saved?.removed.length ?? 0} objects are in ConfigMap ballast-migration-spegel`)
        : no('not kept as it is now')
    },
  },
  pin: {
    async run(swap) {
      const spegel = theSpegel(await readMirrorSituation(swap))
      const live = ownerIsLive(spegel, 'switch', 'DaemonSet')
      if (live !== undefined) throw new StepFailed(live)
      await replaceSet(swap, heldOff(spegel.daemonSet))
    },
    async prove(swap) {
      const spegel = theSpegel(await readMirrorSituation(swap))
      return isHeldOff(spegel) ? yes('it leaves nodes that are marked for ours') : no('it is on every node')
    },
  },
  install: { run: install, prove: installed, patienceMs },
  free: {
    async run(swap) {
      for (const service of theSpegel(await readMirrorSituation(swap)).inTheWay) await replaceService(swap, service)
    },
    async prove(swap) {
      const { inTheWay } = theSpegel(await readMirrorSituation(swap))
      return inTheWay.length === 0
        ? yes('no Service has a port of ours')
        : no(`${inTheWay.map(name).join(', ')} has a port of ours`)
    },
  },
  mark: {
    async run(swap) {
      await markAll(swap, { ...theSpegel(await readMirrorSituation(swap)), mark: 'spegel' })
    },
    async prove(swap) {
      const left = await unmarked(swap, { ...theSpegel(await readMirrorSituation(swap)), mark: 'spegel' })
      return left.length === 0 ? yes('every node with Spegel is marked') : no(`not marked: ${left.join(', ')}`)
    },
  },
  switch: {
    async run(swap) {
      const { spegel, own } = sidesOf(await readMirrorSituation(swap))
      await switchNodes(swap, spegel, own)
    },
    async prove(swap) {
      const { spegel, own } = sidesOf(await readMirrorSituation(swap))
      const left = await podsOf(swap, spegel)
      if (left.length > 0) return no(`Spegel has ${left.length} pods`)
      return everywhere(swap, own)
    },
  },
  remove: {
    patienceMs,
    async run(swap) {
      const { spegels } = await readMirrorSituation(swap)
      const [spegel] = spegels
      if (spegel === undefined) return
      if ((await podsOf(swap, spegel)).length > 0) throw new StepFailed(`${shownSet(spegel)} has pods: switch first`)
      const live = ownerIsLive(spegel, 'remove', 'DaemonSet')
      if (live !== undefined) throw new StepFailed(live)
      if (spegel.owner?.by === 'helm') await forget(swap, spegel.owner)
      await deleteAll(swap, await spegelObjects(swap, spegel))
    },
    async prove(swap) {
      const { spegels } = await readMirrorSituation(swap)
      return spegels.length === 0 ? yes('nothing of Spegel is left') : no(`${spegels.map(shownSet).join(', ')} is still there`)
    },
  },
  open: { run: open, prove: opened, patienceMs: rolloutMs },
  doctor: { prove: settled },
} satisfies Acts

const name = ({ metadata }: KubeObject) => metadata.name

function sidesOf(situation: MirrorSituation) {
  const spegel = { ...theSpegel(situation), mark: 'spegel' as const }
  return { spegel, own: { ...ownNodeSet(situation.ours), mark: 'ballast' as const } }
}

/** Ready on every node that is marked for it. */
export async function everywhere(swap: MirrorSwap, side: ReturnType<typeof sidesOf>['own' | 'spegel']): Promise<Proof> {
  const [nodes, pods] = await Promise.all([allNodes(swap), podsOf(swap, side)])
  const on = new Set(pods.filter(pod => isUp(pod, side.mark, pods)).map(pod => textAt(pod, 'spec', 'nodeName')))
  const marked = nodes.filter(node => markOf(node) !== undefined)
  const lacking = marked.filter(node => !on.has(node.metadata.name) || markOf(node) !== side.mark)
  const count = `${marked.length} ${marked.length === 1 ? 'node' : 'nodes'}`
  return lacking.length === 0
    ? yes(`${side.mark} is Ready on ${count}`)
    : no(`${side.mark} is not Ready on ${lacking.map(name).join(', ')}`)
}

/** Writes the Service without what it has of our ports. */
async function replaceService({ api, signal }: MirrorSwap, service: KubeObject): Promise<void> {
  const { namespace } = service.metadata
  const { clusterIP, clusterIPs } = Object(service['spec'])
  const freed = withoutNodePorts(service)
  const kept = { ...freed, spec: { ...Object(freed['spec']), clusterIP, clusterIPs } }
  await api.resource(builtIn.services).update(kept, { namespace, signal, fieldManager: 'ballast-migrate' })
}

async function forget(
  swap: MirrorSwap,
  { name: release, namespace }: { readonly name: string; readonly namespace: string },
): Promise<void> {
  const secrets = await releaseSecrets(swap, release, namespace)
  if (secrets.length > 0 && !swap.forgetRelease)
    throw new StepFailed(
      `Helm release ${release} is known to Helm by ${secrets.length} Secrets in ${namespace}; --forget-release deletes them, so that no later helm uninstall deletes the hosts files of the nodes`,
    )
  await deleteSecrets(swap, secrets)
}

/** The section of the mirror, as its schema calls its keys. */
const sectionOf = (values: ValuesTree): ValuesTree => Object(valueAt(values, ['capabilities', 'mirror']))

async function ownFile(swap: MirrorSwap, ours: OwnMirror) {
  const { namespace } = ours
  const found = await optional(
    swap.api.resource(builtIn.configmaps).get(ownConfigMapName(ours.controller), { namespace, signal: swap.signal }),
  )
  if (found === undefined) throw new StepFailed(`the ConfigMap of Ballast in ${namespace} cannot be read`)
  const configMap: KubeObject = { ...found, apiVersion: 'v1', kind: 'ConfigMap' }
  return { namespace, configMap, text: textAt(configMap, 'data', 'config.yaml') ?? '' }
}

/** What is not Helm's to write. */
async function wanted(swap: MirrorSwap, { spegels, ours }: MirrorSituation): Promise<readonly KubeObject[]> {
  const values = theSpegel({ spegels, ours }).converted.values
  if (ours === undefined) return newInstallation(values)
  return addedMirror(ours, (await ownFile(swap, ours)).text, values)
}

async function install(swap: MirrorSwap): Promise<void> {
  const situation = await readMirrorSituation(swap)
  const { ours } = situation
  if (ours?.mirror !== undefined && !isHeldBack(ours.mirror))
    throw new StepFailed(`${shownSet(ours.mirror)} is on every node already: two mirrors would fight for one port. Disable one`)
  if (ours?.owner?.by === 'helm') throw new StepFailed(byHelm(installCommand(ours, [onlyMarked(true)])))
  const objects = await wanted(swap, situation)
  // Rights and all that is mounted before what wants it.
  await applyAll(swap, objects)
  if (ours !== undefined)
    await writeSection(
      swap,
      await ownFile(swap, ours),
      { ...sectionOf(theSpegel(situation).converted.values), enabled: true },
      'mirror',
    )
}

const byHelm = (command: string) =>
  `Ballast is installed by Helm, and what is written past it would be undone by its next upgrade. Run this, then go on: ${command} (values: ballast migrate plan spegel -o json | jq .values > ballast-values.yaml)`

async function installed(swap: MirrorSwap): Promise<Proof> {
  const situation = await readMirrorSituation(swap)
  const { ours } = situation
  if (ours === undefined) return no('the controller is not there')
  if ((numberAt(ours.controller, 'status', 'readyReplicas') ?? 0) === 0) return no('no pod of the controller is ready')
  if (ours.mirror === undefined) return no('our DaemonSet is not there')
  if (!isHeldBack(ours.mirror)) return no(`${shownSet(ours.mirror)} is not kept to marked nodes`)
  const { text } = await ownFile(swap, ours)
  if (valueAt(parse(text), ['capabilities', 'mirror', 'enabled']) !== true)
    return no('our configuration says nothing of a mirror')
  if (ours.owner?.by === 'helm') return yes('the controller is ready, our mirror is kept to marked nodes')
  const rights = (await wanted(swap, situation)).filter(({ kind }) => /Role|ServiceAccount/.test(kind))
  const lacking = await missingRights(swap, rights)
  if (lacking !== undefined) return no(`${lacking} is not as the mirror needs it`)
  return yes('the controller is ready and has its rights, our mirror is kept to marked nodes')
}

/** Onto every node, and only then the marks away: the other way round its pods would go in between. */
async function open(swap: MirrorSwap): Promise<void> {
  const { ours } = await readMirrorSituation(swap)
  if (ours?.mirror === undefined) throw new StepFailed('our DaemonSet is not there')
  if (isHeldBack(ours.mirror)) {
    if (ours.owner?.by === 'helm') throw new StepFailed(byHelm(installCommand(ours, [onlyMarked(false)])))
    const body = { spec: { template: { spec: { nodeSelector: { [swapLabel]: null } } } } }
    const { namespace, name: set } = ours.mirror
    await swap.api
      .resource(builtIn.daemonsets)
      .patch(set, { type: 'merge', body }, { namespace, signal: swap.signal, fieldManager: 'ballast-migrate' })
  }
  // Under the old template a node without its mark would lose its pod.
  const seen = await eventually(swap, seenMs, async () => {
    const set = (await readMirrorSituation(swap)).ours?.mirror?.daemonSet
    const isSeen = (numberAt(set, 'status', 'observedGeneration') ?? 0) >= (set?.metadata.generation ?? 0)
    return isSeen ? yes('seen') : no('the DaemonSet’s controller has not seen that ours is for every node')
  })
  if (!seen.ok) throw new StepFailed(seen.said)
  await unmarkAll(swap)
}

async function opened(swap: MirrorSwap): Promise<Proof> {
  const { ours } = await readMirrorSituation(swap)
  if (ours?.mirror === undefined) return no('our DaemonSet is not there')
  if (isHeldBack(ours.mirror)) return no(`${shownSet(ours.mirror)} is kept to marked nodes`)
  const marked = (await allNodes(swap)).filter(node => markOf(node) !== undefined)
  if (marked.length > 0) return no(`marked still: ${marked.map(name).join(', ')}`)
  return rolledOut(ours.mirror.daemonSet)
}

/** All of its pods are of the newest template, and Ready. */
export function rolledOut(daemonSet: KubeObject): Proof {
  const { generation } = daemonSet.metadata
  const status = (key: string) => numberAt(daemonSet, 'status', key) ?? 0
  const desired = status('desiredNumberScheduled')
  const isNew = status('observedGeneration') >= (generation ?? 0)
  const said = `${status('numberReady')} of ${desired} are Ready, ${status('updatedNumberScheduled')} renewed`
  return isNew && desired > 0 && status('numberReady') >= desired && status('updatedNumberScheduled') >= desired
    ? yes(said)
    : no(said)
}

async function settled(swap: MirrorSwap): Promise<Proof> {
  const { api, capabilities, clock, signal } = swap
  const { spegels } = await readMirrorSituation(swap)
  if (spegels.length > 0) return no(`${spegels.map(shownSet).join(', ')} is there, too`)
  const findings = examineCluster(await liveFacts({ api, capabilities, nowMs: clock.now(), helmSecrets: false, signal }))
  const errors = findings.filter(
    ({ severity, area, capability }) => severity === 'error' && (area === 'rights' || capability === 'mirror'),
  )
  if (errors.length > 0) return no(errors.map(({ id, object, message }) => `${id}: ${object}: ${message}`).join('; '))
  const told = findings.filter(({ area }) => area === 'mirror').map(({ object, message }) => `${object}: ${message}`)
  return yes(`ours mirrors, Spegel is gone${told.length === 0 ? '' : `; to look at: ${told.join('; ')}`}`)
}

async function neededForth(swap: MirrorSwap): Promise<readonly Access[]> {
  const situation = await readMirrorSituation(swap)
  const spegel: SpegelState = theSpegel(situation)
  const { ours } = situation
  const isHelms = ours?.owner?.by === 'helm'
  const applied = isHelms ? [] : await wanted(swap, situation)
  const removed = await spegelObjects(swap, spegel)
  const { owner } = spegel
  const release = owner?.by === 'helm' ? ['list', ...(swap.forgetRelease ? ['delete'] : [])] : []
  return [
    of(builtIn.nodes, undefined, 'patch'),
    of(builtIn.daemonsets, spegel.namespace, 'update'),
    ...(spegel.inTheWay.length === 0 ? [] : [of(builtIn.services, spegel.namespace, 'update')]),
    ...(isHelms ? [] : [of(builtIn.configmaps, ours?.namespace ?? ballastNamespace, 'update')]),
    ...applied.flatMap(object => ofObject(object, 'create', 'patch')),
    ...removed.flatMap(object => ofObject(object, 'delete')),
    ...release.map(verb => of(builtIn.secrets, owner?.namespace, verb)),
  ]
}
