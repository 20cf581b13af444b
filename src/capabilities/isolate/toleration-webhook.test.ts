import { describe, expect, test } from 'vitest'
import type { RebalancePolicy } from '#coordination/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type AdmissionRequest, answerAdmission, type MutatingWebhook } from '#kube/server/admission.ts'
import {
  answerPodCreation,
  isolationsOf,
  type StandingIsolation,
  wantedIsolations,
  webhookConfiguration,
} from './toleration-webhook.ts'

const controlPlane = 'node-role.kubernetes.io/control-plane'
const one: StandingIsolation = { policy: 'a', taint: controlPlane, namespaces: ['argocd', 'kube-system'] }
const two: StandingIsolation = { policy: 'b', taint: 'storage', namespaces: ['kube-system', 'rook'] }
const mine = { key: controlPlane, operator: 'Exists', effect: 'NoSchedule' }
const storage = { key: 'storage', operator: 'Exists', effect: 'NoSchedule' }

interface Asked extends Partial<Omit<AdmissionRequest, 'object'>> {
  readonly object?: unknown
}

/** What an admission request may bring: nobody has checked its object yet. */
function answer({ object, ...rest }: Asked) {
  const request: AdmissionRequest = {
    uid: 'u',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    operation: 'CREATE',
    namespace: 'argocd',
    userInfo: {},
    ...rest,
    ...(object === undefined ? {} : { object: JSON.parse(JSON.stringify(object)) }),
  }
  const found = answerPodCreation(request, [one, two])
  return found.kind === 'patched' ? found.patch : found.kind
}

const pod = (spec: unknown) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec })
const added = (...value: readonly object[]) => [{ op: 'add', path: '/spec/tolerations', value }]
const other = { key: 'gpu', operator: 'Exists' }

describe('a pod being created', () => {
  // biome-ignore format: a table
  test.each<[string, Asked, unknown]>([
    ['of the core',                        { object: pod({}) },                                              added(mine)],
    ['with another toleration',            { object: pod({ tolerations: [other] }) },                        added(other, mine)],
    ['of the core of two isolations',      { object: pod({}), namespace: 'kube-system' },                    added(mine, storage)],
    ['that has one of both',               { object: pod({ tolerations: [storage] }), namespace: 'kube-system' }, added(storage, mine)],
    ['of the other core',                  { object: pod({}), namespace: 'rook' },                           added(storage)],
    ['of no core',                         { object: pod({}), namespace: 'media' },                          'allowed'],
    ['of no namespace',                    { object: pod({}), namespace: '' },                               'allowed'],
    ['that tolerates it',                  { object: pod({ tolerations: [mine] }) },                         'allowed'],
    ['that tolerates everything',          { object: pod({ tolerations: [{ operator: 'Exists' }] }) },       'allowed'],
    ['that tolerates another effect',      { object: pod({ tolerations: [{ ...mine, effect: 'NoExecute' }] }) }, added({ ...mine, effect: 'NoExecute' }, mine)],
    ['that has its node (static pods)',    { object: pod({ nodeName: 'n1' }) },                              'allowed'],
    ['with an empty node',                 { object: pod({ nodeName: '' }) },                                added(mine)],
    ['that is changed',                    { object: pod({}), operation: 'UPDATE' },                         'allowed'],
    ['by its sub-resource',                { object: pod({}), subResource: 'eviction' },                     'allowed'],
    ['that is no pod',                     { object: { ...pod({}), kind: 'Deployment' } },                   'allowed'],
    ['that is missing',                    {},                                                               'allowed'],
    ['that is null',                       { object: null },                                                 'allowed'],
    ['that is a list',                     { object: [] },                                                   'allowed'],
    ['without a spec',                     { object: { kind: 'Pod' } },                                      'allowed'],
    ['with a spec that is none',           { object: pod('x') },                                             'allowed'],
    ['with a spec that is a list',         { object: pod([]) },                                              'allowed'],
    ['with tolerations that are none',     { object: pod({ tolerations: 'all' }) },                          'allowed'],
    ['with tolerations that are null',     { object: pod({ tolerations: null }) },                           'allowed'],
    ['with a toleration that is none',     { object: pod({ tolerations: [null, 1] }) },                      'allowed'],
    ['with a node that is none',           { object: pod({ nodeName: {} }) },                                'allowed'],
  ])('%s', (_name, asked, expected) => {
    expect(answer(asked)).toEqual(expected)
  })
})

