// The driver beside its jobs, once in a cluster: it makes, removes, packs and copies folders of shares.

import type { NodeContext, Running } from '#coordination/capability.ts'
import type { Clock } from '#kube/clock.ts'
import { EventRecorder } from '#kube/events/events.ts'
import { Informers } from '#kube/informers/informer.ts'
import { durationMs } from '#kube/time/duration.ts'
import { int64Value } from '#kube/values/quantity.ts'
import type { NfsConfig } from './config.ts'
import type { ControllerSettings } from './driver/controller-service.ts'
import { type Driver, startDriver } from './driver/driver.ts'
import { ShareFiles } from './driver/share-files.ts'
import { FileWorkers } from './files/file-workers.ts'
import { inventoryJob } from './inventory/inventory-job.ts'
import type { Job } from './jobs/job.ts'
import { startJobs } from './jobs/jobs.ts'
import { standardSnapshot } from './jobs/snapshot/settings.ts'
import { type Content, contents } from './jobs/snapshot/snapshot-kinds.ts'
import { jobsOfConfig } from './jobs-of-config.ts'
import { nfsMetrics } from './metrics.ts'
import { capabilityName, controllerSocket } from './names.ts'
import { driverChecks } from './node-part.ts'
import { SnapshotProgress } from './told/snapshot-progress.ts'
import { usageJob } from './usage/usage-job.ts'
import { WatchedFacts } from './watched-facts.ts'

/** Where the part runs. */
interface ControllerPlace {
  /** The driver's, an absolute path. */
  readonly socket: string
  /** The machine that it mounts on, and that machine's time; left out: this one's kernel, and the process's time. */
  readonly machine?: NonNullable<Parameters<typeof startDriver>[0]['machine']> & { readonly clock: Clock }
  /** Nobody else can do the jobs of this cluster: no Lease is stood for. */
  readonly isAlone?: boolean
}

/** Serves until it is disposed of. @throws OutsideError where nobody can listen */
export async function startControllerPart(
  context: NodeContext,
  config: NfsConfig,
  signal: AbortSignal,
  { socket, machine, isAlone = false }: ControllerPlace = { socket: controllerSocket },
): Promise<Running<NfsConfig>> {
  const { api, log, random } = context
  const clock = machine?.clock ?? context.clock
  if (api === undefined) throw new Error('the jobs of the NFS driver need the API server')
  await using stack = new AsyncDisposableStack()
  const workers = stack.use(new FileWorkers({ clock }))
  const files = new ShareFiles(workers, clock)
  const informers = stack.use(new Informers(api, { clock: context.clock, random, log, signal }))
  const facts = new WatchedFacts(api, informers, config.driverName, signal)
  const events = stack.use(
    new EventRecorder(api, {
      clock: context.clock,
      random,
      log,
      controller: `ballast.dev/${capabilityName}`,
      instance: context.identity.instance,
    }),
  )
  const progress = config.controller.snapshots.enabled ? snapshotProgress(informers, events, context, signal) : undefined
  const driver = stack.use(
    await startDriver({
      name: config.driverName,
      endpoint: `unix://${socket}`,
      controller: {
        settings: controllerSettings(config),
        workingMountDir: config.controller.workingMountDir,
        files,
        facts,
        known: facts,
        attach: config.controller.attach
          ? { isNode: id => facts.isNode(id), mostPerNode: config.node.mostVolumes ?? 0 }
          : undefined,
        progress,
      },
      clock,
      log,
      machine,
    }),
  )
  if (context.metrics !== undefined) nfsMetrics(context.metrics).follow(driver)
  const jobsConfig = jobsOfConfig(config, context.identity.namespace)
  const jobs = stack.use(
    startJobs(
      {
        ...context,
        api,
        informers,
        address: socket,
        config: isAlone ? { ...jobsConfig, election: undefined } : jobsConfig,
        more: [...usageJobs(config, driver, context), ...inventoryJobs(config, driver, files, context)],
      },
      signal,
    ),
  )
  const whole = stack.move()
  return {
    health: () => [...driverChecks(driver), ...jobs.checks()],
    reconfigure: async () => 'restart-part',
    [Symbol.asyncDispose]: () => whole.disposeAsync(),
  }
}

function controllerSettings({ mountPermissions, controller, node }: NfsConfig): ControllerSettings {
  return {
    mountPermissions: Number.parseInt(mountPermissions, 8),
    defaultOnDelete: controller.defaultOnDeletePolicy,
    existingArchive: controller.existingArchive,
    useTarProgram: controller.useTarCommandInSnapshot,
    compression: controller.snapshotCompression,
    lists: controller.lists,
    modifies: controller.modifyVolumes,
    groups: false,
    nodeExpands: node.expand,
    expansion: { needsRoom: controller.expansion.needsRoom, mostPerNamespace: bytesOf(controller.expansion.mostPerNamespace) },
  }
}

function snapshotProgress(
  informers: Informers,
  events: EventRecorder,
  { clock }: NodeContext,
  signal: AbortSignal,
): SnapshotProgress {
  const watched = informers.share({ needs: [{ ...contents, mode: 'full' }], signal }).of<Content>(contents, { optional: true })
  const contentNamed = (name: string) => watched.store.get(undefined, name)
  return new SnapshotProgress({ clock, events, prefix: standardSnapshot.namePrefix, contentNamed })
}

const bytesOf = (quantity: string | number | undefined): bigint | undefined =>
  quantity === undefined ? undefined : int64Value(String(quantity), 0)

function usageJobs({ driverName, controller: { usage } }: NfsConfig, driver: Driver, { metrics }: NodeContext): readonly Job[] {
  if (!usage.enabled || driver.controller === undefined) return []
  const settings = {
    everyMs: durationMs(usage.interval),
    entriesPerSecond: usage.entriesPerSecond,
    mostEntries: usage.mostEntries,
  }
  return [usageJob({ driver: driverName, settings, controller: driver.controller, metrics })]
}

function inventoryJobs(config: NfsConfig, { controller }: Driver, files: ShareFiles, { identity }: NodeContext): readonly Job[] {
  const { inventory, volumeNamePrefix } = config.controller
  if (!inventory.enabled || controller === undefined) return []
  const { interval, keepArchives, mostArchived } = inventory
  const settings = {
    everyMs: durationMs(interval),
    limits: {
      keepMs: keepArchives === undefined ? undefined : durationMs(keepArchives),
      mostBytes: bytesOf(mostArchived),
    },
    prefixes: { volume: volumeNamePrefix, snapshot: standardSnapshot.namePrefix },
  }
  return [inventoryJob({ driver: config.driverName, namespace: identity.namespace, settings, controller, files })]
}
