// Plans as pages show them: the cases D3, D12, D13, D29 and D35 of the specification as far as plans go, and its rows on odd plans.
import { afterAll, describe, expect, test } from 'vitest'
import type { RebalancePlan } from '#coordination/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import type { Picture } from '../../picture.ts'
import { flowText } from '../../words/en-plan.ts'
import {
  ago,
  bookWith,
  homelab,
  hour,
  minute,
  nowMs,
  permitObject,
  pictureOf,
  plannedFor,
  planWith,
  policyObject,
  second,
} from '../testdata/homelab.ts'
import { everything } from '../viewing.ts'
import { certificateOf } from './certificate.ts'
import { flowsOf } from './flows.ts'
import { movePage, movesOf } from './moves.ts'
import { planHeadOf, plansOf, planViewOf, safetyOf } from './plan.ts'
import { planAtHand } from './plan-at-hand.ts'

const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())

const plan = await plannedFor(homelab(), session.solve)

type Steps = NonNullable<NonNullable<RebalancePlan['status']>['steps']>

function pictureWith(change: Parameters<typeof planWith>[1], ...more: readonly KubeObject[]): Picture {
  return pictureOf([...homelab(), planWith(plan, change), ...more])
}

function viewWith(change: Parameters<typeof planWith>[1], ...more: readonly KubeObject[]) {
  const view = planViewOf(pictureWith(change, ...more), 'talos-7f3c', everything)
  if (view === undefined) throw new Error('the plan is not there')
  return view
}

const texts = (sentences: readonly { readonly text: string }[]) => sentences.map(({ text }) => text)

describe('D3: a plan that waits for approval', () => {
  test('says how many moves, whether they are the fewest, what it reaches, and that nothing has happened', () => {
    const { head } = viewWith({})
    expect(texts(head.sentences)).toEqual([
      '15 moves, the fewest that keep the margins (bound 14.63).',
      'Both goals would be met.',
      '15 of 15 proofs checked by the verifier.',
      'A plan of 15 moves reaches both goals. It is waiting for you; nothing has been moved.',
    ])
    expect(head).toMatchObject({
      phase: 'Proposed',
      moves: 15,
      optimal: true,
      proven: true,
      goalsMet: true,
      done: 0,
      failed: 0,
      replacedBy: null,
    })
  })

  // biome-ignore format: a table
  test.each([
    ['Proposed',  'Both goals would be met.'],
    ['Approved',  'Both goals would be met.'],
    ['Running',   'Both goals would be met.'],
    ['Paused',    'Both goals would be met.'],
    ['Succeeded', 'Both goals are met.'],
    ['Failed',    'Both goals would have been met.'],
    ['Expired',   'Both goals would have been met.'],
  ] as const)('of a plan that is %s: %s', (phase, text) => {
    const { head } = viewWith({ status: { phase } })
    expect(texts(head.sentences)).toContain(text)
  })

  test('brings talos03 to 4955m of 15950m, which is 31 %', () => {
    const { before, after } = viewWith({})
    const cpu = (rows: typeof before, node: string) => rows.find(row => row.node === node)?.cpu
    expect(cpu(before, 'talos03')).toEqual({ requested: 655, allocatable: 15950 })
    expect(cpu(after, 'talos03')).toEqual({ requested: 4955, allocatable: 15950 })
    expect(cpu(before, 'talos00')).toEqual({ requested: 7425, allocatable: 7950 })
    expect(before.map(({ node }) => node)).toEqual(after.map(({ node }) => node))
    expect(before.map(({ node }) => node)).not.toContain('talos02-gpu')
    expect(before.find(({ node }) => node === 'talos00')?.pods.count).toBe(59)
  })

  test('each move says which goal it serves and that it is planned', () => {
    const { moves } = viewWith({})
    expect(moves).toHaveLength(15)
    expect(new Set(moves.map(({ stateText }) => stateText))).toEqual(new Set(['planned ○']))
    const reasons = new Set(moves.map(({ from, because }) => `${from}: ${because.text}`))
    expect(reasons).toContain('talos00: frees CPU for cp-light, fills use-talos03')
    expect([...reasons].every(reason => reason.endsWith('fills use-talos03'))).toBe(true)
  })

  test('leaves 109 of 124 pods, by reason, with workloads and a way out', () => {
    const { unmovable, stays } = viewWith({})
    expect(stays).toEqual({ pods: 109, of: 124 })
    expect(unmovable.map(({ reason, count }) => `${reason} ${count}`)).toEqual([
      'OwnerNone 50',
      'NotNeeded 31',
      'Unlabelled 20',
      'KedaManaged 7',
      'VolumePinned 1',
    ])
    const row = (reason: string) => unmovable.find(one => one.reason === reason)
    expect(row('VolumePinned')).toMatchObject({
      workloads: [{ kind: 'StatefulSet', namespace: 'registry', name: 'nexus' }],
      because: { text: 'its volume nexus-local cannot leave talos01' },
      remedy: { text: expect.stringContaining('nexus-local') },
    })
    expect(row('KedaManaged')?.workloads).toHaveLength(6)
    // The key that was seen, where the configuration writes another; of what has none, that one.
    expect([row('OwnerNone'), row('Unlabelled')].map(one => one?.remedy?.text)).toEqual([
      expect.stringContaining('set scaling.talos.io/managed-by=descheduler on its workload'),
      expect.stringContaining('label its workload ballast.dev/managed-by=descheduler'),
    ])
    const olderPlan = {
      ...plan,
      status: { ...plan.status, unmovable: (plan.status?.unmovable ?? []).map(({ label: _, labelled: __, ...rest }) => rest) },
    }
    const older = planViewOf(pictureOf([...homelab(), olderPlan]), plan.metadata.name, everything)
    expect(older?.unmovable.find(one => one.reason === 'OwnerNone')?.remedy?.text).toContain('ballast.dev/managed-by')
    expect(row('NotNeeded')).toMatchObject({ remedy: null })
    expect(row('NotNeeded')?.workloads.length).toBeGreaterThan(0)
  })

  test('is as safe as it says', () => {
    expect(texts(viewWith({}).safety)).toEqual([
      'Each move has a proof that the pod fits where it goes',
      'PodDisruptionBudgets hold at every step',
      'one at a time',
      'you can pause between any two',
    ])
  })
})

