// Taints of nodes: the only writer of `spec.taints`. Setting one needs a permit; taking ours away takes nothing from anybody.

import type { Node, Taint } from '#kube/objects.ts'
import { builtIn } from '#kube/resource.ts'
import { isConflict, isNotFound } from '#kube/status.ts'
import type { Permission } from '../capability.ts'
import type { Permit } from '../ledger.ts'
import { assertPermitted, type EffectContext, effectOptions } from './effect-context.ts'

/** The right this effect takes. */
export const taintPermission: Permission = {
  groups: [''],
  resources: ['nodes'],
  verbs: ['patch'],
  because: 'sets and removes taints of ours',
}

type TaintOutcome =
  | { readonly kind: 'written'; readonly node: Node }
  | { readonly kind: 'unchanged'; readonly node: Node }
  | { readonly kind: 'gone' }

const conflictTries = 5

/**
 * Sets `taint` on a node (key and effect name it; the value is replaced), in one write with the annotations that say whose it is. Safe to
 * call twice. @throws as `evict` does.
 */
export async function setTaint(
  context: EffectContext,
  permit: Permit,
  change: { readonly node: string; readonly taint: Taint; readonly annotations?: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<TaintOutcome> {
  assertPermitted(context, permit, { kind: 'Node', name: change.node })
  const { taint } = change
  const add = (taints: readonly Taint[]) =>
    taints.some(one => isSame(one, taint) && one.value === taint.value)
      ? taints
      : [...taints.filter(one => !isSame(one, taint)), taint]
  const { node, annotations } = change
  const { requester } = permit.record
  return changeTaints(context, { node, requester, change: add, ...(annotations === undefined ? {} : { annotations }) }, signal)
}

/**
 * Takes every taint of `key` off a node, and the annotation that says whose it is. Safe to call twice.
 * @throws what the leadership throws when we lead no more.
 */
export async function removeTaint(
  context: EffectContext,
  choice: { readonly node: string; readonly key: string; readonly requester: string; readonly annotation?: string },
  signal: AbortSignal,
): Promise<TaintOutcome> {
  context.leadership.assert()
  const remove = (taints: readonly Taint[]) =>
    taints.some(one => one.key === choice.key) ? taints.filter(one => one.key !== choice.key) : taints
  const { node, requester, annotation } = choice
  const annotations = annotation === undefined ? {} : { annotations: { [annotation]: null } }
  return changeTaints(context, { node, requester, change: remove, ...annotations }, signal)
}

interface TaintChange {
  readonly node: string
  readonly requester: string
  /** Returns the very same list where nothing is to be written. */
  readonly change: (taints: readonly Taint[]) => readonly Taint[]
  /** To be set, or taken away where `null`. */
  readonly annotations?: Readonly<Record<string, string | null>>
}

/** Reads, changes, writes under the resourceVersion that was read; others write taints too. */
async function changeTaints(
  context: EffectContext,
  { node: name, requester, change, annotations = {} }: TaintChange,
  signal: AbortSignal,
): Promise<TaintOutcome> {
  const nodes = context.api.resource<Node>(builtIn.nodes)
  for (let attempt = 1; ; attempt++) {
    try {
      const node = await nodes.get(name, { signal })
      const taints = node.spec?.taints ?? []
      const changed = change(taints)
      const isMarked = Object.entries(annotations).every(([key, value]) => (node.metadata.annotations?.[key] ?? null) === value)
      if (changed === taints && isMarked) return { kind: 'unchanged', node }
      const body = {
        metadata: { resourceVersion: node.metadata.resourceVersion, ...(isMarked ? {} : { annotations }) },
        spec: { taints: changed.length === 0 ? null : changed },
      }
      return {
        kind: 'written',
        node: await nodes.patch(name, { type: 'merge', body }, effectOptions(requester, undefined, signal)),
      }
    } catch (error) {
      if (isNotFound(error)) return { kind: 'gone' }
      if (!isConflict(error) || attempt >= conflictTries) throw error
    }
  }
}

function isSame(a: Taint, b: Taint): boolean {
  return a.key === b.key && a.effect === b.effect
}
