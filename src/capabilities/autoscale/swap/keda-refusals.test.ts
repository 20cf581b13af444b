import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Api, openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { refusalsOf } from './keda-refusals.ts'

const { signal } = new AbortController()
const clock = new VirtualClock(0)
let twin: Twin
let api: Api

const env = [
  { name: 'PLAIN', value: 'host=db user=u dbname=d sslmode=verify-full sslrootcert=/custom/ca.crt' },
  { name: 'MAPPED', valueFrom: { configMapKeyRef: { name: 'settings', key: 'connection' } } },
  { name: 'SECRET', valueFrom: { secretKeyRef: { name: 'keys', key: 'connection' } } },
  { name: 'MIXED', value: 'host=db user=u sslrootcert=$(SECRET)' },
]
const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a', env }] } }
const metadata = (name: string) => ({ name, namespace: 'media' })

beforeAll(async () => {
  const labels = { app: 'web' }
  const spec = { selector: { matchLabels: labels }, template: { ...template, metadata: { labels } } }
  twin = await startTwin({
    clock,
    seed: 1,
    objects: [
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'media' } },
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: metadata('settings'),
        data: { connection: 'host=db passfile=/x', topic: '' },
      },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: metadata('web'),
        spec: { ...spec, template: { metadata: { labels }, spec: { containers: template.spec.containers } } },
      },
    ],
  })
  api = openApi(twin.transport({ admin: true }), { clock, userAgent: 'ballast-test' })
})
afterAll(() => twin.stop())

const ready = { conditions: [{ type: 'Ready', status: 'True' }] }

async function refused(trigger: object, more: object = {}, used?: KubeObject): Promise<string | undefined> {
  const asked: KubeObject = {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledJob',
    metadata: metadata('batch'),
    spec: { jobTargetRef: { template }, triggers: [trigger] },
    ...more,
  }
  await using refusals = refusalsOf({ api, clock, signal }, {})
  let found: string | undefined
  let isOver = false
  const run = refusals.of(asked, 0, used).then(said => {
    found = said
  })
  run.finally(() => {
    isOver = true
  })
  await clock.runUntil(() => isOver, { limitMs: 60_000 })
  await run
  return found
}

const sqs = { queueURL: 'https://sqs.eu-west-1.amazonaws.com/1/q', queueLength: '5', awsRegion: 'eu-west-1' }
const kafka = { bootstrapServers: 'k:9092', consumerGroup: 'g' }
const query = { query: 'select 1', targetQueryValue: '1' }
const ofDeployment = { kind: 'ScaledObject', spec: undefined as unknown }
const authentication = (spec: object): KubeObject => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'TriggerAuthentication',
  metadata: metadata('login'),
  spec,
})
const secrets = (...parameters: readonly string[]) =>
  authentication({ secretTargetRef: parameters.map(parameter => ({ parameter, name: 'keys', key: parameter })) })
const asked = { authenticationRef: { name: 'login' } }

test.each<[string, object, string, KubeObject?]>([
  [
    'an identity',
    { type: 'aws-sqs-queue', metadata: { ...sqs, identityOwner: 'operator' } },
    'identityOwner "operator" is not in Ballast yet',
  ],
  ['no topic', { type: 'apache-kafka', metadata: kafka }, 'apache-kafka without a topic is not in Ballast'],
  [
    'no topic, with a login that only a Secret has',
    { type: 'apache-kafka', metadata: { ...kafka, sasl: 'plaintext' }, ...asked },
    'apache-kafka without a topic',
    secrets('username', 'password'),
  ],
  ['a file in a variable', { type: 'postgresql', metadata: { ...query, connectionFromEnv: 'PLAIN' } }, 'sslrootcert'],
  [
    'a file in a variable of a ConfigMap',
    { type: 'postgresql', metadata: { ...query, connectionFromEnv: 'MAPPED' } },
    'passfile',
  ],
  [
    'a role in a Secret',
    { type: 'aws-sqs-queue', metadata: sqs, ...asked },
    'awsRoleArn is not in Ballast yet',
    secrets('awsRoleArn'),
  ],
  [
    'a login in a ConfigMap',
    { type: 'kafka', metadata: { ...kafka, topic: 't' }, ...asked },
    'sasl gssapi is not in Ballast yet',
    authentication({ configMapTargetRef: [{ parameter: 'sasl', name: 'logins', key: 'sasl' }] }),
  ],
])('%s is refused before anything is written', async (_name, trigger, said, used) => {
  if (used !== undefined && JSON.stringify(used).includes('logins')) {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('logins'), data: { sasl: 'gssapi' } }
    await api
      .resource<KubeObject>({ group: '', version: 'v1', resource: 'configmaps' })
      .create(object, { namespace: 'media', signal })
  }
  expect(await refused(trigger, {}, used)).toContain(said)
})

test('variables of a target that stands by itself are read there', async () => {
  const triggers = [{ type: 'postgresql', metadata: { ...query, connectionFromEnv: 'PLAIN' } }]
  expect(await refused({}, { ...ofDeployment, spec: { scaleTargetRef: { name: 'web' }, triggers } })).toContain('sslrootcert')
  expect(await refused({}, { ...ofDeployment, spec: { scaleTargetRef: { name: 'gone' }, triggers } })).toBeUndefined()
})

test.each<[string, object, KubeObject?]>([
  ['a text in a Secret', { type: 'postgresql', metadata: { ...query, connectionFromEnv: 'SECRET' } }],
  ['a text that a Secret is a part of', { type: 'postgresql', metadata: { ...query, connectionFromEnv: 'MIXED' } }],
  ['a variable that is nowhere', { type: 'postgresql', metadata: { ...query, connectionFromEnv: 'NOWHERE' } }],
  [
    'a login in a Secret',
    { type: 'kafka', metadata: { ...kafka, topic: 't' }, ...asked },
    secrets('sasl', 'username', 'password'),
  ],
  ['keys in a Secret', { type: 'aws-sqs-queue', metadata: sqs, ...asked }, secrets('awsAccessKeyID', 'awsSecretAccessKey')],
  [
    'a text of Vault',
    { type: 'postgresql', metadata: query, ...asked },
    authentication({
      hashiCorpVault: {
        address: 'http://v',
        authentication: 'token',
        secrets: [{ parameter: 'connection', path: 'p', key: 'k' }],
      },
    }),
  ],
  ['what is right', { type: 'kafka', metadata: { ...kafka, topic: 't' } }],
])('%s: nothing is said', async (_name, trigger, used) => {
  expect(await refused(trigger, { status: ready }, used)).toBeUndefined()
})

test('what is wrong for KEDA, too, is an obstacle only where KEDA took it', async () => {
  const trigger = { type: 'prometheus', metadata: { serverAddress: 'http://p', query: 'up' } }
  expect(await refused(trigger)).toBeUndefined()
  expect(await refused(trigger, { status: ready })).toContain('threshold')
})
