// Pods that ask for functions or regions of FPGAs by name (`fpga.intel.com/<name>`) get the devices that these stand for in their namespace while they
// are created, and the variables that say what is to be loaded, as by upstream's webhook. Pure.

import { jsonPatchBetween } from '#kube/objects/json-patch.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { AdmissionRequest, MutatingAnswer } from '#kube/server/admission.ts'
import { type Amounts, type AskingContainer, askedAmounts, wholeAmount } from './asked-amounts.ts'
import { fpgaGroup } from './fpga-kinds.ts'
import type { FpgaMappings, FpgaProgram } from './fpga-mappings.ts'

const prefix = `${fpgaGroup}/`
/** Functions that are loaded for one container: each is two variables. */
const mostPrograms = 256
/** Variables by which the hook of upstream's plugin is told what to load: only mappings say that. */
const reserved = /^FPGA_(REGION|AFU)/

interface FpgaContainer extends AskingContainer {
  readonly env?: readonly { readonly name: string; readonly [field: string]: unknown }[]
}

interface FpgaPod extends KubeObject {
  readonly spec: { readonly containers: readonly FpgaContainer[] }
}

type Asked = Pick<AdmissionRequest, 'operation' | 'object' | 'subResource'>

/** The pod that is created, where one of its containers asks for FPGAs. */
function askingPod({ operation, object, subResource }: Asked): FpgaPod | undefined {
  if (operation !== 'CREATE' || (subResource ?? '') !== '' || object === undefined || !isPod(object)) return undefined
  const isAsking = ({ resources: { limits = {}, requests = {} } = {} }: FpgaContainer) =>
    [...Object.keys(limits), ...Object.keys(requests)].some(name => name.startsWith(prefix))
  return object.spec.containers.some(isAsking) ? object : undefined
}

/** Whether the answer depends on mappings. */
export function isAboutFpgas(request: Asked): boolean {
  return askingPod(request) !== undefined
}

/** Answers the creation of a pod by the mappings of its namespace. Containers that start before the others are left as they are, as by upstream's. */
export function answerFpgaPod(request: Asked, mappings: FpgaMappings): MutatingAnswer {
  const pod = askingPod(request)
  if (pod === undefined) return { kind: 'allowed' }
  const mapped = pod.spec.containers.map(container => mappedContainer(container, mappings))
  const wrong = mapped.flatMap(one => (one.kind === 'wrong' ? [one.why] : []))
  if (wrong.length > 0) return { kind: 'denied', message: wrong.join('; ') }
  const containers = mapped.flatMap(one => (one.kind === 'container' ? [one.container] : []))
  const patch = jsonPatchBetween(pod, { ...pod, spec: { ...pod.spec, containers } })
  return patch.length === 0 ? { kind: 'allowed' } : { kind: 'patched', patch }
}

function isPod(object: KubeObject): object is FpgaPod {
  const spec = object['spec']
  return typeof spec === 'object' && spec !== null && 'containers' in spec && Array.isArray(spec.containers)
}

type Mapped = { readonly kind: 'container'; readonly container: FpgaContainer } | { readonly kind: 'wrong'; readonly why: string }

function mappedContainer(container: FpgaContainer, { named, devices }: FpgaMappings): Mapped {
  const wrong = (why: string): Mapped => ({ kind: 'wrong', why: `container ${container.name ?? ''}: ${why}` })
  const asked = askedAmounts(container, prefix)
  if (asked.kind === 'wrong') return asked
  const wanted = new Map<string, bigint>()
  const programs: FpgaProgram[] = []
  const replaced: string[] = []
  const kept: (readonly [device: string, amount: bigint])[] = []
  let first: { readonly resource: string; readonly mode: string } | undefined
  for (const [resource, given] of [...asked.amounts].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const amount = wholeAmount(given)
    if (amount === undefined) return wrong(`found ${resource} ${JSON.stringify(given)}, expected a whole number`)
    const mapping = named.get(resource)
    if (mapping === undefined) {
      // What names stand for is taken as it is: an API server may ask a second time.
      if (!devices.has(resource)) return wrong(unknown(resource))
      kept.push([resource, amount])
      continue
    }
    if (mapping.kind === 'unusable') return wrong(`found ${resource}, which cannot be used: ${mapping.why}`)
    const { mode, device, program } = mapping
    first ??= { resource, mode }
    if (first.mode !== mode)
      return wrong(
        `found ${first.resource} (mode ${first.mode}) and ${resource} (mode ${mode}), expected one mode: no node has both`,
      )
    if (program !== undefined) {
      if (BigInt(programs.length) + amount > mostPrograms)
        return wrong(`found ${resource} ${amount}, expected at most ${mostPrograms} functions to be loaded for a container`)
      for (let times = 0n; times < amount; times++) programs.push(program)
    }
    replaced.push(resource)
    wanted.set(device, (wanted.get(device) ?? 0n) + amount)
  }
  if (replaced.length === 0) return { kind: 'container', container }
  for (const [device, amount] of kept) if (wanted.has(device)) wanted.set(device, (wanted.get(device) ?? 0n) + amount)
  return { kind: 'container', container: withDevices(container, replaced, wanted, programs) }
}

const unknown = (resource: string) =>
  `found ${resource}, expected ${prefix} and the name of an AcceleratorFunction or FpgaRegion of the pod's namespace, or a device that one of them stands for`

function withDevices(
  container: FpgaContainer,
  replaced: readonly string[],
  wanted: ReadonlyMap<string, bigint>,
  programs: readonly FpgaProgram[],
): FpgaContainer {
  const { resources = {}, env = [] } = container
  const amounts = (before: Amounts = {}): Amounts => ({
    ...Object.fromEntries(Object.entries(before).filter(([name]) => !replaced.includes(name))),
    ...Object.fromEntries([...wanted].map(([name, amount]) => [name, String(amount)])),
  })
  const devices = {
    ...container,
    resources: { ...resources, limits: amounts(resources.limits), requests: amounts(resources.requests) },
  }
  if (programs.length === 0) return devices
  const variables = programs.flatMap(({ interfaceId, afuId }, at) => [
    { name: `FPGA_REGION_${at + 1}`, value: interfaceId },
    { name: `FPGA_AFU_${at + 1}`, value: afuId },
  ])
  return { ...devices, env: [...env.filter(({ name }) => !reserved.test(name)), ...variables] }
}

export const fpgaWebhookName = 'fpga-pods.devices.ballast.dev'
export const fpgaWebhookLabel = 'fpga-pods.devices'

/** API servers ask about pods with FPGAs alone. */
export const fpgaWebhook = {
  failurePolicy: 'Ignore',
  rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' }],
  matchConditions: [
    {
      name: 'asks-for-fpgas',
      expression: `object.spec.containers.exists(c, has(c.resources) && has(c.resources.limits) && c.resources.limits.exists(name, name.startsWith('${prefix}')))`,
    },
  ],
} as const
