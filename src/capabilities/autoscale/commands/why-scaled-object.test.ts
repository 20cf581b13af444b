import { expect, test } from 'vitest'
import type { AskedKind } from '#cli/account/explained-kinds.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { StatusError } from '#kube/objects/status.ts'
import { formatTime } from '#kube/time/time.ts'
import { startTwin } from '#twin/twin.ts'
import { type ScaledObject, scaledObjectSpec } from '../kinds/scaled-object.ts'
import { servedKinds } from '../kinds/served-kinds.ts'
import { toldOf } from '../told/told.ts'
import { explainScaledObject } from './why-scaled-object.ts'

const startMs = Date.UTC(2026, 2, 4)
const metric = 's0-cron-Etc-UTC-02xxx-03xxx'
const night = { type: 'cron', metadata: { timezone: 'Etc/UTC', start: '0 2 * * *', end: '0 3 * * *', desiredReplicas: '2' } }

const object = (namespace: string, name: string): KubeObject => ({
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: { name, namespace, uid: `${namespace}-${name}` },
  spec: { scaleTargetRef: { name: 'web' }, cooldownPeriod: 300, triggers: [night] },
  status: {
    externalMetricNames: [metric],
    lastActiveTime: formatTime(startMs - 100_000),
    triggersActivity: { [metric]: { isActive: false } },
    conditions: [{ type: 'Ready', status: 'True' }],
  },
})

const event = (name: string, regarding: string, note: string): KubeObject => ({
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  metadata: { name, namespace: 'media' },
  eventTime: `${formatTime(startMs - 50_000).slice(0, -1)}.000000Z`,
  reason: 'KEDAScaleTargetActivated',
  action: 'x',
  type: 'Normal',
  note,
  reportingController: 'keda-operator',
  reportingInstance: 'a',
  regarding: { kind: 'ScaledObject', namespace: 'media', name: regarding },
})

const namespace = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })

async function ask(given: Partial<AskedKind>, change: (api: Api) => Api = api => api) {
  const clock = new VirtualClock(startMs)
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'media' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'a', image: 'a' }] } },
    },
  }
  const objects = [
    ...servedKinds.flatMap(({ definition }) => definition ?? []),
    ...[
      namespace('media'),
      namespace('shop'),
      deployment,
      object('media', 'web'),
      object('media', 'twice'),
      object('shop', 'twice'),
    ],
    ...[event('one', 'web', 'Scaled it from 0 to 1'), event('two', 'other', 'of another')],
  ]
  await using twin = await startTwin({ clock, seed: 1, objects })
  const opened = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' })
  try {
    return await explainScaledObject({
      ...{
        kind: 'ScaledObject',
        name: 'web',
        namespace: undefined,
        isOnce: true,
        config: undefined,
        clock,
        say: () => undefined,
      },
      signal: new AbortController().signal,
      ...given,
      api: change(opened),
    })
  } finally {
    await opened.close()
  }
}

const textOf = ({ sections }: Awaited<ReturnType<typeof ask>>) =>
  sections.flatMap(({ heading, lines }) => [heading, ...lines]).join('\n')

test('tells what holds it, its triggers, and what happened to it alone', async () => {
  const found = await ask({})
  expect(found.isFound).toBe(true)
  expect(textOf(found)).toBe(
    [
      'ScaledObject media/web',
      'Deployment web has 1 replicas; it may have 0 to 100.',
      'No trigger is active. [not-active]',
      'It goes to 0 at 2026-03-04T00:03:20Z at the earliest: 300 s after it was active last (2026-03-03T23:58:20Z). [cool-down]',
      'Its next window begins at 2026-03-04T02:00:00Z. [next-window]',
      'Its triggers',
      '0. cron: not active, window 2026-03-04T02:00:00Z to 2026-03-04T03:00:00Z',
      'What happened, newest first',
      '2026-03-03T23:59:10Z Scaled it from 0 to 1 [KEDAScaleTargetActivated]',
    ].join('\n'),
  )
})

