// The driver of one process: its services with what they work by, from the settings to the socket.

import { join } from 'node:path'
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { programVersion } from '#kube/version.ts'
import { Breaker } from '../mounts/breaker.ts'
import { kernelTable, type MountTable } from '../mounts/mount-table.ts'
import { Mounter } from '../mounts/mounter.ts'
import type { RunProgram } from '../mounts/program.ts'
import { StartedPrograms } from '../mounts/program-starter.ts'
import { SharedMounts } from '../mounts/shared-mounts.ts'
import { staleMounts } from '../mounts/stale-mounts.ts'
import type { SnapshotProgress } from '../told/snapshot-progress.ts'
import { AttachService, type AttachSettings } from './attach/attach-service.ts'
import type { ClusterFacts } from './cluster-facts.ts'
import { ControllerService, type ControllerSettings } from './controller-service.ts'
import { CsiServer } from './csi-server.ts'
import { GroupService } from './groups/group-service.ts'
import { type KnownStorage, Listing } from './listing.ts'
import { NodeFiles } from './node-files.ts'
import { type NodeNotices, NodeService, type NodeSettings } from './node-service.ts'
import { spoilsMount } from './refusals.ts'
import type { ShareFiles } from './share-files.ts'

/** Calls that run when the driver is stopped have so long. */
const drainMs = 20_000

interface DriverOptions {
  readonly name: string
  /** `unix:///path` or `tcp://host:port`. */
  readonly endpoint: string
  readonly node?: NodeSettings | undefined
  readonly controller?:
    | {
        readonly settings: ControllerSettings
        readonly workingMountDir: string
        readonly files: ShareFiles
        readonly facts?: ClusterFacts | undefined
        readonly progress?: Pick<SnapshotProgress, 'told' | 'ended'> | undefined
        /** What `lists` of the settings is told from, and where volumes of a node are counted. */
        readonly known: KnownStorage
        /** Absent: any node may mount any volume, as upstream has it. */
        readonly attach?: AttachSettings | undefined
      }
    | undefined
  readonly notices?: NodeNotices | undefined
  readonly clock: Clock
  readonly log: Log
  /** The machine, where it is not this one. */
  readonly machine?: { readonly run: RunProgram; readonly table: MountTable } | undefined
}

export interface Driver extends AsyncDisposable {
  /** Servers that do not answer. */
  unreachable(): readonly string[]
  /** Looks at volumes that hang. */
  hanging(): number
  /** Shares that are mounted for the controller. */
  shares(): number
  /** Mounts below a folder that lead nowhere any more. @throws `signal.reason` */
  stale(folder: string, signal: AbortSignal): ReturnType<typeof staleMounts>
  /** The service of the controller, where it is there. */
  readonly controller: ControllerService | undefined
}

/** Serves until it is disposed of. What is mounted for pods stays. @throws OutsideError where nobody can listen */
export async function startDriver(options: DriverOptions): Promise<Driver> {
  const { clock, log, name } = options
  await using stack = new AsyncDisposableStack()
  const { run, table } = options.machine ?? { run: stack.use(new StartedPrograms(clock)).run, table: kernelTable }
  const mounter = new Mounter({ run, table, clock })
  const breaker = stack.use(new Breaker({ clock, log, onChange: (...of) => options.notices?.server(...of) }))
  const files = new NodeFiles(run)
  const { controller, notices } = options
  let shares: SharedMounts | undefined
  if (controller !== undefined) {
    const directory = join(controller.workingMountDir)
    shares = stack.use(new SharedMounts({ mounter, directory, clock, log, spoils: spoilsMount }))
    await shares.sweep()
  }
  const attach =
    controller?.attach === undefined || shares === undefined
      ? undefined
      : new AttachService({ ...controller, settings: controller.attach, shares, clock, log })
  const service =
    controller === undefined || shares === undefined
      ? undefined
      : new ControllerService({ ...controller, shares, attached: attach, log })
  const groups =
    controller?.settings.groups !== true || shares === undefined
      ? undefined
      : new GroupService({ ...controller, shares, clock, log })
  const listing =
    controller?.settings.lists !== true || shares === undefined ? undefined : new Listing({ ...controller, shares, log })
  const server = new CsiServer({
    driver: { name, version: programVersion },
    controller: service,
    listing,
    attach,
    groups,
    ...(options.node === undefined
      ? {}
      : { node: new NodeService({ settings: options.node, mounter, files, breaker, clock, log, notices }) }),
    log,
  })
  await server.listen(options.endpoint)
  stack.defer(() => server.close(clock.after(drainMs)))
  log.info({ driver: name, endpoint: options.endpoint }, 'the driver listens')
  const whole = stack.move()
  return {
    unreachable: () => breaker.unreachable(),
    hanging: () => files.hanging,
    shares: () => shares?.size ?? 0,
    stale: (folder, signal) => staleMounts(table, files, folder, signal),
    controller: service,
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  }
}
