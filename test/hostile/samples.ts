// Real objects that hostile ones are made of: those of an example, and small ones of kinds that it has not.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readDocuments } from '#cluster/documents.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { testTemplate, testWorkload } from '#twin/components/cluster-for-tests.ts'
import { homelabFolder } from '../homelab-states.ts'

/** A custom kind with and without shape, with scale and columns. */
export const hostileDefinition: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.hostile.example.com' },
  spec: {
    group: 'hostile.example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: {
          status: {},
          scale: {
            specReplicasPath: '.spec.replicas',
            statusReplicasPath: '.status.replicas',
            labelSelectorPath: '.status.selector',
          },
        },
        additionalPrinterColumns: [
          { name: 'Big', type: 'integer', jsonPath: '.spec.big' },
          { name: 'When', type: 'date', jsonPath: '.spec.when' },
          { name: 'Free', type: 'string', jsonPath: '.spec.free' },
        ],
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: {
                  replicas: { type: 'integer' },
                  big: { type: 'integer', format: 'int64' },
                  share: { type: 'number' },
                  when: { type: 'string' },
                  name: { type: 'string', pattern: '^(a+)+$', maxLength: 50 },
                  either: { 'x-kubernetes-int-or-string': true },
                  free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
                  ports: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['port'],
                    items: {
                      type: 'object',
                      required: ['port'],
                      properties: { port: { type: 'integer' }, name: { type: 'string' } },
                    },
                  },
                  sums: { type: 'object', additionalProperties: { type: 'integer' } },
                },
                'x-kubernetes-validations': [{ rule: '!has(self.big) || self.big != 7' }],
              },
              status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            },
          },
        },
      },
    ],
  },
}

/** All samples that live in a namespace are of `namespace`. */
export function hostileSamples(namespace: string): readonly KubeObject[] {
  const folder = join(homelabFolder, 'cluster')
  const example = readdirSync(folder).flatMap(file =>
    readDocuments(file, readFileSync(join(folder, file), 'utf8')).objects.map(read => read.object),
  )
  const written = example.filter(({ kind }) => !kind.endsWith('Metrics') && !kind.endsWith('List'))
  return [...written, ...small, ...small].map(object =>
    object.metadata.namespace === undefined ? object : { ...object, metadata: { ...object.metadata, namespace } },
  )
}

const container = {
  name: 'c',
  image: 'registry.example/app:1',
  ports: [{ name: 'http', containerPort: 80 }],
  env: [
    { name: 'A', value: 'b' },
    { name: 'C', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
  ],
  resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '1', memory: '128Mi', 'ephemeral-storage': '1Gi' } },
  livenessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 10, terminationGracePeriodSeconds: 5 },
  volumeMounts: [{ name: 'e', mountPath: '/e' }],
}
const podSpec = {
  terminationGracePeriodSeconds: 30,
  activeDeadlineSeconds: 600,
  containers: [container],
  initContainers: [
    { name: 'i', image: 'registry.example/init:1', restartPolicy: 'Always', resources: { requests: { cpu: '10m' } } },
  ],
  tolerations: [{ key: 'a', operator: 'Equal', value: 'b', effect: 'NoExecute', tolerationSeconds: 30 }],
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: { matchLabels: { app: 'x' } },
    },
  ],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: 'cores', operator: 'Gt', values: ['0'] }] },
          { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1', 'n2'] }] },
        ],
      },
    },
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        {
          weight: 10,
          podAffinityTerm: {
            topologyKey: 'kubernetes.io/hostname',
            labelSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['x'] }] },
          },
        },
      ],
    },
  },
  overhead: { cpu: '10m' },
  priority: 0,
  volumes: [{ name: 'e', emptyDir: { sizeLimit: '1Gi' } }],
}
const claimSpec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: 'local' }
const meta = (name: string) => ({ name, namespace: 'default' })
const template = {
  metadata: { labels: { app: 'x' }, annotations: { 'ballast.dev/twin-ready-after': '3s', 'ballast.dev/twin-run-for': '90s' } },
  spec: podSpec,
}

