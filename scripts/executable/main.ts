// `npm run executable`: the program and its Node as one file for each platform, made on any of them.
//   npm run executable -- [--out <directory>] [--platform amd64|arm64]
import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { bundle } from '../image/bundle.ts'
import { packageCache } from '../image/kept-file.ts'
import { wantedPlatforms } from '../image/platforms.ts'
import { commitOf } from '../image/revision.ts'
import { buildExecutables } from './build-executable.ts'

const root = join(import.meta.dirname, '..', '..')

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, '.ballast', 'executable') },
    platform: { type: 'string', multiple: true },
  },
})
const built = await buildExecutables({
  root,
  cache: packageCache(process.env),
  commit: commitOf(root, process.env['SOURCE_DATE_EPOCH']),
  program: await bundle(root),
  platforms: wantedPlatforms(values.platform),
  directory: resolve(values.out),
})
for (const path of built) console.log(`${(statSync(path).size / 1e6).toFixed(1).padStart(6)} MB  ${path}`)
