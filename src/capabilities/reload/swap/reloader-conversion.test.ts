import { readdirSync, readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import { jsonSchemaOf } from '#deployment/values/values-schema.ts'
import { listAt } from '#kube/objects/object-fields.ts'
import { readControllerConfiguration, settingsOf } from '#process/configuration/controller-configuration.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { convertValues } from '#upstreams/convert-values.ts'
import { isTree, type ValuesTree, valueAt, withValue } from '#upstreams/values-tree.ts'
import { reloadEnvironment } from '../reloader-environment.ts'
import { convertContainer } from './reloader-flags.ts'
import { reloaderRows, reloaderVersions } from './reloader-rows.ts'

interface RecordedKeys {
  readonly version: string
  readonly values: readonly string[]
  readonly templates: readonly string[]
}

const folder = new URL('../../../../test/fixtures/charts/', import.meta.url)

function recorded(version: string): RecordedKeys {
  return JSON.parse(readFileSync(new URL(`reloader-${version}.keys.json`, folder), 'utf8'))
}

const convert = (values: ValuesTree, version = '2.2.16', namespace: string | undefined = 'reloader') =>
  convertValues({ rows: reloaderRows, version, values, namespace, start: { capabilities: { reload: { enabled: true } } } })

/** Rows that say what becomes of `path`. */
const rowsOf = (path: string) => reloaderRows.filter(row => path === row.path || path.startsWith(`${row.path}.`))

describe('every key of every recorded chart has one row', () => {
  test('the recorded charts are the supported ones', () => {
    const files = readdirSync(folder)
      .filter(name => name.endsWith('.keys.json'))
      .sort()
    expect(files).toEqual(reloaderVersions.map(version => `reloader-${version}.keys.json`).sort())
  })

  test.each(reloaderVersions)('chart %s', version => {
    const { values, templates } = recorded(version)
    const paths = [...values, ...templates]
    expect(paths.length).toBeGreaterThan(130)
    // A map that is empty by default has rows below it.
    const isCovered = (path: string) => rowsOf(path).length === 1 || reloaderRows.some(row => row.path.startsWith(`${path}.`))
    expect(paths.filter(path => !isCovered(path))).toEqual([])
  })

  test.each(reloaderRows.flatMap(row => (row.since === undefined ? [] : [[row.path, row.since] as const])))(
    '%s is known since %s',
    (path, since) => {
      const knows = reloaderVersions.filter(version => {
        const { values, templates } = recorded(version)
        return [...values, ...templates].some(known => known === path || known.startsWith(`${path}.`))
      })
      expect(knows[0]).toBe(since)
    },
  )

  test('no row names a key that no chart has', () => {
    const all = reloaderVersions.flatMap(version => [...recorded(version).values, ...recorded(version).templates])
    const idle = reloaderRows.filter(
      ({ path }) => !all.some(known => known === path || known.startsWith(`${path}.`) || path.startsWith(`${known}.`)),
    )
    expect(idle.map(({ path }) => path)).toEqual([])
  })
})

const reload = (values: object) => ({ capabilities: { reload: { enabled: true, ...values } } })
const bare = reload({})

interface RowCase {
  readonly given: ValuesTree
  readonly ours: object
  /** Kinds of the lines of the report, in order. */
  readonly lines: readonly string[]
}

const r = (reloader: ValuesTree): ValuesTree => ({ reloader })
const d = (deployment: ValuesTree): ValuesTree => ({ reloader: { deployment } })

const cases: Readonly<Record<string, RowCase>> = {
  nothing: { given: {}, ours: bare, lines: [] },
  'the seed with 2.2.7': {
    given: r({ readOnlyRootFileSystem: true, podMonitor: { enabled: true } }),
    ours: { ...bare, metrics: { podMonitor: { enabled: true } } },
    lines: ['dropped', 'carried'],
  },
  'a template in a namespace': {
    given: r({ podMonitor: { enabled: true, namespace: '{{ .Release.Namespace }}' } }),
    ours: { ...bare, metrics: { podMonitor: { enabled: true, namespace: '{{ .Release.Namespace }}' } } },
    lines: ['carried', 'carried'],
  },
  flags: {
    given: r({
      autoReloadAll: true,
      isArgoRollouts: true,
      reloadOnCreate: true,
      reloadOnDelete: true,
      syncAfterRestart: true,
      enableCSIIntegration: true,
      enableMetricsByNamespace: true,
    }),
    ours: reload({
      autoReloadAll: true,
      argoRollouts: true,
      reloadOnCreate: true,
      reloadOnDelete: true,
      syncAfterRestart: true,
      csiIntegration: true,
      metricsByNamespace: true,
    }),
    lines: Array(7).fill('carried'),
  },
  'strategy default': { given: r({ reloadStrategy: 'default' }), ours: bare, lines: ['dropped'] },
  'strategy annotations': {
    given: r({ reloadStrategy: 'annotations' }),
    ours: reload({ reloadStrategy: 'annotations' }),
    lines: ['carried'],
  },
  'strategy unknown': { given: r({ reloadStrategy: 'labels' }), ours: bare, lines: ['lost'] },
  'ignored kinds': {
    given: r({ ignoreSecrets: true, ignoreJobs: true, ignoreCronJobs: true }),
    ours: reload({ resourcesToIgnore: ['secrets'], ignoredWorkloadTypes: ['jobs', 'cronjobs'] }),
    lines: ['carried', 'carried', 'carried'],
  },
  'both sources ignored': { given: r({ ignoreSecrets: true, ignoreConfigMaps: true }), ours: bare, lines: ['lost', 'lost'] },
  'one namespace': {
    given: r({ watchGlobally: false }),
    ours: { ...reload({ namespaces: ['reloader'] }), rbac: { namespaced: ['reloader'] } },
    lines: ['carried', 'carried'],
  },
  'several namespaces, as a text': {
    given: r({ watchGlobally: false, namespaces: ' team-b, team-a,,reloader' }),
    ours: { ...reload({ namespaces: ['reloader', 'team-a', 'team-b'] }), rbac: { namespaced: ['reloader', 'team-a', 'team-b'] } },
    lines: ['carried', 'carried', 'dropped'],
  },
  'namespaces with a ClusterRole': {
    given: r({ namespaces: ['team-a'] }),
    ours: reload({ namespaces: ['reloader', 'team-a'] }),
    lines: ['carried'],
  },
  'namespaces to ignore': {
    given: r({ ignoreNamespaces: 'a,b', namespaceSelector: 'env=prod' }),
    ours: reload({ namespacesToIgnore: ['a', 'b'], namespaceSelector: 'env=prod' }),
    lines: ['carried', 'carried'],
  },
  'namespaces to ignore, watching one': {
    given: r({ watchGlobally: false, ignoreNamespaces: 'a', namespaceSelector: 'env=prod' }),
    ours: { ...reload({ namespaces: ['reloader'] }), rbac: { namespaced: ['reloader'] } },
    lines: ['carried', 'carried', 'dropped', 'dropped'],
  },
  'annotations renamed': {
    given: r({ custom_annotations: { auto: 'acme.com/auto', secret_auto: 'acme.com/secret-auto', pauseTime: '' } }),
    ours: reload({ annotations: { auto: 'acme.com/auto', secretAuto: 'acme.com/secret-auto' } }),
    lines: ['carried', 'carried'],
  },
  'a webhook beside renamed annotations': {
    given: r({ custom_annotations: { auto: 'acme.com/auto' }, webhookUrl: 'http://hook' }),
    ours: reload({ annotations: { auto: 'acme.com/auto' }, webhookUrl: 'http://hook' }),
    lines: ['carried', 'carried'],
  },
  'a webhook that had no effect': {
    given: r({ webhookUrl: 'http://hook' }),
    ours: reload({ webhookUrl: 'http://hook' }),
    lines: ['changed'],
  },
  'log level': {
    given: r({ logLevel: 'panic', logFormat: 'json' }),
    ours: { ...bare, process: { logLevel: 'error', logFormat: 'json' } },
    lines: ['carried', 'carried'],
  },
  'log level that upstream warns of': {
    given: r({ logLevel: 'loud', logFormat: '' }),
    ours: bare,
    lines: ['dropped', 'dropped'],
  },
  'one replica': { given: d({ replicas: 1 }), ours: bare, lines: ['dropped'] },
  'replicas without HA': { given: d({ replicas: 3 }), ours: bare, lines: ['lost'] },
  'replicas with HA': {
    given: r({ enableHA: true, deployment: { replicas: 3 } }),
    ours: { ...bare, controller: { replicas: 3 } },
    lines: ['dropped', 'carried'],
  },
  'scaled to none': { given: d({ replicas: 0 }), ours: { ...bare, controller: { replicas: 0 } }, lines: ['carried'] },
  placement: {
    given: d({ nodeSelector: { a: 'b' }, tolerations: [{ operator: 'Exists' }], priorityClassName: 'high', hostUsers: false }),
    ours: {
      ...bare,
      controller: {
        nodeSelector: { a: 'b' },
        tolerations: [{ operator: 'Exists' }],
        priorityClassName: 'high',
        hostUsers: false,
      },
    },
    lines: ['carried', 'carried', 'carried', 'carried'],
  },
  "labels of the chart's own, and another": {
    given: r({
      matchLabels: { team: 'x' },
      deployment: { labels: { provider: 'stakater', group: 'com.stakater.platform', version: 'v1.4.12', tier: 'y' } },
    }),
    ours: { ...bare, controller: { podLabels: { team: 'x', tier: 'y' } } },
    lines: ['carried', 'carried'],
  },
  "upstream's security": {
    given: d({
      securityContext: { runAsNonRoot: true, runAsUser: 65534, seccompProfile: { type: 'RuntimeDefault' } },
      containerSecurityContext: { readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    }),
    ours: bare,
    lines: ['dropped', 'dropped'],
  },
  "upstream's security where the container says otherwise": {
    given: r({
      readOnlyRootFileSystem: true,
      deployment: { containerSecurityContext: { readOnlyRootFilesystem: false, runAsUser: 7 } },
    }),
    ours: { ...bare, controller: { securityContext: { runAsUser: 7 } } },
    lines: ['dropped', 'carried'],
  },
  "upstream's security where that is all the container says": {
    given: r({ readOnlyRootFileSystem: true, deployment: { containerSecurityContext: { readOnlyRootFilesystem: false } } }),
    ours: bare,
    lines: ['dropped', 'dropped'],
  },
  "the container's own word where the value is off": {
    given: r({ readOnlyRootFileSystem: false, deployment: { containerSecurityContext: { readOnlyRootFilesystem: false } } }),
    ours: { ...bare, controller: { securityContext: { readOnlyRootFilesystem: false } } },
    lines: ['dropped', 'carried'],
  },
  'a volume at /tmp, as a read-only root wants one': {
    given: d({
      volumes: [
        { name: 'tmp', emptyDir: {} },
        { name: 'ca', configMap: { name: 'ca' } },
      ],
      volumeMounts: [
        { name: 'tmp', mountPath: '/tmp/' },
        { name: 'ca', mountPath: '/etc/ca' },
      ],
    }),
    ours: {
      ...bare,
      controller: {
        extraVolumes: [{ name: 'ca', configMap: { name: 'ca' } }],
        extraVolumeMounts: [{ name: 'ca', mountPath: '/etc/ca' }],
      },
    },
    lines: ['dropped', 'carried', 'dropped', 'carried'],
  },
  'security of the user': {
    given: d({ securityContext: { runAsUser: 1000 } }),
    ours: { ...bare, controller: { podSecurityContext: { runAsUser: 1000 } } },
    lines: ['carried'],
  },
  'memory of Go': {
    given: d({ gomaxprocsOverride: '2', gomemlimitOverride: '400MiB' }),
    ours: { ...bare, controller: { extraEnv: [{ name: 'NODE_OPTIONS', value: '--max-old-space-size=300' }] } },
    lines: ['dropped', 'carried'],
  },
  'no memory limit for Go': { given: d({ gomemlimitOverride: '0' }), ours: bare, lines: ['dropped'] },
  'a memory limit that is none': { given: d({ gomemlimitOverride: 'much' }), ours: bare, lines: ['lost'] },
  alerts: {
    given: d({
      env: {
        open: {
          ALERT_ON_RELOAD: 'true',
          ALERT_SINK: 'slack',
          ALERT_WEBHOOK_URL: 'https://hook',
          ALERT_WEBHOOK_PROXY: '',
          OTHER: 'x',
        },
      },
    }),
    ours: {
      ...reload({ alerts: { enabled: true, sink: 'slack', webhookUrl: 'https://hook' } }),
      controller: { extraEnv: [{ name: 'OTHER', value: 'x' }] },
    },
    lines: ['carried', 'carried', 'carried', 'carried'],
  },
  'a sink that upstream does not know': {
    given: d({ env: { open: { ALERT_SINK: 'discord' } } }),
    ours: bare,
    lines: ['dropped'],
  },
  'variables from Secrets and fields': {
    given: d({
      env: {
        secret: { ALERT_WEBHOOK_URL: 'x' },
        existing: { mine: { TOKEN: 'key', ALERT_SINK: 'sink' } },
        field: { NODE: 'spec.nodeName' },
      },
    }),
    ours: {
      ...bare,
      extraObjects: [
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 'ballast-alerts', namespace: '{{ .Release.Namespace }}' },
          data: { ALERT_WEBHOOK_URL: 'eA==' },
        },
      ],
      controller: {
        extraEnv: [
          { name: 'ALERT_WEBHOOK_URL', valueFrom: { secretKeyRef: { name: 'ballast-alerts', key: 'ALERT_WEBHOOK_URL' } } },
          { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'mine', key: 'key' } } },
          { name: 'ALERT_SINK', valueFrom: { secretKeyRef: { name: 'mine', key: 'sink' } } },
          { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
        ],
      },
    },
    lines: ['carried', 'carried', 'carried', 'carried', 'carried'],
  },
  'alerts whose address alone is secret': {
    given: d({
      env: {
        open: { ALERT_ON_RELOAD: 'true', ALERT_SINK: 'slack', METRICS_COUNT_BY_NAMESPACE: 'enabled', LEVEL: '1' },
        existing: { hooks: { ALERT_WEBHOOK_URL: 'url' } },
      },
    }),
    ours: {
      ...reload({ metricsByNamespace: true }),
      controller: {
        extraEnv: [
          { name: 'ALERT_ON_RELOAD', value: 'true' },
          { name: 'ALERT_SINK', value: 'slack' },
          { name: 'LEVEL', value: '1' },
          { name: 'ALERT_WEBHOOK_URL', valueFrom: { secretKeyRef: { name: 'hooks', key: 'url' } } },
        ],
      },
    },
    lines: Array(5).fill('carried'),
  },
  'a Secret with nothing in it': {
    given: d({ env: { secret: { ALERT_WEBHOOK_URL: '' }, existing: { mine: null }, field: { NODE: '' } } }),
    ours: bare,
    lines: [],
  },
  'pull secrets in both forms': {
    given: {
      global: { imageRegistry: 'r.io', imagePullSecrets: ['a', { name: 'b' }] },
      image: { tag: 'v1', pullPolicy: 'Always' },
    },
    ours: {
      ...bare,
      global: { imageRegistry: 'r.io', imagePullSecrets: [{ name: 'a' }, { name: 'b' }] },
      image: { pullPolicy: 'Always' },
    },
    lines: ['carried', 'carried', 'dropped', 'carried'],
  },
  'budget with both bounds': {
    given: r({ podDisruptionBudget: { enabled: true, minAvailable: 1, maxUnavailable: 1 } }),
    ours: { ...bare, controller: { podDisruptionBudget: { enabled: true, maxUnavailable: 1 } } },
    lines: ['carried', 'dropped', 'carried'],
  },
  'network policy': {
    given: r({ netpol: { enabled: true, from: [{}], to: [] } }),
    ours: { ...bare, networkPolicy: { enabled: true } },
    lines: ['carried', 'lost', 'dropped'],
  },
  'an account of the user': {
    given: r({ serviceAccount: { create: false, name: 'mine' } }),
    ours: { ...bare, controller: { serviceAccount: { create: false, name: 'mine' } } },
    lines: ['carried', 'carried'],
  },
  'vertical autoscaler': {
    given: r({ verticalPodAutoscaler: { enabled: true, maxAllowed: { cpu: '1' } } }),
    ours: bare,
    lines: ['lost', 'dropped'],
  },
  OpenShift: { given: r({ isOpenshift: true }), ours: bare, lines: ['lost'] },
  'what Helm takes as nothing said': {
    given: { reloader: { deployment: { nodeSelector: null, env: { open: null } } } },
    ours: bare,
    lines: [],
  },
}

