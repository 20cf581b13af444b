// What nodes have to give by plugins of both sides: what they had before a swap, what they have now, and which pods stand behind it.

import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { StatusError } from '#kube/objects/status.ts'
import { parseQuantity, wholeValue } from '#kube/values/quantity.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { OfferingPart } from '#upstreams/upstream.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { hasReady } from '../node-up.ts'
import type { Loop, Situation } from '../place.ts'
import { agentNamespaceOf } from '../publishing/own-agents.ts'
import { listOf } from '../reading.ts'
import { savedWith } from '../record.ts'
import type { Swap } from '../step.ts'

/** A kubelet tells what its node has every ten seconds. */
export const kubeletSaysMs = 15_000

/** Bytes of what a pod of ours says of its readiness. */
const longestReadiness = 65_536
const mostAtOnce = 10
const mostTold = 5

/** So many of a resource on a node. */
interface Offered {
  readonly node: string
  readonly resource: string
  readonly count: number
}

/** What nodes can give now of what upstream offers; nothing where a node has none. */
async function offeredNow({ api, signal }: Swap, part: OfferingPart): Promise<readonly Offered[]> {
  const nodes = await listOf(api, builtIn.nodes, 'Node', { signal })
  return nodes.flatMap(node =>
    Object.entries(Object(valueAt(node['status'], ['allocatable'])))
      .filter(([resource]) => part.isOffered(resource))
      .map(([resource, value]) => ({ node: node.metadata.name, resource, count: countOf(value) }))
      .filter(({ count }) => count > 0),
  )
}

/** A thousand is written as `1k`. */
function countOf(value: unknown): number {
  const read = parseQuantity(String(value))
  return read.ok ? Number(wholeValue(read.value)) : 0
}

const asLine = ({ node, resource, count }: Offered): string => `${node} ${resource} ${count}`

function fromLine(line: string): Offered {
  const [node = '', resource = '', count = ''] = line.split(' ')
  return { node, resource, count: Number(count) }
}

/** What nodes have before anything changes is kept: later it is asked for again. */
export async function keepOffered(swap: Swap, part: OfferingPart): Promise<void> {
  const answered = (await offeredNow(swap, part)).map(asLine)
  await swap.record.write({ saved: savedWith(swap.record.saved, { answered }) })
}

/** What was kept, of nodes that are still there. */
async function keptOf({ api, signal, record }: Swap): Promise<readonly Offered[]> {
  const nodes = await listOf(api, builtIn.nodes, 'Node', { signal, metadataOnly: true })
  const there = new Set(nodes.map(({ metadata }) => metadata.name))
  return (record.saved?.answered ?? []).map(fromLine).filter(({ node }) => there.has(node))
}

/** Has each node as much as before? `least`: what is enough, where it is not all of it. */
export async function hasAsMuch(swap: Swap, part: OfferingPart, least?: number): Promise<Proof> {
  const [before, now] = [await keptOf(swap), await offeredNow(swap, part)]
  const counts = new Map(now.map(one => [`${one.node} ${one.resource}`, one.count]))
  const lacking = before.flatMap(({ node, resource, count }) => {
    const has = counts.get(`${node} ${resource}`) ?? 0
    return has >= (least ?? count) ? [] : [`${node} has ${has} of ${resource}, it had ${count}`]
  })
  if (lacking.length > 0) return no(some(lacking))
  return yes(`${of(new Set(before.map(({ node }) => node)).size, 'node')} with devices have what they had`)
}

/** Nodes that lack something of what they had. */
export async function lackingNodes(swap: Swap, part: OfferingPart): Promise<readonly string[]> {
  const now = new Set((await offeredNow(swap, part)).map(({ node, resource }) => `${node} ${resource}`))
  const lacking = (await keptOf(swap)).filter(({ node, resource }) => !now.has(`${node} ${resource}`))
  return [...new Set(lacking.map(({ node }) => node))]
}

