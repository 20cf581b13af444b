// What the steps of a swap node by node have in common, forth and back: both sides as nodes know them, and what is asked of their DaemonSets.

import { standardAgentNamespace } from '#coordination/capability.ts'
import { listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { NodePart } from '#upstreams/upstream.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { theTheirs } from './both.ts'
import { affinityOf } from './node-commands.ts'
import { isPinned, ownMark, pinned } from './node-pin.ts'
import { allNodes, markOf, podsOf, type Side, unmarked } from './node-turns.ts'
import { isUp } from './node-up.ts'
import { fieldManager } from './own-made.ts'
import type { Loop, Ours, Whole } from './place.ts'
import { listOf } from './reading.ts'
import type { Saved } from './record.ts'
import { readSituation } from './situation.ts'
import type { Swap } from './step.ts'
import { anewService } from './writes.ts'

/** A controller with its image, and a DaemonSet whose pods are renewed one by one. */
export const patienceMs = 300_000
export const rolloutMs = 1_800_000

/** Ours as it stands, or as `ballast manifests` names it. */
export function ownSide(part: NodePart, ours: Ours | undefined): Side & Pick<Loop, 'name'> {
  const { component, label } = part
  const standard = {
    namespace: standardAgentNamespace,
    name: `ballast-${component}`,
    selector: `app.kubernetes.io/name=ballast,app.kubernetes.io/component=${component}`,
  }
  const { namespace, name, selector } = ours?.loop ?? standard
  return { namespace, name, selector, label, mark: ownMark, isUnreadyAlone: false }
}

export function theirSide(
  part: NodePart,
  { upstream }: Pick<Swap, 'upstream'>,
  { namespace, name, selector }: Pick<Loop, 'namespace' | 'name' | 'selector'>,
): Side & Pick<Loop, 'name'> {
  const { label, isUnreadyAlone } = part
  return { namespace, name, selector, label, mark: upstream.replaced.id, isUnreadyAlone }
}

export async function sidesOf(swap: Swap, part: NodePart) {
  const situation = await readSituation(swap)
  return { own: ownSide(part, situation.ours), theirs: theirSide(part, swap, theTheirs(swap, situation)) }
}

/** Services whose node port is one of ours: whoever asks the node there is led to them. */
export async function servicesInTheWay(
  { api, signal }: Swap,
  part: NodePart,
  { namespace }: Loop,
  { converted }: Whole,
): Promise<readonly KubeObject[]> {
  const ports = part.ports(converted.values)
  const services = await listOf(api, builtIn.services, 'Service', { signal, namespace })
  return services.filter(service =>
    listAt(service, 'spec', 'ports').some(port => ports.includes(numberAt(port, 'nodePort') ?? 0)),
  )
}

/** Does upstream leave nodes that are marked for ours? */
export const isHeldOff = (theirs: Pick<Loop, 'workload'>, { label }: NodePart): boolean => isPinned(affinityOf(theirs), label)

/** Is ours on marked nodes only? */
export const isHeldBack = (own: Loop | undefined, { label }: NodePart): boolean =>
  valueAt(own?.workload['spec'], ['template', 'spec', 'nodeSelector', label]) !== undefined

/** It stays where it is and leaves nodes that are marked for ours; its pods are not restarted for it. */
export function heldOff(daemonSet: KubeObject, { label }: NodePart): KubeObject {
  const spec = Object(daemonSet['spec'])
  const pod = Object(spec.template.spec)
  const affinity = pinned(pod.affinity, label)
  return {
    ...daemonSet,
    spec: { ...spec, updateStrategy: { type: 'OnDelete' }, template: { ...spec.template, spec: { ...pod, affinity } } },
  }
}

/** A node port that is ours for now is left out: whoever asks the node there would be led to upstream's pods. */
export function withoutNodePorts(service: KubeObject): KubeObject {
  const anew = anewService(service)
  const { type: _type, externalTrafficPolicy: _policy, ports, ...spec } = Object(anew['spec'])
  const plain = Array.isArray(ports) ? { ports: ports.map(({ nodePort: _port, ...port }) => port) } : {}
  return { ...anew, spec: { ...spec, type: 'ClusterIP', ...plain } }
}

/** As `daemonSet`, replaced whole: what a merge would leave is to go. */
export async function replaceSet({ api, signal }: Swap, daemonSet: KubeObject): Promise<void> {
  const { namespace } = daemonSet.metadata
  await api.resource(builtIn.daemonsets).update(daemonSet, { namespace, signal, fieldManager })
}

export async function patchSet({ api, signal }: Swap, { namespace, name }: Loop, body: object): Promise<void> {
  await api.resource(builtIn.daemonsets).patch(name, { type: 'merge', body }, { namespace, signal, fieldManager })
}

/** The DaemonSet kept; `undefined` where nothing was. */
export const keptSet = (saved: Saved | undefined): KubeObject | undefined =>
  saved?.removed.find(({ kind }) => kind === 'DaemonSet')

const nameOf = ({ metadata }: KubeObject): string => metadata.name

export async function markedProof(swap: Swap, side: Side): Promise<Proof> {
  const left = await unmarked(swap, side)
  return left.length === 0 ? yes(`every node with ${side.mark} is marked`) : no(`not marked: ${left.join(', ')}`)
}

/** Nothing of `from` is left, and `to` is Ready on every node that is marked. */
export async function switchedProof(swap: Swap, from: Side, to: Side): Promise<Proof> {
  const left = await podsOf(swap, from)
  if (left.length > 0) return no(`${from.mark} has ${left.length} pods`)
  const [nodes, pods] = await Promise.all([allNodes(swap), podsOf(swap, to)])
  const up = pods.filter(pod => isUp(pod, pods, to.isUnreadyAlone))
  const on = new Set(up.map(pod => textAt(pod, 'spec', 'nodeName')))
  const marked = nodes.filter(node => markOf(node, to.label) !== undefined)
  const lacking = marked.filter(node => !on.has(nameOf(node)) || markOf(node, to.label) !== to.mark)
  return lacking.length === 0
    ? yes(`${to.mark} is Ready on ${marked.length} ${marked.length === 1 ? 'node' : 'nodes'}`)
    : no(`${to.mark} is not Ready on ${lacking.map(nameOf).join(', ')}`)
}

/** No node is marked any more, and all pods are of the newest template, and Ready. */
export async function openProof(swap: Swap, part: NodePart, { workload }: Loop): Promise<Proof> {
  const marked = (await allNodes(swap)).filter(node => markOf(node, part.label) !== undefined)
  if (marked.length > 0) return no(`marked still: ${marked.map(nameOf).join(', ')}`)
  const status = (key: string) => numberAt(workload, 'status', key) ?? 0
  const desired = status('desiredNumberScheduled')
  const isNew = status('observedGeneration') >= (workload.metadata.generation ?? 0)
  const said = `${status('numberReady')} of ${desired} are Ready, ${status('updatedNumberScheduled')} renewed`
  const isDone = desired > 0 && status('numberReady') >= desired && status('updatedNumberScheduled') >= desired
  return isNew && isDone ? yes(said) : no(said)
}

export const onNodes = ({ running }: Loop): string => `${running} ${running === 1 ? 'node' : 'nodes'}`

/** Was one direction over already, up to its last steps? */
export const isPast = ({ record }: Swap, direction: 'forth' | 'back', id: string): boolean =>
  record.content.direction === direction && record.content.done.includes(id)
