// Counts what the watches tell, as upstream counts it.
import type { ReloadConfig } from '../config.ts'
import type { ReceivedResource, ReloadTelling } from './telling.ts'

type EventType = 'add' | 'update' | 'delete'
type Config = Pick<ReloadConfig, 'reloadOnCreate' | 'reloadOnDelete'>
type Counters = Pick<ReloadTelling, 'eventReceived' | 'skipped'>

export class SeenEvents {
  readonly #config: Config
  readonly #telling: Counters

  constructor(config: Config, telling: Counters) {
    this.#config = config
    this.#telling = telling
  }

  /**
   * An object in a namespace that is left out, or one that is there at the start: upstream takes notice of what comes and goes only where that
   * reloads, and of nothing that comes before its first lists are whole.
   */
  passedOver(type: EventType, resource: ReceivedResource): void {
    const { reloadOnCreate, reloadOnDelete } = this.#config
    this.#telling.eventReceived(type, resource)
    if (type === 'update' || (type === 'add' ? reloadOnCreate : reloadOnDelete)) this.#telling.skipped('ignored_or_not_selected')
  }

  /** A mount of the CSI driver: upstream looks at no more than its updates. */
  mounted(type: EventType, isWatched: boolean): void {
    this.#telling.eventReceived(type, 'secretproviderclasspodstatuses')
    if (type === 'update' && !isWatched) this.#telling.skipped('ignored_or_not_selected')
  }

  namespace(type: EventType): void {
    this.#telling.eventReceived(type, 'namespaces')
    if (type === 'delete' && this.#config.reloadOnDelete) this.#telling.skipped('ignored_or_not_selected')
  }
}
