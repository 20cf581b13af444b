import { expect, test } from 'vitest'
import { problemSentence } from '#kube/problem.ts'
import type { DefaultEvictorArgs, DeschedulerPolicy, StrategyArgs } from './args.ts'
import { policyRefusal, readPolicy } from './read-policy.ts'

const header = 'apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\n'
const priorities: Readonly<Record<string, number>> = { low: 10, huge: 2_000_000_001 }
const options = {
  file: 'policy.yaml',
  priorityOf: (name: string) => (Object.hasOwn(priorities, name) ? priorities[name] : undefined),
}

function read(text: string) {
  return readPolicy(text.startsWith('{') || text.includes('apiVersion') ? text : header + text, options)
}

function policyOf(text: string): DeschedulerPolicy {
  const reading = read(text)
  if (!reading.ok) throw new Error(policyRefusal(reading.problems))
  return reading.policy
}

function messages(text: string): readonly string[] {
  const reading = read(text)
  return reading.ok ? [] : reading.problems.map(problem => problem.message ?? problemSentence(problem))
}

const balanced: readonly string[] = [
  'LowNodeUtilization',
  'HighNodeUtilization',
  'RemoveDuplicates',
  'RemovePodsViolatingTopologySpreadConstraint',
]

/** A policy with one profile, `p`, in which `plugin` runs with `args` (YAML in flow style). */
function withPlugin(plugin: string, args?: string): string {
  const point = plugin === 'DefaultEvictor' ? 'filter' : balanced.includes(plugin) ? 'balance' : 'deschedule'
  const given = args === undefined ? '' : `, args: ${args}`
  return `profiles: [{name: p, pluginConfig: [{name: ${plugin}${given}}], plugins: {${point}: {enabled: [${plugin}]}}}]`
}

function strategy(plugin: string, args?: string): StrategyArgs | undefined {
  const [profile] = policyOf(withPlugin(plugin, args)).profiles
  return profile?.deschedule[0] ?? profile?.balance[0]
}

function evictor(args?: string): DefaultEvictorArgs {
  const [profile] = policyOf(withPlugin('DefaultEvictor', args)).profiles
  if (profile === undefined) throw new Error('no profile')
  return profile.evictor
}

test('a policy that says nothing has no limits, all nodes and no profiles', () => {
  const policy = policyOf('profiles: []')
  expect(policy).toMatchObject({ limits: {}, profiles: [], evictionFailureEventNotification: false, kubernetesMetrics: false })
  expect(policy.nodeSelector.matches(undefined)).toBe(true)
  expect(policy).not.toHaveProperty('gracePeriodSeconds')
})

test('the top level is read', () => {
  const policy = policyOf(`
nodeSelector: pool=blue,!old
maxNoOfPodsToEvictPerNode: 2
maxNoOfPodsToEvictPerNamespace: 0
maxNoOfPodsToEvictTotal: 5
gracePeriodSeconds: 0
evictionFailureEventNotification: true
metricsProviders:
- source: KubernetesMetrics
- source: Prometheus
  prometheus: {url: "https://prometheus.example:9090", authToken: {secretReference: {namespace: kube-system, name: token}}}
profiles: [{name: a}, {name: b}]
`)
  expect(policy).toMatchObject({
    limits: { total: 5, node: 2, namespace: 0 },
    gracePeriodSeconds: 0,
    evictionFailureEventNotification: true,
    kubernetesMetrics: true,
    prometheus: { url: 'https://prometheus.example:9090', tokenSecret: { namespace: 'kube-system', name: 'token' } },
  })
  expect(policy.profiles.map(({ name }) => name)).toEqual(['a', 'b'])
  expect(policy.nodeSelector.matches({ pool: 'blue' })).toBe(true)
  expect(policy.nodeSelector.matches({ pool: 'blue', old: '' })).toBe(false)
})

test('JSON is read as YAML is', () => {
  expect(policyOf('{"apiVersion":"descheduler/v1alpha2","kind":"DeschedulerPolicy","maxNoOfPodsToEvictTotal":1}').limits).toEqual(
    {
      total: 1,
    },
  )
})

