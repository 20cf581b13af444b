// `npm run site`: the documents as a site of files, with search.
//   npm run site -- [--out DIRECTORY] [--base /PATH/]
import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { buildSite } from './build-site.ts'

const root = join(import.meta.dirname, '..', '..')

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { out: { type: 'string' }, base: { type: 'string', default: '/' } } })
  if (!/^\/([\w.~-]+\/)*$/.test(values.base)) {
    console.error(`site: --base is ${JSON.stringify(values.base)}; it is a path that begins and ends with a slash, as /ballast/`)
    return 2
  }
  const directory = values.out === undefined ? join(root, '.ballast', 'site') : resolve(values.out)
  const files = await buildSite({ root, directory, base: values.base })
  const bytes = files.reduce((sum, { file }) => sum + statSync(file).size, 0)
  const pages = files.filter(({ path }) => path.endsWith('.html')).length
  console.log(`${directory}: ${pages} pages, ${files.length} files, ${(bytes / 1e6).toFixed(1)} MB`)
  return 0
}

process.exitCode = await main()
