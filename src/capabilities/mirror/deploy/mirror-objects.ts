// The image mirror on every node: on the host's network, so that it serves before the pods' network is there, without rights, and with
// nothing of its node but containerd's socket, its content, and a directory of its own.
import type { Capability } from '#coordination/capability.ts'
import { agentNamespace, nodeEnvironment, podOnNode } from '#deployment/objects/agent-objects.ts'
import { runsOnNodes } from '#deployment/objects/agent-roles.ts'
import { annotationsWith, fullName, metadataOf, nameText, selectorLabels } from '#deployment/objects/object-shapes.ts'
import { tokenMount, tokenVolume } from '#deployment/objects/process-objects.ts'
import { accountObjects } from '#deployment/objects/rights-objects.ts'
import { ruleTrees } from '#deployment/objects/rights-tree.ts'
import {
  any,
  block,
  type Condition,
  checksum,
  type Fields,
  named,
  not,
  type ObjectTree,
  type Tree,
  text,
  value,
  when,
} from '#deployment/tree.ts'
import { agentTlsSecret, peersConfigMap } from '../agent-objects.ts'

const component = 'agent-mirror'
const selector = selectorLabels(component)
const of = (key: string) => `capabilities.mirror.${key}`

/** Agents write containerd's hosts files, before they serve. */
export const writesHosts: Condition = { is: of('nodeConfiguration.mode'), value: 'agent' }
/** The mirror checks whether hosts files lead to it, no matter who writes them. Where none of our parts writes them, the directory may not be there. */
const looksAtHosts: Condition = not({ is: of('nodeConfiguration.mode'), value: 'none' })
/** The only way to find each other that asks the API. */
const callsApi: Condition = { is: of('bootstrapKind'), value: 'kubernetes' }
const keepsIdentity: Condition = { on: of('persistence.enabled') }

/**
 * A heap that leaves room for buffers outside of it in a container of 192 MiB: 300 images with 20,000 digests do not fit in 48 MiB. One thread of
 * V8's own beside the program's: each further one keeps 2 to 3 MiB after it has compiled or collected for once.
 */
const memoryFlags = '--max-old-space-size=112 --max-semi-space-size=1 --v8-pool-size=1'

/** Where the pieces lie in the container. */
const mirrorPaths = {
  peers: '/etc/ballast-peers',
  certificates: '/etc/ballast-tls',
  basicAuth: '/etc/secrets/basic-auth',
  record: '/run/ballast-hosts',
} as const

/** Account with its rights, DaemonSet and headless Service; none where no capability is a mirror. */
export function mirrorObjects(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const runs = runsOnNodes(capabilities, 'agent-mirror')
  if (runs === undefined) return []
  const account = {
    component,
    name: 'mirrorAccount',
    namespace: 'agentNamespace',
    block: 'mirror',
    when: runs,
    prefix: 'mirror-',
  } as const
  return [
    ...accountObjects(account, ruleTrees(capabilities, { trust: component, elects: false })),
    { file: 'agents/mirror.yaml', when: runs, tree: service() },
    { file: 'agents/mirror.yaml', when: runs, tree: daemonSet() },
  ]
}

/** Without an address: it names the mirrors for their first meeting by DNS and for Prometheus. */
function service(): Fields {
  const port = (name: string, key: string): Fields => ({
    name,
    port: value(of(key)),
    targetPort: value(of(key)),
    protocol: 'TCP',
  })
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf({
      name: fullName('-agent-mirror'),
      namespace: agentNamespace,
      component,
      annotationsOf: ['mirror.service.annotations'],
    }),
    spec: {
      clusterIP: 'None',
      // Who is not ready is who wants to meet the others.
      publishNotReadyAddresses: true,
      selector,
      ports: [port('router', 'routerPort'), port('metrics', 'metricsPort')],
    },
  }
}

function daemonSet(): Fields {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: metadataOf({
      name: fullName('-agent-mirror'),
      namespace: agentNamespace,
      component,
      annotationsOf: ['mirror.annotations'],
    }),
    spec: {
      revisionHistoryLimit: value('mirror.revisionHistoryLimit'),
      updateStrategy: block('mirror.updateStrategy'),
      selector: { matchLabels: selector },
      template: {
        metadata: {
          labels: { ...selector, '...own': block('mirror.podLabels') },
          annotations: annotationsWith(
            {
              'ballast.dev/process-checksum': checksum('process'),
              'ballast.dev/mirror-checksum': checksum('capabilities.mirror'),
            },
            ['mirror.podAnnotations'],
            true,
          ),
        },
        spec: {
          serviceAccountName: nameText('mirrorAccount'),
          hostNetwork: true,
          // The cluster's DNS comes later than the first images.
          '...dns': when({ is: of('bootstrapKind'), value: 'dns' }, { dnsPolicy: 'ClusterFirstWithHostNet' }),
          ...podOnNode('mirror'),
          initContainers: when(any(writesHosts, { on: 'mirror.initContainers' }), [
            when(writesHosts, configurationContainer()),
            block('mirror.initContainers'),
          ]),
          containers: [mirrorContainer()],
          volumes: volumes(),
        },
      },
    },
  }
}

