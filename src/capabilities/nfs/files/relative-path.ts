// Paths below a root, as they come from identifiers and parameters: read strictly, since each part of them came from somebody else.
import { type ByteText, bytesOf } from './byte-text.ts'
import { FileWorkFailed } from './file-work-failed.ts'

/** More parts than any path of a volume has. */
export const mostParts = 64
export const longestPart = 255
/** The first part of a volume that was deleted and is kept has it before its name. */
export const archivedPrefix = 'archived-'

/**
 * The parts of a path below a root.
 * @throws FileWorkFailed UNSAFE_PATH where a part is empty, `.`, `..`, longer than a name can be, or has NUL or a line break in it. Names may have `\` in
 *   them, as those of volumes that are there; what leads up between two of them is refused, since servers on Windows take it for `/`
 */
export function partsOf(path: string): readonly ByteText[] {
  const refuse = (why: string) =>
    new FileWorkFailed('UNSAFE_PATH', `path ${JSON.stringify(path)}: ${why}, expected names with / between them`, { path })
  if (path === '') throw refuse('it is empty')
  if (/[\0\n\r]/.test(path)) throw refuse('it has NUL or a line break in it')
  if (path.split(/[/\\]/).includes('..')) throw refuse('a part of it is ..')
  const parts = path.split('/')
  if (parts.length > mostParts) throw refuse(`it has more than ${mostParts} parts`)
  for (const part of parts) {
    if (part === '') throw refuse('a part of it is empty')
    if (part === '.') throw refuse('a part of it is .')
    if (Buffer.byteLength(part) > longestPart) throw refuse(`a part of it is longer than ${longestPart} bytes`)
  }
  return parts.map(bytesOf)
}

/** As `partsOf`, where an empty path means the root itself. */
export function partsOrRoot(path: string): readonly ByteText[] {
  return path === '' ? [] : partsOf(path)
}

/** One name. @throws FileWorkFailed UNSAFE_PATH where it is a path, or no name */
export function nameOf(name: string): ByteText {
  const [part, ...more] = partsOf(name)
  if (part === undefined || more.length > 0)
    throw new FileWorkFailed('UNSAFE_PATH', `name ${JSON.stringify(name)}: it has more than one part, expected one name`, {
      path: name,
    })
  return part
}