test('the collector of old policies asks metrics.k8s.io, with a note', () => {
  const reading = read('metricsCollector: {enabled: true}')
  expect(reading).toMatchObject({ ok: true, policy: { kubernetesMetrics: true } })
  expect(reading.ok && reading.notes).toEqual([
    "metricsCollector is deprecated: use metricsProviders with source 'KubernetesMetrics'",
  ])
})

test.each<[string, string, string]>([
  ['maxNoOfPodsToEvictTotal: -1', 'number -1', 'DeschedulerPolicy.maxNoOfPodsToEvictTotal of type uint'],
  ['maxNoOfPodsToEvictPerNode: 1.5', 'number 1.5', 'DeschedulerPolicy.maxNoOfPodsToEvictPerNode of type uint'],
  ['maxNoOfPodsToEvictPerNamespace: "3"', 'string', 'DeschedulerPolicy.maxNoOfPodsToEvictPerNamespace of type uint'],
  ['evictionFailureEventNotification: "yes"', 'string', 'DeschedulerPolicy.evictionFailureEventNotification of type bool'],
  ['nodeSelector: {a: b}', 'object', 'DeschedulerPolicy.nodeSelector of type string'],
  ['profiles: {}', 'object', 'DeschedulerPolicy.profiles of type []v1alpha2.DeschedulerProfile'],
  ['profiles: [3]', 'number', 'DeschedulerPolicy.profiles of type v1alpha2.DeschedulerProfile'],
  ['profiles: [{name: [3]}]', 'array', 'DeschedulerProfile.profiles.name of type string'],
])('%s is refused with the words of Go', (text, found, type) => {
  expect(messages(text)).toEqual([`json: cannot unmarshal ${found} into Go struct field ${type}`])
})

test.each<[string, string]>([
  ['gracePeriodSeconds: -1', 'gracePeriodSeconds must be a non-negative integer'],
  ['nodeSelector: "a in ("', "unable to parse requirement: found '', expected: ',', ')' or identifier"],
  [
    'metricsProviders: [{source: KubernetesMetrics}, {source: KubernetesMetrics}]',
    'metric provider "KubernetesMetrics" is already configured, each source can be configured only once',
  ],
  [
    'metricsCollector: {enabled: true}\nmetricsProviders: [{source: KubernetesMetrics}]',
    'it is not allowed to combine metrics provider when metrics collector is enabled',
  ],
  ['metricsProviders: [{source: Prometheus}]', 'prometheus configuration is required when prometheus source is enabled'],
  ['metricsProviders: [{source: Prometheus, prometheus: {}}]', 'prometheus URL is required when prometheus is enabled'],
  [
    'metricsProviders: [{source: Prometheus, prometheus: {url: "10.0.0.1:9090"}}]',
    'error parsing prometheus URL: it is no absolute http or https address',
  ],
  [
    'metricsProviders: [{source: Prometheus, prometheus: {url: "http://p", authToken: {}}}]',
    'prometheus authToken secret is expected to be set when authToken field is',
  ],
  [
    'metricsProviders: [{source: Prometheus, prometheus: {url: "http://p", authToken: {secretReference: {name: a}}}}]',
    'prometheus authToken secret reference does not set both namespace and name',
  ],
  ['metricsProviders: [{source: prometheus}]', 'metric provider "prometheus" is not supported'],
])('%s is refused', (text, message) => {
  expect(messages(text)).toEqual([message])
})

test.each<[string, string, string]>([
  ['kind: DeschedulerPolicy\napiVersion: descheduler/v1alpha1', 'v1alpha1', 'no kind "DeschedulerPolicy" is registered'],
  [
    'apiVersion: descheduler/v1alpha2\nkind: Policy',
    'Policy',
    'no kind "Policy" is registered for version "descheduler/v1alpha2"',
  ],
  ['apiVersion: descheduler/v1alpha2', 'kind: ', "Object 'Kind' is missing in 'policy.yaml'"],
  ['# apiVersion', '', 'the file is empty'],
  [`${header}a: 1\na: 2`, 'a: 2', 'yaml: line 4: Map keys must be unique'],
  [`${header}a: [1`, '', 'yaml: line'],
  [`${header}a: *nowhere`, '', 'Unresolved alias'],
  [`${header}a: "${'x'.repeat(1_048_576)}"`, 'bytes', 'longer than 1048576 bytes'],
])('a text that is no policy is refused: %.60s', (text, found, message) => {
  const reading = read(text)
  if (reading.ok) throw new Error('read')
  const [problem] = reading.problems
  expect(reading.problems).toHaveLength(1)
  expect(problem?.message).toContain('failed decoding descheduler\'s policy config "policy.yaml": ')
  expect(problem?.message).toContain(message)
  expect(problem?.found).toContain(found)
})

