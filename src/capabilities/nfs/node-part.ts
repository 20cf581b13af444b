// The driver on a node: it mounts volumes for pods. A process of its own, so that a mount that hangs holds up nothing else.

import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Check, NodeContext, Running } from '#coordination/capability.ts'
import { durationMs } from '#kube/time/duration.ts'
import type { NfsConfig } from './config.ts'
import { type Driver, startDriver } from './driver/driver.ts'
import type { NodeSettings } from './driver/node-service.ts'
import { pluginFolder } from './names.ts'

const minuteMs = 60_000

/** Serves until it is disposed of. What is mounted stays. @throws OutsideError where nobody can listen */
export async function startNodePart(context: NodeContext, config: NfsConfig, _signal: AbortSignal): Promise<Running<NfsConfig>> {
  const { clock, log, node } = context
  const socket = join(config.kubeletDir, pluginFolder, 'csi.sock')
  mkdirSync(dirname(socket), { recursive: true, mode: 0o750 })
  const driver = await startDriver({
    name: config.driverName,
    endpoint: `unix://${socket}`,
    node: nodeSettings(config, node),
    clock,
    log,
  })
  return {
    health: () => driverChecks(driver),
    // The socket's folder, the name and what mounts are made with are all of the driver's settings.
    reconfigure: async () => 'restart-part',
    [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
  }
}

function nodeSettings(config: NfsConfig, nodeId: string): NodeSettings {
  return {
    nodeId,
    mountPermissions: Number.parseInt(config.mountPermissions, 8),
    statsMs: config.volStatsCacheExpireInMinutes * minuteMs,
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
