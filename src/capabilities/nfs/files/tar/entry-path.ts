// Where an entry of an archive would go. Archives lie on shares, where others can write: none of them is believed.
import { type ByteText, shown } from '../byte-text.ts'
import { FileWorkFailed } from '../file-work-failed.ts'
import { deepestTree } from '../open-directory.ts'

/** Refusals of an archive all name the entry. */
export function hostile(name: ByteText, why: string): FileWorkFailed {
  return new FileWorkFailed(
    'HOSTILE_ARCHIVE',
    `entry ${JSON.stringify(shown(name))} of the archive ${why}: the archive is refused`,
    {
      path: shown(name),
    },
  )
}

/**
 * The parts of an entry's name below the target; none for the target itself (`.`, `./`).
 * @throws FileWorkFailed HOSTILE_ARCHIVE where it is absolute or has `..` in it
 */
export function entryParts(name: ByteText): readonly ByteText[] {
  if (name === '') throw hostile(name, 'has no name')
  if (name.startsWith('/')) throw hostile(name, 'has an absolute name')
  const parts = name.split('/').filter(part => part !== '' && part !== '.') as ByteText[]
  if (parts.includes('..' as ByteText)) throw hostile(name, 'has .. in its name')
  if (parts.length > deepestTree) throw hostile(name, `lies deeper than ${deepestTree} directories`)
  return parts
}
