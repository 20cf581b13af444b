// Carries out what was decided of a node: resources, then labels and annotations, then taints, as upstream's master does.

import { createHash } from 'node:crypto'
import type { PodState } from '#cluster/cluster-state.ts'
import type { Leading } from '#coordination/capability.ts'
import { advertiseResources, labelNode } from '#coordination/effects/label-node.ts'
import { markNode, unmarkNode } from '#coordination/effects/taint.ts'
import type { Intent } from '#coordination/intent.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Node, Taint } from '#kube/objects/objects.ts'
import { tolerates } from '#kube/objects/tolerations.ts'
import { capabilityName } from '../names.ts'
import type { nodeChanges } from './node-changes.ts'

const permitMs = 60_000

interface Writing {
  readonly leading: Leading
  readonly nodes: Informer<Node>
}

/** What is to be written to the node as the server has it, decided anew. */
type Decide = (node: Node) => ReturnType<typeof nodeChanges>

interface Written {
  readonly isWritten: boolean
  /** Why taints were not set, in the arbiter's words: they are asked for again. */
  readonly refused?: string
}

/**
 * Writes what `decide` says of `node`. A node that is gone meanwhile is left alone.
 *
 * @throws StatusError; what the leadership throws when we lead no more
 */
export async function writeNode(node: Node, decide: Decide, { leading, nodes }: Writing, signal: AbortSignal): Promise<Written> {
  const { name, uid = '' } = node.metadata
  const { labels, annotations, resources, taints } = decide(node)
  const change = { node: name, uid, requester: capabilityName }
  const seen = (outcome: Awaited<ReturnType<typeof labelNode>>) => {
    if (outcome.kind === 'written') nodes.observe(outcome.node)
  }
  const writesResources = Object.keys(resources).length > 0
  const writesMarks = Object.keys(labels).length > 0 || Object.keys(annotations).length > 0
  if (writesResources) seen(await advertiseResources(leading.effects, { ...change, resources }, signal))
  if (writesMarks) seen(await labelNode(leading.effects, { ...change, labels, annotations }, signal))
  if (taints === undefined) return { isWritten: writesResources || writesMarks }
  const refused = await writeTaints({ ...change, add: taints.add, decide }, { leading, nodes }, signal)
  return { isWritten: true, ...(refused === undefined ? {} : { refused }) }
}

/** Gives back what an earlier leader was granted: whatever of it was done shows on the nodes, and the rest is asked for anew. */
export async function withdrawUnfinished({ arbiter }: Leading, signal: AbortSignal): Promise<void> {
  for (const record of arbiter.unfinished(capabilityName))
    await arbiter.release(record, { ending: 'withdrawn', reason: 'a later leader looks at the nodes anew' }, signal)
}

interface TaintWrite {
  readonly node: string
  readonly uid: string
  readonly requester: string
  readonly add: readonly Taint[]
  readonly decide: Decide
}

/** @returns why taints were not set */
async function writeTaints(
  { add, decide, ...change }: TaintWrite,
  { leading, nodes }: Writing,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { arbiter, effects } = leading
  const wanted = (node: Node) => decide(node).taints
  const seen = (outcome: Awaited<ReturnType<typeof markNode>>) => {
    if (outcome.kind !== 'gone') nodes.observe(outcome.node)
  }
  if (add.length === 0) {
    seen(await unmarkNode(effects, { ...change, marks: wanted }, signal))
    return undefined
  }
  const reply = await arbiter.request(
    intentOf({ ...change, add }, leading.view.state().podsOn(change.node), effects.clock.now()),
    signal,
  )
  if (reply.kind !== 'granted') {
    // What goes needs nobody's word.
    const marks = (node: Node) => {
      const taints = wanted(node)
      return taints === undefined || taints.remove.length === 0 ? undefined : { ...taints, add: [], annotations: {} }
    }
    seen(await unmarkNode(effects, { ...change, marks }, signal))
    return reply.sentence
  }
  seen(await markNode(effects, reply.permit, { ...change, marks: wanted }, signal))
  await arbiter.release(reply.permit.record, { ending: 'done', reason: `${change.node} is tainted` }, signal)
  return undefined
}

/** A wish to taint a node: nothing that runs is taken from anybody, but by the effect NoExecute. */
function intentOf(
  { node, uid, add }: Pick<TaintWrite, 'node' | 'uid' | 'add'>,
  pods: readonly PodState[],
  nowMs: number,
): Intent {
  const wished = add.map(({ key, value = '', effect }) => `${key}=${value}:${effect}`).toSorted()
  return {
    requester: capabilityName,
    verb: 'taint',
    purpose: 'steer',
    class: 'correctness',
    targets: [{ apiVersion: 'v1', kind: 'Node', name: node, uid }],
    workload: undefined,
    disrupts: takenAway(add, pods).map(pod => ({
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: pod.namespace,
      name: pod.name,
      uid: pod.uid,
    })),
    reasons: [{ code: 'node-features', message: `its features ask for ${wished.slice(0, 8).join(', ')}` }],
    idempotencyKey: createHash('sha256')
      .update(`${uid} ${wished.join(' ')}`)
      .digest('hex'),
    deadlineMs: nowMs + permitMs,
    timeToLiveMs: permitMs,
  }
}

/** The pods of a node that `add` takes away from it: at once, or when their time of tolerating it is over. Pure. */
export function takenAway<Of extends Pick<PodState, 'object' | 'isTerminating'>>(
  add: readonly Taint[],
  pods: readonly Of[],
): readonly Of[] {
  const evicting = add.filter(({ effect }) => effect === 'NoExecute')
  const stays = ({ object }: Of, taint: Taint) =>
    (object.spec.tolerations ?? []).some(one => one.tolerationSeconds === undefined && tolerates(one, taint))
  return pods.filter(pod => !pod.isTerminating && evicting.some(taint => !stays(pod, taint)))
}
