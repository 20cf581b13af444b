// What all pods on nodes share (namespace, quota, configuration), and the DaemonSet of those that call the API: a container each role, with
// its own mounts, in one pod.

import type { Capability, HostAccess } from '#coordination/capability.ts'
import { nodeTrusts, processPorts } from '#coordination/part-hosts.ts'
import { graceVariable, podGraceSeconds } from '#process/ending.ts'
import { all, any, block, type Condition, checksum, type Fields, not, type ObjectTree, type Tree, value, when } from '../tree.ts'
import type { JsonSchema } from '../values/values-schema.ts'
import { type AgentRole, agentRoles, anyRoleOn, runsOnNodes } from './agent-roles.ts'
import { configurationObject } from './namespace-objects.ts'
import { annotationsWith, fullName, metadataOf, nameText, selectorLabels } from './object-shapes.ts'
import { tokenMount, tokenVolume } from './process-objects.ts'

const component = 'agent'
export const agentNamespace = nameText('agentNamespace')
const isApart: Condition = not({ same: ['agentNamespace', 'namespace'] })

/** Namespace, quota and configuration where the pods on nodes are not in the release's namespace. */
export function agentNamespaceObjects(capabilities: readonly Capability[], schema: JsonSchema): readonly ObjectTree[] {
  const runs = runsOnNodes(capabilities, ...nodeTrusts)
  if (runs === undefined) return []
  const levels = { audit: 'baseline', enforce: 'privileged', warn: 'baseline' }
  const labels = Object.fromEntries(Object.entries(levels).map(([mode, level]) => [`pod-security.kubernetes.io/${mode}`, level]))
  return [
    {
      file: 'agents/namespace.yaml',
      when: all(runs, isApart, { on: 'agent.createNamespace' }),
      tree: {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: metadataOf({ name: agentNamespace, namespace: undefined, component: 'namespace', labels }),
      },
    },
    {
      file: 'agents/namespace.yaml',
      when: all(runs, isApart, { on: 'agent.createNamespace' }, { on: 'resourceQuota.create' }),
      tree: {
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: metadataOf({ name: fullName('-critical-pods'), namespace: agentNamespace, component: 'namespace' }),
        spec: {
          hard: { pods: '1G' },
          scopeSelector: {
            matchExpressions: [
              { operator: 'In', scopeName: 'PriorityClass', values: ['system-cluster-critical', 'system-node-critical'] },
            ],
          },
        },
      },
    },
    { ...configurationObject(schema, agentNamespace), file: 'agents/namespace.yaml', when: all(runs, isApart) },
  ]
}

/** The DaemonSet `<fullname>-agent`; none where no capability has such a part. */
export function agentObjects(capabilities: readonly Capability[]): readonly ObjectTree[] {
  const roles = agentRoles(capabilities, 'agent')
  const runs = runsOnNodes(capabilities, 'agent')
  return runs === undefined ? [] : [{ file: 'agents/agent.yaml', when: runs, tree: daemonSet(roles) }]
}

function daemonSet(roles: readonly AgentRole[]): Fields {
  const selector = selectorLabels(component)
  const mounts = roles.flatMap(({ part }) => part.host?.mounts ?? [])
  const paths = new Set(mounts.map(({ path }) => path))
  const made = new Set(mounts.filter(({ isMade }) => isMade).map(({ path }) => path))
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: metadataOf({
      name: fullName('-agent'),
      namespace: agentNamespace,
      component,
      annotationsOf: ['agent.annotations'],
    }),
    spec: {
      revisionHistoryLimit: value('agent.revisionHistoryLimit'),
      updateStrategy: block('agent.updateStrategy'),
      selector: { matchLabels: selector },
      template: {
        metadata: {
          labels: { ...selector, '...own': block('agent.podLabels') },
          annotations: annotationsWith({ 'ballast.dev/process-checksum': checksum('process') }, ['agent.podAnnotations'], true),
        },
        spec: {
          serviceAccountName: nameText('agentAccount'),
          ...podOnNode('agent'),
          initContainers: block('agent.initContainers'),
          containers: roles.map(role => when(anyRoleOn([role]), container(role))),
          volumes: [
            { name: 'config', configMap: { name: fullName('-config') } },
            tokenVolume,
            ...Array.from(paths, (path): Tree => {
              const hostPath = { path, ...(made.has(path) ? { type: 'DirectoryOrCreate' } : {}) }
              return when(mountedWhen(roles, path), { name: volumeName(path), hostPath })
            }),
            block('agent.extraVolumes'),
          ],
        },
      },
    },
  }
}

