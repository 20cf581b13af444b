// The classes by which claims ask for devices, where the driver is on: one a driver, and where pods may ask by extended resources one for each of those.

import type { CapabilityObjects } from '#deployment/capability-objects.ts'
import { metadataOf } from '#deployment/objects/object-shapes.ts'
import { all, type Condition, type ObjectTree, when } from '#deployment/tree.ts'
import { amdDomain, draDrivers, intelGpuDomain, intelNpuResource } from '../names.ts'

const enabled: Condition = all({ on: 'capabilities.devices.enabled' }, { on: 'capabilities.devices.dra.enabled' })
const bridged: Condition = { on: 'capabilities.devices.dra.extendedResources' }

const { intelGpu, intelNpu, amdGpu } = draDrivers
const ofDriver = (driver: string) => `device.driver == '${driver}'`
/** A class has one extended resource, and Intel's GPUs have one for each driver of the kernel. */
const byKernelDriver = ['i915', 'xe'].map(driver => ({
  name: `${driver}.${intelGpu.name}`,
  expression: `${ofDriver(intelGpu.name)} && device.attributes['${intelGpu.name}'].driver == '${driver}'`,
  resource: `${intelGpuDomain}/${driver}`,
}))

export const deviceClasses: CapabilityObjects = {
  objects: () => [
    deviceClass({ name: intelGpu.name, expression: ofDriver(intelGpu.name) }),
    deviceClass({ name: intelNpu.name, expression: ofDriver(intelNpu.name), resource: intelNpuResource }),
    deviceClass({ name: amdGpu.name, expression: ofDriver(amdGpu.name), resource: `${amdDomain}/gpu` }),
    ...byKernelDriver.map(one => ({ ...deviceClass(one), when: all(enabled, bridged) })),
  ],
}

function deviceClass({
  name,
  expression,
  resource,
}: {
  readonly name: string
  readonly expression: string
  readonly resource?: string
}): ObjectTree {
  return {
    file: 'agents/device-classes.yaml',
    when: enabled,
    tree: {
      apiVersion: 'resource.k8s.io/v1',
      kind: 'DeviceClass',
      metadata: metadataOf({ name, namespace: undefined, component: 'agent' }),
      spec: {
        selectors: [{ cel: { expression } }],
        ...(resource === undefined ? {} : { extendedResourceName: when(bridged, resource) }),
      },
    },
  }
}
