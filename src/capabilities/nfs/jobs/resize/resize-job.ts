// The resizer as a job: external-resizer's part beside a driver. It grows volumes, and changes their attributes.

import type { Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { controllerCapabilities, nodeCapabilities, pluginServices } from '../../csi/messages.ts'
import { nodeMethods } from '../../csi/methods.ts'
import { again, type DriverContext, type DriverJob, done, KeyedWork, together, type Worked } from '../job.ts'
import { driverLeaseName } from '../lease-names.ts'
import { Modifier } from '../modify/modifier.ts'
import { asksAnew, attributesOf, mayBeModified } from '../modify/modify-decision.ts'
import {
  type AttributesClass,
  attributesClasses,
  type Claim,
  claims,
  keyOf,
  type StoredVolume,
  volumes,
} from '../storage-kinds.ts'
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
          'spec.volumeAttributesClassName',
          'status.phase',
          'status.capacity',
          'status.conditions',
          'status.allocatedResources',
          'status.allocatedResourceStatuses',
          'status.currentVolumeAttributesClassName',
          'status.modifyVolumeStatus',
        ],
      },
      {
        ...volumes,
        mode: 'projection',
        fields: [
          'metadata.annotations',
          'spec.csi',
          'spec.claimRef',
          'spec.capacity',
          'spec.accessModes',
          'spec.mountOptions',
          'spec.volumeMode',
          'spec.volumeAttributesClassName',
        ],
      },
      ...(settings.attributes === 'applied' ? [{ ...attributesClasses, mode: 'full' as const }] : []),
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
  const { informers } = context
  const modifies = settings.attributes === 'applied' && context.driver.can.has(controllerCapabilities.MODIFY_VOLUME)
  const grows = await canGrow(context, settings, signal)
  if (!grows && !modifies) throw new OutsideError('CSI driver neither supports controller resize nor node resize')
  const stores = {
    claims: informers.of<Claim>(claims),
    volumes: informers.of<StoredVolume>(volumes),
    inUse: settings.heedsUse ? new ClaimsInUse(informers.of<Pod>(builtIn.pods)) : undefined,
  }
  // Clusters before 1.34 have no such kind: no claim there names a class.
  const attributes = modifies ? informers.of<AttributesClass>(attributesClasses, { optional: true }) : undefined
  await informers.allSynced(signal)
  await together(
    signal,
    ...(grows ? [(until: AbortSignal) => growing(context, settings, stores, until)] : []),
    ...(attributes === undefined
      ? []
      : [(until: AbortSignal) => modifying(context, settings, { ...stores, classes: attributes }, until)]),
  )
}

type Stores = ConstructorParameters<typeof Resizer>[2]

async function growing(context: DriverContext, settings: ResizeSettings, stores: Stores, signal: AbortSignal): Promise<void> {
  const resizer = new Resizer(context, settings, stores)
  await workOnClaims({ context, settings, name: 'claims', worker: resizer, isNews, isOne: asksForMore, stores }, signal)
}

async function modifying(
  context: DriverContext,
  settings: ResizeSettings,
  stores: ConstructorParameters<typeof Modifier>[2],
  signal: AbortSignal,
): Promise<void> {
  const modifier = new Modifier(context, settings, stores)
  const whenClassesCome = (add: (key: string) => void) =>
    stores.classes.onChange(({ type, object, initial }) => {
      if (initial || type === 'DELETED') return
      for (const claim of stores.claims.store.list())
        if (attributesOf(claim) === object.metadata.name && mayBeModified(claim)) add(keyOf(claim))
    })
  const on = { context, settings, name: 'claims to modify', worker: modifier, isNews: asksAnew, isOne: mayBeModified, stores }
  await workOnClaims({ ...on, also: whenClassesCome }, signal)
}

interface ClaimWork {
  readonly context: DriverContext
  readonly settings: ResizeSettings
  readonly name: string
  readonly worker: Pick<Resizer, 'work' | 'forget'>
  readonly isNews: (before: Claim | undefined, claim: Claim) => boolean
  /** Whether something may have to be done for it. */
  readonly isOne: (claim: Claim) => boolean
  readonly stores: Pick<Stores, 'claims' | 'volumes'>
  /** Adds keys for other reasons than a claim that changed. Returns what ends it. */
  readonly also?: (add: (key: string) => void) => () => void
}

async function workOnClaims(on: ClaimWork, signal: AbortSignal): Promise<void> {
  const { settings, name, worker, isNews: tells, isOne, stores } = on
  const { clock, log } = on.context
  const work = new KeyedWork<string>({ ...settings, name, clock, log, work: (key, until) => workOn(on, key, until) })
  using stack = new DisposableStack()
  stack.defer(
    stores.claims.onChange(({ type, object, previous }) => {
      if (type !== 'DELETED') {
        if (tells(previous, object) && isOne(object)) work.add(keyOf(object))
        return
      }
      work.forget(keyOf(object))
      worker.forget(keyOf(object))
    }),
  )
  if (on.also !== undefined) stack.defer(on.also(key => work.add(key)))
  const open = function* () {
    for (const claim of stores.claims.store.list()) if (isOne(claim)) yield keyOf(claim)
  }
  await together(
    signal,
    until => work.run(until),
    until => work.resync(settings.resyncMs, open, until),
  )
}

/** `key`: `namespace/name` of the claim. */
async function workOn({ worker, isOne, stores }: ClaimWork, key: string, signal: AbortSignal): Promise<Worked> {
  const [namespace = '', name = ''] = key.split('/')
  const claim = stores.claims.store.get(namespace, name)
  if (claim === undefined) {
    worker.forget(key)
    return done
  }
  if (!isOne(claim)) return done
  const volumeName = claim.spec.volumeName ?? ''
  const volume = stores.volumes.store.get(undefined, volumeName)
  if (volume === undefined) return again(`PV "${volumeName}" bound to pvc "${key}" not found`)
  return await worker.work(key, { claim, volume }, signal)
}

/** Whether the driver grows volumes, or kubelets for it. @throws OutsideError where it is no driver for that */
async function canGrow({ driver, link }: DriverContext, { timeoutMs }: ResizeSettings, signal: AbortSignal): Promise<boolean> {
  if (!driver.services.has(pluginServices.CONTROLLER_SERVICE))
    throw new OutsideError('CSI driver does not support controller service')
  if (driver.can.has(controllerCapabilities.EXPAND_VOLUME)) return true
  const { capabilities } = await link.call(nodeMethods.nodeGetCapabilities, {}, { limitMs: timeoutMs, signal })
  return capabilities.some(({ rpc }) => rpc?.type === nodeCapabilities.EXPAND_VOLUME)
}
