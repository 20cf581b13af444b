import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { problemSentence } from '#kube/problem.ts'
import { namespace, node, workload } from '#planning/testdata/objects.ts'
import type { PlanStep, RebalancePlan, RebalancePolicySpec } from '../../api.ts'
import { readPolicy } from '../plan-policy.ts'
import { move, nowMs, plan } from '../testdata/objects.ts'
import { autoProblems } from './auto-problems.ts'
import { canaryOf, canarySize, stageOf } from './canary.ts'
import { queriedReading, readingWords, readyNow, readyReading, type Signal, worstOf } from './signals.ts'

type Auto = NonNullable<RebalancePolicySpec['auto']>
type Trial = NonNullable<NonNullable<RebalancePlan['status']>['trial']>

// biome-ignore format: a table
test.each([[1, 10, 1], [9, 10, 1], [10, 10, 1], [11, 10, 2], [3, 100, 3], [200, 1, 2]])('of %i moves %i percent are %i', (moves, share, expected) => {
  expect(canarySize(moves, share)).toBe(expected)
})

const signal: Signal = { name: 'errors', kind: 'prometheus', serverAddress: 'http://p', query: 'up', max: 1 }
const auto: Auto = { canary: { share: 50, waitSeconds: 300 }, signals: [signal], onSignal: 'stop', rollBack: false }
const onlySignals: Auto = { signals: [signal], onSignal: 'stop', rollBack: false }
const at = (seconds: number) => new Date(nowMs + seconds * 1000).toISOString()

function planOf(states: readonly (PlanStep['state'] | undefined)[], trial: Trial): RebalancePlan {
  const moves = states.map((_, index) => move({ id: `m${index}`, wave: index + 1 }))
  const steps = states.flatMap((state, index) => (state === undefined ? [] : [{ id: `m${index}`, state }]))
  const made = plan({ moves, steps })
  return { ...made, status: { ...made.status, trial } }
}

// biome-ignore format: a table
test.each<[string, Auto | undefined, readonly (PlanStep['state'] | undefined)[], Trial, object]>([
  ['a policy without it',               undefined,   [undefined, undefined],                        {},                                        { kind: 'free' }],
  ['before the first move',             auto,        [undefined, undefined],                        {},                                        { kind: 'judge', moment: 'begin' }],
  ['the canary may go',                 auto,        [undefined, undefined],                        { begunAt: at(-9) },                       { kind: 'free' }],
  ['its move is under way',             auto,        ['Landing', undefined],                        { begunAt: at(-9) },                       { kind: 'free' }],
  ['it is over',                        auto,        ['Landed', undefined],                         { begunAt: at(-9) },                       { kind: 'canary-done' }],
  ['one that was left out is no canary', auto,       ['Skipped', undefined, undefined, undefined],  { begunAt: at(-9) },                       { kind: 'free' }],
  ['the rest waits',                    auto,        ['Landed', undefined],                         { canaryDoneAt: at(-299) },                { kind: 'waits', untilMs: nowMs + 1000, moves: 1 }],
  ['and is judged',                     auto,        ['Landed', undefined],                         { canaryDoneAt: at(-300) },                { kind: 'judge', moment: 'canary' }],
  ['after it each wave is judged',      auto,        ['Landed', undefined],                         { canaryPassedAt: at(-1) },                { kind: 'judge', moment: 'wave' }],
  ['signals without a canary',          onlySignals, ['Landed', undefined],                         { begunAt: at(-9) },                       { kind: 'judge', moment: 'wave' }],
  ['a canary without signals',          { ...auto, signals: [] }, ['Landed', undefined],            { canaryPassedAt: at(-1) },                { kind: 'free' }],
  ['none of its moves landed',          auto,        ['Skipped', 'Skipped'],                        { begunAt: at(-9) },                       { kind: 'free' }],
  ['its last look is over',             auto,        ['Landed', 'Skipped'],                         { endedAt: at(-9) },                       { kind: 'free' }],
  ['there is nothing to look at',       { ...auto, signals: [] }, ['Landed', 'Skipped'],            {},                                        { kind: 'free' }],
])('%s', (_name, given, states, trial, expected) => expect(stageOf(planOf(states, trial), given, nowMs)).toEqual(expected))

test('the canary is the first moves; none where that is the whole plan', () => {
  expect([...(canaryOf(planOf([undefined, undefined, undefined], {}), auto) ?? [])]).toEqual(['m0', 'm1'])
  expect([...(canaryOf(planOf(['Skipped', undefined, undefined, undefined], {}), auto) ?? [])]).toEqual(['m1', 'm2'])
  expect(canaryOf(planOf([undefined], {}), auto)).toBeUndefined()
})

const vector = (...values: readonly string[]) => ({
  status: 'success',
  data: { resultType: 'vector', result: values.map(value => ({ metric: {}, value: [1, value] })) },
})

