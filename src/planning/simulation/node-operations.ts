// What is done to nodes: they come and go, change their labels, taints and size, are cordoned and switched off.

import type { KubeObject, Node, Taint } from '#kube/objects/objects.ts'
import { driveAway, reconcileDaemons, takeAway } from './controllers.ts'
import { drainNode } from './eviction-operations.ts'
import type { OperationOf } from './scenario.ts'
import type { StepContext } from './step-context.ts'

/** Where kwok's own nodes begin. */
const roomyNode = { cpu: '1k', memory: '1Ti', pods: '1M' }
const hostname = 'kubernetes.io/hostname'
const offTaint: Taint = { key: 'ballast.dev/off', effect: 'NoSchedule' }

export function addNodes(context: StepContext, operation: OperationOf<'addNode'>): string {
  const { world } = context
  const { like } = operation
  const model = like === undefined ? undefined : world.state.nodes.get(like)?.object
  if (like !== undefined && model === undefined) context.nodes([like])
  const names =
    operation.count === 1 ? [operation.name] : Array.from({ length: operation.count }, (_, at) => `${operation.name}-${at + 1}`)
  for (const name of names) {
    if (world.state.nodes.has(name)) context.refuse('name', name, 'a name that no node has')
    world.put(newNode(name, operation, model))
  }
  reconcileDaemons(world, names)
  return operation.count === 1
    ? `node ${operation.name} is added`
    : `${names.length} nodes ${operation.name}-1 to ${operation.name}-${names.length} are added`
}

function newNode(name: string, operation: OperationOf<'addNode'>, model: Node | undefined): Node {
  const own =
    model === undefined ? { type: 'kwok', 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64' } : model.metadata.labels
  const labels = changed({ ...own, [hostname]: name }, operation.labels ?? {})
  const allocatable = { ...(model?.status?.allocatable ?? model?.status?.capacity ?? roomyNode), ...operation.allocatable }
  const taints: readonly Taint[] =
    operation.taints?.map(({ value, ...taint }) => (value === undefined ? taint : { ...taint, value })) ??
    model?.spec?.taints ??
    []
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `node-${name}`, labels },
    spec: taints.length === 0 ? {} : { taints },
    status: {
      allocatable,
      capacity: allocatable,
      conditions: [{ type: 'Ready', status: 'True' }],
      ...(model?.status?.nodeInfo === undefined ? {} : { nodeInfo: model.status.nodeInfo }),
    },
  }
}

