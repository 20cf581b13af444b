// The snapshot controller as a job: one for a cluster, beside no driver.

import { type Job, type JobContext, KeyedWork, together } from '../job.ts'
import { snapshotControllerLease } from '../lease-names.ts'
import { type Claim, claims, keyOf } from '../storage-kinds.ts'
import { awaitKinds } from './present-kinds.ts'
import type { SnapshotControllerSettings } from './settings.ts'
import { SnapshotController, snapshotOf } from './snapshot-controller.ts'
import {
  boundContentName,
  type Content,
  contents,
  type Snapshot,
  type SnapshotClass,
  snapshotClasses,
  snapshots,
} from './snapshot-kinds.ts'

export function snapshotControllerJob(settings: SnapshotControllerSettings): Job {
  return {
    name: 'snapshot-controller',
    needs: [
      { ...snapshots, mode: 'full' },
      { ...contents, mode: 'full' },
      { ...snapshotClasses, mode: 'full' },
      { ...claims, mode: 'projection', fields: ['metadata.finalizers', 'spec.volumeName', 'spec.dataSource', 'status.phase'] },
    ],
    leaseName: () => snapshotControllerLease,
    run: (context, signal) => run(context, settings, signal),
  }
}

async function run(context: JobContext, settings: SnapshotControllerSettings, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = context
  const stores = {
    snapshots: informers.of<Snapshot>(snapshots, { optional: true }),
    contents: informers.of<Content>(contents, { optional: true }),
    classes: informers.of<SnapshotClass>(snapshotClasses, { optional: true }),
    claims: informers.of<Claim>(claims),
  }
  await informers.allSynced(signal)
  const controller = new SnapshotController(context, settings, stores)
  const keyed = { ...settings, clock, log }
  const ofSnapshots = new KeyedWork<string>({
    ...keyed,
    name: 'snapshots',
    work: (key, until) => controller.workOnSnapshot(key, until),
  })
  const ofContents = new KeyedWork<string>({
    ...keyed,
    name: 'contents',
    work: (name, until) => controller.workOnContent(name, key => ofSnapshots.add(key), until),
  })
  using stack = new DisposableStack()
  stack.defer(
    stores.snapshots.onChange(({ type, object }) => {
      const bound = boundContentName(object)
      if (type !== 'DELETED') ofSnapshots.add(keyOf(object))
      else {
        ofSnapshots.forget(keyOf(object))
        if (bound !== '') ofContents.add(bound)
      }
    }),
  )
  stack.defer(
    stores.contents.onChange(({ type, object }) => {
      if (type !== 'DELETED') ofContents.add(object.metadata.name)
      else {
        ofContents.forget(object.metadata.name)
        ofSnapshots.add(snapshotOf(object))
      }
    }),
  )
  await together(
    signal,
    until => ofSnapshots.run(until),
    until => ofContents.run(until),
    until => ofSnapshots.resync(settings.resyncMs, () => keysOf(stores.snapshots.store.list()), until),
    until => ofContents.resync(settings.resyncMs, () => namesOf(stores.contents.store.list()), until),
    until => awaitKinds(clock, [stores.snapshots, stores.contents, stores.classes], until),
  )
}

function* keysOf(all: Iterable<Snapshot>): Iterable<string> {
  for (const snapshot of all) yield keyOf(snapshot)
}

function* namesOf(all: Iterable<Content>): Iterable<string> {
  for (const { metadata } of all) yield metadata.name
}
