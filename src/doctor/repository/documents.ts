// Documents of a text within a file: a patch, a template.
import { parseAllDocuments } from 'yaml'

export const mostAliases = 100

/** Every document as data; `undefined` where one is no YAML, or has too many aliases. */
export function documentsIn(text: string): readonly unknown[] | undefined {
  const values: unknown[] = []
  for (const document of Array.from(parseAllDocuments(text, { merge: true, prettyErrors: false, logLevel: 'error' }))) {
    if (document.errors.length > 0) return undefined
    try {
      values.push(document.toJS({ maxAliasCount: mostAliases }))
    } catch {
      // Aliases that name nothing or multiply without end, merges of what is no map: the text is at fault, whatever the library throws.
      return undefined
    }
  }
  return values
}
