import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import { listAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import type { ValuesTree } from '#upstreams/values-tree.ts'
import { standardPolicy } from '../deploy/descheduler-values.ts'
import { parseDeschedulerFlags } from '../flags/descheduler-flags.ts'
import { convertDescheduler, deschedulerRows, deschedulerVersions } from './descheduler-rows.ts'

const folder = new URL('../../../../test/fixtures/charts/descheduler/', import.meta.url)

function recorded(version: string): readonly string[] {
  const file = version === '0.37.0' ? '0.37' : version
  const document: Readonly<Record<string, readonly string[]>> = JSON.parse(
    readFileSync(new URL(`${file}.keys.json`, folder), 'utf8'),
  )
  return [...(document['values'] ?? []), ...(document['templates'] ?? [])]
}

const rowsOf = (path: string) => deschedulerRows.filter(row => path === row.path || path.startsWith(`${row.path}.`))
const knows = (version: string, path: string) =>
  recorded(version).some(known => known === path || known.startsWith(`${path}.`) || path.startsWith(`${known}.`))

describe('every key of every recorded chart has one row', () => {
  test('the recorded charts are the supported ones', () => {
    expect(readdirSync(folder)).toHaveLength(deschedulerVersions.length)
  })

  test.each(deschedulerVersions)('chart %s', version => {
    const paths = recorded(version)
    expect(paths.length).toBeGreaterThan(70)
    // A template of 0.34.0 names a key that it does not read: `deploymentAnnotations`, with an s too few.
    const isCovered = (path: string) =>
      path === 'annotations' || rowsOf(path).length === 1 || deschedulerRows.some(row => row.path.startsWith(`${path}.`))
    expect(paths.filter(path => !isCovered(path))).toEqual([])
  })

  test.each(deschedulerRows.flatMap(row => (row.since === undefined ? [] : [[row.path, row.since] as const])))(
    '%s is known since %s',
    (path, since) => expect(deschedulerVersions.find(version => recorded(version).includes(path))).toBe(since),
  )

  test('no row names a key that no chart has', () => {
    const idle = deschedulerRows.filter(({ path }) => !deschedulerVersions.some(version => knows(version, path)))
    expect(idle.map(({ path }) => path)).toEqual([])
  })
})

const convert = (values: ValuesTree, { version = '0.36.0', namespace = 'kube-system' } = {}) =>
  convertDescheduler({ values, version, namespace })
const ours = (values: ValuesTree) => Reflect.get(convert(values).values, 'descheduler')
const on = { enabled: true }
const policy = { profiles: [] }
const header = { apiVersion: 'descheduler/v1alpha2', kind: 'DeschedulerPolicy' }

// biome-ignore format: a table
const carriedCases: readonly (readonly [name: string, given: ValuesTree, descheduler: object])[] = [
  ['nothing is said',         {}, {}],
  ['a schedule',              { schedule: '0 4 * * *', timeZone: 'Europe/Berlin', suspend: true }, { schedule: '0 4 * * *', timeZone: 'Europe/Berlin', suspend: true }],
  ['limits of Jobs',          { successfulJobsHistoryLimit: 0, failedJobsHistoryLimit: 1, startingDeadlineSeconds: 200, ttlSecondsAfterFinished: 600, activeDeadlineSeconds: 60 },
                              { successfulJobsHistoryLimit: 0, failedJobsHistoryLimit: 1, startingDeadlineSeconds: 200, ttlSecondsAfterFinished: 600, activeDeadlineSeconds: 60 }],
  ['limits that are left out where they are 0', { startingDeadlineSeconds: 0, ttlSecondsAfterFinished: 0 }, {}],
  ['an interval',             { kind: 'Deployment', deschedulingInterval: '1h30m' }, { kind: 'Deployment', interval: '1h30m' }],
  ['replicas with a leader',  { kind: 'Deployment', replicas: 2, leaderElection: { enabled: true, leaseDuration: '15s' } }, { kind: 'Deployment', replicas: 2, leaderElection: { enabled: true, leaseDuration: '15s' } }],
  ['one replica',             { kind: 'Deployment', replicas: 1 }, { kind: 'Deployment' }],
  ['none, of which upstream makes one', { kind: 'Deployment', replicas: 0 }, { kind: 'Deployment' }],
  ['the misspelt namespace',  { leaderElection: { resourceNamespace: 'a', resourceNamescape: 'b' } }, { leaderElection: { resourceNamespace: 'b' } }],
  ['the namespace of the Lease', { leaderElection: { resourceNamespace: 'a', resourceName: 'mine' } }, { leaderElection: { resourceNamespace: 'a', resourceName: 'mine' } }],
  ['flags',                   { cmdOptions: { v: 5, 'dry-run': true, 'feature-gates': 'EvictionsInBackground=true', 'client-connection-qps': 50 } },
                              { verbosity: 5, dryRun: true, extraArgs: ['--feature-gates=EvictionsInBackground=true', '--client-connection-qps=50'] }],
  ['flags without a value',   { cmdOptions: { 'dry-run': null, 'disable-metrics': null } }, { dryRun: true, extraArgs: ['--disable-metrics'] }],
  ['the level taken away',    { cmdOptions: { v: null } }, { verbosity: 0 }],
  ['leader election by flags', { cmdOptions: { 'leader-elect': true, 'leader-elect-resource-name': 'mine' } }, { leaderElection: { enabled: true, resourceName: 'mine' } }],
  ['pods',                    { tolerations: [{ operator: 'Exists' }], nodeSelector: { a: 'b' }, podLabels: { c: 'd' }, dnsConfig: {}, priorityClassName: '' },
                              { tolerations: [{ operator: 'Exists' }], nodeSelector: { a: 'b' }, podLabels: { c: 'd' }, priorityClassName: '' }],
  ['what is special in a security context', { securityContext: { runAsUser: 2000, readOnlyRootFilesystem: true } }, { securityContext: { runAsUser: 2000 } }],
  ['annotations of its kind', { cronJobAnnotations: { a: 'b' }, deploymentAnnotations: { c: 'd' } }, { annotations: { a: 'b' } }],
  ['a Service',               { kind: 'Deployment', service: { enabled: true, ipFamilies: ['IPv6'] } }, { kind: 'Deployment', service: { enabled: true, ipFamilies: ['IPv6'] } }],
  ['an account of somebody',  { serviceAccount: { create: false, name: 'mine' } }, { serviceAccount: { create: false, name: 'mine' } }],
]

test.each(carriedCases)('%s', (_name, given, descheduler) => {
  const { isLossy } = convert(given)
  expect(ours(given)).toEqual({ ...on, ...descheduler })
  expect(isLossy).toBe(false)
})

test('a monitor, with what Prometheus selects it by', () => {
  const serviceMonitor = {
    enabled: true,
    interval: '30s',
    additionalLabels: { release: 'p' },
    serverName: 'x',
    insecureSkipVerify: false,
  }
  const { values, isLossy } = convert({ kind: 'Deployment', serviceMonitor })
  expect(values).toMatchObject({
    metrics: { serviceMonitor: { enabled: true, interval: '30s', labels: { release: 'p' } } },
    descheduler: { serviceMonitor: { serverName: 'x', insecureSkipVerify: false } },
  })
  expect(isLossy).toBe(false)
})

// biome-ignore format: a table
const lossyCases: readonly (readonly [name: string, given: ValuesTree, from: string, why: string])[] = [
  ['two without a leader',    { kind: 'Deployment', replicas: 2 }, 'replicas', "2 replicas without leaderElection.enabled: upstream's chart refuses it, as ours does"],
  ['a flag that nobody has',  { cmdOptions: { 'dry-rum': true } }, 'cmdOptions', 'unknown flag: --dry-rum'],
  ['a flag with a bad value', { cmdOptions: { 'leader-elect-lease-duration': 'soon' } }, 'cmdOptions', 'invalid argument "soon" for "--leader-elect-lease-duration" flag: time: invalid duration "soon"'],
  ['another port',            { cmdOptions: { 'secure-port': 8443 } }, 'cmdOptions', 'ours serves on 10258, the port of its Service and its probe'],
  ['another kind',            { kind: 'Job' }, 'kind', 'found "Job", expected CronJob or Deployment: with others upstream runs nothing'],
  ['an interval in no unit',  { deschedulingInterval: 300 }, 'deschedulingInterval', 'found 300, expected a duration such as 5m'],
  ['an older policy',         { deschedulerPolicyAPIVersion: 'descheduler/v1alpha1' }, 'deschedulerPolicyAPIVersion', 'found "descheduler/v1alpha1", expected descheduler/v1alpha2: upstream refuses others from v0.33 on, too'],
  ['no policy',               { deschedulerPolicy: null }, 'deschedulerPolicy', 'the release has no policy of its own and reads a ConfigMap of yours: put what it says into descheduler.policy'],
  ['roles of somebody',       { rbac: { create: false } }, 'rbac.create', 'ours makes the roles of all its accounts, or with rbac.create: false of none'],
  ['another program',         { command: ['/bin/sh'] }, 'command', 'ours begins its own program'],
  ['a monitor of another operator', { kind: 'Deployment', serviceMonitor: { apiVersion: 'monitoring.rhobs/v1' } }, 'serviceMonitor.apiVersion', 'found "monitoring.rhobs/v1": ours is of monitoring.coreos.com/v1; write yours into extraObjects'],
  ['a key that nobody has',   { deschedulingIntervall: '5m' }, 'deschedulingIntervall', 'no chart of this upstream has it; did you mean deschedulingInterval?'],
]

test.each(lossyCases)('lost: %s', (_name, given, from, why) => {
  const { report, isLossy } = convert(given)
  expect(isLossy).toBe(true)
  expect(report).toContainEqual(expect.objectContaining({ from, why }))
})

test('a key of a later chart is said to be one', () => {
  const { report } = convert({ activeDeadlineSeconds: 60 }, { version: '0.33.0' })
  expect(report).toEqual([
    { from: 'activeDeadlineSeconds', kind: 'unknown', why: 'chart 0.33.0 does not know it, 0.34.0 is the first that does' },
  ])
})

describe('templates in the policy', () => {
  const given = { deschedulerPolicy: { ...policy, nodeSelector: 'pool={{ .Release.Namespace }}' } }

  test("the namespace of upstream's release is written out: ours lies elsewhere", () => {
    expect(ours(given)).toEqual({ ...on, policy: { ...header, profiles: [], nodeSelector: 'pool=kube-system' } })
  })

  test('any other is told of, with what fills it in', () => {
    const other = { deschedulerPolicy: { ...policy, nodeSelector: '{{ .Values.pool }}' } }
    const { report, isLossy } = convert(other)
    expect(isLossy).toBe(true)
    expect(report).toContainEqual(
      expect.objectContaining({ kind: 'changed', why: expect.stringContaining("not of upstream's: {{ .Values.pool }}") }),
    )
    const unknown = convertDescheduler({ values: given, version: undefined, namespace: undefined })
    expect(JSON.stringify(unknown.report)).toContain('-n NAMESPACE fills the namespace in')
  })
})

// biome-ignore format: a table
test.each([
  ['the list',            { podProtections: { extraEnabled: ['PodsWithPVC', 'PodsWithoutPDB'] } }],
  ['the deprecated flag', { ignorePodsWithoutPDB: true }],
])('whoever spares pods without a budget is told that upstream spares all, and nothing is lost: by %s', (_name, args) => {
  const evictor = { name: 'DefaultEvictor', args }
  const given = { deschedulerPolicy: { profiles: [{ name: 'mine', pluginConfig: [evictor], plugins: {} }] } }
  const { report, isLossy } = convert(given)
  expect(isLossy).toBe(false)
  const told = expect.objectContaining({ kind: 'carried', why: expect.stringContaining('PodsWithoutPDB is on in profile mine: upstream') })
  expect(report).toContainEqual(told)
  const templated = { profiles: [{ ...given.deschedulerPolicy.profiles[0], name: '{{ .Values.mine }}' }] }
  expect(JSON.stringify(convert({ deschedulerPolicy: templated }).report)).toContain('look at ballast shadow first. And its templates')
})

test('Secrets that the policy names are granted', () => {
  const secretReference = { namespace: 'kube-system', name: 'token' }
  const prometheus = { url: 'https://p.example', authToken: { secretReference } }
  const given = { deschedulerPolicy: { ...policy, metricsProviders: [{ source: 'Prometheus', prometheus }] } }
  expect(ours(given)).toMatchObject({ tokenSecrets: [secretReference] })
  expect(() => rendered(given)).not.toThrow()
})

/** The workload that ours makes of converted values, and its policy. */
function rendered(given: ValuesTree) {
  const text = JSON.stringify(convert(given).values)
  const values = installationValues({ values: { file: 'converted', text } }, enabledCapabilities)
  const made = objects(values, { capabilities: enabledCapabilities, release: plainRelease('ballast', 'ballast-system') })
  const own = made.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === 'descheduler')
  const workload = own.find(({ kind }) => kind === 'CronJob' || kind === 'Deployment')
  if (workload === undefined) throw new Error('no workload')
  const [container] = listAt(templateOf(workload), 'spec', 'containers')
  const flags = parseDeschedulerFlags(listAt(container, 'args').slice(2).map(String))
  const configMap = own.find(({ kind }) => kind === 'ConfigMap')
  return { workload, flags, policy: parse(textAt(configMap, 'data', 'policy.yaml') ?? '') }
}