const small: readonly KubeObject[] = [
  { apiVersion: 'v1', kind: 'Pod', metadata: { ...meta('a'), labels: { app: 'x' } }, spec: podSpec },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...meta('b'),
      labels: { app: 'x' },
      annotations: { 'ballast.dev/twin-usage-memory': '64Mi', 'ballast.dev/twin-usage-cpu': '100m' },
    },
    spec: { nodeName: 'n1', containers: [container], resources: { requests: { cpu: '1' } } },
  },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: meta('a'),
    spec: {
      replicas: 2,
      minReadySeconds: 1,
      progressDeadlineSeconds: 60,
      revisionHistoryLimit: 2,
      selector: { matchLabels: { app: 'x' } },
      strategy: { rollingUpdate: { maxSurge: '25%', maxUnavailable: 1 } },
      template: { ...template, metadata: { labels: { app: 'x' } } },
    },
  },
  testWorkload('Deployment', 'a', { replicas: 3 }),
  testWorkload('StatefulSet', 'a', {
    replicas: 2,
    ordinals: { start: 1 },
    volumeClaimTemplates: [{ metadata: { name: 'v' }, spec: claimSpec }],
  }),
  testWorkload('DaemonSet', 'a', { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } } }),
  testWorkload('ReplicaSet', 'a', { replicas: 2 }),
  {
    apiVersion: 'v1',
    kind: 'ReplicationController',
    metadata: meta('a'),
    spec: { replicas: 1, selector: { app: 'x' }, template: { metadata: { labels: { app: 'x' } }, spec: podSpec } },
  },
  {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: meta('a'),
    spec: {
      completions: 2,
      parallelism: 2,
      backoffLimit: 2,
      activeDeadlineSeconds: 60,
      ttlSecondsAfterFinished: 5,
      template: testTemplate('j', { restartPolicy: 'Never' }),
    },
  },
  {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: meta('a'),
    spec: {
      schedule: '* * * * *',
      timeZone: 'Europe/Berlin',
      startingDeadlineSeconds: 10,
      successfulJobsHistoryLimit: 1,
      jobTemplate: { spec: { template: testTemplate('j', { restartPolicy: 'Never' }) } },
    },
  },
  {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: meta('a'),
    spec: {
      minReplicas: 1,
      maxReplicas: 3,
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' },
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'AverageValue', averageValue: '100m' } } }],
      behavior: { scaleDown: { stabilizationWindowSeconds: 5, policies: [{ type: 'Pods', value: 1, periodSeconds: 15 }] } },
    },
  },
  {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: meta('a'),
    spec: { minAvailable: '50%', selector: { matchLabels: { app: 'x' } } },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: meta('a'),
    spec: { selector: { app: 'x' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  },
  { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: meta('a'), spec: claimSpec },
  {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'a' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'local',
      hostPath: { path: '/a' },
      persistentVolumeReclaimPolicy: 'Delete',
    },
  },
  {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'local' },
    provisioner: 'rancher.io/local-path',
    volumeBindingMode: 'WaitForFirstConsumer',
  },
  {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'CSIStorageCapacity',
    metadata: meta('a'),
    storageClassName: 'local',
    capacity: '1Gi',
    nodeTopology: { matchLabels: { a: 'b' } },
  },
  {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: meta('a'),
    spec: { hard: { 'requests.cpu': '10', pods: '10', 'count/configmaps': '5' } },
  },
  {
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: meta('a'),
    spec: {
      limits: [
        {
          type: 'Container',
          default: { cpu: '1' },
          defaultRequest: { cpu: '100m' },
          max: { cpu: '2' },
          maxLimitRequestRatio: { cpu: '4' },
        },
      ],
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'a', labels: { cores: '4' } },
    spec: { taints: [{ key: 'a', effect: 'NoExecute', timeAdded: '2026-01-01T00:00:00Z' }] },
    status: {
      capacity: { cpu: '4', memory: '8Gi', pods: '110' },
      allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
      conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: '2026-01-01T00:00:00Z' }],
      images: [{ names: ['registry.example/app:1'], sizeBytes: 1000 }],
    },
  },
  {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: meta('a'),
    spec: { holderIdentity: 'x', leaseDurationSeconds: 15, renewTime: '2026-01-01T00:00:00.000000Z', leaseTransitions: 1 },
  },
  {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: meta('a'),
    involvedObject: { kind: 'Pod', name: 'a', namespace: 'default' },
    reason: 'R',
    count: 1,
    lastTimestamp: '2026-01-01T00:00:00Z',
    type: 'Normal',
  },
  { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'a' }, value: 1000 },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'a' },
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
  },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'a' },
    spec: {
      matchConstraints: {
        resourceRules: [{ apiGroups: ['hostile.example.com'], apiVersions: ['*'], operations: ['*'], resources: ['*'] }],
      },
      validations: [{ expression: 'object.spec.big < 9007199254740993' }],
    },
  },
  {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v1.remote.example.com' },
    spec: {
      group: 'remote.example.com',
      version: 'v1',
      groupPriorityMinimum: 100,
      versionPriority: 1,
      service: { name: 'a', namespace: 'hostile', port: 443 },
    },
  },
  hostileDefinition,
  {
    apiVersion: 'hostile.example.com/v1',
    kind: 'Widget',
    metadata: meta('a'),
    spec: {
      replicas: 1,
      big: 5,
      share: 0.5,
      when: '2026-01-01T00:00:00Z',
      free: { a: 1, b: [2, 3] },
      ports: [{ port: 1 }, { port: 2 }],
      sums: { a: 1 },
      either: '5%',
    },
    status: { replicas: 1, selector: 'a=b' },
  },
  {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'TwinUsage',
    metadata: { name: 'a' },
    spec: { match: { namespace: 'hostile' }, memory: { constant: '1Gi' }, cpu: { constant: '100m' } },
  },
  {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'TwinStage',
    metadata: { name: 'a' },
    spec: {
      resource: { apiGroup: 'hostile.example.com', kind: 'Widget' },
      match: 'has(object.spec)',
      delay: '1s',
      next: { status: { phase: 'Done' } },
    },
  },
  {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'TwinFault',
    metadata: { name: 'a' },
    spec: { match: { resource: 'leases', namespace: 'hostile' }, status: { code: 500 }, count: 1 },
  },
  { apiVersion: 'ballast.dev/v1alpha1', kind: 'TwinClock', metadata: { name: 'clock' }, spec: { advance: '1s' } },
]
