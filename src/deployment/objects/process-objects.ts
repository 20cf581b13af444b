// What the Deployments of our processes have in common: pods, probes, volumes, disruption budget.

import { graceVariable, podGraceSeconds } from '#process/ending.ts'
import { any, block, type Condition, checksum, type Fields, type Named, not, type Tree, value, when } from '../tree.ts'
import { annotationsWith, fullName, metadataOf, nameText, selectorLabels } from './object-shapes.ts'

/** The API token is mounted by hand, so that it goes only where the API is called and ends after an hour. */
export const tokenVolume: Fields = {
  name: 'api-access',
  projected: {
    sources: [
      { serviceAccountToken: { path: 'token', expirationSeconds: 3600 } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
    ],
  },
}
export const tokenMount: Fields = {
  name: 'api-access',
  mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
  readOnly: true,
}

/** One of our processes, as what differs from the others. `component` is also the block of the values. */
interface ProcessShape {
  readonly component: 'controller' | 'apiserver' | 'gateway'
  readonly account: Named
  /** After the name of the command, before what the values add. */
  readonly args: readonly Tree[]
  /** Beside the pod's name and namespace. */
  readonly env: readonly Tree[]
  readonly ports: readonly Tree[]
  /** Blocks of the values whose change starts the pods anew, by annotation. */
  readonly checksums: Fields
}

/** Keeps one pod of the process while nodes are drained. */
export function processBudget(component: string): Fields {
  const path = `${component}.podDisruptionBudget`
  const byMinimum: Condition = { present: `${path}.minAvailable` }
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: metadataOf({ name: fullName(`-${component}`), component }),
    spec: {
      minAvailable: when(byMinimum, value(`${path}.minAvailable`)),
      maxUnavailable: when(not(byMinimum), value(`${path}.maxUnavailable`)),
      unhealthyPodEvictionPolicy: value(`${path}.unhealthyPodEvictionPolicy`),
      selector: { matchLabels: selectorLabels(component) },
    },
  }
}

/**
 * Apart, where there is room. A constraint of topology spread would not do for both keys: while one is wished for, the scheduler gives no points at
 * all to a node without its label, and small clusters have no zones, so that both replicas would lie on one node.
 */
export const keptApart = (selector: Fields): readonly Fields[] => [
  apart('kubernetes.io/hostname', 100, selector),
  apart('topology.kubernetes.io/zone', 50, selector),
]

const apart = (topologyKey: string, weight: number, selector: Fields): Fields => ({
  weight,
  podAffinityTerm: { topologyKey, labelSelector: { matchLabels: selector } },
})

/**
 * What pods of ours in Deployments tolerate. Who takes the taint of readiness away must not wait for that: where every node registers with it,
 * as in a new cluster, no other node would be left to run on.
 */
export function tolerationsOf(of: string): Tree {
  return when(any({ on: 'capabilities.readiness.enabled' }, { on: `${of}.tolerations` }), [
    when(
      { on: 'capabilities.readiness.enabled' },
      { key: value('capabilities.readiness.taintKey'), operator: 'Exists', effect: 'NoSchedule' },
    ),
    block(`${of}.tolerations`),
  ])
}

/** The Deployment of a process. */
export function processDeployment(shape: ProcessShape): Fields {
  const { component, account, checksums } = shape
  const selector = selectorLabels(component)
  const of = (key: string) => `${component}.${key}`
  const ownAffinity: Condition = { on: of('affinity') }
  const ownSpread: Condition = { on: of('topologySpreadConstraints') }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadataOf({ name: fullName(`-${component}`), component, annotationsOf: [of('annotations')] }),
    spec: {
      replicas: value(of('replicas')),
      revisionHistoryLimit: value(of('revisionHistoryLimit')),
      strategy: block(of('updateStrategy')),
      selector: { matchLabels: selector },
      template: {
        metadata: {
          labels: { ...selector, '...own': block(of('podLabels')) },
          annotations: annotationsWith(
            {
              'ballast.dev/process-checksum': checksum('process'),
              ...checksums,
              'ballast.dev/namespaces-checksum': when({ on: 'rbac.namespaced' }, checksum('rbac.namespaced')),
            },
            [of('podAnnotations')],
            true,
          ),
        },
        spec: {
          serviceAccountName: nameText(account),
          automountServiceAccountToken: false,
          imagePullSecrets: when(any({ on: 'imagePullSecrets' }, { on: 'global.imagePullSecrets' }), [
            block('imagePullSecrets'),
            block('global.imagePullSecrets'),
          ]),
          priorityClassName: value(of('priorityClassName')),
          hostUsers: when({ present: of('hostUsers') }, value(of('hostUsers'))),
          securityContext: block(of('podSecurityContext')),
          nodeSelector: block(of('nodeSelector')),
          tolerations: tolerationsOf(component),
          affinity: when(any(ownAffinity, not(ownSpread)), {
            podAntiAffinity: when(not(ownAffinity), {
              preferredDuringSchedulingIgnoredDuringExecution: keptApart(selector),
            }),
            '...own': block(of('affinity')),
          }),
          topologySpreadConstraints: block(of('topologySpreadConstraints')),
          // The process shares out the same time: it is told by the variable.
          terminationGracePeriodSeconds: podGraceSeconds,
          initContainers: block(of('initContainers')),
          containers: [container(shape)],
          volumes: volumes(component),
        },
      },
    },
  }
}

function container({ component, args, env, ports }: ProcessShape): Fields {
  const of = (key: string) => `${component}.${key}`
  return {
    name: component,
    image: nameText('image'),
    imagePullPolicy: value('image.pullPolicy'),
    args: [component, '--config=/etc/ballast/config.yaml', ...args, block(of('extraArgs'))],
    env: [
      { name: 'BALLAST_POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'BALLAST_POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
      { name: graceVariable, value: String(podGraceSeconds) },
      ...env,
      block(of('extraEnv')),
    ],
    ports,
    startupProbe: block(of('startupProbe')),
    livenessProbe: block(of('livenessProbe')),
    readinessProbe: block(of('readinessProbe')),
    resources: block(of('resources')),
    securityContext: block(of('securityContext')),
    volumeMounts: [
      { name: 'config', mountPath: '/etc/ballast', readOnly: true },
      tokenMount,
      { name: 'tmp', mountPath: '/tmp' },
      block(of('extraVolumeMounts')),
    ],
  }
}

function volumes(component: ProcessShape['component']): readonly Tree[] {
  return [
    { name: 'config', configMap: { name: fullName('-config') } },
    tokenVolume,
    { name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } },
    block(`${component}.extraVolumes`),
  ]
}
