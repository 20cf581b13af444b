// `npm run build:web`: the page's bundle, built now instead of on the first start.
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { openBundle } from '../../src/dashboard/build/bundle.ts'
import { silentLog } from '../../src/kube/log.ts'

const root = dirname(dirname(import.meta.dirname))

/** @returns whether there is a bundle that fits the sources */
export async function buildPage(): Promise<boolean> {
  await using bundle = openBundle({ root, cacheDirectory: join(tmpdir(), 'ballast'), log: silentLog })
  await bundle.ready
  const { sizes } = bundle
  if (bundle.problem !== undefined) console.error(`${bundle.problem.message} Remedy: ${bundle.problem.remedy}`)
  else if (sizes !== undefined)
    console.log(
      `the page is built: ${sizes.firstScript} bytes of script at first, ${sizes.scripts} in all, ${sizes.styles} of styles (gzip)`,
    )
  return bundle.state === 'ready'
}
