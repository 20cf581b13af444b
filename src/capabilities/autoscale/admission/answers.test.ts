// Admission, rule by rule: what is refused in upstream's words, what passes, what is warned of.
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import { answerObject } from './answers.ts'
import type { Neighbours } from './scaled-object-rules.ts'

const nowMs = Date.parse('2027-01-15T10:00:00Z')

type Row = Readonly<Record<string, unknown>>

function object(kind: string, spec: Row, metadata: Row = {}): KubeObject {
  const apiVersion = kind.includes('CloudEvent') ? 'eventing.keda.sh/v1alpha1' : 'keda.sh/v1alpha1'
  return { apiVersion, kind, metadata: { name: 'web', namespace: 'shop', ...metadata }, spec }
}

const cron = (more: Row = {}, metadata: Row = {}) => ({
  type: 'cron',
  metadata: { timezone: 'Etc/UTC', start: '0 8 * * *', end: '0 18 * * *', desiredReplicas: '3', ...metadata },
  ...more,
})
const cpu = (metadata: Row = {}) => ({ type: 'cpu', metricType: 'Utilization', metadata: { value: '50', ...metadata } })
const scaled = (spec: Row, metadata: Row = {}) =>
  object('ScaledObject', { scaleTargetRef: { name: 'web' }, triggers: [cron()], ...spec }, metadata)
const other = (name: string, spec: Row): ScaledObject =>
  object('ScaledObject', { triggers: [cron()], ...spec }, { name }) as ScaledObject

const nobody: Neighbours = {
  objects: [],
  autoscalers: [],
  template: undefined,
  limitRanges: [],
  isDryRun: false,
  nowMs,
}

async function said(
  asked: KubeObject,
  { around = {}, old }: { readonly around?: Partial<Neighbours>; readonly old?: KubeObject } = {},
): Promise<string> {
  const request = {
    operation: old === undefined ? 'CREATE' : 'UPDATE',
    object: asked,
    ...(old === undefined ? {} : { oldObject: old }),
  } as const
  const answer = await answerObject(request, async () => ({ ...nobody, ...around }), nowMs)
  return answer.kind === 'denied' ? answer.message : `allowed ${(answer.warnings ?? []).join(' | ')}`
}

const autoscaler = (name: string, metadata: Row = {}, target = 'web'): KubeObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name, namespace: 'shop', ...metadata },
  spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: target } },
})

const template = (...containers: readonly Row[]) => ({ spec: { containers } })
const bare = template({ name: 'app' })
const requesting = template({ name: 'app', resources: { requests: { cpu: '100m' } } })
const hostile = (spec: unknown) => ({ ...other('b', {}), spec }) as ScaledObject
const range = (limit: Row): KubeObject => ({
  apiVersion: 'v1',
  kind: 'LimitRange',
  metadata: { name: 'all' },
  spec: { limits: [{ type: 'Container', ...limit }] },
})
const modifiers = (scalingModifiers: Row, more: Row = {}) => ({
  advanced: { scalingModifiers },
  triggers: [cron({ name: 'one' })],
  ...more,
})
const ofCpu = { minReplicaCount: 1, triggers: [cpu()] }
const transferring = { annotations: { 'scaledobject.keda.sh/transfer-hpa-ownership': 'true' } }
const named = { advanced: { horizontalPodAutoscalerConfig: { name: 'old' } } }
const fallback = { failureThreshold: 3, replicas: 2 }
const allowed = /^allowed/

type Case = readonly [what: string, asked: KubeObject, words: RegExp, around?: Partial<Neighbours>]

