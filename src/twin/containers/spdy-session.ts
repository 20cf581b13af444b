// The server's end of a SPDY/3.1 connection: streams that the client opens. There is no flow control, as in Kubernetes.
import type { MessageSocket } from '../api/request.ts'
import { RemoteStream } from './remote-stream.ts'
import { controlFrame, dataFrame, EmptyHeaders, frameOf, HeaderBlocks, resets, SpdyFault, types, words } from './spdy-frames.ts'

/** Streams of one connection that are open at once. */
const mostStreams = 512

/** A stream as its client opened it. */
export interface SpdyStream {
  readonly id: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** Who destroys it resets the stream. */
  readonly bytes: RemoteStream
}

/** Speaks until the client goes, or breaks the protocol. `onStream` takes a stream, or refuses it. All are gone when it resolves. */
export async function spdySession(socket: MessageSocket, onStream: (stream: SpdyStream) => boolean): Promise<void> {
  const streams = new Map<number, RemoteStream>()
  using headers = new HeaderBlocks()
  const replies = new EmptyHeaders()
  let lastStream = 0
  const reset = (id: number, reason: number) => socket.send(controlFrame(types.reset, words(id, reason)))
  const open = async (body: Buffer, isLast: boolean) => {
    if (body.length < 10) throw new SpdyFault('a stream is opened by too little')
    const id = idIn(body)
    const asked = await headers.read(body.subarray(10))
    if (id % 2 === 0 || id <= lastStream) throw new SpdyFault(`stream ${id} is opened out of turn`)
    lastStream = id
    const send = (bytes: Uint8Array) => socket.send(dataFrame(id, bytes, false))
    const bytes = new RemoteStream({ send, sendEnd: () => socket.send(dataFrame(id, new Uint8Array(), true)) })
    if (streams.size >= mostStreams) return await reset(id, resets.refused)
    // The reply is first: what is answered belongs to a stream that the client knows.
    await socket.send(controlFrame(types.reply, Buffer.concat([words(id), replies.next()])))
    streams.set(id, bytes)
    bytes.once('close', () => {
      if (streams.delete(id) && !bytes.writableFinished) void reset(id, resets.cancel)
    })
    if (isLast) bytes.endInput()
    if (!onStream({ id, headers: asked, bytes })) bytes.destroy()
  }
  const drop = (id: number) => {
    const stream = streams.get(id)
    streams.delete(id)
    stream?.destroy()
  }
  const control = async (type: number, body: Buffer, isLast: boolean) => {
    if (type === types.open) await open(body, isLast)
    else if (type === types.ping) await socket.send(controlFrame(types.ping, body))
    else if (type === types.headers) await headers.read(body.subarray(4))
    else if (type === types.reset && body.length >= 4) drop(idIn(body))
  }
  try {
    let pending: Buffer = Buffer.alloc(0)
    for await (const message of socket.messages) {
      pending = pending.length === 0 ? Buffer.from(message) : Buffer.concat([pending, message])
      for (let read = frameOf(pending); read !== undefined; read = frameOf(pending)) {
        pending = pending.subarray(read.length)
        const { frame } = read
        if (frame.kind === 'control') {
          if (frame.type === types.goAway) return
          await control(frame.type, frame.body, frame.isLast)
          continue
        }
        const stream = streams.get(frame.stream)
        if (frame.bytes.length > 0) await stream?.receive(frame.bytes)
        if (frame.isLast) stream?.endInput()
      }
    }
  } catch (error) {
    if (!(error instanceof SpdyFault)) throw error
    await socket.send(controlFrame(types.goAway, words(lastStream, resets.protocolError)))
  } finally {
    for (const id of streams.keys()) drop(id)
  }
}

function idIn(body: Buffer): number {
  return body.readUInt32BE(0) & 0x7fffffff
}
