// `POST /ballast/prefetch` on the peers' port: reads and checks what the controller asks, and hands it on.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { longestImageName, longestPrefetch, mostPrefetched, type Prefetcher, prefetchPath } from '../prefetch.ts'
import { parseImageName } from '../reference.ts'

/** For the body of a request. */
const bodyMs = 10_000

interface PrefetchDoorOptions {
  /** `undefined`: this agent pulls nothing beforehand. */
  readonly prefetcher: Prefetcher | undefined
  readonly clock: Clock
  readonly log: Log
}

export const isPrefetch = ({ url }: Pick<IncomingMessage, 'url'>): boolean => url?.split('?', 1)[0] === prefetchPath

/** Answers 202 with how each image stands, or says what is wrong. Never throws. */
export async function answerPrefetch(
  request: IncomingMessage,
  response: ServerResponse,
  { prefetcher, clock, log }: PrefetchDoorOptions,
): Promise<void> {
  const say = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) => {
    const text = `${JSON.stringify(body)}\n`
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers })
    response.end(text)
  }
  try {
    if (request.method !== 'POST') return say(405, { error: 'only POST is answered' }, { allow: 'POST' })
    if (prefetcher === undefined) return say(501, { error: 'this agent pulls nothing beforehand' })
    const body = await bodyOf(request, clock)
    if (body === undefined) {
      response.shouldKeepAlive = false
      return say(413, { error: `a body of at most ${longestPrefetch} bytes within ${bodyMs / 1_000} s` })
    }
    const read = readBody(body)
    if (!read.ok) return say(400, { error: read.error })
    return say(202, { images: await prefetcher.ask(read.images) })
  } catch (error) {
    log.warn({ why: messageOf(error) }, 'a request to pull images beforehand failed')
    response.destroy()
  }
}

/** `undefined` where it is too long, or slow. */
async function bodyOf(request: IncomingMessage, clock: Clock): Promise<string | undefined> {
  const late = new AbortController()
  const cancel = clock.schedule(bodyMs, () => late.abort())
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of request) {
      if (late.signal.aborted) return undefined
      const bytes = Buffer.from(chunk)
      length += bytes.length
      if (length > longestPrefetch) return undefined
      chunks.push(bytes)
    }
  } finally {
    cancel()
  }
  return Buffer.concat(chunks).toString('utf8')
}

type ReadBody = { readonly ok: true; readonly images: readonly string[] } | { readonly ok: false; readonly error: string }

/** Checked by hand: zod, which nothing else of an agent needs, takes 6 MiB. */
function readBody(body: string): ReadBody {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (error) {
    return { ok: false, error: `not JSON: ${messageOf(error)}` }
  }
  if (typeof value !== 'object' || value === null || !('images' in value) || Object.keys(value).length !== 1)
    return { ok: false, error: 'not an object with images, and nothing else' }
  const { images }: { readonly images: unknown } = value
  if (!Array.isArray(images) || images.length < 1 || images.length > mostPrefetched)
    return { ok: false, error: `images: not a list of 1 to ${mostPrefetched}` }
  const wrong = images.findIndex(image => !isImage(image))
  if (wrong < 0) return { ok: true, images: images.filter(isImage) }
  return { ok: false, error: `images.${wrong}: not an image such as "docker.io/library/nginx:1.29"` }
}

const isImage = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= longestImageName && parseImageName(value) !== undefined
