// What KEDA's chart 2.20.2 leaves in a cluster, and what its users have: for trying the swap to Ballast and back.
import type { KubeObject } from '#kube/objects/objects.ts'
import { servedKinds } from '../src/capabilities/autoscale/kinds/served-kinds.ts'
import { workload } from './reload-cluster.ts'

export const kedaNamespace = 'keda'
export const theirAuthority = Buffer.from("authority of KEDA's operator").toString('base64')
const release = { 'meta.helm.sh/release-name': 'keda', 'meta.helm.sh/release-namespace': kedaNamespace }
const chart = {
  'helm.sh/chart': 'keda-2.20.2',
  'app.kubernetes.io/instance': 'keda',
  'app.kubernetes.io/managed-by': 'Helm',
  'app.kubernetes.io/part-of': 'keda-operator',
  'app.kubernetes.io/version': '2.20.2',
}

export interface KedaWish {
  readonly operatorArgs?: readonly string[]
  readonly env?: readonly object[]
  readonly failurePolicy?: 'Ignore' | 'Fail'
  readonly labels?: Readonly<Record<string, string>>
}

const standardArgs = [
  '--leader-elect',
  '--disable-compression=true',
  '--zap-log-level=info',
  '--enable-webhook-patching=true',
  '--cert-dir=/certs',
  '--enable-cert-rotation=true',
  '--cert-secret-name=kedaorg-certs',
  '--operator-service-name=keda-operator',
  '--metrics-server-service-name=keda-operator-metrics-apiserver',
  '--webhooks-service-name=keda-admission-webhooks',
  '--k8s-cluster-name=kubernetes-default',
  '--k8s-cluster-domain=cluster.local',
  '--enable-prometheus-metrics=false',
  '--http-max-idle-conns=0',
  '--http-max-idle-conns-per-host=1000',
  '--http-idle-conn-timeout=90s',
]

const standardEnv = [
  { name: 'WATCH_NAMESPACE', value: '' },
  { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
  { name: 'OPERATOR_NAME', value: 'keda-operator' },
  { name: 'KEDA_HTTP_DEFAULT_TIMEOUT', value: '5000' },
  { name: 'KEDA_HTTP_MIN_TLS_VERSION', value: 'TLS12' },
]

const judged = ['scaledobject', 'scaledjob', 'triggerauthentication', 'clustertriggerauthentication']

export function kedaInstallation(wish: KedaWish = {}): readonly KubeObject[] {
  const { operatorArgs = standardArgs, env = standardEnv, failurePolicy = 'Fail', labels: more = {} } = wish
  const of = (apiVersion: string, kind: string, name: string, rest: object, isWide = false): KubeObject => ({
    apiVersion,
    kind,
    metadata: {
      name,
      ...(isWide ? {} : { namespace: kedaNamespace }),
      labels: { ...chart, 'app.kubernetes.io/name': name, ...more },
      annotations: release,
    },
    ...rest,
  })
  const rbac = 'rbac.authorization.k8s.io/v1'
  const deployment = (name: string, image: string, args: readonly string[], given: readonly object[]) =>
    of('apps/v1', 'Deployment', name, {
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: {
            serviceAccountName: name,
            terminationGracePeriodSeconds: 5,
            containers: [{ name, image: `ghcr.io/kedacore/${image}:2.20.2`, args, env: given }],
          },
        },
      },
    })
  const service = (name: string, port: number) =>
    of('v1', 'Service', name, { spec: { selector: { app: name }, ports: [{ name: 'https', port, targetPort: port }] } })
  const names = ['keda-operator', 'keda-operator-metrics-apiserver', 'keda-admission-webhooks']
  return [
    ...servedKinds.flatMap(({ definition }) =>
      definition === undefined
        ? []
        : [{ ...definition, metadata: { ...definition.metadata, labels: chart, annotations: release } }],
    ),
    ...names.map(name => of('v1', 'ServiceAccount', name, {})),
    of(rbac, 'ClusterRole', 'keda-operator', { rules: [{ apiGroups: ['*'], resources: ['*/scale'], verbs: ['*'] }] }, true),
    of(
      rbac,
      'ClusterRoleBinding',
      'keda-operator',
      {
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'keda-operator' },
        subjects: [{ kind: 'ServiceAccount', name: 'keda-operator', namespace: kedaNamespace }],
      },
      true,
    ),
    service('keda-operator', 9666),
    service('keda-operator-metrics-apiserver', 443),
    service('keda-admission-webhooks', 443),
    deployment('keda-operator', 'keda', operatorArgs, env),
    deployment('keda-operator-metrics-apiserver', 'keda-metrics-apiserver', ['--secure-port=6443', '--v=0'], standardEnv),
    deployment('keda-admission-webhooks', 'keda-admission-webhooks', ['--cert-dir=/certs', '--zap-log-level=info'], standardEnv),
    of(
      'apiregistration.k8s.io/v1',
      'APIService',
      'v1beta1.external.metrics.k8s.io',
      {
        spec: {
          group: 'external.metrics.k8s.io',
          version: 'v1beta1',
          groupPriorityMinimum: 100,
          versionPriority: 100,
          caBundle: theirAuthority,
          service: { name: 'keda-operator-metrics-apiserver', namespace: kedaNamespace, port: 443 },
        },
      },
      true,
    ),
    of(
      'admissionregistration.k8s.io/v1',
      'ValidatingWebhookConfiguration',
      'keda-admission',
      {
        webhooks: judged.map(kind => ({
          name: `v${kind}.kb.io`,
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          failurePolicy,
          timeoutSeconds: 10,
          clientConfig: {
            caBundle: theirAuthority,
            service: { name: 'keda-admission-webhooks', namespace: kedaNamespace, path: `/validate-keda-sh-v1alpha1-${kind}` },
          },
          rules: [
            { apiGroups: ['keda.sh'], apiVersions: ['v1alpha1'], operations: ['CREATE', 'UPDATE'], resources: [`${kind}s`] },
          ],
        })),
      },
      true,
    ),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: 'sh.helm.release.v1.keda.v1',
        namespace: kedaNamespace,
        labels: { owner: 'helm', name: 'keda', status: 'deployed' },
      },
      type: 'helm.sh/release.v1',
    },
  ]
}

/** What a ScaledObject that KEDA has settled looks like, with its target. */
export const users: readonly KubeObject[] = [
  workload({ name: 'worker', annotations: {}, replicas: 3 }),
  {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name: 'worker', namespace: 'shop', finalizers: ['finalizer.keda.sh'] },
    spec: {
      scaleTargetRef: { name: 'worker' },
      triggers: [{ type: 'cron', metadata: { timezone: 'Etc/UTC', start: '0 3 * * *', end: '0 5 * * *', desiredReplicas: '3' } }],
    },
  },
]

/** Its autoscaler, as KEDA writes it, owned by the stored object. */
export const autoscalerOf = (object: KubeObject): KubeObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: {
    name: `keda-hpa-${object.metadata.name}`,
    namespace: object.metadata.namespace ?? 'shop',
    ownerReferences: [
      {
        apiVersion: 'keda.sh/v1alpha1',
        kind: 'ScaledObject',
        name: object.metadata.name,
        uid: object.metadata.uid ?? '',
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: object.metadata.name },
    minReplicas: 1,
    maxReplicas: 100,
    metrics: [
      {
        type: 'External',
        external: {
          metric: {
            name: 's0-cron-Etc-UTC-03xxx-05xxx',
            selector: { matchLabels: { 'scaledobject.keda.sh/name': object.metadata.name } },
          },
          target: { type: 'AverageValue', averageValue: '1' },
        },
      },
    ],
  },
})
