import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { Content } from '../jobs/snapshot/snapshot-kinds.ts'
import { SnapshotProgress } from './snapshot-progress.ts'

const content = (uid: string, name?: string): Content => ({
  apiVersion: 'snapshot.storage.k8s.io/v1',
  kind: 'VolumeSnapshotContent',
  metadata: { name: `snapcontent-${uid}` },
  spec: {
    deletionPolicy: 'Delete',
    driver: 'x',
    source: {},
    volumeSnapshotRef: name === undefined ? {} : { kind: 'VolumeSnapshot', namespace: 'media', name, uid },
  },
})

test('a long snapshot tells how far it has come after a minute, and then every five', async () => {
  const clock = new VirtualClock(0)
  const told: string[] = []
  const contents = new Map([content('u1', 'monday'), content('u2')].map(one => [one.metadata.name, one]))
  const progress = new SnapshotProgress({
    clock,
    events: {
      emit: ({ reason, regarding, note }) =>
        void told.push(`${clock.now() / 1_000} ${reason} ${regarding.namespace}/${regarding.name}: ${note}`),
    },
    prefix: 'snapshot',
    contentNamed: name => contents.get(name),
  })
  for (let second = 0; second < 400; second++) {
    for (const name of ['snapshot-u1', 'snapshot-u2', 'snapshot-unknown', 'x'])
      progress.told(name, { entries: second, bytes: second * 10 })
    await clock.advance(1_000)
  }
  progress.ended('snapshot-u1')
  progress.told('snapshot-u1', { entries: 9_999, bytes: 1 })
  expect(told).toEqual([
    '60 SnapshotProgress media/monday: 60 files and folders, 600 bytes are packed so far',
    '360 SnapshotProgress media/monday: 360 files and folders, 3600 bytes are packed so far',
  ])
})

test('no more than a bound are followed', () => {
  const clock = new VirtualClock(0)
  let asked = 0
  const contentNamed = () => {
    asked++
    return undefined
  }
  const progress = new SnapshotProgress({ clock, events: { emit: () => undefined }, prefix: 'snapshot', contentNamed })
  for (let round = 0; round < 2; round++) {
    for (let number = 0; number < 1_000; number++) progress.told(`snapshot-${number}`, { entries: 1, bytes: 1 })
    clock.schedule(60_000, () => undefined)
    clock.step()
  }
  expect(asked).toBe(64)
})
