// Pods that ask for memory of enclaves (`sgx.intel.com/epc`) get what goes with it while they are created: the device, the way to whoever quotes, and
// the sum as an annotation, as by upstream's webhook. Pure.

import { jsonPatchBetween } from '#kube/objects/json-patch.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { AdmissionRequest, MutatingAnswer } from '#kube/server/admission.ts'
import { canonicalText, wholeQuantity } from '#kube/values/quantity.ts'
import { type AskingContainer, askedAmounts, wholeAmount } from './asked-amounts.ts'

const prefix = 'sgx.intel.com'
const memory = `${prefix}/epc`
const enclave = `${prefix}/enclave`
const provision = `${prefix}/provision`
const quoterAnnotation = `${prefix}/quote-provider`
/** The quoter that speaks by a socket. */
const daemon = 'aesmd'
const socketVolume = 'aesmd-socket'
const socketFolder = '/var/run/aesmd'

interface SgxContainer extends AskingContainer {
  readonly env?: readonly object[]
  readonly volumeMounts?: readonly { readonly name?: string; readonly mountPath?: string }[]
}

interface SgxPod extends KubeObject {
  readonly spec: { readonly containers: readonly SgxContainer[]; readonly volumes?: readonly { readonly name?: string }[] }
}

/** Answers the creation of a pod. */
export function answerSgxPod({
  operation,
  object,
  subResource,
}: Pick<AdmissionRequest, 'operation' | 'object' | 'subResource'>): MutatingAnswer {
  if (operation !== 'CREATE' || (subResource ?? '') !== '' || object === undefined || !isPod(object)) return { kind: 'allowed' }
  const asked = object.spec.containers.map(askedMemory)
  const wrong = asked.flatMap(one => (one.kind === 'wrong' ? [one.why] : []))
  if (wrong.length > 0) return { kind: 'denied', message: wrong.join('; ') }
  const bytes = asked.map(one => (one.kind === 'bytes' ? one.bytes : undefined))
  const users = bytes.filter(one => one !== undefined)
  if (users.length === 0) return { kind: 'allowed' }
  const quoter = object.metadata.annotations?.[quoterAnnotation]
  const isByDaemon = quoter === daemon
  const containers = object.spec.containers.map((container, at) =>
    bytes[at] === undefined ? container : withEnclave(container, quoter),
  )
  const hasOwnDaemon = object.spec.containers.some(({ name }, at) => bytes[at] !== undefined && name === daemon)
  const { volumes = [] } = object.spec
  const isThere = volumes.some(({ name }) => name === socketVolume)
  const added = isByDaemon && !isThere ? [socketSource(hasOwnDaemon && users.length > 1)] : []
  const total = users.reduce((sum, one) => sum + one, 0n)
  const { annotations } = object.metadata
  const after = {
    ...object,
    metadata: {
      ...object.metadata,
      ...(total === 0n ? {} : { annotations: { ...annotations, [memory]: canonicalText(wholeQuantity(total, 'BinarySI')) } }),
    },
    spec: { ...object.spec, containers, ...(added.length === 0 ? {} : { volumes: [...volumes, ...added] }) },
  }
  const patch = jsonPatchBetween(object, after)
  return patch.length === 0 ? { kind: 'allowed' } : { kind: 'patched', patch }
}

function isPod(object: KubeObject): object is SgxPod {
  const spec = object['spec']
  return typeof spec === 'object' && spec !== null && 'containers' in spec && Array.isArray(spec.containers)
}

type Asked =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'bytes'; readonly bytes: bigint }
  | { readonly kind: 'wrong'; readonly why: string }

function askedMemory(container: SgxContainer): Asked {
  const asked = askedAmounts(container, prefix)
  if (asked.kind === 'wrong') return asked
  const given = asked.amounts.get(memory)
  if (given === undefined) return { kind: 'nothing' }
  const bytes = wholeAmount(given)
  if (bytes !== undefined) return { kind: 'bytes', bytes }
  return {
    kind: 'wrong',
    why: `container ${container.name ?? ''}: found ${memory} ${JSON.stringify(given)}, expected whole bytes`,
  }
}

function withEnclave(container: SgxContainer, quoter: string | undefined): SgxContainer {
  const devices = { [enclave]: '1', ...(quoter !== undefined && quoter === container.name ? { [provision]: '1' } : {}) }
  const { resources = {}, env = [], volumeMounts = [] } = container
  const asked: SgxContainer = {
    ...container,
    resources: {
      ...resources,
      limits: { ...resources.limits, ...devices },
      requests: { ...resources.requests, ...devices },
    },
  }
  if (quoter !== daemon) return asked
  const isMounted = volumeMounts.some(({ mountPath }) => mountPath === socketFolder)
  return {
    ...asked,
    env: [...env, { name: 'SGX_AESM_ADDR', value: '1' }],
    ...(isMounted ? {} : { volumeMounts: [...volumeMounts, { name: socketVolume, mountPath: socketFolder }] }),
  }
}

/** The daemon is in the pod, and shares memory; else it is the node's. */
function socketSource(isOwn: boolean): { readonly name: string; readonly [source: string]: unknown } {
  return isOwn
    ? { name: socketVolume, emptyDir: { medium: 'Memory' } }
    : { name: socketVolume, hostPath: { path: socketFolder, type: 'DirectoryOrCreate' } }
}

export const podWebhookName = 'pods.devices.ballast.dev'
export const podWebhookLabel = 'pods.devices'

/** API servers ask about pods of enclaves alone. */
export const podWebhook = {
  failurePolicy: 'Ignore',
  rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' }],
  matchConditions: [
    {
      name: 'asks-for-enclaves',
      expression: `object.spec.containers.exists(c, has(c.resources) && has(c.resources.limits) && '${memory}' in c.resources.limits)`,
    },
  ],
} as const
