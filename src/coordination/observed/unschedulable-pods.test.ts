import { expect, test } from 'vitest'
import { at, noonMs, pod } from './testdata/plain-cluster.ts'
import { UnschedulablePods } from './unschedulable-pods.ts'

const waiting = (seconds: number) =>
  pod('big', {
    node: '',
    phase: 'Pending',
    conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', lastTransitionTime: at(seconds) }],
  })

// biome-ignore format: a table
test.each<[string, number, boolean, number]>([
  ['as the server says',                            -20,    false, -20],
  ['just now, where our clock is an hour ahead',    -3_600, false, 0],
  ['just now, where it is an hour behind',          3_600,  false, 0],
  ['long ago, where it was there before we looked', -3_600, true,  -3_600],
  ['… and never in our future',                     3_600,  true,  0],
])('a pod waits since: %s', (_name, serverSeconds, initial, expected) => {
  const pods = new UnschedulablePods()
  pods.see(waiting(serverSeconds), { isGone: false, initial, nowMs: noonMs })
  // What is told again waits no shorter.
  pods.see(waiting(serverSeconds), { isGone: false, initial: false, nowMs: noonMs + 600_000 })
  expect(pods.all().map(({ sinceMs }) => (sinceMs - noonMs) / 1000)).toEqual([expected])
  pods.see(waiting(serverSeconds), { isGone: true, initial: false, nowMs: noonMs })
  expect(pods.all()).toEqual([])
})
