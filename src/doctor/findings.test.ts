import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { upstreamText } from '#test/upstream-texts.ts'
import { knownKinds } from './capability-findings.ts'
import { examineCluster } from './checks.ts'
import type { ClusterFacts, OwnFacts } from './facts.ts'

const nowMs = Date.parse('2026-03-01T12:00:00Z')
const ago = (seconds: number) => new Date(nowMs - 1000 * seconds).toISOString()

const ours: OwnFacts = {
  namespace: 'ballast-system',
  enabled: [],
  configurations: {},
  isConfigured: true,
  isRunning: true,
  account: 'ballast-controller',
  rights: [],
}
const facts = (objects: readonly KubeObject[], more: Partial<ClusterFacts> = {}): ClusterFacts => ({
  objects,
  unread: [],
  nowMs,
  ours: undefined,
  ...more,
})
const ids = (given: ClusterFacts) => examineCluster(given).map(({ id }) => id)

interface Made {
  readonly name?: string
  readonly namespace?: string
  readonly image?: string
  readonly labels?: Record<string, string>
  readonly annotations?: Record<string, string>
  readonly args?: readonly string[]
  readonly replicas?: number
  readonly status?: unknown
}

function deployment(made: Made = {}): KubeObject {
  const {
    name = 'web',
    namespace = 'apps',
    image = 'registry.example/web:1',
    labels = {},
    annotations = {},
    args = [],
    replicas = 1,
    status,
  } = made
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels, annotations },
    spec: { replicas, template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image, args }] } } },
    ...(status === undefined ? {} : { status }),
  }
}

const reloader = (made: Made = {}) =>
  deployment({
    name: 'reloader-reloader',
    namespace: 'reloader',
    image: 'ghcr.io/stakater/reloader:v1.4.21',
    labels: { 'helm.sh/chart': 'reloader-2.2.16' },
    ...made,
  })
const descheduler = (made: Made = {}) =>
  deployment({ name: 'descheduler', namespace: 'kube-system', image: 'registry.k8s.io/descheduler/descheduler:v0.36.0', ...made })

const ballast = (made: Made) =>
  deployment({
    name: 'ballast-controller',
    namespace: 'ballast-system',
    labels: { 'app.kubernetes.io/name': 'ballast', 'app.kubernetes.io/component': 'controller' },
    ...made,
  })

const object = (apiVersion: string, kind: string, name: string, rest: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, ...metadata },
  ...rest,
})
const definition = (name: string, group: string, rest: object = {}, metadata: object = {}) =>
  object(
    'apiextensions.k8s.io/v1',
    'CustomResourceDefinition',
    name,
    { spec: { group, versions: [{ name: 'v1', served: true }] }, ...rest },
    metadata,
  )
const webhook = (failurePolicy: string | undefined) =>
  object('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', 'guard', {
    webhooks: [
      {
        name: 'g.example',
        ...(failurePolicy === undefined ? {} : { failurePolicy }),
        clientConfig: { service: { namespace: 'apps', name: 'guard' } },
      },
    ],
  })
const endpoints = (service: string, ready: boolean) =>
  object(
    'discovery.k8s.io/v1',
    'EndpointSlice',
    `${service}-x`,
    { endpoints: [{ conditions: { ready } }] },
    { namespace: 'apps', labels: { 'kubernetes.io/service-name': service } },
  )
const apiService = (status: string) =>
  object('apiregistration.k8s.io/v1', 'APIService', 'v1beta1.metrics.k8s.io', {
    spec: { service: { namespace: 'apps', name: 'metrics' } },
    status: { conditions: [{ type: 'Available', status, reason: 'FailedDiscoveryCheck', message: 'no' }] },
  })
const lease = (name: string, holderIdentity: string, seconds: number) =>
  object(
    'coordination.k8s.io/v1',
    'Lease',
    name,
    { spec: { holderIdentity, renewTime: ago(seconds), leaseDurationSeconds: 15 } },
    { namespace: 'reloader' },
  )
