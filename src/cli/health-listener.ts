// Health and metrics of a controller process on one port: /livez of the loop, /readyz of its checks, /metrics of the process.
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { systemClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { eventLoopCheck, type HealthCheck, startHealthServer } from '#kube/server/health.ts'
import { CommandRefused } from './command-line.ts'
import type { ControllerHealth } from './controller.ts'

/** `:8081`, `127.0.0.1:8081`, `[::1]:8081`; `0` is no listener. @throws CommandRefused for anything else */
export function readAddress(text: string): { readonly port: number; readonly host?: string } | undefined {
  if (text === '0') return undefined
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535)
    throw new CommandRefused(`--health-probe-bind-address: found ${JSON.stringify(text)}, expected HOST:PORT, :PORT or 0`)
  const host = match[1] ?? match[2] ?? ''
  return { port, ...(host === '' ? {} : { host }) }
}

/** Listens until disposed of. @throws when the port is taken */
export async function startHealthListener(
  at: { readonly port: number; readonly host?: string },
  health: ControllerHealth,
  log: Log,
): Promise<AsyncDisposable & { readonly port: number }> {
  const metrics = new Registry()
  collectDefaultMetrics({ register: metrics })
  new Gauge({
    name: 'ballast_build_info',
    help: '1 for the version that runs',
    labelNames: ['version'],
    registers: [metrics],
  }).set({ version: '0.1.0' }, 1)
  const stack = new AsyncDisposableStack()
  const loop = stack.use(eventLoopCheck(systemClock))
  const ready = (): HealthCheck[] =>
    health.checks().map(check => ({
      name: check.name.replaceAll('/', '-'),
      group: check.name.split('/')[0] ?? check.name,
      check: () => (check.ok ? undefined : (check.message ?? 'not ready')),
    }))
  const server = stack.use(await startHealthServer({ ...at, live: () => [loop], ready, metrics, log }))
  return { port: server.port, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}
