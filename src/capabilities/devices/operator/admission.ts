// What is asked about objects while they are written: one without an image gets the standard one; images of other names and old versions, and
// settings that exclude each other, are refused, as by upstream's operator. Pure.

import type { WebhookEndpoint } from '#coordination/capability.ts'
import type { JsonPatchOperation } from '#kube/objects/json-patch.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { AdmissionRequest, MutatingAnswer } from '#kube/server/admission.ts'
import { fpgaWebhook, fpgaWebhookLabel, fpgaWebhookName } from './fpga-pods.ts'
import { isRecent, partsOf } from './plugin-images.ts'
import {
  type DeviceName,
  deviceNames,
  deviceOf,
  leastVersion,
  pluginGroup,
  pluginName,
  pluginsOf,
  pluginVersion,
} from './plugin-kinds.ts'
import { type PluginSpec, specOf } from './plugin-schema.ts'
import { podWebhook, podWebhookLabel, podWebhookName } from './sgx-pods.ts'

type Asked = Pick<AdmissionRequest, 'operation' | 'object' | 'subResource' | 'resource'>

type Judgement = { readonly kind: 'allowed' } | { readonly kind: 'denied'; readonly message: string }

/** Which device the request is about, where it is one that is asked about. */
function askedOf({
  operation,
  object,
  subResource,
  resource,
}: Asked): { readonly device: DeviceName; readonly object: KubeObject } | undefined {
  const device = resource.group === pluginGroup ? deviceOf(resource.resource) : undefined
  const isWritten = operation === 'CREATE' || operation === 'UPDATE'
  return device === undefined || object === undefined || !isWritten || (subResource ?? '') !== '' ? undefined : { device, object }
}

/** `intel/intel-gpu-plugin:0.36.0` */
function standardImage(device: DeviceName): string {
  return `intel/${pluginName(device)}:${leastVersion}`
}

/** Gives an object that names no image the standard one. */
export function answerDefaults(request: Asked): MutatingAnswer {
  const asked = askedOf(request)
  if (asked === undefined) return { kind: 'allowed' }
  const { device, object } = asked
  const spec = object['spec']
  const image = standardImage(device)
  const add = (path: string, value: unknown): MutatingAnswer => ({
    kind: 'patched',
    patch: [{ op: 'add', path, value } satisfies JsonPatchOperation],
  })
  if (spec === undefined || spec === null) return add('/spec', { image })
  if (typeof spec !== 'object') return { kind: 'allowed' }
  const given = Reflect.get(spec, 'image')
  return given === undefined || given === null || given === '' ? add('/spec/image', image) : { kind: 'allowed' }
}

/** Says what is wrong with an object; what the schema refuses is refused there. */
export function answerPlugin(request: Asked): Judgement {
  const asked = askedOf(request)
  if (asked === undefined) return { kind: 'allowed' }
  const { metadata } = asked.object
  // One that is being deleted is let go, whatever it says.
  if (metadata.deletionTimestamp !== undefined && metadata.deletionTimestamp !== null) return { kind: 'allowed' }
  const read = specOf(asked.device, asked.object)
  if (!read.ok) return { kind: 'allowed' }
  const faults = faultsOf(asked.device, read.value)
  return faults.length === 0 ? { kind: 'allowed' } : { kind: 'denied', message: faults.join('; ') }
}

/** Names that images which prepare a node may have. Of two upstream publishes another than it asks for: both are taken. */
const initNames: Readonly<Record<DeviceName, readonly string[]>> = {
  gpu: [],
  npu: [],
  sgx: ['intel-sgx-initcontainer'],
  qat: ['intel-qat-initcontainer'],
  dsa: ['intel-idxd-config-initcontainer'],
  iaa: ['intel-idxd-config-initcontainer'],
  dlb: ['intel-dlb-initcontainer', 'intel-dlb-initimage'],
  fpga: ['intel-fpga-initcontainer', 'intel-fpga-initimage'],
}

function faultsOf(device: DeviceName, spec: PluginSpec): readonly string[] {
  const { image = '', initImage = '' } = spec
  const names = initNames[device]
  const isInitAsked = names.length > 0 && (initImage !== '' || device === 'fpga')
  return [
    ...further[device](spec),
    ...imageFaults('spec.image', image, [pluginName(device)]),
    ...(isInitAsked ? imageFaults('spec.initImage', initImage, names) : []),
  ]
}

const digestPattern = /^sha256:[0-9a-f]{64}$/

function imageFaults(where: string, image: string, names: readonly string[]): readonly string[] {
  const found = `${where}: found ${JSON.stringify(image)}`
  const { name, tag, digest } = partsOf(image)
  const example = `intel/${names[0]}:${leastVersion}`
  if (!names.includes(name)) return [`${found}, expected an image called ${names.join(' or ')}, such as ${example}`]
  if (tag === undefined && digest !== undefined && digestPattern.test(digest)) return []
  if (digest !== undefined) return [`${found}, expected a tag, or a digest alone: ${name}@sha256: and 64 hexadecimal digits`]
  const isFine = tag === undefined ? undefined : isRecent(tag)
  if (isFine === undefined) return [`${found}, expected a tag that is a version, such as ${example}, or a digest`]
  return isFine ? [] : [`${found}, expected version ${leastVersion} or a later one`]
}

