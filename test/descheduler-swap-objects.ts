// What an installation of the descheduler leaves in a cluster, upstream's by its chart or its plain manifests, and Ballast by ours.
import type { KubeObject } from '#kube/objects/objects.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects } from '../src/deployment/objects.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'

const namespace = 'kube-system'

/** Ballast as `ballast manifests` makes it, with values of its descheduler, and of all. */
export const ownInstallation = (descheduler: object = {}, around: object = {}): readonly KubeObject[] =>
  objects(installationValues({ preset: { ...around, descheduler } }, enabledCapabilities), {
    capabilities: enabledCapabilities,
    release: plainRelease('ballast', 'ballast-system'),
  })

export const policyText = `apiVersion: descheduler/v1alpha2
kind: DeschedulerPolicy
profiles:
- name: default
  pluginConfig:
  - name: DefaultEvictor
  - name: RemoveDuplicates
  plugins: {balance: {enabled: [RemoveDuplicates]}}
`

type Kind = 'Deployment' | 'CronJob'

interface Installed {
  readonly kind: Kind
  /** By upstream's chart, or by its plain manifests. */
  readonly by: 'helm' | 'manifests'
  readonly args?: readonly string[]
  readonly replicas?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly policy?: string
  readonly schedule?: string
  readonly suspend?: boolean
}

const chartLabels = {
  'app.kubernetes.io/name': 'descheduler',
  'app.kubernetes.io/instance': 'descheduler',
  'app.kubernetes.io/version': '0.36.0',
  'app.kubernetes.io/managed-by': 'Helm',
  'helm.sh/chart': 'descheduler-0.36.0',
}
const chartAnnotations = { 'meta.helm.sh/release-name': 'descheduler', 'meta.helm.sh/release-namespace': namespace }

/** What an installation leaves in a cluster, and Helm's own record of it. */
export function deschedulerInstallation(wanted: Installed): readonly KubeObject[] {
  const {
    kind,
    by,
    args = [],
    replicas = 1,
    labels = {},
    policy = policyText,
    schedule = '*/2 * * * *',
    suspend = false,
  } = wanted
  const isHelm = by === 'helm'
  const names = isHelm
    ? { workload: 'descheduler', account: 'descheduler', policy: 'descheduler', role: 'descheduler', binding: 'descheduler' }
    : {
        workload: kind === 'CronJob' ? 'descheduler-cronjob' : 'descheduler',
        account: 'descheduler-sa',
        policy: 'descheduler-policy-configmap',
        role: 'descheduler-cluster-role',
        binding: 'descheduler-cluster-role-binding',
      }
  const metadata = (name: string, isNamespaced = true) => ({
    name,
    ...(isNamespaced ? { namespace } : {}),
    ...(isHelm ? { labels: chartLabels, annotations: chartAnnotations } : {}),
  })
  const interval = kind === 'Deployment' ? ['--descheduling-interval=5m'] : []
  const pod = {
    metadata: { labels: { 'app.kubernetes.io/name': 'descheduler', 'app.kubernetes.io/instance': 'descheduler' } },
    spec: {
      serviceAccountName: names.account,
      ...(kind === 'CronJob' ? { restartPolicy: 'Never' } : {}),
      containers: [
        {
          name: 'descheduler',
          image: 'registry.k8s.io/descheduler/descheduler:v0.36.0',
          command: ['/bin/descheduler'],
          args: ['--policy-config-file=/policy-dir/policy.yaml', ...interval, '--v=3', ...args],
          volumeMounts: [{ mountPath: '/policy-dir', name: 'policy-volume' }],
        },
      ],
      volumes: [{ name: 'policy-volume', configMap: { name: names.policy } }],
    },
  }
  const spec =
    kind === 'Deployment'
      ? { replicas, selector: { matchLabels: pod.metadata.labels }, template: pod }
      : { schedule, suspend, concurrencyPolicy: 'Forbid', jobTemplate: { spec: { template: pod } } }
  const own = metadata(names.workload)
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: names.role }
  const release = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 'sh.helm.release.v1.descheduler.v1',
      namespace,
      labels: { owner: 'helm', name: 'descheduler', status: 'deployed' },
    },
    type: 'helm.sh/release.v1',
  }
  return [
    {
      apiVersion: kind === 'Deployment' ? 'apps/v1' : 'batch/v1',
      kind,
      metadata: { ...own, labels: { ...own.labels, ...(isHelm ? {} : { app: 'descheduler' }), ...labels } },
      spec,
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata(names.policy), data: { 'policy.yaml': policy } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: metadata(names.account) },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: metadata(names.role, false),
      rules: [{ apiGroups: [''], resources: ['pods/eviction'], verbs: ['create'] }],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: metadata(names.binding, false),
      roleRef,
      subjects: [{ kind: 'ServiceAccount', name: names.account, namespace }],
    },
    ...(isHelm ? [release] : []),
  ]
}
