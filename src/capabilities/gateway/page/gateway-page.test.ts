import { describe, expect, test } from 'vitest'
import type { GatewaysStanding, RouteStanding } from '#coordination/ports/gateway-door.ts'
import { capabilityView } from '#dashboard/contract.ts'
import { pictureAt } from '#dashboard/views/moment.ts'
import { ago, minute, nowMs, pictureOf, second } from '#dashboard/views/testdata/homelab.ts'
import { everything } from '#dashboard/views/viewing.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { conditionsWith } from '../cold/cold-start-condition.ts'
import { gatewayPage } from './gateway-page.ts'
import { awakeBecause } from './kept-awake.ts'

const object = (apiVersion: string, kind: string, name: string, more: object, namespace = 'llm'): KubeObject => ({
  ...{ apiVersion, kind, metadata: { name, namespace, uid: `${kind}-${name}`, creationTimestamp: ago(60 * minute) } },
  ...more,
})
const route = (name: string, hosts: readonly string[] = [], namespace?: string) =>
  object(
    'http.keda.sh/v1beta1',
    'InterceptorRoute',
    name,
    { spec: { target: { service: name, port: 11434 }, rules: [{ hosts }] } },
    namespace,
  )
const old = object('http.keda.sh/v1alpha1', 'HTTPScaledObject', 'sonarr', {
  spec: { hosts: ['sonarr.home.arpa'], scaleTargetRef: { name: 'sonarr', service: 'sonarr', portName: 'web' } },
})
const scaled = (name: string, of: object, status: object = {}, more: object = {}) =>
  object('keda.sh/v1alpha1', 'ScaledObject', name, {
    spec: { scaleTargetRef: { name }, triggers: [{ type: 'external-push', metadata: of }], ...more },
    status,
  })
const deployment = (name: string, replicas: number) => object('apps/v1', 'Deployment', name, { spec: { replicas } })

const reading: RouteStanding = { requests: 0, held: 0 }
const gatewaysWith = (
  routes: Record<string, Partial<RouteStanding>>,
  more: Partial<GatewaysStanding> = {},
): GatewaysStanding => ({
  ...{ answered: 2, late: [], silent: [] },
  routes: new Map(Object.entries(routes).map(([key, one]) => [key, { ...reading, ...one }])),
  ...more,
})

const viewOf = (objects: readonly KubeObject[], gateways?: GatewaysStanding, viewing = everything) =>
  gatewayPage.view(pictureOf(objects, gateways === undefined ? {} : { gateways }), viewing)
const cells = (view: ReturnType<typeof viewOf>, name: string) =>
  view.tables.find(table => table.name === name)?.rows.map(row => row.cells)
const sentences = (view: ReturnType<typeof viewOf>) => view.sentences.map(({ text }) => text)

const start = {
  ...{ stage: 'image', sentence: 'image ollama is pulled on node talos02', trouble: 'it cannot be pulled' },
  ...{ totalMs: 95 * second, etaMs: 48 * second },
}
const all = [
  ...[route('ollama', ['llm.home.arpa', 'llm.home.arpa']), route('any'), old],
  ...[scaled('ollama', { interceptorRoute: 'ollama' }), deployment('ollama', 0)],
  ...[scaled('sonarr', { httpScaledObject: 'sonarr' }, { lastActiveTime: ago(2 * minute) }), deployment('sonarr', 1)],
]

