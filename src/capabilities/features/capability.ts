// Features of nodes: found by a worker on each node, turned into labels, annotations, resources and taints by the rules of
// node-feature-discovery, in place of its worker, master and garbage collector.
import { capability } from '#coordination/capability.ts'
import { labelNodePermissions } from '#coordination/effects/label-node.ts'
import { taintPermission } from '#coordination/effects/taint.ts'
import { clusterNeeds } from '#coordination/facts/cluster-view.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import type { Need, Permission } from '#coordination/needs.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { type FeaturesConfig, featuresConfiguration } from './config.ts'
import { featureKinds } from './kinds.ts'
import { startLabelling } from './labelling/labeller.ts'
import { labellingMetrics } from './labelling/metrics.ts'
import {
  nfdGroup,
  nodeFeatureGroups,
  nodeFeatureRules,
  nodeFeatures,
  nodeNameLabel,
  nodeResourceTopologies,
  topologyGroup,
} from './names.ts'
import { startWorker } from './publishing/worker.ts'
import { wantedConfigMap } from './rules/wanted-list.ts'

const groups: Need = {
  ...nodeFeatureGroups,
  kind: 'NodeFeatureGroup',
  mode: 'full',
  scope: 'agent-namespace',
  optional: true,
}

/** Whole, since an arbiter reads more of them. */
const namespaces: Need = { ...builtIn.namespaces, kind: 'Namespace', mode: 'full' }

function needsFor({ master }: FeaturesConfig): readonly Need[] {
  return [
    // Taints need the arbiter's word, which judges by all of the cluster.
    ...(master.enableTaints ? clusterNeeds : [{ ...builtIn.nodes, kind: 'Node', mode: 'full' } as const]),
    { ...nodeFeatures, kind: 'NodeFeature', mode: 'metadata', optional: true },
    { ...nodeFeatureRules, kind: 'NodeFeatureRule', mode: 'full', optional: true },
    { ...nodeResourceTopologies, kind: 'NodeResourceTopology', mode: 'metadata', optional: true },
    ...(master.nodeFeatureGroups ? [groups] : []),
    ...(master.restrictions.nodeFeatureNamespaceSelector === undefined ? [] : [namespaces]),
  ]
}

const list = { groups: [''], resources: ['configmaps'], scope: 'agent-namespace' } as const
const tellsWorkers = 'tells workers what rules look at'

function labellingPermissions({ master, worker }: FeaturesConfig): readonly Permission[] {
  const own = (resource: string, verb: Permission['verbs'][number], because: string): Permission => ({
    groups: [nfdGroup],
    resources: [resource],
    verbs: [verb],
    because,
  })
  return [
    ...labelNodePermissions,
    ...(master.enableTaints ? [taintPermission] : []),
    own('nodefeatures', 'delete', 'takes away what describes nodes that are gone'),
    {
      groups: [topologyGroup],
      resources: [nodeResourceTopologies.resource],
      verbs: ['delete'],
      because: 'takes away what is said of nodes that are gone',
    },
    own('nodefeaturerules/status', 'patch', 'says how rules go'),
    ...(worker.core.publish === 'referenced'
      ? [
          { ...list, verbs: ['create'], because: tellsWorkers } as const,
          { ...list, names: [wantedConfigMap], verbs: ['get', 'patch', 'delete'], because: tellsWorkers } as const,
        ]
      : []),
    ...(master.nodeFeatureGroups
      ? [
          {
            ...own('nodefeaturegroups/status', 'patch', 'says which nodes are in a group'),
            scope: 'agent-namespace',
          } as const,
        ]
      : []),
  ]
}

function workerPermissions({ worker }: FeaturesConfig): readonly Permission[] {
  const published = {
    groups: [nfdGroup],
    resources: ['nodefeatures'],
    scope: 'agent-namespace',
    because: 'publishes what is on its node',
  } as const
  const read = { groups: [''], verbs: ['get'] } as const
  return [
    { ...published, verbs: ['get', 'create', 'update'] },
    {
      ...read,
      resources: ['pods'],
      scope: 'agent-namespace',
      because: 'asks for the DaemonSet of its pod, which owns what it publishes',
    },
    ...(worker.core.publish === 'referenced'
      ? [{ ...list, names: [wantedConfigMap], verbs: ['get', 'list', 'watch'], because: 'hears what rules look at' } as const]
      : []),
    ...(worker.core.ownerRefs.includes('node')
      ? [{ ...read, resources: ['nodes'], because: 'asks for its node, which owns what it publishes' } as const]
      : []),
  ]
}

function topologyPermissions({ topology }: FeaturesConfig): readonly Permission[] {
  if (!topology.enabled) return []
  return [
    {
      groups: [topologyGroup],
      resources: [nodeResourceTopologies.resource],
      // The API server asks for the right to create where an applied object is new.
      verbs: ['create', 'patch'],
      because: 'publishes what is where on its node, and what pods hold of it',
    },
    {
      groups: [''],
      resources: ['pods'],
      verbs: ['get', 'list', 'watch'],
      because: 'reads which pods of its node have processors of their own',
    },
    { groups: [''], resources: ['namespaces'], verbs: ['get'], because: 'asks for its namespace, which owns what it publishes' },
    { groups: [''], resources: ['nodes/configz'], verbs: ['get'], because: 'asks the kubelet of its node for its policies' },
  ]
}

const hostDirectory = (path: string, at: string, because: string) => ({ path, at, access: 'read', because }) as const

