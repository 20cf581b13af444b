// The descheduler in planned mode: goals to moves, proven, approved, carried out one by one.
import * as z from 'zod'
import { ballastGroup, ballastVersion } from '#coordination/api.ts'
import { capability } from '#coordination/capability.ts'
import { clusterNeeds } from '#coordination/cluster-view.ts'
import { evictPermission } from '#coordination/effects/evict.ts'
import { gatePermission } from '#coordination/effects/gate.ts'
import { restartPermission } from '#coordination/effects/restart.ts'
import { taintPermission } from '#coordination/effects/taint.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import { arbitrationModes } from '#coordination/policy.ts'
import { lastMoveAnnotation, rebalanceTaint } from './api.ts'
import { startDeschedule } from './controller.ts'
import { webhookConfigurationName, webhookName } from './landing-gate.ts'

export { planNowAnnotation } from './api.ts'
export { planObject, planRecord } from './plan-object.ts'
export { planPolicyOf, readPolicy } from './plan-policy.ts'

const own = (resource: string, kind: string) => ({
  group: ballastGroup,
  version: ballastVersion,
  resource,
  kind,
  mode: 'full' as const,
})

export const deschedule = capability({
  name: 'deschedule',
  config: z.object({
    arbitration: z.enum(arbitrationModes).default('enforce').describe('which rules of the arbiter hold for planned moves'),
  }),
  kinds: ballastKinds,
  replaces: [],
  disrupts: ['evict', 'restart', 'taint'],
  parts: [
    {
      process: 'controller',
      presence: 'leading',
      trust: 'core',
      needs: [
        ...clusterNeeds,
        own('rebalancepolicies', 'RebalancePolicy'),
        own('rebalanceplans', 'RebalancePlan'),
        own('disruptionpermits', 'DisruptionPermit'),
      ],
      permissions: [
        evictPermission,
        restartPermission,
        taintPermission,
        gatePermission,
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
          verbs: ['create'],
          because: 'holds replacements of the running wave',
        },
        {
          groups: ['admissionregistration.k8s.io'],
          resources: ['mutatingwebhookconfigurations'],
          names: [webhookConfigurationName],
          verbs: ['get', 'patch', 'delete'],
          because: 'takes the hold away again',
        },
      ],
      listeners: [
        {
          kind: 'webhook',
          name: webhookName,
          mutates: true,
          failurePolicy: 'Ignore',
          groups: [''],
          versions: ['v1'],
          resources: ['pods'],
          operations: ['CREATE'],
        },
      ],
      offers: [],
      takes: [],
      start: (context, _config, signal) => startDeschedule(context, signal),
    },
  ],
  leaves: [
    { kind: 'taint', key: rebalanceTaint },
    { kind: 'scheduling-gate', name: 'ballast.dev/landing' },
    { kind: 'annotation', key: lastMoveAnnotation, on: ['deployments.apps', 'statefulsets.apps', 'replicasets.apps'] },
    {
      kind: 'object',
      apiVersion: 'admissionregistration.k8s.io/v1',
      of: 'MutatingWebhookConfiguration',
      name: webhookConfigurationName,
    },
  ],
})