test.each(Object.entries(cases))('%s', (_name, { given, ours, lines }) => {
  const converted = convert(given)
  expect(converted.values).toEqual(ours)
  expect(converted.report.map(({ kind }) => kind)).toEqual(lines)
  expect(converted.isLossy).toBe(lines.some(kind => kind === 'lost' || kind === 'changed'))
})

describe('our chart takes what comes out', () => {
  const validate = new Ajv({ strict: false }).compile(jsonSchemaOf(enabledCapabilities))

  test.each(Object.entries(cases))('%s', (_name, { given }) => {
    const { values } = convert(given)
    expect(() =>
      installationValues({ values: { file: 'values.yaml', text: JSON.stringify(values) } }, enabledCapabilities),
    ).not.toThrow()
    validate(values)
    expect(validate.errors).toBeNull()
  })
})

test('variables from Secrets come to the pod, and alerts are on by what they say', () => {
  const secrets = { ALERT_ON_RELOAD: 'true', ALERT_WEBHOOK_URL: 'https://hook.example/{{ .Values.x }}', ALERT_SINK: 'slack' }
  const { values, isLossy } = convert({ ...d({ env: { secret: secrets } }), namespace: 'tools' })
  expect(isLossy).toBe(false)
  const source = { values: { file: 'values.yaml', text: JSON.stringify(values) } }
  const made = objects(installationValues(source, enabledCapabilities), {
    capabilities: enabledCapabilities,
    release: plainRelease('ballast', 'ballast-system'),
  })
  const data = valueAt(
    made.find(({ kind }) => kind === 'Secret'),
    ['data'],
  )
  const read = (name: unknown) => Buffer.from(String(valueAt(data, [String(name)])), 'base64').toString('utf8')
  const deployment = made.find(({ kind }) => kind === 'Deployment')
  const [container] = listAt(deployment, 'spec', 'template', 'spec', 'containers')
  // As a kubelet does.
  const environment = Object.fromEntries(
    listAt(container, 'env').flatMap(one => {
      const key = valueAt(one, ['valueFrom', 'secretKeyRef', 'key'])
      return key === undefined ? [] : [[String(valueAt(one, ['name'])), read(key)]]
    }),
  )
  expect(environment).toEqual(secrets)
  expect(deployment?.metadata.namespace).toBe('tools')
  expect(made.find(({ kind }) => kind === 'Secret')?.metadata.namespace).toBe('tools')
  const text = String(
    valueAt(
      made.find(({ metadata }) => metadata.name === 'ballast-config'),
      ['data', 'config.yaml'],
    ),
  )
  const { overrides } = reloadEnvironment(environment)
  const configuration = readControllerConfiguration({ file: 'ballast-config', text, overrides }, enabledCapabilities)
  if (!configuration.ok) throw new Error(JSON.stringify(configuration.problems))
  expect(settingsOf(configuration.configuration, enabledCapabilities).capabilities['reload']?.config).toMatchObject({
    alerts: { enabled: true, sink: 'slack', webhookUrl: 'https://hook.example/{{ .Values.x }}' },
  })
})

