// Rows of days from the plans that ended on them, and what became of plans that nobody began.
import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { namespace, node, workload } from '#planning/testdata/objects.ts'
import type { PlanStep, RebalancePlan, RebalancePlanStatus } from '../../api.ts'
import { move, plan } from '../testdata/objects.ts'
import { type DayRow, rowOf, rowsAfter } from './day-rows.ts'
import { isUnjudged, shadowOf } from './shadow.ts'

const noonMs = Date.parse('2026-03-02T12:00:00Z')
const at = (hours: number) => new Date(noonMs + hours * 3_600_000).toISOString()
const ids = ['m0', 'm1', 'm2', 'm3']
const moves = ids.map(id => move({ id }))
const letters = { l: 'Landed', e: 'Mismatch', s: 'Skipped', f: 'Failed', a: 'Acting' } as const

function ended(states: string, endHours: number, status: Partial<RebalancePlanStatus> = {}): RebalancePlan {
  const steps = [...states].flatMap((letter, index): PlanStep[] => {
    const state = letters[letter as keyof typeof letters]
    return state === undefined ? [] : [{ id: ids[index] ?? '', state }]
  })
  const expected = { seconds: 600, beginsAt: at(0), endsAt: at(0), moves: [] }
  const begun = states === '' ? {} : { startedAt: at(endHours - 0.5), steps }
  return { ...plan({ moves }), status: { phase: 'Succeeded', finishedAt: at(endHours), expected, ...begun, ...status } }
}

const shown = (row: DayRow | undefined) =>
  row === undefined
    ? 'none'
    : `${row.day}: ${row.plans} plans, ${row.begun} begun, ${row.goalsMet} met; ${row.moves} moves: ${row.landed} ${row.elsewhere} ${row.left}; ${row.expectedSeconds} ${row.realSeconds}; ${row.proposed} ${row.asForetold} ${row.otherwise}`
const met = { conditions: [{ type: 'GoalsMet', status: 'True' as const }] }

// biome-ignore format: a table
test.each<[string, readonly RebalancePlan[], string]>([
  ['all landed, goals met',             [ended('llll', 0, met)],                             'd: 1 plans, 1 begun, 1 met; 4 moves: 4 0 0; 600 1800; 0 0 0'],
  ['one elsewhere, one left out, one never begun', [ended('les-', 0, { phase: 'Incomplete' })], 'd: 1 plans, 1 begun, 0 met; 4 moves: 1 1 2; 600 1800; 0 0 0'],
  ['what another plan took over is its', [ended('le--', 0, { phase: 'Expired' })],           'd: 1 plans, 1 begun, 0 met; 2 moves: 1 1 0; 600 1800; 0 0 0'],
  ['two of a day',                      [ended('llll', 0), ended('lllf', 1)],                'd: 2 plans, 2 begun, 0 met; 8 moves: 7 0 1; 1200 3600; 0 0 0'],
  ['one that was never begun',          [ended('', 0, { phase: 'Expired', shadow: { moves: 4, asForetold: 2, elsewhere: 1 } })], 'd: 1 plans, 0 begun, 0 met; 0 moves: 0 0 0; 0 0; 4 2 1'],
])('%s', (_name, plans, expected) => expect(shown(rowOf('d', plans))).toBe(expected))

test('today and yesterday are made anew, older days stay, and a month is kept', () => {
  const rows = rowsAfter(undefined, [ended('llll', 0), ended('llll', -13), ended('llll', -37)], noonMs)
  expect(rows.map(({ day, plans }) => `${day} ${plans}`)).toEqual(['2026-03-01 1', '2026-03-02 1'])
  expect(rowsAfter(rows, [ended('llll', 0), ended('llll', -13)], noonMs)).toBe(rows)
  const later = rowsAfter(rows, [ended('llll', 20), ended('llll', 0), ended('llll', 1)], noonMs + 86_400_000)
  expect(later.map(({ day, plans }) => `${day} ${plans}`)).toEqual(['2026-03-01 1', '2026-03-02 2', '2026-03-03 1'])
  expect(rowsAfter(rows, [], noonMs)).toBe(rows)
  let month = rowsAfter(undefined, [], noonMs)
  for (let day = 0; day < 40; day++) month = rowsAfter(month, [ended('l---', day * 24)], noonMs + day * 86_400_000)
  expect([month.length, month[0]?.day, month.at(-1)?.day]).toEqual([31, '2026-03-11', '2026-04-10'])
})

