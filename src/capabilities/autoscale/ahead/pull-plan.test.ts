import { describe, expect, test } from 'vitest'
import type { Deployment, Node } from '#kube/objects/objects.ts'
import { type ScaledObject, scaledObjectSpec } from '../kinds/scaled-object.ts'
import { wantedAhead } from './pull-plan.ts'

const nowMs = Date.UTC(2027, 2, 2, 7, 50)
const minute = 60_000

const node = (
  name: string,
  given: { labels?: Record<string, string>; spec?: Node['spec']; ready?: 'True' | 'False' } = {},
): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { ...given.labels } },
  spec: given.spec ?? {},
  status: { conditions: [{ type: 'Ready', status: given.ready ?? 'True' }] },
})

const taint = { key: 'gpu', effect: 'NoSchedule' } as const
const nodes = [
  node('c'),
  node('a', { labels: { gpu: 'yes' }, spec: { taints: [taint] } }),
  node('b', { labels: { gpu: 'yes' }, spec: { unschedulable: true } }),
  node('d', { ready: 'False' }),
]

const plain: Deployment['spec']['template']['spec'] = { containers: [{ name: 'app', image: 'app:1' }] }

function wanted(
  triggers: readonly unknown[],
  {
    annotations = { 'ballast.dev/pull-ahead': 'true' },
    spec = plain,
    of = nodes,
    name = 'web',
  }: {
    annotations?: Record<string, string>
    spec?: typeof plain
    of?: readonly Node[]
    name?: string
  } = {},
) {
  const object: ScaledObject = {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name, namespace: 'shop', uid: 'u', annotations },
    spec: scaledObjectSpec.parse({ scaleTargetRef: { name: 'web' }, triggers }),
  }
  return wantedAhead([{ object, template: { metadata: {}, spec } }], of, nowMs).map(
    ({ images, nodes: names, opensMs }) => `${images.join(' ')} on ${names.join(' ')} in ${(opensMs - nowMs) / minute}`,
  )
}

const cron = (start: string, end = '0 20 * * *') => ({
  type: 'cron',
  metadata: { timezone: 'Etc/UTC', start, end, desiredReplicas: '1' },
})
const window = (more: Record<string, string>) => ({
  type: 'time-window',
  metadata: { timezone: 'Etc/UTC', from: '08:00', to: '09:00', ...more },
})
const init = {
  ...plain,
  initContainers: [
    { name: 'one', image: 'init:1' },
    { name: 'two', image: 'app:1' },
  ],
}

describe('what is wanted before a window', () => {
  test.each<[string, readonly unknown[], Parameters<typeof wanted>[1], readonly string[]]>([
    ['a schedule in ten minutes', [cron('0 8 * * *')], {}, ['app:1 on c in 10']],
    ['a floor in ten minutes', [window({ min: '1' })], {}, ['app:1 on c in 10']],
    ['a ceiling wakes nothing', [window({ min: '0', max: '3' })], {}, []],
    ['one that is further away', [cron('1 8 * * *')], {}, []],
    [
      '… is near for who asks for more',
      [cron('1 8 * * *')],
      { annotations: { 'ballast.dev/pull-ahead': '30m' } },
      ['app:1 on c in 11'],
    ],
    ['one that is open already', [cron('0 7 * * *')], {}, []],
    ['the first of two', [cron('58 7 * * *'), cron('55 7 * * *')], {}, ['app:1 on c in 5']],
    ['nobody asked for it', [cron('0 8 * * *')], { annotations: {} }, []],
    ['not so', [cron('0 8 * * *')], { annotations: { 'ballast.dev/pull-ahead': 'false' } }, []],
    ['too long before', [cron('0 8 * * *')], { annotations: { 'ballast.dev/pull-ahead': '2h' } }, []],
    [
      'paused',
      [cron('0 8 * * *')],
      { annotations: { 'ballast.dev/pull-ahead': 'true', 'autoscaling.keda.sh/paused': 'true' } },
      [],
    ],
    [
      'what may not wake',
      [cron('0 8 * * *')],
      { annotations: { 'ballast.dev/pull-ahead': 'true', 'autoscaling.keda.sh/paused-scale-out': 'true' } },
      [],
    ],
    ['a trigger that cannot be read', [cron('nonsense'), cron('0 8 * * *')], {}, ['app:1 on c in 10']],
    ['no trigger by the clock', [{ type: 'prometheus', metadata: {} }], {}, []],
    ['images of all containers, once each', [cron('0 8 * * *')], { spec: init }, ['init:1 app:1 on c in 10']],
    [
      'nodes that it tolerates and selects',
      [cron('0 8 * * *')],
      { spec: { ...plain, nodeSelector: { gpu: 'yes' }, tolerations: [{ operator: 'Exists' }] } },
      ['app:1 on a in 10'],
    ],
    ['no node takes it', [cron('0 8 * * *')], { spec: { ...plain, nodeSelector: { gpu: 'no' } } }, []],
    [
      'eight nodes at most',
      [cron('0 8 * * *')],
      { of: Array.from({ length: 12 }, (_none, at) => node(`n${at + 10}`)) },
      ['app:1 on n10 n11 n16 n17 n18 n19 n20 n21 in 10'],
    ],
    [
      'eight others for another object',
      [cron('0 8 * * *')],
      { of: Array.from({ length: 12 }, (_none, at) => node(`n${at + 10}`)), name: 'db' },
      ['app:1 on n11 n12 n15 n16 n17 n19 n20 n21 in 10'],
    ],
  ])('%s', (_what, triggers, given, expected) => expect(wanted(triggers, given)).toEqual(expected))
})
