// The view that lives: drawn anew when the cluster or its time moved, at most four times a second, and led by keys.
import type { Cancel, Clock } from '#kube/clock.ts'
import type { ActionBody, ActionDone, ActionName, Overview } from '../contract.ts'
import type { PictureSource } from '../picture.ts'
import { printable } from '../words/names.ts'
import type { Inside } from './inside.ts'
import { type Key, KeyReader } from './keys.ts'
import { type Line, painted, plain } from './lines.ts'
import { type Looking, listOf, lookedInto, lookingLines } from './looking.ts'
import { type Effect, firstState, footerOf, type KeyState, pressed } from './pressed.ts'
import type { Screen, Tty } from './screen.ts'
import { terminalView, type View, type ViewOptions } from './terminal-view.ts'

/** Between two drawings at least. */
const drawMs = 250
/** The clock and ages go on when nothing else changes. */
const tickMs = 1_000

/** What was said of the last key stays so long. */
const messageMs = 10_000

/** An action that was not done: what `Actions.perform` answers. */
interface Refusal {
  readonly message: string
  readonly remedy: string | null
}

export interface LiveViewOptions {
  readonly tty: Tty
  readonly screen: Screen
  readonly source: PictureSource
  readonly overview: () => Overview
  /** Real time. */
  readonly clock: Clock
  readonly hasColours: boolean
  readonly view?: Pick<ViewOptions, 'zone' | 'labels' | 'labelsOf'>
  readonly start?: Pick<Partial<KeyState>, 'resources' | 'order'>
  /** Carries an action out; without it `readOnly` says why there is none. */
  readonly act?: ((action: ActionName, body: ActionBody) => Promise<ActionDone | Refusal>) | undefined
  readonly readOnly?: string
  /** Opens the page and says so; without it there is none. */
  readonly openPage?: () => string
  /** What nodes have in them; without it nothing is opened. */
  readonly inside?: Inside
  /** Shows the next of several clusters. */
  readonly clusters?: { readonly count: number; readonly next: () => void } | undefined
  /** `q`, `Ctrl-C`, `Ctrl-Z`. */
  readonly onEnd: () => void
  readonly onInterrupt: () => void
  readonly onSuspend: () => void
}

export class LiveView implements Disposable {
  readonly #options: LiveViewOptions
  readonly #keys = new KeyReader()
  readonly #undo: (() => void)[] = []
  #state: KeyState
  #rows: View['rows'] = { of: 0, shown: 0, from: 0 }
  #drawnMs = Number.NEGATIVE_INFINITY
  #saidMs = Number.NEGATIVE_INFINITY
  #cancelDraw: Cancel | undefined
  #cancelTick: Cancel | undefined
  #isOver = false

