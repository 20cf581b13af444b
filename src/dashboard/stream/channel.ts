// Readers of equal rights and what they listen to: each value is computed, compared and put into words once for all of them.
import { type Log, messageOf } from '#kube/log.ts'
import type { TopicKind } from '../contract-names.ts'
import { differenceOf } from '../delta.ts'
import type { Picture } from '../picture.ts'
import type { Viewing } from '../views/viewing.ts'
import type { Feed, Reader } from './reader.ts'
import type { Ring, RingEntry, RingEvent } from './ring.ts'
import { dataIn, dataOf, framed, idText } from './sse.ts'
import { type TopicValue, type TopicValues, topicKindOf } from './topics.ts'

interface Cell {
  readonly topic: string
  readonly kind: TopicKind | undefined
  listeners: number
  isDirty: boolean
  /** As it was told last; `undefined` until it was computed. */
  told: TopicValue | undefined
  /** Number of the event that made it so. */
  revision: number
  /** Number from which on all of its changes are in the ring. */
  since: number
  refreshedMs: number
  leftMs: number
  /** The snapshot as data, while the value stays. */
  data: Uint8Array | undefined
}

interface ChannelOptions {
  readonly key: string
  readonly epoch: string
  readonly ring: Ring
  readonly values: TopicValues
  readonly log: Log
}

/** What the picture's time alone changes: nobody is told of it, ticks bring it. */
const volatileFields: { readonly [Kind in TopicKind]?: ReadonlySet<string> } = {
  overview: new Set(['now', 'revision']),
  twin: new Set(['now']),
}

/** Topics that nobody listens to any more, whose values are kept for those who come back. */
const mostIdleTopics = 64

export class Channel implements Feed {
  readonly epoch: string
  /** Viewing of the newest subscriber: all have the same rights. */
  viewing: Viewing
  leftMs = 0
  readonly readers = new Set<Reader>()
  readonly #options: ChannelOptions
  readonly #cells = new Map<string, Cell>()

  constructor(options: ChannelOptions, viewing: Viewing) {
    this.#options = options
    this.epoch = options.epoch
    this.viewing = viewing
  }

  get key(): string {
    return this.#options.key
  }

  get head(): number {
    return this.#options.ring.headOf(this.key)
  }

  after(sequence: number): RingEntry | undefined {
    return this.#options.ring.after(this.key, sequence)
  }

  holds(sequence: number): boolean {
    return this.#options.ring.holds(this.key, sequence)
  }

