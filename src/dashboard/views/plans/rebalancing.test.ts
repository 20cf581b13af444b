// Plans against what happened, how often landings were predicted, and whom the descheduler evicted. A row shows only what matters to it.

import { describe, expect, test } from 'vitest'
import type { PlanMove, PlanStep, RebalancePlan } from '#coordination/api.ts'
import { move as madeMove, plan as madePlan } from '#coordination/plans/testdata/objects.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { rebalancingView } from '../../contract.ts'
import { ago, bookWith, homelab, minute, permitObject, pictureOf, planWith } from '../testdata/homelab.ts'
import { everything, type Sees } from '../viewing.ts'
import { type RebalancingQuery, rebalancingViewOf, usualQuery } from './rebalancing.ts'

const all: Sees = { viewing: everything, plans: true, permits: true }

function seen(objects: readonly KubeObject[], query: Partial<RebalancingQuery> = {}, sees = all) {
  const view = rebalancingViewOf(pictureOf([...homelab(), ...objects]), { ...usualQuery, ...query }, sees)
  if (view === undefined) throw new Error('no such plan')
  expect(rebalancingView.parse(view)).toEqual(view)
  return view
}

const mi = 2 ** 20
const move = (id: string, change: Partial<PlanMove> = {}): PlanMove => {
  const made = madeMove({ id, from: 'talos00', to: 'talos03', acceptable: ['talos03'], ...change })
  return { ...made, certificate: { ...made.certificate, requests: { cpu: 300, memory: 384 * mi } } }
}
const share = (node: string, requested: number, allocatable: number) => ({
  node,
  resource: 'cpu' as const,
  percent: Math.trunc((requested * 100) / allocatable),
  requested: String(requested),
  allocatable: String(allocatable),
})
const before = [share('talos00', 7_425, 7_950), share('talos03', 655, 15_950)]

function planOf(
  moves: readonly PlanMove[],
  steps: readonly PlanStep[],
  status: Partial<NonNullable<RebalancePlan['status']>> = {},
  name = 'talos-1',
): RebalancePlan {
  const made = planWith(madePlan({ name, moves, steps }), { status: { before, after: before, ...status } })
  return { ...made, metadata: { ...made.metadata, uid: `uid-${name}`, creationTimestamp: ago(30 * minute) } }
}

const landed = (id: string, more: Partial<PlanStep> = {}): PlanStep => ({
  id,
  state: 'Landed',
  landedOn: 'talos03',
  seconds: 21,
  ...more,
})
const elsewhere = (id: string, landedOn: string, more: Partial<PlanStep> = {}): PlanStep => ({
  id,
  state: 'Mismatch',
  landedOn,
  seconds: 40,
  reason: 'LandingMismatch',
  message: `landed on ${landedOn}, meant were talos03`,
  ...more,
})

