import { expect, test } from 'vitest'
import { inPhase, isApproved, standingMoves, withCondition, withStep } from './plan-progress.ts'
import { nowMs, plan } from './testdata/objects.ts'

test('a step takes the place of the one of its id, and counts as progress', () => {
  const before = withStep({ steps: [{ id: 'm02', state: 'Landed' }] }, { id: 'm01', state: 'Acting' }, nowMs)
  const after = withStep(before, { id: 'm01', state: 'Landed', landedOn: 'n2' }, nowMs + 1_000)
  expect(after.steps?.map(step => `${step.id} ${step.state}`)).toEqual(['m01 Landed', 'm02 Landed'])
  expect(after.progressAt).toBe('2026-03-02T04:00:01Z')
})

test('the start is noted once, however often a plan pauses; the end when it ends', () => {
  const running = inPhase({}, 'Running', { message: 'running', nowMs })
  const again = inPhase(inPhase(running, 'Paused', { message: 'frozen', nowMs: nowMs + 1_000 }), 'Running', {
    message: 'running',
    nowMs: nowMs + 2_000,
  })
  expect(again.startedAt).toBe('2026-03-02T04:00:00Z')
  expect(again.finishedAt).toBeUndefined()
  expect(inPhase(again, 'Failed', { message: 'no', nowMs: nowMs + 3_000 }).finishedAt).toBe('2026-03-02T04:00:03Z')
})

// biome-ignore format: a table
test.each<[string, Partial<ReturnType<typeof plan>['spec']>, boolean]>([
  ['not approved',                         { approved: false },                                 false],
  ['approved',                             { approved: true },                                  true],
  ['approved by the hash that was shown',  { approved: true, approvedHash: 'sha256:0' },        true],
  ['approved by the hash of another plan', { approved: true, approvedHash: 'sha256:1' },        false],
  ['the hash alone',                       { approved: false, approvedHash: 'sha256:0' },       false],
])('a plan that is %s', (_name, spec, expected) => {
  const given = plan()
  expect(isApproved({ ...given, spec: { ...given.spec, ...spec } })).toBe(expected)
})

test('a condition keeps its time of transition while its status stays', () => {
  const first = withCondition(undefined, { type: 'GoalsMet', status: 'False', message: 'a' }, nowMs)
  const same = withCondition(first, { type: 'GoalsMet', status: 'False', message: 'b' }, nowMs + 1_000)
  const turned = withCondition(same, { type: 'GoalsMet', status: 'True', message: 'c' }, nowMs + 2_000)
  expect(same[0]).toMatchObject({ message: 'b', lastTransitionTime: '2026-03-02T04:00:00Z' })
  expect(turned[0]?.lastTransitionTime).toBe('2026-03-02T04:00:02Z')
})

test('a move that takes a pod on from a stop is about the replacement that landed there, once it is known', () => {
  const made = plan()
  const [first] = made.spec.moves
  if (first === undefined) throw new Error('the plan has a move')
  const second = { ...first, id: 'm02', wave: 2, from: first.to, to: first.from, follows: first.id }
  const given = { ...made, spec: { ...made.spec, moves: [first, second] } }
  const replacement = { name: 'another', uid: 'uid-another' }
  const landed = { ...given, status: { steps: [{ id: first.id, state: 'Landed' as const, replacement }] } }
  expect(standingMoves(given).map(({ pod }) => pod.uid)).toEqual([first.pod.uid, first.pod.uid])
  expect(standingMoves(landed).map(({ pod }) => pod)).toEqual([first.pod, { ...first.pod, ...replacement }])
})
