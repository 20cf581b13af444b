// The laws of an informer, checked against what the server did and what arrived on the wire: no state that arrived is skipped, none is
// told twice, none goes back, an object ends once, and it is said where its end was not seen.
import { isDeepStrictEqual } from 'node:util'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Change } from '#kube/informers/store.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { WireEvent, WireObserver } from './faulty-wire.ts'

/** A state of the server's history as an informer with a selection sees it. */
interface State {
  /** The version at which the object came to be so, or left the selection. */
  readonly version: number
  readonly object: KubeObject
  readonly isEnd: boolean
}

/** What the server committed, in order. */
export interface Commit {
  readonly version: number
  readonly object: KubeObject
  readonly previous: KubeObject | undefined
  readonly isDeletion: boolean
}

interface InformerCheckOptions {
  readonly commits: readonly Commit[]
  readonly isSelected: (object: KubeObject) => boolean
  /** What may be kept of an object; the last one is what has to be, at rest. */
  readonly forms: (object: KubeObject) => readonly KubeObject[]
}

type Moment =
  | { readonly kind: 'event'; readonly event: WireEvent }
  | { readonly kind: 'list'; readonly version: number }
  | { readonly kind: 'observed'; readonly key: string; readonly version: number }
  | { readonly kind: 'told'; readonly change: Change<KubeObject> }

/** Hears one informer's wire and its handler, and says what was wrong. */
export class InformerCheck implements WireObserver {
  readonly faults: string[] = []
  readonly told: Change<KubeObject>[] = []
  readonly #options: InformerCheckOptions
  readonly #moments: Moment[] = []
  readonly #known = new Map<string, KubeObject>()
  /** The newest version told of each name, ends included. */
  readonly #newest = new Map<string, number>()
  /** Events of watches since their last `consumed`. */
  readonly #fresh = new Map<number, WireEvent[]>()
  /** Streams whose initial events have not ended. */
  readonly #initial = new Set<number>()
  #isInitialAsked = false
  #position = ''
  #relists = 0

  constructor(options: InformerCheckOptions) {
    this.#options = options
  }

  /** Whole lists that arrived, as pages or as initial events. */
  get relists(): number {
    return this.#relists
  }

  asked(query: Readonly<Record<string, string>>): void {
    const version = query['resourceVersion'] ?? ''
    this.#isInitialAsked = query['sendInitialEvents'] === 'true'
    const isWatch = query['watch'] === 'true' && !this.#isInitialAsked
    const isAllowed = version === this.#position || (!isWatch && ['', '0'].includes(version))
    if (!isAllowed) this.#fault(`asked from ${version} though at ${this.#position}: ${JSON.stringify(query)}`)
  }

