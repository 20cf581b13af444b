import { expect, test } from 'vitest'
import type { GoalOutcome } from '#planning/plan-record.ts'
import type { RebalancePlan, RebalancePlanStatus, RebalancePolicy } from '../../api.ts'
import { readPolicy } from '../plan-policy.ts'
import { nowMs, plan } from '../testdata/objects.ts'
import { policyFigures } from './figures.ts'
import { isStuck, looksUntilStuck, missingNow, nearnessAfter, progressing } from './nearness.ts'

/** Words of a policy whose looks find so many points missing, one after the other. */
function after(...looks: readonly (number | 'Report')[]): string {
  let known: ReturnType<typeof nearnessAfter>
  for (const look of looks)
    known = nearnessAfter(known, look === 'Report' ? { mode: 'Report', missing: 9 } : { mode: 'Auto', missing: look })
  return known === undefined ? 'nothing' : `${known.looks} ${known.nearest} ${progressing(known).reason}`
}

// biome-ignore format: a table
test.each<[string, readonly (number | 'Report')[], string]>([
  ['goals that are met',                           [0, 0, 0, 0, 0, 0],     '0 0 GoalsMet'],
  ['the first look that finds one missed',         [0, 9],                 '0 9 Nearing'],
  ['nearer each time',                             [9, 8, 7, 6, 5, 4, 3],  '0 3 Nearing'],
  ['no nearer, not long enough',                   [9, 9, 9, 9],           '3 9 Nearing'],
  ['no nearer, long enough',                       [9, 9, 9, 9, 9],        '4 9 NoProgress'],
  ['by a hair is no nearer',                       [9, 8.95, 8.93, 8.92, 8.91], '4 8.91 NoProgress'],
  ['to and fro is no nearer',                      [9, 12, 9, 12, 9],      '4 9 NoProgress'],
  ['nearer at last',                               [9, 9, 9, 9, 9, 5],     '0 5 Nearing'],
  ['met at last',                                  [9, 9, 9, 9, 9, 0],     '0 0 GoalsMet'],
  ['a policy that goes by itself no more',         [9, 9, 9, 9, 9, 'Report'], 'nothing'],
  ['and then again',                               [9, 9, 9, 9, 'Report', 9], '0 9 Nearing'],
])('%s', (_name, looks, expected) => expect(after(...looks)).toBe(expected))

test('looks are counted up to a bound, and the condition says points and looks', () => {
  const many = nearnessAfter({ looks: 1_000, missing: 5, nearest: 4 }, { mode: 'Auto', missing: 5 })
  expect(many).toEqual({ looks: 1_000, missing: 5, nearest: 4 })
  expect([looksUntilStuck - 1, looksUntilStuck].map(looks => isStuck({ looks }))).toEqual([false, true])
  const { status, message } = progressing({ looks: 4, missing: 5, nearest: 4 })
  expect(`${status}: ${message}`).toBe(
    'False: goals are missed by 5.0 points; 4 plans in a row brought them no nearer than 4.0 points: the last plan says what stands in the way',
  )
})

test('what is missing is counted before anything is moved, and what was not measured is left out', () => {
  const goal = {
    goal: 'g',
    node: 'n',
    resource: 'cpu',
    stat: 'requests',
    hard: false,
    after: 0,
    state: 'met',
    shortBy: 0,
  } as const
  const goals: readonly GoalOutcome[] = [
    { ...goal, bound: 'max', wanted: 70, before: 80 },
    { ...goal, bound: 'max', wanted: 70, before: 60 },
    { ...goal, bound: 'min', wanted: 30, before: 25 },
    { ...goal, bound: 'max', wanted: 70, before: 99, state: 'unknown' },
  ]
  expect(missingNow({ goals })).toBe(15)
})

const policy = (status: RebalancePolicy['status'] = {}): RebalancePolicy => {
  const spec = { trigger: 'manual', energy: {}, limits: { perHour: 5, perDay: 9 } }
  const read = readPolicy({ apiVersion: 'ballast.dev/v1alpha1', kind: 'RebalancePolicy', metadata: { name: 'talos' }, spec })
  if (!read.ok) throw new Error('not read')
  return { ...read.policy, status }
}
const at = (minutes: number) => new Date(nowMs + minutes * 60_000).toISOString()
const ended = (status: Partial<RebalancePlanStatus>, spec: Partial<RebalancePlan['spec']> = {}): RebalancePlan => {
  const made = plan()
  const expected = { seconds: 600, beginsAt: at(0), endsAt: at(10), moves: [] }
  return { ...made, spec: { ...made.spec, ...spec }, status: { ...made.status, phase: 'Succeeded', expected, ...status } }
}

test('figures are those of the plans that are kept', () => {
  const plans = [
    ended({ startedAt: at(-90), finishedAt: at(-70), progressAt: at(-70), steps: [{ id: 'm01', state: 'Landed' }] }),
    ended({ startedAt: at(-20), finishedAt: at(-5), progressAt: at(-5), steps: [{ id: 'm01', state: 'Landed' }] }),
    ended({ phase: 'Expired', finishedAt: at(-1) }),
    ended({ startedAt: at(-9), finishedAt: at(-1) }, { policyRef: { name: 'another' } }),
    ended({ startedAt: at(-9), finishedAt: at(-1) }, { purpose: 'isolate' }),
  ]
  const figures = policyFigures(policy({ nearness: { looks: 4, missing: 1, nearest: 1 } }), plans, nowMs)
  expect({ ...figures, phases: [...figures.phases] }).toEqual({
    policy: 'talos',
    phases: [
      ['Succeeded', 2],
      ['Expired', 1],
    ],
    last: { foretold: 600, real: 900 },
    limits: [
      { limit: 'perHour', used: 1, most: 5 },
      { limit: 'perDay', used: 2, most: 9 },
    ],
    isStuck: true,
  })
  expect(policyFigures(policy(), [], nowMs)).toMatchObject({ last: undefined, isStuck: undefined })
})