/** A pod has no more of its machine than its containers take. */
function mountedWhen(roles: readonly AgentRole[], path: string): Condition {
  const taking = roles.flatMap(role => {
    const mount = role.part.host?.mounts.find(one => one.path === path)
    return mount === undefined ? [] : [{ role, switchedBy: mount.switchedBy }]
  })
  const always = taking.filter(({ switchedBy }) => switchedBy === undefined).map(({ role }) => role)
  const switched = taking.flatMap(({ role, switchedBy }) =>
    switchedBy === undefined ? [] : [all(anyRoleOn([role]), settingOf(role, switchedBy))],
  )
  return switched.length === 0 ? anyRoleOn(always) : any(...(always.length === 0 ? [] : [anyRoleOn(always)]), ...switched)
}

const settingOf = ({ capability }: AgentRole, setting: string): Condition => ({ on: `capabilities.${capability}.${setting}` })

const volumeName = (path: string) => `host${path.replaceAll(/[^A-Za-z0-9]+/g, '-').toLowerCase()}`.replace(/-$/, '').slice(0, 63)

/** What pods on nodes have in common, from the block `of` of the values. */
export function podOnNode(of: string): Fields {
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    imagePullSecrets: when(any({ on: 'imagePullSecrets' }, { on: 'global.imagePullSecrets' }), [
      block('imagePullSecrets'),
      block('global.imagePullSecrets'),
    ]),
    priorityClassName: value(`${of}.priorityClassName`),
    securityContext: block(`${of}.podSecurityContext`),
    nodeSelector: block(`${of}.nodeSelector`),
    tolerations: block(`${of}.tolerations`),
    affinity: block(`${of}.affinity`),
    terminationGracePeriodSeconds: podGraceSeconds,
  }
}

const fieldOf = (name: string, fieldPath: string): Fields => ({ name, valueFrom: { fieldRef: { fieldPath } } })

/** Who and where a pod on a node is. */
export const nodeEnvironment: readonly Fields[] = [
  fieldOf('BALLAST_POD_NAME', 'metadata.name'),
  fieldOf('BALLAST_POD_NAMESPACE', 'metadata.namespace'),
  fieldOf('BALLAST_POD_UID', 'metadata.uid'),
  fieldOf('NODE_NAME', 'spec.nodeName'),
  { name: graceVariable, value: String(podGraceSeconds) },
  fieldOf('NODE_IP', 'status.hostIP'),
]

const mountOf = ({ path, at = path, access, propagation }: HostAccess['mounts'][number]): Fields => ({
  name: volumeName(path),
  mountPath: at,
  ...(access === 'read' ? { readOnly: true } : {}),
  ...(propagation === undefined ? {} : { mountPropagation: propagation }),
})

/** Containers of one pod share its network, so that each says a port of its own for health and metrics; one of them may have the usual one. */
function container(of: AgentRole): Fields {
  const { role, part } = of
  const port = part.listeners.find(listener => listener.kind === 'port')?.port
  const probe = (path: string, failureThreshold: number, periodSeconds: number): Fields => ({
    httpGet: { path, port: port ?? 0 },
    periodSeconds,
    failureThreshold,
    timeoutSeconds: 5,
  })
  const user = part.host?.user === 'root' ? 0 : 65_532
  return {
    name: role,
    image: nameText('image'),
    imagePullPolicy: value('image.pullPolicy'),
    args: [
      'agent',
      `--role=${role}`,
      '--config=/etc/ballast/config.yaml',
      `--health-probe-bind-address=:${port ?? processPorts.health}`,
      block('agent.extraArgs'),
    ],
    env: [...nodeEnvironment, block('agent.extraEnv')],
    ...(port === undefined
      ? {}
      : {
          ports: [{ name: role, containerPort: port, protocol: 'TCP' }],
          startupProbe: probe('/livez', 30, 1),
          livenessProbe: probe('/livez', 3, 10),
          readinessProbe: probe('/readyz', 3, 5),
        }),
    resources: block('agent.resources'),
    securityContext: { '...tight': block('agent.securityContext'), runAsNonRoot: user !== 0, runAsUser: user, runAsGroup: user },
    volumeMounts: [
      { name: 'config', mountPath: '/etc/ballast', readOnly: true },
      tokenMount,
      ...(part.host?.mounts ?? []).map((mount): Tree => {
        const { switchedBy } = mount
        return switchedBy === undefined ? mountOf(mount) : when(settingOf(of, switchedBy), mountOf(mount))
      }),
      block('agent.extraVolumeMounts'),
    ],
  }
}