test('plans that are not over, and those without a time, have no row', () => {
  const none = { ...ended('l---', 0), status: { phase: 'Succeeded' as const } }
  expect(rowsAfter(undefined, [ended('l---', 0, { phase: 'Running' }), none], noonMs)).toEqual([])
})

const made = '2026-03-02T04:00:00Z'
const proposal = (targets: readonly string[], status: Partial<RebalancePlanStatus> = {}): RebalancePlan => {
  const named = targets.map((to, index) =>
    move({ id: `m${index}`, to, acceptable: [to], pod: { namespace: 'shop', name: `old-${index}`, uid: `old-${index}` } }),
  )
  const made1 = plan({ moves: named })
  return { ...made1, metadata: { ...made1.metadata, creationTimestamp: made }, status: { phase: 'Expired', ...status } }
}
/** Pods of the workload: `old-N` are those of the plan, others were made after it. */
const stateWith = (pods: readonly string[]) => {
  const objects = [
    namespace('shop'),
    node('n1'),
    node('n2'),
    node('n3'),
    ...workload('shop/cart', { on: pods.map(pod => pod.slice(-2)) }),
  ]
  let index = 0
  const renamed = objects.map(object => {
    if (object.kind !== 'Pod') return object
    const name = pods[index++]?.split('@')[0] ?? ''
    const creationTimestamp = name.startsWith('old') ? '2026-03-01T00:00:00Z' : '2026-03-02T05:00:00Z'
    return { ...object, metadata: { ...object.metadata, name, uid: name, creationTimestamp } }
  })
  return buildClusterState(renamed).state
}

// biome-ignore format: a table
test.each<[string, readonly string[], readonly string[], string]>([
  ['nobody moved anything',                 ['n2', 'n3'], ['old-0@n1', 'old-1@n1'],          '2 0 0'],
  ['one was moved to where it was to go',   ['n2', 'n3'], ['new-a@n2', 'old-1@n1'],          '2 1 0'],
  ['one was moved to another node',         ['n2', 'n2'], ['new-a@n3', 'old-1@n1'],          '2 0 1'],
  ['two, one of them as foretold',          ['n2', 'n2'], ['new-a@n2', 'new-b@n3'],          '2 1 1'],
  ['one new pod stands for one of the two', ['n2', 'n2'], ['new-a@n2', 'new-b@n2'],          '2 2 0'],
  ['one is gone for good',                  ['n2', 'n3'], ['new-a@n3'],                      '2 1 0'],
  ['more new ones than the plan misses',    ['n2', 'n3'], ['new-a@n2', 'new-b@n3', 'new-c@n2'], '2 0 0'],
])('a plan that nobody began: %s', (_name, targets, pods, expected) => {
  const { moves: count, asForetold, elsewhere } = shadowOf(proposal(targets), stateWith(pods))
  expect(`${count} ${asForetold} ${elsewhere}`).toBe(expected)
})

// biome-ignore format: a table
test.each<[string, RebalancePlan, boolean]>([
  ['one that was replaced',       proposal(['n2']),                                                       true],
  ['one that waits',              proposal(['n2'], { phase: 'Proposed' }),                                false],
  ['one that was begun',          proposal(['n2'], { startedAt: made }),                                  false],
  ['one without moves',           proposal([]),                                                           false],
  ['one that was judged already', proposal(['n2'], { shadow: { moves: 1, asForetold: 0, elsewhere: 0 } }), false],
])('%s is to be judged', (_name, given, expected) => expect(isUnjudged(given)).toBe(expected))