const of = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`
const some = (said: readonly string[]): string =>
  `${said.slice(0, mostTold).join('; ')}${said.length > mostTold ? ` and ${said.length - mostTold} more` : ''}`

const onNode = (pods: readonly KubeObject[], node: string): KubeObject | undefined =>
  pods.find(pod => textAt(pod, 'spec', 'nodeName') === node && pod.metadata.deletionTimestamp === undefined && hasReady(pod))

/** Does a pod of ours on each of these nodes say that the kubelet knows it? A pod is ready too where it finds no device. */
export async function agentsOffer(swap: Swap, part: OfferingPart, situation: Situation, heard: Set<string>): Promise<Proof> {
  const pods = await ownPods(swap, part, situation)
  const before = await keptOf(swap)
  const lacking: string[] = []
  for (let at = 0; at < before.length; at += mostAtOnce) {
    const asked = before.slice(at, at + mostAtOnce).map(async ({ node, resource }) => {
      const pod = onNode(pods, node)
      if (pod === undefined) return `${node}: no pod of ours is ready`
      // What it said once it need not say again each second.
      const key = `${pod.metadata.uid} ${resource}`
      if (heard.has(key)) return undefined
      const why = await refusal(swap, part, pod, resource)
      if (why === undefined) heard.add(key)
      return why === undefined ? undefined : `${node}: ${pod.metadata.name} ${why}`
    })
    lacking.push(...(await Promise.all(asked)).filter(why => why !== undefined))
  }
  return lacking.length === 0 ? yes('ours is registered for all of it') : no(some(lacking))
}

/** Why it does not count as registered. */
async function refusal(swap: Swap, part: OfferingPart, pod: KubeObject, resource: string): Promise<string | undefined> {
  const said = await readinessOf(swap, part, pod)
  if ('text' in said)
    return part.isRegistered(said.text, resource) ? undefined : `does not say that it is registered for ${resource}`
  return swap.allowLossy ? undefined : said.why
}

/** What a pod of ours says; the API server asks it for us. */
async function readinessOf(
  { api, signal }: Swap,
  { healthPort }: OfferingPart,
  { metadata }: KubeObject,
): Promise<{ readonly text: string } | { readonly why: string }> {
  const path = `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}:${healthPort}/proxy/readyz`
  try {
    return { text: (await api.getBytes(path, { signal, query: { verbose: '' }, mostBytes: longestReadiness })).toString('utf8') }
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    const why = `could not be asked through the API server (pods/proxy, port ${healthPort}): ${error.message}; --allow-lossy goes by its readiness alone`
    return { why }
  }
}

/** Does no pod of ours on these nodes say any more that the kubelet knows it? They go on with what else they offer. */
export async function agentsWithhold(swap: Swap, part: OfferingPart, situation: Situation): Promise<Proof> {
  const pods = await ownPods(swap, part, situation)
  const before = await keptOf(swap)
  const left: string[] = []
  for (let at = 0; at < before.length; at += mostAtOnce) {
    const asked = before.slice(at, at + mostAtOnce).map(async ({ node, resource }) => {
      const pod = onNode(pods, node)
      if (pod === undefined) return undefined
      const said = await readinessOf(swap, part, pod)
      if ('why' in said) return swap.allowLossy ? undefined : `${node}: ${pod.metadata.name} ${said.why}`
      return part.isRegistered(said.text, resource)
        ? `${node}: ${pod.metadata.name} says that it is registered for ${resource}`
        : undefined
    })
    left.push(...(await Promise.all(asked)).filter(why => why !== undefined))
  }
  return left.length === 0 ? yes('ours offers none of it any more, and goes on with what else it offers') : no(some(left))
}

async function ownPods({ api, signal }: Swap, { role }: OfferingPart, situation: Situation): Promise<readonly KubeObject[]> {
  const pods = await listOf(api, builtIn.pods, 'Pod', { signal, namespace: agentNamespaceOf(situation) })
  return pods.filter(pod =>
    listAt(pod, 'spec', 'containers').some(container => listAt(container, 'args').includes(`--role=${role}`)),
  )
}

/** Has upstream a ready pod on each node that has devices? */
export async function pluginsOffer(swap: Swap, plugins: readonly Loop[]): Promise<Proof> {
  const pods = (await Promise.all(plugins.map(plugin => podsOfSet(swap, plugin)))).flat()
  const nodes = [...new Set((await keptOf(swap)).map(({ node }) => node))]
  const lacking = nodes.filter(node => onNode(pods, node) === undefined)
  if (lacking.length === 0) return yes(`upstream is on ${of(nodes.length, 'node')} with devices`)
  return no(`no pod of upstream is ready on ${some(lacking)}`)
}

/** Pods of a DaemonSet of upstream's. */
export async function podsOfSet({ api, signal }: Swap, { namespace, selector, workload }: Loop): Promise<readonly KubeObject[]> {
  const pods = await listOf(api, builtIn.pods, 'Pod', { signal, namespace, labelSelector: selector })
  const { uid } = workload.metadata
  return pods.filter(({ metadata }) => (metadata.ownerReferences ?? []).some(owner => owner.uid === uid))
}
