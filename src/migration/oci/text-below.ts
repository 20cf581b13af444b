// The text of a file of a repository, where its bytes can be written back as they are.
import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** `undefined` for what is no file, and for bytes that are no UTF-8: they could not be written back as they were. */
export function textBelow(root: string, file: string): string | undefined {
  if (!lstatSync(join(root, file)).isFile()) return undefined
  const bytes = readFileSync(join(root, file))
  const text = bytes.toString('utf8')
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined
}
