// The page's one connection: which topics it is open for, what arrives, and how it stands with it.
import { computed, effect, signal } from '@preact/signals'
import type { Overview, Source, TwinView } from '../../contract.ts'
import { at } from '../frame/past.ts'
import { clusterTimeAt, holdClock, setClock } from '../frame/time.ts'
import { sharedBetweenTabs } from './browser-sharing.ts'
import { browserWire } from './browser-wire.ts'
import { Connection, type LinkState } from './connection.ts'
import { Receiver } from './receiver.ts'
import { ApiProblem, getJson, newKey } from './requests.ts'
import { Sharing } from './sharing.ts'
import { topicPath } from './topic-paths.ts'
import { forgetValues, setGone, setStale, setValue, topicsRead } from './topics.ts'

/** How it stands with the stream. */
export const link = signal<LinkState>({ kind: 'connecting' })

/** Whether what is done now is seen: actions are offered only then. */
export const isConnected = computed(() => ['live', 'polling', 'connecting', 'idle'].includes(link.value.kind))

/** When the connection was cut, by the cluster's clock as it was shown then. */
export const cutAtClusterMs = signal<number | undefined>(undefined)

/** As the last tick said; the overview has them too. */
export const sources = signal<readonly Source[]>([])

/** Milliseconds that tabs share. */
export const sharedNow = (): number => performance.timeOrigin + performance.now()

let seen = ''

/** The revision that was last received: what an action was decided on. */
export const revisionSeen = (): string => seen

function schedule(delayMs: number, callback: () => void): () => void {
  const timer = setTimeout(callback, delayMs)
  return () => clearTimeout(timer)
}

const receiver = new Receiver({
  value(topic, value, revision) {
    seen = revision
    setValue(topic, value)
    if (topic === 'overview') sources.value = (value as Overview).sources
    // A twin's pace has changed: the next tick may be ten seconds away.
    if (topic === 'twin') {
      const { now, paused, speed } = value as TwinView
      setClock(now, paused ? 0 : speed)
    }
  },
  gone: setGone,
  clock: setClock,
  sources(all) {
    sources.value = all
  },
  gap: () => sharing.refresh(),
})

const connection = new Connection({
  clock: { now: sharedNow, schedule },
  wire: browserWire,
  chance: Math.random,
  sink: { message: message => sharing.message(message), link: state => sharing.link(state) },
})

const sharing = new Sharing({
  tab: newKey(),
  between: sharedBetweenTabs(),
  connection,
  receiver,
  schedule,
  onLink(state) {
    if (state.kind === 'waiting') cutAtClusterMs.value ??= clusterTimeAt(state.sinceMs - performance.timeOrigin)
    else if (state.kind !== 'idle') cutAtClusterMs.value = undefined
    setStale(state.kind === 'waiting' || state.kind === 'signed-out' || state.kind === 'outdated')
    link.value = state
  },
})

/** Tries at once. */
export const retryNow = (): void => sharing.retry()

/** Opens the connection; `first` is the overview that came with the page. */
export function startLive(first: Overview | undefined): void {
  if (first !== undefined) {
    seen = first.revision
    setClock(first.now, first.speed)
    setValue('overview', first)
    sources.value = first.sources
  }
  addEventListener('pagehide', () => sharing.leave())
  // Back from where the browser keeps pages that were left.
  addEventListener('pageshow', () => sharing.setVisible(!document.hidden))
  document.addEventListener('visibilitychange', () => sharing.setVisible(!document.hidden))
  sharing.start()
  sharing.setVisible(!document.hidden)
  let shown = at.peek()
  effect(() => {
    const moment = at.value
    const topics = topicsRead.value
    if (moment !== shown) forgetValues()
    shown = moment
    sharing.setTopics(moment === undefined ? topics : [])
    if (moment === undefined) return
    holdClock(moment)
    link.value = { kind: 'idle' }
    void Promise.all(topics.map(topic => readPast(topic, moment)))
  })
}

/** What a topic was at the moment of the address. */
async function readPast(topic: string, moment: string): Promise<void> {
  try {
    const value = await getJson<unknown>(topicPath(topic))
    if (at.peek() === moment) setValue(topic, value)
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw error
    const { code, message, remedy, links } = error
    if (at.peek() === moment) setGone(topic, { code, message, remedy, links })
  }
}
