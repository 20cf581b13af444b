// Objects as the page of the gateway shows them: what is tried is what people copy.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { ApiObject } from '../../control-plane/api-client.ts'

const page = join(import.meta.dirname, '..', '..', '..', '..', 'docs', 'gateway.md')

/** The first sample of a language below a heading. @throws Error where there is none */
export function documentedText(heading: string, language: string): string {
  const [, below] = readFileSync(page, 'utf8').split(`\n### ${heading}\n`)
  const sample = below?.split(/^##+ /m)[0]?.match(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'm'))?.[1]
  if (sample === undefined) throw new Error(`docs/gateway.md shows no ${language} below ${JSON.stringify(heading)}`)
  return sample
}

export function documentedObjects(heading: string): readonly ApiObject[] {
  return parseAllDocuments(documentedText(heading, 'yaml')).map(document => document.toJS() as ApiObject)
}
