// Events to replicas in KEDA's place: ScaledObjects from zero and back, and external.metrics.k8s.io for what is between.
import { capability } from '#coordination/capability.ts'
import type { Need, Permission } from '#coordination/needs.ts'
import { externalMetricsPort } from '#coordination/ports/external-metrics.ts'
import { pullAheadPort } from '#coordination/ports/pull-ahead.ts'
import type { Clock } from '#kube/clock.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { replicaFields } from '#kube/server/replicas/ready-replicas.ts'
import { admissionConfigurationName, judgedResources, limitRanges, objectWebhookName } from './admission/webhook-names.ts'
import { type AutoscaleConfig, autoscaleConfiguration } from './config.ts'
import { servedKinds } from './kinds/served-kinds.ts'
import { autoscaleAlerts, autoscalePanels } from './monitoring.ts'
import {
  cloudEventSources,
  clusterCloudEventSources,
  clusterTriggerAuthentications,
  eventingGroup,
  externalMetrics,
  kedaFinalizer,
  kedaGroup,
  kedaVersion,
  learnedConfigMap,
  scaledJobs,
  scaledObjects,
  triggerAuthentications,
} from './names.ts'

/** Reading files takes the host's time, not the cluster's. */
async function loaded(clock: Clock): Promise<typeof import('./part.ts')> {
  using _held = clock.hold()
  return await import('./part.ts')
}

/** Reading files takes the host's time, not the cluster's. */
async function loadedWebhook(clock: Clock): Promise<typeof import('./admission/webhook.ts')> {
  using _held = clock.hold()
  return await import('./admission/webhook.ts')
}

/** Reading files takes the host's time, not the cluster's. */
async function loadedPulling(clock: Clock): Promise<typeof import('./ahead/pull-part.ts')> {
  using _held = clock.hold()
  return await import('./ahead/pull-part.ts')
}

const workloadFields = ['metadata.annotations', 'spec.replicas', 'spec.selector', 'spec.template']

const needs: readonly Need[] = [
  { ...scaledObjects, kind: 'ScaledObject', mode: 'full', optional: true },
  { ...triggerAuthentications, kind: 'TriggerAuthentication', mode: 'full', optional: true },
  { ...clusterTriggerAuthentications, kind: 'ClusterTriggerAuthentication', mode: 'full', optional: true },
  { ...scaledJobs, kind: 'ScaledJob', mode: 'full', optional: true },
  { ...cloudEventSources, kind: 'CloudEventSource', mode: 'full', optional: true },
  { ...clusterCloudEventSources, kind: 'ClusterCloudEventSource', mode: 'full', optional: true },
  {
    ...builtIn.jobs,
    kind: 'Job',
    mode: 'projection',
    fields: ['metadata.labels', 'metadata.annotations', 'status.conditions', 'status.completionTime'],
  },
  { ...builtIn.horizontalpodautoscalers, kind: 'HorizontalPodAutoscaler', mode: 'full' },
  { ...builtIn.deployments, kind: 'Deployment', mode: 'projection', fields: workloadFields },
  { ...builtIn.statefulsets, kind: 'StatefulSet', mode: 'projection', fields: workloadFields },
  {
    ...builtIn.pods,
    kind: 'Pod',
    mode: 'projection',
    fields: ['metadata.labels', 'metadata.ownerReferences', 'spec.nodeName', 'status.phase', 'status.conditions'],
  },
]

/** The other replicas of this process, one of which leads. */
const replicas: Need = {
  ...builtIn.endpointslices,
  kind: 'EndpointSlice',
  mode: 'projection',
  fields: replicaFields,
  scope: 'own-namespace',
  optional: true,
}

