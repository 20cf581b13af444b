// `npm run release`: the folder of artefacts of this commit, for every platform, made on any of them. Nothing is published.
//   npm run release -- --out <directory> [--platform amd64|arm64]
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { packageCache } from '../image/kept-file.ts'
import { wantedPlatforms } from '../image/platforms.ts'
import { commitOf } from '../image/revision.ts'
import { buildRelease } from './build-release.ts'

const root = join(import.meta.dirname, '..', '..')

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { out: { type: 'string' }, platform: { type: 'string', multiple: true } } })
  if (values.out === undefined) {
    console.error('release: name the folder of artefacts: npm run release -- --out DIRECTORY')
    return 2
  }
  const directory = resolve(values.out)
  if (existsSync(directory) && readdirSync(directory).length > 0) {
    console.error(
      `release: ${directory} is not empty; what lies there might be taken for a part of the release: name another, or empty it`,
    )
    return 2
  }
  mkdirSync(directory, { recursive: true })
  const commit = commitOf(root, process.env['SOURCE_DATE_EPOCH'])
  const artefacts = await buildRelease({
    root,
    cache: packageCache(process.env),
    lockPath: join(root, 'deploy', 'image', 'base.lock'),
    commit,
    platforms: wantedPlatforms(values.platform),
    directory,
    say: line => console.error(`release: ${line}`),
  })
  for (const { name, kind } of artefacts) {
    const path = join(directory, name)
    const size = statSync(path).isDirectory() ? '' : `${(statSync(path).size / 1e6).toFixed(1)} MB`
    console.log(`${size.padStart(9)}  ${kind.padEnd(17)}  ${name}`)
  }
  console.log(`ballast ${commit.revision}: ${directory}, with SHA256SUMS and release.json`)
  return 0
}

process.exitCode = await main()
