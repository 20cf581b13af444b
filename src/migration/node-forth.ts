// From an upstream whose ports ours binds, too: nodes change one after the other, never are both on one. What a person would run is printed with
// each step.
import { isDeepStrictEqual } from 'node:util'
import { listAt, numberAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { NodePart } from '#upstreams/upstream.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { missingOf, of, ofObject, ofRemoval } from './access.ts'
import { forgetting, kept, liveOwner, lossProof, named, nowOf, placeOfOurs, removedProof, removeTheirs, settled } from './both.ts'
import * as commands from './node-commands.ts'
import * as leaders from './node-leader.ts'
import { ownMark } from './node-pin.ts'
import * as sides from './node-sides.ts'
import { markAll, podsOf, switchNodes, unmarkAll } from './node-turns.ts'
import { fieldManager } from './own-made.ts'
import { isRight, newInstallation, ofSameImage, withCapability } from './own-objects.ts'
import { ownerIsLive } from './owner-words.ts'
import type { Ours, Theirs, Whole } from './place.ts'
import { readSituation } from './situation.ts'
import { type Access, eventually, type Step, StepFailed, type Swap, type Way } from './step.ts'
import { applyAll, missingRights, writeSection } from './writes.ts'

const seenMs = 60_000

export const nodesForth = (part: NodePart): Way => ({
  async steps(swap) {
    const { theirs, ours } = await readSituation(swap)
    const isOver = sides.isHeldBack(ours?.loop, part) || sides.isPast(swap, 'forth', 'remove')
    if (theirs.length === 0 && isOver) return ending(part, ours)
    return [...(await taking(swap, part)), ...ending(part, ours)]
  },
  async needs(swap) {
    const { theirs } = await readSituation(swap)
    return theirs.length === 0 ? [] : needsForth(swap, part)
  },
})

async function taking(swap: Swap, part: NodePart): Promise<readonly Step[]> {
  const { upstream } = swap
  const { id } = upstream.replaced
  const { name } = upstream
  const { situation, theirs, whole } = await nowOf(swap)
  const { ours } = situation
  const own = sides.ownSide(part, ours)
  const side = sides.theirSide(part, swap, theirs)
  const { notes } = part
  const ports = part.ports(whole.converted.values)
  const inTheWay = await sides.servicesInTheWay(swap, part, theirs, whole)
  const pods = `kubectl -n ${theirs.namespace} get pods -l ${theirs.selector}`
  return [
    {
      id: 'check',
      title: `look at DaemonSet ${named(theirs)} and who owns it`,
      command: 'ballast doctor',
      proof: `one ${name}, nothing brings it back, Ballast may be configured here, and you may write what the steps write`,
      undo: '-',
      prove: now => checked(now, part),
    },
    {
      id: 'keep',
      title: `write down what ${name} is made of, for the way back`,
      command: commands.keep(swap, theirs),
      proof: `grep -c 'kind: DaemonSet' ${commands.upstreamObjects(swap)} says 1`,
      undo: '-',
      async run(now) {
        const { theirs: one, whole: all } = await nowOf(now)
        if (sides.isHeldOff(one, part))
          throw new StepFailed(`${named(one)} is changed for a swap already, and nothing was kept of it before`)
        await now.record.write({
          saved: { replicas: {}, templates: {}, revision: '0', led: [], answered: [], removed: kept(all.objects) },
        })
      },
      async prove(now) {
        const { theirs: one } = await nowOf(now)
        const { saved } = now.record
        const set = sides.keptSet(saved)
        const isSame = sides.isHeldOff(one, part) || isDeepStrictEqual(set?.['spec'], one.workload['spec'])
        return set?.metadata.name === one.name && isSame
          ? yes(`${saved?.removed.length ?? 0} objects are in ConfigMap ballast-migration-${id}`)
          : no('not kept as it is now')
      },
    },
    {
      id: 'convert',
      title: `convert its values; ${notes.convert}`,
      command: commands.convert(swap, theirs, part),
      proof: 'every key has its place (exit 0)',
      undo: '-',
      prove: async now => lossProof((await nowOf(now)).whole.converted, now),
    },
    {
      id: 'pin',
      title: `have ${name} leave nodes that are marked for ours; its pods are not restarted for it`,
      command: commands.pinTheirs(theirs, part),
      proof: `${pods}: all there, none younger than before`,
      undo: commands.unpinTheirs(theirs, part),
      async run(now) {
        const { theirs: one } = await nowOf(now)
        const live = ownerIsLive(one)
        if (live !== undefined) throw new StepFailed(live)
        await sides.replaceSet(now, sides.heldOff(one.workload, part))
      },
      async prove(now) {
        const { theirs: one } = await nowOf(now)
        return sides.isHeldOff(one, part) ? yes('it leaves nodes that are marked for ours') : no('it is on every node')
      },
    },
    ...leaders.sharedStep(part, situation),
    {
      id: 'install',
      title: `install Ballast with its ${upstream.capability} on the same ${ports.length === 1 ? 'port' : 'ports'} (${ports.join(', ')}), on no node yet${commands.mergedFirst(ours)}`,
      command: commands.install(ours, [commands.onlyMarked(part, true), ...leaders.leaderSet(part, 0)]),
      proof: `the controller is ready; kubectl -n ${own.namespace} get daemonset ${own.name}: 0 desired`,
      undo: ours === undefined ? 'ballast uninstall' : `kubectl -n ${own.namespace} delete daemonset ${own.name}`,
      patienceMs: sides.patienceMs,
      run: now => install(now, part),
      prove: now => installed(now, part),
    },
    ...(inTheWay.length === 0 ? [] : [freed(part, inTheWay)]),
    {
      id: 'mark',
      title: `mark every node that ${name} is on`,
      command: commands.mark(side),
      proof: `kubectl get nodes -L ${part.label}: ${id} on each`,
      undo: commands.unmark(part),
      run: async now => markAll(now, (await sides.sidesOf(now, part)).theirs),
      prove: async now => sides.markedProof(now, (await sides.sidesOf(now, part)).theirs),
    },
    {
      id: 'switch',
      title: `node by node: ${name}'s pod goes, ours comes. ${notes.switch}. Killed, it goes on with the nodes that are left`,
      command: commands.nodeByNode(side, own),
      proof: `${pods}: none left (a node that joined meanwhile has one: repeat the step before and this one); kubectl -n ${own.namespace} get pods -l ${own.selector}: Ready on each node`,
      undo: commands.nodeByNode(own, side),
      async run(now) {
        const both = await sides.sidesOf(now, part)
        await switchNodes(now, both.theirs, both.own)
      },
      async prove(now) {
        const both = await sides.sidesOf(now, part)
        return sides.switchedProof(now, both.theirs, both.own)
      },
    },
    ...leaders.leadForth(part, situation, theirs),
    {
      id: 'remove',
      title: `orphan and delete ${name}'s objects. ${notes.remove}`,
      command: part.leader === undefined ? commands.removal(swap, theirs) : commands.removalOf(theirs, whole.objects),
      proof: `kubectl -n ${theirs.namespace} get daemonset ${theirs.name}: NotFound`,
      undo: `ballast migrate plan ${id} --back`,
      ...forgetting(theirs),
      patienceMs: sides.patienceMs,
      run: now => removeTheirs(now, one => isOver(now, part, one), notes.forget),
      prove: async now => removedProof(await readSituation(now)),
    },
  ]
}

/** Nothing of it is at work any more, on no node and beside them. */
async function isOver(swap: Swap, part: NodePart, theirs: Theirs): Promise<boolean> {
  return (await podsOf(swap, theirs)).length === 0 && leaders.isLeaderOver(await readSituation(swap), part, theirs)
}

/** A client that asks a node at a Service's node port is led to upstream's pods, or refused: ours would never hear of it. */
function freed(part: NodePart, services: readonly KubeObject[]): Step {
  const placeOf = ({ metadata: { namespace = 'default', name } }: KubeObject) => ({ namespace, name })
  const before = (service: KubeObject) => {
    const policy = valueAt(service, ['spec', 'externalTrafficPolicy'])
    const ports = listAt(service, 'spec', 'ports')
    return { type: 'NodePort', ports, ...(policy === undefined ? {} : { externalTrafficPolicy: policy }) }
  }
  const plain = { spec: { type: 'ClusterIP', externalTrafficPolicy: null } }
  return {
    id: 'free',
    title: `free the node port, which ours binds itself: ${part.notes.free}`,
    command: services.map(service => commands.patch('service', placeOf(service), plain)).join(' && '),
    proof: services.map(service => `Service ${named(placeOf(service))} is ClusterIP, without a node port`).join('; '),
    undo: services.map(service => commands.patch('service', placeOf(service), { spec: before(service) })).join(' && '),
    async run(now) {
      const { theirs, whole } = await nowOf(now)
      for (const service of await sides.servicesInTheWay(now, part, theirs, whole)) await free(now, service)
    },
    async prove(now) {
      const { theirs, whole } = await nowOf(now)
      const left = await sides.servicesInTheWay(now, part, theirs, whole)
      return left.length === 0
        ? yes('no Service has a port of ours')
        : no(`${left.map(({ metadata }) => metadata.name).join(', ')} has a port of ours`)
    },
  }
}

/** Writes the Service without what it has of our ports. */
async function free({ api, signal }: Swap, service: KubeObject): Promise<void> {
  const { namespace } = service.metadata
  const { clusterIP, clusterIPs } = Object(service['spec'])
  const plain = sides.withoutNodePorts(service)
  const object = { ...plain, spec: { ...Object(plain['spec']), clusterIP, clusterIPs } }
  await api.resource(builtIn.services).update(object, { namespace, signal, fieldManager })
}

/** What is left when upstream is gone. */
function ending(part: NodePart, ours: Ours | undefined): readonly Step[] {
  const own = sides.ownSide(part, ours)
  const set = ours?.owner?.by === 'helm' ? openSet(part, ours) : []
  return [
    {
      id: 'open',
      title: 'let ours onto every node, those that join too, and take the marks away; its pods are renewed one by one',
      command: `${commands.install(ours, set)} && kubectl -n ${own.namespace} rollout status daemonset ${own.name} && ${commands.unmark(part)}`,
      proof: `kubectl -n ${own.namespace} get daemonset ${own.name}: as many ready as nodes`,
      undo: 'the way back, by --back',
      patienceMs: sides.rolloutMs,
      run: now => open(now, part),
      async prove(now) {
        const loop = (await readSituation(now)).ours?.loop
        if (loop === undefined) return no('our DaemonSet is not there')
        if (sides.isHeldBack(loop, part)) return no(`${named(loop)} is kept to marked nodes`)
        return sides.openProof(now, part, loop)
      },
    },
    {
      id: 'doctor',
      title: 'look once more',
      command: 'ballast doctor',
      proof: 'no finding upstream-present or double-duty for it',
      undo: '-',
      async prove(now) {
        const { theirs } = await readSituation(now)
        const { name, replaced } = now.upstream
        if (theirs.length > 0) return no(`${theirs.map(named).join(', ')} is there, too`)
        return settled(now, `ours ${replaced.swap.does}, ${name} is gone`)
      },
    },
  ]
}

/** What Helm is told when all are done: on every node, and what leads stays awake. */
const openSet = (part: NodePart, ours: Ours): readonly string[] => [
  commands.onlyMarked(part, false),
  ...leaders.leaderSet(part, Math.max(1, ours.leader?.replicas ?? 1)),
]

/** With a live owner nothing is begun: it would put upstream back beside ours. */
async function checked(swap: Swap, part: NodePart): Promise<Proof> {
  const { situation, theirs } = await nowOf(swap)
  const live = liveOwner(theirs, situation.ours, 'the converted values there')
  const missing = live ?? (await missingOf(swap, await needsForth(swap, part)))
  if (missing !== undefined) return no(missing)
  const version = part.versionOf(theirs.workload)
  const chart = version === undefined ? '' : ` (chart ${version})`
  return yes(`${named(theirs)}${chart} on ${sides.onNodes(theirs)}; ${placeOfOurs(situation.ours)}`)
}

/** What is not Helm's to write: everything, or what an installation without it lacks: rights, and what lies among the pods on nodes. */
function wanted({ upstream }: Swap, part: NodePart, ours: Ours | undefined, { converted }: Whole): readonly KubeObject[] {
  const preset = leaders.atPath(part.valuesKey, commands.heldBack(part, ownMark))
  const values = leaders.withLeaderAsleep(converted.values, part)
  if (ours === undefined) return newInstallation(values, preset)
  // Other pods on nodes stay as they are: their values are not known here.
  const isAdded = (object: KubeObject) => {
    const { kind, metadata } = object
    const component = metadata.labels?.['app.kubernetes.io/component']
    const isOwn = component === part.component || leaders.isOfLeader(object, part)
    const isShared = component === 'namespace' || (kind === 'ConfigMap' && metadata.namespace !== ours.namespace)
    const place = kind === 'Namespace' ? metadata.name : metadata.namespace
    return place !== ours.namespace && (isOwn || isShared)
  }
  // Where it is awake its step is over, and it stays so.
  const isAwake = (object: KubeObject) =>
    object.kind === 'Deployment' && leaders.isOfLeader(object, part) && (ours.leader?.replicas ?? 0) > 0
  return withCapability(ours, upstream.capability, values, preset)
    .filter(object => (isRight(object) || isAdded(object)) && !isAwake(object))
    .map(object => (['DaemonSet', 'Deployment'].includes(object.kind) ? ofSameImage(object, ours.controller) : object))
}

const byHelm = ({ upstream }: Swap, command: string) =>
  `Ballast is installed by Helm, and what is written past it would be undone by its next upgrade. Run this, then go on: ${command} (values: ballast migrate plan ${upstream.replaced.id} -o json | jq .values > ${commands.valuesFile})`

async function install(swap: Swap, part: NodePart): Promise<void> {
  const { situation, whole } = await nowOf(swap)
  const { ours } = situation
  const { capability } = swap.upstream
  if (ours?.loop !== undefined && !sides.isHeldBack(ours.loop, part))
    throw new StepFailed(`${named(ours.loop)} is on every node already: both would fight for one port. Disable one`)
  if (ours?.owner?.by === 'helm')
    throw new StepFailed(byHelm(swap, commands.install(ours, [commands.onlyMarked(part, true), ...leaders.leaderSet(part, 0)])))
  // Rights and all that is mounted before what wants it.
  await applyAll(swap, wanted(swap, part, ours, whole))
  if (ours === undefined) return
  const section = Object(valueAt(whole.converted.values, ['capabilities', capability]))
  await writeSection(swap, ours, capability, { ...section, enabled: true })
}

async function installed(swap: Swap, part: NodePart): Promise<Proof> {
  const { situation, whole } = await nowOf(swap)
  const { ours } = situation
  const { capability } = swap.upstream
  if (ours === undefined) return no('the controller is not there')
  if (!ours.isReady) return no('no pod of the controller is ready')
  if (ours.loop === undefined) return no('our DaemonSet is not there')
  if (!sides.isHeldBack(ours.loop, part)) return no(`${named(ours.loop)} is not kept to marked nodes`)
  if (!ours.isEnabled) return no(`our configuration says nothing of a ${capability}`)
  const leads = leaders.leaderInstalled(situation, part)
  if (!leads.ok) return leads
  if (ours.owner?.by === 'helm') return yes(`the controller is ready, our ${capability} is kept to marked nodes`)
  const lacking = await missingRights(swap, wanted(swap, part, ours, whole).filter(isRight))
  if (lacking !== undefined) return no(`${lacking} is not as the ${capability} needs it`)
  return yes(`the controller is ready and has its rights, our ${capability} is kept to marked nodes`)
}

/** Onto every node, and only then the marks away: the other way round its pods would go in between. */
async function open(swap: Swap, part: NodePart): Promise<void> {
  const { ours } = await readSituation(swap)
  if (ours?.loop === undefined) throw new StepFailed('our DaemonSet is not there')
  if (sides.isHeldBack(ours.loop, part)) {
    if (ours.owner?.by === 'helm') throw new StepFailed(byHelm(swap, commands.install(ours, openSet(part, ours))))
    await sides.patchSet(swap, ours.loop, { spec: { template: { spec: commands.heldBack(part, null) } } })
  }
  // Under the old template a node without its mark would lose its pod.
  const seen = await eventually(swap, seenMs, async () => {
    const set = (await readSituation(swap)).ours?.loop?.workload
    const isSeen = (numberAt(set, 'status', 'observedGeneration') ?? 0) >= (set?.metadata.generation ?? 0)
    return isSeen ? yes('seen') : no('the DaemonSet’s controller has not seen that ours is for every node')
  })
  if (!seen.ok) throw new StepFailed(seen.said)
  await unmarkAll(swap, part.label)
}

async function needsForth(swap: Swap, part: NodePart): Promise<readonly Access[]> {
  const { situation, theirs, whole } = await nowOf(swap)
  const { ours } = situation
  const isHelms = ours?.owner?.by === 'helm'
  const inTheWay = await sides.servicesInTheWay(swap, part, theirs, whole)
  const applied = isHelms ? [] : wanted(swap, part, ours, whole)
  return [
    of(builtIn.nodes, undefined, 'patch'),
    of(builtIn.daemonsets, theirs.namespace, 'update'),
    ...(inTheWay.length === 0 ? [] : [of(builtIn.services, theirs.namespace, 'update')]),
    ...(isHelms ? [] : [of(builtIn.configmaps, ours?.namespace ?? ballastNamespace, 'update')]),
    ...applied.flatMap(object => ofObject(object, 'create', 'patch')),
    ...leaders.needsOfLeader(part, situation),
    ...ofRemoval(swap, theirs, whole),
  ]
}
