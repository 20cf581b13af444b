// Scripts and styles of the page: files whose names carry a hash of what is in them.
import type { Bundle } from '../build/bundle.ts'
import { answerOf, refusal, type WholeAnswer } from './answer.ts'
import type { Asked } from './asked.ts'
import { encodingFor } from './compression.ts'

const aYear = 'public, max-age=31536000, immutable'

/** A file below `/assets/`, as it is stored compressed. One of an older version is a 404: its page says that there is a new one. */
export function assetAnswer(bundle: Bundle, { segments, headers }: Pick<Asked, 'segments' | 'headers'>): WholeAnswer {
  const file = segments.length === 2 ? bundle.file(segments[1] ?? '') : undefined
  if (file === undefined)
    return refusal('asset-not-there', {
      status: 404,
      message: bundle.problem?.message ?? 'There is no such file of this version.',
      remedy: bundle.problem?.remedy ?? 'Load the page again.',
    })
  const encoding = encodingFor(typeof headers['accept-encoding'] === 'string' ? headers['accept-encoding'] : undefined)
  const more = { headers: { 'cache-control': aYear } }
  if (encoding === 'br') return answerOf(file.type, file.brotli, { ...more, encoding })
  if (encoding === 'gzip') return answerOf(file.type, file.gzip, { ...more, encoding })
  return answerOf(file.type, file.body, more)
}