const kedaRights: readonly Permission[] = [
  {
    groups: [kedaGroup],
    resources: [scaledObjects.resource, scaledJobs.resource],
    verbs: ['patch'],
    because: 'holds a ScaledObject or ScaledJob until its end is done (finalizer), and labels it',
  },
  {
    groups: [kedaGroup],
    resources: [`${scaledObjects.resource}/status`, `${scaledJobs.resource}/status`],
    verbs: ['patch'],
    because: 'says how a ScaledObject or ScaledJob goes',
  },
  {
    groups: [kedaGroup],
    resources: [triggerAuthentications.resource, clusterTriggerAuthentications.resource],
    verbs: ['patch'],
    because: "lets an authentication go that KEDA's finalizer holds",
  },
  {
    groups: [kedaGroup],
    resources: [`${triggerAuthentications.resource}/status`, `${clusterTriggerAuthentications.resource}/status`],
    verbs: ['patch'],
    because: 'says who uses an authentication',
  },
  {
    groups: [eventingGroup],
    resources: [cloudEventSources.resource, clusterCloudEventSources.resource],
    verbs: ['patch'],
    because: "lets a CloudEventSource go that KEDA's finalizer holds",
  },
  {
    groups: [eventingGroup],
    resources: [`${cloudEventSources.resource}/status`, `${clusterCloudEventSources.resource}/status`],
    verbs: ['patch'],
    because: 'says whether the receiver of a CloudEventSource takes what it is sent',
  },
  {
    groups: [builtIn.jobs.group],
    resources: [builtIn.jobs.resource],
    verbs: ['list', 'create', 'delete'],
    because: 'starts the Jobs of each ScaledJob, and deletes those that are over or of an earlier spec',
  },
  {
    groups: [builtIn.horizontalpodautoscalers.group],
    resources: [builtIn.horizontalpodautoscalers.resource],
    verbs: ['create', 'update', 'delete'],
    because: 'writes the autoscaler of each ScaledObject',
  },
]

const sourceRights: readonly Permission[] = [
  {
    groups: [''],
    resources: ['configmaps'],
    verbs: ['get'],
    because: 'reads variables of containers, authentications and triggers of type kubernetes-resource',
  },
  {
    groups: [builtIn.endpointslices.group],
    resources: [builtIn.endpointslices.resource],
    verbs: ['list'],
    because: 'asks each endpoint of a Service where a trigger says so (aggregateFromKubeServiceEndpoints)',
  },
]

/** No name can bound who creates. */
const learnedRights: readonly Permission[] = [
  {
    groups: [''],
    resources: ['configmaps'],
    verbs: ['create'],
    scope: 'own-namespace',
    because: 'keeps what was learned of arrivals (ballast.dev/pre-warm)',
  },
  {
    groups: [''],
    resources: ['configmaps'],
    names: [learnedConfigMap],
    verbs: ['get', 'update'],
    scope: 'own-namespace',
    because: 'keeps what was learned of arrivals (ballast.dev/pre-warm)',
  },
]

/** With `restrictSecretAccess` those of our own namespace alone. */
function credentialRights({ restrictSecretAccess, tokenNamespaces }: AutoscaleConfig): readonly Permission[] {
  return [
    {
      groups: [''],
      resources: ['secrets'],
      verbs: ['get'],
      ...(restrictSecretAccess ? { scope: 'own-namespace' } : {}),
      because: 'reads the credentials that authentications and variables of containers name',
    },
    ...(tokenNamespaces.length === 0
      ? []
      : [
          {
            groups: [''],
            resources: ['serviceaccounts/token'],
            verbs: ['create'],
            scope: { namespaces: tokenNamespaces },
            because: 'asks for tokens of the ServiceAccounts that authentications name (boundServiceAccountToken, Vault)',
          } satisfies Permission,
        ]),
  ]
}

function permissionsFor(config: AutoscaleConfig): readonly Permission[] {
  const { scaleKinds } = config
  const kinds = [
    { group: 'apps', resource: 'deployments' },
    { group: 'apps', resource: 'statefulsets' },
    { group: 'apps', resource: 'replicasets' },
    { group: 'argoproj.io', resource: 'rollouts' },
    ...scaleKinds,
  ]
  const groups = [...new Set(kinds.map(({ group }) => group))]
  return [
    ...kedaRights,
    ...sourceRights,
    ...learnedRights,
    ...credentialRights(config),
    ...groups.map(
      (group): Permission => ({
        groups: [group],
        resources: kinds.filter(one => one.group === group).map(({ resource }) => `${resource}/scale`),
        verbs: ['get', 'update'],
        because: 'scales what ScaledObjects target',
      }),
    ),
  ]
}

