// Watches: a stream of changes in revision order, filtered for one client, each event rendered once per form.
import type { Cancel } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects.ts'
import { StatusError } from '#kube/status.ts'
import type { StoreEvent } from '../access.ts'
import { jsonOf, metadataOnly } from './answer.ts'
import type { ApiServer } from './api-server.ts'
import { EventQueue } from './event-queue.ts'
import { atLeastRevision, tableOptions } from './list.ts'
import { type ListOptions, listOptions, revisionOf } from './list-options.ts'
import type { AnswerForm } from './negotiation.ts'
import type { ResourceRequest, TwinRequest, TwinResponse } from './request.ts'
import { apiVersionOf, type ResourceType } from './resource-type.ts'
import { type Selection, selectionOf } from './selection.ts'
import { tableOf } from './table.ts'
import { inVersion } from './versions.ts'

const bookmarkEveryMs = 60_000
const defaultTimeoutMs = 1_800_000

type WatchType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'

/** Opens a watch. What is wrong with the request is refused; what is wrong with its resourceVersion comes as an ERROR event. */
export async function answerWatch(
  server: ApiServer,
  type: ResourceType,
  info: ResourceRequest,
  request: TwinRequest,
  form: AnswerForm,
): Promise<TwinResponse> {
  const options = listOptions(request.query, 'watch')
  const fields =
    info.name === undefined
      ? options.fieldSelector
      : [options.fieldSelector, `metadata.name=${info.name}`].filter(text => text !== '').join(',')
  const selection = selectionOf(type, options.labelSelector, fields)
  const queue = new EventQueue()
  const watch = new Watch(server, type, info.namespace, selection, { form, request, options, queue })
  await watch.start()
  return { kind: 'stream', status: 200, headers: { 'content-type': 'application/json' }, chunks: queue }
}

interface WatchOptions {
  readonly form: AnswerForm
  readonly request: TwinRequest
  readonly options: ListOptions
  readonly queue: EventQueue
}

class Watch {
  readonly #server: ApiServer
  readonly #type: ResourceType
  readonly #namespace: string | undefined
  readonly #selection: Selection
  readonly #options: WatchOptions
  readonly #cleanup = new DisposableStack()
  #hasSentColumns = false

  constructor(server: ApiServer, type: ResourceType, namespace: string | undefined, selection: Selection, options: WatchOptions) {
    this.#server = server
    this.#type = type
    this.#namespace = namespace
    this.#selection = selection
    this.#options = options
  }

