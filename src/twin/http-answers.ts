// Answers put on the wire: packed where that pays, as fast as the client reads and no faster.
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { pipeline, Readable } from 'node:stream'
import { promisify } from 'node:util'
import { createGzip, gzip } from 'node:zlib'
import type { TwinResponse } from './api/request.ts'

/** Answers from this size on are compressed for clients that can read it. */
const gzipFromBytes = 128 * 1024
/** Speed counts: the bytes go no further than this machine, mostly. */
const gzipOptions = { level: 1, chunkSize: 128 * 1024 }
const gzipOf = promisify(gzip)

/** Writes the answer. Resolves when it has left, or the client has. */
export async function writeAnswer(
  answer: TwinResponse,
  incoming: Http2ServerRequest,
  outgoing: Http2ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return
  const readsGzip = /\bgzip\b/.test(String(incoming.headers['accept-encoding'] ?? ''))
  if (answer.kind === 'whole') return await writeWhole(answer, outgoing, { readsGzip, isHead: incoming.method === 'HEAD' })
  const isPacked = readsGzip && answer.isList === true
  outgoing.writeHead(answer.status, { ...answer.headers, ...(isPacked ? { 'content-encoding': 'gzip' } : {}) })
  if ('flushHeaders' in outgoing && typeof outgoing.flushHeaders === 'function') outgoing.flushHeaders()
  const giveUp = () => outgoing.destroy()
  answer.cutOff?.addEventListener('abort', giveUp, { once: true })
  try {
    for await (const chunk of isPacked ? packed(answer.chunks) : answer.chunks) {
      const isTaken = typeof chunk === 'string' ? outgoing.write(chunk, 'utf8') : outgoing.write(chunk)
      if (!isTaken) await drained(outgoing, signal)
      if (signal.aborted) return
    }
  } finally {
    answer.cutOff?.removeEventListener('abort', giveUp)
  }
  outgoing.end()
}

async function writeWhole(
  answer: Extract<TwinResponse, { kind: 'whole' }>,
  outgoing: Http2ServerResponse,
  { readsGzip, isHead }: { readonly readsGzip: boolean; readonly isHead: boolean },
): Promise<void> {
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
  const isPacked = readsGzip && body.byteLength > gzipFromBytes
  // On a thread of its own: tens of milliseconds for a few megabytes.
  const bytes = isPacked ? await gzipOf(body, gzipOptions) : body
  outgoing.writeHead(answer.status, {
    ...answer.headers,
    ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
    'content-length': String(bytes.byteLength),
  })
  if (isHead) outgoing.end()
  else outgoing.end(bytes)
}

/** The same bytes, packed on another thread. One piece is made ahead. */
function packed(chunks: AsyncIterable<string | Uint8Array>): Readable {
  const source = Readable.from(chunks, { highWaterMark: 1 })
  // An error comes out of the iteration of the result as well.
  return pipeline(source, createGzip(gzipOptions), () => undefined)
}

/** Resolves when more can be written or the client is gone. */
function drained(outgoing: Http2ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      outgoing.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    outgoing.once('drain', done)
    signal.addEventListener('abort', done, { once: true })
  })
}
