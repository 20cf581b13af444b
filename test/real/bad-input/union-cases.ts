// Enumerations and unions: a word that is none of the choices, the choice without its part, and parts of two choices.
import { type Body, casesOf, groupIn, pod, sent } from './requests.ts'

const namespace = 'unions'

const target = { type: 'Utilization', averageUtilization: 50 }
const resource = { name: 'cpu', target }

const autoscaler = (spec: object) => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'a', namespace },
  spec: { maxReplicas: 2, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' }, ...spec },
})

const metrics: Readonly<Record<string, object>> = {
  'a metric of unknown type': { type: 'Guess' },
  'a metric of no type': { resource },
  'a metric of type Resource without resource': { type: 'Resource' },
  'a metric of type Pods with resource': { type: 'Pods', resource },
  'a metric of two parts': {
    type: 'Resource',
    resource,
    pods: { metric: { name: 'rps' }, target: { type: 'AverageValue', averageValue: '1' } },
  },
  'a resource without name': { type: 'Resource', resource: { target } },
  'a container resource without container': { type: 'ContainerResource', containerResource: { name: 'cpu', target } },
  'a target of unknown type': { type: 'Resource', resource: { name: 'cpu', target: { type: 'Most', averageUtilization: 50 } } },
  'a target without type': { type: 'Resource', resource: { name: 'cpu', target: { averageUtilization: 50 } } },
  'a target without value': { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization' } } },
  'a target of two values': {
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50, averageValue: '1' } },
  },
  'a utilization of 0': { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 0 } } },
  'a negative average': { type: 'Resource', resource: { name: 'cpu', target: { type: 'AverageValue', averageValue: '-1' } } },
  'an object metric without object': { type: 'Object', object: { metric: { name: 'm' }, target: { type: 'Value', value: '1' } } },
  'an external metric without value': { type: 'External', external: { metric: { name: 'm' }, target: { type: 'Value' } } },
  'pods with a plain value': { type: 'Pods', pods: { metric: { name: 'm' }, target: { type: 'Value', value: '1' } } },
  'pods without metric': { type: 'Pods', pods: { metric: { name: '' }, target: { type: 'AverageValue', averageValue: '1' } } },
}

const specs: Readonly<Record<string, object>> = {
  'an autoscaler of nothing': { scaleTargetRef: { kind: '', name: '' } },
  'an autoscaler of a path': { scaleTargetRef: { kind: 'a/b', name: 'a/b' } },
  'a floor of 0': { minReplicas: 0 },
  'a selectPolicy of nobody': { behavior: { scaleUp: { selectPolicy: 'Most' } } },
  'a scaling policy of unknown type': { behavior: { scaleDown: { policies: [{ type: 'Share', value: 1, periodSeconds: 60 }] } } },
  'a scaling policy of 0': { behavior: { scaleDown: { policies: [{ type: 'Pods', value: 0, periodSeconds: 0 }] } } },
  'a window of 3601 seconds': { behavior: { scaleDown: { stabilizationWindowSeconds: 3601 } } },
}

const template = (spec: Body = {}) => ({
  metadata: { labels: { app: 'a' } },
  spec: { containers: [{ name: 'c', image: 'nginx:1' }], ...spec },
})
const workload = (kind: string, spec: Body): Body => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'a' },
  spec: { selector: { matchLabels: { app: 'a' } }, template: template(), ...spec },
})
const job = (spec: Body): Body => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'a' },
  spec: { template: template({ restartPolicy: 'Never' }), ...spec },
})
const cron = (spec: Body): Body => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'a' },
  spec: { schedule: '* * * * *', jobTemplate: { spec: { template: template({ restartPolicy: 'Never' }) } }, ...spec },
})
const rolling = (rollingUpdate: Body) => ({ updateStrategy: { type: 'RollingUpdate', rollingUpdate } })

const inNamespace = (group: string, plural: string) =>
  `${group === 'v1' ? '/api/v1' : `/apis/${group}`}/namespaces/${namespace}/${plural}?dryRun=All`
const apps = (plural: string) => inNamespace('apps/v1', plural)
const batch = (plural: string) => inNamespace('batch/v1', plural)

