// Node by node: what is there goes, then the other comes; never both, since they bind the same port. Whoever is stopped in the middle
// goes on with the node it was at.

import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { no, yes } from '#upstreams/proof.ts'
import { hasReady, isUp } from './node-up.ts'
import { fieldManager } from './own-made.ts'
import type { Loop } from './place.ts'
import { listOf } from './reading.ts'
import { eventually, StepFailed, type Swap } from './step.ts'

/** Upstream's, or ours, as nodes and pods name it. */
export interface Side extends Pick<Loop, 'namespace' | 'selector'> {
  /** The label of a node that says whose turn it is. */
  readonly label: string
  /** The label's value where this side is. */
  readonly mark: string
  readonly isUnreadyAlone: boolean
}

/** A pod has 30 s for an orderly end. */
const leaveMs = 120_000
/** Its image has to come, from the registry if nobody else has it. */
const comeMs = 300_000

export const markOf = (node: KubeObject, label: string): string | undefined => node.metadata.labels?.[label]

/** `undefined` takes the mark away. */
async function markNode({ api, signal }: Swap, label: string, name: string, mark: string | undefined): Promise<void> {
  const body = { metadata: { labels: { [label]: mark ?? null } } }
  await api.resource(builtIn.nodes).patch(name, { type: 'merge', body }, { signal, fieldManager })
}

export const allNodes = ({ api, signal }: Swap): Promise<readonly KubeObject[]> => listOf(api, builtIn.nodes, 'Node', { signal })

/** Pods of a side, those included that end. */
export function podsOf({ api, signal }: Swap, { namespace, selector }: Pick<Side, 'namespace' | 'selector'>, node?: string) {
  const only = node === undefined ? {} : { fieldSelector: `spec.nodeName=${node}` }
  return listOf(api, builtIn.pods, 'Pod', { signal, namespace, labelSelector: selector, ...only })
}

const nodeOf = (pod: KubeObject): string => textAt(pod, 'spec', 'nodeName') ?? ''

/** Every node that `side` is on gets its mark; those that are further on keep theirs. */
export async function markAll(swap: Swap, side: Side): Promise<void> {
  const on = new Set((await podsOf(swap, side)).map(nodeOf))
  for (const node of await allNodes(swap))
    if (on.has(node.metadata.name) && markOf(node, side.label) === undefined)
      await markNode(swap, side.label, node.metadata.name, side.mark)
}

/** Nodes that `side` is on and that have no mark. */
export async function unmarked(swap: Swap, side: Side): Promise<readonly string[]> {
  const on = new Set((await podsOf(swap, side)).map(nodeOf))
  return (await allNodes(swap)).filter(node => on.has(node.metadata.name) && markOf(node, side.label) === undefined).map(nameOf)
}

/** Takes every mark away. */
export async function unmarkAll(swap: Swap, label: string): Promise<void> {
  for (const node of await allNodes(swap))
    if (markOf(node, label) !== undefined) await markNode(swap, label, nameOf(node), undefined)
}

const nameOf = ({ metadata }: KubeObject): string => metadata.name

interface Turn {
  readonly node: string
  readonly mark: string | undefined
  readonly place: number
  readonly of: number
}

/**
 * One node after the other, those that joined meanwhile included. @throws StepFailed naming the node on which it failed, which has `from`
 * again; and, when all others are done, nodes that are not Ready: nothing of them can be known
 */
export async function switchNodes(swap: Swap, from: Side, to: Side): Promise<void> {
  for (;;) {
    const { turn, unready } = await nextTurn(swap, from, to)
    if (turn !== undefined) await switchNode(swap, { from, to }, turn)
    else if (unready.length > 0)
      throw new StepFailed(
        `${unready.join(', ')}: not Ready, and left as they are; all others are done. Run it again when they are`,
      )
    else return
  }
}

async function nextTurn(swap: Swap, from: Side, to: Side) {
  const [nodes, leaving, coming] = await Promise.all([allNodes(swap), podsOf(swap, from), podsOf(swap, to)])
  const isOn = (pods: readonly KubeObject[], node: KubeObject) => pods.some(pod => nodeOf(pod) === node.metadata.name)
  const isLeft = (node: KubeObject) => {
    const mark = markOf(node, to.label)
    if (mark === to.mark)
      return (
        isOn(leaving, node) || !coming.some(pod => nodeOf(pod) === node.metadata.name && isUp(pod, coming, to.isUnreadyAlone))
      )
    return mark === 'none' || mark === from.mark || isOn(leaving, node)
  }
  const left = nodes.filter(isLeft)
  const ready = left.filter(hasReady)
  // What was begun comes first.
  const next = ready.find(node => markOf(node, to.label) === to.mark || markOf(node, to.label) === 'none') ?? ready[0]
  const done = nodes.filter(node => markOf(node, to.label) === to.mark).length
  const turn: Turn | undefined =
    next === undefined ? undefined : { node: nameOf(next), mark: markOf(next, to.label), place: done + 1, of: done + left.length }
  return { turn, unready: left.filter(node => !hasReady(node)).map(nameOf) }
}

interface Sides {
  readonly from: Side
  readonly to: Side
}

async function switchNode(swap: Swap, { from, to }: Sides, { node, mark, place, of }: Turn): Promise<void> {
  swap.tell(`node ${node} (${place} of ${of}): ${from.mark} goes, ${to.mark} comes`)
  if (mark !== to.mark && mark !== 'none') await markNode(swap, to.label, node, 'none')
  const left = await eventually(swap, leaveMs, async () =>
    (await podsOf(swap, from, node)).length === 0 ? yes('gone') : no(`the pod of ${from.mark} does not end`),
  )
  if (!left.ok) await putBack(swap, { from, to }, node, left.said)
  if (mark !== to.mark) await markNode(swap, to.label, node, to.mark)
  const come = await eventually(swap, comeMs, async () => {
    const all = await podsOf(swap, to)
    const isThere = all.some(pod => nodeOf(pod) === node && isUp(pod, all, to.isUnreadyAlone))
    return isThere ? yes('there') : no(`the pod of ${to.mark} is not Ready`)
  })
  if (!come.ok) await putBack(swap, { from, to }, node, come.said)
}

/** The node has what it had. @throws StepFailed always */
async function putBack(swap: Swap, { from, to }: Sides, node: string, why: string): Promise<never> {
  await markNode(swap, to.label, node, 'none')
  const gone = await eventually(swap, leaveMs, async () =>
    (await podsOf(swap, to, node)).length === 0 ? yes('gone') : no(`the pod of ${to.mark} does not end`),
  )
  if (!gone.ok)
    throw new StepFailed(`node ${node}: ${why}; and ${gone.said}: it is marked none, and neither comes until that pod is gone`)
  await markNode(swap, to.label, node, from.mark)
  throw new StepFailed(`node ${node}: ${why}; ${from.mark} is there again. Look at it, then run it again`)
}
