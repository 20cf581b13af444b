import { Ajv } from 'ajv'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type Asked, installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import { kustomizeFiles } from '#deployment/packaging/kustomize.ts'
import { jsonSchemaOf } from '#deployment/values/values-schema.ts'
import { listAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { readControllerConfiguration } from '#process/configuration/controller-configuration.ts'
import { enabledCapabilities as capabilities } from '#process/enabled-capabilities.ts'
import { readPolicy } from '../compat/policy/read-policy.ts'
import { deschedulerRules } from '../compat/rights.ts'
import { descheduleConfiguration } from '../compat/run/coordination-settings.ts'
import { parseDeschedulerFlags } from '../flags/descheduler-flags.ts'
import { deschedulerPort, standardPolicy } from './descheduler-values.ts'

const release = plainRelease('ballast', 'ballast-system')
const all = (asked: Asked) => objects(installationValues(asked, capabilities), { capabilities, release })
const isOwn = ({ metadata }: KubeObject) => metadata.labels?.['app.kubernetes.io/component'] === 'descheduler'
const made = (descheduler: object = {}, rest: object = {}) =>
  all({ preset: { descheduler: { enabled: true, ...descheduler }, ...rest } }).filter(isOwn)
const keys = (list: readonly KubeObject[]) => list.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
const nothing: KubeObject = { apiVersion: '', kind: '', metadata: { name: '' } }
const one = (list: readonly KubeObject[], kind: string) => list.find(object => object.kind === kind)
const workloadIn = (list: readonly KubeObject[]) => one(list, 'Deployment') ?? one(list, 'CronJob')

function argumentsIn(list: readonly KubeObject[]): readonly string[] {
  const workload = workloadIn(list)
  const [container] = workload === undefined ? [] : listAt(templateOf(workload), 'spec', 'containers')
  const [command, config, ...words] = listAt(container, 'args').map(String)
  expect([command, config]).toEqual(['descheduler', '--config=/policy-dir/config.yaml'])
  return words
}

function settingsIn(list: readonly KubeObject[]) {
  const read = parseDeschedulerFlags(argumentsIn(list))
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read.settings
}

test('nothing of it is there unless somebody enables it', () => {
  expect(keys(all({}).filter(isOwn))).toEqual([])
})

test("a CronJob by default, as upstream's chart", () => {
  const list = made()
  expect(keys(list)).toEqual([
    'ServiceAccount ballast-descheduler',
    'ClusterRole ballast-descheduler',
    'ClusterRoleBinding ballast-descheduler',
    'ConfigMap ballast-descheduler',
    'CronJob ballast-descheduler',
  ])
  expect(one(list, 'CronJob')?.['spec']).toMatchObject({
    schedule: '*/2 * * * *',
    suspend: false,
    concurrencyPolicy: 'Forbid',
    jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never' } } } },
  })
  expect(settingsIn(list)).toMatchObject({ deschedulingIntervalMs: 0, verbosity: 3, dryRun: false })
})

test('a Deployment with all that is around one', () => {
  const list = made(
    {
      kind: 'Deployment',
      interval: '1h30m',
      replicas: 2,
      leaderElection: { enabled: true, leaseDuration: '60s', renewDeadline: '40s', retryPeriod: '10s', resourceName: 'mine' },
      podDisruptionBudget: { enabled: true },
    },
    { metrics: { serviceMonitor: { enabled: true } }, networkPolicy: { enabled: true } },
  )
  expect(keys(list)).toEqual([
    'ServiceAccount ballast-descheduler',
    'ClusterRole ballast-descheduler',
    'ClusterRoleBinding ballast-descheduler',
    'Role ballast-descheduler-lease',
    'RoleBinding ballast-descheduler-lease',
    'ConfigMap ballast-descheduler',
    'Service ballast-descheduler',
    'NetworkPolicy ballast-descheduler',
    'PodDisruptionBudget ballast-descheduler',
    'Deployment ballast-descheduler',
    'ServiceMonitor ballast-descheduler',
  ])
  expect(settingsIn(list)).toMatchObject({
    deschedulingIntervalMs: 5_400_000,
    leaderElection: {
      leaseDurationMs: 60_000,
      renewDeadlineMs: 40_000,
      retryPeriodMs: 10_000,
      name: 'mine',
      namespace: 'kube-system',
    },
  })
  expect(one(list, 'ServiceMonitor')?.['spec']).toMatchObject({
    endpoints: [{ port: 'http-metrics', scheme: 'https', honorLabels: true, tlsConfig: { insecureSkipVerify: true } }],
  })
  const [container] = listAt(templateOf(workloadIn(list) ?? nothing), 'spec', 'containers')
  expect(container).toMatchObject({
    ports: [{ name: 'http-metrics', containerPort: deschedulerPort }],
    livenessProbe: { httpGet: { path: '/healthz', port: deschedulerPort, scheme: 'HTTPS' } },
  })
})

// biome-ignore format: a table
test.each([
  ['alone',              {},                                                                       { type: 'Recreate' }],
  ['with a Lease',       { replicas: 2, leaderElection: { enabled: true } },                        { type: 'RollingUpdate' }],
  ['as somebody wishes', { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0 } } }, { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0 } }],
])('%s: two never run side by side unless they elect a leader', (_name, values, strategy) => {
  expect(Reflect.get(Object(workloadIn(made({ kind: 'Deployment', ...values }))?.['spec']), 'strategy')).toEqual(strategy)
})

