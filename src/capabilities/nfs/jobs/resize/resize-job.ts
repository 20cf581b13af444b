// The resizer as a job: external-resizer's part beside a driver.

import type { Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { controllerCapabilities, nodeCapabilities, pluginServices } from '../../csi/messages.ts'
import { nodeMethods } from '../../csi/methods.ts'
import { type DriverContext, type DriverJob, KeyedWork, together } from '../job.ts'
import { driverLeaseName } from '../lease-names.ts'
import { type Claim, claims, keyOf, type StoredVolume, volumes } from '../storage-kinds.ts'
import { ClaimsInUse } from './claims-in-use.ts'
import { asksForMore, isNews } from './resize-decision.ts'
import { Resizer } from './resizer.ts'
import type { ResizeSettings } from './settings.ts'

export function resizeJob(settings: ResizeSettings): DriverJob {
  return {
    name: 'resize',
    needs: [
      {
        ...claims,
        mode: 'projection',
        fields: [
          'metadata.annotations',
          'spec.volumeName',
          'spec.resources',
          'status.phase',
          'status.capacity',
          'status.conditions',
          'status.allocatedResources',
          'status.allocatedResourceStatuses',
        ],
      },
      {
        ...volumes,
        mode: 'projection',
        fields: ['spec.csi', 'spec.claimRef', 'spec.capacity', 'spec.accessModes', 'spec.mountOptions', 'spec.volumeMode'],
      },
      ...(settings.heedsUse
        ? [
            {
              ...builtIn.pods,
              mode: 'projection' as const,
              fields: ['spec.volumes.persistentVolumeClaim', 'status.phase'],
            },
          ]
        : []),
    ],
    leaseName: driver => driverLeaseName('external-resizer-', driver),
    run: (context, signal) => run(context, settings, signal),
  }
}

async function run(context: DriverContext, settings: ResizeSettings, signal: AbortSignal): Promise<void> {
  const { informers, clock, log } = context
  await assertGrows(context, settings, signal)
  const stores = {
    claims: informers.of<Claim>(claims),
    volumes: informers.of<StoredVolume>(volumes),
    inUse: settings.heedsUse ? new ClaimsInUse(informers.of<Pod>(builtIn.pods)) : undefined,
  }
  await informers.allSynced(signal)
  const resizer = new Resizer(context, settings, stores)
  const work = new KeyedWork<string>({ ...settings, name: 'claims', clock, log, work: (key, until) => resizer.work(key, until) })
  using stack = new DisposableStack()
  stack.defer(
    stores.claims.onChange(({ type, object, previous }) => {
      if (type !== 'DELETED') {
        if (isNews(previous, object) && asksForMore(object)) work.add(keyOf(object))
        return
      }
      work.forget(keyOf(object))
      resizer.forget(keyOf(object))
    }),
  )
  const growing = function* () {
    for (const claim of stores.claims.store.list()) if (asksForMore(claim)) yield keyOf(claim)
  }
  await together(
    signal,
    until => work.run(until),
    until => work.resync(settings.resyncMs, growing, until),
  )
}

/** @throws OutsideError where the driver grows nothing, and no kubelet for it */
async function assertGrows({ driver, link }: DriverContext, { timeoutMs }: ResizeSettings, signal: AbortSignal): Promise<void> {
  if (!driver.services.has(pluginServices.CONTROLLER_SERVICE))
    throw new OutsideError('CSI driver does not support controller service')
  if (driver.can.has(controllerCapabilities.EXPAND_VOLUME)) return
  const { capabilities } = await link.call(nodeMethods.nodeGetCapabilities, {}, { limitMs: timeoutMs, signal })
  if (!capabilities.some(({ rpc }) => rpc?.type === nodeCapabilities.EXPAND_VOLUME))
    throw new OutsideError('CSI driver neither supports controller resize nor node resize')
}
