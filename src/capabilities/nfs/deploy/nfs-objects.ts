// NFS as an installation has it: a DaemonSet that mounts, a Deployment that makes volumes, each with an account of its own, and the CSIDriver.
//
// Both are on the host's network, as upstream's are: mounts outlive the pod that made them, and so must the addresses they came from. No policy of the
// network holds there, so there is none.
import type { Capability } from '#coordination/capability.ts'
import { agentNamespace, nodeEnvironment, podOnNode } from '#deployment/objects/agent-objects.ts'
import { runsOnNodes } from '#deployment/objects/agent-roles.ts'
import { monitorOf } from '#deployment/objects/monitoring-objects.ts'
import { annotationsWith, fullName, metadataOf, nameText, selectorLabels } from '#deployment/objects/object-shapes.ts'
import { keptApart, tokenMount, tokenVolume } from '#deployment/objects/process-objects.ts'
import { accountObjects } from '#deployment/objects/rights-objects.ts'
import { ruleTrees } from '#deployment/objects/rights-tree.ts'
import {
  all,
  block,
  type Condition,
  checksum,
  type Fields,
  not,
  type ObjectTree,
  type Tree,
  text,
  value,
  when,
} from '#deployment/tree.ts'
import { controllerSocket, pluginFolder, registryFolder, stagingFolder } from '../names.ts'

/** What differs between the two. */
interface Pods {
  /** Their label, the trust of their parts, and the end of their name. */
  readonly component: 'agent-nfs' | 'nfs-controller'
  readonly role: 'nfs' | 'nfs-controller'
  readonly account: 'nfsAccount' | 'nfsControllerAccount'
  /** Their block of the values. */
  readonly block: 'nfs.node' | 'nfs.controller'
}

const onNodes: Pods = { component: 'agent-nfs', role: 'nfs', account: 'nfsAccount', block: 'nfs.node' }
const leading: Pods = {
  component: 'nfs-controller',
  role: 'nfs-controller',
  account: 'nfsControllerAccount',
  block: 'nfs.controller',
}

const file = 'agents/nfs.yaml'
const section = 'capabilities.nfs'
const kubeletPath = (below: string): Tree => text({ value: `${section}.kubeletDir` }, `/${below}`)
const workingDirectory = `${section}.controller.workingMountDir`
const hostOptions: Condition = { on: 'nfs.node.propagateHostMountOptions' }
const stages: Condition = { on: `${section}.node.stage` }

/** None where no capability has such parts. */
export function nfsObjects(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const runs = runsOnNodes(capabilities, 'agent-nfs', 'nfs-controller')
  if (runs === undefined) return []
  return [
    ...[onNodes, leading].flatMap(pods => aroundPods(pods, capabilities, runs)),
    { file, when: all(runs, { on: 'nfs.csiDriver.create' }), tree: csiDriver() },
    { file, when: runs, tree: daemonSet() },
    { file, when: runs, tree: deployment() },
  ]
}

/** Account, rights, and how Prometheus finds their metrics. */
function aroundPods(pods: Pods, capabilities: readonly Capability[], runs: Condition): readonly ObjectTree[] {
  const { component, account, block: path } = pods
  const of = { component, name: account, namespace: 'agentNamespace', block: path, when: runs, prefix: `${component}-` } as const
  const port = value(`${path}.metricsPort`)
  return [
    ...accountObjects(of, ruleTrees(capabilities, { trust: component, elects: false })),
    { file, when: all(runs, { on: 'metrics.serviceMonitor.enabled' }), tree: metricsService(pods) },
    monitorOf('ServiceMonitor', component, [runs]),
    // Pods on the host's network declare no ports: no two of a node may have the same.
    monitorOf('PodMonitor', component, [runs], { portNumber: port }),
  ]
}

/** Without an address: a ServiceMonitor finds the pods by it. */
function metricsService({ component, block: path }: Pods): Fields {
  const port = value(`${path}.metricsPort`)
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf({ name: fullName(`-${component}`), namespace: agentNamespace, component }),
    spec: {
      clusterIP: 'None',
      selector: selectorLabels(component),
      ports: [{ name: 'metrics', port, targetPort: port, protocol: 'TCP' }],
    },
  }
}

/** Helm leaves it: pods that have volumes mounted need it until they are gone. */
function csiDriver(): Fields {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'CSIDriver',
    metadata: metadataOf({
      name: value(`${section}.driverName`),
      namespace: undefined,
      component: onNodes.component,
      annotations: { 'helm.sh/resource-policy': 'keep' },
    }),
    spec: {
      attachRequired: value(`${section}.controller.attach`),
      volumeLifecycleModes: ['Persistent', when({ on: 'nfs.csiDriver.inlineVolumes' }, 'Ephemeral')],
      fsGroupPolicy: value('nfs.csiDriver.fsGroupPolicy'),
    },
  }
}

