import { describe, expect, it } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { routesOf } from './route-of.ts'

function interceptorRoute(spec: object, annotations: Record<string, string> = {}, name = 'app'): KubeObject {
  const creationTimestamp = '2026-01-01T00:00:00Z'
  return {
    apiVersion: 'http.keda.sh/v1beta1',
    kind: 'InterceptorRoute',
    metadata: { name, namespace: 'default', creationTimestamp, annotations },
    spec: { target: { service: 'app', port: 80 }, scalingMetric: { concurrency: { targetValue: 4 } }, ...spec },
  } as KubeObject
}

function httpScaledObject(spec: object, name = 'app'): KubeObject {
  return {
    apiVersion: 'http.keda.sh/v1alpha1',
    kind: 'HTTPScaledObject',
    metadata: { name, namespace: 'default' },
    spec: { scaleTargetRef: { service: 'app', port: 80 }, ...spec },
  } as KubeObject
}

const one = (routes: readonly KubeObject[], objects: readonly KubeObject[] = []) => {
  const made = routesOf(routes, objects)
  expect(made.problems).toEqual([])
  return made.routes[0]
}

describe('an InterceptorRoute', () => {
  it('becomes a route with all it says', () => {
    const route = one([
      interceptorRoute(
        {
          rules: [
            { hosts: ['App.Example.com:8080', '*.b.io', ''], paths: [{ value: '/api' }], headers: [{ name: 'X-A', value: 'b' }] },
          ],
          timeouts: { readiness: '10m', request: '0s', responseHeader: '1.5s' },
          coldStart: {
            fallback: { service: { name: 'spare', portName: 'web' } },
            placeholder: { response: { body: 'soon' } },
            maxPendingRequests: 100,
            overflow: 'Placeholder',
          },
          scalingMetric: { requestRate: { targetValue: 5, window: '5s', granularity: '1s' } },
          staticRoutes: [{ rules: [{ paths: [{ value: '/health' }] }], response: { bodyFromConfigMap: { name: 'texts' } } }],
        },
        {
          'ballast.dev/llm': 'true',
          'ballast.dev/heartbeat': '15s',
          'ballast.dev/warm-model': 'gpt-oss:20b',
          'ballast.dev/model-tiers': 'gpt-oss:20b=ollama-gpu, *=ollama',
          'ballast.dev/overflow': 'fallback',
        },
      ),
    ])
    expect(route).toEqual({
      key: 'default/app',
      namespace: 'default',
      name: 'app',
      kind: 'InterceptorRoute',
      createdMs: Date.UTC(2026, 0, 1),
      rules: [{ hosts: ['app.example.com', '*.b.io', '*'], paths: ['/api'], headers: [{ name: 'x-a', value: 'b' }] }],
      target: { service: 'app', port: 80 },
      fallback: { service: 'spare', portName: 'web' },
      placeholder: { status: 503, headers: {}, body: 'soon' },
      mostPending: 100,
      overflow: 'Placeholder',
      timeouts: { readinessMs: 600_000, requestMs: 0, responseHeaderMs: 1_500 },
      staticRoutes: [
        {
          rules: [{ hosts: [], paths: ['/health'], headers: [] }],
          answer: { status: 200, headers: {}, bodyFrom: { name: 'texts' } },
          mode: 'WhenUnavailable',
        },
      ],
      rate: { target: 5, windowMs: 5_000, granularityMs: 1_000 },
      hints: {
        llm: true,
        heartbeatMs: 15_000,
        heartbeatJson: false,
        warmModel: 'gpt-oss:20b',
        modelTiers: [
          { model: 'gpt-oss:20b', route: 'ollama-gpu' },
          { model: '*', route: 'ollama' },
        ],
        overflowToFallback: true,
        ownEndpoints: false,
        waiting: 'page',
      },
    })
  })

  it.each<[string, object, Record<string, string>, RegExp]>([
    ['no metric', { scalingMetric: {} }, {}, /found neither, expected concurrency or requestRate/],
    [
      'both ports',
      { target: { service: 'a', port: 1, portName: 'x' } },
      {},
      /spec\.target: found port and portName, expected one/,
    ],
    ['no duration', { timeouts: { request: 'soon' } }, {}, /spec\.timeouts\.request/],
    [
      'too fine',
      { scalingMetric: { requestRate: { targetValue: 1, granularity: '100ms' } } },
      {},
      /granularity: found "100ms", expected a duration of at least 1s/,
    ],
    [
      'too many pieces',
      { scalingMetric: { requestRate: { targetValue: 1, window: '24h' } } },
      {},
      /found 24h in pieces of 1s, expected at most 3600 pieces/,
    ],
    ['a word', {}, { 'ballast.dev/llm': 'yes' }, /annotation ballast\.dev\/llm: found "yes", expected true or false/],
    ['no tier', {}, { 'ballast.dev/model-tiers': 'a' }, /found "a", expected model=route/],
    ['no path', {}, { 'ballast.dev/before-zero': 'x y' }, /expected a path such as \/may-stop/],
    ['no spec', { target: 7 }, {}, /spec\.target/],
  ])('that has %s is none, and says why', (_name, spec, annotations, why) => {
    const { routes, problems } = routesOf([interceptorRoute(spec, annotations), interceptorRoute({}, {}, 'good')], [])
    expect(routes.map(({ name }) => name)).toEqual(['good'])
    expect(problems).toMatchObject([{ kind: 'InterceptorRoute', namespace: 'default', name: 'app' }])
    expect(problems[0]?.problems.join('; ')).toMatch(why)
  })
})

describe('an HTTPScaledObject', () => {
  it('is read as upstream reads it', () => {
    expect(
      one(
        [],
        [
          httpScaledObject({
            hosts: ['a.io'],
            pathPrefixes: ['/x', '/y'],
            headers: [{ name: 'X-A' }],
            timeouts: { conditionWait: '20s', responseHeader: '0s' },
          }),
        ],
      ),
    ).toMatchObject({
      kind: 'HTTPScaledObject',
      rules: [{ hosts: ['a.io'], paths: ['/x', '/y'], headers: [{ name: 'x-a' }] }],
      timeouts: { readinessMs: 20_000 },
      concurrency: 100,
    })
  })

  it.each([
    [{ targetPendingRequests: 7 }, { concurrency: 7 }],
    [{ scalingMetric: { concurrency: {} } }, { concurrency: 100 }],
    [{ scalingMetric: { requestRate: {} } }, { rate: { target: 100, windowMs: 60_000, granularityMs: 1_000 } }],
    [
      { coldStartTimeoutFailoverRef: { service: 'f', port: 1 }, timeouts: { conditionWait: '5s' } },
      { fallback: { service: 'f', port: 1 }, timeouts: { readinessMs: 30_000 } },
    ],
    [
      { coldStartTimeoutFailoverRef: { service: 'f', port: 1, timeoutSeconds: 0 }, timeouts: { conditionWait: '5s' } },
      { timeouts: { readinessMs: 5_000 } },
    ],
  ])('%j', (spec, expected) => {
    expect(one([], [httpScaledObject(spec)])).toMatchObject(expected)
  })

  it('gives way to an InterceptorRoute of its name, also to one that is wrong', () => {
    expect(one([interceptorRoute({})], [httpScaledObject({})])?.kind).toBe('InterceptorRoute')
    expect(routesOf([interceptorRoute({ scalingMetric: {} })], [httpScaledObject({})]).routes).toEqual([])
  })
})
