// `npm run image`: builds the container image without Docker and without root, for each platform on any of them.
//   npm run image -- [--out <directory>] [--platform amd64|arm64] [--reference <name:tag>] [--renew-base]
// Leaves below the directory (default .ballast/image): `layout` (OCI image layout), `ballast-<version>-linux-<architecture>.tar` for
// `docker load`, `ballast-<version>.cdx.json`. SOURCE_DATE_EPOCH, else the time of the commit, is how old everything is said to be.
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { buildImage } from './build-image.ts'
import { bundle } from './bundle.ts'
import { newestBase } from './debian-base.ts'
import { packageCache } from './kept-file.ts'
import { wantedPlatforms } from './platforms.ts'
import { commitOf } from './revision.ts'

const root = join(import.meta.dirname, '..', '..')
const lockPath = join(root, 'deploy', 'image', 'base.lock')

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: join(root, '.ballast', 'image') },
      platform: { type: 'string', multiple: true },
      reference: { type: 'string' },
      'renew-base': { type: 'boolean', default: false },
    },
  })
  const cache = packageCache(process.env)
  const commit = commitOf(root, process.env['SOURCE_DATE_EPOCH'])
  if (values['renew-base']) {
    writeFileSync(lockPath, `${JSON.stringify(await newestBase(cache, commit.seconds), undefined, 2)}\n`)
    console.log(`${lockPath}: renewed; commit it`)
  }
  const directory = resolve(values.out)
  const { version, images, rows } = await buildImage({
    root,
    cache,
    lockPath,
    commit,
    program: await bundle(root),
    platforms: wantedPlatforms(values.platform),
    directory,
    ...(values.reference === undefined ? {} : { reference: values.reference }),
  })
  const width = Math.max(...rows.map(({ name }) => name.length))
  for (const { name, megabytes, budget } of rows)
    console.log(
      `${name.padEnd(width)}  ${megabytes.toFixed(1).padStart(6)} MB${budget === undefined ? '' : ` of ${budget} MB${megabytes > budget ? '  OVER' : ''}`}`,
    )
  console.log(`ballast ${version} ${commit.revision.slice(0, 12)}: ${directory}`)
  for (const { architecture, digest } of images) console.log(`linux/${architecture}  ${digest}`)
  if (rows.some(({ megabytes, budget }) => budget !== undefined && megabytes > budget)) process.exitCode = 1
}

if (import.meta.main) await main()
