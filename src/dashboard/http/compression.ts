// Bodies in fewer bytes, where the reader can and it is worth it.
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

/** Shorter bodies are sent as they are. */
const worthBytes = 1_024
/** Quality, where 11 is the most: half a megabyte takes some milliseconds, off the event loop. */
const brotliQuality = 4
const gzipLevel = 6

const brotli = promisify(brotliCompress)
const gzipped = promisify(gzip)

type Encoding = 'br' | 'gzip'

/** The best that `accept` (the header `Accept-Encoding`) allows, of those `offered`; undefined: as it is. */
export function encodingFor(accept: string | undefined, offered: readonly Encoding[] = ['br', 'gzip']): Encoding | undefined {
  const weights = new Map<string, number>()
  for (const part of (accept ?? '').toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map(text => text.trim())
    const weight = parameters.map(parameter => /^q=([\d.]+)$/.exec(parameter)?.[1]).find(text => text !== undefined)
    if (name !== '') weights.set(name, weight === undefined ? 1 : Number(weight))
  }
  const weightOf = (encoding: Encoding) => weights.get(encoding) ?? weights.get('*') ?? 0
  const best = Math.max(0, ...offered.map(weightOf))
  return best > 0 ? offered.find(encoding => weightOf(encoding) === best) : undefined
}

/** `body` compressed as `accept` allows; undefined where it is better sent as it is. */
export async function compressed(
  body: Uint8Array,
  accept: string | undefined,
): Promise<{ readonly encoding: Encoding; readonly body: Uint8Array } | undefined> {
  if (body.byteLength < worthBytes) return undefined
  const encoding = encodingFor(accept)
  if (encoding === undefined) return undefined
  const made =
    encoding === 'br'
      ? await brotli(body, {
          params: { [constants.BROTLI_PARAM_QUALITY]: brotliQuality, [constants.BROTLI_PARAM_SIZE_HINT]: body.byteLength },
        })
      : await gzipped(body, { level: gzipLevel })
  return { encoding, body: made }
}
