import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { metricsConfiguration } from '../config.ts'
import { judgeOf } from './metrics-server-arguments.ts'
import { convertMetricsServer, metricsServerRows, metricsServerVersions } from './metrics-server-rows.ts'
import { convertMetricsServerWorkload } from './metrics-server-workload.ts'

const folder = new URL('../../../../test/fixtures/charts/metrics-server/', import.meta.url)

function recorded(version: string): readonly string[] {
  const document: Readonly<Record<string, readonly string[]>> = JSON.parse(
    readFileSync(new URL(`${version}.keys.json`, folder), 'utf8'),
  )
  return [...(document['values'] ?? []), ...(document['templates'] ?? [])]
}

const rowsOf = (path: string) => metricsServerRows.filter(row => path === row.path || path.startsWith(`${row.path}.`))

describe('every key of every recorded chart has one row', () => {
  test('the recorded charts are the supported ones', () => {
    expect(readdirSync(folder).sort()).toEqual(metricsServerVersions.map(version => `${version}.keys.json`).sort())
  })

  test.each(metricsServerVersions)('chart %s', version => {
    const paths = recorded(version)
    expect(paths.length).toBeGreaterThan(90)
    expect(paths.filter(path => rowsOf(path).length !== 1)).toEqual([])
  })

  test.each(metricsServerRows.flatMap(row => (row.since === undefined ? [] : [[row.path, row.since] as const])))(
    '%s is known since %s',
    (path, since) => {
      const knows = (version: string) => recorded(version).some(known => known === path || known.startsWith(`${path}.`))
      expect(metricsServerVersions.find(knows)).toBe(since)
    },
  )

  test('no row names a key that no chart has', () => {
    const all = metricsServerVersions.flatMap(recorded)
    const idle = metricsServerRows.filter(({ path }) => !all.some(known => known === path || known.startsWith(`${path}.`)))
    expect(idle.map(({ path }) => path)).toEqual([])
  })
})

