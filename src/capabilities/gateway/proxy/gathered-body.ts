// A request's body that nobody takes yet: its pieces are joined as they come. Node keeps an object for every piece, some two hundred bytes for a
// chunk of one, and bounds bytes alone: a client could take a hundred times the memory that its body has.
import type { Readable } from 'node:stream'

/** So many pieces are kept apart before they become one. */
const mostPieces = 512

/** What Node's streams keep of themselves. */
interface ReadableState {
  highWaterMark: number
  readonly ended: boolean
}

/**
 * From now on what comes of `body` is joined while its reader does not ask for more. `window`: so many bytes that nobody took hold the client
 * back. Who reads it sees an ordinary stream.
 */
export function gatherPieces(body: Readable, window: number): void {
  const { _read: read, push } = body
  const state: ReadableState = Reflect.get(body, '_readableState')
  // Or Node would ask for more while nobody takes what is there, and keep that piece by piece.
  state.highWaterMark = 1
  let pieces: Buffer[] = []
  let bytes = 0
  let isAsked = false

  const takeOut = (): Buffer => {
    const [whole = Buffer.alloc(0)] = pieces.length === 1 ? pieces : [Buffer.concat(pieces, bytes)]
    pieces = []
    bytes = 0
    return whole
  }
  const give = (chunk: Buffer | null) => {
    isAsked = false
    push.call(body, chunk)
  }

  // What came before has no reader either. Reading it must not ask the connection for more.
  if (body.readableLength > 0) {
    body._read = () => undefined
    const first: Buffer = body.read()
    if (state.ended) body.unshift(first)
    else push.call(body, first)
  }

  body._read = function (size) {
    read.call(this, size)
    if (bytes > 0) give(takeOut())
    else isAsked = true
  }
  body.push = (chunk: Buffer | null) => {
    if (chunk === null) {
      if (bytes > 0) give(takeOut())
      give(null)
      return false
    }
    if (isAsked && bytes === 0) give(chunk)
    else {
      pieces.push(chunk)
      bytes += chunk.length
      if (pieces.length >= mostPieces) pieces = [Buffer.concat(pieces, bytes)]
    }
    return body.readableLength + bytes < window
  }
}