  /** Draws at once and reads keys from then on. */
  constructor(options: LiveViewOptions) {
    this.#options = options
    this.#state = { ...firstState, ...options.start }
    const { tty, source, screen } = options
    this.#undo.push(
      source.onChange(() => this.#soon()),
      tty.onResize(() => {
        screen.redraw()
        this.#soon()
      }),
      tty.readKeys(text => this.#typed(text)),
    )
    this.#draw()
    this.#tick()
  }

  /** Another source is shown, or the screen was given back and is wanted again. */
  refresh(): void {
    this.#soon()
  }

  /** Draws a last time and gives the terminal back. */
  [Symbol.dispose](): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancelDraw?.()
    this.#cancelTick?.()
    for (const undo of this.#undo) undo()
    this.#options.screen.end()
  }

  #tick(): void {
    this.#cancelTick = this.#options.clock.schedule(tickMs, () => {
      this.#soon()
      this.#tick()
    })
  }

  #soon(): void {
    if (this.#isOver || this.#cancelDraw !== undefined) return
    const waitMs = this.#drawnMs + drawMs - this.#options.clock.elapsed()
    if (waitMs <= 0) this.#draw()
    else this.#cancelDraw = this.#options.clock.schedule(waitMs, () => this.#draw())
  }

  #draw(): void {
    this.#cancelDraw?.()
    this.#cancelDraw = undefined
    if (this.#isOver) return
    const { screen, clock, hasColours, view } = this.#options
    const { columns, rows } = screen.size()
    const overview = this.#options.overview()
    if (clock.elapsed() - this.#saidMs > messageMs) this.#state = { ...this.#state, message: undefined }
    const { resources, order, filter, offset, looking } = this.#state
    if (looking !== undefined && this.#options.inside !== undefined) {
      this.#drawnMs = clock.elapsed()
      screen.draw(this.#lookingLines(looking, overview).map(hasColours ? painted : plain))
      return
    }
    const latest = this.#options.inside?.latest()
    const shown = terminalView(overview, {
      ...view,
      width: columns,
      height: rows,
      resources,
      order,
      filter,
      offset,
      hasKeys: this.#options.act !== undefined,
      footer: [...(latest === undefined ? [] : [latest]), ...footerOf(this.#state, this.#about(overview))],
    })
    this.#rows = shown.rows
    this.#drawnMs = clock.elapsed()
    screen.draw(shown.lines.map(hasColours ? painted : plain))
  }

  #about(overview: Overview) {
    const { inside, clusters } = this.#options
    return { overview, readOnly: this.#readOnly, isOpen: inside !== undefined, clusters: clusters?.count ?? 1 }
  }

  #listOf(looking: Looking, overview: Overview, inside: Inside) {
    const { order, filter } = this.#state
    const width = this.#options.screen.size().columns - 2
    return listOf(looking, { overview, inside, width, order, filter, labelsOf: this.#options.view?.labelsOf })
  }

  #lookingLines(looking: Looking, overview: Overview): readonly Line[] {
    const { inside, screen } = this.#options
    if (inside === undefined) return []
    const { columns: width, rows: height } = screen.size()
    const latest = inside.latest()
    const hint: Line = [{ text: 'Enter opens   Esc goes back   arrows PgUp PgDn Home End   q quit', tone: 'dim' }]
    const footer = [[], ...(latest === undefined ? [] : [latest]), hint]
    return lookingLines(looking, this.#listOf(looking, overview, inside), { width, height, footer })
  }

  /** Keys of somebody who looks into a node; false: the key is one of all times. */
  #looked(key: Key, overview: Overview): boolean {
    const { looking } = this.#state
    const { inside, screen } = this.#options
    if (looking === undefined || inside === undefined || /^(q|Ctrl-.)$/.test(key)) return false
    const page = Math.max(1, screen.size().rows - 5)
    this.#state = { ...this.#state, looking: lookedInto(looking, key, this.#listOf(looking, overview, inside), page) }
    return true
  }

  get #readOnly(): string | undefined {
    return this.#options.act === undefined ? (this.#options.readOnly ?? 'This view only reads.') : undefined
  }

  #typed(text: string): void {
    for (const key of this.#keys.read(text)) {
      const shown = { ...this.#about(this.#options.overview()), rows: this.#rows }
      if (this.#looked(key, shown.overview)) continue
      const { state, effect } = pressed(this.#state, key, shown)
      this.#state = state
      this.#saidMs = this.#options.clock.elapsed()
      if (effect !== undefined) this.#do(effect, shown.overview)
    }
    this.#soon()
  }

  #do(effect: Effect, overview: Overview): void {
    const { onEnd, onInterrupt, onSuspend, openPage, screen } = this.#options
    switch (effect.kind) {
      case 'end':
        onEnd()
        break
      case 'interrupt':
        onInterrupt()
        break
      case 'suspend':
        onSuspend()
        break
      case 'redraw':
        screen.redraw()
        break
      case 'open':
        this.#say(openPage === undefined ? 'There is no page here: ballast dashboard has one.' : openPage())
        break
      case 'next':
        this.#options.clusters?.next()
        break
      case 'act':
        void this.#act(effect.action, { ...effect.body, revision: overview.revision })
    }
  }

  async #act(action: ActionName, body: ActionBody): Promise<void> {
    const { act } = this.#options
    if (act === undefined) return
    this.#say('Sent; waiting for the answer.')
    const answer = await act(action, body)
    if ('done' in answer) this.#say(`Done; this command does the same: ${answer.kubectl}`)
    else this.#say(`! ${answer.message}${answer.remedy === null ? '' : ` ${answer.remedy}`}`)
  }

  #say(text: string): void {
    this.#state = { ...this.#state, message: { text: printable(text) } }
    this.#saidMs = this.#options.clock.elapsed()
    this.#soon()
  }
}
