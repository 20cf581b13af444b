// Tables of cases name the tests that hold them: whether such a test is still there.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const texts = new Map<string, string>()

function textOf(file: string): string {
  const path = join(root, file)
  const text = texts.get(file) ?? (existsSync(path) ? readFileSync(path, 'utf8') : '')
  texts.set(file, text)
  return text
}

/** Whether the file (below the repository's root) has a string of exactly this text, as the name of a test or of a row is. */
export function isNamedIn(file: string, name: string): boolean {
  return ["'", '"', '`'].some(quote => textOf(file).includes(`${quote}${name}${quote}`))
}