// biome-ignore format: a table
test.each<[string, Partial<Signal>, unknown, string]>([
  ['below its max',                {},                 vector('0.5'),                                                          'green 0.5'],
  ['at its max',                   {},                 vector('1'),                                                            'green 1'],
  ['above it',                     {},                 vector('0', '1.5'),                                                     'red 1.5 is above 1'],
  ['below its min',                { min: 0.5 },       vector('0', '0.7'),                                                     'red 0 is below 0.5'],
  ['infinite',                     {},                 vector('+Inf'),                                                         'red Infinity is above 1'],
  ['a scalar',                     {},                 { status: 'success', data: { resultType: 'scalar', result: [1, '0'] } }, 'green 0'],
  ['no series: unknown, not 0',    {},                 vector(),                                                               'unknown the query has no series'],
  ['no number: unknown, not 0',    {},                 vector('0', 'NaN'),                                                     'unknown a series has no number'],
  ['an empty text',                {},                 vector(''),                                                             'unknown a series has no number'],
  ['an error of Prometheus',       {},                 { status: 'error', error: 'parse error' },                              'unknown Prometheus says: parse error'],
  ['a range',                      {},                 { status: 'success', data: { resultType: 'matrix', result: [] } },      'unknown the query gives a matrix, not a vector or a scalar'],
  ['another page',                 {},                 'hello',                                                                'unknown the answer is none of Prometheus'],
])('a series %s', (_name, change, body, expected) => {
  const { state, message } = queriedReading({ ...signal, ...change }, body)
  expect(`${state} ${message}`).toBe(expected)
})

test('red goes before unknown, and both are told', () => {
  const readings = [
    { name: 'a', state: 'unknown', message: 'no series' } as const,
    { name: 'b', state: 'red', message: '2 is above 1' } as const,
    { name: 'c', state: 'green', message: '0' } as const,
  ]
  expect(worstOf(readings)).toBe('red')
  expect(worstOf([])).toBe('green')
  expect(readingWords(readings)).toBe('signal b is red: 2 is above 1; signal a is unknown: no series')
})

const shop = (replicas: number, unready: number) => {
  const objects = [namespace('shop'), node('n1'), ...workload('shop/a', { on: Array.from({ length: replicas }, () => 'n1') })]
  let left = unready
  return buildClusterState(
    objects.map(object =>
      object.kind === 'Pod' && left-- > 0
        ? { ...object, status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] } }
        : object,
    ),
  ).state
}
const ready: Signal = { name: 'front', kind: 'ready', workloads: ['shop/Deployment/a'] }

// biome-ignore format: a table
test.each<[string, Signal, number, number, string]>([
  ['as many as before',            ready,                                                0, 3, 'green 1 workloads are as ready as before'],
  ['one is not ready any more',    ready,                                                1, 3, 'red shop/Deployment/a has 2 ready pods, 3 when the plan began'],
  ['scaled down meanwhile',        ready,                                                0, 2, 'green 1 workloads are as ready as before'],
  ['scaled down and one not ready', ready,                                               1, 2, 'red shop/Deployment/a has 1 ready pods, 3 when the plan began'],
  ['nothing is watched',           { name: 'front', kind: 'ready', selector: { matchLabels: { app: 'none' } } }, 0, 3, 'unknown there is no workload that it watches'],
])('readiness: %s', (_name, given, unready, replicas, expected) => {
  const before = readyNow(given, shop(3, 0))
  const { state, message } = readyReading(given, before, shop(replicas, unready))
  expect(`${state} ${message}`).toBe(expected)
})

// biome-ignore format: a table
test.each<[number, object]>([
  [0,   { kind: 'settles', untilMs: nowMs + 60_000 }],
  [59,  { kind: 'settles', untilMs: nowMs + 1_000 }],
  [60,  { kind: 'judge', moment: 'end', isFinal: false }],
  [299, { kind: 'judge', moment: 'end', isFinal: false }],
  [300, { kind: 'judge', moment: 'end', isFinal: true }],
])('%i s after the last move', (seconds, expected) => {
  const made = planOf(['Landed', 'Skipped'], { begunAt: at(-900) })
  expect(stageOf({ ...made, status: { ...made.status, progressAt: at(-seconds) } }, auto, nowMs)).toEqual(expected)
})

const asked = (...signals: readonly object[]) => {
  const object = {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: 'mine' },
    spec: { trigger: 'manual', energy: {}, auto: { signals } },
  }
  const read = readPolicy(object)
  return read.ok ? autoProblems(read.policy).map(problemSentence) : read.problems.map(problemSentence)
}
const front = { name: 'front', kind: 'ready', selector: { matchLabels: { tier: 'front' } } }
const inNothing = { matchExpressions: [{ key: 'tier', operator: 'In', values: [] }] }

test('signals of one name, and selectors that do not parse, are refused with their place', () => {
  expect(asked(front, { ...front, name: 'back' })).toEqual([])
  expect(asked(front, front)).toEqual([expect.stringMatching(/auto\.signals\[1\]\.name: .*front.*no other signal/)])
  expect(asked({ ...front, selector: inNothing })).toEqual([expect.stringMatching(/auto\.signals\[0\]\.selector/)])
  expect(asked({ ...front, selector: { matchLabels: { 'not a key': 'x' } } })[0]).toMatch(/not a key/)
})
