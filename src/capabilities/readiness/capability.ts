// Nodes held until ready: a taint from registration on, away when what is required is there; rules of node-readiness-controller and Nidhogg's
// file served unchanged.
import { capability } from '#coordination/capability.ts'
import { taintPermission } from '#coordination/effects/taint.ts'
import { clusterNeeds, podNeed } from '#coordination/facts/cluster-view.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import type { Need, Permission } from '#coordination/needs.ts'
import { nodeFilesPort } from '#coordination/ports/node-files.ts'
import { type ReadinessConfig, readinessConfiguration } from './config.ts'
import { startReadiness } from './controller.ts'
import { readinessMetrics } from './metrics.ts'
import { cleanupFinalizer, mirrorConfigAnnotation, ownTaintKeys, releasedAnnotation, timedOutAnnotation } from './names.ts'
import { startReporter } from './reporter/reporter.ts'
import { nodeReadinessRuleKind, nodeReadinessRules, ruleGroup, ruleVersion } from './rules/node-readiness-rule.ts'
import { rulesConfigMap } from './rules/rule-ages.ts'
import { nodeWebhookName, readinessConfigurationName, ruleWebhookName } from './webhooks/admission.ts'
import { startWebhooks } from './webhooks/webhooks.ts'

export { type ConditionReport, reportCondition } from './reporter/condition-reporter.ts'

/** How the pods end that write files to nodes: read where they are asked for. */
const podEnds: Need = {
  ...podNeed,
  fields: [
    ...(podNeed.fields ?? []),
    ...['state.waiting.reason', 'state.terminated.reason', 'state.terminated.exitCode'].map(
      path => `status.containerStatuses.${path}`,
    ),
  ],
}

const rules: Need = { ...nodeReadinessRules, kind: 'NodeReadinessRule', mode: 'full', optional: true }

function needsFor({ configureNodes }: ReadinessConfig): readonly Need[] {
  return [...clusterNeeds, rules, ...(configureNodes ? [podEnds] : [])]
}

const webhookRights: readonly Permission[] = ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'].flatMap(
  (resource): readonly Permission[] => [
    {
      groups: ['admissionregistration.k8s.io'],
      resources: [resource],
      names: [readinessConfigurationName],
      verbs: ['create', 'get', 'patch', 'delete'],
      because: 'asks to be asked while nodes and rules are created',
    },
  ],
)

const always: readonly Permission[] = [
  taintPermission,
  {
    groups: [''],
    resources: ['nodes/status'],
    verbs: ['patch'],
    because: 'says by conditions that an agent vanished, and which rules are over their time',
  },
  ...webhookRights,
  {
    groups: [''],
    resources: ['configmaps'],
    verbs: ['create'],
    scope: 'own-namespace',
    because: 'remembers since when there are rules',
  },
  {
    groups: [''],
    resources: ['configmaps'],
    names: [rulesConfigMap],
    verbs: ['get', 'patch'],
    scope: 'own-namespace',
    because: 'remembers since when there are rules',
  },
  {
    groups: [ruleGroup],
    resources: [nodeReadinessRules.resource],
    verbs: ['patch'],
    because: 'takes the taints of a rule along that is deleted (finalizer)',
  },
  { groups: [ruleGroup], resources: [`${nodeReadinessRules.resource}/status`], verbs: ['patch'], because: 'says how rules go' },
]

function permissionsFor({ configureNodes, nidhogg }: ReadinessConfig): readonly Permission[] {
  return [
    ...always,
    ...(nidhogg === undefined
      ? []
      : [
          {
            groups: [''],
            resources: ['events'],
            verbs: ['create', 'patch'],
            because: 'tells on nodes that taints changed, as Nidhogg does',
          } as const,
        ]),
    ...(configureNodes
      ? [
          {
            groups: [''],
            resources: ['pods'],
            verbs: ['create', 'delete'],
            scope: 'agent-namespace',
            because: "writes the mirror's files to nodes by pods of images that are there",
          } as const,
        ]
      : []),
  ]
}