test('keys that only some CronJobs have', () => {
  const limits = { startingDeadlineSeconds: 200, successfulJobsHistoryLimit: 0, failedJobsHistoryLimit: 1 }
  const ofJob = { ttlSecondsAfterFinished: 600, activeDeadlineSeconds: 60 }
  const list = made({ ...limits, ...ofJob, timeZone: 'Etc/UTC', suspend: true, jobLabels: { a: 'b' }, cronJobLabels: { c: 'd' } })
  const cronJob = one(list, 'CronJob')
  expect(cronJob?.['spec']).toMatchObject({ ...limits, suspend: true, timeZone: 'Etc/UTC', jobTemplate: { spec: ofJob } })
  expect(cronJob?.metadata.labels).toMatchObject({ c: 'd' })
  expect(Reflect.get(Object(cronJob?.['spec']), 'jobTemplate').metadata.labels).toMatchObject({ a: 'b' })
})

describe('the policy', () => {
  const policyIn = (list: readonly KubeObject[]) => textAt(one(list, 'ConfigMap'), 'data', 'policy.yaml') ?? ''
  const checksumIn = (list: readonly KubeObject[]) => {
    const workload = workloadIn(list)
    return workload === undefined ? undefined : textAt(templateOf(workload), 'metadata', 'annotations', 'checksum/config')
  }

  test("is that of upstream's chart, and is read without a note", () => {
    const text = policyIn(made())
    expect(parse(text)).toEqual(standardPolicy)
    const read = readPolicy(text, { file: 'policy.yaml', priorityOf: () => undefined })
    expect(read).toMatchObject({ ok: true, unknownFields: [], notes: [] })
  })

  test('starts the pods anew when it is another', () => {
    const [a, b] = [{}, { policy: { maxNoOfPodsToEvictPerNode: 3 } }].map(values => made({ kind: 'Deployment', ...values }))
    expect(checksumIn(a ?? [])).not.toBe(checksumIn(b ?? []))
    expect(parse(policyIn(b ?? []))).toEqual({ ...standardPolicy, maxNoOfPodsToEvictPerNode: 3 })
  })

  test('with templates of the release, which are filled in', () => {
    expect(parse(policyIn(made({ policy: { nodeSelector: 'pool={{ .Release.Name }}' } })))).toMatchObject({
      nodeSelector: 'pool=ballast',
    })
    expect(() => made({ policy: { nodeSelector: '{{ .Values.pool }}' } })).toThrow('descheduler.policy.nodeSelector')
  })

  test('is refused as the program would refuse it, with its place', () => {
    expect(() => made({ policy: { profiles: [{ name: 'p', plugins: { balance: { enabled: ['Nobody'] } } }] } })).toThrow(
      /in profile p: /,
    )
    expect(() => made({ policy: { apiVersion: 'descheduler/v1alpha1' } })).toThrow('v1alpha1')
  })

  const token = { namespace: 'monitoring', name: 'token' }
  const prometheus = { url: 'https://prometheus.example', authToken: { secretReference: token } }
  const policy = { metricsProviders: [{ source: 'Prometheus', prometheus }] }

  test('may name a Secret that the values grant, and no other', () => {
    expect(() => made({ policy })).toThrow(
      'values: descheduler.tokenSecrets: found "[]", expected the Secret that the policy names for Prometheus: {"namespace":"monitoring","name":"token"}',
    )
    const [role] = made({ policy, tokenSecrets: [token] }).filter(({ kind }) => kind === 'Role')
    expect(role).toMatchObject({
      metadata: { name: 'ballast-descheduler-secrets', namespace: 'monitoring' },
      rules: [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['token'], verbs: ['get'] }],
    })
  })
})

