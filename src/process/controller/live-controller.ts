// A controller on a live cluster as a process: its connection, its health and metrics on a port, and its orderly end. `ballast controller`
// and the drop-in commands run it with settings of their own.

import { Registry } from 'prom-client'
import type { Capability, Identity, WebhookEndpoint } from '#coordination/capability.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import type { Transport } from '#kube/client/transport.ts'
import { systemClock } from '#kube/clock.ts'
import type { ClusterConfig } from '#kube/credentials/cluster-config.ts'
import type { Log } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { certificateMetrics } from '#kube/server/certificate-metrics.ts'
import { Front } from '#kube/server/front/front.ts'
import { countTurnedAway } from '#kube/server/front/front-metrics.ts'
import { type HealthOptions, startHealthServer } from '#kube/server/health.ts'
import type { ConfigurationFile } from '../configuration/configuration-file.ts'
import { ControllerHealth } from '../health/controller-health.ts'
import { type Address, startHealthListener } from '../health/health-listener.ts'
import { memoryCheck, memoryUses } from '../health/health-memory.ts'
import { Shutdown } from '../health/health-shutdown.ts'
import { heardTransport } from '../health/heard-transport.ts'
import { processFaults } from '../parts/process-faults.ts'
import { type Tuning, tuningOf } from '../parts/tuning.ts'
import type { ProcessSurroundings } from '../surroundings.ts'
import { runController } from './controller.ts'

type Webhooks = WebhookEndpoint &
  AsyncDisposable & { readonly certificates: ReturnType<Parameters<typeof certificateMetrics>[1]> }

interface LiveOptions {
  readonly config: ClusterConfig
  readonly settings: ConfigurationFile
  readonly capabilities: readonly Capability[]
  readonly identity: Omit<Identity, 'instance'>
  readonly log: Log
  readonly installDefinitions: boolean
  /** Address of health and metrics; none where absent. */
  readonly address: Address | undefined
  /** Where the same is answered once more. */
  readonly furtherAddress?: Address
  readonly health?: ControllerHealth
  /** Paths on that address besides. */
  readonly also?: HealthOptions['also']
  readonly openWebhooks?: (front: Front) => Promise<Webhooks>
  /** What stands between the controller and the cluster. */
  readonly between?: (transport: Transport, health: ControllerHealth) => Promise<Transport>
  readonly tuning?: Tuning
  /** Ends the process at once. */
  readonly exit: (code: number) => void
}

/** Runs until the process is asked to end. @throws ProcessFault where something does not end, or failed that nobody owns */
export async function runLiveController(
  options: LiveOptions,
  { environment, signal, ending }: ProcessSurroundings,
): Promise<void> {
  const { config, settings, log, openWebhooks, address, also } = options
  const settled = settings.process
  for (const warning of config.warnings) log.warn({}, warning)
  const transport = heardTransport(
    openHttpTransport(config, {
      clock: systemClock,
      random: systemRandom,
      log,
      environment,
      isTerminal: process.stdin.isTTY === true,
    }),
    systemClock,
  )
  const health = options.health ?? new ControllerHealth()
  const metrics = new Registry()
  using faults = processFaults(options.exit, ending)
  health.add('api', () => {
    const silence = transport.silence()
    return [{ name: 'server', ok: silence === undefined, ...(silence === undefined ? {} : { message: silence }) }]
  })
  using shutdown = new Shutdown(signal, systemClock, ending)
  const own = new Set(['api', 'process'])
  let isBegun = false
  health.add('process', () => [
    memoryCheck(memoryUses()),
    // Until the controller is there nobody else says that something is missing, and its metrics are not counted.
    ...(isBegun ? [] : [{ name: 'start', ok: false, state: 'starting' }]),
    { name: 'shutdown', ok: !signal.aborted, ...(signal.aborted ? { state: 'shutting down' } : {}) },
  ])
  await using listeners = new AsyncDisposableStack()
  // One thread for all that strangers can reach.
  const front = listeners.use(new Front({ clock: systemClock, log, onTurnedAway: countTurnedAway(metrics) }))
  if (address !== undefined) {
    const of = { health, metrics, log, front, ...(also === undefined ? {} : { also }) }
    listeners.use(await startHealthListener(address, of))
  }
  if (options.furtherAddress !== undefined)
    listeners.use(
      await startHealthServer({
        ...options.furtherAddress,
        live: () => health.live(),
        ready: () => health.ready(),
        metrics,
        log,
        front,
        ...(also === undefined ? {} : { also }),
      }),
    )
  const webhooks = openWebhooks === undefined ? undefined : listeners.use(await openWebhooks(front))
  if (address !== undefined || webhooks !== undefined) listeners.defer(() => shutdown.accepted())
  if (webhooks !== undefined) certificateMetrics(metrics, () => webhooks.certificates)
  settings.watch()
  const reached = (await options.between?.(transport, health)) ?? transport
  const running = runController({
    transport: reached,
    clock: systemClock,
    random: systemRandom,
    log,
    identity: options.identity,
    capabilities: options.capabilities,
    settings,
    installDefinitions: options.installDefinitions,
    health,
    metrics,
    faults,
    tuning: { ...tuningOf(settled, { grace: ending.grace, log }), ...options.tuning },
    ...(webhooks === undefined ? {} : { webhooks }),
    signal,
  })
  isBegun = true
  await shutdown.within(ending.grace.inOrderMs, running, {
    stillRunning: () => health.groups().filter(group => !own.has(group)),
    log,
  })
}
