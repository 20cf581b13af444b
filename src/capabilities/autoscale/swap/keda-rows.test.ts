import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { installationValues } from '#deployment/installation.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { convertKeda, kedaRows, kedaVersions } from './keda-rows.ts'
import { judged } from './keda-told.ts'
import { convertKedaWorkload } from './keda-workload.ts'

const folder = new URL('../../../../test/fixtures/charts/keda/', import.meta.url)

function recorded(version: string): readonly string[] {
  const document: Readonly<Record<string, readonly string[]>> = JSON.parse(
    readFileSync(new URL(`${version}.keys.json`, folder), 'utf8'),
  )
  const all = [...(document['values'] ?? []), ...(document['templates'] ?? [])]
  // A path that others go on from is none of its own.
  return all.filter(path => !all.some(other => other.startsWith(`${path}.`)))
}

const rowsOf = (path: string) => kedaRows.filter(row => path === row.path || path.startsWith(`${row.path}.`))

describe('every key of every recorded chart has one row', () => {
  test('the recorded charts are the supported ones', () => {
    expect(readdirSync(folder).sort()).toEqual(kedaVersions.map(version => `${version}.keys.json`).sort())
  })

  test.each(kedaVersions)('chart %s', version => {
    const paths = recorded(version)
    expect(paths.length).toBeGreaterThan(290)
    const isHead = (path: string) => kedaRows.some(row => row.path.startsWith(`${path}.`))
    expect(paths.filter(path => rowsOf(path).length !== 1 && !isHead(path))).toEqual([])
    expect(paths.filter(path => rowsOf(path).length > 1)).toEqual([])
  })

  test.each(kedaRows.flatMap(row => (row.since === undefined ? [] : [[row.path, row.since] as const])))(
    '%s is known since %s',
    (path, since) => {
      expect(kedaVersions.find(version => recorded(version).includes(path))).toBe(since)
    },
  )

  test('no row names a key that no chart has', () => {
    const all = kedaVersions.flatMap(recorded)
    const idle = kedaRows.filter(({ path }) => !all.some(known => known === path || known.startsWith(`${path}.`)))
    expect(idle.map(({ path }) => path)).toEqual([])
  })
})

const convert = (values: ValuesTree) => convertKeda({ values, version: '2.21.0', namespace: 'keda' })
const sectionOf = ({ values }: { readonly values: ValuesTree }) => valueAt(values, ['capabilities', 'autoscale'])
const lossesOf = (values: string) =>
  convert(parse(values))
    .report.filter(({ kind }) => kind !== 'carried' && kind !== 'dropped')
    .map(({ from, kind }) => `${from}: ${kind}`)

// biome-ignore format: a table
const told: readonly (readonly [name: string, values: string, section: object])[] = [
  ['nothing but where it is', '{}', { clusterObjectNamespace: 'keda' }],
  ['a timeout', 'http: {timeout: 5000}', { clusterObjectNamespace: 'keda', httpTimeout: '5s' }],
  ['a timeout that is too long', 'http: {timeout: 90000}', { clusterObjectNamespace: 'keda', httpTimeout: '1m0s' }],
  ["upstream's own timeout", 'http: {timeout: 3000}', { clusterObjectNamespace: 'keda' }],
  ['only its own Secrets', 'permissions: {operator: {restrict: {secret: true}}}', { restrictSecretAccess: true }],
  ['variables', 'env: [{name: KEDA_CLUSTER_OBJECT_NAMESPACE, value: shared}, {name: KEDA_BOUND_SERVICE_ACCOUNT_TOKEN_EXPIRY, value: 2h}]', { clusterObjectNamespace: 'shared', tokenExpiry: '2h0m0s' }],
  ['a folder of credentials', 'extraArgs: {keda: {filepath-auth-root-path: /auth}}', { clusterObjectNamespace: 'keda', filePathRoot: '/auth' }],
  ['any kind', 'rbac: {scaledRefKinds: [{apiGroup: "*", kind: "*"}]}', { clusterObjectNamespace: 'keda' }],
]

