import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { catchUp, newestMoment } from './snapshot-time.ts'
import { startTestTwin, testConfigMap } from './twin-for-tests.ts'

const at = (object: Partial<KubeObject>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a' },
  ...object,
})

// biome-ignore format: a table
test.each<[string, Partial<KubeObject>, string | undefined]>([
  ['nothing', {}, undefined],
  ['made', { metadata: { name: 'a', creationTimestamp: '2026-02-01T00:00:00Z' } }, '2026-02-01T00:00:00.000Z'],
  ['no time', { metadata: { name: 'a', creationTimestamp: 'yesterday' } }, undefined],
  ['a node that reported', { kind: 'Node', status: { conditions: [{ type: 'Ready', lastHeartbeatTime: '2026-02-01T00:05:00Z' }] } }, '2026-02-01T00:05:00.000Z'],
  ['a lease that was renewed', { kind: 'Lease', spec: { renewTime: '2026-02-01T00:05:00.250000Z' } }, '2026-02-01T00:05:00.250Z'],
  ['an end that is still to come does not count', { kind: 'Pod', metadata: { name: 'a', deletionTimestamp: '2027-01-01T00:00:00Z' } }, undefined],
])('%s', (_, object, expected) => {
  const newest = newestMoment([at(object)])
  expect(newest === undefined ? undefined : new Date(newest).toISOString()).toBe(expected)
})

test.each([
  ['from the future moves the clock there', '2026-03-01T00:00:00Z', '2026-03-01T00:00:00.000Z'],
  ['from the past leaves it where it is', '2025-03-01T00:00:00Z', '2026-01-01T00:00:00.000Z'],
])('a snapshot %s', async (_, creationTimestamp, expected) => {
  const object = { ...testConfigMap('a'), metadata: { name: 'a', namespace: 'default', creationTimestamp } }
  await using started = await startTestTwin([object])
  await using loaded = await startTestTwin()
  loaded.twin.load([object])
  await loaded.twin.settle({ limitMs: 1000 })
  expect([started, loaded].map(({ clock }) => new Date(clock.now()).toISOString())).toEqual([expected, expected])
})

test('what waits for the time in between happens on the way', async () => {
  const clock = new VirtualClock(0)
  const seen: number[] = []
  clock.schedule(1000, () => seen.push(clock.now()))
  await catchUp(clock, [at({ metadata: { name: 'a', creationTimestamp: '1970-01-01T00:00:05Z' } })])
  expect([seen, clock.now()]).toEqual([[1000], 5000])
})
