// The beginning of a request's body, looked at before anybody takes the body.
import { Readable } from 'node:stream'

/** Every piece takes memory beside its bytes: so many are kept apart before they become one. */
const mostPieces = 512

interface PeekedBody {
  /** The first bytes; of a body that is not longer all of it. */
  readonly first: Buffer
  readonly isWhole: boolean
  /** All of the body, from its first byte: it takes the place of the one that was looked at. */
  readonly body: Readable
}

/**
 * Waits until `most` bytes of a body are there, or all of it. No more is taken from the client than what its stream holds by itself, so that
 * the rest waits where it would have. A client that is slow is bounded by whoever gave it its time: `signal` ends the wait.
 * @throws `signal.reason`, and the error of a body that broke off
 */
export async function peekBody(body: Readable, most: number, signal: AbortSignal): Promise<PeekedBody> {
  let chunks: Buffer[] = []
  let bytes = 0
  while (bytes < most) {
    signal.throwIfAborted()
    const chunk: Buffer | null = body.read()
    if (chunk !== null) {
      chunks.push(chunk)
      bytes += chunk.length
      if (chunks.length >= mostPieces) chunks = [Buffer.concat(chunks, bytes)]
    } else if (body.readableEnded) {
      const first = Buffer.concat(chunks)
      // What has ended takes nothing back.
      return { first, isWhole: true, body: Readable.from(first.length === 0 ? [] : [first], { objectMode: false }) }
    } else await more(body, signal)
  }
  const all = Buffer.concat(chunks)
  body.unshift(all)
  return { first: all.subarray(0, most), isWhole: false, body }
}

/** Resolves when there is something to read, or the end. */
async function more(body: Readable, signal: AbortSignal): Promise<void> {
  if (body.errored !== null) throw body.errored
  if (body.destroyed) throw new DOMException('the client left within its body', 'AbortError')
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onAbort = () => reject(signal.reason)
  const onClose = () => reject(body.errored ?? new DOMException('the client left within its body', 'AbortError'))
  body.on('readable', resolve).on('end', resolve).on('error', reject).on('close', onClose)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await promise
  } finally {
    body.off('readable', resolve).off('end', resolve).off('error', reject).off('close', onClose)
    signal.removeEventListener('abort', onAbort)
  }
}
