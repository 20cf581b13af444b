// A node takes pods again: the only writer of `spec.unschedulable`. It takes nothing from anybody, so that it needs no permit that is out.
import type { Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isConflict, isForbidden, isInvalid, isNotFound } from '#kube/objects/status.ts'
import type { Permission } from '../needs.ts'
import { type SignedCordon, stillCarries } from '../observed/cordon.ts'
import { type EffectContext, effectOptions, leadingGuard } from './effect-context.ts'

/** The right this effect takes. Whoever leads without it ends the drain all the same, and says that the cordon stays. */
export const uncordonPermission: Permission = {
  groups: [''],
  resources: ['nodes'],
  verbs: ['patch'],
  because: 'takes the cordon of a drain off again that gave way to a pod',
}

type UncordonOutcome =
  | { readonly kind: 'uncordoned'; readonly node: Node }
  /** It takes pods already, or somebody else has cordoned it since. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'refused'; readonly message: string }

const conflictTries = 5

/**
 * Takes `cordon` off a node; any other stays. Safe to call twice.
 * @throws what the leadership throws when we lead no more; what the server answers but for a refusal.
 */
export async function uncordon(
  context: EffectContext,
  choice: { readonly node: string; readonly uid: string | undefined; readonly cordon: SignedCordon },
  signal: AbortSignal,
): Promise<UncordonOutcome> {
  const nodes = context.api.resource<Node>(builtIn.nodes)
  for (let attempt = 1; ; attempt++) {
    const guard = leadingGuard(context)
    try {
      const node = await nodes.get(choice.node, { signal })
      const { uid, resourceVersion } = node.metadata
      if (choice.uid !== undefined && uid !== choice.uid) return { kind: 'gone' }
      if (!stillCarries(node, choice.cordon)) return { kind: 'unchanged' }
      const body = { metadata: { uid, resourceVersion }, spec: { unschedulable: null } }
      const options = effectOptions('arbiter', undefined, { guard, signal })
      return { kind: 'uncordoned', node: await nodes.patch(choice.node, { type: 'merge', body }, options) }
    } catch (error) {
      if (isNotFound(error)) return { kind: 'gone' }
      if (isForbidden(error) || isInvalid(error)) return { kind: 'refused', message: error.message }
      if (!isConflict(error) || attempt >= conflictTries) throw error
    }
  }
}