describe('what is sent to it is answered, whatever it is', () => {
  const webhook: MutatingWebhook = {
    kind: 'mutating',
    name: 'tolerations.isolate',
    failurePolicy: 'Ignore',
    handle: request => answerPodCreation(request, [one]),
  }
  const review = (object: unknown) => ({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: { uid: 'u', kind: {}, resource: {}, operation: 'CREATE', namespace: 'argocd', object },
  })
  const deep = `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`
  // biome-ignore format: a table
  test.each<[string, string, number, string]>([
    ['a pod',                     JSON.stringify(review(pod({}))),                                               200, 'JSONPatch'],
    ['many tolerations',          JSON.stringify(review(pod({ tolerations: new Array(20_000).fill(other) }))),   200, 'JSONPatch'],
    ['a spec of another prototype', JSON.stringify(review({ kind: 'Pod', spec: {} })).replace('"spec":{}', '"spec":{"__proto__":{"tolerations":7}}'), 200, 'JSONPatch'],
    ['a namespace that is none',  JSON.stringify(review(pod({}))).replace('"argocd"', '{"a":1}'),                200, '"allowed":true'],
    ['an object in an object',    JSON.stringify(review(null)).replace('"object":null', `"object":${deep}`),     200, '"allowed":true'],
    ['no review',                 '{}',                                                                          400, 'AdmissionReview'],
    ['no JSON',                   'tolerations',                                                                 400, 'no JSON'],
    ['nothing',                   '',                                                                            400, 'no JSON'],
  ])('%s', async (_name, body, status, words) => {
    const call = { method: 'POST', url: '/mutate/tolerations.isolate?timeout=5s', contentType: 'application/json' }
    const clock = new VirtualClock(0)
    const reply = await answerAdmission([webhook], { ...call, body: Buffer.from(body) }, { clock, log: silentLog })
    expect([reply.status, reply.body.includes(words)]).toEqual([status, true])
    expect(reply.body).not.toContain('failed')
  })
})

describe('who wants it', () => {
  const policy = (name: string, isolation: object, more: object = {}, annotations = {}): RebalancePolicy => ({
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name, annotations },
    // As the watch brings it: read by its schema only afterwards.
    spec: JSON.parse(JSON.stringify({ trigger: 'manual', mode: 'Auto', ...more, isolation })),
  })
  const wish = { enabled: true, tolerations: 'webhook', coreNamespaces: ['kube-system', 'argocd', 'argocd'] }
  const tried = { workload: 'uid', mark: 'now', tries: 1, by: 'controller' }

  // biome-ignore format: a table
  test.each<[string, readonly RebalancePolicy[], readonly StandingIsolation[], readonly StandingIsolation[]]>([
    ['nobody',                          [],                                                              [one], []],
    ['a policy',                        [policy('a', wish)],                                             [],    [one]],
    ['several, by name',                [policy('b', { ...wish, taint: 'storage', coreNamespaces: ['rook', 'kube-system'] }), policy('a', wish)], [], [one, two]],
    ['one that is switched off',        [policy('a', { ...wish, enabled: false })],                      [one], []],
    ['one that is aborted',             [policy('a', wish, {}, { 'ballast.dev/abort-isolation': 'true' })], [one], []],
    ['one that is not aborted',         [policy('a', wish, {}, { 'ballast.dev/abort-isolation': 'false' })], [], [one]],
    ['one that applies',                [policy('a', { ...wish, tolerations: 'apply' })],                [one], []],
    ['one that reports',                [policy('a', wish, { mode: 'Report' })],                         [],    []],
    ['one that reports now',            [policy('a', wish, { mode: 'Report' })],                         [one], [one]],
    ['one that lost its shape',         [policy('a', { ...wish, nodes: 7 })],                            [one], [one]],
    ['one that never had a shape',      [policy('a', { ...wish, nodes: 7 })],                            [two], []],
    ['one that tries a workload',       [policy('a', wish)],                                             [{ ...one, tried }], [{ ...one, tried }]],
    ['one with other namespaces now',   [policy('a', wish)],                                             [{ ...one, namespaces: ['x'], tried }], [{ ...one, tried }]],
  ])('%s', (_name, policies, standing, expected) => {
    expect(wantedIsolations(policies, standing)).toEqual(expected)
  })
})

describe('the configuration', () => {
  const clientConfig = { url: 'https://ballast.example/mutate/tolerations.isolate' }

  test('is for all namespaces of all isolations, and cannot stand in the way of a pod', () => {
    const configuration = webhookConfiguration([one, two], clientConfig)
    expect(configuration).toMatchObject({
      metadata: { name: 'ballast-isolation', labels: { 'ballast.dev/managed': 'true', 'ballast.dev/capability': 'isolate' } },
      webhooks: [
        {
          name: 'tolerations.isolate.ballast.dev',
          clientConfig,
          failurePolicy: 'Ignore',
          sideEffects: 'None',
          namespaceSelector: {
            matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: ['argocd', 'kube-system', 'rook'] }],
          },
        },
      ],
    })
  })

  test('says what it is for', () => {
    const tried = { ...one, tried: { workload: 'uid', mark: '2026-01-01T00:00:00.000Z', tries: 2, by: 'controller' } }
    expect(isolationsOf(webhookConfiguration([tried, two], clientConfig))).toEqual([tried, two])
  })

  // biome-ignore format: a table
  test.each<[string, Readonly<Record<string, string>> | undefined]>([
    ['no annotations',      undefined],
    ['no annotation',       {}],
    ['no JSON',             { 'ballast.dev/isolations': '[' }],
    ['another shape',       { 'ballast.dev/isolations': '[{"policy":1}]' }],
    ['no list',             { 'ballast.dev/isolations': '{}' }],
  ])('edited by hand it says nothing: %s', (_name, annotations) => {
    const object: KubeObject = { apiVersion: 'v1', kind: 'X', metadata: { name: 'x', ...(annotations === undefined ? {} : { annotations }) } }
    expect(isolationsOf(object)).toEqual([])
  })
})
