// What the driver is asked for one claim, and the volume that is written of its answer. Pure; names are made of the claim's UID, so that the same is asked
// and written however often it is begun anew.

import { canonicalText, wholeQuantity } from '#kube/values/quantity.ts'
import { accessModes, controllerCapabilities, pluginServices, type Volume, type VolumeCapability } from '../../csi/messages.ts'
import type { DriverFacts } from '../driver/driver-link.ts'
import { csiAccessMode, volumeCapability } from '../driver/volume-access.ts'
import { type Outcome, refused, taken } from '../outcome.ts'
import {
  annotations,
  type Claim,
  claimKind,
  classOf,
  type StoredVolume,
  storageBytes,
  type VolumeClass,
  volumeFinalizer,
} from '../storage-kinds.ts'
import { fsTypeOf, type SecretsOfClass, secretFields } from './class-parameters.ts'
import type { DataSource } from './data-source.ts'
import type { ProvisionSettings } from './settings.ts'

/** The key of a volume's attributes that says who made it. */
const provisionerIdentity = 'storage.kubernetes.io/csiProvisionerIdentity'

/** What is known of a volume before the driver is asked. */
export interface VolumeDraft {
  readonly name: string
  readonly fsType: string
  readonly requestedBytes: bigint
  readonly capabilities: readonly VolumeCapability[]
}

interface Asked {
  readonly claim: Claim
  readonly volumeClass: VolumeClass
  readonly source: DataSource
  readonly driver: DriverFacts
  readonly settings: ProvisionSettings
}

/** The name of a claim's volume: as the driver is told, and of the PersistentVolume. */
export function volumeNameFor({ metadata: { uid = '' } }: Claim, { namePrefix, nameUidLength }: ProvisionSettings): string {
  return `${namePrefix}-${nameUidLength < 0 ? uid : uid.replaceAll('-', '').slice(0, nameUidLength)}`
}

/** The VolumeAttributesClass that a claim's volume is made with; empty: none. */
export const attributesFor = ({ spec }: Claim, { attributes }: ProvisionSettings): string =>
  attributes === 'ignored' ? '' : (spec.volumeAttributesClassName ?? '')

/** Checks a claim against its class and what the driver can, in upstream's order. */
export function draftOf({ claim, volumeClass, source, driver, settings }: Asked): Outcome<VolumeDraft> {
  const lack = lackOf(claim, source, driver, settings)
  if (lack !== undefined) return refused(lack)
  if (claim.spec.selector !== undefined) return refused('claim Selector is not supported')
  const fsType = fsTypeOf(volumeClass.parameters ?? {}, settings.defaultFsType)
  if (!fsType.ok) return fsType
  const isFineGrained = driver.can.has(controllerCapabilities.SINGLE_NODE_MULTI_WRITER)
  const capabilities: VolumeCapability[] = []
  for (const mode of claim.spec.accessModes ?? []) {
    const asked = csiAccessMode([mode], isFineGrained)
    if (!asked.ok) return asked
    const { volumeMode } = claim.spec
    capabilities.push(
      volumeCapability(asked.value, { volumeMode, fsType: fsType.value, mountOptions: volumeClass.mountOptions ?? [] }),
    )
  }
  const name = volumeNameFor(claim, settings)
  return taken({ name, fsType: fsType.value, requestedBytes: storageBytes(claim.spec.resources?.requests), capabilities })
}

function lackOf(
  claim: Claim,
  source: DataSource,
  { services, can }: DriverFacts,
  settings: ProvisionSettings,
): string | undefined {
  const dynamic = 'CSI driver does not support dynamic provisioning:'
  if (!services.has(pluginServices.CONTROLLER_SERVICE)) return `${dynamic} plugin CONTROLLER_SERVICE capability is not reported`
  if (!can.has(controllerCapabilities.CREATE_DELETE_VOLUME))
    return `${dynamic} controller CREATE_DELETE_VOLUME capability is not reported`
  if (source.kind === 'snapshot' && !can.has(controllerCapabilities.CREATE_DELETE_SNAPSHOT))
    return 'CSI driver does not support snapshot restore: controller CREATE_DELETE_SNAPSHOT capability is not reported'
  if (source.kind === 'claim' && !can.has(controllerCapabilities.CLONE_VOLUME))
    return 'CSI driver does not support clone operations: controller CLONE_VOLUME capability is not reported'
  if (attributesFor(claim, settings) === '') return undefined
  return can.has(controllerCapabilities.MODIFY_VOLUME) && settings.attributes === 'applied'
    ? undefined
    : 'CSI driver does not support VolumeAttributesClass: controller MODIFY_VOLUME capability is not reported'
}

