// Resource metrics in metrics-server's place: a part of `ballast apiserver`, and a process of its own with upstream's flags.
import { capability } from '#coordination/capability.ts'
import type { Need, Permission } from '#coordination/needs.ts'
import { usagePort } from '#coordination/ports/usage.ts'
import type { Clock } from '#kube/clock.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { replicaFields } from '#kube/server/replicas/ready-replicas.ts'
import { metricsConfiguration } from './config.ts'
import { metricsAlerts, metricsPanels } from './monitoring.ts'
import { explainedKinds, nodeFields, podFields, servedApi } from './names.ts'
import { pinsName } from './pins/pin-rules.ts'

/** Reading files takes the host's time, not the cluster's. */
async function loaded(clock: Clock): Promise<typeof import('./part.ts')> {
  using _held = clock.hold()
  return await import('./part.ts')
}

const needs: readonly Need[] = [
  { ...builtIn.nodes, kind: 'Node', mode: 'projection', fields: nodeFields },
  { ...builtIn.pods, kind: 'Pod', mode: 'projection', fields: podFields },
  // The other replicas of this process, which ask some of the kubelets.
  {
    ...builtIn.endpointslices,
    kind: 'EndpointSlice',
    mode: 'projection',
    fields: replicaFields,
    scope: 'own-namespace',
    optional: true,
  },
]

const kubelets: Permission = {
  groups: [''],
  resources: ['nodes/metrics'],
  verbs: ['get'],
  because: 'asks kubelets what containers use',
}

const disks: Permission = {
  groups: [''],
  resources: ['nodes/stats'],
  verbs: ['get'],
  because: 'asks kubelets what containers keep on local disks',
}

/** No name can bound who creates. */
const pinning: readonly Permission[] = [
  {
    groups: [''],
    resources: ['configmaps'],
    verbs: ['create'],
    scope: 'own-namespace',
    because: "keeps the keys of kubelets' certificates",
  },
  {
    groups: [''],
    resources: ['configmaps'],
    names: [pinsName],
    verbs: ['get', 'update'],
    scope: 'own-namespace',
    because: "keeps the keys of kubelets' certificates",
  },
]

export const metrics = capability({
  name: 'metrics',
  document: 'metrics.md',
  config: metricsConfiguration,
  kinds: [],
  replaces: [{ upstream: 'metrics-server', leases: [] }],
  disrupts: [],
  rightsFollow: {
    settings: [
      { on: 'exposeEphemeralStorage', with: { exposeEphemeralStorage: true } },
      { is: 'kubelet.tls', value: 'pin', with: { kubelet: { tls: 'pin' } } },
    ],
  },
  commands: [
    {
      name: 'metrics-server',
      usage: '[words...]',
      about:
        "runs in metrics-server's place, with its flags, API, probes and metrics. A program called `metrics-server` runs it too",
      inPlaceOf: { programs: ['metrics-server'] },
      load: async () => (await import('./commands/metrics-server.ts')).defineMetricsServer,
    },
  ],
  parts: [
    {
      process: 'apiserver',
      presence: 'always',
      trust: 'edge',
      needs,
      permissions: ({ exposeEphemeralStorage, kubelet: { tls } }) => [
        kubelets,
        ...(exposeEphemeralStorage ? [disks] : []),
        ...(tls === 'pin' ? pinning : []),
      ],
      listeners: [
        {
          kind: 'api-service',
          group: servedApi.group,
          version: servedApi.version,
          resources: ['nodes', 'pods'],
          groupPriority: 100,
          versionPriority: 100,
        },
      ],
      connectsTo: [{ setting: 'kubelet.port', because: 'asks kubelets what containers use' }],
      offers: [usagePort],
      takes: [],
      start: async (context, config, signal) => (await loaded(context.clock)).startMetrics(context, config, signal),
    },
  ],
  leaves: [{ kind: 'object', apiVersion: 'v1', of: 'ConfigMap', name: pinsName, namespace: 'own' }],
  upstreams: async () => [(await import('./swap/metrics-server.ts')).metricsServer],
  up: async () => (await import('./commands/metrics-story.ts')).metricsStory,
  explains: { kinds: explainedKinds, load: async () => (await import('./commands/why-metrics.ts')).explainMetrics },
  alerts: metricsAlerts,
  panels: metricsPanels,
  findings: async () => (await import('./doctor/metrics-checks.ts')).metricsFindings,
  page: async () => (await import('./page/metrics-page.ts')).metricsPage,
})