const cases: readonly Case[] = [
  ['a plain one', scaled({}), allowed],
  [
    'a policy that nobody knows',
    scaled({}, { annotations: { 'ballast.dev/scale-to-zero-policy': 'slow' } }),
    /^allowed annotation ballast.dev\/scale-to-zero-policy: "slow" is ignored: expected stepwise/,
  ],
  [
    'stepwise by an autoscaler that never scales down',
    scaled(
      { advanced: { horizontalPodAutoscalerConfig: { behavior: { scaleDown: { selectPolicy: 'Disabled' } } } } },
      { annotations: { 'ballast.dev/scale-to-zero-policy': 'stepwise' } },
    ),
    /^allowed ballast.dev\/scale-to-zero-policy waits for the autoscaler/,
  ],
  [
    'one that needs itself',
    scaled({}, { annotations: { 'ballast.dev/wakes': 'web' } }),
    /^allowed annotation ballast.dev\/wakes: "web" is ignored: expected at most 16 names of other/,
  ],
  [
    'one that needs another that is there, and one that is not',
    scaled({}, { annotations: { 'ballast.dev/wakes': 'b, c,' } }),
    /^allowed annotation ballast.dev\/wakes names c, and there is no such ScaledObject in this namespace \| cron/,
    { objects: [other('b', { scaleTargetRef: { name: 'b' } })] },
  ],
  [
    'a group and a priority that are none',
    scaled({}, { annotations: { 'ballast.dev/one-awake': 'The GPU', 'ballast.dev/one-awake-priority': '1e3' } }),
    /^allowed annotation ballast.dev\/one-awake: "The GPU" is ignored: .* \| annotation ballast.dev\/one-awake-priority: "1e3" is ignored/,
  ],
  [
    'a budget of no day',
    scaled({}, { annotations: { 'ballast.dev/pre-warm': 'always' } }),
    /^allowed annotation ballast.dev\/pre-warm: "always" is ignored: expected a time from 1m to 24h a day/,
  ],
  [
    'one to be warm that never rests',
    scaled({ minReplicaCount: 1 }, { annotations: { 'ballast.dev/pre-warm': '2h' } }),
    /^allowed ballast.dev\/pre-warm has no effect: with minReplicaCount above 0/,
  ],
  ['a long name', scaled({}, { name: 'x'.repeat(64) }), /^scaledobject name "x+" is 64 characters long/],
  [
    'a long name of its autoscaler',
    scaled({}, { name: 'x'.repeat(60) }),
    /^HPA name "keda-hpa-x+" derived from .* is 69 characters/,
  ],
  ['a long name with a short one given', scaled(named, { name: 'x'.repeat(60) }), allowed],
  ['idle 0, least unset', scaled({ idleReplicaCount: 0 }), /^IdleReplicaCount=0 must be less than MinReplicaCount=0/],
  ['idle 0, least 0', scaled({ idleReplicaCount: 0, minReplicaCount: 0 }), allowed],
  [
    'idle 1, least 1',
    scaled({ idleReplicaCount: 1, minReplicaCount: 1 }),
    /^IdleReplicaCount=1 must be less than MinReplicaCount=1/,
  ],
  ['idle 1, least 0', scaled({ idleReplicaCount: 1, minReplicaCount: 0 }), /MinReplicaCount=1: for one warm replica/],
  [
    'least above most',
    scaled({ minReplicaCount: 5, maxReplicaCount: 4 }),
    /^MinReplicaCount=5 must be less than MaxReplicaCount=4/,
  ],
  [
    'another on the same target',
    scaled({}),
    /^the workload 'web' of type 'apps\/v1.Deployment' is already managed by the ScaledObject 'b'/,
    { objects: [other('b', { scaleTargetRef: { name: 'web', kind: 'Deployment' } })] },
  ],
  [
    'another on a target of the same name and another kind',
    scaled({}),
    allowed,
    { objects: [other('b', { scaleTargetRef: { name: 'web', kind: 'StatefulSet' } })] },
  ],
  [
    'beside one that nobody could read',
    scaled({}),
    allowed,
    { objects: [undefined, null, 'x', {}, { scaleTargetRef: 7 }, { scaleTargetRef: { name: {} } }].map(spec => hostile(spec)) },
  ],
  ['itself', scaled({}), allowed, { objects: [other('web', { scaleTargetRef: { name: 'web' } })] }],
  [
    'another with the same autoscaler',
    scaled(named),
    /^the HPA 'old' is already managed by the ScaledObject 'b'/,
    { objects: [other('b', { scaleTargetRef: { name: 'x' }, ...named })] },
  ],
  [
    'a foreign autoscaler',
    scaled({}),
    /^the workload 'web' of type 'apps\/v1.Deployment' is already managed by the hpa 'old'/,
    { autoscalers: [autoscaler('old')] },
  ],
  [
    'a foreign autoscaler that is to be ignored',
    scaled({}),
    allowed,
    { autoscalers: [autoscaler('old', { annotations: { 'validations.keda.sh/hpa-ownership': 'false' } })] },
  ],
  ['a foreign autoscaler of another target', scaled({}), allowed, { autoscalers: [autoscaler('old', {}, 'api')] }],
  [
    'its own autoscaler',
    scaled({}),
    allowed,
    { autoscalers: [autoscaler('keda-hpa-web', { ownerReferences: [{ kind: 'ScaledObject', name: 'web' }] })] },
  ],
  [
    'taking over without a name',
    scaled({}, transferring),
    /^the existing hpa 'old' for workload 'web' .* must be specified by name/,
    { autoscalers: [autoscaler('old')] },
  ],
  ['taking over by name', scaled(named, transferring), allowed, { autoscalers: [autoscaler('old')] }],
  [
    'cpu without a request',
    scaled(ofCpu),
    /^the scaledobject has a cpu trigger but the container app doesn't have the cpu request defined/,
    { template: bare },
  ],
  ['cpu without a request, tried only', scaled(ofCpu), allowed, { template: bare, isDryRun: true }],
  ['cpu with a request', scaled(ofCpu), allowed, { template: requesting }],
  ['cpu with a limit', scaled(ofCpu), allowed, { template: template({ name: 'app', resources: { limits: { cpu: 1 } } }) }],
  [
    'cpu with a request of 0',
    scaled(ofCpu),
    /cpu request defined/,
    { template: template({ name: 'app', resources: { requests: { cpu: '0' } } }) },
  ],
  [
    'cpu with a request of the pod',
    scaled(ofCpu),
    allowed,
    { template: { spec: { containers: [{ name: 'app' }], resources: { requests: { cpu: '1' } } } } },
  ],
  [
    'cpu with a default of the namespace',
    scaled(ofCpu),
    allowed,
    { template: bare, limitRanges: [range({ defaultRequest: { cpu: '10m' } })] },
  ],
  [
    'cpu with a default of memory',
    scaled(ofCpu),
    /cpu request defined/,
    { template: bare, limitRanges: [range({ default: { memory: '1Gi' } })] },
  ],
  [
    'cpu of a container that requests',
    scaled({ minReplicaCount: 1, triggers: [cpu({ containerName: 'app' })] }),
    allowed,
    { template: template({ name: 'app', resources: { requests: { cpu: '1' } } }, { name: 'side' }) },
  ],
  [
    'cpu of a container that does not',
    scaled({ minReplicaCount: 1, triggers: [cpu({ containerName: 'side' })] }),
    /container side/,
    { template: template({ name: 'app', resources: { requests: { cpu: '1' } } }, { name: 'side' }) },
  ],
  [
    'cpu alone to zero',
    scaled({ triggers: [cpu()] }),
    /^scaledobject has only cpu\/memory triggers AND minReplica is 0/,
    { template: requesting },
  ],
  ['cpu beside cron to zero', scaled({ triggers: [cpu(), cron()] }), allowed, { template: requesting }],
  [
    'a fallback for cpu alone',
    scaled({ ...ofCpu, fallback }),
    /^at least one trigger \(that is not cpu or memory\)/,
    { template: requesting },
  ],
  ['a fallback', scaled({ fallback }), allowed],
  [
    'a fallback in the formula without one',
    scaled({ fallback: { ...fallback, behavior: 'scalingModifiers' } }),
    /^scalingModifiers fallback behavior requires scalingModifiers.formula/,
  ],
  ['a formula', scaled(modifiers({ formula: 'one * 2', target: '2' })), allowed],
  [
    'a formula with an unknown name',
    scaled(modifiers({ formula: 'one + three', target: '2' })),
    /^error validating formula in ScalingModifiers\nunknown name three/,
  ],
  ['a formula without a target', scaled(modifiers({ formula: 'one' })), /formula is given but target is empty/],
  ['a formula aimed at 0', scaled(modifiers({ formula: 'one', target: '0' })), /^error validating target in ScalingModifiers/],
  [
    'a formula aimed at nothing',
    scaled(modifiers({ formula: 'one', target: 'x' })),
    /^error validating target in ScalingModifiers/,
  ],
  ['a target without a formula', scaled(modifiers({ target: '2' })), /ScalingModifiers.Formula is mandatory/],
  [
    'two of one name',
    scaled({ triggers: [cron({ name: 'a' }), cron({ name: 'a' })] }),
    /^triggerName "a" is defined multiple times/,
  ],
  [
    'cached cron',
    scaled({ triggers: [cron({ useCachedMetrics: true })] }),
    /^property "useCachedMetrics" is not supported for "cron" scaler/,
  ],
  ['an unknown zone', scaled({ triggers: [cron({}, { timezone: 'Mars/Base' })] }), /unknown time zone Mars\/Base/],
  ['Sunday as 7', scaled({ triggers: [cron({}, { start: '0 8 * * 7' })] }), /above maximum/],
  ['start and end the same', scaled({ triggers: [cron({}, { end: '0 8 * * *' })] }), /exactly same time/],
  ['no replicas', scaled({ triggers: [cron({}, { desiredReplicas: '0' })] }), /no desiredReplicas/],
  [
    'an interval nobody needs',
    scaled({ minReplicaCount: 1, pollingInterval: 5 }),
    /^allowed PollingInterval is configured but is not relevant/,
  ],
  ['an interval with an idle count', scaled({ minReplicaCount: 1, idleReplicaCount: 0, pollingInterval: 5 }), /^allowed cron/],
  [
    'a cool-down nobody needs',
    scaled({ minReplicaCount: 1, cooldownPeriod: 5 }),
    /^allowed CooldownPeriod is configured but is not relevant/,
  ],
  ['what the schema refuses', object('ScaledObject', { triggers: 'x' }), /^allowed $/],
]