const seeds = {
  utilities: parse(readFileSync('examples/utilities-homelab/upstream/descheduler-values.yaml', 'utf8')),
  talos: parse(readFileSync('examples/talos-homelab/upstream/descheduler-values.yaml', 'utf8')),
}

describe('the homelabs', () => {
  test('utilities: a Deployment every five minutes, with three namespaces left alone', () => {
    const { workload, flags, policy: made } = rendered(seeds.utilities)
    expect(workload.kind).toBe('Deployment')
    expect(flags).toMatchObject({ ok: true, settings: { deschedulingIntervalMs: 300_000, verbosity: 3 } })
    expect(made).toEqual({ ...header, ...seeds.utilities.deschedulerPolicy })
    expect(JSON.stringify(made)).toContain('"exclude":["ai-ml","kuberay","gitea"]')
  })

  test("utilities: what its repository has for Ballast's chart is what the command prints", () => {
    const gitops = parse(readFileSync('examples/utilities-homelab/gitops/values.yaml', 'utf8'))
    expect(gitops.descheduler).toEqual(ours(seeds.utilities))
  })

  test('talos: a CronJob at four in the morning', () => {
    const { workload, flags, policy: made } = rendered(seeds.talos)
    expect(workload).toMatchObject({ kind: 'CronJob', spec: { schedule: '0 4 * * *', concurrencyPolicy: 'Forbid' } })
    expect(flags).toMatchObject({ ok: true, settings: { deschedulingIntervalMs: 0 } })
    expect(made).toEqual({ ...header, ...seeds.talos.deschedulerPolicy })
  })

  test('case 23 of packaging: the deprecated keys of a policy stay as they are, with interval and leader election', () => {
    const given = {
      kind: 'Deployment',
      deschedulingInterval: '5m',
      leaderElection: { enabled: true },
      deschedulerPolicy: {
        profiles: [
          {
            name: 'default',
            pluginConfig: [
              {
                name: 'DefaultEvictor',
                args: { evictFailedBarePods: true, evictLocalStoragePods: true, evictSystemCriticalPods: true, nodeFit: true },
              },
            ],
            plugins: {},
          },
        ],
      },
    }
    const { flags, policy: made } = rendered(given)
    expect(made).toEqual({ ...header, ...given.deschedulerPolicy })
    expect(flags).toMatchObject({
      ok: true,
      settings: { deschedulingIntervalMs: 300_000, leaderElection: { name: 'descheduler', namespace: 'kube-system' } },
    })
    expect(convert(given).isLossy).toBe(false)
  })
})

test("what is said to nobody is what both charts do: upstream's default policy and level", () => {
  const { flags, policy: made } = rendered({})
  expect(made).toEqual(standardPolicy)
  expect(flags).toMatchObject({ ok: true, settings: { verbosity: 3, deschedulingIntervalMs: 0, dryRun: false } })
})