const flagNames = readFileSync(new URL('../flags/testdata/upstream-flags.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter(line => line !== '' && !line.startsWith('#'))
  .map(line => line.split(' ')[0] ?? '')

test('every flag of upstream is judged, and no other', () => {
  expect(flagNames.length).toBeGreaterThan(100)
  expect(flagNames.filter(name => judgeOf(name) === undefined)).toEqual([])
  expect(judgeOf('metric-resolutions')).toBeUndefined()
})

const convert = (values: ValuesTree, version = '3.13.0') => convertMetricsServer({ values, version, namespace: 'kube-system' })
const metricsOf = ({ values }: { readonly values: ValuesTree }) => valueAt(values, ['capabilities', 'metrics'])
const on = { enabled: true }
/** What the program takes that is told nothing. */
const program = {
  resolution: '1m0s',
  kubelet: {
    preferredAddressTypes: ['Hostname', 'InternalDNS', 'InternalIP', 'ExternalDNS', 'ExternalIP'],
    useNodeStatusPort: false,
  },
}

// biome-ignore format: a table
const told: readonly (readonly [name: string, args: readonly string[], section: object])[] = [
  ['nothing', [], program],
  ['a resolution', ['--metric-resolution=30s'], { ...program, resolution: '30s' }],
  ['the same twice, of which the last counts', ['--metric-resolution=30s', '--metric-resolution', '40s'], { ...program, resolution: '40s' }],
  ['a timeout', ['--kubelet-request-timeout=5s'], { ...program, kubelet: { ...program.kubelet, requestTimeout: '5s' } }],
  ['a timeout that is too short', ['--kubelet-request-timeout=500ms'], { ...program, kubelet: { ...program.kubelet, requestTimeout: '1s' } }],
  ['addresses', ['--kubelet-preferred-address-types=InternalIP,Hostname'], { ...program, kubelet: { ...program.kubelet, preferredAddressTypes: ['InternalIP', 'Hostname'] } }],
  ['ports', ['--kubelet-use-node-status-port', '--kubelet-port=10255'], { ...program, kubelet: { ...program.kubelet, useNodeStatusPort: true, port: 10_255 } }],
  ['no verification', ['--kubelet-insecure-tls'], { ...program, kubelet: { ...program.kubelet, insecureTls: true } }],
  ['files', ['--kubelet-certificate-authority=/ca/ca.crt', '--kubelet-client-certificate=/c/tls.crt', '--kubelet-client-key=/c/tls.key'],
    { ...program, kubelet: { ...program.kubelet, certificateAuthority: '/ca/ca.crt', clientCertificate: '/c/tls.crt', clientKey: '/c/tls.key' } }],
  ['nodes', ['-l', 'type!=virtual-kubelet'], { ...program, nodeSelector: 'type!=virtual-kubelet' }],
  ['flags of ours', ['--stale-after=2m', '--compat=strict', '--expose-swap', '--expose-ephemeral-storage', '--kubelet-format=protobuf', '--kubelet-gzip', '--kubelet-tls=pin'],
    { ...program, staleAfter: '2m0s', compatibility: 'strict', exposeSwap: true, exposeEphemeralStorage: true, kubelet: { ...program.kubelet, format: 'protobuf', gzip: true, tls: 'pin' } }],
]

test.each(told)('arguments: %s', (_name, args, section) => {
  expect(metricsOf(convert({ defaultArgs: [], args }))).toEqual({ ...on, ...section })
})

describe('what the chart says by itself', () => {
  test('is what ours does: nothing is carried where nothing is said', () => {
    expect(convert({})).toEqual({ values: { capabilities: { metrics: on } }, report: [], isLossy: false })
  })

  test('holds beside further arguments, and is judged with them', () => {
    const done = convert({ args: ['--kubelet-insecure-tls', '--metric-resolution=30s'] })
    expect(metricsOf(done)).toEqual({ ...on, resolution: '30s', kubelet: { insecureTls: true } })
    expect(done.report).toEqual([
      { from: 'args', kind: 'carried', to: 'capabilities.metrics.kubelet.insecureTls', why: '--kubelet-insecure-tls' },
      { from: 'args', kind: 'carried', to: 'capabilities.metrics.resolution', why: '--metric-resolution' },
    ])
  })

  test('written out is the same', () => {
    const defaultArgs = [
      '--cert-dir=/tmp',
      '--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname',
      '--kubelet-use-node-status-port',
      '--metric-resolution=15s',
    ]
    const { enabled: _enabled, ...section } = Object(metricsOf(convert({ defaultArgs })))
    expect(metricsConfiguration.parse(section)).toEqual(metricsConfiguration.parse({}))
  })
})

// biome-ignore format: a table
const lost: readonly (readonly [given: ValuesTree, words: string])[] = [
  [{ args: ['--metric-resolution=11m'] }, 'at least each 10m'],
  [{ args: ['--odd=1'] }, 'unknown flag: --odd'],
  [{ args: ['--metric-resolution=often'] }, 'invalid argument "often"'],
  [{ args: ['--deprecated-kubelet-completely-insecure'] }, 'over TLS only'],
  [{ args: ['--kubelet-preferred-address-types=InternalIP,Radio'] }, 'no node has addresses of type Radio'],
  [{ args: ['--kubeconfig=/k'] }, 'as its own account'],
  [{ args: ['--requestheader-allowed-names=me'] }, 'extension-apiserver-authentication'],
  [{ args: ['--authorization-webhook-cache-authorized-ttl=1m'] }, 'keeps reviews for 10s'],
  [{ args: ['--tls-min-version=VersionTLS13'] }, 'TLS 1.2 as well'],
  [{ args: ['--audit-log-path=/a'] }, 'no audit log'],
  [{ args: ['--max-requests-inflight=10'] }, '400 requests'],
  [{ hostNetwork: { enabled: true } }, 'network of pods'],
  [{ apiService: { create: false } }, 'registers its API always'],
  [{ addonResizer: { enabled: true } }, 'apiserver.resources'],
  [{ service: { type: 'NodePort' } }, 'inside the cluster'],
  [{ schedulerName: 'mine' }, 'no key for it'],
  [{ extraVolumes: [{ name: 'ca', hostPath: { path: '/ca' } }], extraVolumeMounts: [{ name: 'ca', mountPath: '/ca' }] }, 'volume ca is of a kind that our namespace refuses'],
]

test.each(lost)('lost by name: %j', (given, words) => {
  const { report, isLossy } = convert(given)
  expect(isLossy).toBe(true)
  expect(
    report
      .filter(({ kind }) => kind === 'lost')
      .map(({ why }) => why)
      .join(),
  ).toContain(words)
})

// biome-ignore format: a table
const dropped: readonly (readonly string[])[] = [
  ['--secure-port=10250', '--cert-dir=/tmp', '--bind-address=0.0.0.0', '--tls-cert-file=/t/tls.crt', '--tls-private-key-file=/t/tls.key'],
  ['--authorization-always-allow-paths=/metrics', '--authorization-always-allow-paths=/livez,/readyz'],
  ['--tls-cipher-suites=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', '--tls-min-version=VersionTLS12'],
  ['-v=2', '--logging-format=json', '--profiling=false', '--feature-gates=A=true', '--audit-log-maxage=3', '--goaway-chance=0', '--kubeconfig='],
]

test.each(dropped)('left out without loss: %s', (...args) => {
  const { report, isLossy, values } = convert({ args })
  expect([isLossy, report.every(({ kind }) => kind === 'dropped')]).toEqual([false, true])
  expect(metricsOf({ values })).toEqual(on)
})

// biome-ignore format: a table
const carried: readonly (readonly [given: ValuesTree, ours: object])[] = [
  [{ replicas: 2 }, { apiserver: { replicas: 2 } }],
  [{ replicas: 1 }, {}],
  [{ nodeSelector: { a: 'b' }, tolerations: [{ operator: 'Exists' }], affinity: {}, priorityClassName: 'system-cluster-critical' }, { apiserver: { nodeSelector: { a: 'b' }, tolerations: [{ operator: 'Exists' }] } }],
  [{ priorityClassName: 'system-node-critical' }, { apiserver: { priorityClassName: 'system-node-critical' } }],
  [{ securityContext: { runAsUser: 1000, readOnlyRootFilesystem: true }, podSecurityContext: { fsGroup: 7 } }, { apiserver: { podSecurityContext: { fsGroup: 7 } } }],
  [{ extraVolumes: [{ name: 'ca', configMap: { name: 'ca' } }], extraVolumeMounts: [{ name: 'ca', mountPath: '/ca' }] }, { apiserver: { extraVolumes: [{ name: 'ca', configMap: { name: 'ca' } }], extraVolumeMounts: [{ name: 'ca', mountPath: '/ca' }] } }],
  [{ podDisruptionBudget: { enabled: true, minAvailable: 1, maxUnavailable: null } }, { apiserver: { podDisruptionBudget: { enabled: true, minAvailable: 1 } } }],
  [{ serviceMonitor: { enabled: true, interval: '1m', additionalLabels: { release: 'p' } } }, { metrics: { serviceMonitor: { enabled: true, interval: '1m', labels: { release: 'p' } } } }],
  [{ serviceMonitor: { enabled: false, interval: '1m' } }, {}],
  [{ imagePullSecrets: [{ name: 'a' }], commonLabels: { team: 'x' }, tls: { type: 'cert-manager' }, apiService: { insecureSkipTLSVerify: false, caBundle: 'x' } }, { imagePullSecrets: [{ name: 'a' }], commonLabels: { team: 'x' } }],
]

test.each(carried)('carried: %j', (given, ours) => {
  const { values, isLossy } = convert(given)
  expect(isLossy).toBe(false)
  expect(values).toEqual({ capabilities: { metrics: on }, ...ours })
})

test('our chart takes all of that at once', () => {
  const given = Object.assign({}, ...carried.map(([values]) => values))
  const asked = { values: { file: 'converted', text: JSON.stringify(convert(given).values) } }
  const made = objects(installationValues(asked, enabledCapabilities), {
    capabilities: enabledCapabilities,
    release: plainRelease('ballast', 'ballast-system'),
  })
  expect(made.map(({ kind }) => kind)).toContain('APIService')
})

const deployment = (args: readonly string[], image: string, more: object = {}): ValuesTree => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'metrics-server', namespace: 'kube-system', labels: { 'k8s-app': 'metrics-server' } },
  spec: {
    template: {
      metadata: { labels: { 'k8s-app': 'metrics-server' } },
      spec: {
        nodeSelector: { 'kubernetes.io/os': 'linux' },
        volumes: [{ name: 'tmp-dir', emptyDir: {} }],
        containers: [{ name: 'metrics-server', image, args, volumeMounts: [{ name: 'tmp-dir', mountPath: '/tmp' }] }],
        ...more,
      },
    },
  },
})
const manifests = [
  '--cert-dir=/tmp',
  '--secure-port=10250',
  '--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname',
  '--kubelet-use-node-status-port',
  '--metric-resolution=15s',
]