/** One of the HTTP add-on's Deployments; with `args` ours runs in it. */
const addOn = (program: string, args?: readonly string[]) =>
  deployment({
    name: `keda-add-ons-http-${program}`,
    namespace: 'keda',
    image: args === undefined ? `ghcr.io/kedacore/http-add-on-${program}:0.15.0` : 'registry.example/ballast:1',
    labels: { 'app.kubernetes.io/name': 'http-add-on', 'app.kubernetes.io/version': '0.15.0' },
    ...(args === undefined ? {} : { args }),
  })
const addOnLease = object(
  'coordination.k8s.io/v1',
  'Lease',
  'http-add-on.keda.sh',
  { spec: { holderIdentity: 'keda-add-ons-http-operator-1_x', renewTime: ago(1), leaseDurationSeconds: 15 } },
  { namespace: 'keda' },
)
const node = (taints: readonly object[], labels: Record<string, string> = {}) =>
  object('v1', 'Node', 'n1', { spec: { taints } }, { labels })
const gone = (finalizer: string, seconds: number) =>
  object(
    'keda.sh/v1alpha1',
    'scaledobjects',
    'so',
    {},
    { namespace: 'apps', finalizers: [finalizer], deletionTimestamp: ago(seconds) },
  )
const budget = (spec: object) =>
  object(
    'policy/v1',
    'PodDisruptionBudget',
    'web',
    { spec: { selector: { matchLabels: { app: 'web' } }, ...spec } },
    { namespace: 'apps' },
  )
const ownDescheduler = (made: Made = {}): KubeObject => {
  const object = deployment({
    name: 'ballast-descheduler',
    namespace: 'ballast-system',
    image: 'ghcr.io/ballast-dev/ballast:0.1.0',
    labels: {
      'app.kubernetes.io/name': 'ballast',
      'app.kubernetes.io/part-of': 'ballast',
      'app.kubernetes.io/component': 'descheduler',
    },
    ...made,
  })
  // As our chart calls it.
  return JSON.parse(JSON.stringify(object).replace('"name":"main"', '"name":"descheduler"'))
}

const movable = deployment({ labels: { 'scaling.talos.io/managed-by': 'descheduler' } })
const refusing = (message: string) =>
  deployment({
    labels: { 'app.kubernetes.io/part-of': 'ballast' },
    status: { conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message }] },
  })

const withClass = (workload: KubeObject, priorityClassName: string): KubeObject => ({
  ...workload,
  spec: { template: { spec: { priorityClassName } } },
})
const prioritized = (name: string) => withClass(movable, name)
const critical = withClass(deployment({ labels: { 'app.kubernetes.io/part-of': 'ballast' } }), 'system-cluster-critical')
const priorityClass = (name: string, value: number) => object('scheduling.k8s.io/v1', 'PriorityClass', name, { value })