const configuration: Fields = { name: 'config', mountPath: '/etc/ballast', readOnly: true }
const basicAuth = when(
  { on: of('basicAuthSecretName') },
  { name: 'basic-auth', mountPath: mirrorPaths.basicAuth, readOnly: true },
)

const record: Fields = { name: 'hosts-record', mountPath: mirrorPaths.record }
const recordFlag = `--hosts-record=${mirrorPaths.record}/record.json`

function configurationContainer(): Fields {
  return {
    name: 'configuration',
    image: nameText('image'),
    imagePullPolicy: value('image.pullPolicy'),
    args: ['agent', '--role=mirror', '--write-hosts', recordFlag, '--config=/etc/ballast/config.yaml'],
    env: nodeEnvironment,
    resources: block('mirror.resources'),
    securityContext: block('mirror.securityContext'),
    volumeMounts: [
      configuration,
      { name: 'registry-config', mountPath: value(of('containerdRegistryConfigPath')) },
      record,
      basicAuth,
    ],
  }
}

function mirrorContainer(): Fields {
  const ready = { httpGet: { path: '/readyz', port: value(of('metricsPort')) }, periodSeconds: 3, timeoutSeconds: 2 }
  return {
    name: 'mirror',
    image: nameText('image'),
    imagePullPolicy: value('image.pullPolicy'),
    args: [
      'agent',
      '--role=mirror',
      '--config=/etc/ballast/config.yaml',
      `--peer-cert-dir=${mirrorPaths.certificates}`,
      `--bootstrap-file=${mirrorPaths.peers}/peers`,
      when(
        { is: of('bootstrapKind'), value: 'dns' },
        text('--dns-bootstrap-domain=', named('fullname'), '-agent-mirror.', named('agentNamespace'), '.svc'),
      ),
      when(writesHosts, recordFlag),
      block('mirror.extraArgs'),
    ],
    env: [
      ...nodeEnvironment,
      // Empty before Kubernetes 1.35, which copies the label of the node to its pods.
      { name: 'BALLAST_ZONE', valueFrom: { fieldRef: { fieldPath: "metadata.labels['topology.kubernetes.io/zone']" } } },
      { name: 'NODE_OPTIONS', value: memoryFlags },
      block('mirror.extraEnv'),
    ],
    startupProbe: { ...ready, failureThreshold: 60 },
    readinessProbe: { ...ready, failureThreshold: 3 },
    livenessProbe: block('mirror.livenessProbe'),
    resources: block('mirror.resources'),
    securityContext: block('mirror.securityContext'),
    volumeMounts: [
      configuration,
      // Where nginx and the agent meet.
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'peers', mountPath: mirrorPaths.peers, readOnly: true },
      { name: 'tls', mountPath: mirrorPaths.certificates, readOnly: true },
      // The directory, for a restarted containerd makes another socket; and as its mounts come and go there, so they do here.
      {
        name: 'containerd',
        mountPath: text({ directory: of('containerdSock') }),
        readOnly: true,
        mountPropagation: 'HostToContainer',
      },
      when(
        { on: of('containerdContentPath') },
        {
          name: 'content',
          mountPath: value(of('containerdContentPath')),
          readOnly: true,
          mountPropagation: 'HostToContainer',
        },
      ),
      when(looksAtHosts, {
        name: 'registry-config',
        mountPath: value(of('containerdRegistryConfigPath')),
        readOnly: true,
        mountPropagation: 'HostToContainer',
      }),
      when(writesHosts, { ...record, readOnly: true }),
      when(keepsIdentity, { name: 'data', mountPath: value(of('persistence.path')) }),
      basicAuth,
      when(callsApi, tokenMount),
      block('mirror.extraVolumeMounts'),
    ],
  }
}

function volumes(): readonly Tree[] {
  const host = (name: string, path: Tree, type: string): Fields => ({ name, hostPath: { path, type } })
  return [
    { name: 'config', configMap: { name: fullName('-config') } },
    { name: 'tmp', emptyDir: { sizeLimit: '32Mi' } },
    // Made by the controller, and maybe after us.
    { name: 'peers', configMap: { name: peersConfigMap, optional: true } },
    { name: 'tls', secret: { secretName: agentTlsSecret, optional: true, defaultMode: 0o400 } },
    host('containerd', text({ directory: of('containerdSock') }), 'Directory'),
    when({ on: of('containerdContentPath') }, host('content', value(of('containerdContentPath')), 'Directory')),
    when(keepsIdentity, host('data', value(of('persistence.hostPath')), 'DirectoryOrCreate')),
    when(looksAtHosts, host('registry-config', value(of('containerdRegistryConfigPath')), 'DirectoryOrCreate')),
    when(writesHosts, { name: 'hosts-record', emptyDir: { sizeLimit: '1Mi' } }),
    when(
      { on: of('basicAuthSecretName') },
      { name: 'basic-auth', secret: { secretName: value(of('basicAuthSecretName')), defaultMode: 0o400 } },
    ),
    when(callsApi, tokenVolume),
    block('mirror.extraVolumes'),
  ]
}
