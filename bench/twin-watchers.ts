// One change told to many watchers, over HTTPS, the twin in a process of its own: how fast it reaches all of them, what it costs, and that
// readers who do not read, or all go at once, do no harm. Sizes: `node bench/twin-watchers.ts [watchers] [crowd]`.
import type { ClientHttp2Session } from 'node:http2'
import { systemClock } from '#kube/clock.ts'
import { answerForm } from '#twin/api/answers/negotiation.ts'
import { ResourceRegistry } from '#twin/api/resource-registry.ts'
import { selectionOf } from '#twin/api/selection.ts'
import { EventQueue } from '#twin/api/watches/event-queue.ts'
import { eventForm } from '#twin/api/watches/event-text.ts'
import { WatchHub } from '#twin/api/watches/watch-hub.ts'
import { Store } from '#twin/store.ts'
import { throwTrouble } from '#twin/trouble.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'
import { realPod } from './real-pods.ts'
import { connectTo, get, openWatch, quantile, request } from './twin-client.ts'
import { startTwinProcess, type TwinProcess } from './twin-process.ts'

const defaultWatchers = 1_000
const defaultCrowd = 10_000
const watchersOfConnection = 100
const changes = 60
const changeEachMs = 50
const path = '/api/v1/namespaces/default/configmaps'
/** A pod's worth of text. */
const podPayload = 'x'.repeat(7_000)
/** More than the windows of HTTP/2 and what a watcher may be behind. */
const eventsAtOnce = 60
const longestLazyMs = 60_000
const largePayload = 'x'.repeat(700_000)

/** Watchers on connections of a hundred each, as informers of many controllers are. */
class Crowd implements Disposable {
  readonly #sessions: ClientHttp2Session[] = []
  #onEvent: () => void = () => undefined
  size = 0

  async grow(twin: TwinProcess, count: number, query = ''): Promise<void> {
    while (this.size < count) {
      const session = connectTo(twin.kubeconfig)
      session.on('error', () => session.destroy())
      this.#sessions.push(session)
      const wanted = Math.min(watchersOfConnection, count - this.size)
      const streams = await Promise.all(
        Array.from({ length: wanted }, () =>
          openWatch(
            session,
            `${path}?watch=true&resourceVersion=0&sendInitialEvents=false&resourceVersionMatch=NotOlderThan${query}`,
          ),
        ),
      )
      for (const stream of streams) {
        // An event ends with its line; parts of it do not count.
        stream.on('data', (chunk: Buffer) => {
          if (chunk.at(-1) === 10) this.#onEvent()
        })
        stream.on('error', () => stream.destroy())
      }
      this.size += wanted
    }
  }

  /** Milliseconds from the request of a change to each watcher having it. */
  async latencies(change: () => Promise<unknown>): Promise<readonly number[]> {
    const since = systemClock.elapsed()
    const found: number[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onEvent = () => {
      found.push(systemClock.elapsed() - since)
      if (found.length === this.size) resolve()
    }
    await change()
    await promise
    return found
  }

  [Symbol.dispose](): void {
    for (const session of this.#sessions) session.destroy()
  }
}

async function put(session: ClientHttp2Session, name: string, count: number, payload = podPayload): Promise<void> {
  const body = JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: { payload, count: String(count) },
  })
  const headers = {
    ':method': count === 0 ? 'POST' : 'PUT',
    ':path': count === 0 ? path : `${path}/${name}`,
    'content-type': 'application/json',
  }
  const { status } = await request(session, headers, body)
  if (status >= 300) throw new Error(`a write was answered with ${status}`)
}

/** One watcher's and many watchers' cost of a change, the twin's own, in milliseconds of processor time; and the latencies. */
async function fanOut(twin: TwinProcess, writer: ClientHttp2Session, watchers: number) {
  using crowd = new Crowd()
  await crowd.grow(twin, watchers)
  const all: number[] = []
  const cpuBefore = twin.cpuMs()
  for (let count = 1; count <= changes; count++) {
    all.push(...(await crowd.latencies(() => put(writer, 'changed', count))))
    await systemClock.after(changeEachMs)
  }
  return { cpuMs: (twin.cpuMs() - cpuBefore) / changes, p50: quantile(all, 0.5), p99: quantile(all, 0.99) }
}