describe('the page of the gateway', () => {
  test('routes of both kinds, with what scales them', () => {
    const view = viewOf(all, gatewaysWith({ 'llm/ollama': {}, 'llm/sonarr': { requests: 3, held: 1 } }))
    expect(sentences(view)).toEqual(['3 routes: 1 asleep, 0 starting.'])
    expect(cells(view, 'routes')).toEqual([
      ['llm/any', 'any', 'any:11434', null, null, null, 'no ScaledObject scales it', ''],
      ['llm/ollama', 'llm.home.arpa', 'ollama:11434', 0, 0, 0, 'asleep', ''],
      ...[
        [
          'llm/sonarr',
          'sonarr.home.arpa',
          'sonarr:web',
          1,
          3,
          1,
          'awake',
          '3 requests; it cools down until 2025-12-19T13:06:20Z',
        ],
      ],
    ])
    expect(capabilityView.parse(view)).toEqual(view)
  })
  test('what starts, and how long it takes', () => {
    const boots = [40_040, 61_250].map((image, at) => ({ endedMs: at * 1_000_000, tookMs: { queued: 99_960, image } }))
    const conditions = conditionsWith(route('ollama'), boots, nowMs)
    const learned = all.map(one => (one.metadata.uid === 'InterceptorRoute-ollama' ? { ...one, status: { conditions } } : one))
    const view = viewOf(learned, gatewaysWith({ 'llm/ollama': { requests: 2, held: 2, start } }))
    expect(cells(view, 'starts')).toEqual([
      ['llm/ollama', 'image', 'image ollama is pulled on node talos02', '95s', '48s', 2, 'it cannot be pulled'],
    ])
    expect(cells(view, 'cold-starts')).toEqual([
      ['llm/ollama', 'total', 140, 161.2, 2],
      ['llm/ollama', 'queued', 100, 100, 2],
      ['llm/ollama', 'image', 40, 61.3, 2],
    ])
    expect(sentences(view)).toEqual(['3 routes: 0 asleep, 1 starting.'])
  })
  test('an InterceptorRoute counts more than an HTTPScaledObject of its name', () => {
    const view = viewOf([old, route('sonarr', ['new.home.arpa'])])
    expect(cells(view, 'routes')?.map(([, hosts]) => hosts)).toEqual(['new.home.arpa'])
  })
  const silent = [{ name: 'ballast-gateway-b', why: 'connect ECONNREFUSED' }]
  const late = [{ name: 'ballast-gateway-c', agoMs: 12_000 }]
  // biome-ignore format: a table
  test.each<[string, GatewaysStanding | undefined, readonly string[]]>([
    ['none was asked', undefined, ['No gateway was asked yet: how many requests there are is not known.']],
    ['none is ready', gatewaysWith({}, { answered: 0 }), ['No pod of the gateway is ready: requests wake nothing, and none is counted.']],
    ['all answer', gatewaysWith({}), []],
    ['they cannot be listed', gatewaysWith({}, { answered: 0, unlisted: 'no right' }), ['Which gateways there are cannot be read: no right.']],
    ['none answers', gatewaysWith({}, { answered: 0, silent }),
      ['No gateway answers (ballast-gateway-b: connect ECONNREFUSED): how many requests there are is not known.']],
    ['one does not', gatewaysWith({}, { silent }),
      ['1 of 3 gateways did not answer (ballast-gateway-b: connect ECONNREFUSED): their requests are missing here, and nothing is known to be 0.']],
    ['one is late', gatewaysWith({}, { late }),
      ['1 of 3 gateways did not answer when asked last (ballast-gateway-c: 12s ago): of them it is told what they said before.']],
    ['many do not', gatewaysWith({}, { answered: 1, silent: ['a', 'b', 'c', 'd', 'e'].map(name => ({ name, why: 'x' })) }),
      ['5 of 6 gateways did not answer (a: x; b: x; c: x; 2 more): their requests are missing here, and nothing is known to be 0.']],
  ])('%s: it is said', (_name, gateways, texts) => {
    expect(sentences(viewOf([], gateways))).toEqual([...texts, '0 routes: 0 asleep, 0 starting.'])
  })
  test('who may not see our namespace is not told names', () => {
    const viewing = { ...everything, sees: (one: string | undefined) => one === 'llm' }
    const [said] = sentences(viewOf([], gatewaysWith({}, { silent }), viewing))
    expect(said).toBe('1 of 3 gateways did not answer: their requests are missing here, and nothing is known to be 0.')
  })
  test('where a gateway is silent, 0 at the others is not known', () => {
    const routes = { 'llm/ollama': {}, 'llm/sonarr': { requests: 3 } }
    const numbers = (gateways: GatewaysStanding) => cells(viewOf(all, gateways), 'routes')?.map(row => [row[4], row[5]])
    expect(numbers(gatewaysWith(routes))).toEqual([
      [null, null],
      [0, 0],
      [3, 0],
    ])
    expect(numbers(gatewaysWith(routes, { late }))).toEqual([
      [null, null],
      [0, 0],
      [3, 0],
    ])
    expect(numbers(gatewaysWith(routes, { silent }))).toEqual([
      [null, null],
      [null, null],
      [3, null],
    ])
  })
  test('what somebody may not see is left out, and said so', () => {
    const view = viewOf([...all, route('x', [], 'secret')], gatewaysWith({}), { ...everything, sees: one => one !== 'secret' })
    expect(cells(view, 'routes')).toHaveLength(3)
    expect(sentences(view)).toContain('Routes of namespaces whose pods you may not list are left out.')
  })
  test('of an earlier moment nothing is kept', () => {
    const picture = pictureOf(all)
    const moment = pictureAt(picture, nowMs - minute)
    const view = gatewayPage.view('picture' in moment ? moment.picture : expect.unreachable(), everything)
    expect(sentences(view)).toEqual(['How routes stood then is not kept.'])
    expect(view.tables).toEqual([])
  })
  test('at the top are routes that are asked or start', () => {
    const gateways = gatewaysWith({ 'llm/ollama': { start }, 'llm/sonarr': { requests: 3 }, 'llm/any': {} })
    const top = gatewayPage.onTop?.(pictureOf(all, { gateways }), everything)
    expect(top?.rows.map(row => row.cells)).toEqual([
      ['llm/ollama', 0, 0, 'image', '48s'],
      ['llm/sonarr', 3, 0, null, null],
    ])
  })
  test('objects of no shape, and many hosts, break nothing', () => {
    const odd = [
      object('http.keda.sh/v1beta1', 'InterceptorRoute', 'a', { spec: { rules: 'x', target: 7 } }),
      object('http.keda.sh/v1beta1', 'InterceptorRoute', 'b', {}),
      route(
        'c',
        Array.from({ length: 100 }, (_none, at) => `host-${at}.example`),
      ),
      scaled('a', { interceptorRoute: 'a' }, { triggersActivity: 7, lastActiveTime: 'soon' }),
    ]
    const view = viewOf(odd)
    expect(capabilityView.parse(view)).toEqual(view)
    expect(String(cells(view, 'routes')?.[2]?.[1])).toHaveLength(300)
  })
})