describe('coordination', () => {
  const enforce = { coordination: { enforce: true } }

  test('is what the program reads in the file beside the policy', () => {
    const text = textAt(one(made({ ...enforce, arbitration: 'coordinate' }), 'ConfigMap'), 'data', 'config.yaml') ?? ''
    const dropIn = capabilities.map(each => (each.name === 'deschedule' ? { ...each, config: descheduleConfiguration } : each))
    const read = readControllerConfiguration({ file: 'config.yaml', text, overrides: [] }, dropIn)
    if (!read.ok) throw new Error(JSON.stringify(read.problems))
    expect(read.configuration.capabilities['deschedule']).toMatchObject({
      arbitration: 'coordinate',
      coordination: { enforce: true, unlabelled: 'none', requirePDB: true, kedaPresence: 'exclude' },
    })
  })

  test('observes unless told, and starts the pods anew when it is another', () => {
    const text = textAt(one(made(), 'ConfigMap'), 'data', 'config.yaml') ?? ''
    expect(parse(text)).toMatchObject({
      capabilities: { deschedule: { arbitration: 'observe', coordination: { enforce: false } } },
    })
    const template = (list: readonly KubeObject[]) => JSON.stringify(templateOf(workloadIn(list) ?? nothing))
    expect(template(made(enforce))).not.toBe(template(made()))
  })

  test('case 23: enforced, what stays is refused by the rule, unless it has windows', () => {
    const stays = { ...enforce, kind: 'Deployment' }
    expect(() => made(stays)).toThrow('the rule not-continuous')
    const arbiter = { windows: { deschedule: ['0 4 * * *;2h;Europe/Berlin'] } }
    expect(keys(made(stays, { arbiter }))).toContain('Deployment ballast-descheduler')
    expect(keys(made(enforce))).toContain('CronJob ballast-descheduler')
  })
})

describe('more than one replica without leader election', () => {
  const values = { kind: 'Deployment', replicas: 2 }
  const validate = new Ajv({ strict: false }).compile(jsonSchemaOf(capabilities))
  const whole = (descheduler: object) => {
    const standard = installationValues({}, capabilities)
    return { ...standard, descheduler: { ...Object(standard['descheduler']), ...descheduler } }
  }

  test('is refused by manifests', () => {
    expect(() => made(values)).toThrow('descheduler.leaderElection.enabled')
  })

  test('is refused by Helm, which reads the schema', () => {
    expect(validate(whole({ enabled: true, ...values }))).toBe(false)
    expect(validate(whole({ enabled: true, ...values, leaderElection: { enabled: true } }))).toBe(true)
    expect(validate(whole({ enabled: true, replicas: 2 }))).toBe(true)
  })
})

test('it may what the program says it needs, and no more', () => {
  const choice = fc.record({
    dryRun: fc.boolean(),
    elects: fc.boolean(),
    measured: fc.boolean(),
    stays: fc.boolean(),
    enforced: fc.boolean(),
  })
  fc.assert(
    fc.property(choice, ({ dryRun, elects, measured, stays, enforced }) => {
      const list = made(
        {
          dryRun,
          coordination: { enforce: enforced },
          kind: stays ? 'Deployment' : 'CronJob',
          leaderElection: { enabled: elects, resourceNamespace: 'apart' },
          policy: measured ? { metricsProviders: [{ source: 'KubernetesMetrics' }] } : {},
        },
        { arbiter: { windows: { deschedule: ['0 4 * * *;2h;Europe/Berlin'] } } },
      )
      const wanted = deschedulerRules({
        dryRun,
        ...(elects && stays ? { leaderElection: { name: 'descheduler', namespace: 'apart' } } : {}),
        policy: { kubernetesMetrics: measured },
        enforced,
        permits: false,
      })
      const granted = list.flatMap(({ kind, metadata, ...object }) =>
        kind === 'ClusterRole' || kind === 'Role'
          ? listAt(object, 'rules').flatMap(rule =>
              listAt(rule, 'apiGroups').flatMap(group =>
                listAt(rule, 'resources').flatMap(resource =>
                  listAt(rule, 'verbs').map(verb => ({
                    place: metadata.namespace ?? 'cluster',
                    group,
                    resource,
                    names: listAt(rule, 'resourceNames'),
                    verb,
                  })),
                ),
              ),
            )
          : [],
      )
      const sorted = (rights: readonly object[]) => rights.map(right => JSON.stringify(right)).toSorted()
      expect(sorted(granted)).toEqual(sorted(wanted))
    }),
    { numRuns: 40 },
  )
})

test('with Kustomize it is a component of its own, whole', () => {
  const files = kustomizeFiles(capabilities)
  expect(parse(files.get('components/descheduler/kustomization.yaml') ?? '')).toMatchObject({
    kind: 'Component',
    resources: ['descheduler.yaml'],
  })
  expect(files.get('components/descheduler/descheduler.yaml')).toContain('kind: CronJob')
  expect(files.get('base/install.yaml')).not.toContain('app.kubernetes.io/component: descheduler')
})