test.each(told)('%s', (_name, values, section) => {
  const found = convert(parse(values))
  expect(sectionOf(found)).toEqual({ enabled: true, ...section })
  expect(() =>
    installationValues({ values: { file: 'v', text: JSON.stringify(found.values) } }, enabledCapabilities),
  ).not.toThrow()
})

// biome-ignore format: a table
const lost: readonly (readonly [values: string, lines: readonly string[]])[] = [
  ['watchNamespace: media', ['watchNamespace: lost']],
  ['watchLabelSelector: a=b', ['watchLabelSelector: lost']],
  ['operator: {leaderElectionID: mine.keda.sh}', ['operator.leaderElectionID: lost']],
  ['operator: {leaderElectionID: operator.keda.sh}', []],
  ['permissions: {operator: {restrict: {secret: true}}}', ['permissions.operator.restrict.secret: changed']],
  ['webhooks: {failurePolicy: Fail}', ['webhooks.failurePolicy: lost']],
  ['webhooks: {enabled: false}', ['webhooks.enabled: changed']],
  ['podIdentity: {aws: {irsa: {enabled: true, roleArn: a}}, gcp: {enabled: false}}', ['podIdentity.aws: lost']],
  ['http: {timeout: 10, minTlsVersion: TLS13, keepAlive: {enabled: false}}', ['http.timeout: changed', 'http.minTlsVersion: lost', 'http.keepAlive.enabled: lost']],
  ['env: [{name: HTTPS_PROXY, value: "http://p"}, {name: MINE, value: x}, {name: WATCH_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}, {name: KEDA_CLUSTER_OBJECT_NAMESPACE, valueFrom: {}}]', ['env: lost', 'env: lost', 'env: lost', 'env: lost']],
  ['env: [{name: KEDA_HTTP_DEFAULT_TIMEOUT, value: ""}, {name: WATCH_NAMESPACE, value: ""}, {name: WATCH_LABEL_SELECTOR, value: ""}, {name: HTTPS_PROXY}]', []],
  ['extraArgs: {keda: {odd: 1, zap-log-level: debug}, metricsAdapter: {odd: 1}, webhooks: {port: 9443}}', ['extraArgs.keda: lost', 'extraArgs.metricsAdapter: lost']],
  ['rbac: {scaledRefKinds: [{apiGroup: apps, kind: deployments}, {apiGroup: example.com, kind: games}]}', ['rbac.scaledRefKinds: lost']],
  ['networkPolicy: {enabled: true, flavor: cilium, cilium: {operator: {extraEgressRules: [{a: 1}]}}}', ['networkPolicy.cilium: lost']],
  ['operatr: {replicaCount: 2}', ['operatr: unknown']],
]

test.each(lost)('what is lost is named: %s', (values, lines) => expect(lossesOf(values)).toEqual(lines))

test('what pods are told goes to the process that scales', () => {
  const values = parse(
    'nodeSelector: {a: b}\noperator: {replicaCount: 3, tolerations: [{key: x}]}\ntolerations: [{key: y}]\nadditionalLabels: {team: t}\nprometheus: {operator: {serviceMonitor: {enabled: true, interval: 30s}}}\nnetworkPolicy: {enabled: true, flavor: kubernetes, kubernetes: {operator: {extraEgressRules: [{to: []}]}}}',
  )
  expect(convert(values).values).toMatchObject({
    apiserver: { nodeSelector: { a: 'b' }, tolerations: [{ key: 'x' }], replicas: 3 },
    commonLabels: { team: 't' },
    metrics: { serviceMonitor: { enabled: true, interval: '30s' } },
    networkPolicy: { enabled: true, extraEgress: [{ to: [] }] },
  })
})

/** As KEDA 2.21.0's commands define them, without those of its logging library. */
const flags =
  'enable-prometheus-metrics enable-opentelemetry-metrics enable-high-cardinality-metrics-labels metrics-bind-address health-probe-bind-address metrics-service-bind-address profiling-bind-address leader-elect leader-election-id kube-api-qps kube-api-burst disable-compression cert-secret-name cert-dir operator-service-name metrics-server-service-name webhooks-service-name k8s-cluster-name k8s-cluster-domain enable-cert-rotation validating-webhook-name ca-dir enable-webhook-patching enable-apiservice-patching filepath-auth-root-path http-max-idle-conns http-max-idle-conns-per-host http-idle-conn-timeout service-account-token-mode vault-kubernetes-auth-token-file'
