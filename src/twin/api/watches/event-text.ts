// Watch events as lines of text: each is made once for all watchers that want the same form of it.

import type { Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { StoreEvent } from '../../access.ts'
import { jsonText } from '../../json-value.ts'
import { atRevision } from '../../store.ts'
import { metadataOnly } from '../answers/answer.ts'
import type { AnswerForm } from '../answers/negotiation.ts'
import { type TableOptions, tableOf } from '../answers/table.ts'
import { inVersion } from '../answers/versions.ts'
import { apiVersionOf, type ResourceType } from '../resource-type.ts'
import type { Selection } from '../selection.ts'

type WatchType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'

/** In what form a watcher gets objects. */
export interface EventForm {
  readonly type: ResourceType
  readonly form: AnswerForm
  readonly table: TableOptions
  /** The same for all watchers that get the same text. */
  readonly name: string
}

export function eventForm(type: ResourceType, form: AnswerForm, table: TableOptions): EventForm {
  const parts = form.shape === 'table' ? [table.includes] : []
  return { type, form, table, name: [apiVersionOf(type), form.shape, form.version, ...parts].join(' ') }
}

/** One event for watchers with one selection: what it is to them and what they see. */
export interface SeenEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: KubeObject
}

/** Entering the selection is ADDED; leaving it is DELETED, with the old object and the new revision. */
export function seenBy(selection: Selection, event: StoreEvent): SeenEvent | undefined {
  const matches = event.type !== 'DELETED' && selection.matches(event.object)
  const matched = event.previous !== undefined && selection.matches(event.previous)
  if (matches) return { type: matched ? 'MODIFIED' : 'ADDED', object: event.object }
  if (!matched) return undefined
  if (event.type === 'DELETED') return { type: 'DELETED', object: event.object }
  return event.previous === undefined ? undefined : { type: 'DELETED', object: atRevision(event.previous, event.revision) }
}

/** The lines of one event. */
export class EventTexts {
  readonly #server: { readonly clock: Clock }
  readonly #bodies = new Map<string, string>()
  readonly #lines = new Map<string, Uint8Array>()

  constructor(server: { readonly clock: Clock }) {
    this.#server = server
  }

  /** How many different texts were made. */
  get made(): number {
    return this.#bodies.size
  }

  /** `hasColumns`: a table names its columns. */
  line(form: EventForm, { type, object }: SeenEvent, hasColumns: boolean): Uint8Array {
    const revision = object.metadata.resourceVersion ?? ''
    // An object that left a selection is another text of the same event.
    const isOld = type === 'DELETED'
    const bodyName = `${form.name} ${hasColumns} ${isOld} ${revision}`
    const lineName = `${type} ${bodyName}`
    let line = this.#lines.get(lineName)
    if (line === undefined) {
      let body = this.#bodies.get(bodyName)
      if (body === undefined) {
        body = eventBody(this.#server, form, object, hasColumns)
        this.#bodies.set(bodyName, body)
      }
      line = Buffer.from(eventLine(type, body))
      this.#lines.set(lineName, line)
    }
    return line
  }
}

/** The JSON of an object in the form of a watch. */
export function eventBody(
  server: { readonly clock: Clock },
  { type, form, table }: EventForm,
  object: KubeObject,
  hasColumns: boolean,
): string {
  const shown = inVersion(type, object)
  if (form.shape === 'object') return jsonText(shown)
  if (form.shape === 'metadata') return jsonText(metadataOnly(shown, form.version))
  return jsonText(tableOf(server, type, [shown], { ...table, hasColumns }))
}

export function eventLine(type: WatchType, json: string): string {
  return `{"type":"${type}","object":${json}}\n`
}
