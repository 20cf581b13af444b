// The driver beside its jobs, once in a cluster: it makes, removes, packs and copies folders of shares.

import type { NodeContext, Running } from '#coordination/capability.ts'
import type { NfsConfig } from './config.ts'
import type { ControllerSettings } from './driver/controller-service.ts'
import { startDriver } from './driver/driver.ts'
import { ShareFiles } from './driver/share-files.ts'
import { FileWorkers } from './files/file-workers.ts'
import { controllerSocket } from './names.ts'
import { driverChecks } from './node-part.ts'

/** Serves until it is disposed of. @throws OutsideError where nobody can listen */
export async function startControllerPart(
  { clock, log }: NodeContext,
  config: NfsConfig,
  _signal: AbortSignal,
): Promise<Running<NfsConfig>> {
  await using stack = new AsyncDisposableStack()
  const workers = stack.use(new FileWorkers({ clock }))
  const driver = stack.use(
    await startDriver({
      name: config.driverName,
      endpoint: `unix://${controllerSocket}`,
      controller: {
        settings: controllerSettings(config),
        workingMountDir: config.controller.workingMountDir,
        files: new ShareFiles(workers, clock),
      },
      clock,
      log,
    }),
  )
  const whole = stack.move()
  return {
    health: () => driverChecks(driver),
    reconfigure: async () => 'restart-part',
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  }
}

function controllerSettings({ mountPermissions, controller }: NfsConfig): ControllerSettings {
  return {
    mountPermissions: Number.parseInt(mountPermissions, 8),
    defaultOnDelete: controller.defaultOnDeletePolicy,
    existingArchive: controller.existingArchive,
    useTarProgram: controller.useTarCommandInSnapshot,
    compression: controller.snapshotCompression,
  }
}
