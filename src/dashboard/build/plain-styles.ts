// The page's style sheets as they are written, in one file: how the server's page looks while nothing is built.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { type StoredFile, typeOf } from './stored-bundle.ts'

/** undefined: there are no sources. */
export function plainStyles(root: string): { readonly name: string; readonly file: StoredFile } | undefined {
  const folder = join(root, 'src/dashboard/web')
  if (!existsSync(folder)) return undefined
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.css'))
    .sort()
  const body = Buffer.concat(paths.map(path => readFileSync(join(folder, path))))
  const name = `plain-${createHash('sha256').update(body).digest('hex').slice(0, 8)}.css`
  const file = {
    type: typeOf(name),
    body,
    // Made at the start, beside all else: the quick way.
    brotli: brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
    gzip: gzipSync(body),
  }
  return { name, file }
}