describe('safety clauses that are not true are left out', () => {
  const unbudgeted = () =>
    planWith(plan, {
      spec: {
        moves: plan.spec.moves.map(move => ({ ...move, action: 'evict' as const, certificate: withoutBudget(move.certificate) })),
      },
    })
  const withoutBudget = ({ budget: _, ...certificate }: RebalancePlan['spec']['moves'][number]['certificate']) => certificate

  test('evictions that no budget covers', () => {
    const safety = texts(safetyOf(pictureOf([...homelab(), unbudgeted()]), unbudgeted()))
    expect(safety).not.toContain('PodDisruptionBudgets hold at every step')
  })

  test('a policy that moves several at once, and one that is gone', () => {
    const limits = { perPlan: 30, perHour: 30, concurrent: 3 }
    expect(texts(safetyOf(pictureOf([...homelab({ limits }), plan]), plan)).slice(-2)).toEqual([
      'at most 3 at a time',
      'you can pause at any time',
    ])
    const orphan = homelab().filter(({ kind }) => kind !== 'RebalancePolicy')
    expect(texts(safetyOf(pictureOf([...orphan, plan]), plan)).slice(1)).toEqual(['PodDisruptionBudgets hold at every step'])
  })

  test('goals are foretold until it is over; then they are as they are', () => {
    const foretold = (phase: 'Running' | 'Succeeded') =>
      viewWith({ status: { phase } }).goals.map(({ after: then }) => then !== null)
    expect([foretold('Running'), foretold('Succeeded')]).toEqual([
      [true, true],
      [false, false],
    ])
  })

  test('a plan that is over', () => {
    expect(viewWith({ status: { phase: 'Succeeded' } }).safety).toEqual([])
  })
})