/** Milliseconds that a change of a pod takes until every watcher of this process has its line: no sockets. The median, whatever else runs. */
async function committed(watchers: number): Promise<number> {
  const store = new Store()
  const type = new ResourceRegistry().ofKey('pods')
  if (type === undefined) throw new Error('pods are not served')
  const hub = new WatchHub({ clock: systemClock, onTrouble: throwTrouble }, store)
  const form = eventForm(type, answerForm('application/json', type), { version: 'v1', includes: 'Metadata', hasColumns: false })
  const interest = { form, namespace: undefined, selection: selectionOf(type, '', ''), selectionText: '' }
  const queues = Array.from({ length: watchers }, () => new EventQueue(systemClock))
  for (const queue of queues) hub.join(interest, { wantsColumns: false, push: line => queue.push(line), fail: () => queue.end() })
  const times: number[] = []
  for (let change = 0; change < 10 * changes; change++) {
    const pod = realPod(1, 1)
    const changed = {
      ...pod,
      metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, change: String(change) } },
    }
    const read = Promise.all(queues.map(queue => queue.next()))
    const sinceMs = systemClock.elapsed()
    store.put('pods', changed)
    times.push(systemClock.elapsed() - sinceMs)
    await read
  }
  return quantile(times, 0.5)
}

/** Opens many, drops them all at once, and sees how long the twin takes to answer meanwhile. */
async function dropAll(twin: TwinProcess, crowdSize: number) {
  const probe = connectTo(twin.kubeconfig)
  const before = twin.rssBytes()
  const crowd = new Crowd()
  await crowd.grow(twin, crowdSize)
  const held = twin.rssBytes()
  crowd[Symbol.dispose]()
  const slowest: number[] = []
  for (let count = 0; count < 50; count++) {
    slowest.push((await get(probe, '/version')).ms)
    await systemClock.after(20)
  }
  probe.destroy()
  return { bytesEach: (held - before) / crowdSize, slowestMs: Math.max(...slowest) }
}

/** A watcher that never reads while 40 MiB of changes come. */
async function neverRead(twin: TwinProcess, writer: ClientHttp2Session) {
  const lazy = connectTo(twin.kubeconfig)
  const stream = await openWatch(lazy, `${path}?watch=true`)
  stream.pause()
  stream.on('error', () => stream.destroy())
  const before = twin.rssBytes()
  const since = systemClock.elapsed()
  const isOpen = () => !stream.closed && !stream.aborted && !stream.destroyed
  for (let count = 1; isOpen() && systemClock.elapsed() - since < longestLazyMs; count++) {
    await put(writer, 'changed', count, largePayload)
    if (count > eventsAtOnce) await systemClock.after(100)
  }
  const ms = systemClock.elapsed() - since
  lazy.destroy()
  return { ms, grownBytes: twin.rssBytes() - before }
}

export async function twinWatchers(watchers = defaultWatchers, crowdSize = defaultCrowd): Promise<readonly BudgetRow[]> {
  const twin = await startTwinProcess([])
  const writer = connectTo(twin.kubeconfig)
  try {
    await put(writer, 'changed', 0)
    await fanOut(twin, writer, 1) // warms up
    const one = await fanOut(twin, writer, 1)
    const many = await fanOut(twin, writer, watchers)
    await committed(1) // warms up
    const [commitOfOne, commitOfMany] = [await committed(1), await committed(watchers)]
    const lazy = await neverRead(twin, writer)
    const dropped = await dropAll(twin, crowdSize)
    return [
      { what: `change to ${watchers} watchers, p50`, value: many.p50, unit: 'ms' },
      { what: `change to ${watchers} watchers, p99`, value: many.p99, unit: 'ms', budget: { atMost: 30 } },
      { what: 'change to one watcher, p99', value: one.p99, unit: 'ms' },
      { what: 'processor time of a change, one watcher', value: one.cpuMs, unit: 'ms' },
      { what: `processor time of a change, ${watchers} watchers: encryption and sockets`, value: many.cpuMs, unit: 'ms' },
      { what: 'pod committed and written for one watcher, without sockets', value: commitOfOne, unit: 'ms' },
      {
        what: `  for ${watchers} watchers, to that for one: serialised once`,
        value: commitOfMany / commitOfOne,
        unit: 'times',
        budget: { atMost: 2 },
      },
      { what: 'a reader that never reads is cut off after', value: lazy.ms / 1000, unit: 's' },
      { what: 'what it made the twin hold', value: lazy.grownBytes / 2 ** 20, unit: 'MiB', budget: { atMost: 200 } },
      { what: `memory of a watcher, of ${crowdSize}`, value: dropped.bytesEach / 1024, unit: 'KiB' },
      { what: `slowest answer after ${crowdSize} watchers went at once`, value: dropped.slowestMs, unit: 'ms' },
    ]
  } finally {
    writer.destroy()
    await twin.stop()
  }
}

if (import.meta.main) {
  const [watchers = defaultWatchers, crowd = defaultCrowd] = process.argv.slice(2).map(Number)
  process.stdout.write(`${budgetTable(await twinWatchers(watchers, crowd))}\n`)
}
