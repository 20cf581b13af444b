// The attacher as a job: external-attacher's part beside a driver.

import { OutsideError } from '#kube/outside-error.ts'
import { controllerCapabilities } from '../../csi/messages.ts'
import { type DriverContext, type DriverJob, KeyedWork, together } from '../job.ts'
import { driverLeaseName } from '../lease-names.ts'
import { isBeingDeleted, type StoredVolume, volumes } from '../storage-kinds.ts'
import { Attacher } from './attacher.ts'
import { type Attachment, attachments, decideAttachment, isNews } from './attachment-decision.ts'
import type { AttachJobSettings } from './settings.ts'

export function attachJob(settings: AttachJobSettings): DriverJob {
  return {
    name: 'attach',
    needs: [
      { ...attachments, mode: 'full' },
      {
        ...volumes,
        mode: 'projection',
        fields: ['spec.csi', 'spec.accessModes', 'spec.mountOptions', 'spec.volumeMode', 'metadata.finalizers'],
      },
    ],
    leaseName: driver => driverLeaseName('external-attacher-leader-', driver),
    run: (context, signal) => run(context, settings, signal),
  }
}

async function run(context: DriverContext, settings: AttachJobSettings, signal: AbortSignal): Promise<void> {
  const { informers, driver, clock, log } = context
  if (!driver.can.has(controllerCapabilities.PUBLISH_UNPUBLISH_VOLUME))
    throw new OutsideError(`CSI driver ${driver.name} attaches no volumes (PUBLISH_UNPUBLISH_VOLUME)`)
  const stores = { attachments: informers.of<Attachment>(attachments), volumes: informers.of<StoredVolume>(volumes) }
  await informers.allSynced(signal)
  const attacher = new Attacher(context, settings, stores)
  const keyed = { ...settings, clock, log }
  const ofAttachments = new KeyedWork<string>({
    ...keyed,
    name: 'attachments',
    work: (name, until) => attacher.work(name, until),
  })
  const ofVolumes = new KeyedWork<string>({
    ...keyed,
    name: 'attached volumes',
    work: (name, until) => attacher.release(name, until),
  })
  using stack = new DisposableStack()
  stack.defer(
    stores.attachments.onChange(({ type, object, previous }) => {
      const { name } = object.metadata
      const volume = object.spec.source.persistentVolumeName
      if (type !== 'DELETED') {
        // What is told of a failure is no reason to try at once.
        if (isNews(previous, object, driver.name)) ofAttachments.add(name)
      } else {
        ofAttachments.forget(name)
        if (volume !== undefined) ofVolumes.add(volume)
      }
    }),
  )
  stack.defer(
    stores.volumes.onChange(({ type, object }) => {
      if (type === 'DELETED') ofVolumes.forget(object.metadata.name)
      else if (isBeingDeleted(object)) ofVolumes.add(object.metadata.name)
    }),
  )
  const waiting = function* () {
    for (const one of stores.attachments.store.list()) if (decideAttachment(one, driver.name) !== 'leave') yield one.metadata.name
  }
  await together(
    signal,
    until => ofAttachments.run(until),
    until => ofVolumes.run(until),
    until => ofAttachments.resync(settings.resyncMs, waiting, until),
  )
}