test('what an annotation of ours holds, and one that cannot be read', async () => {
  const policy = (value: string, replicas: number) => {
    const { spec, status, ...rest } = object('media', 'web')
    const metadata = { ...rest.metadata, annotations: { 'ballast.dev/scale-to-zero-policy': value } }
    const scaled = { ...rest, metadata, status, spec: scaledObjectSpec.parse(spec) } as ScaledObject
    const target: KubeObject = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec: { replicas } }
    return toldOf(scaled, { autoscaler: undefined, target, nowMs: startMs }).reasons.map(({ rule }) => rule)
  }
  expect(policy('stepwise', 3)).toContain('stepping-down')
  expect(policy('stepwise', 1)).toContain('cool-down')
  const { spec, status, ...rest } = object('media', 'web')
  const metadata = { ...rest.metadata, annotations: { 'ballast.dev/wakes': 'db,gone' } }
  const needed = { type: 'Active', status: 'True', reason: 'ScalerNeeded', message: 'Scaling is performed because X needs it' }
  const needing = {
    ...rest,
    metadata,
    spec: scaledObjectSpec.parse(spec),
    status: { ...(status as object), conditions: [needed] },
  }
  const others = [object('media', 'db')]
  const told = toldOf(needing as ScaledObject, { autoscaler: undefined, target: undefined, others, nowMs: startMs })
  expect(told.reasons.map(({ rule, sentence }) => `${rule}: ${sentence}`)).toEqual(
    expect.arrayContaining([
      'annotation-ignored: The annotation ballast.dev/wakes names gone, and there is no such ScaledObject in this namespace.',
      'wakes: While it is awake, these are: db, gone.',
      'needed: Scaling is performed because X needs it.',
    ]),
  )
  const behind = {
    type: 'Active',
    status: 'False',
    reason: 'ScalerOutOfTurn',
    message: 'Scaling is not performed: X has the turn',
  }
  const activity = { triggersActivity: { [metric]: { isActive: true } } }
  const waiting = { ...needing, status: { ...(status as object), ...activity, conditions: [behind] } }
  const target: KubeObject = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec: { replicas: 0 } }
  const outOfTurn = toldOf(waiting as ScaledObject, { autoscaler: undefined, target, nowMs: startMs })
  expect(outOfTurn.reasons.map(({ rule }) => rule)).toEqual(['wakes', 'active', 'out-of-turn'])
  expect(policy('slow', 3)).toEqual(expect.arrayContaining(['annotation-ignored', 'cool-down']))
})

test('one that is not there, and one of several of its name', async () => {
  expect(await ask({ name: 'nobody' })).toMatchObject({ isFound: false })
  expect(await ask({ name: 'web', namespace: 'shop' })).toMatchObject({ isFound: false })
  await expect(ask({ name: 'twice' })).rejects.toThrow(
    'there are 2 of that name: media/twice, shop/twice; say which with -n NAMESPACE',
  )
  expect(await ask({ name: 'twice', namespace: 'shop' })).toMatchObject({ isFound: true })
})

test('what may not be read is said, and the rest is told', async () => {
  const forbidden = () =>
    Promise.reject(
      new StatusError({
        apiVersion: 'v1',
        kind: 'Status',
        metadata: {},
        status: 'Failure',
        code: 403,
        reason: 'Forbidden',
        message: 'no',
      }),
    )
  const found = await ask({}, api => ({
    ...api,
    resource: <T extends KubeObject>(resource: Parameters<Api['resource']>[0]) => {
      const all = api.resource<T>(resource)
      const isRefused = [builtIn.events, builtIn.horizontalpodautoscalers].some(one => one.resource === resource.resource)
      return isRefused ? { ...all, get: forbidden, list: forbidden } : all
    },
  }))
  expect(textOf(found)).toContain('HorizontalPodAutoscaler keda-hpa-web may not be read with your rights')
  expect(textOf(found)).toContain('Events may not be read with your rights')
  expect(textOf(found)).toContain('[cool-down]')
})
