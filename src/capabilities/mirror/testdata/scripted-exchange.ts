// An exchange that answers as its script says, and records what it was asked.
import type { Exchange, ExchangeState, Found, FoundElsewhere, NotFound, Relayed, Wanted } from '../contract.ts'
import type { Digest } from '../reference.ts'

type Fetched = Found | FoundElsewhere | NotFound

export class ScriptedExchange implements Exchange {
  readonly asked: Wanted[] = []
  readonly relayed: { readonly digest: Digest; readonly peer: string }[] = []
  /** What the last request's signal is: aborted when its client went away. */
  signal: AbortSignal | undefined
  answersTagsNow = true
  answer: (wanted: Wanted, signal: AbortSignal) => Fetched | Promise<Fetched> = wanted => ({
    outcome: 'not-found',
    attempts: 0,
    message: `no peer has ${wanted.digest ?? `${wanted.registry}/${wanted.repository}:${wanted.tag}`}`,
    reason: 'no-peer',
  })
  relaying: (digest: Digest, peer: string) => Relayed | Promise<Relayed> = () => ({ outcome: 'nothing' })
  holding = false
  standing: ExchangeState = { quarantined: [], inFlight: 0 }

  async fetch(wanted: Wanted, signal: AbortSignal): Promise<Fetched> {
    this.asked.push(wanted)
    this.signal = signal
    return await this.answer(wanted, signal)
  }

  answersTags(_registry: string): boolean {
    return this.answersTagsNow
  }

  async relay(digest: Digest, { peer }: { readonly peer: string }, _signal: AbortSignal): Promise<Relayed> {
    this.relayed.push({ digest, peer })
    return await this.relaying(digest, peer)
  }

  holds(_digest: Digest): boolean {
    return this.holding
  }

  state(): ExchangeState {
    return this.standing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held.
  }
}
