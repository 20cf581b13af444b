// Watches: a stream of changes in revision order, filtered for one client. What a client has to catch up with is written while it reads;
// from then on it is told of each change as it comes.

import type { Cancel } from '#kube/clock.ts'
import { breather } from '#kube/controllers/breather.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { expired, StatusError } from '#kube/objects/status.ts'
import { type Draft, fieldsAt, jsonTree, textAt, textsAt } from '../../json-value.ts'
import type { ObjectsSnapshot } from '../../ordered-objects.ts'
import { atLeastRevision, tableOptions } from '../answers/list.ts'
import { type AnswerForm, watchForm } from '../answers/negotiation.ts'
import type { ApiServer } from '../api-server.ts'
import { isConverted, readyIn } from '../custom/conversions.ts'
import { type ListOptions, listOptions, revisionOf } from '../list-options.ts'
import type { ResourceRequest, TwinRequest, TwinResponse } from '../request.ts'
import type { ResourceType } from '../resource-type.ts'
import { selectionOf } from '../selection.ts'
import { asStored } from '../write-pipeline.ts'
import { bookmarkLine } from './bookmark.ts'
import { EventQueue } from './event-queue.ts'
import { type EventForm, eventBody, eventForm, eventLine, type SeenEvent, seenBy } from './event-text.ts'
import { framesType } from './watch-frames.ts'
import type { WatchInterest } from './watch-hub.ts'

const bookmarkEveryMs = 60_000
const defaultTimeoutMs = 1_800_000
/** What a client has to catch up with is written at once up to so many objects or changes, else as it reads. */
const mostAtOnce = 256
/** How much text is handed on at once. */
const pieceLength = 256 * 1024

/** Opens a watch. What is wrong with the request is refused; what is wrong with its resourceVersion comes as an ERROR event. */
export async function answerWatch(
  server: ApiServer,
  type: ResourceType,
  info: ResourceRequest,
  request: TwinRequest,
): Promise<TwinResponse> {
  const asked = watchForm(request.headers['accept'], type)
  const isFramed = asked.encoding === 'protobuf'
  const form: AnswerForm = { ...asked, encoding: 'json' }
  const options = listOptions(request.query, 'watch')
  const fields =
    info.name === undefined
      ? options.fieldSelector
      : [options.fieldSelector, `metadata.name=${info.name}`].filter(text => text !== '').join(',')
  const shown = eventForm(type, form, tableOptions(form, request))
  const storage = isConverted(type) ? server.resources.ofKey(type.key) : undefined
  const interest: WatchInterest = {
    form: storage === undefined ? shown : eventForm(storage, storedForm, shown.table),
    namespace: info.namespace,
    selection: selectionOf(type, options.labelSelector, fields),
    selectionText: JSON.stringify([options.labelSelector, fields]),
  }
  const watch = new Watch(server, interest, options, request.signal)
  await watch.start()
  const chunks = storage === undefined ? watch : inOtherVersion(server, shown, watch)
  const headers = { 'content-type': isFramed ? framesType : 'application/json' }
  return { kind: 'stream', status: 200, headers, chunks, cutOff: watch.cutOff, ...(isFramed ? { isFramed } : {}) }
}

/** How objects that a webhook converts come from the store. */
const storedForm: AnswerForm = { shape: 'object', version: 'v1', encoding: 'json' }

/** The lines of a watch of what is stored, each with its object as the webhook converts it; an ERROR and the end where it does not. */
async function* inOtherVersion(
  server: ApiServer,
  form: EventForm,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let wantsColumns = form.form.shape === 'table'
  for await (const chunk of chunks) {
    const lines = Buffer.from(chunk).toString().trimEnd().split('\n')
    const events = lines.map(line => ({ line, event: fieldsAt({ event: jsonTree(line) }, 'event') ?? {} }))
    for (const { line, event } of events) {
      const { type } = event
      const object = fieldsAt(event, 'object') ?? {}
      if (type === 'BOOKMARK')
        yield bookmarkLine(form, Number(textAt(object, 'metadata', 'resourceVersion')), bookmarkWords(object))
      else if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') yield Buffer.from(`${line}\n`)
      else {
        // What was converted once for the object that is there is not asked for again.
        const shown = asStored(object)
        const { namespace, name, resourceVersion } = shown.metadata
        const current = server.store.get(form.type.key, namespace, name)
        const stored = current?.metadata.resourceVersion === resourceVersion && current !== undefined ? current : shown
        try {
          await readyIn(server, form.type, [stored])
        } catch (error) {
          if (!(error instanceof StatusError)) throw error
          yield Buffer.from(eventLine('ERROR', JSON.stringify(error.status)))
          return
        }
        yield Buffer.from(eventLine(type, eventBody(server, form, stored, wantsColumns)))
        wantsColumns = false
      }
    }
  }
}

