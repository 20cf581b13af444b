// What objects of Intel's kinds say: the schemas that API servers check, as upstream's own definitions have them, and that objects are read by.

import * as z from 'zod'
import type { ServedKind } from '#coordination/capability.ts'
import type { KubeObject, ObjectReference } from '#kube/objects/objects.ts'
import { crd } from '#kube/schema/crd.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { type DeviceName, deviceNames, kindOf, pluginGroup, pluginsOf, pluginVersion } from './plugin-kinds.ts'

/** As it stands in the object, and goes on to pods. */
export type PluginToleration = Readonly<Record<string, string | number | undefined>>

/** What an object of any of these kinds may say. */
export interface PluginSpec {
  readonly image?: string | undefined
  readonly initImage?: string | undefined
  readonly nodeSelector?: Readonly<Record<string, string>> | undefined
  readonly tolerations?: readonly PluginToleration[] | undefined
  readonly logLevel?: number | undefined
  readonly sharedDevNum?: number | undefined
  readonly preferredAllocationPolicy?: string | undefined
  readonly enableMonitoring?: boolean | undefined
  readonly monitoringMode?: string | undefined
  readonly allowIDs?: string | undefined
  readonly denyIDs?: string | undefined
  readonly bypathMode?: string | undefined
  readonly enclaveLimit?: number | undefined
  readonly provisionLimit?: number | undefined
  readonly dcapInfraResources?: boolean | undefined
  readonly dpdkDriver?: string | undefined
  readonly kernelVfDrivers?: readonly string[] | undefined
  readonly maxNumDevices?: number | undefined
  readonly provisioningConfig?: string | undefined
  readonly driver?: string | undefined
  readonly mode?: string | undefined
}

export interface PluginStatus {
  readonly controlledDaemonSet?: Partial<ObjectReference>
  readonly nodeNames?: readonly string[]
  readonly desiredNumberScheduled: number
  readonly numberReady: number
}

const toleration = z.object({
  key: z.string().optional(),
  operator: z.string().optional(),
  value: z.string().optional(),
  effect: z.string().optional(),
  tolerationSeconds: z.int().optional(),
})

const count = z.int().min(1).optional()
const text = z.string().optional()

const common = {
  image: text.describe("the plugin's image"),
  nodeSelector: z.record(z.string(), z.string()).optional().describe('nodes that get the plugin'),
  tolerations: z.array(toleration).optional(),
  logLevel: z.int().min(0).optional(),
}
const withInit = { ...common, initImage: text.describe('image of a container that prepares the node first') }
const shared = { sharedDevNum: count.describe('how many containers share a device') }
const provisioned = { provisioningConfig: text.describe('ConfigMap for the container that prepares the node') }

const virtualFunctionDrivers = ['dh895xccvf', 'c6xxvf', 'c3xxxvf', 'd15xxvf', '4xxxvf', '420xxvf', 'c4xxxvf', '6xxxvf'] as const

const specs = {
  gpu: z.object({
    ...withInit,
    ...shared,
    preferredAllocationPolicy: z.enum(['balanced', 'packed', 'none']).optional().describe('takes a sharedDevNum above 1'),
    enableMonitoring: z.boolean().optional(),
    monitoringMode: z.enum(['split', 'single']).optional(),
    allowIDs: text.describe('ids of PCI devices, 0x56a0,0x56a1: only these are offered'),
    denyIDs: text.describe('ids of PCI devices: these are not offered'),
    bypathMode: z.enum(['none', 'single', 'all']).optional(),
  }),
  npu: z.object({ ...common, ...shared }),
  sgx: z.object({ ...withInit, enclaveLimit: count, provisionLimit: count, dcapInfraResources: z.boolean().optional() }),
  qat: z.object({
    ...withInit,
    ...provisioned,
    dpdkDriver: z.enum(['igb_uio', 'vfio-pci']).optional(),
    kernelVfDrivers: z.array(z.enum(virtualFunctionDrivers)).optional(),
    maxNumDevices: count,
    preferredAllocationPolicy: z.enum(['balanced', 'packed']).optional(),
  }),
  dsa: z.object({ ...withInit, ...provisioned, ...shared, driver: z.enum(['idxd', 'vfio-pci']).default('idxd') }),
  iaa: z.object({ ...withInit, ...provisioned, ...shared }),
  dlb: z.object({ ...withInit }),
  fpga: z.object({ ...withInit, mode: z.enum(['af', 'region', 'regiondevel']).optional() }),
} as const satisfies Readonly<Record<DeviceName, z.ZodType<PluginSpec>>>

const status = z.object({
  controlledDaemonSet: z
    .object({
      apiVersion: text,
      fieldPath: text,
      kind: text,
      name: text,
      namespace: text,
      resourceVersion: text,
      uid: text,
    })
    .meta({ mapType: 'atomic' })
    .optional(),
  nodeNames: z.array(z.string()).optional().describe('nodes with a pod of the plugin'),
  desiredNumberScheduled: z.int32().describe('nodes that are to have one'),
  numberReady: z.int32().describe('nodes whose pod is ready'),
})

/** What `object` asks for, or everything that is wrong with it: a server without our definition may hold anything. */
export function specOf(device: DeviceName, object: KubeObject): ReturnType<typeof checkAgainst<z.ZodType<PluginSpec>>> {
  const schema: z.ZodType<PluginSpec> = specs[device]
  return checkAgainst(schema, object['spec'] ?? {}, `${kindOf(device)} ${object.metadata.name}: spec`)
}

/** The status as it was written; absent where it is none. */
export function statusOf(object: KubeObject): PluginStatus | undefined {
  const read = status.safeParse(object['status'])
  if (!read.success) return undefined
  const { controlledDaemonSet, nodeNames, desiredNumberScheduled, numberReady } = read.data
  return {
    desiredNumberScheduled,
    numberReady,
    ...(nodeNames === undefined ? {} : { nodeNames }),
    ...(controlledDaemonSet === undefined ? {} : { controlledDaemonSet: defined(controlledDaemonSet) }),
  }
}

function defined(values: Readonly<Record<string, string | undefined>>): Partial<ObjectReference> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

function definitionOf(device: DeviceName) {
  const definition = crd({
    group: pluginGroup,
    kind: kindOf(device),
    scope: 'Cluster',
    isBounded: false,
    versions: [
      {
        name: pluginVersion,
        spec: specs[device],
        status,
        readyColumn: false,
        printerColumns: [
          { name: 'Desired', type: 'integer', jsonPath: '.status.desiredNumberScheduled' },
          { name: 'Ready', type: 'integer', jsonPath: '.status.numberReady' },
          { name: 'Node Selector', type: 'string', jsonPath: '.spec.nodeSelector' },
        ],
      },
    ],
  })
  // Upstream takes an object without a spec: the webhook gives it an image.
  const versions = definition.spec.versions.map(version => {
    const { required: _, ...schema } = version.schema.openAPIV3Schema
    return { ...version, schema: { openAPIV3Schema: schema } }
  })
  return { ...definition, spec: { ...definition.spec, versions } }
}

/** Adopted where upstream's definitions are there already; never deleted. */
export const pluginKinds: readonly ServedKind[] = deviceNames.map(
  (device): ServedKind => ({
    group: pluginGroup,
    version: pluginVersion,
    kind: kindOf(device),
    plural: pluginsOf(device).resource,
    scope: 'Cluster',
    owner: 'upstream',
    definition: definitionOf(device),
  }),
)
