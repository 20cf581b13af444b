// Whether the folder of a volume is also another's: classes may name one for all their claims, and folders may lie in one another. A decision only.

import { policyOf, readVolumeId } from './volume-id.ts'

/** A PersistentVolume by where it is. */
export interface PlacedVolume {
  /** Its handle; its name where no driver has it. */
  readonly id: string
  /** On its server, without slashes at its ends. */
  readonly path: string
  /** Nobody has it any more, and it is to be deleted itself. */
  readonly isReleased: boolean
}

type FolderUse =
  | { readonly kind: 'own' }
  /** Another volume is the same folder. */
  | { readonly kind: 'shared'; readonly by: string }
  /** Another volume lies in it. */
  | { readonly kind: 'holds'; readonly by: string }

/**
 * @param found volumes at the path of volume `id`, and below it; the volume itself may be among them
 * @param defaultOnDelete what becomes of a released volume whose identifier does not say it
 */
export function folderUse(id: string, path: string, found: readonly PlacedVolume[], defaultOnDelete: string): FolderUse {
  const goes = ({ id: of, isReleased }: PlacedVolume): boolean => {
    const read = readVolumeId(of)
    return isReleased && !('problem' in read) && policyOf(read.onDelete || defaultOnDelete, 'delete') === 'delete'
  }
  // Two objects may have one handle: one of them is the volume that is spoken of.
  const own = found.find(one => one.id === id && goes(one)) ?? found.find(one => one.id === id)
  const others = found.filter(one => one !== own && !goes(one))
  const same = others.find(one => one.path === path)
  if (same !== undefined) return { kind: 'shared', by: same.id }
  const [within] = others
  return within === undefined ? { kind: 'own' } : { kind: 'holds', by: within.id }
}