test.each([
  [{ reloader: { autoReloadall: true } }, 'reloader.autoReloadall', 'reloader.autoReloadAll'],
  [{ reloder: { autoReloadAll: true } }, 'reloder', 'reloader'],
  [{ reloader: { podMonitor: { intervall: '10s' } } }, 'reloader.podMonitor.intervall', 'reloader.podMonitor.interval'],
  [{ autoReloadAll: true }, 'autoReloadAll', 'reloader.autoReloadAll'],
])('an unknown key is named with the nearest: %j', (given, from, near) => {
  const { report, isLossy, values } = convert(given)
  expect(report).toEqual([{ from, kind: 'unknown', why: expect.stringContaining(near) }])
  expect(isLossy).toBe(true)
  expect(values).toEqual(bare)
})

test('a key that this chart does not know yet is named with the first that does', () => {
  expect(convert({ reloader: { enableCSIIntegration: true } }, '2.2.7').report).toEqual([
    { from: 'reloader.enableCSIIntegration', kind: 'unknown', why: 'chart 2.2.7 does not know it, 2.2.8 is the first that does' },
  ])
})

test('a text where a map belongs is refused with what belongs there', () => {
  expect(convert({ reloader: { podDisruptionBudget: 'yes' } }).report).toEqual([
    {
      from: 'reloader.podDisruptionBudget',
      kind: 'unknown',
      why: 'found "yes", expected a map of enabled, minAvailable, maxUnavailable',
    },
  ])
})

