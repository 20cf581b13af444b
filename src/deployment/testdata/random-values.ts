// Valid values at random: the same seed, the same values.
import type { Capability } from '#coordination/capability.ts'
import { seededRandom } from '#kube/random.ts'
import { merged } from '../installation.ts'
import type { Values } from '../names.ts'

type Choice = Readonly<Record<string, unknown>>

/** Each choice may be made or not, and does not depend on another. */
const choices: readonly Choice[] = [
  { fullnameOverride: 'trim' },
  { nameOverride: 'keeper' },
  { namespaceOverride: 'elsewhere' },
  { namespace: { create: true } },
  { resourceQuota: { create: false } },
  { commonLabels: { team: 'platform', stage: '1' } },
  { commonAnnotations: { 'example.com/owner': 'me: "you"' } },
  { image: { tag: 'v9', registry: 'registry.example' } },
  { image: { digest: `sha256:${'0'.repeat(64)}` } },
  { global: { imageRegistry: 'mirror.example:5000', imagePullSecrets: [{ name: 'one' }] } },
  { imagePullSecrets: [{ name: 'two' }] },
  { controller: { replicas: 1, revisionHistoryLimit: 0 } },
  { controller: { tolerations: [{ operator: 'Exists' }], affinity: { nodeAffinity: {} } } },
  { controller: { podAnnotations: { in: '{{ .Release.Namespace }}' }, podLabels: { a: 'yes' }, annotations: { n: '1e3' } } },
  { controller: { extraArgs: ['--log-level=debug'], extraEnv: [{ name: 'TZ', value: 'UTC' }] } },
  { controller: { extraVolumes: [{ name: 'x', emptyDir: {} }], extraVolumeMounts: [{ name: 'x', mountPath: '/x' }] } },
  { controller: { hostUsers: false, priorityClassName: 'high' } },
  { controller: { podDisruptionBudget: { minAvailable: '50%' } } },
  { controller: { podDisruptionBudget: { enabled: false } } },
  { controller: { topologySpreadConstraints: [{ maxSkew: 2, topologyKey: 'rack', whenUnsatisfiable: 'DoNotSchedule' }] } },
  { controller: { serviceAccount: { create: false, name: 'mine' } } },
  { controller: { serviceAccount: { annotations: { 'eks.example/role': 'arn:x' } } } },
  { controller: { initContainers: [{ name: 'wait', image: 'busybox' }] } },
  { controller: { nodeSelector: { arch: 'arm64' }, resources: { limits: { memory: '1Gi' } } } },
  { apiserver: { enabled: true } },
  { agent: { namespace: 'kube-system', createNamespace: false } },
  { agent: { namespace: 'ballast-system' } },
  { agent: { createNamespace: false, tolerations: [], extraEnv: [{ name: 'TZ', value: 'UTC' }] } },
  { agent: { serviceAccount: { create: false, name: 'theirs' }, podAnnotations: { in: '{{ .Release.Namespace }}' } } },
  { mirror: { resources: {}, updateStrategy: {}, livenessProbe: { httpGet: { path: '/livez', port: 29_997 } } } },
  { mirror: { extraVolumes: [{ name: 'x', emptyDir: {} }], extraVolumeMounts: [{ name: 'x', mountPath: '/x' }] } },
  { mirror: { cleanup: { enabled: false }, initContainers: [{ name: 'wait', image: 'busybox' }] } },
  { mirror: { serviceAccount: { annotations: { a: 'b' } }, podLabels: { team: 'net' }, service: { annotations: { c: 'd' } } } },
  { nfs: { node: { propagateHostMountOptions: true, podLabels: { team: 'disks' }, healthPort: 9_808 } } },
  { nfs: { node: { extraVolumes: [{ name: 'x', emptyDir: {} }], serviceAccount: { create: false, name: 'mounts' } } } },
  { nfs: { controller: { replicas: 2, runOnControlPlane: true, updateStrategy: { type: 'RollingUpdate' } } } },
  { nfs: { controller: { affinity: { nodeAffinity: {} }, tolerations: [], dnsPolicy: 'Default', annotations: { n: '1e3' } } } },
  { nfs: { csiDriver: { inlineVolumes: true, fsGroupPolicy: 'None' } } },
  { nfs: { csiDriver: { create: false } } },
  { apiserver: { replicas: 1, podDisruptionBudget: { enabled: false }, service: { port: 443, annotations: { lb: 'internal' } } } },
  { apiserver: { serviceAccount: { create: false, name: 'face' }, extraArgs: ['--cluster-name=home'], hostUsers: false } },
  { apiserver: { podDisruptionBudget: { minAvailable: 1 }, extraVolumes: [{ name: 'tls', secret: { secretName: 'page' } }] } },
  { dashboard: { enabled: false } },
  { dashboard: { timeZone: 'Europe/Berlin', limits: { streams: 7 } } },
  { dashboard: { actions: true, auth: { mode: 'token' }, allowedHosts: ['ballast.example'] } },
  { dashboard: { actions: true, auth: { mode: 'proxy', proxy: { trustLoopback: true } } } },
  { process: { logLevel: 'debug', kubeApiQPS: 12.5 } },
  { process: { healthProbeBindAddress: ':8081' } },
  { arbiter: { freeze: 'until <Monday> & later', caps: { concurrent: 4 } } },
  { arbiter: { windows: { deschedule: ['0 4 * * *;2h;Europe/Berlin'] } } },
  { webhooks: { enabled: false } },
  { webhooks: { clientCA: '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n' } },
  { crds: { install: false } },
  { crds: { keep: false } },
  { crds: { annotations: { a: 'b' } } },
  { rbac: { create: false } },
  { rbac: { aggregate: false } },
  { rbac: { namespaced: ['shop', 'web'] } },
  { metrics: { serviceMonitor: { enabled: true, labels: { release: '{{ .Release.Name }}' } } } },
  { metrics: { podMonitor: { enabled: true, namespace: '{{ .Release.Namespace }}', relabelings: [{ action: 'drop' }] } } },
  { prometheusRule: { enabled: true, disable: ['BallastFrozen'], labels: { p: 'k8s' } } },
  { grafanaDashboard: { enabled: true, annotations: { folder: 'Ops' } } },
  { grafanaDashboard: { enabled: true, mode: 'GrafanaOperator' } },
  { networkPolicy: { enabled: true, from: { webhooks: [{ ipBlock: { cidr: '10.0.0.1/32' } }], page: [{ podSelector: {} }] } } },
  { networkPolicy: { enabled: true, from: { metrics: [{ namespaceSelector: { matchLabels: { a: 'b' } } }] } } },
  { networkPolicy: { enabled: true, extraEgress: [{ ports: [{ port: 8443 }] }] } },
  { uninstallHook: { enabled: false } },
  { descheduler: { enabled: true } },
  { descheduler: { enabled: true, kind: 'Deployment', interval: '1h30m', updateStrategy: { type: 'Recreate' } } },
  { descheduler: { replicas: 2, leaderElection: { enabled: true, retryPeriod: '5s', resourceNamespace: 'apart' } } },
  { descheduler: { dryRun: true, service: { enabled: true, ipFamilies: ['IPv4'] }, timeZone: 'Europe/Berlin' } },
  {
    descheduler: {
      policy: { metricsProviders: [{ source: 'KubernetesMetrics' }], nodeSelector: 'pool={{ .Release.Name }}' },
      tokenSecrets: [{ namespace: 'monitoring', name: 'token' }],
      podDisruptionBudget: { enabled: true, annotations: { a: 'b' } },
      extraArgs: ['--feature-gates=EvictionsInBackground=true'],
    },
  },
  {
    extraObjects: [
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'mine', namespace: '{{ .Release.Namespace }}' }, data: { a: 'b' } },
    ],
  },
]

