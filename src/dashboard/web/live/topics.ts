// The values that the page shows, by topic, as signals: whoever reads one subscribes to it as long as it is shown.
import { type ReadonlySignal, type Signal, signal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import type { ApiError, Topic } from '../../contract.ts'

type TopicState = 'loading' | 'live' | 'stale' | 'error' | 'forbidden' | 'gone'

interface TopicReading<T> {
  /** What was last received; kept while the state says that it is stale. */
  readonly value: ReadonlySignal<T | undefined>
  readonly state: ReadonlySignal<TopicState>
  readonly error: ReadonlySignal<ApiError['error'] | undefined>
}

interface Entry {
  readonly value: Signal<unknown>
  readonly state: Signal<TopicState>
  readonly error: Signal<ApiError['error'] | undefined>
  readers: number
  /** Forgets it, some time after the last reader left. */
  forgetting: ReturnType<typeof setTimeout> | undefined
}

/** So long a value is kept that nobody shows: whoever comes back sees it at once. */
const keptMs = 60_000

const entries = new Map<Topic, Entry>()

/** The topics that somebody reads, in a signal: the connection follows it. */
export const topicsRead = signal<readonly Topic[]>([])

function entryOf(topic: Topic): Entry {
  const known = entries.get(topic)
  if (known !== undefined) return known
  const entry: Entry = {
    value: signal(undefined),
    state: signal<TopicState>('loading'),
    error: signal(undefined),
    readers: 0,
    forgetting: undefined,
  }
  entries.set(topic, entry)
  return entry
}

/** The value of a topic, kept up as long as the component is shown. */
export function useTopic<T>(topic: Topic): TopicReading<T> {
  useEffect(() => readTopic(topic), [topic])
  return useMemo(() => readingOf<T>(topic), [topic])
}

/** Reads a topic until the returned function is called. */
function readTopic(topic: Topic): () => void {
  const entry = entryOf(topic)
  clearTimeout(entry.forgetting)
  entry.readers++
  if (entry.readers === 1) noteReaders()
  return () => {
    entry.readers--
    if (entry.readers > 0) return
    noteReaders()
    entry.forgetting = setTimeout(() => entries.delete(topic), keptMs)
  }
}

function noteReaders(): void {
  topicsRead.value = [...entries].filter(([, { readers }]) => readers > 0).map(([topic]) => topic)
}

/** A topic without subscribing to it. The shape behind a topic's name is the contract's: whoever names the topic names its type. */
export function readingOf<T>(topic: Topic): TopicReading<T> {
  return entryOf(topic) as TopicReading<T>
}

export function setValue(topic: Topic, value: unknown): void {
  const entry = entryOf(topic)
  entry.value.value = value
  entry.state.value = 'live'
  entry.error.value = undefined
}

/** What stands in place of a value: it is gone, or this viewer may not see it. */
export function setGone(topic: Topic, error: ApiError['error']): void {
  const entry = entryOf(topic)
  entry.error.value = error
  entry.state.value = /forbidden/.test(error.code)
    ? 'forbidden'
    : /gone|not-found|not-there|unknown/.test(error.code)
      ? 'gone'
      : 'error'
}

/** Nothing new comes for the moment, or it does again: values stay and say so. */
export function setStale(isStale: boolean): void {
  for (const { state, value } of entries.values()) {
    if (isStale && state.value === 'live') state.value = 'stale'
    else if (!isStale && state.value === 'stale' && value.value !== undefined) state.value = 'live'
  }
}

/** Values of another moment, or of another viewer, go. */
export function forgetValues(): void {
  for (const { value, state, error } of entries.values()) {
    value.value = undefined
    state.value = 'loading'
    error.value = undefined
  }
}
