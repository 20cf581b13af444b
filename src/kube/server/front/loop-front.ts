// Public listeners on the loop of a process that holds no Lease, such as an agent's: with the limits of the thread, without its memory.
import type { Clock } from '../../clock.ts'
import { type Log, messageOf } from '../../log.ts'
import { BodyBudget } from './body-budget.ts'
import type { Listening } from './front.ts'
import { FrontListener, type FrontSurroundings } from './front-listener.ts'
import type { FrontReply } from './front-messages.ts'
import type { OnTurnedAway } from './front-metrics.ts'
import { Turns } from './turns.ts'
import { Turnstile } from './turnstile.ts'

/** Bodies and answers under way; an agent has little memory. */
const mostBytesUnderWay = 8 * 1024 * 1024
const mostWaiting = 64
const mostUnderWay = 16

interface Around {
  readonly clock: Clock
  readonly log: Log
  readonly onTurnedAway?: OnTurnedAway
}

/** Listeners that are asked and answered on the caller's loop. `clock`: the host's. */
export function loopFront({ clock, log, onTurnedAway }: Around): Listening {
  const turns = new Turns({ waiting: mostWaiting, underWay: mostUnderWay }, clock)
  return {
    async listen(spec, answer) {
      const around: FrontSurroundings = {
        clock,
        budget: new BodyBudget(mostBytesUnderWay, clock),
        turns,
        turnstile: new Turnstile(),
        ask(_listener, call, answered) {
          let isWanted = true
          const reply = (given: FrontReply) => (isWanted ? answered(given) : undefined)
          const sinceMs = clock.elapsed()
          new Promise<FrontReply>(resolve => resolve(answer(call))).then(reply, (error: unknown) => {
            log.error({ listener: spec.name, err: messageOf(error) }, 'a request could not be answered')
            reply({ status: 500, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: 'internal error\n' })
          })
          const costMs = clock.elapsed() - sinceMs
          queueMicrotask(() => turns.taken(costMs))
          return () => {
            isWanted = false
          }
        },
        // Who asks on a loop that stands still is not heard there.
        stillMs: () => 0,
        turnedAway: (_listener, why, peer) => {
          onTurnedAway?.(spec.name, why, 1)
          log.debug({ listener: spec.name, why, peer }, 'a request or connection was turned away')
        },
      }
      const listener = new FrontListener(1, spec, around)
      const port = await listener.listen()
      return {
        port,
        setCertificate: tls => listener.setCertificate(tls),
        end: () => listener.close(true),
        [Symbol.asyncDispose]: () => listener.close(false),
      }
    },
  }
}
