// Who watches what. One change is looked at once for each group of watchers that ask for the same, and by groups that pin a namespace or a
// field only where it is theirs.

import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { selectableFieldOf } from '#kube/objects/field-selector.ts'
import { internalError, type StatusError } from '#kube/objects/status.ts'
import type { ResourceKey, StoreEvent } from '../../access.ts'
import type { Store } from '../../store.ts'
import type { TellTrouble } from '../../trouble.ts'
import type { Selection } from '../selection.ts'
import { type EventForm, EventTexts, seenBy } from './event-text.ts'

/** A watcher that is up to date. */
interface Watcher {
  /** Tables name their columns once to each watcher. */
  readonly wantsColumns: boolean
  push(line: Uint8Array): void
  /** It cannot be told of a change: it hears why, and ends. */
  fail(error: StatusError): void
}

/** What a group of watchers asks for. */
export interface WatchInterest {
  readonly form: EventForm
  readonly namespace: string | undefined
  readonly selection: Selection
  /** Equal selections have equal texts. */
  readonly selectionText: string
}

interface Group extends WatchInterest {
  /** With the revision up to which each has everything. */
  readonly watchers: Map<Watcher, number>
}

export class WatchHub {
  readonly #server: { readonly clock: Clock; readonly onTrouble: TellTrouble }
  readonly #store: Store
  readonly #boards = new Map<ResourceKey, Board>()
  #made = 0

  constructor(server: { readonly clock: Clock; readonly onTrouble: TellTrouble }, store: Store) {
    this.#server = server
    this.#store = store
  }

  /** How many texts of events were made so far, whoever got them. */
  get textsMade(): number {
    return this.#made
  }

  /** From now on the watcher is told of every change it is interested in. The result ends that. */
  join(interest: WatchInterest, watcher: Watcher): () => void {
    const resource = interest.form.type.key
    let board = this.#boards.get(resource)
    if (board === undefined) {
      const made = new Board()
      board = made
      this.#boards.set(resource, board)
      this.#store.subscribe(resource, event => this.#tell(made, event))
    }
    const group = board.group(interest)
    group.watchers.set(watcher, this.#store.revision)
    const joined = board
    return () => {
      group.watchers.delete(watcher)
      if (group.watchers.size === 0) joined.remove(group)
    }
  }

  #tell(board: Board, event: StoreEvent): void {
    if (board.isEmpty) return
    const texts = new EventTexts(this.#server)
    for (const group of board.interested(event)) {
      try {
        tellGroup(group, event, texts)
      } catch (error) {
        // Others may be able to see what these cannot: a table of it, or its metadata.
        this.#server.onTrouble({ kind: 'stream', where: `watch of ${group.form.name}`, error, count: 1 })
        for (const watcher of [...group.watchers.keys()]) watcher.fail(internalError(messageOf(error)))
      }
    }
    this.#made += texts.made
  }
}

function tellGroup(group: Group, event: StoreEvent, texts: EventTexts): void {
  const seen = seenBy(group.selection, event)
  if (seen === undefined) return
  // Looked up once for the group: there may be thousands of watchers.
  let line: Uint8Array | undefined
  let lineWithColumns: Uint8Array | undefined
  for (const [watcher, since] of group.watchers) {
    if (event.revision <= since) continue
    if (watcher.wantsColumns) {
      lineWithColumns ??= texts.line(group.form, seen, true)
      watcher.push(lineWithColumns)
    } else {
      line ??= texts.line(group.form, seen, false)
      watcher.push(line)
    }
  }
}

/** The groups that watch one resource. */
class Board {
  readonly #groups = new Map<string, Group>()
  /** Those that may want every change; by namespace; by the value of a field. */
  readonly #everywhere = new Set<Group>()
  readonly #byNamespace = new Map<string, Set<Group>>()
  readonly #byField = new Map<string, Map<string, Set<Group>>>()

  get isEmpty(): boolean {
    return this.#groups.size === 0
  }

  group(interest: WatchInterest): Group {
    const name = nameOf(interest)
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = { ...interest, watchers: new Map() }
      this.#groups.set(name, group)
      this.#place(group, true).add(group)
    }
    return group
  }

  remove(group: Group): void {
    // A group that was left and asked for again meanwhile is another one.
    const name = nameOf(group)
    if (this.#groups.get(name) === group) this.#groups.delete(name)
    const place = this.#place(group, false)
    place.delete(group)
    if (place.size > 0) return
    const { pinned } = group.selection
    if (pinned !== undefined) {
      const values = this.#byField.get(pinned.field)
      values?.delete(pinned.value)
      if (values?.size === 0) this.#byField.delete(pinned.field)
    } else if (group.namespace !== undefined) this.#byNamespace.delete(group.namespace)
  }

  /** Each group that the change may be of interest to, once. */
  *interested(event: StoreEvent): Generator<Group, void, undefined> {
    const { namespace } = event.object.metadata
    yield* this.#everywhere
    if (namespace !== undefined) yield* this.#byNamespace.get(namespace) ?? []
    for (const [field, groups] of this.#byField) {
      const values = new Set(
        [event.object, event.previous].flatMap(object => (object === undefined ? [] : selectableFieldOf(object, field))),
      )
      for (const value of values)
        for (const group of groups.get(value) ?? [])
          if (group.namespace === undefined || group.namespace === namespace) yield group
    }
  }

  #place({ selection: { pinned }, namespace }: Group, isMade: boolean): Set<Group> {
    if (pinned !== undefined) {
      let values = this.#byField.get(pinned.field)
      if (values === undefined) {
        values = new Map()
        if (isMade) this.#byField.set(pinned.field, values)
      }
      return setAt(values, pinned.value, isMade)
    }
    return namespace === undefined ? this.#everywhere : setAt(this.#byNamespace, namespace, isMade)
  }
}

function nameOf({ form, namespace, selectionText }: WatchInterest): string {
  return JSON.stringify([form.name, namespace ?? null, selectionText])
}

function setAt(groups: Map<string, Set<Group>>, at: string, isMade: boolean): Set<Group> {
  let found = groups.get(at)
  if (found === undefined) {
    found = new Set()
    if (isMade) groups.set(at, found)
  }
  return found
}
