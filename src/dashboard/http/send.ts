// Puts an answer on the wire: headers that every answer has, fewer bytes where the reader can, nothing after the head of a HEAD.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { formatTime } from '#kube/time/time.ts'
import type { Picture } from '../picture.ts'
import type { Answer, FlowTarget, WholeAnswer } from './answer.ts'
import { compressed } from './compression.ts'
import { securityHeaders } from './security-headers.ts'

/** Resolves when the answer is handed over; of a flow, when it has begun. */
export async function send(
  answer: Answer,
  {
    message,
    response,
    picture,
    gone,
  }: {
    readonly message: IncomingMessage
    readonly response: ServerResponse
    /** Undefined where there is none: then nothing is said of it. */
    readonly picture: Picture | undefined
    readonly gone: AbortSignal
  },
): Promise<void> {
  const common = { ...securityHeaders, 'cache-control': 'no-store', ...pictureHeaders(picture), ...answer.headers }
  if (answer.kind === 'flow') {
    response.writeHead(answer.status, headersOf(common))
    if (message.method === 'HEAD') response.end()
    else {
      response.flushHeaders()
      answer.begin(targetOf(response, gone))
    }
    return
  }
  const made = await encodedBody(answer, message)
  if (gone.aborted || response.destroyed) return
  const headers: Record<string, string | readonly string[]> = { ...common }
  if (answer.status !== 204) {
    headers['content-type'] = answer.type
    headers['content-length'] = String(made.body.byteLength)
    headers['vary'] = 'Accept, Accept-Encoding, Cookie'
    if (made.encoding !== undefined) headers['content-encoding'] = made.encoding
  }
  // A body that nobody read would be taken for the next request.
  if (!message.complete) headers['connection'] = 'close'
  response.writeHead(answer.status, headersOf(headers))
  response.end(message.method === 'HEAD' || answer.status === 204 ? undefined : made.body)
}

function headersOf(headers: Readonly<Record<string, string | readonly string[]>>): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
  )
}

function pictureHeaders(picture: Picture | undefined): Readonly<Record<string, string>> {
  if (picture === undefined) return {}
  const { epoch, sequence, nowMs } = picture
  return { 'ballast-revision': `${epoch}.${sequence}`, 'ballast-now': formatTime(nowMs) }
}

async function encodedBody(
  { body, encoding, type }: WholeAnswer,
  { headers }: IncomingMessage,
): Promise<{ readonly body: Uint8Array; readonly encoding?: string }> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  if (encoding !== undefined) return { body: bytes, encoding }
  const accept = headers['accept-encoding']
  const isText = /^(?:text\/|application\/json)/.test(type)
  return (isText ? await compressed(bytes, typeof accept === 'string' ? accept : undefined) : undefined) ?? { body: bytes }
}

function targetOf(response: ServerResponse, ended: AbortSignal): FlowTarget {
  return {
    ended,
    write: bytes => (response.writableEnded || response.destroyed ? true : response.write(bytes)),
    drained: () => {
      if (!response.writableNeedDrain) return Promise.resolve()
      return new Promise(resolve => response.once('drain', resolve))
    },
    end: () => {
      response.end()
    },
  }
}
