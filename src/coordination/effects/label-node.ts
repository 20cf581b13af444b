// Labels, annotations and extended resources of nodes: none takes anything from what runs, so that no permit is needed.

import type { Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { Permission } from '../needs.ts'
import { type EffectContext, effectOptions, leadingGuard } from './effect-context.ts'

/** Values to set; `null` takes away. */
type Values = Readonly<Record<string, string | null>>

interface NodeChange {
  readonly node: string
  /** A namesake of another UID is as good as gone. */
  readonly uid: string
  readonly requester: string
}

type LabelOutcome = { readonly kind: 'written'; readonly node: Node } | { readonly kind: 'gone' }

/** The rights that these effects take. */
export const labelNodePermissions: readonly Permission[] = [
  { groups: [''], resources: ['nodes'], verbs: ['patch'], because: 'labels and annotates nodes' },
  { groups: [''], resources: ['nodes/status'], verbs: ['patch'], because: 'adds extended resources to nodes' },
]

/**
 * Sets and takes away labels and annotations, in one write. Safe to call twice.
 *
 * @throws StatusError, also where a node of another UID has the name; what the leadership throws when we lead no more
 */
export async function labelNode(
  context: EffectContext,
  { labels, annotations, ...change }: NodeChange & { readonly labels: Values; readonly annotations: Values },
  signal: AbortSignal,
): Promise<LabelOutcome> {
  return patched(context, { ...change, body: { metadata: { uid: change.uid, labels, annotations } } }, signal)
}

/** Sets capacity and what is allocatable of extended resources, or takes them away. As `labelNode`. */
export async function advertiseResources(
  context: EffectContext,
  { resources, ...change }: NodeChange & { readonly resources: Values },
  signal: AbortSignal,
): Promise<LabelOutcome> {
  const body = { metadata: { uid: change.uid }, status: { capacity: resources, allocatable: resources } }
  return patched(context, { ...change, body, subresource: 'status' }, signal)
}

async function patched(
  context: EffectContext,
  { node, requester, body, subresource }: NodeChange & { readonly body: object; readonly subresource?: string },
  signal: AbortSignal,
): Promise<LabelOutcome> {
  const options = effectOptions(requester, undefined, { guard: leadingGuard(context), signal })
  const nodes = context.api.resource<Node>(builtIn.nodes)
  try {
    const where = subresource === undefined ? options : { ...options, subresource }
    return { kind: 'written', node: await nodes.patch(node, { type: 'merge', body }, where) }
  } catch (error) {
    if (isNotFound(error)) return { kind: 'gone' }
    throw error
  }
}
