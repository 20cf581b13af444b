// What the operator watches and may, where it is on. Where it is off nothing is left but to take away what makes API servers ask.

import type { Need, Permission } from '#coordination/needs.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { DevicesConfig } from '../config.ts'
import { admissionConfigurationName } from './admission.ts'
import { acceleratorFunctions, fpgaRegions } from './fpga-kinds.ts'
import { deviceNames, kindOf, pluginGroup, pluginName, pluginsOf } from './plugin-kinds.ts'

/** Pods of all DaemonSets of plugins, and few others. */
export const pluginPodSelector = `app in (${deviceNames.map(pluginName).join(',')})`

export function operatorNeeds({ operator }: DevicesConfig): readonly Need[] {
  if (!operator.enabled) return []
  return [
    ...operator.devices.map((device): Need => ({ ...pluginsOf(device), kind: kindOf(device), mode: 'full', optional: true })),
    { ...builtIn.daemonsets, kind: 'DaemonSet', mode: 'full' },
    {
      ...builtIn.pods,
      kind: 'Pod',
      mode: 'projection',
      fields: ['metadata.ownerReferences', 'spec.nodeName'],
      labelSelector: pluginPodSelector,
    },
  ]
}

/** Whether pods with FPGAs are answered about. */
export function servesFpgas({ operator }: DevicesConfig): boolean {
  return operator.enabled && operator.devices.includes('fpga')
}

/** What is read to answer about pods. */
export function webhookNeeds(config: DevicesConfig): readonly Need[] {
  if (!servesFpgas(config)) return []
  return [
    { ...acceleratorFunctions, kind: 'AcceleratorFunction', mode: 'full', optional: true },
    { ...fpgaRegions, kind: 'FpgaRegion', mode: 'full', optional: true },
  ]
}

const plurals = deviceNames.map(device => pluginsOf(device).resource)
const group = { groups: [pluginGroup] } as const

const whereOn: readonly Permission[] = [
  { ...group, resources: plurals, verbs: ['patch'], because: 'brings images of objects up to the version that is served' },
  {
    ...group,
    resources: plurals.map(plural => `${plural}/status`),
    verbs: ['patch'],
    because: 'says how the DaemonSet of an object goes',
  },
  {
    ...group,
    resources: plurals.map(plural => `${plural}/finalizers`),
    verbs: ['update'],
    because: 'is asked for where owners hold their deletion (blockOwnerDeletion)',
  },
  {
    groups: ['apps'],
    resources: ['daemonsets'],
    verbs: ['create', 'update'],
    scope: 'agent-namespace',
    because: 'makes the DaemonSet of each object, and changes it with the object',
  },
]

const configurations = (verbs: Permission['verbs'], because: string): readonly Permission[] =>
  ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'].map(resource => ({
    groups: ['admissionregistration.k8s.io'],
    resources: [resource],
    names: [admissionConfigurationName],
    verbs,
    because,
  }))

export function operatorPermissions({ operator }: DevicesConfig): readonly Permission[] {
  return [
    // What fails closed must not stay behind.
    ...configurations(['get', 'delete'], 'takes away what has API servers ask about device plugins'),
    ...(operator.enabled
      ? [...whereOn, ...configurations(['create', 'patch'], 'asks to be asked while objects of device plugins are written')]
      : []),
  ]
}