describe('ScaledObjects', () => {
  for (const [what, asked, words, around] of cases)
    test(what, async () => expect(await said(asked, around === undefined ? {} : { around })).toMatch(words))
})

const identity = (podIdentity: Row) => object('TriggerAuthentication', { podIdentity })
const oauth = (more: Row) =>
  object('ClusterTriggerAuthentication', {
    oauth2: { type: 'clientCredentials', clientId: 'a', tokenUrl: 'https://x/y', ...more },
  })
const principal = (more: Row) =>
  object('TriggerAuthentication', { azureServicePrincipal: { tenantId: 't', clientId: 'c', ...more } })
const secret = { valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } }
const events = (eventSubscription: Row) =>
  object('CloudEventSource', { destination: { http: { uri: 'http://x' } }, eventSubscription })
const ready = 'keda.scaledobject.ready.v1'

const others: readonly Case[] = [
  [
    'azure with an empty id',
    identity({ provider: 'azure-workload', identityId: '' }),
    /^identityId of PodIdentity should not be empty/,
  ],
  [
    'azure with an authority and no tenant',
    identity({ provider: 'azure-workload', identityAuthorityHost: 'h' }),
    /^identityTenantID of PodIdentity should not be nil/,
  ],
  [
    'azure with an empty tenant',
    identity({ provider: 'azure-workload', identityTenantId: '' }),
    /^identityTenantId of PodIdentity/,
  ],
  ['azure', identity({ provider: 'azure-workload', identityAuthorityHost: 'h', identityTenantId: 't' }), allowed],
  [
    'aws of the workload with a role',
    identity({ provider: 'aws', roleArn: 'r', identityOwner: 'workload' }),
    /^roleArn of PodIdentity can't be set/,
  ],
  [
    'aws with an external id alone',
    identity({ provider: 'aws', externalID: 'e' }),
    /^externalID of PodIdentity requires roleArn/,
  ],
  ['aws', identity({ provider: 'aws', roleArn: 'r', externalID: 'e' }), allowed],
  ['oauth without a client', oauth({ clientId: '' }), /^oauth2.clientId is required/],
  ['oauth without an address', oauth({ tokenUrl: '' }), /^oauth2.tokenUrl is required/],
  ['oauth over ftp', oauth({ tokenUrl: 'ftp://x' }), /^oauth2.tokenUrl must be a valid http or https URL/],
  ['oauth without a host', oauth({ tokenUrl: 'https:x' }), /^oauth2.tokenUrl must be/],
  ['oauth', oauth({}), allowed],
  ['a principal without a secret', principal({}), /requires either clientSecret or clientCertificate/],
  ['a principal with both', principal({ clientSecret: secret, clientCertificate: secret }), /mutually exclusive/],
  [
    'a principal of a private cloud',
    principal({ clientSecret: secret, cloud: 'Private' }),
    /activeDirectoryEndpoint is required/,
  ],
  ['a principal', principal({ clientSecret: secret }), allowed],
  [
    'events both ways',
    events({ includedEventTypes: [ready], excludedEventTypes: [ready] }),
    /^setting included types and excluded types/,
  ],
  ['events', events({ includedEventTypes: [ready] }), allowed],
  [
    'a ScaledJob with two of one name',
    object('ScaledJob', { jobTargetRef: { template: {} }, triggers: [cron({ name: 'a' }), cron({ name: 'a' })] }),
    /^triggerName "a"/,
  ],
  [
    'a ScaledJob of an unknown zone',
    object('ScaledJob', { jobTargetRef: { template: {} }, triggers: [cron({}, { timezone: 'x' })] }),
    /unknown time zone/,
  ],
  [
    'a ScaledJob',
    object('ScaledJob', { jobTargetRef: { template: {} }, triggers: [cron()] }),
    /^allowed cron trigger 0 is active/,
  ],
]