describe('a move against what happened', () => {
  // biome-ignore format: a table
  test.each<[string, PlanStep | undefined, Partial<NonNullable<RebalancePlan['status']>>, readonly unknown[]]>([
    ['landed where it was meant',       landed('m01'),                                                                  {},                      ['expected', 'talos03', 21_000, null]],
    ['landed on another node',          elsewhere('m01', 'talos01'),                                                    {},                      ['other', 'talos01', 40_000, 'LandingMismatch: landed on talos01, meant were talos03.']],
    ['was made while nobody held it',   elsewhere('m01', 'talos01', { reason: 'LandingNotHeld', message: '' }),         {},                      ['unheld', 'talos01', 40_000, 'LandingNotHeld.']],
    ['found no node',                   { id: 'm01', state: 'Failed', reason: 'ReplacementPending' },                   {},                      ['pending', null, null, 'ReplacementPending.']],
    ['failed',                          { id: 'm01', state: 'Failed', reason: 'Refused', message: 'by a webhook.' },     {},                      ['failed', null, null, 'Refused: by a webhook.']],
    ['was left out',                    { id: 'm01', state: 'Skipped', reason: 'PodGone', message: 'it is gone' },       {},                      ['skipped', null, null, 'PodGone: it is gone.']],
    ['waits',                           { id: 'm01', state: 'Waiting', reason: 'CoolDown', message: 'until 14:00' },     {},                      ['waiting', null, null, 'CoolDown: until 14:00.']],
    ['is under way',                    { id: 'm01', state: 'Landing' },                                                {},                      ['running', null, null, null]],
    ['is to come',                      undefined,                                                                      {},                      ['planned', null, null, null]],
    ['was never begun',                 undefined,                                                                      { phase: 'Failed' },     ['skipped', null, null, null]],
  ])('that %s', (_, step, status, wanted) => {
    const { plan } = seen([planOf([move('m01')], step === undefined ? [] : [step], status)])
    const [first] = plan?.moves ?? []
    expect([first?.result, first?.landedOn, first?.ms, first?.because?.text ?? null]).toEqual(wanted)
  })

  test('that came back is followed by quarantine and by another plan', () => {
    const failed = planOf([move('m01')], [elsewhere('m01', 'talos00')], { phase: 'Failed', finishedAt: ago(minute) })
    const next = planOf([], [], { phase: 'Proposed' }, 'talos-2')
    const { plan } = seen([failed, { ...next, spec: { ...next.spec, replaces: 'talos-1' } }])
    const [first] = plan?.moves ?? []
    expect(first?.result).toBe('back')
    expect(first?.because?.text).toMatch(
      /^LandingMismatch: landed on talos00, meant were talos03\. Left alone until 2025-12-19T13:32:20Z\. Planned anew as talos-2\.$/,
    )
    expect(first?.because?.links).toContainEqual({ text: 'talos-2', path: '/plan/talos-2' })
    expect(plan?.sentences.map(({ text }) => text)).toEqual([
      '1 move was planned: 0 landed where they were meant, 1 elsewhere.',
      'Planned anew as talos-2.',
    ])
  })

  test('has its permit, which says when; and none where permits may not be seen', () => {
    const plan = planOf([move('m01')], [landed('m01')])
    const permit = permitObject({ key: 'uid-talos-1/m01', grantedAgo: 5 * minute, releasedAgo: 4 * minute })
    expect(seen([plan, permit]).plan?.moves[0]).toMatchObject({
      at: ago(4 * minute),
      permit: 'monitoring/evict-mimir-querier-7',
    })
    const blind = seen([plan, permit], {}, { ...all, permits: false })
    expect(blind.plan?.moves[0]).toMatchObject({ at: null, permit: null, landedOn: 'talos03' })
    expect([blind.evictions, blind.utilisation.nodes.flatMap(({ marks }) => marks)]).toEqual([null, []])
  })
})

describe('a node against what was planned for it', () => {
  const two = [move('m01'), move('m02')]

  test('before, as planned, as moved, as measured at the end, and now', () => {
    const after = [share('talos00', 6_900, 7_950), share('talos03', 1_200, 15_950)]
    const steps = [landed('m01'), elsewhere('m02', 'talos01')]
    const done = planOf(two, steps, { phase: 'Succeeded', finishedAt: ago(minute), after })
    const { nodes = [] } = seen([done]).plan ?? {}
    expect(nodes.map(({ node, cpu }) => [node, cpu.before, cpu.planned, cpu.landed, cpu.measured])).toEqual([
      ['talos00', 933, 858, 858, 867],
      ['talos01', null, null, null, null],
      ['talos03', 41, 78, 59, 75],
    ])
    expect(nodes.map(({ cpu }) => cpu.now)).toEqual([933, 541, 41])
  })

  test('while it is open nothing was measured: what stands there is what was planned', () => {
    const { nodes = [] } = seen([planOf(two, [landed('m01')])]).plan ?? {}
    expect(nodes.map(({ node, cpu }) => [node, cpu.landed, cpu.measured])).toEqual([
      ['talos00', 896, null],
      ['talos03', 59, null],
    ])
  })
})

