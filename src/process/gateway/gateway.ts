// The process `ballast gateway`: parts of capabilities that stand in the way of requests. Every replica runs all of them, and none leads. Knows
// neither flags nor environment.

import type { Registry } from 'prom-client'
import type { Capability, GatewayContext, Identity } from '#coordination/capability.ts'
import { openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import { EventRecorder } from '#kube/events/events.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { Log } from '#kube/log.ts'
import { type Random, randomUuid } from '#kube/random.ts'
import { programVersion } from '#kube/version.ts'
import { fixedSettings, type SettingsFeed } from '../configuration/controller-settings.ts'
import type { ControllerHealth } from '../health/controller-health.ts'
import type { FaultSource } from '../parts/fault-source.ts'
import { PartMetrics } from '../parts/part-metrics.ts'
import { ownedClock } from '../parts/part-owner.ts'
import type { PortBook } from '../parts/port-book.ts'
import { ProcessParts } from '../parts/process-parts.ts'
import type { Tuning } from '../parts/tuning.ts'

interface GatewayOptions {
  /** Closed when the process ends. */
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Name of pod or host, and our own namespace. */
  readonly identity: Omit<Identity, 'instance'>
  readonly capabilities: readonly Capability[]
  readonly health: ControllerHealth
  /** What the installer decides, where it may change; else every capability is enabled with its section of `configurations`. */
  readonly settings?: SettingsFeed
  readonly configurations?: Readonly<Record<string, unknown>>
  /** Beside a twin: where targets are in truth, and where ports that were taken are told. */
  readonly beside?: GatewayContext['beside']
  readonly ports?: PortBook
  /** Where parts are counted. */
  readonly metrics?: Registry
  /** Tells of faults that nobody owns: they end the process. Absent in embedded use. */
  readonly faults?: FaultSource
  readonly tuning?: Pick<Tuning, 'bucket' | 'lists' | 'namespaces' | 'gracefulMs'>
  readonly signal: AbortSignal
}

/**
 * Runs until `signal` is aborted, then ends its parts in order and resolves. @throws PartRefusedError for parts that nobody would run;
 * ProcessFault where a part does not end, or something failed that no part owns
 */
export async function runGateway(options: GatewayOptions): Promise<void> {
  const { clock, random, log, tuning = {}, capabilities, health, faults, metrics: registry } = options
  const identity: Identity = { ...options.identity, instance: `${options.identity.name}_${randomUuid(random)}` }
  const settings = options.settings ?? fixedSettings({ capabilities, configurations: options.configurations })
  const counts = registry === undefined ? undefined : { registry, metrics: new PartMetrics(registry) }
  const host = 'kubernetes'
  const api = openApi(counts?.metrics.counted(options.transport, { host, clock }) ?? options.transport, {
    clock,
    userAgent: `ballast/${programVersion} gateway`,
    log,
    requestObserver: counts?.metrics.requests(host),
    ...(tuning.bucket === undefined ? {} : { bucket: tuning.bucket }),
  })
  const events = new EventRecorder(api, {
    clock,
    random,
    controller: 'ballast.dev/gateway',
    instance: `ballast-gateway-${identity.name}`,
    log,
  })
  const { name, namespace } = identity
  const parts = new ProcessParts({
    process: 'gateway',
    capabilities,
    settings,
    identity,
    health,
    events,
    regarding: { apiVersion: 'v1', kind: 'Pod', namespace, name },
    counted: counts,
    clock,
    log,
    gracefulMs: tuning.gracefulMs,
    ports: options.ports,
    signal: options.signal,
  })
  const watching = new AbortController()
  const informers = new Informers(api, {
    namespaces: tuning.namespaces ?? [],
    clock,
    random,
    log,
    onHandlerFault: parts.onHandlerFault,
    signal: watching.signal,
    ...tuning.lists,
  })
  counts?.metrics.watchInformers(informers, clock)
  try {
    await using stack = new AsyncDisposableStack()
    stack.use(informers)
    parts.watch(stack, faults)
    await parts.startAlways(stack, {
      informers,
      contextOf: ({ owner, ports, informers: own }) => ({
        clock: ownedClock(clock, owner),
        random,
        log,
        identity,
        ports,
        metrics: registry,
        api,
        informers: own,
        events,
        beside: options.beside,
      }),
    })
    await aborted(parts.signal)
  } finally {
    await events.flush()
    await api.close()
  }
  if (parts.fault !== undefined) throw parts.fault
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  else signal.addEventListener('abort', () => resolve(), { once: true })
  return promise
}