test('case 24: fields that nobody reads are named and do nothing; arguments are strict', () => {
  const reading = read(`
strategies:
  RemoveDuplicates: {enabled: true}
profiles:
- name: p
  pluginConfigs: []
  plugins: {deschedule: {enabled: [], only: []}, evict: {}}
metricsProviders: [{source: KubernetesMetrics, port: 3}]
---
kind: Other
`)
  expect(reading.ok && reading.unknownFields).toEqual([
    'document 2',
    'strategies',
    'profiles[0].pluginConfigs',
    'profiles[0].plugins.evict',
    'profiles[0].plugins.deschedule.only',
    'metricsProviders[0].port',
  ])
  expect(messages(withPlugin('DefaultEvictor', '{evictLocalStoragePod: true, podProtections: {extra: 1}}'))).toEqual([
    'in profile p: plugin DefaultEvictor: strict decoding error: unknown field "evictLocalStoragePod", unknown field "podProtections.extra"',
  ])
})

test('each problem says where it is, what was found and what would be right', () => {
  const reading = read(withPlugin('RemovePodsHavingTooManyRestarts', '{podRestartThreshold: 0}'))
  expect(reading.ok || reading.problems.map(problemSentence)).toEqual([
    'in profile p: profiles[0].pluginConfig[0].args.podRestartThreshold: found "0", expected at least 1 [policy-value]',
  ])
})