export const autoscale = capability({
  name: 'autoscale',
  document: 'autoscaling.md',
  config: autoscaleConfiguration,
  kinds: servedKinds,
  replaces: [{ upstream: 'keda', leases: ['operator.keda.sh'] }],
  disrupts: ['scale'],
  installs: async () => (await import('./deploy/given-back.ts')).givenBack,
  commands: [
    {
      name: 'keda',
      usage: '[words...]',
      about:
        "runs in the place of KEDA's operator, with its flags, environment, ports, Lease and certificates. A program called `keda` runs it too",
      inPlaceOf: { programs: ['keda'] },
      load: async () => (await import('./commands/keda.ts')).defineKeda,
    },
    {
      name: 'keda-adapter',
      usage: '[words...]',
      about:
        "runs in the place of KEDA's metrics adapter, with its flags, environment and ports. A program called `keda-adapter` runs it too",
      inPlaceOf: { programs: ['keda-adapter'] },
      load: async () => (await import('./commands/keda-adapter.ts')).defineKedaAdapter,
    },
    {
      name: 'keda-admission-webhooks',
      usage: '[words...]',
      about:
        "runs in the place of KEDA's admission webhooks, with its flags, paths and ports. A program called `keda-admission-webhooks` runs it too",
      inPlaceOf: { programs: ['keda-admission-webhooks'] },
      load: async () => (await import('./commands/keda-webhooks.ts')).defineKedaWebhooks,
    },
  ],
  parts: [
    {
      process: 'apiserver',
      presence: 'leading',
      trust: 'edge',
      needs,
      permissions: permissionsFor,
      listeners: [],
      connectsTo: [{ anywhere: true, because: 'asks the sources that triggers name, and sends to receivers of events' }],
      offers: [externalMetricsPort],
      takes: [],
      start: async (context, config, signal) => (await loaded(context.clock)).startScaling(context, config, signal),
    },
    {
      process: 'apiserver',
      presence: 'always',
      trust: 'edge',
      needs: [replicas],
      permissions: [],
      listeners: [
        {
          kind: 'api-service',
          group: externalMetrics.group,
          version: externalMetrics.version,
          // Autoscalers have the right to them from the API server itself.
          resources: [],
          groupPriority: 100,
          versionPriority: 100,
        },
      ],
      offers: [],
      takes: [{ port: externalMetricsPort, without: 'degrade' }],
      start: async (context, config, signal) => (await loaded(context.clock)).startServing(context, config, signal),
    },
    {
      process: 'controller',
      role: 'autoscale-webhook',
      presence: 'always',
      trust: 'core',
      needs: [
        { ...scaledObjects, kind: 'ScaledObject', mode: 'full', optional: true },
        {
          ...builtIn.horizontalpodautoscalers,
          kind: 'HorizontalPodAutoscaler',
          mode: 'projection',
          fields: ['metadata.annotations', 'metadata.ownerReferences', 'spec.scaleTargetRef'],
        },
      ],
      permissions: [
        {
          groups: ['apps'],
          resources: ['deployments', 'statefulsets'],
          verbs: ['get'],
          because: 'sees whether what is scaled by CPU or memory requests any',
        },
        {
          groups: [''],
          resources: [limitRanges.resource],
          verbs: ['list'],
          because: 'sees whether requests come from a default of the namespace',
        },
      ],
      listeners: [
        {
          kind: 'webhook',
          name: objectWebhookName,
          mutates: false,
          failurePolicy: 'Ignore',
          configuration: admissionConfigurationName,
          groups: [kedaGroup, eventingGroup],
          versions: [kedaVersion],
          resources: Object.values(judgedResources).flat(),
          operations: ['CREATE', 'UPDATE'],
        },
      ],
      offers: [],
      takes: [],
      start: async (context, config) => (await loadedWebhook(context.clock)).startAdmission(context, config),
    },
    {
      process: 'controller',
      role: 'autoscale-webhook-keeper',
      // Not where it leads: KEDA's Lease is held by whoever scales, in another process.
      presence: 'always',
      trust: 'core',
      needs: [],
      permissions: [
        {
          groups: [builtIn.validatingwebhookconfigurations.group],
          resources: [builtIn.validatingwebhookconfigurations.resource],
          names: [admissionConfigurationName],
          verbs: ['create', 'get', 'patch', 'delete'],
          because: 'has ScaledObjects and their like judged before they are stored',
        },
      ],
      listeners: [],
      offers: [],
      takes: [],
      start: async (context, config, signal) =>
        (await loadedWebhook(context.clock)).startAdmissionKeeper(context, config, signal),
    },
    {
      process: 'controller',
      role: 'autoscale-ahead',
      // As above. Who pulls leads, so that one replica asks.
      presence: 'always',
      trust: 'core',
      needs: [
        { ...scaledObjects, kind: 'ScaledObject', mode: 'full', optional: true },
        // Without the rights, as before new roles are applied, it pulls nothing, and holds up nobody.
        {
          ...builtIn.deployments,
          kind: 'Deployment',
          mode: 'projection',
          fields: ['spec.replicas', 'spec.template'],
          optional: true,
        },
        {
          ...builtIn.statefulsets,
          kind: 'StatefulSet',
          mode: 'projection',
          fields: ['spec.replicas', 'spec.template'],
          optional: true,
        },
        {
          ...builtIn.nodes,
          kind: 'Node',
          optional: true,
          mode: 'projection',
          fields: ['metadata.labels', 'spec.taints', 'spec.unschedulable', 'status.conditions'],
        },
      ],
      permissions: [],
      listeners: [],
      offers: [],
      takes: [{ port: pullAheadPort, without: 'degrade' }],
      start: async (context, config, signal) => (await loadedPulling(context.clock)).startPullingAhead(context, config, signal),
    },
  ],
  leaves: [
    {
      kind: 'object',
      apiVersion: 'admissionregistration.k8s.io/v1',
      of: 'ValidatingWebhookConfiguration',
      name: admissionConfigurationName,
    },
    { kind: 'object', apiVersion: 'v1', of: 'ConfigMap', name: learnedConfigMap, namespace: 'own' },
    {
      kind: 'finalizer',
      name: kedaFinalizer,
      on: [
        ...[scaledObjects, scaledJobs, triggerAuthentications, clusterTriggerAuthentications],
        ...[cloudEventSources, clusterCloudEventSources],
      ].map(({ resource, group }) => `${resource}.${group}`),
    },
  ],
  rightsFollow: {
    kindsIn: 'scaleKinds',
    listsOf: 'edge',
    namespacesIn: 'tokenNamespaces',
    settings: [{ on: 'restrictSecretAccess', with: { restrictSecretAccess: true } }],
  },
  codes: { problem: { 'series-syntax': 'a CSV of rising times with a number, or nothing, for each column' } },
  explains: {
    kinds: {
      scaledobject: 'ScaledObject',
      scaledobjects: 'ScaledObject',
      so: 'ScaledObject',
      'scaledobject.keda.sh': 'ScaledObject',
    },
    load: async () => (await import('./commands/why-scaled-object.ts')).explainScaledObject,
  },
  up: async () => (await import('./commands/autoscale-story.ts')).autoscaleStory,
  upstreams: async () => [(await import('./swap/keda.ts')).keda],
  alerts: autoscaleAlerts,
  panels: autoscalePanels,
  findings: async () => (await import('./doctor/autoscale-checks.ts')).autoscaleFindings,
  page: async () => (await import('./page/autoscaling-page.ts')).autoscalingPage,
  replays: { kind: 'ScaledObject', load: async () => (await import('./commands/replay-series.ts')).replayFiles },
})
