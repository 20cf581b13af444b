// How much of a volume is used, as it is kept on the PersistentVolume: servers tell the figures of whole shares only, so folders are walked through, and
// who looks at the cluster is not to walk again.

export const useAnnotation = 'ballast.dev/nfs-use'

export interface VolumeUse {
  /** That the files take on the server. */
  readonly bytes: number
  readonly entries: number
  /** When the walk ended, in milliseconds since 1970. */
  readonly at: number
  /** Fewer than there are: the walk came to its bound. */
  readonly isPartial?: boolean
  /** The walk before, for growth. */
  readonly before?: { readonly bytes: number; readonly at: number }
}

const isFigure = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0

/** What an annotation says; undefined where it is none, or not ours. */
export function readUse(text: string | undefined): VolumeUse | undefined {
  if (text === undefined) return undefined
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch {
    // Anybody may write annotations: what is no JSON is none of ours.
    return undefined
  }
  if (typeof found !== 'object' || found === null) return undefined
  const { bytes, entries, at, isPartial, before } = found as Readonly<Record<string, unknown>>
  if (!isFigure(bytes) || !isFigure(entries) || !isFigure(at)) return undefined
  const earlier = typeof before === 'object' && before !== null ? (before as Readonly<Record<string, unknown>>) : {}
  return {
    bytes,
    entries,
    at,
    ...(isPartial === true ? { isPartial } : {}),
    ...(isFigure(earlier['bytes']) && isFigure(earlier['at']) ? { before: { bytes: earlier['bytes'], at: earlier['at'] } } : {}),
  }
}

/** What is to be written after a walk. */
export function writeUse(now: Omit<VolumeUse, 'before'>, before: VolumeUse | undefined): string {
  return JSON.stringify({ ...now, ...(before === undefined ? {} : { before: { bytes: before.bytes, at: before.at } }) })
}