const present = 'upstream-present'
const cases: readonly (readonly [string, ClusterFacts, readonly string[]])[] = [
  ['nothing', facts([deployment()]), []],
  ['a Reloader', facts([reloader()]), [present]],
  [
    'a Reloader of another registry under another name, by image and chart',
    facts([reloader({ name: 'x', image: 'mirror.example/ghcr/stakater/reloader@sha256:1' })]),
    [present],
  ],
  ['one signal alone is none', facts([deployment({ name: 'my-reloader' })]), []],
  ['ours stands, theirs runs', facts([reloader()], { ours: { ...ours, enabled: ['reload'] } }), ['double-duty', present]],
  [
    'ours runs, theirs is scaled to none',
    facts([reloader({ replicas: 0 })], { ours: { ...ours, enabled: ['reload'] } }),
    [present],
  ],
  ['ours is installed without reload', facts([reloader()], { ours }), [present]],
  ['ours does not run', facts([reloader()], { ours: { ...ours, enabled: ['reload'], isRunning: false } }), [present]],
  ['two Reloaders', facts([reloader(), reloader({ namespace: 'tools' })]), ['double-duty', present, present]],
  [
    'two Reloaders of namespaces apart',
    facts([reloader({ args: ['--namespaces=a,b'] }), reloader({ namespace: 't', args: ['--namespaces', 'c'] })]),
    [present, present],
  ],
  [
    'two Reloaders that share a namespace',
    facts([reloader({ args: ['--namespaces=a,b'] }), reloader({ namespace: 't', args: ['--namespaces=b'] })]),
    ['double-duty', present, present],
  ],
  ['two deschedulers', facts([descheduler(), descheduler({ namespace: 'other' })]), ['double-duty', present, present]],
  [
    'a descheduler and a suspended CronJob of it',
    facts([
      descheduler(),
      {
        ...descheduler({ namespace: 'other' }),
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        spec: {
          suspend: true,
          jobTemplate: {
            spec: {
              template: { spec: { containers: [{ name: 'x', image: 'registry.k8s.io/descheduler/descheduler:v0.36.0' }] } },
            },
          },
        },
      },
    ]),
    [present, present],
  ],
  [
    'a descheduler beside ours without a policy',
    facts([descheduler()], { ours: { ...ours, enabled: ['deschedule'] } }),
    [present],
  ],
  [
    'a descheduler beside ours with a policy',
    facts([descheduler(), object('ballast.dev/v1alpha1', 'rebalancepolicies', 'p')], {
      ours: { ...ours, enabled: ['deschedule'] },
    }),
    ['double-duty', present],
  ],
  [
    'a descheduler beside ours with policies that may not be read',
    facts([descheduler()], {
      ours: { ...ours, enabled: ['deschedule'] },
      unread: [{ kind: 'rebalancepolicies.ballast.dev', why: 'forbidden' }],
    }),
    ['double-duty', present],
  ],
  ['a descheduler beside our own', facts([descheduler(), ownDescheduler()]), ['double-duty', present]],
  ['a descheduler beside our own that sleeps', facts([descheduler(), ownDescheduler({ replicas: 0 })]), [present]],
  ['our own descheduler alone', facts([ownDescheduler()]), []],
  ['two Ballasts', facts([ballast({}), ballast({ namespace: 'tools' })]), ['double-duty']],
  ['two Ballasts, one at none', facts([ballast({}), ballast({ namespace: 'tools', replicas: 0 })]), []],
  ['the HTTP add-on', facts([addOn('interceptor'), addOn('operator'), addOnLease]), ['lease-held', present, present]],
  [
    'ours within its Deployments',
    facts([addOn('interceptor', ['interceptor']), addOn('operator', ['http-operator', '--leader-elect']), addOnLease]),
    [present, present],
  ],
  [
    'ours within its Deployments, and the gateway beside',
    facts([addOn('interceptor', ['interceptor']), addOn('operator', ['http-operator', '--leader-elect']), addOnLease], {
      ours: { ...ours, enabled: ['gateway'] },
    }),
    ['double-duty', 'double-duty', present, present],
  ],
  ['a Lease that is renewed', facts([lease('stakater-reloader-lock', 'reloader-x', 10)]), ['lease-held']],
  ['a Lease that ran out', facts([lease('stakater-reloader-lock', 'reloader-x', 31)]), []],
  ['a Lease that ours holds', facts([lease('stakater-reloader-lock', 'ballast-controller-1', 1)]), []],
  [
    'a Lease that ours holds under the name of its machine',
    facts([lease('stakater-reloader-lock', 'host_1', 1), lease('ballast-controller', 'host_1', 1)]),
    [],
  ],
  ["somebody else's Lease", facts([lease('x', 'y', 1)]), []],
  ['a strict webhook with nobody behind', facts([webhook('Fail'), endpoints('guard', false)]), ['webhook-dead']],
  ['strict by default', facts([webhook(undefined)]), ['webhook-dead']],
  ['a lenient webhook with nobody behind', facts([webhook('Ignore')]), []],
  ['a webhook that is answered', facts([webhook('Fail'), endpoints('guard', true)]), []],
  [
    'endpoints that may not be read',
    facts([webhook('Fail')], { unread: [{ kind: 'endpointslices.discovery.k8s.io', why: 'forbidden' }] }),
    [],
  ],
  ['an API without a server', facts([apiService('False')]), ['api-service-orphan']],
  ['an API that is not available', facts([apiService('False'), endpoints('metrics', true)]), ['api-service-unavailable']],
  ['an API that is', facts([apiService('True'), endpoints('metrics', true)]), []],
  [
    'a kind that is being deleted',
    facts([definition('x.example', 'example', {}, { deletionTimestamp: ago(5) })]),
    ['crd-terminating'],
  ],
  [
    'a stored version that is not served',
    facts([definition('x.example', 'example', { status: { storedVersions: ['v1alpha1', 'v1'] } })]),
    ['crd-stored-version'],
  ],
  [
    "a kind in an upstream's release",
    facts([definition('scaledobjects.keda.sh', 'keda.sh', {}, { annotations: { 'meta.helm.sh/release-name': 'keda' } })]),
    ['crd-owner-helm'],
  ],
  [
    "a kind in somebody's release",
    facts([definition('x.example', 'example', {}, { annotations: { 'meta.helm.sh/release-name': 'x' } })]),
    [],
  ],
  ['a finalizer of who is gone', facts([gone('finalizer.keda.sh', 600)]), ['finalizer-orphan']],
  ['a finalizer that has a moment', facts([gone('finalizer.keda.sh', 10)]), []],
  [
    'a finalizer of who is there',
    facts([gone('finalizer.keda.sh', 600), deployment({ name: 'keda-operator', image: 'ghcr.io/kedacore/keda:2.20.2' })]),
    [present],
  ],
  ["somebody's finalizer", facts([gone('example.com/x', 600)]), []],
  ['our taint without us', facts([node([{ key: 'ballast.dev/landing', effect: 'NoSchedule' }])]), ['stale-taints']],
  ['our taint with us', facts([node([{ key: 'ballast.dev/landing', effect: 'NoSchedule' }])], { ours }), []],
  ["Karpenter's taint without it", facts([node([{ key: 'karpenter.sh/disrupted', effect: 'NoSchedule' }])]), ['stale-taints']],
  ['a taint of the user', facts([node([{ key: 'gpu', effect: 'NoSchedule' }])]), []],
  [
    'our gate without us',
    facts([object('v1', 'Pod', 'p', { spec: { schedulingGates: [{ name: 'ballast.dev/hold' }] } }, { namespace: 'apps' })]),
    ['stale-taints'],
  ],
  ['labels of features without their owner', facts([node([], { 'feature.node.kubernetes.io/cpu': 'x' })]), ['stale-labels']],
  ['a budget of zero over what is to be moved', facts([movable, budget({ maxUnavailable: 0 })]), ['pdb-blocks']],
  ['a budget of all', facts([movable, budget({ minAvailable: 1 })]), ['pdb-blocks']],
  ['a budget that lets one go', facts([movable, budget({ maxUnavailable: 1 })]), []],
  ['a budget over what nobody moves', facts([deployment(), budget({ maxUnavailable: 0 })]), []],
  ['a priority class that is not there', facts([prioritized('mid'), priorityClass('low', 0)]), ['priority-blocks']],
  ['a priority class that is', facts([prioritized('low'), priorityClass('low', 0)]), []],
  ['a dump without classes', facts([prioritized('mid')]), []],
  ["critical pods, which are never moved: the cluster's", facts([prioritized('system-node-critical')]), ['priority-blocks']],
  [
    'critical pods, which are never moved: of a class',
    facts([prioritized('top'), priorityClass('top', 2_000_000_000)]),
    ['priority-blocks'],
  ],
  ['our own critical pods', facts([critical]), []],
  [
    'pods that name a class that is not there',
    facts([refusing(`pods "x" is forbidden: ${upstreamText('no-priority-class', 'high')}`)]),
    ['priority-blocks'],
  ],
  [
    'pods that pod security refuses',
    facts([refusing(`pods "x" is forbidden: ${upstreamText('pod-security', 'restricted:latest', 'no')}`)]),
    ['psa-blocks'],
  ],
  [
    'pods that a quota refuses',
    facts([refusing(`pods "x" is forbidden: ${upstreamText('quota-exceeded', 'q', '1', '1', '1')}`)]),
    ['quota-blocks'],
  ],
  [
    'values that the chart does not know',
    facts([
      object(
        'helm.toolkit.fluxcd.io/v2',
        'HelmRelease',
        'reloader',
        {
          spec: {
            chart: { spec: { chart: 'reloader', version: '2.2.7' } },
            values: { reloader: { enableCSIIntegration: true, logLevel: 'info' } },
          },
        },
        { namespace: 'x' },
      ),
    ]),
    ['value-dropped'],
  ],
  ...(
    [
      ['0.36.0', ['value-dropped']],
      ['0.32.1', []],
      ['0.x', []],
    ] as const
  ).map(([version, expected]): (typeof cases)[number] => [
    `a key that the chart had once, in ${version}`,
    facts([
      object('helm.toolkit.fluxcd.io/v2', 'HelmRelease', 'gpu', {
        spec: {
          chart: { spec: { chart: 'intel-device-plugins-gpu', version } },
          values: { resourceManager: false, sharedDevNum: 5 },
        },
      }),
    ]),
    expected,
  ]),
  [
    'an annotation that is nearly one',
    facts([deployment({ annotations: { 'reloader.stakater.com/autos': 'true' } })]),
    ['reload-annotation-unknown'],
  ],
  [
    'a pattern that is none',
    facts([deployment({ annotations: { 'secret.reloader.stakater.com/reload': 'a,b(' } })]),
    ['reload-pattern-invalid'],
  ],
  [
    'patterns',
    facts([
      deployment({ annotations: { 'secret.reloader.stakater.com/reload': 'a, b.*,', 'reloader.stakater.com/auto': 'true' } }),
    ]),
    [],
  ],
  [
    'versions too far apart',
    facts([
      deployment({ labels: { 'app.kubernetes.io/part-of': 'ballast' }, image: 'ghcr.io/ballast-dev/ballast:1.4.0' }),
      definition('rebalanceplans.ballast.dev', 'ballast.dev', {}, { labels: { 'ballast.dev/version': '1.2.0' } }),
    ]),
    ['version-skew'],
  ],
]

