// The wire of a connection in a browser: `fetch` with a body that is read as it comes, because EventSource tells no status.
import type { Topic } from '../../contract.ts'
import { onHost } from '../frame/base-path.ts'
import type { StreamListener, Wire, WireEnd } from './connection.ts'
import { EventStreamReader } from './event-stream.ts'
import { ApiProblem, errorOf, getAnswer } from './requests.ts'
import { topicPath } from './topic-paths.ts'

export const browserWire: Wire = {
  open(topics, lastEventId, listener) {
    const closing = new AbortController()
    void listen(topics, lastEventId, listener, closing.signal)
    return () => closing.abort()
  },
  async poll(topic) {
    try {
      const { value, revision } = await getAnswer<unknown>(topicPath(topic))
      return { kind: 'value', polled: { value, revision: revision ?? '' } }
    } catch (error) {
      return endOf(error)
    }
  },
}

async function listen(
  topics: readonly Topic[],
  lastEventId: string | undefined,
  listener: StreamListener,
  signal: AbortSignal,
): Promise<void> {
  try {
    const response = await fetch(onHost(`/api/v1/stream?topics=${topics.map(encodeURIComponent).join(',')}`), {
      headers: { Accept: 'text/event-stream', ...(lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId }) },
      credentials: 'same-origin',
      cache: 'no-store',
      signal,
    })
    if (!response.ok || response.body === null) {
      const error = await errorOf(response)
      if (!signal.aborted)
        listener.ended({ kind: 'refused', status: response.status, retryAfterMs: retryAfterOf(response), error })
      return
    }
    listener.opened()
    const reader = new EventStreamReader(event => {
      if (!signal.aborted) listener.event(event.name, event.data, event.id)
    })
    const text = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const { done, value } = await text.read()
      if (done || signal.aborted) break
      reader.read(value)
    }
    if (!signal.aborted) listener.ended({ kind: 'lost' })
  } catch (error) {
    // The network, or a stream that is none: both are tried again, and the console keeps the cause.
    if (signal.aborted) return
    console.debug('ballast: the stream ended', error)
    listener.ended({ kind: 'lost' })
  }
}

function endOf(error: unknown): WireEnd {
  if (!(error instanceof ApiProblem) || error.status === 0) return { kind: 'lost' }
  const { status, code, message, remedy, links } = error
  return { kind: 'refused', status, retryAfterMs: undefined, error: { code, message, remedy, links } }
}

function retryAfterOf(response: Response): number | undefined {
  const seconds = Number(response.headers.get('Retry-After') ?? Number.NaN)
  return Number.isFinite(seconds) ? seconds * 1000 : undefined
}