  arrived(stream: number, event: WireEvent): void {
    if (!this.#fresh.has(stream)) {
      this.#fresh.set(stream, [])
      if (this.#isInitialAsked) this.#initial.add(stream)
    }
    if (event.type === 'ERROR') return
    const version = event.object.metadata.resourceVersion ?? ''
    if (this.#initial.has(stream)) {
      if (event.object.metadata.annotations?.['k8s.io/initial-events-end'] !== 'true') return
      this.#initial.delete(stream)
      this.#listArrived(version)
      return
    }
    if (Number(version) > Number(this.#position)) this.#position = version
    if (event.type === 'BOOKMARK') return
    this.#fresh.get(stream)?.push(event)
    this.#moments.push({ kind: 'event', event })
  }

  consumed(stream: number): void {
    for (const event of this.#fresh.get(stream)?.splice(0) ?? []) {
      const { uid = '', resourceVersion } = event.object.metadata
      const known = this.#known.get(keyOf(event.object))
      const isKnown = known?.metadata.uid === uid
      if (event.type === 'DELETED') {
        if (isKnown && Number(known.metadata.resourceVersion) <= Number(resourceVersion))
          this.#fault(`DELETED ${uid} arrived and was not told`)
      } else if (!this.#isOver(event.object, known))
        this.#fault(`${event.type} ${uid} ${resourceVersion} arrived and was not told`)
    }
  }

  listed(_query: Readonly<Record<string, string>>, page: Parameters<WireObserver['listed']>[1]): void {
    if ((page.metadata.continue ?? '') === '') this.#listArrived(page.metadata.resourceVersion ?? '')
  }

  /** A write's answer was offered to the informer. */
  observed(object: KubeObject): void {
    this.#moments.push({ kind: 'observed', key: keyOf(object), version: Number(object.metadata.resourceVersion) })
  }

  /** The informer's handler. */
  readonly tell = (change: Change<KubeObject>): void => {
    this.told.push(change)
    this.#moments.push({ kind: 'told', change })
    const key = keyOf(change.object)
    const known = this.#known.get(key)
    const words = `${change.type} ${change.object.metadata.uid} ${change.object.metadata.resourceVersion}`
    if (change.previous !== known) this.#fault(`${words}: told with another previous state than was told before`)
    if (change.type === 'ADDED' ? known !== undefined : known?.metadata.uid !== change.object.metadata.uid)
      this.#fault(`${words}: told after ${known?.metadata.uid ?? 'nothing'}`)
    const version = Number(change.object.metadata.resourceVersion)
    const newest = this.#newest.get(key) ?? 0
    const isSame = (change.type === 'DELETED' && change.finalStateUnknown) || change.resync === true
    const isBack = isSame ? version !== newest : version <= newest
    if (isBack) this.#fault(`${words}: goes back or is told again`)
    this.#newest.set(key, version)
    if (change.type === 'DELETED') this.#known.delete(key)
    else this.#known.set(key, change.object)
  }

  /** When nothing moves any more: the store is what the server has, and all that was told fits what the server did. */
  atRest(informer: Informer<KubeObject>, server: Iterable<KubeObject>): readonly string[] {
    const expected = new Map(
      [...server].filter(this.#options.isSelected).map(object => [keyOf(object), this.#options.forms(object).at(-1)]),
    )
    for (const [key, object] of expected) {
      if (object === undefined) continue
      const stored = informer.store.get(object.metadata.namespace, object.metadata.name)
      if (!isDeepStrictEqual(plain(stored), plain(object)))
        this.#fault(`${key}: stored ${text(stored)}, on the server ${text(object)}`)
      if (stored !== undefined && informer.store.byUid(stored.metadata.uid ?? '') !== stored)
        this.#fault(`${key}: not found by UID`)
    }
    if (informer.store.size !== expected.size)
      this.#fault(`${informer.store.size} objects stored, ${expected.size} on the server`)
    for (const object of informer.store.list())
      if (this.#known.get(keyOf(object)) !== object) this.#fault(`${keyOf(object)}: stored, but not as it was told`)
    if (this.#known.size !== informer.store.size) this.#fault('told more than is stored')
    this.#checkAgainstHistory()
    return this.faults
  }

  /** Each told state is one the server had; what lies between two told ones was jumped by a list, or by a write's own answer. */
  #checkAgainstHistory(): void {
    const history = this.#history()
    const reached = new Map<string, number>()
    const deletions = new Set<string>()
    let listedTo = 0
    for (const moment of this.#moments) {
      if (moment.kind === 'list') listedTo = Math.max(listedTo, moment.version)
      else if (moment.kind === 'observed')
        reached.set(`observed ${moment.key}`, Math.max(reached.get(`observed ${moment.key}`) ?? 0, moment.version))
      else if (moment.kind === 'event') {
        if (moment.event.type === 'DELETED') deletions.add(endKey(moment.event.object))
      } else this.#checkTold(moment.change, { history, reached, deletions, listedTo })
    }
  }

  #checkTold(
    { type, object, finalStateUnknown }: Change<KubeObject>,
    so: {
      readonly history: ReadonlyMap<string, readonly State[]>
      readonly reached: Map<string, number>
      readonly deletions: ReadonlySet<string>
      readonly listedTo: number
    },
  ): void {
    const key = keyOf(object)
    const states = so.history.get(key) ?? []
    const version = Number(object.metadata.resourceVersion)
    const words = `${type} ${object.metadata.uid} ${version}`
    const state = states.find(one => one.version === version && one.isEnd === (type === 'DELETED' && !finalStateUnknown))
    if (state === undefined) this.#fault(`${words}: the server never had that`)
    else if (!this.#options.forms(state.object).some(form => isDeepStrictEqual(plain(object), plain(form))))
      this.#fault(`${words}: told ${text(object)}, was ${text(state.object)}`)
    // An end that was not seen is that of the state told before: what followed is jumped with it.
    if (type === 'DELETED' && finalStateUnknown) {
      const end = states.find(one => one.isEnd && one.version > version)
      if (end === undefined) this.#fault(`${words}: it never ended`)
      else if (so.deletions.has(endKey(end.object))) this.#fault(`${words}: its end arrived`)
      return
    }
    if (type === 'DELETED' && !so.deletions.has(endKey(object))) this.#fault(`${words}: its end had not arrived`)
    const from = so.reached.get(key) ?? 0
    const jumpedTo = Math.max(so.listedTo, so.reached.get(`observed ${key}`) ?? 0)
    states.forEach((one, at) => {
      if (one.version <= from || one.version >= version) return
      // An end is known by absence, a state is lost only when another one takes its place.
      const lostAt = one.isEnd ? one.version : states[at + 1]?.version
      if (lostAt !== undefined && lostAt > jumpedTo) this.#fault(`${words}: ${one.version} was skipped`)
    })
    so.reached.set(key, version)
  }

  #history(): ReadonlyMap<string, readonly State[]> {
    const history = new Map<string, State[]>()
    const { isSelected } = this.#options
    for (const { version, object, previous, isDeletion } of this.#options.commits) {
      const wasIn = previous !== undefined && isSelected(previous)
      const isIn = !isDeletion && isSelected(object)
      if (!wasIn && !isIn) continue
      const states = history.get(keyOf(object)) ?? []
      history.set(keyOf(object), states)
      if (isIn) states.push({ version, object, isEnd: false })
      else if (isDeletion) states.push({ version, object, isEnd: true })
      else if (previous !== undefined) states.push({ version, object: at(previous, version), isEnd: true })
    }
    return history
  }

  /** Whether an arrived state need not be told: it is known, or newer is, or it was told that it is over. */
  #isOver(object: KubeObject, known: KubeObject | undefined): boolean {
    const version = Number(object.metadata.resourceVersion)
    if (known !== undefined && Number(known.metadata.resourceVersion) >= version) return true
    return this.#moments.some(
      moment =>
        (moment.kind === 'list' && moment.version >= version) ||
        (moment.kind === 'event' &&
          moment.event.type === 'DELETED' &&
          keyOf(moment.event.object) === keyOf(object) &&
          Number(moment.event.object.metadata.resourceVersion) > version),
    )
  }

  #listArrived(version: string): void {
    this.#relists++
    this.#position = version
    this.#moments.push({ kind: 'list', version: Number(version) })
  }

  #fault(text: string): void {
    this.faults.push(text)
  }
}

function at(object: KubeObject, version: number): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } }
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`
}

function endKey(object: KubeObject): string {
  return `${object.metadata.uid} ${object.metadata.resourceVersion}`
}

function plain(object: KubeObject | undefined): unknown {
  return object === undefined ? undefined : (JSON.parse(JSON.stringify(object)) as unknown)
}

function text(object: KubeObject | undefined): string {
  return object === undefined ? 'nothing' : JSON.stringify(object)
}
