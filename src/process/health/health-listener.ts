// Health and metrics of a controller process on one port: /livez of the loop, /readyz of its checks, /metrics of the process.

import { Gauge, type Registry } from 'prom-client'
import { systemClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { collectProcessMetrics } from '#kube/process-metrics.ts'
import type { Listening } from '#kube/server/front/front.ts'
import { eventLoopCheck, type HealthOptions, startHealthServer } from '#kube/server/health.ts'
import { programVersion } from '#kube/version.ts'
import { CommandRefused } from '../surroundings.ts'
import type { ControllerHealth } from './controller-health.ts'

export interface Address {
  readonly port: number
  readonly host?: string
}

/** `:8081`, `127.0.0.1:8081`, `[::1]:8081`; `0` is no listener. @throws CommandRefused for anything else */
export function readAddress(text: string, flag = '--health-probe-bind-address'): Address | undefined {
  if (text === '0') return undefined
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535)
    throw new CommandRefused(`${flag}: found ${JSON.stringify(text)}, expected HOST:PORT, :PORT or 0`)
  const host = match[1] ?? match[2] ?? ''
  return { port, ...(host === '' ? {} : { host }) }
}

/** Listens until disposed of. What the process is goes into `metrics` besides. @throws when the port is taken */
export async function startHealthListener(
  at: Address,
  of: {
    readonly health: ControllerHealth
    readonly metrics: Registry
    readonly also?: NonNullable<HealthOptions['also']>
    readonly log: Log
    /** Where it listens; in a thread of its own unless given. */
    readonly front?: Listening
  },
): Promise<AsyncDisposable & { readonly port: number }> {
  const { health, metrics, also = {}, log, front } = of
  collectProcessMetrics(metrics)
  new Gauge({
    name: 'ballast_build_info',
    help: '1 for the version that runs',
    labelNames: ['version'],
    registers: [metrics],
  }).set({ version: programVersion }, 1)
  // Where the port is taken nothing is left that keeps the process alive.
  await using opening = new AsyncDisposableStack()
  const loop = opening.use(eventLoopCheck(systemClock))
  const live = () => [loop, ...health.live()]
  const server = opening.use(
    await startHealthServer({
      ...at,
      live,
      ready: () => health.ready(),
      metrics,
      also,
      log,
      ...(front === undefined ? {} : { front }),
    }),
  )
  const stack = opening.move()
  return { port: server.port, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}