test('the namespace of the release has to be known where upstream watches only that', () => {
  const { report } = convertValues({
    rows: reloaderRows,
    version: undefined,
    values: r({ watchGlobally: false }),
    namespace: undefined,
    start: {},
  })
  expect(report.map(({ kind, why }) => [kind, why?.includes('-n NAMESPACE')])).toEqual([['lost', true]])
})

test('every value of the input has a line, whatever stands there', () => {
  const { values, templates } = recorded('2.2.16')
  for (const path of [...values, ...templates]) {
    if (reloaderRows.some(row => row.path.startsWith(`${path}.`))) continue
    const given = withValue({}, path.split('.'), { odd: ['thing'] })
    const { report, values: ours } = convert(given)
    expect(
      report.every(({ kind }) => kind !== 'unknown'),
      path,
    ).toBe(true)
    expect(isTree(ours), path).toBe(true)
  }
})

describe('flags of a Deployment', () => {
  const container = {
    name: 'reloader',
    image: 'ghcr.io/stakater/reloader:v1.4.21',
    env: [
      { name: 'GOMAXPROCS', value: '1' },
      { name: 'KUBERNETES_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
      { name: 'ALERT_ON_RELOAD', value: 'true' },
    ],
    args: [
      '--log-level=info',
      '--namespace-selector="a=b"',
      '--auto-annotation',
      'acme.com/auto',
      '--webhook-url',
      'http://x',
      '--is-Argo-Rollouts=true',
      '--ignored-workload-types=jobs,cronjobs',
      '--auto-reload-all',
      '--odd=1',
    ],
  }

  test('each is carried or named', () => {
    const { values, report } = convertContainer(container, 'tools')
    expect(values).toEqual({
      ...reload({
        webhookUrl: 'http://x',
        namespaces: ['tools'],
        annotations: { auto: 'acme.com/auto' },
        argoRollouts: true,
        ignoredWorkloadTypes: ['jobs', 'cronjobs'],
        autoReloadAll: true,
        alerts: { enabled: true },
      }),
      rbac: { namespaced: ['tools'] },
      process: { logLevel: 'info' },
    })
    expect(report.filter(({ kind }) => kind === 'unknown').map(({ from }) => from)).toEqual(['--odd'])
  })

  // biome-ignore format: a table
  test.each([
    ['unset',         [],                                                { enabled: true }],
    ['said',          [{ name: 'ALERT_ADDITIONAL_INFO', value: 'home' }], { enabled: true, additionalInfo: 'home' }],
    ['empty',         [{ name: 'ALERT_ADDITIONAL_INFO', value: '' }],     { enabled: true, additionalInfo: ' ' }],
    ['without value', [{ name: 'ALERT_ADDITIONAL_INFO' }],                { enabled: true, additionalInfo: ' ' }],
  ])('ALERT_ADDITIONAL_INFO %s', (_, more, alerts) => {
    const { values, isLossy } = convertContainer({ env: [{ name: 'ALERT_ON_RELOAD', value: 'true' }, ...more] }, 'x')
    expect([values, isLossy]).toEqual([reload({ alerts }), false])
  })

  test('ignoring both kinds is refused as upstream does', () => {
    const { isLossy } = convertContainer({ args: ['--resources-to-ignore=secrets', '--resources-to-ignore=configmaps'] }, 'x')
    expect(isLossy).toBe(true)
  })
})