describe('a plan that runs', () => {
  const landed = (count: number): Steps =>
    plan.spec.moves
      .slice(0, count)
      .map(({ id }) => ({ id, state: 'Landed', landedOn: 'talos03', seconds: 21, replacement: { name: 'r', uid: `r-${id}` } }))
  const fourth = () => plan.spec.moves[3] ?? plan.spec.moves[0]
  const permitOfFourth = () => {
    const move = fourth()
    if (move === undefined) throw new Error('no move')
    const { namespace, kind, name } = move.workload
    return permitObject({
      key: `uid-talos-7f3c/${move.id}`,
      workload: `${namespace}/${kind}/${name}`,
      pod: move.pod.name,
      grantedAgo: 14 * second,
      releasedAgo: undefined,
    })
  }
  const running = () => ({ status: { phase: 'Running' as const, startedAt: ago(2 * minute), steps: landed(3) } })

  test('D12: says which move it is at, in the words of the executor', () => {
    const { head, moves } = viewWith(running(), permitOfFourth())
    const move = fourth()
    expect(head.sentences.at(-1)?.text).toBe(
      `Moving 4 of 15: ${move?.workload.namespace}/${move?.workload.name} from ${move?.from} to talos03. 3 done, 0 failed.`,
    )
    expect(head).toMatchObject({ done: 3, failed: 0 })
    expect(moves.slice(0, 5).map(({ stateText }) => stateText)).toEqual([
      'done ● on talos03 in 21s',
      'done ● on talos03 in 21s',
      'done ● on talos03 in 21s',
      expect.stringMatching(/^running ◑ (its eviction is asked for|the new pod is started first) 14s$/),
      'planned ○',
    ])
  })

  test('between two moves nothing is said to be moved', () => {
    expect(viewWith(running()).head.sentences.at(-1)?.text).toBe('The plan is running: 3 of 15 moves done.')
  })

  test('an evicted pod is gone: the new one is waited for', () => {
    const move = plan.spec.moves.find(({ action }) => action === 'evict')
    if (move === undefined) throw new Error('no eviction in the plan')
    const { namespace, kind, name } = move.workload
    const permit = permitObject({
      key: `uid-talos-7f3c/${move.id}`,
      workload: `${namespace}/${kind}/${name}`,
      grantedAgo: 14 * second,
      releasedAgo: undefined,
    })
    const objects = [...homelab(), planWith(plan, running()), permit].filter(({ metadata }) => metadata.uid !== move.pod.uid)
    const found = movesOf(pictureOf(objects), planWith(plan, { status: { phase: 'Running', steps: [] } })).find(
      ({ id }) => id === move.id,
    )
    expect(found?.stateText).toBe('running ◑ evicted, waiting for the new pod 14s')
  })

  test('D13: a landing elsewhere, a move left out, one that failed', () => {
    const steps: Steps = [
      { id: 'm04', state: 'Mismatch', landedOn: 'talos02-gpu', seconds: 30 },
      { id: 'm05', state: 'Skipped', reason: 'CoolDown', message: 'a pod of it was replaced by reload' },
      { id: 'm06', state: 'Failed', reason: 'ReplacementPending', message: 'no replacement got a node' },
    ]
    const { moves, head } = viewWith({
      status: { phase: 'Failed', message: 'no replacement got a node; 3 of 15 moves landed', steps: [...landed(3), ...steps] },
    })
    expect(moves.slice(3, 7).map(({ stateText }) => stateText)).toEqual([
      'elsewhere ▲ landed on talos02-gpu',
      'skipped – CoolDown: a pod of it was replaced by reload',
      'failed ✕ ReplacementPending: no replacement got a node',
      'skipped – the plan ended before (failed)',
    ])
    expect(moves[3]?.landedOn).toBe('talos02-gpu')
    expect(head).toMatchObject({ phase: 'Failed', done: 4, failed: 1 })
    expect(head.sentences.at(-1)?.text).toBe('Failed after 4 of 15 moves: no replacement got a node; 3 of 15 moves landed.')
  })

  test('a move that the arbiter lets wait says by which rule', () => {
    const move = fourth()
    const verdict = {
      requester: 'deschedule',
      class: 'balance',
      verb: 'evict',
      purpose: 'move',
      target: 'Pod a/b',
      decision: 'Queued',
      rule: 'gate',
      reason: 'GateRed',
      wayOut: 'it goes on',
      key: `uid-talos-7f3c/${move?.id}`,
    }
    const event: KubeObject = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: {
        name: 'e1',
        namespace: move?.workload.namespace ?? '',
        annotations: { 'ballast.dev/verdict': JSON.stringify(verdict) },
      },
      eventTime: ago(90 * second),
      reason: 'DisruptionQueued',
      reportingController: 'ballast.dev/deschedule',
      regarding: { kind: move?.workload.kind, namespace: move?.workload.namespace, name: move?.workload.name },
      note: 'deferred [GateRed]',
    }
    expect(viewWith(running(), event).moves[3]?.stateText).toBe('waiting ◔ GateRed')
  })

  test('paused: the reason is the executor’s', () => {
    const { head, notice } = viewWith({
      status: { phase: 'Paused', message: 'it was to run up to move m03, which is over', steps: landed(3) },
    })
    expect(head.sentences.at(-1)?.text).toBe(
      'The plan is paused after 3 of 15 moves: it was to run up to move m03, which is over.',
    )
    expect(notice?.text).toBe('Paused: it was to run up to move m03, which is over.')
  })
})

