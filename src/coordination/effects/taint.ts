// Taints of nodes: the only writer of `spec.taints`. Setting one needs a permit; taking ours away takes nothing from anybody.

import type { Node, Taint } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import type { MutatingAnswer } from '#kube/server/admission.ts'
import type { Permission } from '../needs.ts'
import type { Permit } from '../permits/permit.ts'
import { type EffectContext, effectOptions, leadingGuard, permittedGuard } from './effect-context.ts'

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
  const guard = permittedGuard(context, permit, { kind: 'Node', name: change.node })
  const { node, taint, annotations = {} } = change
  const { requester } = permit.record
  return changeTaints(context, { node, requester, guard, change: () => ({ add: [taint], remove: [], annotations }) }, signal)
}

/**
 * Takes every taint of `key` off a node, or with `only` those of its effect and without a value, as we set them where the key is a user's;
 * and the annotation that says whose it is. Safe to call twice.
 * @throws what the leadership throws when we lead no more.
 */
export async function removeTaint(
  context: EffectContext,
  choice: {
    readonly node: string
    readonly key: string
    readonly only?: Taint['effect']
    readonly requester: string
    readonly annotation?: string
  },
  signal: AbortSignal,
): Promise<TaintOutcome> {
  const guard = leadingGuard(context)
  const { node, requester, annotation, only } = choice
  const isPlain = ({ effect, value }: Taint) => effect === only && (value === undefined || value === '')
  const annotations = annotation === undefined ? {} : { [annotation]: null }
  const change = ({ spec }: Node) => ({
    add: [],
    remove: (spec?.taints ?? []).filter(taint => taint.key === choice.key && (only === undefined || isPlain(taint))),
    annotations,
  })
  return changeTaints(context, { node, requester, guard, change }, signal)
}

/** The answer to `CREATE` of a node that is to have `taint` from the first; one that has it of that key and effect passes as it is. Pure. */
export function taintAtCreation({ spec }: Node, taint: Taint): MutatingAnswer {
  const taints = spec?.taints ?? undefined
  if (taints?.some(one => isSame(one, taint)) === true) return { kind: 'allowed' }
  if (taints !== undefined) return { kind: 'patched', patch: [{ op: 'add', path: '/spec/taints/-', value: taint }] }
  const whole = spec === undefined || spec === null ? [{ op: 'add' as const, path: '/spec', value: {} }] : []
  return { kind: 'patched', patch: [...whole, { op: 'add', path: '/spec/taints', value: [taint] }] }
}

/** What is to become of a node's taints, in one write with annotations. */
interface TaintMarks {
  /** Each takes the place of one of the same key and effect. */
  readonly add: readonly Taint[]
  readonly remove: readonly Pick<Taint, 'key' | 'effect'>[]
  /** To be set, or taken away where `null`. */
  readonly annotations: Readonly<Record<string, string | null>>
}

interface MarkedNode {
  readonly node: string
  /** A namesake of another UID is as good as gone. */
  readonly uid: string
  /** Asked with the node as the server has it, again after each conflict; `undefined`: nothing is to be written any more. */
  readonly marks: (node: Node) => TaintMarks | undefined
}

/**
 * Sets and takes away taints of a node, in one write with annotations, as `marks` says of the node as it is just then. A node that is being
 * deleted is left alone. Safe to call twice. @throws as `evict` does.
 */
export async function markNode(
  context: EffectContext,
  permit: Permit,
  change: MarkedNode,
  signal: AbortSignal,
): Promise<TaintOutcome> {
  const guard = permittedGuard(context, permit, { kind: 'Node', name: change.node })
  return changeTaints(context, { ...change, guard, requester: permit.record.requester, change: change.marks }, signal)
}

/**
 * As `markNode` without a permit, for what takes nothing from anybody: taints go, or get another value; none comes.
 * @throws Error where `marks` would add one; what the leadership throws when we lead no more.
 */