function daemonSet(): Fields {
  const { block: path } = onNodes
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: podsMetadata(onNodes),
    spec: {
      revisionHistoryLimit: value(`${path}.revisionHistoryLimit`),
      updateStrategy: block(`${path}.updateStrategy`),
      selector: { matchLabels: selectorLabels(onNodes.component) },
      template: {
        metadata: templateMetadata(onNodes),
        spec: {
          ...podSpec(onNodes),
          ...podOnNode(path),
          containers: [
            container(onNodes, [
              tmp,
              // At the places that the kubelet names in its calls.
              { name: 'plugin', mountPath: kubeletPath(pluginFolder) },
              { name: 'registry', mountPath: kubeletPath(registryFolder) },
              { name: 'pods', mountPath: kubeletPath('pods'), mountPropagation: 'Bidirectional' },
              when(stages, { name: 'staged', mountPath: kubeletPath(stagingFolder), mountPropagation: 'Bidirectional' }),
              when(hostOptions, { name: 'mount-options', mountPath: '/etc/nfsmount.conf', readOnly: true }),
              when(hostOptions, { name: 'more-mount-options', mountPath: '/etc/nfsmount.conf.d', readOnly: true }),
            ]),
          ],
          volumes: [
            ...commonVolumes,
            scratch('tmp'),
            { name: 'plugin', hostPath: { path: kubeletPath(pluginFolder), type: 'DirectoryOrCreate' } },
            { name: 'registry', hostPath: { path: kubeletPath(registryFolder), type: 'Directory' } },
            { name: 'pods', hostPath: { path: kubeletPath('pods'), type: 'Directory' } },
            when(stages, {
              name: 'staged',
              hostPath: { path: kubeletPath(stagingFolder), type: 'DirectoryOrCreate' },
            }),
            when(hostOptions, {
              name: 'mount-options',
              hostPath: { path: '/etc/nfsmount.conf', type: 'FileOrCreate' },
            }),
            when(hostOptions, {
              name: 'more-mount-options',
              hostPath: { path: '/etc/nfsmount.conf.d', type: 'DirectoryOrCreate' },
            }),
            block(`${path}.extraVolumes`),
          ],
        },
      },
    },
  }
}

function deployment(): Fields {
  const { block: path, component } = leading
  const selector = selectorLabels(component)
  const ownAffinity: Condition = { on: `${path}.affinity` }
  const onControlPlane = all(not(ownAffinity), { on: `${path}.runOnControlPlane` })
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: podsMetadata(leading),
    spec: {
      replicas: value(`${path}.replicas`),
      revisionHistoryLimit: value(`${path}.revisionHistoryLimit`),
      strategy: block(`${path}.updateStrategy`),
      selector: { matchLabels: selector },
      template: {
        metadata: templateMetadata(leading),
        spec: {
          ...podSpec(leading),
          ...podOnNode(path),
          affinity: {
            podAntiAffinity: when(not(ownAffinity), {
              preferredDuringSchedulingIgnoredDuringExecution: keptApart(selector),
            }),
            nodeAffinity: when(onControlPlane, {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchExpressions: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' }] }],
              },
            }),
            '...own': block(`${path}.affinity`),
          },
          containers: [
            container(leading, [
              when(hasOwnTmp, tmp),
              { name: 'socket', mountPath: controllerSocket.slice(0, controllerSocket.lastIndexOf('/')) },
              { name: 'shares', mountPath: value(workingDirectory) },
            ]),
          ],
          volumes: [
            ...commonVolumes,
            when(hasOwnTmp, scratch('tmp')),
            { name: 'socket', emptyDir: {} },
            // Only the places lie here at which shares are mounted, in the pod's own sight.
            { name: 'shares', emptyDir: {} },
            block(`${path}.extraVolumes`),
          ],
        },
      },
    },
  }
}

function podsMetadata({ component, block: path }: Pods): Fields {
  return metadataOf({
    name: fullName(`-${component}`),
    namespace: agentNamespace,
    component,
    annotationsOf: [`${path}.annotations`],
  })
}

function templateMetadata({ component, block: path }: Pods): Fields {
  return {
    labels: { ...selectorLabels(component), '...own': block(`${path}.podLabels`) },
    annotations: annotationsWith(
      { 'ballast.dev/process-checksum': checksum('process'), 'ballast.dev/nfs-checksum': checksum(section) },
      [`${path}.podAnnotations`],
      true,
    ),
  }
}

function podSpec({ account, block: path }: Pods): Fields {
  return {
    serviceAccountName: nameText(account),
    hostNetwork: true,
    dnsPolicy: value(`${path}.dnsPolicy`),
    initContainers: block(`${path}.initContainers`),
  }
}

const scratch = (name: string): Fields => ({ name, emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } })

const commonVolumes: readonly Tree[] = [
  { name: 'config', configMap: { name: fullName('-config') } },
  tokenVolume,
  // What mount(8) writes of a mount beside the kernel.
  scratch('run'),
]

const tmp: Fields = { name: 'tmp', mountPath: '/tmp' }
/** Shares are mounted at `/tmp` by default, as upstream does it: then that is the one place for both. */
const hasOwnTmp: Condition = not({ is: workingDirectory, value: '/tmp' })

function container({ role, block: path }: Pods, mounts: readonly Tree[]): Fields {
  const health = `${path}.healthPort`
  const probe = (asked: string, failureThreshold: number, periodSeconds: number): Fields => ({
    httpGet: { host: '127.0.0.1', path: asked, port: value(health) },
    periodSeconds,
    failureThreshold,
    timeoutSeconds: 5,
  })
  return {
    name: role,
    image: nameText('image'),
    imagePullPolicy: value('image.pullPolicy'),
    args: [
      'agent',
      `--role=${role}`,
      '--config=/etc/ballast/config.yaml',
      text('--health-probe-bind-address=127.0.0.1:', { value: health }),
      text('--metrics-bind-address=:', { value: `${path}.metricsPort` }),
      block(`${path}.extraArgs`),
    ],
    env: [...nodeEnvironment, block(`${path}.extraEnv`)],
    startupProbe: probe('/livez', 60, 1),
    livenessProbe: probe('/livez', 3, 10),
    readinessProbe: probe('/readyz', 3, 5),
    resources: block(`${path}.resources`),
    securityContext: block(`${path}.securityContext`),
    volumeMounts: [
      { name: 'config', mountPath: '/etc/ballast', readOnly: true },
      tokenMount,
      { name: 'run', mountPath: '/run' },
      ...mounts,
      block(`${path}.extraVolumeMounts`),
    ],
  }
}