describe('other kinds', () => {
  for (const [what, asked, words] of others) test(what, async () => expect(await said(asked)).toMatch(words))
})

test('whatever is wrong with it, its finalizer can go', async () => {
  const wrong = scaled({ idleReplicaCount: 0 })
  const held = { ...wrong, metadata: { ...wrong.metadata, finalizers: ['finalizer.keda.sh'] } }
  expect(await said(wrong, { old: held })).toMatch(allowed)
  expect(await said({ ...wrong, spec: { ...Object(wrong['spec']), pollingInterval: 3 } }, { old: held })).toMatch(
    /IdleReplicaCount/,
  )
  expect(await said(held, { old: wrong })).toMatch(/IdleReplicaCount/)
})

test('a deletion, and a write of the status, are never judged', async () => {
  const wrong = scaled({ idleReplicaCount: 0 })
  const look = async () => nobody
  expect(await answerObject({ operation: 'DELETE', oldObject: wrong }, look, nowMs)).toEqual({ kind: 'allowed' })
  expect(await answerObject({ operation: 'UPDATE', object: wrong, subResource: 'status' }, look, nowMs)).toEqual({
    kind: 'allowed',
  })
})

describe('when a schedule will be active', () => {
  const told = async (metadata: Row) => await said(scaled({ triggers: [cron({}, metadata)] }))

  test('its next five windows, the one under way first', async () => {
    const days = ['16', '17', '18', '19'].map(day => `2027-01-${day}T08:00Z to 2027-01-${day}T18:00Z`)
    expect(await told({})).toBe(
      `allowed cron trigger 0 is active ${['2027-01-15T10:00Z to 2027-01-15T18:00Z', ...days].join(', ')}`,
    )
  })

  test('always, and never', async () => {
    expect(await told({ start: '0 0 30 2 *' })).toBe('allowed cron trigger 0 is active at all times')
    expect(await told({ end: '0 0 30 2 *' })).toBe('allowed cron trigger 0 is not active within five years')
  })

  test('the day without the hour it starts at: active since the day before', async () => {
    const march = Date.parse('2027-03-26T12:00:00Z')
    const object = scaled({ triggers: [cron({}, { timezone: 'Europe/Rome', start: '30 2 * * *', end: '0 4 * * *' })] })
    const answer = await answerObject({ operation: 'CREATE', object }, async () => ({ ...nobody, nowMs: march }), march)
    expect(answer.kind === 'allowed' ? answer.warnings?.[0] : '').toContain('2027-03-27T01:30Z to 2027-03-28T02:00Z')
  })
})