/** `null` takes a label away. */
function changed(
  labels: Readonly<Record<string, string>> | undefined,
  change: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string>> {
  const kept = Object.entries(labels ?? {}).filter(([key]) => !Object.hasOwn(change, key))
  const set = Object.entries(change).filter((entry): entry is [string, string] => entry[1] !== null)
  return Object.fromEntries([...kept, ...set])
}

export function removeNodes(context: StepContext, operation: OperationOf<'removeNode'>): string {
  const { world } = context
  const names = context.nodes(operation.node)
  for (const name of names) {
    const pods = world.state.podsOn(name)
    const finished = [...world.state.pods.values()].filter(pod => pod.nodeName === name && pod.isFinished)
    const node = world.state.nodes.get(name)
    if (node !== undefined) world.drop(node.object)
    context.off.delete(name)
    for (const pod of finished) world.remove(pod.object)
    for (const pod of pods) if (takeAway(world, pod).kind === 'lost') context.tellLost(pod)
  }
  return `${nodesText(names)} removed`
}

function nodesText(names: readonly string[]): string {
  return names.length === 1 ? `node ${names[0]} is` : `nodes ${names.join(', ')} are`
}

/** Every named node as `change` makes it; daemon pods follow. */
function changeNodes(context: StepContext, given: string | readonly string[], change: (node: Node) => Node): readonly string[] {
  const names = context.nodes(given)
  for (const name of names) {
    const node = context.world.state.nodes.get(name)
    if (node !== undefined) context.world.put(change(node.object))
  }
  reconcileDaemons(context.world, names)
  return names
}

export function cordonNodes(context: StepContext, operation: OperationOf<'cordon'> | OperationOf<'uncordon'>): string {
  const unschedulable = operation.op === 'cordon'
  const names = changeNodes(context, operation.node, node => cordoned(node, unschedulable))
  return `${nodesText(names)} ${unschedulable ? '' : 'un'}cordoned`
}

function cordoned(node: Node, isCordoned: boolean): Node {
  const { unschedulable: _before, ...spec } = node.spec ?? {}
  return { ...node, spec: isCordoned ? { ...spec, unschedulable: true } : spec }
}

export function taintNodes(context: StepContext, operation: OperationOf<'taint'>): string {
  const { key, value, effect } = operation
  const taint: Taint = { key, effect, ...(value === undefined ? {} : { value }) }
  const names = changeNodes(context, operation.node, node => withTaint(node, taint))
  if (effect === 'NoExecute') {
    const { gone, lost } = driveAway(context.world, names)
    context.lost.push(...lost)
    if (gone.length > 0) context.notes.push(`${gone.length} pods do not tolerate it and were deleted; budgets are not asked`)
  }
  return `${nodesText(names)} tainted ${key}${value === undefined ? '' : `=${value}`}:${effect}`
}

function withTaint(node: Node, taint: Taint): Node {
  const others = (node.spec?.taints ?? []).filter(({ key, effect }) => key !== taint.key || effect !== taint.effect)
  return { ...node, spec: { ...node.spec, taints: [...others, taint] } }
}

export function untaintNodes(context: StepContext, operation: OperationOf<'untaint'>): string {
  const { key, effect } = operation
  const isMeant = (taint: Taint) => taint.key === key && (effect === undefined || taint.effect === effect)
  const without = context
    .nodes(operation.node)
    .filter(name => !(context.world.state.nodes.get(name)?.object.spec?.taints ?? []).some(isMeant))
  if (without.length > 0) context.notes.push(`${without.join(', ')}: had no such taint`)
  const names = changeNodes(context, operation.node, node => ({
    ...node,
    spec: { ...node.spec, taints: (node.spec?.taints ?? []).filter(taint => !isMeant(taint)) },
  }))
  return `${nodesText(names)} freed of the taint ${key}${effect === undefined ? '' : `:${effect}`}`
}

export function labelObjects(context: StepContext, operation: OperationOf<'label'>): string {
  const { world } = context
  const shown = Object.entries(operation.labels)
    .map(([key, value]) => (value === null ? `${key}-` : `${key}=${value}`))
    .join(', ')
  const labelled = <Labelled extends KubeObject>(object: Labelled): Labelled => ({
    ...object,
    metadata: { ...object.metadata, labels: changed(object.metadata.labels, operation.labels) },
  })
  if (operation.node !== undefined) {
    const names = changeNodes(context, operation.node, labelled)
    return `${nodesText(names)} labelled ${shown}`
  }
  if (operation.workload !== undefined) {
    const workload = context.workload(operation.workload)
    world.put(labelled(workload))
    return `${workload.kind} ${operation.workload} is labelled ${shown}`
  }
  const { namespace = '' } = operation
  const found = world.object('Namespace', undefined, namespace)
  if (found === undefined) context.refuse('namespace', namespace, 'a namespace that is there')
  world.put(labelled(found))
  return `namespace ${namespace} is labelled ${shown}`
}

export function resizeNodes(context: StepContext, operation: OperationOf<'setAllocatable'>): string {
  const names = changeNodes(context, operation.node, node => {
    const allocatable = { ...(node.status?.allocatable ?? node.status?.capacity), ...operation.allocatable }
    return { ...node, status: { ...node.status, allocatable } }
  })
  const shown = Object.entries(operation.allocatable).map(([resource, amount]) => `${resource} ${amount}`)
  return `${nodesText(names)} given ${shown.join(', ')}`
}

/** Cordoned, drained, switched off. A node on which a budget holds a pod stays on, unless it is forced. */
export function powerOffNodes(context: StepContext, operation: OperationOf<'powerOff'>): string {
  const { world } = context
  const names = context.nodes(operation.node)
  const done: string[] = []
  for (const name of names) {
    const refusedBefore = context.refusals.length
    drainNode(context, name, { isForced: true, deletesEmptyDirs: true })
    if (context.refusals.length > refusedBefore && !operation.force) {
      context.notes.push(`${name} stays on, cordoned: ${context.refusals.length - refusedBefore} pods may not leave it`)
      continue
    }
    for (const pod of world.state.podsOn(name))
      if (pod.workload?.kind !== 'DaemonSet' && takeAway(world, pod).kind === 'lost') context.tellLost(pod)
    const node = world.state.nodes.get(name)
    if (node === undefined) continue
    const { object } = node
    const notReady = { type: 'Ready', status: 'False' as const, reason: 'KubeletNotReady' }
    const conditions = [...(object.status?.conditions ?? []).filter(({ type }) => type !== 'Ready'), notReady]
    world.put({ ...withTaint(object, offTaint), status: { ...object.status, conditions } })
    context.off.add(name)
    done.push(name)
  }
  world.schedule()
  return done.length === 0 ? 'no node is switched off' : `${nodesText(done)} switched off`
}