describe('how often landings are predicted', () => {
  const moves = (count: number) => Array.from({ length: count }, (_, index) => move(`m${index + 1}`))
  const many = (good: number, bad: readonly PlanStep[] = [], name = 'talos-1') =>
    planOf(
      moves(good + bad.length),
      [
        ...Array.from({ length: good }, (_, index) => landed(`m${index + 1}`)),
        ...bad.map((step, at) => ({ ...step, id: `m${good + at + 1}` })),
      ],
      {},
      name,
    )

  const held = (plan: RebalancePlan): RebalancePlan => ({ ...plan, spec: { ...plan.spec, landing: 'hold' } })

  // biome-ignore format: a table
  test.each<[string, readonly RebalancePlan[], readonly unknown[]]>([
    ['nothing moved',                    [planOf(moves(1), [])],                                                 [null, 0, true, 'No pod has been moved by a plan that is kept.']],
    ['all as meant',                     [many(15)],                                                             [1_000, 15, true, '15 of 15 landings were where the model of the scheduler said: 100.0%; at least 90% are needed to leave landings to it alone.']],
    ['one of many elsewhere',            [many(999, [elsewhere('x', 'talos01')])],                               [999, 1_000, true, expect.stringContaining('99.9%; at least')]],
    ['exactly nine of ten',              [many(9, [elsewhere('x', 'talos01')])],                                 [900, 10, true, expect.stringContaining('90.0%; at least')]],
    ['less than nine of ten',            [many(17, [elsewhere('x', 'talos01'), elsewhere('y', 'talos00')])],     [894, 19, false, '17 of 19 landings were where the model of the scheduler said: 89.4%, below 90%: nothing is left to the scheduler alone.']],
    ['too few to say',                   [many(1, [elsewhere('x', 'talos01')])],                                 [500, 2, true, '1 of 2 landings were where the model of the scheduler said: 50.0%; 10 are needed to judge it.']],
    ['one without a node',               [many(1, [{ id: 'x', state: 'Failed', reason: 'ReplacementPending' }])], [500, 2, true, expect.stringContaining('50.0%')]],
    ['not held counts for nobody',       [many(1, [elsewhere('x', 'talos01', { reason: 'LandingNotHeld' })])],   [1_000, 1, true, expect.stringContaining('100.0%')]],
    ['failed for other reasons neither', [many(1, [{ id: 'x', state: 'Failed', reason: 'Refused' }])],           [1_000, 1, true, expect.stringContaining('100.0%')]],
    ['held leaves no choice',            [held(many(5))],                                                        [null, 0, true, 'Every landing was held: the scheduler had no choice, and its model is not judged.']],
    ['over several plans',               [many(1), many(0, [elsewhere('x', 'talos01')], 'talos-2')],             [500, 2, true, expect.stringContaining('1 of 2')]],
  ])('%s', (_, plans, wanted) => {
    const { landings } = seen(plans)
    expect([landings?.rate, landings?.foretold, landings?.isTrusted, landings?.sentence.text]).toEqual(wanted)
  })

  test('without plans it says so; of whom may not see them nothing is said', () => {
    expect(seen([]).sentences.map(({ code }) => code)).toEqual(['no-plans-yet'])
    const blind = seen([many(3)], {}, { ...all, plans: false })
    expect([blind.landings, blind.plans, blind.planCount, blind.plan, blind.sentences]).toEqual([null, null, null, null, []])
  })
})

describe('which plan is compared', () => {
  const old = planOf([move('m01')], [landed('m01')], { phase: 'Succeeded' })
  const waiting = { ...planOf([move('m01')], [], { phase: 'Proposed' }, 'talos-2') }
  const newer = { ...waiting, metadata: { ...waiting.metadata, creationTimestamp: ago(minute) } }

  test.each([
    ['the newest that has begun', {}, 'talos-1'],
    ['the one that is asked for', { plan: 'talos-2' }, 'talos-2'],
  ])('%s', (_, query, name) => expect(seen([old, newer], query).plan?.outcome.name).toBe(name))

  test('none that is not there', () =>
    expect(rebalancingViewOf(pictureOf(homelab(), { book: bookWith({}) }), { ...usualQuery, plan: 'x' }, all)).toBeUndefined())
})