const containers: Readonly<Record<string, Body>> = {
  'a container with all keys of nothing': { envFrom: [{}] },
  'a container with all keys of two': { envFrom: [{ configMapRef: { name: 'a' }, secretRef: { name: 'a' } }] },
  'a container with a hook of nothing': { lifecycle: { preStop: {} } },
  'a container with a hook of two': { lifecycle: { postStart: { exec: { command: ['a'] }, sleep: { seconds: 1 } } } },
  'a container with a probe that runs nothing': { livenessProbe: { exec: {} } },
  'a container that ends with a word of nobody': { terminationMessagePolicy: 'Letter' },
}
const volumes: Readonly<Record<string, Body>> = {
  'a volume of less than nothing': { emptyDir: { sizeLimit: '-1' } },
  'a volume of a ConfigMap without name': { configMap: {} },
  'a volume of a Secret without name': { secret: {} },
  'a volume of a claim without name': { persistentVolumeClaim: {} },
}

/** Path and object. */
const words: Readonly<Record<string, readonly [string, Body]>> = {
  'a StatefulSet that is updated somehow': [
    apps('statefulsets'),
    workload('StatefulSet', { updateStrategy: { type: 'Somehow' } }),
  ],
  'a StatefulSet of an order of nobody': [apps('statefulsets'), workload('StatefulSet', { podManagementPolicy: 'Random' })],
  'a StatefulSet of partition -1': [apps('statefulsets'), workload('StatefulSet', rolling({ partition: -1 }))],
  'a DaemonSet that is updated somehow': [apps('daemonsets'), workload('DaemonSet', { updateStrategy: { type: 'Somehow' } })],
  'a DaemonSet with a share of x': [apps('daemonsets'), workload('DaemonSet', rolling({ maxUnavailable: 'x' }))],
  'a DaemonSet with shares of 0': [apps('daemonsets'), workload('DaemonSet', rolling({ maxUnavailable: 0, maxSurge: 0 }))],
  'a DaemonSet with two shares': [apps('daemonsets'), workload('DaemonSet', rolling({ maxUnavailable: 1, maxSurge: 1 }))],
  'a Job of an unknown completion mode': [batch('jobs'), job({ completionMode: 'Sometimes' })],
  'a Job of an unknown replacement': [batch('jobs'), job({ podReplacementPolicy: 'Never' })],
  'a CronJob of an unknown concurrency': [batch('cronjobs'), cron({ concurrencyPolicy: 'Perhaps' })],
  'a CronJob of an unknown zone': [batch('cronjobs'), cron({ timeZone: 'Mars/Olympus' })],
  'a Service of unknown type': [
    inNamespace('v1', 'services'),
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec: { type: 'Door', ports: [{ port: 80 }] } },
  ],
  'a budget of an unknown policy': [
    inNamespace('policy/v1', 'poddisruptionbudgets'),
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'a' },
      spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: 'Perhaps' },
    },
  ],
  ...Object.fromEntries(
    ['Deployment', 'StatefulSet', 'DaemonSet'].flatMap(kind =>
      ['minReadySeconds', 'revisionHistoryLimit'].map(field => [
        `a ${kind} of ${field} -1`,
        [apps(`${kind.toLowerCase()}s`), workload(kind, { [field]: -1 })],
      ]),
    ),
  ),
  ...Object.fromEntries(
    Object.entries(containers).map(([name, container]) => [
      name,
      [inNamespace('v1', 'pods'), pod('a', { containers: [{ name: 'c', image: 'nginx:1', ...container }] })],
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(volumes).map(([name, volume]) => [
      name,
      [inNamespace('v1', 'pods'), pod('a', { volumes: [{ name: 'v', ...volume }] })],
    ]),
  ),
  'a pod of an unknown DNS policy': [inNamespace('v1', 'pods'), pod('a', { dnsPolicy: 'Telepathy' })],
  'a StorageClass that binds somehow': [
    '/apis/storage.k8s.io/v1/storageclasses?dryRun=All',
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'a' },
      provisioner: 'x.example.com/y',
      volumeBindingMode: 'Somehow',
    },
  ],
  'a StorageClass that keeps somehow': [
    '/apis/storage.k8s.io/v1/storageclasses?dryRun=All',
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'a' },
      provisioner: 'x.example.com/y',
      reclaimPolicy: 'Somehow',
    },
  ],
  'a PriorityClass of an unknown preemption': [
    '/apis/scheduling.k8s.io/v1/priorityclasses?dryRun=All',
    { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'a' }, value: 1, preemptionPolicy: 'Always' },
  ],
}

const autoscalers = inNamespace('autoscaling/v2', 'horizontalpodautoscalers')

export const unionGroup = groupIn(namespace, {
  cases: [
    ...casesOf(metrics, metric => sent('POST', autoscalers, autoscaler({ metrics: [metric] }))),
    ...casesOf(specs, spec => sent('POST', autoscalers, autoscaler(spec))),
    ...casesOf(words, ([path, body]) => sent('POST', path, body)),
  ],
})