describe('who keeps a target awake', () => {
  const of = { interceptorRoute: 'x' }
  const paused = { ...scaled('x', of), metadata: { name: 'x', annotations: { 'autoscaling.keda.sh/paused-replicas': '2' } } }
  const condition = [{ type: 'Active', status: 'True' }]
  // biome-ignore format: a table
  test.each<[string, KubeObject, number | undefined, readonly string[]]>([
    ['nobody', scaled('x', of), 0, []],
    ['nobody counts', scaled('x', of), undefined, []],
    ['one request', scaled('x', of), 1, ['1 request']],
    ['a minimum', scaled('x', of, {}, { minReplicaCount: 2 }), 0, ['ScaledObject x asks for at least 2']],
    ['a pause', paused, 0, ['ScaledObject x is paused at 2']],
    ['a schedule', scaled('x', of, { triggersActivity: { 's1-cron': { isActive: true }, s0: { isActive: false } } }), 0, ['active: s1-cron']],
    ['an operator that says less', scaled('x', of, { conditions: condition }), 0, ['active: external-push']],
    ['a cool-down', scaled('x', of, { lastActiveTime: ago(4 * minute) }), 0, ['it cools down until 2025-12-19T13:04:20Z']],
    ['a cool-down of its own', scaled('x', of, { lastActiveTime: ago(6 * minute) }, { cooldownPeriod: 900 }), 0, ['it cools down until 2025-12-19T13:12:20Z']],
    ['one that is over', scaled('x', of, { lastActiveTime: ago(6 * minute) }), 0, []],
  ])('%s', (_name, scaler, requests, because) => {
    expect(awakeBecause(scaler, { requests, nowMs })).toEqual(because)
  })
})