export async function unmarkNode(
  context: EffectContext,
  change: MarkedNode & { readonly requester: string },
  signal: AbortSignal,
): Promise<TaintOutcome> {
  const guard = leadingGuard(context)
  const marks = (node: Node) => {
    const wanted = change.marks(node)
    const come = wanted?.add.find(taint => !node.spec?.taints?.some(one => isSame(one, taint)))
    if (come !== undefined) throw new Error(`taint ${come.key} on ${node.metadata.name} needs a permit`)
    return wanted
  }
  return changeTaints(context, { ...change, guard, change: marks }, signal)
}

/**
 * As `unmarkNode`, by the agent of the very node: it leads nothing, and the server narrows what it may. For when no leader does it.
 * @throws Error where `marks` would add a taint; StatusError
 */
export async function unmarkOwnNode(
  { api }: Pick<EffectContext, 'api'>,
  change: MarkedNode & { readonly requester: string },
  signal: AbortSignal,
): Promise<TaintOutcome> {
  const marks = (node: Node) => {
    const wanted = change.marks(node)
    const come = wanted?.add[0]
    if (come !== undefined) throw new Error(`taint ${come.key} on ${node.metadata.name} is not an agent's to set`)
    return wanted
  }
  return changeTaints({ api }, { ...change, guard: () => signal.throwIfAborted(), change: marks }, signal)
}

interface TaintChange {
  readonly node: string
  readonly requester: string
  readonly uid?: string
  readonly guard: () => void
  readonly change: (node: Node) => TaintMarks | undefined
}

/** Reads, changes, writes under the resourceVersion that was read; others write taints too. */
async function changeTaints(
  context: Pick<EffectContext, 'api'>,
  { node: name, requester, uid, guard, change }: TaintChange,
  signal: AbortSignal,
): Promise<TaintOutcome> {
  const nodes = context.api.resource<Node>(builtIn.nodes)
  for (let attempt = 1; ; attempt++) {
    try {
      const node = await nodes.get(name, { signal })
      if (uid !== undefined && (node.metadata.uid !== uid || isLeaving(node))) return { kind: 'gone' }
      const wanted = change(node)
      const taints = node.spec?.taints ?? []
      const changed = wanted === undefined ? taints : withMarks(taints, wanted)
      const annotations = wanted?.annotations ?? {}
      const isMarked = Object.entries(annotations).every(([key, value]) => (node.metadata.annotations?.[key] ?? null) === value)
      if (changed === taints && isMarked) return { kind: 'unchanged', node }
      const body = {
        metadata: { resourceVersion: node.metadata.resourceVersion, ...(isMarked ? {} : { annotations }) },
        spec: { taints: changed.length === 0 ? null : changed },
      }
      return {
        kind: 'written',
        node: await nodes.patch(name, { type: 'merge', body }, effectOptions(requester, undefined, { guard, signal })),
      }
    } catch (error) {
      if (isNotFound(error)) return { kind: 'gone' }
      if (!isConflict(error) || attempt >= conflictTries) throw error
    }
  }
}

/** The very same list where nothing is to be written. */
function withMarks(taints: readonly Taint[], { add, remove }: Pick<TaintMarks, 'add' | 'remove'>): readonly Taint[] {
  const come = add.filter(taint => !taints.some(one => isSame(one, taint) && one.value === taint.value))
  const stay = taints.filter(taint => !remove.some(one => isSame(one, taint)) && !come.some(one => isSame(one, taint)))
  return come.length === 0 && stay.length === taints.length ? taints : [...stay, ...come]
}

function isLeaving({ metadata }: Node): boolean {
  return metadata.deletionTimestamp !== undefined && metadata.deletionTimestamp !== null
}

function isSame(a: Pick<Taint, 'key' | 'effect'>, b: Pick<Taint, 'key' | 'effect'>): boolean {
  return a.key === b.key && a.effect === b.effect
}
