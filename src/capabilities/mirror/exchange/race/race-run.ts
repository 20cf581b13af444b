// A race that really runs: candidates come in, peers are asked, time passes; what to do says the machine (`race.ts`).
import type { Clock } from '#kube/clock.ts'
import { Race, type RaceAction, type RaceEvent, type RaceOptions } from './race.ts'

/** What asking one candidate yields; it never throws for a peer's fault. */
export type Reply<Answer, Fault> = { readonly ok: true; readonly answer: Answer } | { readonly ok: false; readonly fault: Fault }

interface RunOptions<Candidate, Answer, Fault> extends RaceOptions<Candidate> {
  readonly clock: Clock
  /** Ends without an error when its signal is aborted. */
  readonly candidates: (signal: AbortSignal) => AsyncIterable<Candidate>
  /** Asks one; aborting `signal` ends the asking, or, after a good answer, nothing. */
  readonly ask: (candidate: Candidate, signal: AbortSignal) => Promise<Reply<Answer, Fault>>
  /** Lets a good answer go that came too late. */
  readonly discard: (answer: Answer) => void
  /** After a good answer of the race, milliseconds from asking to it. */
  readonly observe: (ms: number) => void
}

interface RaceResult<Candidate, Answer, Fault> {
  readonly attempts: number
  readonly faults: readonly { readonly candidate: Candidate; readonly fault: Fault }[]
  readonly won: { readonly candidate: Candidate; readonly answer: Answer } | undefined
  /** Why nobody won. */
  readonly because: 'no-peer' | 'failed' | 'timeout' | undefined
}

interface Fetch<Candidate, Answer> {
  readonly candidate: Candidate
  readonly stop: AbortController
  readonly beganMs: number
  answer?: Answer
}

/** One for all: each made anew costs more than all else of a race that nobody can win. */
const raceIsOver = new DOMException('the race is over', 'AbortError')

/** Runs a race to its end. @throws `signal.reason` when aborted; what was asked is cancelled then. */
export async function runRace<Candidate, Answer, Fault>(
  options: RunOptions<Candidate, Answer, Fault>,
  signal: AbortSignal,
): Promise<RaceResult<Candidate, Answer, Fault>> {
  signal.throwIfAborted()
  const { clock } = options
  const race = new Race(options, clock.elapsed())
  const fetches = new Map<number, Fetch<Candidate, Answer>>()
  const faults: { candidate: Candidate; fault: Fault }[] = []
  const searching = new AbortController()
  const { promise, resolve, reject } = Promise.withResolvers<RaceResult<Candidate, Answer, Fault>>()
  let cancelWake = (): void => undefined
  let isOver = false

  const end = () => {
    isOver = true
    cancelWake()
    searching.abort(raceIsOver)
  }
  const happened = (event: RaceEvent<Candidate>): void => {
    if (isOver) return
    for (const action of race.next(event, clock.elapsed())) carryOut(action)
    cancelWake()
    const wakeMs = isOver ? undefined : race.wakeMs()
    // What has arrived by then counts: the timer's own turn is not the last one.
    if (wakeMs !== undefined)
      cancelWake = clock.schedule(wakeMs - clock.elapsed(), () => setImmediate(() => happened({ kind: 'time' })))
  }
  const carryOut = (action: RaceAction<Candidate>): void => {
    if (action.kind === 'fetch') begin(action.ticket, action.candidate)
    else if (action.kind === 'cancel') fetches.get(action.ticket)?.stop.abort()
    else
      finish(action.kind === 'win' ? fetches.get(action.ticket) : undefined, action.kind === 'win' ? undefined : action.because)
  }
  const begin = (ticket: number, candidate: Candidate): void => {
    const fetch: Fetch<Candidate, Answer> = { candidate, stop: new AbortController(), beganMs: clock.elapsed() }
    fetches.set(ticket, fetch)
    options.ask(candidate, fetch.stop.signal).then(reply => {
      if (!reply.ok) {
        faults.push({ candidate, fault: reply.fault })
        happened({ kind: 'failed', ticket })
      } else if (isOver || fetch.stop.signal.aborted) options.discard(reply.answer)
      else {
        fetch.answer = reply.answer
        options.observe(clock.elapsed() - fetch.beganMs)
        happened({ kind: 'won', ticket })
      }
    }, fail)
  }
  const finish = (
    winner: Fetch<Candidate, Answer> | undefined,
    because: RaceResult<Candidate, Answer, Fault>['because'],
  ): void => {
    end()
    const won = winner?.answer === undefined ? undefined : { candidate: winner.candidate, answer: winner.answer }
    resolve({ attempts: race.started, faults, won, because })
  }
  const fail = (error: unknown): void => {
    if (isOver) return
    end()
    for (const { stop } of fetches.values()) stop.abort()
    reject(error)
  }
  const onAbort = () => fail(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })

  const search = async () => {
    for await (const candidate of options.candidates(searching.signal)) {
      if (isOver) return
      happened({ kind: 'candidate', candidate })
    }
    happened({ kind: 'exhausted' })
  }
  happened({ kind: 'time' })
  search().catch(fail)
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