export const readiness = capability({
  name: 'readiness',
  document: 'readiness.md',
  config: readinessConfiguration,
  kinds: [...ballastKinds, nodeReadinessRuleKind],
  // It elects only where it is told to; Nidhogg elects by a ConfigMap.
  replaces: [{ upstream: 'node-readiness-controller', leases: ['ba65f13e.readiness.node.x-k8s.io'] }],
  disrupts: ['taint'],
  installs: async () => (await import('./deploy/given-back.ts')).givenBack,
  parts: [
    {
      process: 'controller',
      presence: 'leading',
      trust: 'core',
      needs: needsFor,
      permissions: permissionsFor,
      listeners: [],
      offers: [],
      takes: [{ port: nodeFilesPort, without: 'degrade' }],
      start: startReadiness,
    },
    {
      process: 'controller',
      role: 'readiness-webhooks',
      presence: 'always',
      trust: 'core',
      needs: [],
      permissions: [
        {
          ...nodeReadinessRules,
          groups: [ruleGroup],
          resources: [nodeReadinessRules.resource],
          verbs: ['list'],
          because: 'refuses rules that fight over a taint',
        },
      ],
      listeners: [
        {
          kind: 'webhook',
          name: nodeWebhookName,
          mutates: true,
          failurePolicy: 'Ignore',
          configuration: readinessConfigurationName,
          groups: [''],
          versions: ['v1'],
          resources: ['nodes'],
          operations: ['CREATE'],
        },
        {
          kind: 'webhook',
          name: ruleWebhookName,
          mutates: false,
          failurePolicy: 'Ignore',
          configuration: readinessConfigurationName,
          groups: [ruleGroup],
          versions: [ruleVersion],
          resources: [nodeReadinessRules.resource],
          operations: ['CREATE', 'UPDATE'],
        },
      ],
      offers: [],
      takes: [],
      start: startWebhooks,
    },
    {
      process: 'node',
      role: 'readiness',
      presence: 'always',
      trust: 'agent',
      needs: [],
      permissions: [
        { groups: [''], resources: ['nodes'], verbs: ['get'], because: 'reads the labels and conditions of its own node' },
        { groups: [''], resources: ['nodes/status'], verbs: ['patch'], because: 'says by conditions what answers on its node' },
        {
          groups: ['events.k8s.io'],
          resources: ['events'],
          verbs: ['create', 'patch'],
          // Where events of what is in no namespace lie.
          scope: { namespaces: ['default'] },
          because: 'tells on its node of poisoned content, and of what keeps its mirror from being asked',
        },
      ],
      ownNode: {
        setting: 'agent.release',
        removesTaints: ownTaintKeys,
        setsAnnotations: [releasedAnnotation, timedOutAnnotation],
        because: 'lets its own node go where no controller does in time',
      },
      host: { mounts: [], user: 'non-root', linuxCapabilities: [], network: 'pod' },
      listeners: [],
      offers: [],
      takes: [],
      start: startReporter,
    },
  ],
  rightsFollow: {
    settings: [
      { on: 'configureNodes', with: { configureNodes: true } },
      { on: 'nidhogg', with: { nidhogg: { nodeSelector: [], daemonsets: [] } } },
    ],
  },
  leaves: [
    ...ownTaintKeys.map(key => ({ kind: 'taint', key }) as const),
    ...[releasedAnnotation, timedOutAnnotation, mirrorConfigAnnotation].map(
      key => ({ kind: 'annotation', key, on: ['nodes'] }) as const,
    ),
    { kind: 'finalizer', name: cleanupFinalizer, on: ['nodereadinessrules.readiness.node.x-k8s.io'] },
    ...(['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'] as const).map(
      of => ({ kind: 'object', apiVersion: 'admissionregistration.k8s.io/v1', of, name: readinessConfigurationName }) as const,
    ),
    { kind: 'object', apiVersion: 'v1', of: 'ConfigMap', name: rulesConfigMap, namespace: 'own' },
  ],
  metrics: registry => void readinessMetrics(registry),
  commands: [
    {
      name: 'readiness-condition-reporter',
      usage: '[options]',
      about:
        "asks an address on a node and writes a condition of the node, with the environment of node-readiness-controller's reporter. A program called by that name, or `reporter`, runs it too",
      inPlaceOf: {
        programs: ['readiness-condition-reporter', 'reporter'],
        variables: ['NODE_NAME', 'CONDITION_TYPE', 'CHECK_ENDPOINT'],
      },
      load: async () => (await import('./commands/readiness-condition-reporter.ts')).defineReadinessConditionReporter,
    },
  ],
})
