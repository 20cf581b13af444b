// The parameters of a class: which are for the driver, which name Secrets, which are nobody's. Pure.

import { type Outcome, refused, taken } from '../outcome.ts'
import { type SecretKeys, secretReference, type Tokens } from '../secret-references.ts'
import { type Claim, type CsiSource, reservedPrefix, type SecretReference } from '../storage-kinds.ts'

type Parameters = Readonly<Record<string, string>>

const keysOf = (title: string, stem: string, older?: SecretKeys['older']): SecretKeys => ({
  title,
  name: `${reservedPrefix}${stem}secret-name`,
  namespace: `${reservedPrefix}${stem}secret-namespace`,
  ...(older === undefined ? {} : { older }),
})
const olderKeys = (call: string) => ({ name: `csi${call}SecretName`, namespace: `csi${call}SecretNamespace` })

const standardKeys = keysOf('Default', '')
const secretKeys = {
  provisioner: keysOf('Provisioner', 'provisioner-', olderKeys('Provisioner')),
  controllerPublish: keysOf('ControllerPublish', 'controller-publish-', olderKeys('ControllerPublish')),
  nodeStage: keysOf('NodeStage', 'node-stage-', olderKeys('NodeStage')),
  nodePublish: keysOf('NodePublish', 'node-publish-', olderKeys('NodePublish')),
  controllerExpand: keysOf('ControllerExpand', 'controller-expand-'),
  nodeExpand: keysOf('NodeExpand', 'node-expand-'),
  controllerModify: keysOf('ControllerModify', 'controller-modify-'),
} as const

type Call = keyof typeof secretKeys
export type SecretsOfClass = Readonly<Record<Call, SecretReference | undefined>>

const fsTypeKey = `${reservedPrefix}fstype`
const knownKeys: ReadonlySet<string> = new Set([
  fsTypeKey,
  ...[standardKeys, ...Object.values(secretKeys)].flatMap(({ name, namespace }) => [name, namespace]),
])

/** The type of filesystem that a class asks for; '' where it asks for none. */
export function fsTypeOf(parameters: Parameters, standard: string): Outcome<string> {
  const found = Object.entries(parameters).filter(([key]) => key.toLowerCase() === 'fstype' || key === fsTypeKey)
  if (found.length > 1) return refused(`fstype specified in parameters with both "fstype" and "${fsTypeKey}" keys`)
  return taken(found[0]?.[1] || standard)
}

interface VolumeNames {
  readonly claim: Pick<Claim, 'metadata'>
  readonly volumeName: string
}

function tokensOf({ claim: { metadata }, volumeName }: VolumeNames): Tokens {
  const namespace = { 'pv.name': volumeName, 'pvc.namespace': metadata.namespace ?? '' }
  const noted = Object.entries(metadata.annotations ?? {}).map(([key, value]) => [`pvc.annotations['${key}']`, value] as const)
  return { ofNamespace: namespace, ofName: { ...namespace, 'pvc.name': metadata.name, ...Object.fromEntries(noted) } }
}

/** The Secret for making and deleting a volume. */
export function provisionerSecret(parameters: Parameters, names: VolumeNames): Outcome<SecretReference | undefined> {
  return secretReference(secretKeys.provisioner, parameters, tokensOf(names), standardKeys)
}

/** The Secrets for all calls; the sentence of the first that is wrong. */
export function secretsOfClass(parameters: Parameters, names: VolumeNames): Outcome<SecretsOfClass> {
  const tokens = tokensOf(names)
  const found: Partial<Record<Call, SecretReference>> = {}
  for (const [call, keys] of Object.entries(secretKeys) as [Call, SecretKeys][]) {
    const reference = secretReference(keys, parameters, tokens, standardKeys)
    if (!reference.ok) return reference
    if (reference.value !== undefined) found[call] = reference.value
  }
  const { provisioner, controllerPublish, nodeStage, nodePublish, controllerExpand, nodeExpand, controllerModify } = found
  return taken({ provisioner, controllerPublish, nodeStage, nodePublish, controllerExpand, nodeExpand, controllerModify })
}

/** The same as a volume keeps them for later calls. */
export function secretFields(secrets: SecretsOfClass): Partial<CsiSource> {
  const { controllerPublish, nodeStage, nodePublish, controllerExpand, nodeExpand } = secrets
  return {
    ...(controllerPublish === undefined ? {} : { controllerPublishSecretRef: controllerPublish }),
    ...(nodeStage === undefined ? {} : { nodeStageSecretRef: nodeStage }),
    ...(nodePublish === undefined ? {} : { nodePublishSecretRef: nodePublish }),
    ...(controllerExpand === undefined ? {} : { controllerExpandSecretRef: controllerExpand }),
    ...(nodeExpand === undefined ? {} : { nodeExpandSecretRef: nodeExpand }),
  }
}

/** What the driver is told of a class, and with `names` for whom the volume is. */
export function driverParameters(parameters: Parameters, names: VolumeNames | undefined): Outcome<ReadonlyMap<string, string>> {
  const unknown = Object.keys(parameters).find(key => key.startsWith(reservedPrefix) && !knownKeys.has(key))
  if (unknown !== undefined)
    return refused(
      `failed to strip CSI Parameters of prefixed keys: found unknown parameter key "${unknown}" with reserved namespace ${reservedPrefix}`,
    )
  const own = Object.entries(parameters).filter(([key]) => !key.startsWith(reservedPrefix))
  if (names === undefined) return taken(new Map(own))
  return taken(new Map([...own, ...namesOfVolume(names)]))
}

/** For whom a volume is, as drivers are told. */
export function namesOfVolume({ claim, volumeName }: VolumeNames): readonly (readonly [key: string, value: string])[] {
  const { name, namespace = '' } = claim.metadata
  return [
    [`${reservedPrefix}pvc/name`, name],
    [`${reservedPrefix}pvc/namespace`, namespace],
    [`${reservedPrefix}pv/name`, volumeName],
  ]
}
