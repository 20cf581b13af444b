import { describe, expect, test } from 'vitest'
import { pictureAt } from '#dashboard/views/moment.ts'
import { ago, minute, nowMs, pictureOf, second } from '#dashboard/views/testdata/homelab.ts'
import { everything } from '#dashboard/views/viewing.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { formatTime } from '#kube/time/time.ts'
import { autoscalingPage } from './autoscaling-page.ts'

const ready = { type: 'Ready', status: 'True', reason: 'ScaledObjectReady' }

function scaled(
  name: string,
  spec: Record<string, unknown>,
  status?: Record<string, unknown>,
  annotations?: Record<string, string>,
): KubeObject {
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: {
      name,
      namespace: 'media',
      uid: name,
      creationTimestamp: ago(60 * minute),
      ...(annotations === undefined ? {} : { annotations }),
    },
    spec: { scaleTargetRef: { name }, triggers: [{ type: 'metrics-api', metadata: {} }], ...spec },
    ...(status === undefined ? {} : { status }),
  }
}

const deployment = (name: string, replicas: number): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'media' },
  spec: { replicas },
})

const metric = 's0-metric-api-queue'
const autoscaler = (name: string, current: string | undefined): KubeObject => ({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: `keda-hpa-${name}`, namespace: 'media' },
  spec: {
    metrics: [{ type: 'External', external: { metric: { name: metric }, target: { type: 'AverageValue', averageValue: '10' } } }],
  },
  status: {
    desiredReplicas: 3,
    currentMetrics:
      current === undefined
        ? []
        : [{ type: 'External', external: { metric: { name: metric }, current: { averageValue: current } } }],
    conditions: [{ type: 'ScalingActive', status: 'True', reason: 'ValidMetricFound' }],
  },
})

const cron = { type: 'cron', metadata: { timezone: 'Europe/Berlin', start: '0 2 * * *', end: '0 3 * * *', desiredReplicas: '1' } }
const status = (active: boolean, more: Record<string, unknown> = {}) => ({
  externalMetricNames: [metric],
  triggersActivity: { [metric]: { isActive: active } },
  conditions: [ready, { type: 'Active', status: active ? 'True' : 'False' }],
  ...more,
})

const viewOf = (objects: readonly KubeObject[], given: Parameters<typeof pictureOf>[1] = {}, viewing = everything) =>
  autoscalingPage.view(pictureOf(objects, given), viewing)
const cells = (view: ReturnType<typeof viewOf>, name: string) =>
  view.tables.find(table => table.name === name)?.rows.map(row => row.cells)
const why = (objects: readonly KubeObject[]) => cells(viewOf(objects), 'objects')?.[0]?.[7]

