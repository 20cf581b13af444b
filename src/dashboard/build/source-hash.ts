// What the page's bundle is made from, as one hash: it is built anew when any of that has changed.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import * as z from 'zod'

const pageFolder = 'src/dashboard/web'
/** What the page shares with the server, and what decides how it is built. */
const others = [
  'src/dashboard/contract-names.ts',
  'src/dashboard/delta.ts',
  'src/dashboard/words',
  'src/kube/time/human-duration.ts',
  'src/dashboard/build/bundle-process.ts',
]
const packages = ['preact', '@preact/signals', '@preact/signals-core', 'vite']

/** The environment of the thread that builds. The tool asks it, even where it is told what to build for. */
export const buildEnvironment = { NODE_ENV: 'production' } as const

/**
 * SHA-256 over path and content of the page's sources below `root`, and the versions of the packages that are in it or build it.
 * undefined: there are no sources, as in an installed package.
 */
export function sourceHash(root: string): string | undefined {
  if (!existsSync(join(root, pageFolder, 'main.tsx'))) return undefined
  const hash = createHash('sha256')
  for (const path of [pageFolder, ...others].flatMap(place => filesAt(root, place)).sort()) {
    const content = readFileSync(join(root, path))
    hash.update(`${path} ${content.length}\n`).update(content)
  }
  return hash.update(JSON.stringify(lockedVersions(root))).digest('hex')
}

function filesAt(root: string, place: string): string[] {
  if (place.endsWith('.ts')) return [place]
  return readdirSync(join(root, place), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && !/\.test\.tsx?$/.test(entry.name))
    .map(entry => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
}

const lockSchema = z.object({ packages: z.record(z.string(), z.object({ version: z.string().optional() })) })

function lockedVersions(root: string): readonly (string | undefined)[] {
  const file = join(root, 'package-lock.json')
  if (!existsSync(file)) return []
  const lock = lockSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  return packages.map(name => lock.packages[`node_modules/${name}`]?.version)
}