describe('evictions of the descheduler', () => {
  const event = (name: string, change: Readonly<Record<string, unknown>> = {}): KubeObject => ({
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `e-${name}`, namespace: 'media', uid: `e-${name}` },
    eventTime: ago(minute),
    reason: 'LowNodeUtilization',
    note: 'pod eviction from talos00 node by sigs.k8s.io/descheduler',
    reportingController: 'sigs.k8s.io.descheduler',
    regarding: { kind: 'Pod', namespace: 'media', name, uid: `uid-${name}` },
    ...change,
  })
  const row = (objects: readonly KubeObject[]) => {
    const { evictions } = seen(objects)
    const [first] = evictions?.rows ?? []
    return [first?.strategy, first?.node, first?.result, first?.because]
  }

  // biome-ignore format: a table
  test.each<[string, Readonly<Record<string, unknown>>, readonly unknown[]]>([
    ['whose reason is the strategy',    {},                                                                       ['LowNodeUtilization', 'talos00', 'evicted', '']],
    ['whose reason is a sentence',      { reason: 'container exceeded its restarts' },                            ['not named', 'talos00', 'evicted', 'container exceeded its restarts']],
    ['without a reason',                { reason: 'NotSet' },                                                     ['not named', 'talos00', 'evicted', '']],
    ['that was refused',                { reason: 'EvictionFailed', note: 'pod eviction from talos00 node by sigs.k8s.io/descheduler failed: budget' }, ['not named', 'talos00', 'refused', 'pod eviction from talos00 node by sigs.k8s.io/descheduler failed: budget']],
    ['in the old form',                 { regarding: undefined, note: undefined, reportingController: undefined, eventTime: undefined, involvedObject: { kind: 'Pod', namespace: 'media', name: 'p', uid: 'u' }, message: 'pod eviction from talos01 node by sigs.k8s.io/descheduler', reportingComponent: 'sigs.k8s.io.descheduler', firstTimestamp: ago(minute) }, ['LowNodeUtilization', 'talos01', 'evicted', '']],
    ['with a note of another shape',    { note: 'gone' },                                                         ['LowNodeUtilization', null, 'evicted', '']],
    ['of hostile text',                 { reason: '<b>\u202e evil', note: '' },                                   ['not named', null, 'evicted', '<b>⟨202E⟩ evil']],
  ])('an Event %s', (_, change, wanted) => expect(row([event('p', change)])).toEqual(wanted))

  test.each([
    ['of somebody else', { reportingController: 'kubelet' }],
    ['about a node', { regarding: { kind: 'Node', name: 'talos00', uid: 'n' } }],
  ])('an Event %s is none', (_, change) => expect(seen([event('p', change)]).evictions).toMatchObject({ total: 0, rows: [] }))

  const permit = (pod: string, change: object = {}) => {
    const made = permitObject({
      name: `evict-${pod}`,
      workload: 'media/Deployment/sonarr',
      pod,
      reasons: [{ code: 'LowNodeUtilization', message: 'default/LowNodeUtilization: node is overutilized' }],
      status: { decision: 'Granted', releasedAt: ago(minute), ending: 'done', reason: 'evicted' },
      ...change,
    })
    const { relocation: _, ...spec } = made['spec'] as Readonly<Record<string, unknown>>
    return { ...made, spec }
  }

  test('a permit without an Event tells the same, with the strategy in its reason', () =>
    expect(row([permit('p')])).toEqual(['LowNodeUtilization', 'talos00', 'evicted', 'node is overutilized']))

  test('what Event and permit both tell is one', () => {
    const { evictions } = seen([
      permit('p'),
      event('p', { regarding: { kind: 'Pod', namespace: 'media', name: 'p', uid: 'pod-gone' } }),
    ])
    expect(evictions?.rows).toHaveLength(1)
    expect(evictions?.rows[0]).toMatchObject({ permit: 'media/evict-p', strategy: 'LowNodeUtilization' })
  })

  test('refusals of one pod in several cycles are counted, also where its Events were told together', () => {
    const refused = (name: string) =>
      permit('p', {
        name,
        status: { decision: 'Granted', releasedAt: ago(minute), ending: 'failed', reason: 'a budget says no' },
      })
    const both = [refused('evict-1'), refused('evict-2')]
    const regarding = { kind: 'Pod', namespace: 'media', name: 'p', uid: 'pod-gone' }
    const told = event('p', { reason: 'EvictionFailed', regarding, series: { count: 2, lastObservedTime: ago(1_000) } })
    for (const objects of [both, [...both, told]])
      expect(seen(objects).evictions?.byStrategy).toEqual([{ name: 'LowNodeUtilization', evicted: 0, refused: 2 }])
  })

  test('moves of plans are none of them', () => expect(seen([permitObject()]).evictions?.total).toBe(0))

  test('are summed by strategy and by node', () => {
    const { evictions } = seen([
      event('a'),
      event('b', { reason: 'RemoveDuplicates', note: 'pod eviction from talos01 node by sigs.k8s.io/descheduler' }),
      event('c'),
      event('d', { reason: 'EvictionFailed', series: { count: 3, lastObservedTime: ago(1_000) } }),
    ])
    expect(evictions?.sentence.text).toBe(
      '3 pods were evicted by the strategies of the descheduler and 3 attempts were refused, as far as Events and permits are kept.',
    )
    expect(evictions?.byStrategy).toEqual([
      { name: 'LowNodeUtilization', evicted: 2, refused: 0 },
      { name: 'RemoveDuplicates', evicted: 1, refused: 0 },
      { name: 'not named', evicted: 0, refused: 3 },
    ])
    expect(evictions?.byNode).toEqual([
      { name: 'talos00', evicted: 2, refused: 3 },
      { name: 'talos01', evicted: 1, refused: 0 },
    ])
  })

  test('of a namespace that may not be seen are counted and not named', () => {
    const viewing = { ...everything, sees: (namespace: string | undefined) => namespace !== 'media' }
    const { evictions, utilisation } = seen([event('secret-name', { reason: 'because of secret-name' })], {}, { ...all, viewing })
    expect(evictions?.rows).toMatchObject([{ pod: null, because: '', node: 'talos00' }])
    expect(JSON.stringify([evictions, utilisation])).not.toContain('secret-name')
    expect(utilisation.nodes[0]?.marks).toMatchObject([{ way: 'left', pod: null }])
  })
})
