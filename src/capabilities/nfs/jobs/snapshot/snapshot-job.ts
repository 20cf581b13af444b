// The sidecar for snapshots as a job: csi-snapshotter's part beside a driver.

import { OutsideError } from '#kube/outside-error.ts'
import { controllerCapabilities } from '../../csi/messages.ts'
import { type DriverContext, type DriverJob, KeyedWork, together } from '../job.ts'
import { driverLeaseName } from '../lease-names.ts'
import { isNewsOfContent } from './content-decision.ts'
import { awaitKinds } from './present-kinds.ts'
import type { SnapshotSettings } from './settings.ts'
import { type Content, contents, type SnapshotClass, snapshotClasses } from './snapshot-kinds.ts'
import { Snapshotter } from './snapshotter.ts'

export function snapshotJob(settings: SnapshotSettings): DriverJob {
  return {
    name: 'snapshot',
    needs: [
      { ...contents, mode: 'full' },
      { ...snapshotClasses, mode: 'full' },
    ],
    leaseName: driver => driverLeaseName('external-snapshotter-leader-', driver),
    run: (context, signal) => run(context, settings, signal),
  }
}

async function run(context: DriverContext, settings: SnapshotSettings, signal: AbortSignal): Promise<void> {
  const { informers, driver, clock, log } = context
  if (!driver.can.has(controllerCapabilities.CREATE_DELETE_SNAPSHOT))
    throw new OutsideError(`CSI driver ${driver.name} does not support ControllerCreateSnapshot`)
  const stores = {
    contents: informers.of<Content>(contents, { optional: true }),
    classes: informers.of<SnapshotClass>(snapshotClasses, { optional: true }),
  }
  await informers.allSynced(signal)
  const snapshotter = new Snapshotter(context, settings, stores)
  const work = new KeyedWork<string>({
    ...settings,
    name: 'contents',
    clock,
    log,
    work: (name, until) => snapshotter.work(name, until),
  })
  using stack = new DisposableStack()
  stack.defer(
    stores.contents.onChange(({ type, object, previous }) => {
      if (type === 'DELETED') work.forget(object.metadata.name)
      else if (isNewsOfContent(previous, object)) work.add(object.metadata.name)
    }),
  )
  const names = function* () {
    for (const { metadata } of stores.contents.store.list()) yield metadata.name
  }
  await together(
    signal,
    until => work.run(until),
    until => work.resync(settings.resyncMs, names, until),
    until => awaitKinds(clock, [stores.contents, stores.classes], until),
  )
}
