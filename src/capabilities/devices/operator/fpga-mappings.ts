// What names of FPGA functions and regions stand for in a namespace: the device that upstream's plugin offers on nodes, and what is to be loaded into
// it. Pure.

import type { KubeObject } from '#kube/objects/objects.ts'
import { problemSentence } from '#kube/problem.ts'
import { fpgaGroup, functionIn, regionIn } from './fpga-kinds.ts'

/** How the plugin on a node works: with functions that are there, with regions that are programmed for pods, with regions that pods program. */
type FpgaMode = 'af' | 'region' | 'regiondevel'

/** What is loaded into a region before the container starts. */
export interface FpgaProgram {
  readonly interfaceId: string
  readonly afuId: string
}

type FpgaMapping =
  | { readonly kind: 'device'; readonly mode: FpgaMode; readonly device: string; readonly program?: FpgaProgram }
  | { readonly kind: 'unusable'; readonly why: string }

export interface FpgaMappings {
  /** By what pods ask for: `fpga.intel.com/<name of the object>`. */
  readonly named: ReadonlyMap<string, FpgaMapping>
  /** What names stand for: pods may ask for these as well. */
  readonly devices: ReadonlySet<string>
}

/** What the names of one namespace stand for. An object that cannot be used takes its own name only. */
export function fpgaMappings(functions: Iterable<KubeObject>, regions: Iterable<KubeObject>): FpgaMappings {
  const named = new Map<string, FpgaMapping>()
  const devices = new Set<string>()
  const add = ({ metadata: { name } }: KubeObject, mapping: FpgaMapping) => {
    const resource = resourceOf(name)
    if (mapping.kind === 'device') devices.add(mapping.device)
    const why = `there is an AcceleratorFunction and an FpgaRegion called ${name}: delete or rename one of both`
    named.set(resource, named.has(resource) ? { kind: 'unusable', why } : mapping)
  }
  for (const one of functions) add(one, functionMapping(one))
  for (const one of regions) add(one, regionMapping(one))
  return { named, devices }
}

const resourceOf = (name: string) => `${fpgaGroup}/${name}`
const regionDevice = (interfaceId: string) => resourceOf(`region-${interfaceId}`)

function functionMapping(object: KubeObject): FpgaMapping {
  const read = functionIn(object)
  if (!read.ok) return { kind: 'unusable', why: read.problems.map(problemSentence).join('; ') }
  const { afuId, interfaceId, mode } = read.value
  const where = `AcceleratorFunction ${object.metadata.name}: spec`
  switch (mode) {
    case 'af': {
      const digits = interfaceId.length + afuId.length
      return digits % 2 === 0
        ? { kind: 'device', mode, device: functionDevice({ afuId, interfaceId }) }
        : {
            kind: 'unusable',
            why: `${where}: found ${digits} digits in interfaceId and afuId together, expected an even number in mode af`,
          }
    }
    case 'region':
      return { kind: 'device', mode, device: regionDevice(interfaceId), program: { interfaceId, afuId } }
    default:
      return { kind: 'unusable', why: `${where}.mode: found ${JSON.stringify(mode)}, expected "af" or "region"` }
  }
}

function regionMapping(object: KubeObject): FpgaMapping {
  const read = regionIn(object)
  return read.ok
    ? { kind: 'device', mode: 'regiondevel', device: regionDevice(read.value.interfaceId) }
    : { kind: 'unusable', why: read.problems.map(problemSentence).join('; ') }
}

/** `fpga.intel.com/af-ce4.d84.zkiWk5jwXzOUbVYHCL4QithCTcSko8QT-J5DNoP5BAs`, as upstream's plugin calls it: two beginnings, and both ids by base 64. */
function functionDevice({ interfaceId, afuId }: FpgaProgram): string {
  const both = Buffer.from(interfaceId + afuId, 'hex').toString('base64url')
  return resourceOf(`af-${interfaceId.slice(0, 3)}.${afuId.slice(0, 3)}.${both}`)
}
