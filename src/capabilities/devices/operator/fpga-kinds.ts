// What objects of Intel's group for FPGAs say: which function a name stands for (AcceleratorFunction), and which region a pod programs by itself
// (FpgaRegion). Schemas are as upstream's own definitions have them.

import * as z from 'zod'
import type { ServedKind } from '#coordination/capability.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { crd } from '#kube/schema/crd.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'

/** The group of both kinds, and the domain of the resources that pods ask for. */
export const fpgaGroup = 'fpga.intel.com'
const fpgaVersion = 'v2'

export const acceleratorFunctions = { group: fpgaGroup, version: fpgaVersion, resource: 'acceleratorfunctions' } as const
export const fpgaRegions = { group: fpgaGroup, version: fpgaVersion, resource: 'fpgaregions' } as const

const interfaceId = z
  .string()
  .regex(/^[0-9a-f]{8,32}$/)
  .describe('which region of an FPGA')

const functionSpec = z.object({
  afuId: z
    .string()
    .regex(/^[0-9a-f]{8,40}$/)
    .describe('which function'),
  interfaceId,
  // It takes more than both words, as upstream's definition does; what it takes besides is refused where a pod asks for it.
  mode: z
    .string()
    .regex(/^af|region$/)
    .describe('af: the node has the function already; region: it is loaded for the pod'),
})
const regionSpec = z.object({ interfaceId })

/** What an AcceleratorFunction says, or everything that is wrong with it: a server without our definition may hold anything. */
export function functionIn(object: KubeObject): ReturnType<typeof checkAgainst<typeof functionSpec>> {
  return checkAgainst(functionSpec, object['spec'] ?? {}, `AcceleratorFunction ${object.metadata.name}: spec`)
}

/** What an FpgaRegion says, or everything that is wrong with it. */
export function regionIn(object: KubeObject): ReturnType<typeof checkAgainst<typeof regionSpec>> {
  return checkAgainst(regionSpec, object['spec'] ?? {}, `FpgaRegion ${object.metadata.name}: spec`)
}

function kindOf(resource: GroupVersionResource, kind: string, shortName: string, spec: z.ZodType): ServedKind {
  const definition = crd({
    group: fpgaGroup,
    kind,
    plural: resource.resource,
    scope: 'Namespaced',
    shortNames: [shortName],
    isBounded: false,
    versions: [{ name: fpgaVersion, spec, readyColumn: false, ageColumn: false }],
  })
  // Upstream's have a status that nobody writes: it is no sub-resource, and shown nowhere.
  const versions = definition.spec.versions.map(({ subresources: _, additionalPrinterColumns: __, schema, ...version }) => {
    const { properties, ...root } = schema.openAPIV3Schema
    return { ...version, schema: { openAPIV3Schema: { ...root, properties: { ...properties, status: { type: 'object' } } } } }
  })
  return {
    group: fpgaGroup,
    version: fpgaVersion,
    kind,
    plural: resource.resource,
    scope: 'Namespaced',
    owner: 'upstream',
    definition: { ...definition, spec: { ...definition.spec, versions } },
  }
}

/** Adopted where upstream's definitions are there already; never deleted. */
export const fpgaKinds: readonly ServedKind[] = [
  kindOf(acceleratorFunctions, 'AcceleratorFunction', 'af', functionSpec),
  kindOf(fpgaRegions, 'FpgaRegion', 'fpga', regionSpec),
]
