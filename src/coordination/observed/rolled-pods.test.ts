import { expect, test } from 'vitest'
import type { PodLoss } from './pod-losses.ts'
import { notRolled, type RolloutSpan } from './rolled-pods.ts'
import { noonMs, pod } from './testdata/plain-cluster.ts'

function lost(name: string, seconds: number, cause: PodLoss['cause'] = 'deleted'): PodLoss {
  const atMs = noonMs + seconds * 1000
  const under = { kind: 'StatefulSet', name: 'db' }
  return { pod: pod(name, { under }), cause, atMs, serverMs: atMs, by: 'somebody', evidence: '' }
}

const span: RolloutSpan = { beganMs: noonMs, untilMs: noonMs + 600_000 }

// biome-ignore format: a table
test.each<[string, readonly PodLoss[], readonly string[]]>([
  ['each ordinal once',                    [lost('db-1', 300), lost('db-2', 10), lost('db-0', 610)], []],
  ['a second time: somebody took it',      [lost('db-2', 400), lost('db-2', 10)],                    ['db-2 400']],
  ['before it began',                      [lost('db-2', -60)],                                      ['db-2 -60']],
  ['after its last pod stood',             [lost('db-2', 900)],                                      ['db-2 900']],
  ['what says who did it',                 [lost('db-2', 10, 'evicted')],                            ['db-2 10']],
])('%s', (_name, losses, expected) => {
  const left = notRolled(losses, new Map([['statefulset-db', span]]))
  expect(left.map(({ pod: one, atMs }) => `${one.metadata.name} ${(atMs - noonMs) / 1000}`)).toEqual(expected)
})
