// How an answer goes to its reader: at once where it is short, else as fast as it is read, compressed where that is worth it.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createGzip, gzip } from 'node:zlib'
import type { AnswerBody } from '../aggregated-answers.ts'
import { isLate } from './shared-answers.ts'

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: readonly Buffer[]
  /** What follows, made while it is sent. */
  readonly rest?: AsyncIterator<Buffer, undefined> | undefined
}

const gzipFromBytes = 128 * 1024
/** What is longer is compressed while it is sent, and waited for until its reader has taken it. */
const sentAtOnceBytes = 1024 * 1024

const compress = promisify(gzip)

/** The first pieces: what goes wrong in them is told by a status, and what ends within them has a length. */
export async function begun(pieces: AnswerBody['pieces']): Promise<Pick<Reply, 'body' | 'rest'>> {
  if (!isLate(pieces)) return { body: pieces }
  const rest: AsyncIterator<Buffer, undefined> = pieces[Symbol.asyncIterator]()
  const body: Buffer[] = []
  for (let length = 0; length <= sentAtOnceBytes; ) {
    const next = await rest.next()
    if (next.done === true) return { body }
    body.push(next.value)
    length += next.value.length
  }
  return { body, rest }
}

/** Ends `rest` where its reader goes. */
async function* inOrder({ body, rest }: Pick<Reply, 'body' | 'rest'>): AsyncGenerator<Buffer, undefined> {
  yield* body
  if (rest === undefined) return
  try {
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

/** Resolves when the last byte was handed over. @throws Error where the reader went away or the rest could not be made */
export async function send(
  { status, headers, body, rest }: Reply,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const length = body.reduce((sum, piece) => sum + piece.length, 0)
  const isCompressed = length >= gzipFromBytes && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))
  const isAtOnce = isCompressed && length <= sentAtOnceBytes && rest === undefined
  const pieces = isAtOnce ? [await compress(Buffer.concat(body), { level: 1 })] : body
  const sent = isAtOnce ? (pieces[0]?.length ?? 0) : length
  const isStreamed = rest !== undefined || (isCompressed && !isAtOnce)
  response.writeHead(status, {
    ...headers,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-cache, private',
    ...(isCompressed ? { 'content-encoding': 'gzip' } : {}),
    ...(status === 304 || isStreamed ? {} : { 'content-length': String(sent) }),
  })
  if (request.method === 'HEAD' || status === 304) response.end()
  else if (isCompressed && !isAtOnce) await pipeline(Readable.from(inOrder({ body, rest })), createGzip({ level: 1 }), response)
  else if (sent <= sentAtOnceBytes && rest === undefined) response.end(Buffer.concat(pieces))
  else await pipeline(Readable.from(inOrder({ body: pieces, rest })), response)
}