  snapshot(topic: string): ReturnType<Feed['snapshot']> {
    const cell = this.#cells.get(topic)
    if (cell?.told === undefined) return undefined
    const { told } = cell
    if ('gone' in told) return { name: 'gone', data: dataOf('gone', { topic, error: told.gone }) }
    cell.data ??= dataOf('snapshot', { topic, revision: this.#revision(cell), value: told.value })
    return { name: 'snapshot', data: cell.data }
  }

  /** Whether all that `topics` said since the event numbered `sequence` can be told again. */
  canResume(topics: Iterable<string>, sequence: number): boolean {
    if (!this.holds(sequence)) return false
    for (const topic of topics) {
      const cell = this.#cells.get(topic)
      if (cell?.told === undefined || cell.since > sequence) return false
    }
    return true
  }

  add(reader: Reader): void {
    this.readers.add(reader)
    for (const topic of reader.topics) {
      const cell = this.#cells.get(topic) ?? newCell(topic)
      this.#cells.set(topic, cell)
      // What it said while nobody listened was not computed.
      if (cell.listeners++ === 0) cell.isDirty = true
    }
  }

  remove(reader: Reader, nowMs: number): void {
    if (!this.readers.delete(reader)) return
    for (const topic of reader.topics) {
      const cell = this.#cells.get(topic)
      if (cell === undefined) continue
      cell.listeners--
      cell.leftMs = nowMs
      cell.data = undefined
    }
    this.leftMs = nowMs
  }

  /** Forgets what nobody asked for since `beforeMs`, and the longest unheard beyond a number. */
  prune(beforeMs: number): void {
    const idle = [...this.#cells.values()].filter(cell => cell.listeners === 0).sort((a, b) => b.leftMs - a.leftMs)
    for (const [at, { topic, leftMs }] of idle.entries()) if (at >= mostIdleTopics || leftMs < beforeMs) this.#cells.delete(topic)
  }

  /** Something changed of which any topic may speak. */
  soil(): void {
    for (const cell of this.#cells.values()) cell.isDirty = true
  }

  /** Topics to compute that were not computed since `sinceMs`, or never. */
  *due(sinceMs: number): Iterable<string> {
    for (const cell of this.#cells.values()) if (isDue(cell, sinceMs)) yield cell.topic
  }

  /** When the next topic may be computed that has to; `undefined`: none has to. */
  nextDueMs(everyMs: number): number | undefined {
    let next: number | undefined
    for (const cell of this.#cells.values()) {
      if (!cell.isDirty || cell.listeners === 0) continue
      const dueMs = cell.told === undefined ? 0 : cell.refreshedMs + everyMs
      if (next === undefined || dueMs < next) next = dueMs
    }
    return next
  }

  /** Computes a topic anew, and tells what is different. */
  refresh(topic: string, picture: Picture, nowMs: number): void {
    const cell = this.#cells.get(topic)
    if (cell === undefined || cell.listeners === 0) return
    cell.isDirty = false
    cell.refreshedMs = nowMs
    const { told } = cell
    const value = this.#valueOf(picture, topic)
    cell.data = undefined
    cell.told = value
    if (told === undefined) {
      cell.since = this.#append(cell, nowMs, () => undefined)
      return
    }
    const event = this.#eventOf(cell, told, value)
    if (event !== undefined) this.#append(cell, nowMs, event)
  }

  #valueOf(picture: Picture, topic: string): TopicValue {
    try {
      return this.#options.values(picture, topic, this.viewing)
    } catch (error) {
      this.#options.log.error({ topic, why: messageOf(error) }, 'a view failed')
      return { gone: { code: 'view-failed', message: `This cannot be shown: ${messageOf(error)}`, remedy: null } }
    }
  }

  /** What tells of the change from `before` to `after`, once it has its number; `undefined` where there is nothing to tell. */
  #eventOf(
    cell: Cell,
    before: TopicValue,
    after: TopicValue,
  ): ((id: { readonly epoch: string; readonly sequence: number }) => RingEvent) | undefined {
    const { topic, kind } = cell
    if ('gone' in after) {
      if ('gone' in before && before.gone.message === after.gone.message) return undefined
      return id => ringEvent('gone', id, dataOf('gone', { topic, error: after.gone }))
    }
    if ('gone' in before || kind === undefined)
      return id => ringEvent('snapshot', id, dataOf('snapshot', { topic, revision: idText(id), value: after.value }))
    const difference = differenceOf(kind, before.value, after.value)
    if (difference === undefined || isVolatile(kind, difference)) return undefined
    const from = this.#revision(cell)
    return id => ringEvent('delta', id, dataOf('delta', { topic, revision: idText(id), from, ...difference }))
  }

  #append(
    cell: Cell,
    nowMs: number,
    make: (id: { readonly epoch: string; readonly sequence: number }) => RingEvent | undefined,
  ): number {
    const { epoch } = this
    const entry = this.#options.ring.append(this.key, cell.topic, nowMs, sequence => make({ epoch, sequence }))
    cell.revision = entry.sequence
    // A reader whose connection ends while it is told leaves.
    for (const reader of [...this.readers]) if (reader.topics.has(cell.topic)) reader.told(entry)
    return entry.sequence
  }

  #revision({ revision }: Cell): string {
    return idText({ epoch: this.epoch, sequence: revision })
  }
}

function newCell(topic: string): Cell {
  return {
    topic,
    kind: topicKindOf(topic),
    listeners: 0,
    isDirty: true,
    told: undefined,
    revision: 0,
    since: 0,
    refreshedMs: 0,
    leftMs: 0,
    data: undefined,
  }
}

function isDue(cell: Cell, sinceMs: number): boolean {
  return cell.isDirty && cell.listeners > 0 && (cell.told === undefined || cell.refreshedMs <= sinceMs)
}

function isVolatile(kind: TopicKind, { set, upsert, remove, order }: NonNullable<ReturnType<typeof differenceOf>>): boolean {
  const fields = volatileFields[kind]
  if (fields === undefined) return false
  const isEmpty = [upsert, remove, order].every(part => Object.keys(part).length === 0)
  return isEmpty && Object.keys(set).every(field => fields.has(field))
}

function ringEvent(
  name: RingEvent['name'],
  id: { readonly epoch: string; readonly sequence: number },
  data: Uint8Array,
): RingEvent {
  const bytes = framed(name, id, data)
  return { name, bytes, data: dataIn(bytes, data.length) }
}
