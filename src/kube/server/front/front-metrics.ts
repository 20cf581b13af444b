// What public listeners turned away, counted: a flood is seen where its own requests are.
import { Counter, type Registry } from 'prom-client'
import type { TurnedAway } from './front-messages.ts'

/** Told by a front of what it turned away: at which listener, why, how often. */
export type OnTurnedAway = (listener: string, why: TurnedAway, times: number) => void

/** Counts in `registry`: once for each, its name is taken then. */
export function countTurnedAway(registry: Registry): OnTurnedAway {
  const counter = new Counter({
    name: 'ballast_listener_turned_away_total',
    help: 'Connections and requests that a public listener turned away, by its limits',
    labelNames: ['listener', 'why'],
    registers: [registry],
  })
  return (listener, why, times) => counter.inc({ listener, why }, times)
}