describe('the page of autoscaling', () => {
  test('an active one: value against target, and what its autoscaler wants', () => {
    const queue = scaled('queue', { triggers: [cron] }, status(true))
    const view = viewOf([queue, deployment('queue', 3), autoscaler('queue', '8500m')])
    expect(cells(view, 'objects')).toEqual([
      [
        'media/queue',
        'Deployment queue',
        3,
        '0',
        '100',
        'True',
        'no',
        expect.stringContaining(`Active: ${metric}. HorizontalPodAutoscaler keda-hpa-queue wants 3 replicas.`),
        null,
      ],
    ])
    expect(cells(view, 'triggers')).toEqual([['media/queue', '0 cron', metric, '8500m a pod', '10 a pod', 'yes', 0, null]])
    expect(view.sentences.map(({ text }) => text)[0]).toMatch(/^1 ScaledObject: 0 at zero/)
  })

  test.each([
    [
      'a cool-down, with its end',
      scaled('a', { cooldownPeriod: 300 }, status(false, { lastActiveTime: ago(100 * second) })),
      1,
      `It goes to 0 at ${formatTime(nowMs + 200 * second)} at the earliest: 300 s after it was active last`,
    ],
    ['a first cool-down', scaled('a', { initialCooldownPeriod: 7_200 }, status(false)), 1, `7200 s after it was made`],
    ['a cool-down that is over', scaled('a', {}, status(false, { lastActiveTime: ago(301 * second) })), 1, 'with the next look'],
    [
      'a pause',
      scaled('a', {}, status(false), { 'autoscaling.keda.sh/paused-replicas': '2' }),
      2,
      'It is paused at 2: take its annotation autoscaling.keda.sh/paused-replicas away',
    ],
    [
      'a pause of one direction',
      scaled('a', {}, status(false), { 'autoscaling.keda.sh/paused-scale-in': '' }),
      1,
      'It goes no lower',
    ],
    [
      'a forced activation',
      scaled('a', {}, status(false), { 'autoscaling.keda.sh/force-activation': 'true' }),
      1,
      'whatever its triggers say',
    ],
    [
      'an error',
      scaled(
        'a',
        {},
        { conditions: [{ type: 'Ready', status: 'False', reason: 'TriggerError', message: 'the source is away' }] },
      ),
      1,
      'Nothing is scaled by its triggers: the source is away.',
    ],
    ['zero', scaled('a', {}, status(false)), 0, 'It is at zero until a trigger is active.'],
    ['a least', scaled('a', { minReplicaCount: 2 }, status(false)), 2, 'It rests at 2 (minReplicaCount).'],
    ['an idle count', scaled('a', { minReplicaCount: 2, idleReplicaCount: 0 }, status(false)), 0, 'It is at zero until'],
    [
      'a fallback',
      scaled(
        'a',
        { fallback: { failureThreshold: 3, replicas: 6 } },
        status(true, { conditions: [ready, { type: 'Fallback', status: 'True' }] }),
      ),
      6,
      'its fallback of 6 replicas stands in',
    ],
    ['nobody who looks', scaled('a', {}), 1, 'Nobody has looked at it yet'],
  ])('says what holds it: %s', (_what, object, replicas, sentence) => {
    expect(why([object, deployment('a', replicas)])).toContain(sentence)
  })

  test('one that fails goes nowhere: no cool-down is told of it', () => {
    const failing = { conditions: [{ type: 'Ready', status: 'False', reason: 'TriggerError', message: 'the source is away' }] }
    expect(why([scaled('a', {}, failing), deployment('a', 1)])).toBe('Nothing is scaled by its triggers: the source is away.')
  })

  test('a schedule: its next three windows', () => {
    const view = viewOf([scaled('night', { triggers: [cron] }, status(false)), deployment('night', 0)])
    expect(cells(view, 'windows')).toEqual(
      [20, 21, 22].map(day => ['media/night', '0', `2025-12-${day}T01:00:00Z`, `2025-12-${day}T02:00:00Z`]),
    )
    expect(why([scaled('night', { triggers: [cron] }, status(false)), deployment('night', 0)])).toContain(
      'Its next window begins at 2025-12-20T01:00:00Z.',
    )
  })

  test('spans before likely arrivals stand between the windows, unless it is paused', () => {
    const told = (annotations: Record<string, string>) => {
      const message = 'learned: 1; next warm 2025-12-20T07:54:00Z/2025-12-20T08:15:00Z; because somebody is likely to come'
      const conditions = [ready, { type: 'PreWarm', status: 'False', reason: 'PreWarmPlanned', message }]
      const object = scaled('web', { triggers: [cron] }, status(false, { conditions }), annotations)
      const view = viewOf([object, deployment('web', 0)])
      return [cells(view, 'windows')?.map(row => `${row[1]} ${row[2]}`)[1], cells(view, 'objects')?.[0]?.[7]]
    }
    const asked = { 'ballast.dev/pre-warm': '2h' }
    expect(told(asked)).toEqual([
      'pre-warm 2025-12-20T07:54:00Z',
      expect.stringContaining('It is to be awake before anybody comes: learned'),
    ])
    expect(told({ ...asked, 'autoscaling.keda.sh/paused': 'true' })[0]).toBe('0 2025-12-21T01:00:00Z')
    expect(told({})[0]).toBe('0 2025-12-21T01:00:00Z')
  })

  test('a type that is not here yet, and a schedule that is none, are its errors', () => {
    const missing = scaled('a', { triggers: [{ type: 'pulsar', metadata: {} }] }, status(false))
    const wrong = scaled('b', { triggers: [{ ...cron, metadata: { ...cron.metadata, timezone: 'Mars' } }] }, status(false))
    expect(cells(viewOf([missing, wrong]), 'objects')?.map(row => row[8])).toEqual([
      'Ballast has no scaler pulsar yet',
      'unable to load timezone: unknown time zone Mars',
    ])
  })

  test('one table for the terminal', () => {
    const objects = [
      scaled('a', { triggers: [cron] }, status(false, { lastActiveTime: ago(100 * second) })),
      deployment('a', 1),
      autoscaler('a', undefined),
    ]
    expect(autoscalingPage.onTop?.(pictureOf(objects), everything).rows.map(row => row.cells)).toEqual([
      ['media/a', 1, '0-100', 'cron -/10 a pod', `cool-down until ${formatTime(nowMs + 200 * second)}`],
    ])
  })

  test('what was scaled in the last hour, newest first', () => {
    const event = (reason: string, note: string, at: string): KubeObject => ({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: reason + at, namespace: 'media' },
      eventTime: at,
      reason,
      note,
      regarding: { kind: 'ScaledObject', namespace: 'media', name: 'a' },
    })
    const objects = [
      event('KEDAScaleTargetActivated', 'Scaled a from 0 to 1', ago(10 * minute)),
      event('KEDAScaleTargetDeactivated', 'Deactivated a', ago(2 * minute)),
      event('KEDAScaleTargetActivated', 'long ago', ago(90 * minute)),
      event('ScaledObjectReady', 'ready', ago(minute)),
    ]
    expect(cells(viewOf(objects), 'lately')?.map(row => row[3])).toEqual(['Deactivated a', 'Scaled a from 0 to 1'])
  })

  test('a viewer of no namespace sees none of it, and is told so', () => {
    const view = viewOf([scaled('a', {}, status(true)), deployment('a', 1)], {}, { ...everything, sees: () => false })
    expect(view.tables.map(({ rows }) => rows.length)).toEqual([0, 0, 0, 0])
    expect(view.sentences.at(-1)?.text).toContain('left out')
    expect(JSON.stringify(view)).not.toContain('media/a')
  })

  test('forbidden, stale, of another time, and an object that is none', () => {
    const because = 'Your account lacks list on scaledobjects.keda.sh.'
    const down = { name: 'scaledobjects', state: 'down', lastAt: null, limitMs: 60_000, because } as const
    expect(viewOf([], { sources: [down] }).sentences.map(({ text }) => text)).toEqual([because])
    const stale = { name: 'api', state: 'stale', lastAt: null, limitMs: 60_000, because: 'The API server is silent' } as const
    expect(viewOf([], { sources: [stale] }).sentences[0]?.text).toBe('The API server is silent')
    const now = pictureOf([scaled('a', {}, status(true))])
    const then = pictureAt(now, now.nowMs - 60_000)
    if (!('picture' in then)) throw new Error('it is kept for longer')
    expect(autoscalingPage.view(then.picture, everything).sentences.map(({ text }) => text)).toEqual([
      'How ScaledObjects stood then is not kept.',
    ])
    const bad = scaled('bad', { triggers: 'none' })
    expect(
      viewOf([bad])
        .sentences.map(({ text }) => text)
        .join(),
    ).toContain('Cannot be read, since a field is of a wrong type: media/bad')
  })
})