const beside =
  'msg port metrics-service-address metrics-service-grpc-authority profiling-bind-address kube-api-qps kube-api-burst disable-compression metrics-bind-address health-probe-bind-address cert-dir cache-miss-to-direct-client secure-port'

test('every flag of the three programs is judged', () => {
  expect(flags.split(' ').filter(flag => !judged.operator.includes(flag))).toEqual([])
  expect(beside.split(' ').filter(flag => !judged.beside.includes(flag))).toEqual([])
})

describe('a workload', () => {
  const flags = ['--leader-elect', '--zap-log-level=debug', '--filepath-auth-root-path', '/auth', '--ca-dir=/mine']
  const deployment = (name: string, image: string, args: readonly string[], env: readonly object[] = []) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'keda' },
    spec: {
      replicas: 2,
      template: {
        spec: {
          nodeSelector: { 'kubernetes.io/os': 'linux', disk: 'ssd' },
          containers: [{ name, image: `mirror.example/kedacore/${image}:2.20.2`, args, env, volumeMounts: mounts }],
          volumes: [
            { name: 'certificates', secret: {} },
            { name: 'auth', secret: { secretName: 'auth' } },
          ],
        },
      },
    },
  })
  const mounts = [
    { name: 'certificates', mountPath: '/certs' },
    { name: 'auth', mountPath: '/auth' },
  ]
  const operator = deployment('keda-operator', 'keda', flags, [{ name: 'KEDA_HTTP_DEFAULT_TIMEOUT', value: '4000' }])
  const adapter = deployment('keda-metrics-apiserver', 'keda-metrics-apiserver', ['--secure-port=6443', '--odd=1'])
  const object = (name: string, kind: string, status?: object) => ({
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name, namespace: 'shop' },
    spec: { scaleTargetRef: { apiVersion: 'example.com/v1', kind, name } },
    ...(status === undefined ? {} : { status: { scaleTargetGVKR: status } }),
  })
  const game = { group: 'example.com', version: 'v1', kind: 'Game', resource: 'games' }
  const beside = [
    adapter,
    object('chess', 'Game', game),
    object('go', 'Game', game),
    object('odd', 'Odd'),
    {
      apiVersion: 'eventing.keda.sh/v1alpha1',
      kind: 'CloudEventSource',
      metadata: { name: 'told', namespace: 'shop' },
      spec: { destination: { http: { uri: 'http://told.shop' } } },
    },
    {
      apiVersion: 'eventing.keda.sh/v1alpha1',
      kind: 'ClusterCloudEventSource',
      metadata: { name: 'grid' },
      spec: { destination: { azureEventGridTopic: { endpoint: 'https://grid.example' } } },
    },
  ]

  test('its flags, its variables, its pod and what its users target', () => {
    const { values, report } = convertKedaWorkload(operator, { beside, namespace: 'keda' })
    expect(values).toEqual({
      capabilities: {
        autoscale: {
          enabled: true,
          httpTimeout: '4s',
          filePathRoot: '/auth',
          clusterObjectNamespace: 'keda',
          scaleKinds: [game],
        },
      },
      apiserver: {
        replicas: 2,
        nodeSelector: { disk: 'ssd' },
        extraVolumes: [{ name: 'auth', secret: { secretName: 'auth' } }],
        extraVolumeMounts: [{ name: 'auth', mountPath: '/auth' }],
      },
    })
    expect(report.filter(({ kind }) => kind === 'lost').map(({ from, why = '' }) => `${from}: ${why.split(':')[0]}`)).toEqual([
      'extraArgs.keda: --ca-dir',
      'extraArgs.metricsAdapter: ours knows no flag --odd',
      'ScaledObject shop/odd: KEDA has not said of which resource example.com/v1 Odd is',
      'ClusterCloudEventSource grid: ours does not send to Azure Event Grid yet',
    ])
  })
})