describe('what is said in place of buttons', () => {
  const late = Date.parse('2025-12-19T22:48:00+01:00')
  const windows = [{ cron: '0 4 * * *', duration: '2h' }]
  const noticeOf = (
    change: Readonly<Record<string, unknown>>,
    phase: 'Proposed' | 'Approved',
    zone: string | undefined = 'Europe/Berlin',
  ) => {
    const picture = pictureOf(
      [...homelab(change), planWith(plan, { status: { phase }, spec: { approved: phase === 'Approved' } })],
      { nowMs: late },
    )
    return planViewOf(picture, 'talos-7f3c', { ...everything, displayZone: zone })?.notice?.text ?? null
  }

  // biome-ignore format: a table
  test.each([
    ['D29: approved, its window is closed', { windows }, 'Approved', 'Europe/Berlin', 'Starts at 04:00 (Europe/Berlin), in 5h12m'],
    ['D29: read in another zone', { windows }, 'Approved', 'UTC', 'Starts at 04:00 (Europe/Berlin, 03:00 UTC), in 5h12m'],
    ['proposed to a person: nothing starts', { windows }, 'Proposed', 'UTC', null],
    ['a policy that only reports', { mode: 'Report' }, 'Proposed', 'UTC', 'This policy only reports.'],
    ['one that goes by itself, in its window', { mode: 'Auto', windows }, 'Approved', 'Europe/Berlin', 'Starts by itself at 04:00 (Europe/Berlin), in 5h12m'],
    ['one that goes by itself at any time', { mode: 'Auto' }, 'Approved', 'UTC', 'Starts by itself now'],
    ['approved, no windows', {}, 'Approved', 'UTC', 'Starts as soon as nothing else holds it'],
  ] as const)('%s', (_, change, phase, zone, text) => {
    expect(noticeOf(change, phase, zone)).toBe(text)
  })

  test('a plan that was replaced names the new one', () => {
    const next = {
      ...planWith(plan, { spec: { replaces: 'talos-7f3c', moves: plan.spec.moves.slice(0, 12) } }),
      metadata: { ...plan.metadata, name: 'talos-80aa', uid: 'uid-80aa', creationTimestamp: ago(8 * second) },
    }
    const view = viewWith(
      {
        status: {
          phase: 'Expired',
          conditions: [
            {
              type: 'Superseded',
              status: 'True',
              reason: 'Replaced',
              message: 'by talos-80aa',
              lastTransitionTime: ago(8 * second),
            },
          ],
        },
      },
      next,
    )
    expect(view.head.replacedBy).toBe('talos-80aa')
    expect(view.notice).toMatchObject({
      text: 'This plan was replaced 8s ago by talos-80aa (12 moves): show it',
      links: [{ path: '/plan/talos-80aa' }],
    })
  })

  test('an approval of another content', () => {
    expect(viewWith({ spec: { approved: true, approvedHash: 'sha256:other' } }).notice?.code).toBe('plan-approved-other')
  })

  test('a policy that is gone', () => {
    const orphan = homelab().filter(({ kind }) => kind !== 'RebalancePolicy')
    expect(planViewOf(pictureOf([...orphan, plan]), 'talos-7f3c', everything)?.notice?.code).toBe('policy-gone')
  })
})

