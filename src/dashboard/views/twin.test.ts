import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { ago, minute, pictureOf } from './testdata/homelab.ts'
import { twinViewOf } from './twin.ts'
import { speedOf } from './twin-clock.ts'
import { everything } from './viewing.ts'

function clock(status: object): KubeObject {
  return { apiVersion: 'ballast.dev/v1alpha1', kind: 'TwinClock', metadata: { name: 'clock' }, spec: {}, status }
}

function fault(name: string, spec: object): KubeObject {
  return { apiVersion: 'ballast.dev/v1alpha1', kind: 'TwinFault', metadata: { name, creationTimestamp: ago(minute) }, spec }
}

const twin = (status: object | undefined, faults: readonly KubeObject[] = []) =>
  pictureOf([], {
    twin: { source: 'examples/talos-homelab', seed: 7, clock: status === undefined ? undefined : clock(status), faults },
  })

test.each([
  [{ speed: '60', paused: false }, 60],
  [{ speed: 'max', paused: false }, null],
  [{ speed: '60', paused: true }, 0],
  [{ speed: 'fast' }, 1],
  [undefined, 1],
])('a clock that says %j goes at %j', (status, speed) => expect(speedOf(twin(status))).toBe(speed))

test('a real cluster has no pace and no view', () => {
  const picture = pictureOf([], { mode: 'cluster', twin: undefined })
  expect([speedOf(picture), twinViewOf(picture, everything)]).toEqual([null, undefined])
})

test('its state is what its clock says', () => {
  expect(twinViewOf(twin({ speed: '10', paused: true, settled: false, pendingTimers: 12 }), everything)).toMatchObject({
    now: '2025-12-19T13:03:20Z',
    speed: 10,
    paused: true,
    settled: false,
    pendingTimers: 12,
    source: 'examples/talos-homelab',
    seed: 7,
  })
})

test.each<readonly [object, string, string | null]>([
  [{ node: { names: ['talos03'], action: 'crash' }, until: '5m' }, 'talos03 stopped', '2025-12-19T13:07:20Z'],
  [{ node: { action: 'slowPull' } }, 'nodes slow at pulling images', null],
  [{ status: { code: 500 } }, 'answers 500', null],
  [
    { status: { code: 503 }, match: { group: 'metrics.k8s.io' }, until: '2025-12-19T14:00:00Z' },
    'answers 503 to metrics.k8s.io',
    '2025-12-19T14:00:00Z',
  ],
  [{ latency: { p50: '1s' }, match: { resource: 'pods', group: '' } }, 'late answers to pods', null],
  [{ node: { names: ['a\nb'], action: 'new' } }, 'a␊b in trouble', null],
  [{}, 'nothing', null],
])('the fault %j reads %s', (spec, text, until) => {
  const view = twinViewOf(twin({}, [fault('page-1', spec)]), everything)
  expect(view?.faults).toEqual([{ name: 'page-1', text, since: ago(minute), until, ours: true }])
})
