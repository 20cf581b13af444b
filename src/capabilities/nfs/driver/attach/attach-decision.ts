// Whether a node may have a volume, by which nodes have it: NFS itself lets every node mount every volume. A decision only.

import { accessModes } from '../../csi/messages.ts'

/** How a node has a volume, or is to have it. */
export interface Attachment {
  readonly node: string
  /** A value of `accessModes`. */
  readonly mode: number
  readonly isReadonly: boolean
}

type AttachDecision =
  | { readonly kind: 'attach' }
  /** It has it so already. */
  | { readonly kind: 'attached' }
  /** It has it otherwise: `by` says how. */
  | { readonly kind: 'otherwise'; readonly by: Attachment }
  /** Another node has it, beside which nobody may. */
  | { readonly kind: 'elsewhere'; readonly by: Attachment }

const singleNode: ReadonlySet<number> = new Set([
  accessModes.SINGLE_NODE_WRITER,
  accessModes.SINGLE_NODE_READER_ONLY,
  accessModes.SINGLE_NODE_SINGLE_WRITER,
  accessModes.SINGLE_NODE_MULTI_WRITER,
])

/** Whether no other node may have the volume meanwhile. */
export const isForOneNode = ({ mode }: Pick<Attachment, 'mode'>): boolean => singleNode.has(mode)

/** @param held by node, at most one each */
export function decideAttach(wish: Attachment, held: readonly Attachment[]): AttachDecision {
  const own = held.find(({ node }) => node === wish.node)
  if (own !== undefined && (own.mode !== wish.mode || own.isReadonly !== wish.isReadonly)) return { kind: 'otherwise', by: own }
  const by = held.find(one => one.node !== wish.node && excludes(one, wish))
  if (by !== undefined) return { kind: 'elsewhere', by }
  return own === undefined ? { kind: 'attach' } : { kind: 'attached' }
}

function excludes(one: Attachment, other: Attachment): boolean {
  if (isForOneNode(one) || isForOneNode(other)) return true
  const isOneWriter = [one, other].some(({ mode }) => mode === accessModes.MULTI_NODE_SINGLE_WRITER)
  return isOneWriter && writes(one) && writes(other)
}

const writes = ({ mode, isReadonly }: Attachment): boolean => !isReadonly && mode !== accessModes.MULTI_NODE_READER_ONLY

export const modeName = (mode: number): string =>
  Object.entries(accessModes).find(([, value]) => value === mode)?.[0] ?? `access mode ${mode}`