const idPattern = /^0x[0-9a-f]{4}$/

function idFaults(where: string, list = ''): readonly string[] {
  const wrong = list === '' ? [] : list.split(',').filter(id => !idPattern.test(id))
  return wrong.map(
    id =>
      `${where}: found ${JSON.stringify(id)}, expected four lower-case hexadecimal digits without blanks, such as 0x56a0,0x7d51`,
  )
}

function gpuFaults({ sharedDevNum = 1, preferredAllocationPolicy: policy, allowIDs, denyIDs }: PluginSpec): readonly string[] {
  const isShared = sharedDevNum > 1
  const hasBoth = (allowIDs ?? '') !== '' && (denyIDs ?? '') !== ''
  return [
    ...(!isShared && (policy === 'packed' || policy === 'balanced')
      ? [`spec.preferredAllocationPolicy: found "${policy}" with sharedDevNum ${sharedDevNum}, expected a sharedDevNum above 1`]
      : []),
    ...idFaults('spec.allowIDs', allowIDs),
    ...idFaults('spec.denyIDs', denyIDs),
    ...(hasBoth ? ['spec.denyIDs: found together with allowIDs, expected one of both'] : []),
  ]
}

function configFaults({ provisioningConfig = '', initImage = '' }: PluginSpec): readonly string[] {
  return provisioningConfig !== '' && initImage === ''
    ? ['spec.provisioningConfig: found without initImage, expected the image that reads it']
    : []
}

function qatFaults(spec: PluginSpec): readonly string[] {
  const { provisioningConfig = '', kernelVfDrivers = [] } = spec
  const isServed = kernelVfDrivers.some(driver => driver === '4xxxvf' || driver === '420xxvf')
  return [
    ...configFaults(spec),
    ...(provisioningConfig !== '' && !isServed
      ? ['spec.provisioningConfig: found for drivers that have none, expected 4xxxvf or 420xxvf among kernelVfDrivers']
      : []),
  ]
}

const none = () => []
const further: Readonly<Record<DeviceName, (spec: PluginSpec) => readonly string[]>> = {
  gpu: gpuFaults,
  npu: none,
  sgx: none,
  qat: qatFaults,
  dsa: configFaults,
  iaa: configFaults,
  dlb: none,
  fpga: none,
}

export const objectWebhookName = 'objects.devices.ballast.dev'
/** Both kinds of configuration have this name. */
export const admissionConfigurationName = 'ballast-devices'
/** The last part of both paths. */
export const webhookLabel = 'objects.devices'
/** How long an API server waits; upstream's says nothing, which is this. */
const timeoutSeconds = 10

/**
 * What makes API servers ask about objects of `devices`, and of pods with enclaves and FPGAs where these are among them. Like upstream's it fails closed
 * for objects: without an answer none is written.
 */
export function admissionConfiguration(
  kind: 'MutatingWebhookConfiguration' | 'ValidatingWebhookConfiguration',
  devices: readonly DeviceName[],
  { clientConfig, annotations }: Pick<WebhookEndpoint, 'clientConfig' | 'annotations'>,
): KubeObject {
  const isMutating = kind === 'MutatingWebhookConfiguration'
  const common = { sideEffects: 'None', timeoutSeconds, admissionReviewVersions: ['v1'] } as const
  const again = isMutating ? { reinvocationPolicy: 'IfNeeded' } : {}
  const objects = {
    ...common,
    ...again,
    name: objectWebhookName,
    failurePolicy: 'Fail',
    clientConfig: clientConfig(`${isMutating ? '/mutate' : '/validate'}/${webhookLabel}`),
    rules: [
      {
        apiGroups: [pluginGroup],
        apiVersions: [pluginVersion],
        operations: ['CREATE', 'UPDATE'],
        resources: deviceNames.filter(device => devices.includes(device)).map(device => pluginsOf(device).resource),
        scope: 'Cluster',
      },
    ],
  }
  const ofPods = (webhook: typeof podWebhook | typeof fpgaWebhook, name: string, label: string) => ({
    ...common,
    ...again,
    ...webhook,
    name,
    clientConfig: clientConfig(`/mutate/${label}`),
  })
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind,
    metadata: {
      name: admissionConfigurationName,
      labels: { 'ballast.dev/managed': 'true', 'ballast.dev/capability': 'devices' },
      annotations: { ...annotations?.() },
    },
    webhooks: [
      objects,
      ...(isMutating && devices.includes('sgx') ? [ofPods(podWebhook, podWebhookName, podWebhookLabel)] : []),
      ...(isMutating && devices.includes('fpga') ? [ofPods(fpgaWebhook, fpgaWebhookName, fpgaWebhookLabel)] : []),
    ],
  }
}
