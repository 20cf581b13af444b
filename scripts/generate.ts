// Writes every committed file that is made from something else. CI fails when running it changes anything.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { deploymentFiles } from '../src/deployment/generated-files.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { commandTable } from './command-table.ts'
import { errorTable } from './error-table.ts'
import { homelabFiles } from './examples/homelab-objects.ts'
import { readHomelab } from './examples/homelab-rows.ts'
import { protobufNumbers } from './generate-protobuf-numbers.ts'
import { schemaTables } from './generate-schemas.ts'
import { upstreamTexts } from './generate-upstream-texts.ts'
import { upstreamTable } from './upstream-table.ts'

const root = dirname(import.meta.dirname)

/** Path below the project's root → text, for all generated files. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const name of ['talos-homelab', 'utilities-homelab', 'media-homelab'])
    for (const [file, text] of homelabFiles(readHomelab(name))) files.set(join('examples', name, file), text)
  for (const [file, text] of schemaTables(root)) files.set(file, text)
  for (const [file, text] of protobufNumbers()) files.set(file, text)
  for (const [file, text] of upstreamTexts()) files.set(file, text)
  for (const [file, text] of errorTable(root, enabledCapabilities)) files.set(file, text)
  for (const [file, text] of commandTable(enabledCapabilities)) files.set(file, text)
  for (const [file, text] of upstreamTable()) files.set(file, text)
  for (const [file, text] of deploymentFiles(enabledCapabilities)) files.set(join('deploy', file), text)
  return files
}

/** Generated files whose committed text differs or is absent. */
export function staleFiles(): string[] {
  return [...generatedFiles()].filter(([file, text]) => committed(file) !== text).map(([file]) => file)
}

function committed(file: string): string | undefined {
  try {
    return readFileSync(join(root, file), 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Writes what is stale and names it. */
export function generate(): void {
  const stale = staleFiles()
  const files = generatedFiles()
  for (const file of stale) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), files.get(file) ?? '')
    console.log(`wrote ${file}`)
  }
  console.log(`${files.size} generated files, ${stale.length} written`)
}
