// What a capability that carries out plans watches and may do: the same for each, whatever its plans are for.
import { ballastGroup, ballastVersion, planKind } from '../api.ts'
import type { Leftover, Listener, PartOf } from '../capability.ts'
import { evictPermission } from '../effects/evict.ts'
import { gatePermission } from '../effects/gate.ts'
import { restartPermission } from '../effects/restart.ts'
import { taintPermission } from '../effects/taint.ts'
import { uncordonPermission } from '../effects/uncordon.ts'
import { clusterNeeds } from '../facts/cluster-view.ts'
import type { Need, Permission } from '../needs.ts'
import { landingWebhook, webhookConfigurationName, webhookName } from './landing/landing-gate.ts'
import { lastMoveAnnotation, rebalanceTaint } from './names.ts'
import { usagePermission } from './usage/usage-meter.ts'

const own = (resource: string, kind: string): Need => ({
  group: ballastGroup,
  version: ballastVersion,
  resource,
  kind,
  mode: 'full',
})

export const planNeeds: readonly Need[] = [
  ...clusterNeeds,
  own('rebalancepolicies', 'RebalancePolicy'),
  own('rebalanceplans', planKind),
  own('disruptionpermits', 'DisruptionPermit'),
]

export const planPermissions: readonly Permission[] = [
  evictPermission,
  restartPermission,
  taintPermission,
  uncordonPermission,
  gatePermission,
  usagePermission,
  {
    groups: ['apps'],
    resources: ['deployments', 'statefulsets', 'replicasets'],
    verbs: ['patch'],
    because: 'notes the last move',
  },
  {
    groups: [ballastGroup],
    resources: ['rebalancepolicies/status', 'rebalanceplans/status'],
    verbs: ['update', 'patch'],
    because: 'says how plans go',
  },
  { groups: [ballastGroup], resources: ['rebalanceplans'], verbs: ['create', 'delete'], because: 'proposes plans' },
  {
    groups: ['admissionregistration.k8s.io'],
    resources: ['mutatingwebhookconfigurations'],
    names: [webhookConfigurationName],
    // It is applied: then the server asks for the right to create this name.
    verbs: ['create', 'get', 'patch', 'delete'],
    because: 'holds replacements of the running wave, and takes the hold away again',
  },
]

const planListeners: readonly Listener[] = [
  {
    kind: 'webhook',
    name: webhookName,
    mutates: true,
    failurePolicy: 'Ignore',
    configuration: webhookConfigurationName,
    groups: [''],
    versions: ['v1'],
    resources: ['pods'],
    operations: ['CREATE'],
  },
]

/** Answers for the gate on every replica: the one that leads may be killed between an eviction and the pod that follows it. */
export function landingPart<Config>(): PartOf<'controller', Config> {
  return {
    process: 'controller',
    role: 'landing',
    presence: 'always',
    trust: 'core',
    needs: [],
    permissions: [],
    listeners: planListeners,
    offers: [],
    takes: [],
    start: async ({ webhooks }) => {
      const served = webhooks?.serve(landingWebhook)
      return {
        health: () => [],
        reconfigure: async () => 'applied',
        [Symbol.asyncDispose]: async () => served?.[Symbol.dispose](),
      }
    },
  }
}

export const planLeftovers: readonly Leftover[] = [
  { kind: 'taint', key: rebalanceTaint },
  { kind: 'scheduling-gate', name: 'ballast.dev/landing' },
  { kind: 'annotation', key: lastMoveAnnotation, on: ['deployments.apps', 'statefulsets.apps', 'replicasets.apps'] },
  {
    kind: 'object',
    apiVersion: 'admissionregistration.k8s.io/v1',
    of: 'MutatingWebhookConfiguration',
    name: webhookConfigurationName,
  },
]