test.each(cases)('%s', (_name, given, expected) => {
  expect(ids(given)).toEqual(expected)
})

describe('rights', () => {
  const rbac = 'rbac.authorization.k8s.io/v1'
  const wanted = { place: 'cluster', group: '', resource: 'pods', names: [], verb: 'list' }
  const bound = (rules: readonly object[], kind = 'ClusterRole') => [
    object(
      rbac,
      kind === 'Role' ? 'RoleBinding' : 'ClusterRoleBinding',
      'b',
      {
        roleRef: { kind, name: 'r' },
        subjects: [{ kind: 'ServiceAccount', name: 'ballast-controller', namespace: 'ballast-system' }],
      },
      kind === 'Role' ? { namespace: 'ballast-system' } : {},
    ),
    object(rbac, kind, 'r', { rules }, kind === 'Role' ? { namespace: 'ballast-system' } : {}),
  ]
  const rule = (verbs: readonly string[], resources = ['pods'], names?: readonly string[]) => ({
    apiGroups: [''],
    resources,
    verbs,
    ...(names === undefined ? {} : { resourceNames: names }),
  })
  const own = { ...wanted, place: '', resource: 'configmaps', names: ['ballast-status'], verb: 'patch' }

  test.each([
    ['granted', [wanted], bound([rule(['list'])]), []],
    ['granted by stars', [wanted], bound([{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]), ['rbac-excess']],
    ['another verb', [wanted], bound([rule(['get'])]), ['rbac-missing', 'rbac-excess']],
    ['nothing', [wanted], [], ['rbac-missing']],
    ['only for some names', [wanted], bound([rule(['list'], ['pods'], ['a'])]), ['rbac-missing']],
    ['in the own namespace', [own], bound([rule(['patch'], ['configmaps'], ['ballast-status'])], 'Role'), []],
    ['in the own namespace, cluster-wide needed', [wanted], bound([rule(['list'])], 'Role'), ['rbac-missing']],
    ['more than is needed', [wanted], bound([rule(['list', 'delete'])]), ['rbac-excess']],
  ])('%s', (_name, rights, objects, expected) => {
    expect(ids(facts(objects, { ours: { ...ours, rights } }))).toEqual(expected)
  })

  test('what is too much is not said where the configuration was not found', () => {
    const objects = bound([rule(['list', 'delete'])])
    expect(ids(facts(objects, { ours: { ...ours, isConfigured: false, rights: [wanted] } }))).toEqual([])
  })

  test('bindings that may not be read say nothing', () => {
    const unread = [{ kind: 'clusterrolebindings.rbac.authorization.k8s.io', why: 'forbidden' }]
    expect(ids(facts([], { ours: { ...ours, rights: [wanted] }, unread }))).toEqual([])
  })
})

test('ours within Deployments of upstream is called by its name, and the way back is said', () => {
  const swapped = [addOn('interceptor', ['interceptor']), addOn('scaler')]
  expect(examineCluster(facts(swapped)).map(({ message, fix }) => `${message}: ${fix}`)).toEqual([
    "ballast interceptor runs in the place of KEDA HTTP add-on's (0.15.0): nothing to do; ballast migrate apply http-add-on --all --back brings upstream's program back",
    'KEDA HTTP add-on (0.15.0) is installed: ballast migrate plan http-add-on',
  ])
  const beside = facts(swapped, { ours: { ...ours, enabled: ['gateway'] } })
  const double = examineCluster(beside).filter(({ id }) => id === 'double-duty')
  expect(double.map(({ message }) => message.replace(/:.*/, ''))).toEqual([
    "ballast interceptor, in the place of KEDA HTTP add-on's, runs beside Ballast's gateway",
    "KEDA HTTP add-on runs beside Ballast's gateway",
  ])
})

test('both at work: who waits for whom is told by the Lease', () => {
  const own = { ours: { ...ours, enabled: ['reload'] } }
  const message = (objects: readonly KubeObject[]) =>
    examineCluster(facts(objects, own)).find(({ id }) => id === 'double-duty')?.message
  expect(message([reloader()])).toBe("Reloader runs beside Ballast's reload: both act")
  expect(message([reloader(), lease('stakater-reloader-lock', 'reloader-x', 1)])).toContain(
    'ours waits for Lease reloader/stakater-reloader-lock',
  )
})

test('keep counts in the stored manifest, not on the live object (case 32)', () => {
  const annotations = {
    'meta.helm.sh/release-name': 'keda',
    'meta.helm.sh/release-namespace': 'keda',
    'helm.sh/resource-policy': 'keep',
  }
  const live = definition('scaledobjects.keda.sh', 'keda.sh', {}, { annotations })
  const stored = (policy: string) =>
    object(
      'cli.ballast.dev/v1',
      'HelmReleaseRecord',
      'keda',
      {
        manifest: `---\nkind: CustomResourceDefinition\nmetadata:\n  annotations:\n    ${policy}\n  name: scaledobjects.keda.sh\n`,
      },
      { namespace: 'keda' },
    )
  expect(ids(facts([live, stored('a: b')]))).toEqual(['crd-owner-helm'])
  expect(ids(facts([live, stored('helm.sh/resource-policy: keep')]))).toEqual([])
})

test('every finding is explained', () => {
  const text = readFileSync(new URL('../../docs/doctor.md', import.meta.url), 'utf8')
  const headings = [...text.matchAll(/^### (.+)$/gm)].map(match => match[1])
  expect(headings.toSorted()).toEqual([...knownKinds.keys()].toSorted())
})

describe('a descheduler beside our own is told with what fights', () => {
  const elects = ['--leader-elect=true', '--leader-elect-resource-namespace=apart']
  // biome-ignore format: a table
  test.each([
    ['without a Lease',  [],     [],     'what one has moved the other may move again, and limits per node, namespace and cycle hold for each of them alone'],
    ['one of which elects', elects, [], 'what one has moved the other may move again'],
    ['by one Lease',     elects, elects, 'both stand for Lease apart/descheduler, so one of them does nothing'],
  ])('%s', (_name, theirs, own, words) => {
    const found = examineCluster(facts([descheduler({ args: theirs }), ownDescheduler({ args: own })]))
    const [double] = found.filter(({ id }) => id === 'double-duty')
    expect(double).toMatchObject({ object: 'Deployment kube-system/descheduler', severity: 'error', capability: 'deschedule' })
    expect(double?.message).toContain("runs beside Ballast's own, Deployment ballast-system/ballast-descheduler")
    expect(double?.message).toContain(words)
    expect(found.find(({ id }) => id === 'upstream-present')?.fix).toBe('ballast migrate plan descheduler')
  })
})

test('a HelmRelease of the descheduler with a key that its chart does not know', () => {
  const release = object('helm.toolkit.fluxcd.io/v2', 'helmreleases', 'descheduler')
  const spec = {
    chart: { spec: { chart: 'descheduler', version: '0.33.0' } },
    values: { kind: 'Deployment', activeDeadlineSeconds: 60, deschedulinginterval: '5m' },
  }
  const found = examineCluster(facts([{ ...release, kind: 'HelmRelease', spec }]))
  expect(found.map(({ id, message }) => `${id}: ${message}`)).toEqual([
    expect.stringContaining('value-dropped: spec.values.activeDeadlineSeconds has no effect: chart 0.33.0 does not know it'),
    expect.stringContaining('did you mean deschedulingInterval?'),
  ])
})

describe('who may reach us', () => {
  const labels = { 'app.kubernetes.io/name': 'ballast', 'app.kubernetes.io/component': 'controller' }
  const own = deployment({ name: 'ballast-controller', namespace: 'ballast-system', labels })
  const slice: KubeObject = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'kubernetes', namespace: 'default', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    endpoints: [{ addresses: ['10.0.0.1'] }, { addresses: ['10.0.0.2'] }],
  }
  const node = (name: string, address: string, podCIDR: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: { podCIDR, podCIDRs: [podCIDR] },
    status: {
      addresses: [
        { type: 'InternalIP', address },
        { type: 'Hostname', address: name },
      ],
    },
  })
  const prometheus: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'prometheus-main', namespace: 'monitoring', labels: { 'app.kubernetes.io/name': 'prometheus' } },
  }
  const cluster = [own, slice, node('a', '10.0.0.1', '10.244.0.0/24'), node('b', 'fd00::5', '10.244.1.0/24'), prometheus]
  const policy = (ingress: readonly unknown[]): KubeObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'ballast-controller', namespace: 'ballast-system' },
    spec: { podSelector: { matchLabels: labels }, ingress },
  })
  const found = (objects: readonly KubeObject[], more: Partial<ClusterFacts> = {}) =>
    examineCluster(facts(objects, more)).filter(({ id }) => id === 'listeners-open')

  test('everybody: API servers, nodes and a Prometheus are named', () => {
    const [open] = found(cluster)
    const [, json = ''] = /networkPolicy=(.*)'$/.exec(open?.fix ?? '') ?? []
    const block = (cidr: string) => ({ ipBlock: { cidr } })
    expect(JSON.parse(json)).toEqual({
      enabled: true,
      from: {
        webhooks: [block('10.0.0.1/32'), block('10.0.0.2/32'), block('10.244.0.0/24')],
        metrics: [
          block('10.0.0.1/32'),
          block('fd00::5/128'),
          { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } },
        ],
      },
    })
  })

  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], Partial<ClusterFacts>, number]>([
    ['a policy that names nobody is none',        [...cluster, policy([{ ports: [{ port: 8081 }] }])],                                {}, 1],
    ['a policy that names somebody',              [...cluster, policy([{ ports: [{ port: 8081 }], from: [{ podSelector: {} }] }])],    {}, 0],
    ['without Ballast nothing is said',           cluster.slice(1),                                                                   {}, 0],
    ['nor where the API servers are not known',   [own],                                                                              {}, 0],
    ['nor where policies may not be read',        cluster, { unread: [{ kind: 'networkpolicies.networking.k8s.io', why: 'forbidden' }] }, 0],
  ])('%s', (_case, objects, more, count) => expect(found(objects, more)).toHaveLength(count))
})
