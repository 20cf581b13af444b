import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { ClusterTime } from './cluster-time.ts'

const startMs = Date.parse('2026-01-01T00:00:00Z')
const second = 1_000

function lease(renewMs: number): KubeObject {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'leader' },
    spec: { renewTime: new Date(renewMs).toISOString() },
  }
}

type Seen = readonly ['MODIFIED' | 'ADDED', number]

test.each<{ readonly what: string; readonly seen: readonly Seen[]; readonly aheadMs: number }>([
  { what: 'nothing is heard', seen: [], aheadMs: 0 },
  { what: 'a renewal is a little late', seen: [['MODIFIED', -3 * second]], aheadMs: 0 },
  { what: 'renewals come as if an hour ago', seen: [['MODIFIED', -3_600 * second]], aheadMs: -3_600 * second },
  {
    what: 'the freshest of them counts',
    seen: [
      ['MODIFIED', -3_700 * second],
      ['MODIFIED', -3_600 * second],
    ],
    aheadMs: -3_600 * second,
  },
  { what: 'what is listed may be old', seen: [['ADDED', -86_400 * second]], aheadMs: 0 },
  { what: 'what is listed is not in the future', seen: [['ADDED', 600 * second]], aheadMs: 600 * second },
  { what: 'it is no time', seen: [['MODIFIED', Number.NaN]], aheadMs: 0 },
])('$what', ({ seen, aheadMs }) => {
  const clock = new VirtualClock(startMs)
  const time = new ClusterTime(clock)
  for (const [type, atMs] of seen) {
    const object = Number.isNaN(atMs) ? { ...lease(startMs), spec: { renewTime: 'soon' } } : lease(startMs + atMs)
    time.heed({ type, object, initial: type === 'ADDED' })
  }
  expect(time.now()).toBe(startMs + aheadMs)
})