describe('odd plans', () => {
  test('of no moves: nothing to move', () => {
    const { head, flows, safety, notice } = viewWith({
      spec: { moves: [] },
      status: { phase: 'Succeeded', objective: { moves: 0, lowerBound: 0, gap: 0 } },
    })
    expect(head.sentences[0]?.text).toBe('Nothing to move.')
    expect(head.proven).toBe(false)
    expect([flows, safety, notice]).toEqual([[], [], null])
  })

  test('of one move that is not proven the least', () => {
    const { head } = viewWith({
      spec: { moves: plan.spec.moves.slice(0, 1) },
      status: { objective: { moves: 1, lowerBound: 0, gap: 0 } },
    })
    expect(head.sentences[0]?.text).toBe('1 move.')
    expect(head.optimal).toBe(false)
  })

  test('that has more moves than the bound asks for does not call them the fewest', () => {
    const { head } = viewWith({ status: { objective: { moves: 15, lowerBound: 12.3, gap: 0.13 } } })
    expect(head.sentences[0]?.text).toBe('15 moves, at least 13 are needed (bound 12.3).')
  })

  test('D35: 5,000 moves over 900 pairs are 11 ribbons and one for the rest, paged', () => {
    const [first] = plan.spec.moves
    if (first === undefined) throw new Error('no move')
    const moves = Array.from({ length: 5_000 }, (_, at) => {
      const pair = at % 900
      return { ...first, id: `m${at}`, from: `a${pair % 30}`, to: `b${Math.floor(pair / 30)}` }
    })
    const big = planWith(plan, { spec: { moves } })
    const flows = flowsOf(big)
    expect(flows).toHaveLength(12)
    expect(flows.at(-1)).toMatchObject({ pairs: 889, pods: 4_934 })
    expect(flows.map(flowText).at(-1)).toBe('889 other pairs, 4934 pods')
    expect(flows.reduce((sum, { pods }) => sum + pods, 0)).toBe(5_000)
    const picture = pictureOf(homelab(), { book: bookWith({ plans: [big] }) })
    const view = planViewOf(picture, 'talos-7f3c', everything)
    expect([view?.moves.length, view?.moveCount]).toEqual([500, 5_000])
    const second = movePage(picture, big, 'm500', 500)
    expect([second.moves[0]?.id, second.next, second.total]).toEqual(['m500', 'm1000', 5_000])
    expect(movePage(picture, big, 'm4900', 500)).toMatchObject({ next: null })
  })

  test('of twelve pairs each is told', () => {
    const [first] = plan.spec.moves
    if (first === undefined) throw new Error('no move')
    const moves = Array.from({ length: 12 }, (_, at) => ({ ...first, id: `m${at}`, from: `a${at}` }))
    expect(flowsOf(planWith(plan, { spec: { moves } })).every(({ pairs }) => pairs === 1)).toBe(true)
  })

  test('a move from a node to itself is refused by the verifier, and shown so', () => {
    const moves = plan.spec.moves.map((move, at) => (at === 0 ? { ...move, to: move.from } : move))
    const picture = pictureWith({ spec: { moves } })
    const [changed] = picture.book.plans
    if (changed === undefined) throw new Error('no plan')
    const [move] = movesOf(picture, changed)
    expect(move?.stateText).toBe('planned ○ refused by the verifier: it would go from talos00 to talos00')
    expect(certificateOf(picture, changed, 'm01')?.verified).toMatchObject({
      passed: false,
      because: expect.stringContaining('move m01'),
    })
    const head = planHeadOf(picture, changed)
    expect(head.proven).toBe(false)
    expect(texts(head.sentences)).toContainEqual(expect.stringMatching(/^The verifier refuses \d+ of 15 moves\.$/))
    expect(texts(safetyOf(picture, changed))).not.toContain('Each move has a proof that the pod fits where it goes')
  })

  test('a move to a node that is gone says so', () => {
    const moves = plan.spec.moves.map((move, at) => (at === 0 ? { ...move, to: 'talos09' } : move))
    const picture = pictureWith({ spec: { moves } })
    const [changed] = picture.book.plans
    expect(changed && movesOf(picture, changed)[0]?.because.text).toBe('destination talos09 no longer exists')
    expect(changed && movesOf(picture, changed)[0]?.stateText).toBe('planned ○ destination talos09 no longer exists')
    expect(changed && certificateOf(picture, changed, 'm01')?.verified.passed).toBe(false)
  })
})

describe('which plan is at hand', () => {
  const named = (name: string, phase: string, agoMs: number): KubeObject => ({
    ...planWith(plan, { status: { phase: phase as 'Proposed' } }),
    metadata: { ...plan.metadata, name, uid: name, creationTimestamp: ago(agoMs) },
  })

  // biome-ignore format: a table
  test.each([
    ['one that runs, before a newer proposal', [named('a', 'Running', hour), named('b', 'Proposed', minute)], 'a'],
    ['the newest proposal', [named('a', 'Proposed', hour), named('b', 'Proposed', minute)], 'b'],
    ['one that waits, before a newer one that is over', [named('a', 'Approved', hour), named('b', 'Expired', minute)], 'a'],
    ['of those that are over the newest', [named('a', 'Failed', hour), named('b', 'Succeeded', minute)], 'b'],
    ['none', [], undefined],
  ] as const)('%s', (_, plans, name) => {
    expect(planAtHand(pictureOf([...homelab(), ...plans]))?.metadata.name).toBe(name)
  })

  test('the list is newest first', () => {
    const picture = pictureOf([
      ...homelab(),
      named('a', 'Failed', hour),
      named('b', 'Succeeded', minute),
      named('c', 'Expired', 2 * hour),
    ])
    expect(plansOf(picture).map(({ name }) => name)).toEqual(['b', 'a', 'c'])
  })

  test('no plan of that name', () => {
    expect(planViewOf(pictureOf(homelab(), { nowMs }), 'nothing', everything)).toBeUndefined()
    expect(policyObject().metadata.name).toBe('talos')
  })
})
