// The driver on a node: it mounts volumes for pods. A process of its own, so that a mount that hangs holds up nothing else.

import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Check, NodeContext, Running } from '#coordination/capability.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { durationMs } from '#kube/time/duration.ts'
import type { NfsConfig } from './config.ts'
import { type Driver, startDriver } from './driver/driver.ts'
import type { NodeSettings } from './driver/node-service.ts'
import { nfsMetrics } from './metrics.ts'
import { capabilityName, pluginFolder, registryFolder } from './names.ts'
import { NodeEvents } from './node-events.ts'
import { ToldNotices } from './node-notices.ts'
import { DriverRegistration } from './registration/driver-registration.ts'

const minuteMs = 60_000

interface NodePartContext extends NodeContext {
  /** Where there is no `api` yet: how it is opened when there is something to say. */
  readonly openApi?: () => Promise<Api>
}

/** Serves until it is disposed of. What is mounted stays. @throws OutsideError where nobody can listen */
export async function startNodePart(
  context: NodePartContext,
  config: NfsConfig,
  signal: AbortSignal,
): Promise<Running<NfsConfig>> {
  const { api, openApi, clock, log, node, random, identity } = context
  const socket = join(config.kubeletDir, pluginFolder, 'csi.sock')
  mkdirSync(dirname(socket), { recursive: true, mode: 0o750 })
  await using stack = new AsyncDisposableStack()
  const metrics = context.metrics === undefined ? undefined : nfsMetrics(context.metrics)
  const open =
    api === undefined ? openApi && (async () => ({ api: await openApi(), isOwn: true })) : async () => ({ api, isOwn: false })
  const controller = `ballast.dev/${capabilityName}`
  const events =
    open === undefined
      ? undefined
      : stack.use(new NodeEvents({ open, controller, instance: identity.instance, clock, random, log }))
  const notices = new ToldNotices(context, events, metrics)
  const driver = await startDriver({
    notices,
    name: config.driverName,
    endpoint: `unix://${socket}`,
    node: nodeSettings(config, node),
    clock,
    log,
  })
  stack.use(driver)
  metrics?.follow(driver)
  if (config.mountChecks !== undefined) {
    const everyMs = durationMs(config.mountChecks)
    const stop = new AbortController()
    const both = AbortSignal.any([signal, stop.signal])
    const checking = checkMounts(driver, notices, { clock, log, everyMs, folder: join(config.kubeletDir, 'pods') }, both)
    stack.defer(async () => {
      stop.abort(new DOMException('the driver is stopped', 'AbortError'))
      await checking
    })
  }
  const registry = join(config.kubeletDir, registryFolder)
  const registration = stack.use(
    new DriverRegistration({ driver: config.driverName, endpoint: socket, registry, clock, random, log }),
  )
  const whole = stack.move()
  return {
    health: () => [...driverChecks(driver), registration.check()],
    // The socket's folder, the name and what mounts are made with are all of the driver's settings.
    reconfigure: async () => 'restart-part',
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  }
}

interface CheckOptions {
  readonly clock: Clock
  readonly log: Log
  readonly everyMs: number
  readonly folder: string
}

/** Until `signal` is aborted. A mount that is told of is told of again in the next round: an Event counts them. */
async function checkMounts(
  driver: Driver,
  notices: ToldNotices,
  { clock, log, everyMs, folder }: CheckOptions,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await clock.after(everyMs, signal)
      for (const { target, source } of await driver.stale(folder, signal)) {
        log.warn({ target, source }, 'a mount leads nowhere any more')
        notices.stale(target, source)
      }
    } catch (error) {
      if (!signal.aborted) log.error({ err: error }, 'mounts of pods could not be looked at')
    }
  }
}

function nodeSettings(config: NfsConfig, nodeId: string): NodeSettings {
  return {
    nodeId,
    mountPermissions: Number.parseInt(config.mountPermissions, 8),
    statsMs: config.volStatsCacheExpireInMinutes * minuteMs,
    stages: config.node.stage,
    expands: config.node.expand,
    mostVolumes: config.node.mostVolumes ?? 0,
    detachAfterMs: config.detachAfter === undefined ? undefined : durationMs(config.detachAfter),
  }
}

/** A server that is away is no reason to start the driver anew: it is shown, and nothing more. */
export function driverChecks(driver: Driver): readonly Check[] {
  const away = driver.unreachable()
  return [
    { name: 'nfs-driver', ok: true, state: 'it listens' },
    {
      name: 'nfs-servers',
      ok: away.length === 0,
      isGating: false,
      state: away.length === 0 ? 'no server is known to be away' : `${away.length} servers do not answer`,
    },
  ]
}
