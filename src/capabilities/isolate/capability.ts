// Isolation of nodes, of the control plane above all: preflight, tolerations, taint, waves, verification, each gated on the one before.
import * as z from 'zod'
import { capability } from '#coordination/capability.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import { isolatedByAnnotation } from '#coordination/plans/names.ts'
import { landingPart, planLeftovers, planNeeds, planPermissions } from '#coordination/plans/plan-rights.ts'
import { arbitrationModes } from '#coordination/policy/arbiter-policy.ts'
import { startIsolate } from './controller.ts'
import { isolationConfigurationName, tolerationWebhookName } from './toleration-webhook.ts'

export const isolate = capability({
  name: 'isolate',
  document: 'rebalancing.md',
  config: z.object({
    arbitration: z.enum(arbitrationModes).default('enforce').describe('which rules of the arbiter hold for isolation'),
  }),
  kinds: ballastKinds,
  replaces: [],
  disrupts: ['evict', 'restart', 'taint'],
  commands: [
    {
      name: 'isolate',
      usage: '[options] <node>',
      about: 'keeps a node for core workloads, in five stages: it reports, writes files for Git, carries it out or takes it back',
      load: async () => (await import('./commands/isolate.ts')).defineIsolate,
    },
  ],
  scenarioSteps: async () => (await import('./commands/isolate-step.ts')).isolateStep,
  parts: [
    {
      process: 'controller',
      presence: 'leading',
      trust: 'core',
      needs: planNeeds,
      permissions: [
        ...planPermissions,
        {
          groups: ['admissionregistration.k8s.io'],
          resources: ['mutatingwebhookconfigurations'],
          names: [isolationConfigurationName],
          verbs: ['create', 'get', 'patch', 'delete'],
          because: 'gives pods of the core their toleration while they are created',
        },
      ],
      listeners: [
        {
          kind: 'webhook',
          name: tolerationWebhookName,
          mutates: true,
          failurePolicy: 'Ignore',
          configuration: isolationConfigurationName,
          groups: [''],
          versions: ['v1'],
          resources: ['pods'],
          operations: ['CREATE'],
        },
      ],
      offers: [],
      takes: [],
      start: (context, _config, signal) => startIsolate(context, signal),
    },
    landingPart(),
  ],
  questions: [
    {
      name: 'isolate',
      words: 'isolate it',
      place: 4,
      about: 'pod',
      wish: ({ requirements: { ignoreScalers, evictScaled, spareUnmanaged }, places }) => ({
        verb: 'evict',
        purpose: 'isolate',
        class: 'correctness',
        ignoreScalers,
        evictScaled,
        spareUnmanaged,
        ...places({ stays: false }),
      }),
    },
    {
      name: 'taint',
      words: 'taint it',
      place: 6,
      about: 'node',
      wish: () => ({ verb: 'taint', purpose: 'isolate', class: 'correctness' }),
    },
  ],
  // The taint itself is the user's wish: uninstall takes it where the annotation says that we set it.
  leaves: [
    ...planLeftovers,
    { kind: 'annotation', key: isolatedByAnnotation, on: ['nodes'] },
    {
      kind: 'object',
      apiVersion: 'admissionregistration.k8s.io/v1',
      of: 'MutatingWebhookConfiguration',
      name: isolationConfigurationName,
    },
  ],
})