  async start(): Promise<void> {
    const { queue, request, options } = this.#options
    queue.onClose(() => this.#cleanup.dispose())
    const onAbort = () => queue.close()
    request.signal.addEventListener('abort', onAbort, { once: true })
    this.#cleanup.defer(() => request.signal.removeEventListener('abort', onAbort))
    try {
      await atLeastRevision(this.#server, options.resourceVersion, request.signal)
    } catch (error) {
      if (error instanceof StatusError && error.code === 504) return this.#fail(error)
      throw error
    }
    if (request.signal.aborted) return queue.close()
    if (!this.#sendStart()) return
    this.#cleanup.defer(this.#server.store.subscribe(this.#type.key, event => this.#onEvent(event)))
    this.#armTimers()
  }

  /** Initial state or the changes since the client's revision. False when the watch ended on it. */
  #sendStart(): boolean {
    const { options } = this.#options
    const { store } = this.#server
    const wantsState = options.sendInitialEvents ?? (options.resourceVersion === '' || options.resourceVersion === '0')
    if (wantsState) {
      for (const object of store.list(this.#type.key, this.#namespace))
        if (this.#selection.matches(object)) this.#send('ADDED', object)
      if (options.sendInitialEvents === true && options.allowsBookmarks)
        this.#sendBookmark({ 'k8s.io/initial-events-end': 'true' })
      return true
    }
    if (options.resourceVersion === '' || options.resourceVersion === '0') return true
    const since = revisionOf(options.resourceVersion)
    const changes = store.changesSince(this.#type.key, since)
    if (changes === undefined) {
      this.#fail(expiredAt(since, store.compactedRevision))
      return false
    }
    for (const event of changes) this.#onEvent(event)
    return true
  }

  /** Entering the selection is ADDED; leaving it is DELETED, with the old object and the new revision. */
  #onEvent(event: StoreEvent): void {
    if (this.#namespace !== undefined && event.object.metadata.namespace !== this.#namespace) return
    const matches = event.type !== 'DELETED' && this.#selection.matches(event.object)
    const matched = event.previous !== undefined && this.#selection.matches(event.previous)
    if (matches) this.#send(matched ? 'MODIFIED' : 'ADDED', event.object)
    else if (matched && event.type === 'DELETED') this.#send('DELETED', event.object)
    else if (matched && event.previous !== undefined) this.#send('DELETED', atRevision(event.previous, event.revision))
  }

  #send(eventType: WatchType, object: KubeObject): void {
    this.#options.queue.push(eventLine(eventType, this.#shown(inVersion(this.#type, object))))
  }

  /** The JSON of an object in the form of this watch. */
  #shown(object: KubeObject): string {
    const { form, request } = this.#options
    if (form.shape === 'object') return jsonOf(object)
    if (form.shape === 'metadata') return JSON.stringify(metadataOnly(object, form.version))
    const hasColumns = !this.#hasSentColumns
    this.#hasSentColumns = true
    return JSON.stringify(tableOf(this.#server, this.#type, [object], { ...tableOptions(form, request), hasColumns }))
  }

  #sendBookmark(annotations: Readonly<Record<string, string>> | undefined): void {
    const { form, queue } = this.#options
    const metadata = {
      resourceVersion: String(this.#server.store.revision),
      creationTimestamp: null,
      ...(annotations === undefined ? {} : { annotations }),
    }
    const object =
      form.shape === 'object'
        ? { kind: this.#type.kind, apiVersion: apiVersionOf(this.#type), metadata }
        : form.shape === 'metadata'
          ? { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${form.version}`, metadata }
          : {
              kind: 'Table',
              apiVersion: `meta.k8s.io/${form.version}`,
              metadata: { resourceVersion: metadata.resourceVersion },
              columnDefinitions: null,
              rows: [bookmarkRow(metadata)],
            }
    queue.push(eventLine('BOOKMARK', JSON.stringify(object)))
  }

  #armTimers(): void {
    const { options, queue } = this.#options
    const { wire, random } = this.#server
    const timeoutMs = options.timeoutSeconds === undefined ? defaultTimeoutMs * (1 + random()) : options.timeoutSeconds * 1000
    this.#cleanup.defer(wire.schedule(timeoutMs, () => queue.end()))
    if (!options.allowsBookmarks) return
    const untilMs = wire.elapsed() + timeoutMs
    let cancel: Cancel | undefined
    const arm = () => {
      const delayMs = Math.min(bookmarkEveryMs, untilMs - wire.elapsed() - 2000)
      if (delayMs < 100) return
      cancel = wire.schedule(delayMs, () => {
        this.#sendBookmark(undefined)
        arm()
      })
    }
    this.#cleanup.defer(() => cancel?.())
    arm()
  }

  #fail(error: StatusError): void {
    this.#options.queue.push(eventLine('ERROR', JSON.stringify(error.status)))
    this.#options.queue.end()
  }
}

function eventLine(type: WatchType, json: string): string {
  return `{"type":"${type}","object":${json}}\n`
}

function atRevision(object: KubeObject, revision: number): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } }
}

function expiredAt(since: number, compacted: number): StatusError {
  const message = `too old resource version: ${since} (${compacted})`
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason: 'Expired',
    code: 410,
  })
}

function bookmarkRow(metadata: object) {
  return { cells: [], object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata } }
}
