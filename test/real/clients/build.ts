// Builds our own Go clients (`go/`) into the cache, anew whenever their source changes.
import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtOnce, cacheDirectory } from '../cache.ts'
import { goProgram } from '../go-build.ts'

const source = join(import.meta.dirname, 'go')

/** Versions of the libraries that the programs are made with, as their go.mod has them. */
export function libraryVersion(module: string): string {
  const line = readFileSync(join(source, 'go.mod'), 'utf8')
    .split('\n')
    .find(line => line.trim().startsWith(`${module} `))
  if (line === undefined) throw new Error(`go.mod does not require ${module}`)
  return line.trim()
}

/** Path of the program, built where the cache does not have it. Throws {@link PartUnavailable} without Go or its modules. */
export function ownClientsPath(): Promise<string> {
  return builtOnce('the Go clients', () => builtProgram(source, 'clients'))
}

/** Path of the Go program `name` of a directory, built where the cache does not have it. Throws {@link PartUnavailable} without Go or its modules. */
export async function builtProgram(source: string, name: string): Promise<string> {
  const files = globSync('*', { cwd: source }).toSorted()
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(join(source, file)))
  const path = join(cacheDirectory(`${name}-${hash.digest('hex').slice(0, 12)}`), name)
  const flags = ['-mod=readonly', '-p=1', '-ldflags=-s -w']
  return await goProgram({ what: `the Go ${name}`, path, directory: source, target: '.', flags })
}

if (import.meta.main) console.log(await ownClientsPath())