/** What is wrong with the volume that the driver made; it is deleted then. Undefined: it is as it was asked for. */
export function flawOf(
  volume: Volume,
  { claim, draft }: { readonly claim: Claim; readonly draft: VolumeDraft },
): string | undefined {
  const { capacityBytes, contentSource } = volume
  if (capacityBytes !== 0n && capacityBytes < draft.requestedBytes)
    return `created volume capacity ${capacityBytes} less than requested capacity ${draft.requestedBytes}`
  return claim.spec.dataSource !== undefined && contentSource === undefined ? 'volume content source missing' : undefined
}

interface Made {
  readonly claim: Claim
  readonly volumeClass: VolumeClass
  readonly draft: VolumeDraft
  readonly secrets: SecretsOfClass
  readonly volume: Volume
  readonly driver: string
  /** Which process made it. */
  readonly identity: string
  readonly settings: ProvisionSettings
}

/** The PersistentVolume of what the driver made, reserved for the claim. */
export function volumeObject({ claim, volumeClass, draft, secrets, volume, driver, identity, settings }: Made): StoredVolume {
  const { provisioner, controllerModify } = secrets
  const { reclaimPolicy, mountOptions = [] } = volumeClass
  const { volumeMode, accessModes: modes = [] } = claim.spec
  const attributes = attributesFor(claim, settings)
  const [onlyCapability, ...others] = draft.capabilities
  const isReadOnly =
    settings.publishesReadOnly && others.length === 0 && onlyCapability?.accessMode?.mode === accessModes.MULTI_NODE_READER_ONLY
  // A driver that does not know how big a volume is answers 0.
  const bytes = volume.capacityBytes === 0n ? draft.requestedBytes : volume.capacityBytes
  const { namespace, name, uid, resourceVersion } = claim.metadata
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      name: draft.name,
      annotations: {
        [annotations.provisionedBy]: volumeClass.provisioner,
        [annotations.deletionSecretName]: provisioner?.name ?? '',
        [annotations.deletionSecretNamespace]: provisioner?.namespace ?? '',
        ...(controllerModify === undefined
          ? {}
          : {
              [annotations.modifySecretName]: controllerModify.name,
              [annotations.modifySecretNamespace]: controllerModify.namespace,
            }),
      },
      // Without a policy it is deleted.
      ...((reclaimPolicy ?? 'Delete') === 'Delete' ? { finalizers: [volumeFinalizer] } : {}),
    },
    spec: {
      accessModes: modes,
      capacity: { storage: canonicalText(wholeQuantity(bytes, 'BinarySI')) },
      claimRef: {
        apiVersion: 'v1',
        kind: claimKind,
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      csi: {
        driver,
        volumeHandle: volume.volumeId,
        volumeAttributes: { [provisionerIdentity]: identity, ...Object.fromEntries(volume.volumeContext) },
        ...(volumeMode === 'Block' || draft.fsType === '' ? {} : { fsType: draft.fsType }),
        ...(isReadOnly ? { readOnly: true } : {}),
        ...secretFields(secrets),
      },
      ...(mountOptions.length === 0 ? {} : { mountOptions }),
      ...(reclaimPolicy === undefined ? {} : { persistentVolumeReclaimPolicy: reclaimPolicy }),
      storageClassName: classOf(claim),
      ...(attributes === '' ? {} : { volumeAttributesClassName: attributes }),
      ...(volumeMode === undefined ? {} : { volumeMode }),
    },
  }
}