const ofCapability: Readonly<Record<string, readonly Choice[]>> = {
  mirror: [
    { bootstrapKind: 'kubernetes' },
    { bootstrapKind: 'dns' },
    { containerdContentPath: '', persistence: { enabled: false } },
    { containerdSock: '/run/k3s/containerd/containerd.sock', ports: [30_020] },
    { nodeConfiguration: { mode: 'operator' } },
    { nodeConfiguration: { mode: 'none', existing: 'replace' } },
    { basicAuthSecretName: 'mirror-auth', registries: ['https://docker.io', '_default'] },
    { allowFrom: ['10.0.0.0/8'], filters: [':latest$'], metricsPort: 9_090 },
  ],
  nfs: [
    { driverName: 'nas.example', mountPermissions: '0777' },
    { kubeletDir: '/var/lib/k0s/kubelet', controller: { workingMountDir: '/mnt/shares' } },
  ],
  reload: [
    { argoRollouts: true },
    { csiIntegration: true },
    { resourcesToIgnore: ['secrets'] },
    { resourcesToIgnore: ['configmaps'] },
    { ignoredWorkloadTypes: ['jobs'] },
    { ignoredWorkloadTypes: ['cronjobs'] },
    { ignoredWorkloadTypes: ['jobs', 'cronjobs'] },
    { customKinds: [{ group: 'serving.example', version: 'v1', kind: 'Service', resource: 'services' }] },
    { namespaces: ['shop', 'web'] },
    { reloadStrategy: 'annotations', autoReloadAll: true },
  ],
}

/** About every fourth choice, and each capability on or off. */
export function randomValues(capabilities: readonly Capability[], seed: number): Values {
  const random = seededRandom(seed)
  const picked = (of: readonly Choice[]) => of.filter(() => random() < 0.25)
  const sections = capabilities.map(({ name }) => {
    const own = picked(ofCapability[name] ?? []).reduce(merged, {})
    return { capabilities: { [name]: random() < 0.3 ? own : { ...own, enabled: random() < 0.6 } } }
  })
  return [...picked(choices), ...sections].reduce(merged, {})
}
