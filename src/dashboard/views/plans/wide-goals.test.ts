// Goals over several nodes in the overview, on the page of a plan, and in the verdict.
import { afterAll, describe, expect, test } from 'vitest'
import { solveInChild } from '#planning/solving/solve.ts'
import { pageHtml } from '../../page/page.ts'
import { overviewOf } from '../overview.ts'
import { homelab, nowMs, pictureOf, plannedFor, planWith } from '../testdata/homelab.ts'
import { everything } from '../viewing.ts'
import { planViewOf } from './plan.ts'

const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())

const goals = [
  { name: 'even', resource: 'cpu', spread: { max: 60 } },
  { name: 'roomy', per: 'together', resource: 'memory', max: 99 },
  { name: 'cheap', cost: { atMost: 3 } },
  { name: 'one-may-fail', survives: 'node' },
]
const policy = { goals, prices: [{ perHour: 1 }] }

describe('goals over several nodes', () => {
  const overview = overviewOf(pictureOf(homelab(policy)), everything)

  test('have a row of words each', () => {
    expect(overview.wideGoals.map(({ name, state, because }) => [name, state, because.text])).toEqual([
      ['even', 'unmet', 'all nodes cpu requests at most 60 points apart: 89.3 points'],
      ['roomy', 'met', expect.stringMatching(/^all nodes together memory requests below 99 %: [\d.]+ %$/)],
      ['cheap', 'unmet', 'all nodes cost at most 3 an hour together: 4 an hour'],
      ['one-may-fail', 'unknown', 'whether a loss is survived is played when a plan is made'],
    ])
  })

  test('one that is missed is the verdict, and not that all goals are met', () => {
    const [first] = overview.verdict.sentences
    expect([overview.verdict.level, first?.text]).toEqual([
      'attention',
      'even is missed: all nodes cpu requests at most 60 points apart: 89.3 points; 1 goal more.',
    ])
  })

  test('are on the page without its script', () => {
    const picture = pictureOf(homelab(policy))
    const bundle = { state: 'ready', problem: undefined, entry: () => ({ script: '/m.js', styles: [], preload: [] }) } as const
    const options = { path: '/', basePath: '/', notice: undefined, sessionForm: false, displayZone: 'Europe/Berlin' }
    const page = pageHtml({ ...options, picture, overview, bundle })
    expect(page).toContain('all nodes cost at most 3 an hour together: 4 an hour')
  })

  test('with a plan at hand say what that brings', async () => {
    const plan = await plannedFor(homelab(policy), session.solve)
    expect(plan.spec.moves.length).toBeGreaterThan(0)
    const picture = pictureOf([...homelab(policy), planWith(plan, {})])
    const after = (plan.status?.goals ?? []).map(({ name, outcome }) => [name, outcome === 'met' ? 'met' : 'unmet'])
    expect(overviewOf(picture, everything).wideGoals.map(goal => [goal.name, goal.after])).toEqual(after)
    const view = planViewOf(picture, plan.metadata.name, everything)
    expect(view?.wideGoals.map(goal => [goal.name, goal.after])).toEqual(after)
    expect(view?.wideGoals[3]?.because.text).toMatch(/^when the last plan was made: the loss of any one node/)
  })

  test('of an earlier moment are not known', () => {
    const picture = pictureOf(homelab(policy), { past: { atMs: nowMs - 60_000 } as never })
    expect(overviewOf(picture, everything).wideGoals.map(({ state }) => state)).toEqual(goals.map(() => 'unknown'))
  })

  test('a plan says where its search ended and what is left', async () => {
    const plan = await plannedFor(homelab(policy), session.solve)
    const status = {
      ...plan.status,
      limits: [{ limit: 'pairs' as const }, { limit: 'orders' as const }],
      shortfall: { left: 12.5, atLeast: 3 },
    }
    const view = planViewOf(pictureOf([...homelab(policy), planWith(plan, { status })]), plan.metadata.name, everything)
    expect(view?.head.sentences.map(({ text }) => text)).toEqual(
      expect.arrayContaining([
        'The search ended at a bound on the pairs of pods and nodes and the orders of moves: there may be a better plan.',
        'Its goals together are missed by 12.5 points; no plan within its limits comes closer than 3.',
      ]),
    )
  })
})