describe("what is counted, by upstream's reasons", () => {
  const unowned: KubeObject = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'old', namespace: 'shop' },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
  }
  const unasked = { spec: { containers: [{ name: 'web' }] } }
  const transferred = { annotations: { 'scaledobject.keda.sh/transfer-hpa-ownership': 'true' } }
  const named = (name: string) => ({ advanced: { horizontalPodAutoscalerConfig: { name } } })

  test.each<[string | undefined, KubeObject, Partial<Neighbours>]>([
    [undefined, scaled({}), {}],
    ['incorrect-replicas', scaled({ minReplicaCount: 5, maxReplicaCount: 4 }), {}],
    ['name-too-long', scaled({}, { name: 'a'.repeat(64) }), {}],
    ['hpa-name-too-long', scaled(named('a'.repeat(64))), {}],
    ['incorrect-triggers', scaled({ triggers: [cron({ name: 'a' }), cron({ name: 'a' })] }), {}],
    ['incorrect-fallback', scaled({ fallback: { failureThreshold: 3, replicas: 1 }, triggers: [cpu()] }), {}],
    ['scaling-modifiers', scaled({ advanced: { scalingModifiers: { formula: 'a + b', target: '2' } } }), {}],
    ['scaling-modifiers-fallback', scaled({ fallback: { failureThreshold: 3, replicas: 1, behavior: 'scalingModifiers' } }), {}],
    ['other-scaled-object', scaled({}), { objects: [other('elder', { scaleTargetRef: { name: 'web' } })] }],
    [
      'other-scaled-object-hpa',
      scaled(named('x')),
      { objects: [other('elder', { scaleTargetRef: { name: 'b' }, ...named('x') })] },
    ],
    ['other-hpa', scaled({}), { autoscalers: [unowned] }],
    ['transfer-ownership-missing-hpa-name', scaled({}, transferred), { autoscalers: [unowned] }],
    ['missing-requests', scaled({ triggers: [cpu()], minReplicaCount: 1 }), { template: unasked }],
    ['scale-to-zero-requirements-not-met', scaled({ triggers: [cpu()] }), {}],
  ])('%s', async (reason, one, around) => {
    const judged: unknown[] = []
    const look = async () => ({ ...nobody, ...around })
    await answerObject({ operation: 'UPDATE', object: one }, look, nowMs, (...of) => void judged.push(of))
    expect(judged).toEqual([['shop', 'update', reason]])
  })

  test('other kinds are not', async () => {
    const judged: unknown[] = []
    const job = object('ScaledJob', { jobTargetRef: { template: {} }, triggers: [] })
    await answerObject(
      { operation: 'CREATE', object: job },
      async () => nobody,
      nowMs,
      (...of) => void judged.push(of),
    )
    expect(judged).toEqual([])
  })
})