describe('workloads', () => {
  const of = (workload: ValuesTree, beside: readonly unknown[] = []) =>
    convertMetricsServerWorkload(workload, { beside, namespace: 'kube-system' })

  test.each([
    ['components.yaml', deployment(manifests, 'registry.k8s.io/metrics-server/metrics-server:v0.8.1'), {}],
    [
      'components.yaml of a homelab',
      deployment([...manifests, '--kubelet-insecure-tls'], 'registry.k8s.io/metrics-server/metrics-server:v0.8.1'),
      { insecureTls: true },
    ],
    [
      "k3s's own",
      deployment(
        [...manifests, '--tls-cipher-suites=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384'],
        'rancher/mirrored-metrics-server:v0.8.0',
        {
          priorityClassName: 'system-node-critical',
        },
      ),
      {},
    ],
  ])('%s', (_name, workload, kubelet) => {
    const { values, isLossy } = of(workload)
    expect(isLossy).toBe(false)
    expect(metricsOf({ values })).toMatchObject({
      enabled: true,
      resolution: '15s',
      kubelet: { preferredAddressTypes: ['InternalIP', 'ExternalIP', 'Hostname'], useNodeStatusPort: true, ...kubelet },
    })
    expect(valueAt(values, ['apiserver', 'extraVolumes'])).toBeUndefined()
  })

  test('one that is told nothing goes on as its program does', () => {
    expect(metricsOf(of(deployment([], 'rancher/metrics-server:v0.3.6')))).toEqual({ ...on, ...program })
  })

  test('files come along with their volumes; those of its own certificate and of /tmp do not', () => {
    const workload = parse(`
spec:
  replicas: 2
  template:
    spec:
      hostNetwork: true
      volumes:
      - {name: tmp, emptyDir: {}}
      - {name: certs, secret: {secretName: metrics-server}}
      - {name: kubelet-ca, configMap: {name: kubelet-serving-ca}}
      containers:
      - name: metrics-server
        image: registry.local/ms:1
        args: [--kubelet-certificate-authority=/ca/ca.crt, --tls-cert-file=/tmp/tls-certs/tls.crt]
        volumeMounts:
        - {name: tmp, mountPath: /tmp}
        - {name: certs, mountPath: /tmp/tls-certs}
        - {name: kubelet-ca, mountPath: /ca}
`)
    const { values, report } = of(workload, [{ kind: 'PodDisruptionBudget', spec: { minAvailable: 1 } }])
    expect(values).toMatchObject({
      capabilities: { metrics: { kubelet: { certificateAuthority: '/ca/ca.crt' } } },
      apiserver: {
        replicas: 2,
        extraVolumes: [{ name: 'kubelet-ca', configMap: { name: 'kubelet-serving-ca' } }],
        extraVolumeMounts: [{ name: 'kubelet-ca', mountPath: '/ca' }],
        podDisruptionBudget: { enabled: true, minAvailable: 1 },
      },
    })
    expect(report.filter(({ kind }) => kind === 'lost').map(({ from }) => from)).toEqual(['hostNetwork.enabled'])
  })
})
