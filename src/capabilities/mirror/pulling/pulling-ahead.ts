// Has nodes pull images beforehand: asks their agents, a few at a time, again and again until each image is there, has failed, or nobody wants
// it any more.
import type { PullAhead, PullOutcome } from '#coordination/ports/pull-ahead.ts'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import type { PrefetchState } from '../prefetch.ts'
import { mostPrefetched } from '../prefetch.ts'
import { wholeImageName } from './prefetch-plan.ts'

/** Agents that are asked at once. */
const agentsAtOnce = 8
/** Nodes of one wish; the rest is left out. */
const mostNodes = 5_000
/** Time may be set while a window is waited for. */
const windowLookMs = 30_000
const firstLookMs = 2_000
const longestLookMs = 30_000
/** Tries of an agent that does not answer. */
const mostSilent = 3

interface PullingAheadOptions {
  readonly clock: Clock
  /** Where the agent of a node answers; `undefined`: no such node. */
  readonly addressOf: (node: string) => string | undefined
  readonly ask: (address: string, images: readonly string[], signal: AbortSignal) => Promise<readonly PrefetchState[]>
  /** When the windows of a capability are open, in milliseconds since 1970. */
  readonly windowOpensMs: (requester: string) => number
}

type Wish = Parameters<PullAhead['pull']>[0]

export class PullingAhead implements PullAhead {
  readonly #options: PullingAheadOptions
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(options: PullingAheadOptions) {
    this.#options = options
  }

  async pull(wish: Wish, signal: AbortSignal): Promise<readonly PullOutcome[]> {
    const { clock, windowOpensMs } = this.#options
    const named = wish.images.slice(0, mostPrefetched).map(text => ({ text, image: wholeImageName(text) }))
    const images = [...new Set(named.flatMap(({ image }) => (image === undefined ? [] : [image])))]
    const nodes = [...new Set(wish.nodes)].slice(0, mostNodes)
    const wrong = nodes.flatMap(node =>
      named.flatMap(({ text, image }): PullOutcome[] =>
        image === undefined ? [{ node, image: text, outcome: 'failed', message: 'no name of an image' }] : [],
      ),
    )
    if (images.length === 0) return wrong
    const opensMs = windowOpensMs(wish.requester)
    if (opensMs >= wish.deadlineMs) {
      const closed = nodes.flatMap(node => images.map((image): PullOutcome => ({ node, image, outcome: 'outside-window' })))
      return [...wrong, ...closed]
    }
    await reached(clock, opensMs, signal)
    const found = await Promise.all(nodes.map(node => this.#inTurn(() => this.#pullOn(node, images, wish.deadlineMs, signal))))
    return [...wrong, ...found.flat()]
  }

  async #pullOn(
    node: string,
    images: readonly string[],
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<readonly PullOutcome[]> {
    const { clock, addressOf, ask } = this.#options
    const ended = new Map<string, PullOutcome>()
    const untilMs = clock.elapsed() + deadlineMs - clock.now()
    let lookMs = firstLookMs
    let silent = 0
    for (;;) {
      const left = images.filter(image => !ended.has(image))
      const address = addressOf(node)
      if (address === undefined) return images.map(image => ended.get(image) ?? unreachable(node, image, 'no such node'))
      try {
        for (const { image, state, message } of await ask(address, left, signal)) {
          const said = message === undefined ? {} : { message }
          if (state === 'present' || state === 'failed') ended.set(image, { node, image, outcome: state, ...said })
        }
        silent = 0
      } catch (error) {
        signal.throwIfAborted()
        if (++silent >= mostSilent) return images.map(image => ended.get(image) ?? unreachable(node, image, messageOf(error)))
      }
      if (left.every(image => ended.has(image))) break
      if (clock.elapsed() + lookMs >= untilMs) break
      await clock.after(lookMs, signal)
      lookMs = Math.min(longestLookMs, lookMs * 2)
    }
    return images.map(image => ended.get(image) ?? { node, image, outcome: 'under-way' })
  }

  /** One after the other, but for the first few. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    while (this.#running >= agentsAtOnce) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.push(resolve)
      await promise
    }
    this.#running++
    try {
      return await work()
    } finally {
      this.#running--
      this.#waiting.shift()?.()
    }
  }
}

const unreachable = (node: string, image: string, message: string): PullOutcome => ({
  node,
  image,
  outcome: 'unreachable',
  message,
})

/** Resolves when the time of day has come to `wallMs`. @throws `signal.reason` */
async function reached(clock: Clock, wallMs: number, signal: AbortSignal): Promise<void> {
  for (let leftMs = wallMs - clock.now(); leftMs > 0; leftMs = wallMs - clock.now())
    await clock.after(Math.min(leftMs, windowLookMs), signal)
}