export const features = capability({
  name: 'features',
  document: 'node-features.md',
  config: featuresConfiguration,
  kinds: [...ballastKinds, ...featureKinds],
  replaces: [{ upstream: 'node-feature-discovery', leases: ['nfd-master.nfd.kubernetes.io'] }],
  disrupts: ['taint'],
  parts: [
    {
      process: 'controller',
      presence: 'leading',
      trust: 'core',
      needs: needsFor,
      permissions: labellingPermissions,
      listeners: [],
      offers: [],
      takes: [],
      start: startLabelling,
    },
    {
      process: 'node',
      role: 'features',
      presence: 'always',
      trust: 'agent',
      needs: [],
      permissions: workerPermissions,
      ownObjects: [{ group: nfdGroup, resource: nodeFeatures.resource, nodeLabel: nodeNameLabel }],
      host: {
        mounts: [
          hostDirectory('/sys', '/host-sys', 'devices, interfaces and settings of the kernel'),
          hostDirectory('/boot', '/host-boot', 'the configuration of the kernel'),
          hostDirectory('/lib', '/host-lib', 'modules that the kernel is built with'),
          hostDirectory('/usr/lib', '/host-usr/lib', 'the configuration of the kernel, where it lies with its modules'),
          hostDirectory('/etc/os-release', '/host-etc/os-release', 'the name of the system'),
          hostDirectory('/proc/swaps', '/host-proc/swaps', 'whether there is swap'),
          {
            path: '/etc/kubernetes/node-feature-discovery',
            access: 'read',
            because: 'feature files and rules of the node',
          },
        ],
        user: 'non-root',
        linuxCapabilities: [],
        network: 'pod',
      },
      listeners: [{ kind: 'port', name: 'features', port: 8082, protocol: 'TCP', exposure: 'pod' }],
      offers: [],
      takes: [],
      start: startWorker,
    },
    {
      process: 'node',
      role: 'topology',
      switchedBy: 'topology.enabled',
      presence: 'always',
      trust: 'agent',
      needs: [],
      permissions: topologyPermissions,
      ownObjects: [{ group: topologyGroup, resource: nodeResourceTopologies.resource }],
      host: {
        mounts: [
          hostDirectory('/sys', '/host-sys', 'NUMA nodes with their processors, memory and distances'),
          hostDirectory(
            '/var/lib/kubelet/pod-resources',
            '/host-var/lib/kubelet/pod-resources',
            'the socket by which the kubelet says what pods hold',
          ),
        ],
        // The kubelet lets nobody else connect.
        user: 'root',
        linuxCapabilities: [],
        network: 'pod',
      },
      listeners: [{ kind: 'port', name: 'topology', port: 8085, protocol: 'TCP', exposure: 'pod' }],
      offers: [],
      takes: [],
      // It brings gRPC, which no other process of the capability needs.
      start: async (context, config, signal) =>
        (await import('./topology/topology-updater.ts')).startTopologyUpdater(context, config, signal),
    },
  ],
  rightsFollow: {
    settings: [
      { on: 'topology.enabled', with: { topology: { enabled: true } } },
      { on: 'master.enableTaints', with: { master: { enableTaints: true } } },
      { on: 'master.nodeFeatureGroups', with: { master: { nodeFeatureGroups: true } } },
      {
        on: 'master.restrictions.nodeFeatureNamespaceSelector',
        with: { master: { restrictions: { nodeFeatureNamespaceSelector: { matchLabels: { a: 'b' } } } } },
      },
      { is: 'worker.core.publish', value: 'referenced', with: { worker: { core: { publish: 'referenced' } } } },
      { has: 'worker.core.ownerRefs', value: 'node', with: { worker: { core: { ownerRefs: ['node'] } } } },
    ],
  },
  // What is ours on nodes is listed there as upstream's own is: whose it was nobody can tell, so that uninstalling leaves it.
  leaves: [],
  codes: { reason: { 'node-features': 'a rule of node-feature-discovery asks for the taint, by what is on the node' } },
  metrics: registry => void labellingMetrics(registry),
  upstreams: async () => [(await import('./swap/nfd.ts')).nfd],
  commands: [
    {
      name: 'features',
      usage: '[options] [command] [rule|node]',
      about: 'says what rules of node-feature-discovery make of each node, by which rule and why not; it writes nothing',
      load: async () => (await import('./commands/features.ts')).defineFeatures,
    },
    {
      name: 'nfd-worker',
      usage: '[words...]',
      about:
        "finds the features of its node with nfd-worker's flags, configuration and port. A program called by that name runs it too",
      inPlaceOf: { programs: ['nfd-worker'] },
      load: async () => (await import('./commands/nfd-worker.ts')).defineNfdWorker,
    },
    {
      name: 'nfd-topology-updater',
      usage: '[words...]',
      about:
        "publishes the NodeResourceTopology of its node with nfd-topology-updater's flags, configuration and port. A program called by that name runs it too",
      inPlaceOf: { programs: ['nfd-topology-updater'] },
      load: async () => (await import('./commands/nfd-topology-updater.ts')).defineNfdTopologyUpdater,
    },
    {
      name: 'nfd-master',
      usage: '[words...]',
      about:
        "labels nodes by NodeFeatureRules with nfd-master's flags, configuration and port, or prunes them. A program called by that name runs it too",
      inPlaceOf: { programs: ['nfd-master'] },
      load: async () => (await import('./commands/nfd-master.ts')).defineNfdMaster,
    },
    {
      name: 'nfd-gc',
      usage: '[words...]',
      about:
        "deletes what describes nodes that are gone, with nfd-gc's flags and port. A program called by that name runs it too",
      inPlaceOf: { programs: ['nfd-gc'] },
      load: async () => (await import('./commands/nfd-gc.ts')).defineNfdGc,
    },
  ],
})
