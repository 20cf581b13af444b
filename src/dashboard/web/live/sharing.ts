// One stream for all tabs of a browser, which opens only six connections to a host: whoever holds the lock has it, and passes on what it hears.
// The lock and the channel between tabs are given, so that a test can play several tabs.
import type { Topic } from '../../contract.ts'
import type { Connection, LinkState } from './connection.ts'
import type { LiveMessage } from './message.ts'
import type { Receiver } from './receiver.ts'

export type TabMessage =
  /** What a tab that follows looks at. */
  | { readonly kind: 'topics'; readonly tab: string; readonly topics: readonly Topic[] }
  | { readonly kind: 'left'; readonly tab: string }
  /** A tab that takes over the stream sends this; the others say what they look at. */
  | { readonly kind: 'holder' }
  | { readonly kind: 'event'; readonly message: LiveMessage }
  | { readonly kind: 'link'; readonly state: LinkState }
  /** A tab that follows has missed something, or its viewer wants it tried at once. */
  | { readonly kind: 'refresh' | 'retry' }

export interface Channel {
  /** To all other tabs. */
  post(message: TabMessage): void
  listen(handler: (message: TabMessage) => void): void
}

export interface Lock {
  /** Calls `held` once it is this tab's; it is given back by the returned function, which also ends the waiting. */
  take(held: () => void): () => void
}

export interface SharingOptions {
  /** Tells tabs apart. */
  readonly tab: string
  /** Undefined: the browser cannot share, and each tab has a stream of its own. */
  readonly between: { readonly channel: Channel; readonly lock: Lock } | undefined
  readonly connection: Connection
  readonly receiver: Receiver
  readonly onLink: (state: LinkState) => void
  readonly schedule: (delayMs: number, callback: () => void) => () => void
}

/** A hidden tab keeps its stream so long: whoever only looks something up comes back to a page that is up to date. */
const hiddenKeepsMs = 60_000

export class Sharing {
  readonly #options: SharingOptions
  #topics: readonly Topic[] = []
  readonly #others = new Map<string, readonly Topic[]>()
  #isHolder = false
  #isVisible = true
  #giveBack: (() => void) | undefined
  #cancelHiding: (() => void) | undefined
  #link: LinkState = { kind: 'idle' }

  constructor(options: SharingOptions) {
    this.#options = options
  }

  /** From now on there is a stream where somebody looks. Called once. */
  start(): void {
    const { between, connection } = this.#options
    if (between === undefined) {
      this.#isHolder = true
      return
    }
    connection.pause()
    between.channel.listen(message => this.#heard(message))
    this.#wait()
  }

  /** What this tab looks at. */
  setTopics(topics: readonly Topic[]): void {
    this.#topics = topics
    if (this.#isHolder) this.#follow()
    else if (this.#isVisible) this.#post({ kind: 'topics', tab: this.#options.tab, topics })
  }

  setVisible(isVisible: boolean): void {
    if (isVisible === this.#isVisible) return
    this.#isVisible = isVisible
    this.#cancelHiding?.()
    this.#cancelHiding = undefined
    if (isVisible) this.#seen()
    else if (this.#others.size > 0 || !this.#isHolder) this.#hide()
    else this.#cancelHiding = this.#options.schedule(hiddenKeepsMs, () => this.#hide())
  }

  retry(): void {
    if (this.#isHolder) this.#options.connection.retry()
    else this.#post({ kind: 'retry' })
  }

  /** A delta did not follow on what is held here. */
  refresh(): void {
    if (this.#isHolder) this.#options.connection.refresh()
    else this.#post({ kind: 'refresh' })
  }

  /** Before the tab is closed. */
  leave(): void {
    this.#isVisible = false
    this.#hide()
  }

  /** From the connection of this tab: taken in here, and passed on. */
  message(message: LiveMessage): void {
    this.#options.receiver.receive(message)
    this.#post({ kind: 'event', message })
  }

  link(state: LinkState): void {
    if (!this.#isHolder) return
    this.#link = state
    this.#options.onLink(state)
    this.#post({ kind: 'link', state })
  }

  #wait(): void {
    this.#giveBack = this.#options.between?.lock.take(() => this.#hold())
    this.#post({ kind: 'topics', tab: this.#options.tab, topics: this.#topics })
  }

  #hold(): void {
    this.#isHolder = true
    this.#post({ kind: 'holder' })
    this.#follow()
    this.#options.connection.resume()
  }

  #follow(): void {
    this.#options.connection.setTopics([this.#topics, ...this.#others.values()].flat())
  }

  #seen(): void {
    const { between, connection } = this.#options
    if (between === undefined) connection.resume()
    else if (this.#giveBack === undefined) this.#wait()
  }

  #hide(): void {
    const { between, connection, onLink } = this.#options
    connection.pause()
    onLink({ kind: 'idle' })
    if (between === undefined) return
    this.#isHolder = false
    this.#others.clear()
    this.#giveBack?.()
    this.#giveBack = undefined
    this.#post({ kind: 'left', tab: this.#options.tab })
  }

  #heard(message: TabMessage): void {
    switch (message.kind) {
      case 'topics':
      case 'left':
        if (message.kind === 'left') this.#others.delete(message.tab)
        else this.#others.set(message.tab, message.topics)
        if (!this.#isHolder) return
        this.#follow()
        if (message.kind === 'topics') this.#handOver(message.topics)
        return
      case 'holder':
        if (this.#isVisible) this.#post({ kind: 'topics', tab: this.#options.tab, topics: this.#topics })
        return
      case 'event':
        if (!this.#isHolder && this.#isVisible) this.#options.receiver.receive(message.message)
        return
      case 'link':
        if (!this.#isHolder && this.#isVisible) this.#options.onLink(message.state)
        return
      case 'refresh':
      case 'retry':
        if (this.#isHolder) this.#options.connection[message.kind]()
        return
    }
  }

  /** What is known already is passed on at once; of the rest the stream will send snapshots. */
  #handOver(topics: readonly Topic[]): void {
    for (const topic of topics) {
      const held = this.#options.receiver.held(topic)
      if (held !== undefined) this.#post({ kind: 'event', message: { event: 'snapshot', data: { topic, ...held } } })
    }
    this.#post({ kind: 'link', state: this.#link })
  }

  #post(message: TabMessage): void {
    this.#options.between?.channel.post(message)
  }
}