function bookmarkWords(object: Draft): Readonly<Record<string, string>> | undefined {
  const words = textsAt(object, 'metadata', 'annotations')
  return Object.keys(words).length === 0 ? undefined : words
}

class Watch implements AsyncIterable<Uint8Array> {
  readonly #server: ApiServer
  readonly #interest: WatchInterest
  readonly #options: ListOptions
  readonly #signal: AbortSignal
  readonly #queue: EventQueue
  readonly #cleanup = new DisposableStack()
  /** Set while there is something to catch up with. */
  #backlog: AsyncGenerator<Uint8Array, void, undefined> | undefined
  /** Everything up to here was written or queued. */
  #revision = 0
  #isLive = false
  #wantsColumns: boolean

  constructor(server: ApiServer, interest: WatchInterest, options: ListOptions, signal: AbortSignal) {
    this.#server = server
    this.#interest = interest
    this.#options = options
    this.#signal = signal
    this.#queue = new EventQueue(server.wire)
    this.#wantsColumns = interest.form.form.shape === 'table'
  }

  get #resource(): string {
    return this.#interest.form.type.key
  }

  /** Aborted when the client reads too slowly to be served. */
  get cutOff(): AbortSignal {
    return this.#queue.givenUp
  }

  async start(): Promise<void> {
    this.#queue.onClose(() => this.#cleanup.dispose())
    const onAbort = () => this.#queue.close()
    this.#signal.addEventListener('abort', onAbort, { once: true })
    this.#cleanup.defer(() => this.#signal.removeEventListener('abort', onAbort))
    const { resourceVersion } = this.#options
    try {
      await atLeastRevision(this.#server, resourceVersion, this.#signal, 'get')
    } catch (error) {
      if (error instanceof StatusError && error.code === 504) return this.#fail(error)
      throw error
    }
    if (this.#signal.aborted) return this.#queue.close()
    const { store } = this.#server
    const isFromNow = resourceVersion === '' || resourceVersion === '0'
    this.#revision = isFromNow ? store.revision : revisionOf(resourceVersion, 'watch')
    if (this.#options.sendInitialEvents ?? isFromNow) this.#startWithState()
    else this.#startWithChanges()
    if (!this.#queue.isOver) this.#armTimers()
  }

  /** First what has to be caught up with, then changes as they come. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        if (this.#backlog !== undefined) {
          const piece = await this.#backlog.next()
          if (piece.done !== true) return piece
          this.#backlog = undefined
        }
        return await this.#queue.next()
      },
      return: async () => {
        await this.#backlog?.return()
        return await this.#queue.return()
      },
    }
  }

  #startWithState(): void {
    const { store } = this.#server
    this.#revision = store.revision
    const snapshot = store.snapshotAt(this.#resource, this.#revision)
    if (snapshot !== undefined && snapshot.size > mostAtOnce) this.#backlog = this.#stateThenChanges(snapshot)
    else {
      for (const object of snapshot === undefined ? [] : this.#selected(snapshot))
        this.#queue.push(this.#line({ type: 'ADDED', object }))
      this.#endInitialEvents()
      this.#goLive()
    }
  }

  #startWithChanges(): void {
    const changes = this.#server.store.changesSince(this.#resource, this.#revision, mostAtOnce + 1)
    if (changes === undefined) this.#failExpired()
    else if (changes.length > mostAtOnce) this.#backlog = this.#laterChanges()
    else {
      for (const event of changes) {
        const seen = this.#seen(event)
        if (seen !== undefined) this.#queue.push(this.#line(seen))
      }
      this.#goLive()
    }
  }

  *#selected(snapshot: ObjectsSnapshot): Generator<KubeObject, void, undefined> {
    const { namespace, selection } = this.#interest
    for (const object of snapshot.objects(namespace === undefined ? '' : `${namespace}/`))
      if (selection.matches(object)) yield object
  }

  #seen(event: Parameters<typeof seenBy>[1]): SeenEvent | undefined {
    const { namespace, selection } = this.#interest
    if (namespace !== undefined && event.object.metadata.namespace !== namespace) return undefined
    return seenBy(selection, event)
  }

  async *#stateThenChanges(snapshot: ObjectsSnapshot): AsyncGenerator<Uint8Array, void, undefined> {
    const { selection, namespace } = this.#interest
    yield* this.#pieces(snapshot.objects(namespace === undefined ? '' : `${namespace}/`), object =>
      selection.matches(object) ? { type: 'ADDED', object } : undefined,
    )
    // It says up to where this watch has everything: before what is still to come.
    const bookmark = this.#initialEventsEnd()
    if (bookmark !== undefined) yield bookmark
    yield* this.#laterChanges()
  }

  /** Changes out of history until there are few enough left, which are queued. */
  async *#laterChanges(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      if (this.#queue.isOver) return
      const changes = this.#server.store.changesSince(this.#resource, this.#revision, mostAtOnce)
      if (changes === undefined) return this.#failExpired()
      const last = changes.at(-1)
      if (last === undefined) return this.#goLive()
      yield* this.#pieces(changes, event => this.#seen(event))
      this.#revision = last.revision
    }
  }

  async *#pieces<T>(items: Iterable<T>, seenOf: (item: T) => SeenEvent | undefined): AsyncGenerator<Uint8Array, void, undefined> {
    const breathe = breather(this.#server.wire)
    let lines: string[] = []
    let length = 0
    for (const item of items) {
      if (this.#queue.isOver) return
      const seen = seenOf(item)
      if (seen !== undefined) {
        const line = this.#text(seen)
        lines.push(line)
        length += line.length
      }
      if (length >= pieceLength) {
        yield Buffer.from(lines.join(''))
        lines = []
        length = 0
      }
      await breathe()
    }
    if (lines.length > 0) yield Buffer.from(lines.join(''))
  }

  #text({ type, object }: SeenEvent): string {
    const hasColumns = this.#wantsColumns
    this.#wantsColumns = false
    return eventLine(type, eventBody(this.#server, this.#interest.form, object, hasColumns))
  }

  #line(seen: SeenEvent): Uint8Array {
    return Buffer.from(this.#text(seen))
  }

  /** All that was committed so far is written or queued: from now on changes come by themselves. */
  #goLive(): void {
    if (this.#queue.isOver) return
    this.#isLive = true
    const watch = this
    this.#cleanup.defer(
      this.#server.watches.join(this.#interest, {
        get wantsColumns() {
          return watch.#wantsColumns
        },
        push(line) {
          watch.#wantsColumns = false
          watch.#queue.push(line)
        },
        fail: error => this.#fail(error),
      }),
    )
  }

  #endInitialEvents(): void {
    const bookmark = this.#initialEventsEnd()
    if (bookmark !== undefined) this.#queue.push(bookmark)
  }

  #initialEventsEnd(): Uint8Array | undefined {
    if (!this.#options.allowsBookmarks) return undefined
    return bookmarkLine(this.#interest.form, this.#revision, { 'k8s.io/initial-events-end': 'true' })
  }

  #armTimers(): void {
    const { wire, random } = this.#server
    const { timeoutSeconds, allowsBookmarks } = this.#options
    const timeoutMs = timeoutSeconds === undefined ? defaultTimeoutMs * (1 + random()) : timeoutSeconds * 1000
    this.#cleanup.defer(wire.schedule(timeoutMs, () => this.#queue.end()))
    if (!allowsBookmarks) return
    const untilMs = wire.elapsed() + timeoutMs
    let cancel: Cancel | undefined
    const arm = () => {
      const delayMs = Math.min(bookmarkEveryMs, untilMs - wire.elapsed() - 2000)
      if (delayMs < 100) return
      cancel = wire.schedule(delayMs, () => {
        if (this.#isLive) this.#queue.push(bookmarkLine(this.#interest.form, this.#server.store.revision, undefined))
        arm()
      })
    }
    this.#cleanup.defer(() => cancel?.())
    arm()
  }

  #failExpired(): void {
    const { compactedRevision } = this.#server.store
    const message = `too old resource version: ${this.#revision} (${compactedRevision})`
    this.#fail(expired(message))
  }

  #fail(error: StatusError): void {
    this.#queue.push(Buffer.from(eventLine('ERROR', JSON.stringify(error.status))))
    this.#queue.end()
  }
}
