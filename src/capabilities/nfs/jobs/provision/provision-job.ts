// The provisioner as a job: external-provisioner's part beside a driver.

import { OutsideError } from '#kube/outside-error.ts'
import { controllerCapabilities, pluginServices } from '../../csi/messages.ts'
import { type DriverContext, type DriverJob, KeyedWork, together } from '../job.ts'
import { driverLeaseName } from '../lease-names.ts'
import { type Claim, claims, classes, keyOf, type StoredVolume, type VolumeClass, volumes } from '../storage-kinds.ts'
import { Provisioner } from './provisioner.ts'
import { Reclaimer } from './reclaimer.ts'
import type { ProvisionSettings } from './settings.ts'
import { isHeldSource, releaseSource, sweepSnapshots } from './source-protection.ts'
import { isNews } from './volume-decision.ts'

/** All objects are looked at again so often, as upstream does it, in milliseconds. */
const resyncMs = 900_000

export function provisionJob(settings: ProvisionSettings): DriverJob {
  return {
    name: 'provision',
    needs: [
      { ...claims, mode: 'projection', fields: ['metadata.annotations', 'metadata.finalizers', 'spec', 'status.phase'] },
      {
        ...volumes,
        mode: 'projection',
        fields: [
          'metadata.annotations',
          'metadata.finalizers',
          'spec.csi',
          'spec.claimRef',
          'spec.persistentVolumeReclaimPolicy',
          'spec.storageClassName',
          'spec.volumeMode',
          'status.phase',
        ],
      },
      { ...classes, mode: 'full' },
    ],
    leaseName: driver => driverLeaseName('', driver),
    run: (context, signal) => run(context, settings, signal),
  }
}

async function run(context: DriverContext, settings: ProvisionSettings, signal: AbortSignal): Promise<void> {
  const { informers, driver, clock, log } = context
  if (driver.services.has(pluginServices.VOLUME_ACCESSIBILITY_CONSTRAINTS))
    throw new OutsideError(
      `the driver ${driver.name} wants to be told where in the cluster its volumes are to be reached (VOLUME_ACCESSIBILITY_CONSTRAINTS), which this provisioner does not do: run external-provisioner for it`,
    )
  const stores = {
    claims: informers.of<Claim>(claims),
    volumes: informers.of<StoredVolume>(volumes),
    classes: informers.of<VolumeClass>(classes),
  }
  await informers.allSynced(signal)
  const provisioner = new Provisioner(context, settings, stores)
  const reclaimer = new Reclaimer(context, settings, stores)
  const keyed = { ...settings, clock, log }
  const ofClaims = new KeyedWork<string>({ ...keyed, name: 'claims', work: (uid, until) => provisioner.work(uid, until) })
  const ofVolumes = new KeyedWork<string>({ ...keyed, name: 'volumes', work: (name, until) => reclaimer.work(name, until) })
  const ofSources = new KeyedWork<string>({
    ...keyed,
    name: 'cloned claims',
    atOnce: settings.protectionAtOnce,
    work: (key, until) => releaseSource(key, stores.claims, context, until),
  })
  const protects = driver.can.has(controllerCapabilities.CLONE_VOLUME)
  using stack = new DisposableStack()
  const unsubscribed = [
    stores.claims.onChange(({ type, object }) => {
      const { uid } = object.metadata
      // A claim that is gone may still have something under way.
      if (uid !== undefined) ofClaims.add(uid)
      if (protects && type !== 'DELETED' && isHeldSource(object)) ofSources.add(keyOf(object))
      if (type === 'DELETED') ofSources.forget(keyOf(object))
    }),
    stores.volumes.onChange(({ type, object, previous }) => {
      if (type === 'DELETED') ofVolumes.forget(object.metadata.name)
      else if (isNews(previous, object, driver.name)) ofVolumes.add(object.metadata.name)
      provisioner.seen(object)
    }),
  ]
  // Claims may wait for their class, or for another one of its name.
  const offClasses = stores.classes.onChange(({ initial }) => {
    if (initial) return
    for (const { metadata, spec } of stores.claims.store.list())
      if ((spec.volumeName ?? '') === '' && metadata.uid !== undefined) ofClaims.add(metadata.uid)
  })
  for (const unsubscribe of [...unsubscribed, offClasses]) stack.defer(unsubscribe)
  const sweeps = settings.sweepMs > 0 && driver.can.has(controllerCapabilities.CREATE_DELETE_SNAPSHOT)
  await together(
    signal,
    until => ofClaims.run(until),
    until => ofVolumes.run(until),
    until => ofSources.run(until),
    until => ofClaims.resync(resyncMs, () => uidsOf(stores.claims.store.list()), until),
    until => ofVolumes.resync(resyncMs, () => namesOf(stores.volumes.store.list()), until),
    ...(sweeps
      ? [(until: AbortSignal) => sweepSnapshots(context, { everyMs: settings.sweepMs, informer: stores.claims }, until)]
      : []),
  )
}

function* uidsOf(all: Iterable<Claim>): Iterable<string> {
  for (const { metadata } of all) if (metadata.uid !== undefined) yield metadata.uid
}

function* namesOf(all: Iterable<StoredVolume>): Iterable<string> {
  for (const { metadata } of all) yield metadata.name
}
