// Ours on nodes, in a swap of what publishes or offers there: installed, or added to the pods that are there; and taken away again.
import { standardAgentNamespace } from '#coordination/capability.ts'
import { listAt, numberAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { OfferingPart, PublishingPart } from '#upstreams/upstream.ts'
import type { ValuesTree } from '#upstreams/values-tree.ts'
import { missingSettings, sectionAhead } from '../apis/own-api.ts'
import { type Now, named, shown } from '../both.ts'
import { fieldManager } from '../own-made.ts'
import { asHelmTakes, isRight, nameOfIts, ofSameImage, withCapability } from '../own-objects.ts'
import { switchedOff, switchedOn } from '../own-section.ts'
import type { Loop, Ours, Situation, Whole } from '../place.ts'
import { listOf, optional } from '../reading.ts'
import { readSituation } from '../situation.ts'
import { eventually, StepFailed, type Swap } from '../step.ts'
import { applyAll, isDefinition, missingRights, withoutTheirKinds, withSection, writeSection } from '../writes.ts'

/** Pods of all nodes are renewed, ten in a hundred at a time. */
const rolloutMs = 1_800_000

/** A role of our pods on nodes. */
type AgentPart = Pick<PublishingPart | OfferingPart, 'component' | 'role'>

const componentLabel = 'app.kubernetes.io/component'

/** Where our pods on nodes are. */
export const agentNamespaceOf = ({ ours }: Situation): string => ours?.loop?.namespace ?? standardAgentNamespace

const wordOf = ({ role }: AgentPart) => `--role=${role}`

/** Does the container have the role? A container has all roles of its process in one word. */
function hasRole(container: unknown, part: AgentPart): boolean {
  return listAt(container, 'args').some(word => String(word) === wordOf(part))
}

const containersOf = (workload: KubeObject): readonly unknown[] => listAt(templateOf(workload), 'spec', 'containers')

export const publishes = (loop: Loop | undefined, part: AgentPart): boolean =>
  loop !== undefined && containersOf(loop.workload).some(container => hasRole(container, part))

/** What an installation that is there lacks for it: rights, kinds, and its pods on nodes. */
function beside(swap: Swap, part: AgentPart, ours: Ours, { converted: { values } }: Whole): readonly KubeObject[] {
  const { capabilities: _section, ...around } = values
  const isOfNodes = ({ kind, metadata }: KubeObject) => {
    const component = metadata.labels?.[componentLabel]
    const isFile = kind === 'ConfigMap' && metadata.namespace !== ours.namespace
    return component === part.component || component === 'namespace' || isFile
  }
  return withCapability(ours, swap.upstream.capability, around, nameOfIts(ours))
    .filter(object => isRight(object) || isDefinition(object) || isOfNodes(object))
    .map(object => asHelmTakes(ofSameImage(object, ours.controller), ours.controller))
}

/** All that is applied, by what is there. */
export function wantedObjects(swap: Swap, part: AgentPart, { situation: { ours }, whole }: Now): readonly KubeObject[] {
  return ours === undefined ? switchedOn(swap, whole) : beside(swap, part, ours, whole)
}

/** Agents begin, whatever the controller's section says: `isOn`. */
export async function install(swap: Swap, part: AgentPart, now: Now, isOn: boolean): Promise<void> {
  const { capability } = swap.upstream
  const { ours } = now.situation
  if (ours === undefined) {
    const objects = await withoutTheirKinds(swap, wantedObjects(swap, part, now))
    return applyAll(
      swap,
      objects.map(object => (isOn ? object : switchedOff(swap, object))),
    )
  }
  const section = sectionAhead(swap, ours, now.whole.converted)
  await writeSection(swap, ours, capability, { ...section, enabled: isOn })
  // What agents are told follows from what stands in the controller's file now.
  const situation = await readSituation(swap)
  const objects = await withoutTheirKinds(swap, wantedObjects(swap, part, { ...now, situation }))
  const own = situation.ours?.loop
  if (own === undefined) return applyAll(swap, objects)
  await applyAll(
    swap,
    objects.filter(object => isRight(object) || isDefinition(object)),
  )
  await tellAgents(swap, own, section)
  await addRole(swap, part, own, objects)
}

/** Agents that are there have a file of their own: what they publish by is written into it, and nothing else. */
export async function tellAgents(swap: Swap, own: Loop, { enabled: _on, ...section }: ValuesTree): Promise<void> {
  const { api, signal, upstream } = swap
  const volume = listAt(templateOf(own.workload), 'spec', 'volumes').find(one => textAt(one, 'name') === 'config')
  const name = textAt(volume, 'configMap', 'name') ?? ''
  const { namespace } = own
  const maps = api.resource<KubeObject>(builtIn.configmaps)
  const file = await optional(maps.get(name, { namespace, signal }))
  const text = textAt(file, 'data', 'config.yaml')
  if (file === undefined || text === undefined)
    throw new StepFailed(`the configuration of ${shown(own)} (ConfigMap ${namespace}/${name}) cannot be read`)
  const changed = withSection(text, section, upstream.capability)
  if (changed === text) return
  await maps.update({ ...file, data: { ...Object(file['data']), 'config.yaml': changed } }, { namespace, signal, fieldManager })
}

/** One container more, and what it mounts; the others stay as they are. */
async function addRole(swap: Swap, part: AgentPart, own: Loop, objects: readonly KubeObject[]): Promise<void> {
  if (publishes(own, part)) return
  const made = objects.find(({ kind, metadata }) => kind === 'DaemonSet' && metadata.labels?.[componentLabel] === part.component)
  const container = made === undefined ? undefined : containersOf(made).find(one => hasRole(one, part))
  if (made === undefined || container === undefined) throw new StepFailed(`Ballast has no pods with ${wordOf(part)}`)
  const present = listAt(templateOf(own.workload), 'spec', 'volumes')
  const names = new Set(present.map(volume => textAt(volume, 'name')))
  const mounted = new Set(listAt(container, 'volumeMounts').map(mount => textAt(mount, 'name')))
  const lacking = listAt(templateOf(made), 'spec', 'volumes').filter(volume => {
    const name = textAt(volume, 'name')
    return mounted.has(name) && !names.has(name)
  })
  await writePod(swap, own, {
    containers: [...containersOf(own.workload), container],
    volumes: [...present, ...lacking],
  })
}

async function writePod({ api, signal }: Swap, { workload, namespace }: Loop, changed: ValuesTree): Promise<void> {
  const template: ValuesTree = Object(templateOf(workload))
  const spec = {
    ...Object(workload['spec']),
    template: { ...template, spec: { ...Object(template['spec']), ...changed } },
  }
  await api.resource<KubeObject>(builtIn.daemonsets).update({ ...workload, spec }, { namespace, signal, fieldManager })
}

/** The section is on or off, with upstream's settings, and our pods are on every node that they are for. */
export function installed(swap: Swap, part: AgentPart, now: Now, isOn: boolean): Proof {
  const { capability } = swap.upstream
  const { situation, whole } = now
  const { ours } = situation
  if (ours === undefined) return no('the controller is not there')
  if (ours.config === undefined)
    return no(`the configuration in ${ours.namespace}/${ours.file?.metadata.name} is refused: ballast doctor names it`)
  if (!isOn && (ours.isEnabled || ours.isWorking)) return no(`${capability} is on`)
  if (isOn && !ours.isEnabled) return no(`${capability} is off`)
  const missing = missingSettings(swap, ours, whole.converted)
  if (missing.length > 0) return no(`settings that upstream has are missing: ${missing.join(', ')}`)
  if (!ours.isReady) return no('no pod of the controller is ready')
  if (ours.loop === undefined || !publishes(ours.loop, part)) return no(`no pods of ours have ${wordOf(part)}`)
  return rolledOut(ours.loop)
}

/** Asked last: rendering all objects takes its time. */
export async function hasRights(swap: Swap, part: AgentPart, now: Now): Promise<Proof> {
  const lacking = await missingRights(swap, wantedObjects(swap, part, now).filter(isRight))
  return lacking === undefined ? yes('with its rights') : no(`${lacking} is not as ${swap.upstream.capability} needs it`)
}

/** All its pods are of its newest template, and ready. */
function rolledOut(loop: Loop): Proof {
  const status = (key: string) => numberAt(loop.workload, 'status', key) ?? 0
  const desired = status('desiredNumberScheduled')
  const isSeen = status('observedGeneration') >= (loop.workload.metadata.generation ?? 0)
  const said = `${status('numberReady')} of ${desired} pods of ${named(loop)} are ready`
  const isDone = status('numberReady') >= desired && status('updatedNumberScheduled') >= desired
  return isSeen && isDone && desired > 0 ? yes(said) : no(said)
}

/** Nothing of ours publishes any more: the role goes, and with it the DaemonSet where it has no other. @throws StepFailed where its pods do not end */
export async function takeRole(swap: Swap, part: AgentPart): Promise<void> {
  const own = (await readSituation(swap)).ours?.loop
  if (own !== undefined && publishes(own, part)) {
    const others = containersOf(own.workload).filter(container => !hasRole(container, part))
    if (others.length > 0) await writePod(swap, own, { containers: others })
    else await deleteSet(swap, own)
  }
  const ended = await eventually(swap, rolloutMs, async () => publishesNoMore(swap, part, await readSituation(swap)))
  if (!ended.ok) throw new StepFailed(`${ended.said}, after ${rolloutMs / 60_000} minutes`)
}

/** No pod of ours has the role: one that is on its way out may publish once more. */
export async function publishesNoMore(swap: Swap, part: AgentPart, situation: Situation): Promise<Proof> {
  const { api, signal } = swap
  if (publishes(situation.ours?.loop, part)) return no(`our pods on nodes have the role ${part.role}`)
  const pods = await listOf(api, builtIn.pods, 'Pod', { signal, namespace: agentNamespaceOf(situation) })
  const left = pods.filter(pod => listAt(pod, 'spec', 'containers').some(container => hasRole(container, part)))
  return left.length === 0 ? yes(`no pod has ${wordOf(part)}`) : no(`${left.length} pods with ${wordOf(part)} have not ended`)
}

async function deleteSet({ api, signal }: Swap, { workload, namespace, name }: Loop): Promise<void> {
  const { uid } = workload.metadata
  try {
    await api.resource(builtIn.daemonsets).delete(name, {
      namespace,
      signal,
      propagationPolicy: 'Background',
      ...(uid === undefined ? {} : { preconditions: { uid } }),
    })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}