test('all errors of all profiles are told at once, each with its profile', () => {
  const reading = read(`
maxNoOfPodsToEvictTotal: -1
profiles:
- name: one
  pluginConfig: [{name: Nothing}, {name: PodLifeTime, args: {states: [Late]}}]
- name: two
  pluginConfig: [{name: RemoveDuplicates, args: {namespaces: {include: [a], exclude: [b]}}}]
  plugins: {balance: {enabled: [RemoveDuplicates, PodLifeTime, LowNodeUtilization]}, filter: {enabled: [PodLifeTime]}}
`)
  const refusal = reading.ok ? '' : policyRefusal(reading.problems)
  expect(refusal.split('\n').map(line => line.replace(/ \(expected.*/, ''))).toEqual([
    'in profile one: plugin Nothing in pluginConfig not registered',
    expect.stringContaining(
      'in profile one: states must be one of [Completed ContainerCannotRun ContainerCreating CrashLoopBackOff ',
    ),
    'in profile two: only one of Include/Exclude namespaces can be set',
    'in profile two: profile "two" configures filter extension point of non-existing plugins: map[PodLifeTime:{}]',
    'in profile two: profile "two" configures balance extension point of non-existing plugins: map[PodLifeTime:{}]',
    'in profile two: unable to build LowNodeUtilization plugin: unable to find "LowNodeUtilization" plugin config',
    'json: cannot unmarshal number -1 into Go struct field DeschedulerPolicy.maxNoOfPodsToEvictTotal of type uint',
  ])
})

test('plugins run in the order in which they are enabled, and as often; an entry without args will do', () => {
  const [profile] = policyOf(`
profiles:
- name: p
  pluginConfig:
  - name: RemoveDuplicates
  - name: RemoveFailedPods
  - {name: PodLifeTime, args: {maxPodLifeTimeSeconds: 5}}
  - {name: PodLifeTime, args: {maxPodLifeTimeSeconds: 6}}
  plugins:
    sort: {enabled: [Whatever]}
    presort: {enabled: [Whatever]}
    deschedule: {enabled: [RemoveFailedPods, PodLifeTime, RemoveFailedPods], disabled: [RemoveFailedPods]}
    balance: {enabled: [RemoveDuplicates]}
    filter: {enabled: [DefaultEvictor]}
    preEvictionFilter: {enabled: [DefaultEvictor]}
`).profiles
  expect(profile?.deschedule.map(({ plugin }) => plugin)).toEqual(['RemoveFailedPods', 'PodLifeTime', 'RemoveFailedPods'])
  expect(profile?.deschedule[1]).toMatchObject({ maxPodLifeTimeSeconds: 5 })
  expect(profile?.balance.map(({ plugin }) => plugin)).toEqual(['RemoveDuplicates'])
})

test('HighNodeUtilization beside LowNodeUtilization is allowed, with a note: they share their nodes', () => {
  const profile = (name: string, plugin: string, args: string) =>
    `- {name: ${name}, pluginConfig: [{name: ${plugin}, args: ${args}}], plugins: {balance: {enabled: [${plugin}]}}}\n`
  const high = profile('gather', 'HighNodeUtilization', '{thresholds: {cpu: 20}}')
  const low = profile('spread', 'LowNodeUtilization', '{thresholds: {cpu: 20}, targetThresholds: {cpu: 50}}')
  const notes = (profiles: string) => {
    const reading = read(`${header}profiles:\n${profiles}`)
    return reading.ok ? reading.notes : reading.problems
  }
  expect([notes(high), notes(low)]).toEqual([[], []])
  expect(notes(high + low)).toEqual([
    'LowNodeUtilization (profile spread) and HighNodeUtilization (profile gather) work on the same nodes: what one gathers the other spreads',
  ])
})

const anyNamespace = { include: [], exclude: [] }

test.each<[string, string | undefined, unknown]>([
  [
    'LowNodeUtilization',
    '{thresholds: {pods: 20, cpu: 20.5}, targetThresholds: {cpu: 50, pods: 50}}',
    {
      thresholds: new Map([
        ['cpu', 20.5],
        ['pods', 20],
      ]),
      targetThresholds: new Map([
        ['cpu', 50],
        ['pods', 50],
      ]),
      useDeviationThresholds: false,
      numberOfNodes: 0,
      excludedNamespaces: [],
      usage: { kind: 'requests' },
    },
  ],
  [
    'LowNodeUtilization',
    '{thresholds: {cpu: 60}, targetThresholds: {cpu: 50}, useDeviationThresholds: true, numberOfNodes: 3, evictableNamespaces: {exclude: [a]}, evictionLimits: {node: 0}, metricsUtilization: {metricsServer: true}}',
    {
      useDeviationThresholds: true,
      numberOfNodes: 3,
      excludedNamespaces: ['a'],
      nodeEvictionLimit: 0,
      usage: { kind: 'KubernetesMetrics' },
    },
  ],
  [
    'LowNodeUtilization',
    '{thresholds: {MetricResource: 30}, targetThresholds: {MetricResource: 50}, metricsUtilization: {source: Prometheus, prometheus: {query: q}}}',
    { usage: { kind: 'Prometheus', query: 'q' } },
  ],
  [
    'HighNodeUtilization',
    '{thresholds: {cpu: 0}, evictionModes: [OnlyThresholdingResources]}',
    { thresholds: new Map([['cpu', 0]]), numberOfNodes: 0, onlyThresholdingResources: true, excludedNamespaces: [] },
  ],
  ['RemoveDuplicates', undefined, { excludeOwnerKinds: [], namespaces: anyNamespace }],
  [
    'RemoveDuplicates',
    '{excludeOwnerKinds: [Job], namespaces: {exclude: [a]}}',
    { excludeOwnerKinds: ['Job'], namespaces: { include: [], exclude: ['a'] } },
  ],
  [
    'RemovePodsViolatingTopologySpreadConstraint',
    '{}',
    { constraints: ['DoNotSchedule'], topologyBalanceNodeFit: true, namespaces: anyNamespace },
  ],
  [
    'RemovePodsViolatingTopologySpreadConstraint',
    '{constraints: [ScheduleAnyway], topologyBalanceNodeFit: no}',
    { constraints: ['ScheduleAnyway'], topologyBalanceNodeFit: false },
  ],
  ['RemovePodsViolatingInterPodAntiAffinity', undefined, { namespaces: anyNamespace }],
  ['RemovePodsViolatingNodeAffinity', '{nodeAffinityType: [a, b]}', { nodeAffinityType: ['a', 'b'] }],
  ['RemovePodsViolatingNodeTaints', undefined, { includePreferNoSchedule: false, excludedTaints: [] }],
  ['RemovePodsViolatingNodeTaints', '{includedTaints: []}', { includedTaints: [], excludedTaints: [] }],
  ['RemovePodsViolatingNodeTaints', '{includePreferNoSchedule: true, excludedTaints: [a=b]}', { excludedTaints: ['a=b'] }],
  [
    'RemovePodsHavingTooManyRestarts',
    '{podRestartThreshold: 100, includingInitContainers: true, states: [CrashLoopBackOff]}',
    { podRestartThreshold: 100, includingInitContainers: true, states: ['CrashLoopBackOff'] },
  ],
  [
    'PodLifeTime',
    '{maxPodLifeTimeSeconds: 0, ownerKinds: {include: [Job]}}',
    { maxPodLifeTimeSeconds: 0, states: [], conditions: [], exitCodes: [], ownerKinds: { include: ['Job'], exclude: [] } },
  ],
  [
    'PodLifeTime',
    '{conditions: [{type: Ready, minTimeSinceLastTransitionSeconds: 0}], exitCodes: [-1], includingEphemeralContainers: true}',
    {
      conditions: [{ type: 'Ready', minTimeSinceLastTransitionSeconds: 0 }],
      exitCodes: [-1],
      includingInitContainers: false,
      includingEphemeralContainers: true,
    },
  ],
  ['RemoveFailedPods', undefined, { minPodLifetimeSeconds: 3_600, excludeOwnerKinds: [], reasons: [], exitCodes: [] }],
  ['RemoveFailedPods', '{minPodLifetimeSeconds: 0, reasons: [OOMKilled]}', { minPodLifetimeSeconds: 0, reasons: ['OOMKilled'] }],
])('%s reads %s', (plugin, args, expected) => {
  expect(strategy(plugin, args)).toMatchObject({ plugin, ...(expected as object) })
})

test('a label selector is parsed; an empty one is none', () => {
  const read = strategy(
    'RemoveFailedPods',
    '{labelSelector: {matchLabels: {a: b}, matchExpressions: [{key: c, operator: Exists}]}}',
  )
  expect(read && 'labelSelector' in read && String(read.labelSelector)).toBe('a=b,c')
  expect(strategy('RemoveFailedPods', '{labelSelector: {}}')).not.toHaveProperty('labelSelector')
})

test.each<[string, string, readonly string[]]>([
  [
    'LowNodeUtilization',
    '{}',
    [
      'thresholds config is not valid: no resource threshold is configured',
      'targetThresholds config is not valid: no resource threshold is configured',
    ],
  ],
  [
    'LowNodeUtilization',
    '{thresholds: {cpu: 101, memory: -1}, targetThresholds: {cpu: x}}',
    [
      'thresholds config is not valid: cpu threshold not in [0, 100] range',
      'thresholds config is not valid: memory threshold not in [0, 100] range',
      'json: cannot unmarshal string into Go struct field LowNodeUtilizationArgs.targetThresholds of type api.Percentage',
    ],
  ],
  [
    'LowNodeUtilization',
    '{thresholds: {cpu: 1}, targetThresholds: {memory: 2}}',
    ['thresholds and targetThresholds configured different resources'],
  ],
  [
    'LowNodeUtilization',
    '{thresholds: {cpu: 51}, targetThresholds: {cpu: 50}}',
    ["thresholds' cpu percentage is greater than targetThresholds'"],
  ],
  [
    'LowNodeUtilization',
    '{thresholds: {cpu: 1}, targetThresholds: {cpu: 2}, evictableNamespaces: {include: [a]}}',
    ['only Exclude namespaces can be set, inclusion is not supported'],
  ],
  [
    'LowNodeUtilization',
    '{thresholds: {cpu: 1}, targetThresholds: {cpu: 2}, metricsUtilization: {source: KubernetesMetrics, metricsServer: true, prometheus: {query: a}}}',
    [
      'it is not allowed to set both "KubernetesMetrics" source and metricsServer',
      'prometheus configuration is not allowed to set when source is set to "KubernetesMetrics"',
    ],
  ],
  [
    'LowNodeUtilization',
    '{thresholds: {cpu: 1}, targetThresholds: {cpu: 2}, metricsUtilization: {source: Prometheus}}',
    [
      'prometheus query is required when metrics source is set to "Prometheus"',
      'thresholds are expected to specify a single instance of "MetricResource" resource, got [cpu] instead',
      'targetThresholds are expected to specify a single instance of "MetricResource" resource, got [cpu] instead',
    ],
  ],
  [
    'LowNodeUtilization',
    '{thresholds: {cpu: 1}, targetThresholds: {cpu: 2}, metricsUtilization: {}}',
    ['metrics source is empty'],
  ],
  [
    'LowNodeUtilization',
    '{thresholds: {cpu: 1}, targetThresholds: {cpu: 2}, metricsUtilization: {source: a}}',
    ['unrecognized metrics source'],
  ],
  ['HighNodeUtilization', '{thresholds: {cpu: 101}}', ['cpu threshold not in [0, 100] range']],
  ['HighNodeUtilization', '{thresholds: {cpu: 1}, evictionModes: [All]}', ['invalid eviction mode All']],
  [
    'HighNodeUtilization',
    '{thresholds: {cpu: 1}, evictableNamespaces: {include: [a]}}',
    ['only Exclude namespaces can be set, inclusion is not supported'],
  ],
  ['RemoveDuplicates', '{namespaces: {include: [a], exclude: [b]}}', ['only one of Include/Exclude namespaces can be set']],
  [
    'RemovePodsViolatingTopologySpreadConstraint',
    '{constraints: [Never]}',
    ['constraint Never is not one of map[DoNotSchedule:{} ScheduleAnyway:{}]'],
  ],
  ['RemovePodsViolatingNodeAffinity', '{}', ['nodeAffinityType needs to be set']],
  [
    'RemovePodsViolatingNodeTaints',
    '{includedTaints: [a], excludedTaints: [b]}',
    ['either includedTaints or excludedTaints can be set, but not both'],
  ],
  ['RemovePodsHavingTooManyRestarts', '{podRestartThreshold: 0}', ['invalid PodsHavingTooManyRestarts threshold']],
  [
    'RemovePodsHavingTooManyRestarts',
    '{podRestartThreshold: 1, states: [Failed]}',
    ['states must be one of [CrashLoopBackOff Running]'],
  ],
  [
    'PodLifeTime',
    '{}',
    ['at least one filtering criterion must be specified (maxPodLifeTimeSeconds, states, conditions, or exitCodes)'],
  ],
  [
    'PodLifeTime',
    '{conditions: [{type: a}, {}], ownerKinds: {include: [a], exclude: [b]}}',
    [
      'conditions[1]: at least one of type, status, reason, or minTimeSinceLastTransitionSeconds must be set',
      'only one of Include/Exclude ownerKinds can be set',
    ],
  ],
  [
    'RemoveFailedPods',
    '{labelSelector: {matchExpressions: [{key: a, operator: Near}]}, exitCodes: [1.5]}',
    [
      'failed to get label selectors from strategy\'s params: "Near" is not a valid label selector operator',
      'json: cannot unmarshal number 1.5 into Go struct field RemoveFailedPodsArgs.exitCodes of type int32',
    ],
  ],
  [
    'RemovePodsViolatingInterPodAntiAffinity',
    '{labelSelector: {matchLabels: {a: 3}}}',
    ['json: cannot unmarshal number into Go struct field LabelSelector.labelSelector.matchLabels of type string'],
  ],
  [
    'RemoveDuplicates',
    '[]',
    ['json: cannot unmarshal array into Go struct field PluginConfig.profiles.pluginConfig.args of type RemoveDuplicatesArgs'],
  ],
  ['RemoveDuplicates', '{labelSelector: {}}', ['plugin RemoveDuplicates: strict decoding error: unknown field "labelSelector"']],
])('%s refuses %s', (plugin, args, expected) => {
  expect(messages(withPlugin(plugin, args))).toEqual(expected.map(message => `in profile p: ${message}`))
})

test('DefaultEvictor is always there, with the protections that hold by default', () => {
  const [profile] = policyOf('profiles: [{name: p}]').profiles
  expect(profile?.evictor).toMatchObject({
    nodeFit: false,
    minReplicas: 0,
    priorityThreshold: 2_000_000_000,
    isPreferNoEvictionMandatory: false,
    protectedStorageClasses: [],
  })
  expect(profile?.evictor.protections).toEqual(
    new Set(['PodsWithLocalStorage', 'SystemCriticalPods', 'FailedBarePods', 'DaemonSetPods']),
  )
  expect(profile?.evictor).not.toHaveProperty('minPodAge')
})

const everyDefault = ['PodsWithLocalStorage', 'SystemCriticalPods', 'FailedBarePods', 'DaemonSetPods']

test.each<[string, readonly string[]]>([
  ['{podProtections: {defaultDisabled: [PodsWithLocalStorage]}}', everyDefault.slice(1)],
  [
    '{podProtections: {extraEnabled: [PodsWithPVC, PodsWithResourceClaims]}}',
    [...everyDefault, 'PodsWithPVC', 'PodsWithResourceClaims'],
  ],
  ['{evictLocalStoragePods: true, evictDaemonSetPods: true, evictSystemCriticalPods: true, evictFailedBarePods: true}', []],
  ['{ignorePvcPods: true, ignorePodsWithoutPDB: true}', [...everyDefault, 'PodsWithPVC', 'PodsWithoutPDB']],
  ['{evictLocalStoragePods: false, podProtections: {extraEnabled: [PodsWithoutPDB]}}', [...everyDefault, 'PodsWithoutPDB']],
])('DefaultEvictor protects with %s', (args, protections) => {
  expect([...evictor(args).protections]).toEqual(protections)
})

test.each<[string, unknown]>([
  ['{priorityThreshold: {value: 5}}', { priorityThreshold: 5 }],
  ['{priorityThreshold: {value: -5}}', { priorityThreshold: -5 }],
  ['{priorityThreshold: {name: low}}', { priorityThreshold: 10 }],
  ['{priorityThreshold: {}}', { priorityThreshold: 2_000_000_000 }],
  ['{minPodAge: 5m}', { minPodAge: { ms: 300_000, text: '5m0s' } }],
  ['{minPodAge: 1500us}', { minPodAge: { ms: 1.5, text: '1.5ms' } }],
  ['{noEvictionPolicy: Mandatory}', { isPreferNoEvictionMandatory: true }],
  ['{noEvictionPolicy: Preferred}', { isPreferNoEvictionMandatory: false }],
  ['{nodeFit: true, minReplicas: 2}', { nodeFit: true, minReplicas: 2 }],
  [
    '{podProtections: {extraEnabled: [PodsWithPVC], config: {PodsWithPVC: {protectedStorageClasses: [{name: fast}]}}}}',
    { protectedStorageClasses: ['fast'] },
  ],
])('DefaultEvictor reads %s', (args, expected) => {
  expect(evictor(args)).toMatchObject(expected as object)
})

test('a minReplicas of 1 is allowed, with a note', () => {
  const reading = read(withPlugin('DefaultEvictor', '{minReplicas: 1}'))
  expect(reading.ok && reading.notes).toEqual([
    'in profile p: DefaultEvictor: minReplicas must be greater than 1 to have an effect; this one is ignored',
  ])
})

test.each<[string, readonly string[]]>([
  [
    '{priorityThreshold: {value: 5, name: low}}',
    ['priority threshold misconfigured, only one of priorityThreshold fields can be set'],
  ],
  [
    '{priorityThreshold: {name: none}}',
    ['unable to get priority value from the priority class: priorityclasses.scheduling.k8s.io "none" not found'],
  ],
  ['{priorityThreshold: {value: 2000000001}}', ["priority threshold can't be greater than 2000000000"]],
  ['{priorityThreshold: {name: huge}}', ["priority threshold can't be greater than 2000000000"]],
  ['{noEvictionPolicy: Never}', ['noEvictionPolicy accepts only ["Preferred" "Mandatory"] values']],
  ['{minPodAge: soon}', ['time: invalid duration "soon"']],
  ['{nodeSelector: "a="}', []],
  ['{nodeSelector: "=b"}', ["found '=', expected: !, identifier, or 'end of string'"]],
  [
    '{namespaceLabelSelector: {matchLabels: {"a/b/c": x}}}',
    [expect.stringContaining("failed to get label selectors from strategy's params: ")],
  ],
  [
    '{podProtections: {defaultDisabled: [PodsWithPVC, DaemonSetPods, DaemonSetPods], extraEnabled: [DaemonSetPods]}, ignorePvcPods: true}',
    [
      'invalid pod protection policy in DefaultDisabled: "PodsWithPVC". Valid options are: [PodsWithLocalStorage SystemCriticalPods FailedBarePods DaemonSetPods]',
      'PodProtections.DefaultDisabled contains duplicate entries',
      'invalid pod protection policy in ExtraEnabled: "DaemonSetPods". Valid options are: [PodsWithPVC PodsWithoutPDB PodsWithResourceClaims]',
      'cannot use Deprecated fields alongside PodProtections.ExtraEnabled or PodProtections.DefaultDisabled',
    ],
  ],
  [
    '{podProtections: {extraEnabled: [PodsWithPVC], config: {PodsWithPVC: {protectedStorageClasses: [{name: a}, {}]}}}}',
    ['PodProtections.Config.PodsWithPVC.ProtectedStorageClasses[1] name cannot be empty'],
  ],
  ['{minReplicas: -1}', ['json: cannot unmarshal number -1 into Go struct field DefaultEvictorArgs.minReplicas of type uint']],
])('DefaultEvictor refuses %s', (args, expected) => {
  const told = messages(withPlugin('DefaultEvictor', args)).map(message => message.replace('in profile p: ', ''))
  expect(told).toEqual(expected)
})

test('keys of hostile policies are keys like any other', () => {
  expect(messages(withPlugin('RemoveFailedPods', '{__proto__: {a: 1}, constructor: 2}'))).toEqual([
    'in profile p: plugin RemoveFailedPods: strict decoding error: unknown field "__proto__", unknown field "constructor"',
  ])
  const bomb = `a0: &a0 [x]\n${Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(',')}]`).join('\n')}`
  expect(messages(bomb)).toEqual([expect.stringContaining('Excessive alias count')])
})

test('a policy of texts that look like times and dates keeps them', () => {
  expect(strategy('RemoveDuplicates', '{namespaces: {include: [2024-01-01, 12:30]}}')).toMatchObject({
    namespaces: { include: ['2024-01-01', '12:30'] },
  })
})

test('the policy of the chart is read', () => {
  const policy = policyOf(`
profiles:
  - name: default
    pluginConfig:
    - name: DefaultEvictor
      args:
        podProtections:
          defaultDisabled:
            - "PodsWithLocalStorage"
          extraEnabled:
            - "PodsWithPVC"
    - name: RemoveDuplicates
    - name: RemovePodsHavingTooManyRestarts
      args:
        podRestartThreshold: 100
        includingInitContainers: true
    - name: RemovePodsViolatingNodeAffinity
      args:
        nodeAffinityType:
        - requiredDuringSchedulingIgnoredDuringExecution
    - name: RemovePodsViolatingNodeTaints
    - name: RemovePodsViolatingInterPodAntiAffinity
    - name: RemovePodsViolatingTopologySpreadConstraint
    - name: LowNodeUtilization
      args:
        thresholds:
          cpu: 20
          memory: 20
          pods: 20
        targetThresholds:
          cpu: 50
          memory: 50
          pods: 50
    plugins:
      balance:
        enabled:
          - RemoveDuplicates
          - RemovePodsViolatingTopologySpreadConstraint
          - LowNodeUtilization
      deschedule:
        enabled:
          - RemovePodsHavingTooManyRestarts
          - RemovePodsViolatingNodeTaints
          - RemovePodsViolatingNodeAffinity
          - RemovePodsViolatingInterPodAntiAffinity
`)
  const [profile] = policy.profiles
  expect(profile?.deschedule).toHaveLength(4)
  expect(profile?.balance).toHaveLength(3)
  expect([...(profile?.evictor.protections ?? [])]).toEqual([
    'SystemCriticalPods',
    'FailedBarePods',
    'DaemonSetPods',
    'PodsWithPVC',
  ])
})
