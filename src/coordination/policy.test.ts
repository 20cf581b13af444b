import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Intent, Target } from './intent.ts'
import type { PermitRecord } from './permit-record.ts'
import { type ArbiterPolicy, defaultPolicy, judge, type TargetFacts, type Verdict } from './policy.ts'
import { verdictSentence } from './sentences.ts'

const nowMs = Date.parse('2026-03-02T04:00:00Z')
const hour = 3_600_000

const cartPod: Target = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'cart-a', uid: 'uid-a' }
const cart = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart', uid: 'uid-cart' }

function intent(change: Partial<Intent> = {}): Intent {
  return {
    requester: 'deschedule',
    verb: 'evict',
    purpose: 'move',
    class: 'balance',
    targets: [cartPod],
    workload: cart,
    disrupts: [cartPod],
    reasons: [{ code: 'goal', message: 'cp-light wants it elsewhere' }],
    idempotencyKey: 'plan-1/m01',
    batch: 'plan-1',
    deadlineMs: nowMs + hour,
    timeToLiveMs: 600_000,
    proof: { snapshotHash: 'abc', nodes: ['n2'] },
    unlabelled: 'none',
    requireBudget: true,
    ...change,
  }
}

function facts(change: Partial<TargetFacts> = {}): TargetFacts {
  return {
    presence: [{ target: cartPod, presence: 'present' }],
    replicas: 2,
    owner: { value: 'descheduler', source: 'workload' },
    freeze: undefined,
    protection: undefined,
    budgets: [{ pod: cartPod, answer: { kind: 'allowed', budget: 'shop/cart' } }],
    ...change,
  }
}

function permit(change: Partial<PermitRecord> = {}): PermitRecord {
  return {
    name: 'evict-cart-b-1000001',
    namespace: 'shop',
    resourceVersion: '7',
    requester: 'deschedule',
    class: 'balance',
    verb: 'evict',
    purpose: 'move',
    targets: [{ ...cartPod, name: 'cart-b', uid: 'uid-b' }],
    workload: 'shop/Deployment/cart',
    reasons: [],
    idempotencyKey: 'plan-0/m07',
    batch: 'plan-0',
    deadlineMs: nowMs + hour,
    siblings: [],
    grant: { token: 1_000_001, atMs: nowMs - 60_000, expiresAtMs: nowMs + 540_000 },
    epoch: 1,
    releasedAtMs: undefined,
    ending: undefined,
    createdMs: nowMs - 60_000,
    ...change,
  }
}

const done = { releasedAtMs: nowMs - 60_000, ending: 'done' } as const

function ask(question: {
  intent?: Partial<Intent>
  facts?: Partial<TargetFacts>
  ledger?: readonly PermitRecord[]
  policy?: Partial<ArbiterPolicy>
}): Verdict {
  return judge({
    intent: intent(question.intent),
    facts: facts(question.facts),
    ledger: question.ledger ?? [],
    policy: { ...defaultPolicy, ...question.policy },
    nowMs,
  })
}

function short(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'grant':
      return verdict.wouldBe === undefined
        ? 'grant'
        : `grant, would be ${verdict.wouldBe.decision} by ${verdict.wouldBe.objection.rule}`
    case 'same':
      return `same ${verdict.permit.name}`
    case 'defer':
      return `defer ${verdict.objection.rule} ${(verdict.untilMs - nowMs) / 1000} s`
    case 'deny':
      return `deny ${verdict.objection.rule}`
    case 'no-op':
      return `no-op ${verdict.objection.rule}`
    case 'coalesced':
      return `coalesced ${verdict.into}`
  }
}

describe("a move of one of two replicas that are the descheduler's, with a budget", () => {
  // biome-ignore format: a table
  test.each<[string, Parameters<typeof ask>[0], string]>([
    ['is granted',                                      {},                                                                                       'grant'],
    ['asked twice is the same permit',                  { ledger: [permit({ idempotencyKey: 'plan-1/m01' })] },                                    'same evict-cart-b-1000001'],
    ['done before is nothing to do',                    { ledger: [permit({ idempotencyKey: 'plan-1/m01', ...done })] },                           'no-op repeat'],
    ['withdrawn before may be asked again',             { ledger: [permit({ idempotencyKey: 'plan-1/m01', ...done, ending: 'withdrawn' })] },      'grant'],
    ['of a pod with another UID is stale',              { facts: { presence: [{ target: cartPod, presence: 'replaced' }] } },                      'deny stale'],
    ['of a pod that is gone is stale',                  { facts: { presence: [{ target: cartPod, presence: 'gone' }] } },                          'deny stale'],
    ['of a pod that leaves already is stale',           { facts: { presence: [{ target: cartPod, presence: 'terminating' }] } },                   'deny stale'],
    ['after its deadline is denied',                    { intent: { deadlineMs: nowMs } },                                                         'deny late'],
    ['of a workload with 0 replicas is nothing to do',  { facts: { replicas: 0 } },                                                                'no-op nothing-runs'],
    ['of KEDA\'s workload is denied',                   { facts: { owner: { value: 'keda', source: 'scaler' } } },                                 'deny owner'],
    ['of nobody\'s workload (none) is denied',          { facts: { owner: { value: 'none', source: 'namespace' } } },                              'deny owner'],
    ['of an unlabelled workload follows the policy',    { facts: { owner: { value: undefined, source: 'nowhere' } } },                             'deny owner'],
    ['... which may say descheduler',                   { facts: { owner: { value: undefined, source: 'nowhere' } }, intent: { unlabelled: 'descheduler' } }, 'grant'],
    ['of a pod that asks not to be disturbed is denied', { facts: { protection: { target: cartPod, annotation: 'karpenter.sh/do-not-disrupt: true' } } }, 'deny protected'],
    ['without a budget is denied',                      { facts: { budgets: [{ pod: cartPod, answer: { kind: 'no-budget' } }] } },                 'deny budget-required'],
    ['without a budget that nobody demands is granted', { facts: { budgets: [{ pod: cartPod, answer: { kind: 'no-budget' } }] }, intent: { requireBudget: false } }, 'grant'],
    ['in a frozen namespace is denied',                 { facts: { freeze: { where: 'Namespace shop', reason: 'audit', untilMs: undefined } } },   'deny freeze'],
    ['in a namespace frozen for a while waits',         { facts: { freeze: { where: 'Namespace shop', reason: 'audit', untilMs: nowMs + 90_000 } } }, 'defer freeze 90 s'],
    ['frozen past its deadline is denied',              { facts: { freeze: { where: 'Namespace shop', reason: 'audit', untilMs: nowMs + 2 * hour } } }, 'deny freeze'],
    ['frozen by configuration is denied',               { policy: { freeze: 'holidays' } },                                                       'deny freeze'],
    ['while another of its pods is moved waits',        { ledger: [permit()] },                                                                    'defer lock 540 s'],
    ['within six hours of another plan waits',          { ledger: [permit(done)], intent: { deadlineMs: nowMs + 7 * hour } },                       'defer cool-down 21540 s'],
    ['... and is denied where that is too late',        { ledger: [permit(done)] },                                                                'deny cool-down'],
    ['of the same batch does not cool down',            { ledger: [permit({ ...done, batch: 'plan-1' })] },                                        'grant'],
    ['over an exhausted budget waits 5 s',              { facts: { budgets: [{ pod: cartPod, answer: { kind: 'exhausted', budget: 'shop/cart', message: '' } }] } }, 'defer disruption-budget 5 s'],
    ['under a budget that never allows it is denied',   { facts: { budgets: [{ pod: cartPod, answer: { kind: 'never-allows', budget: 'shop/cart' } }] } }, 'deny budget-never-allows'],
    ['under two budgets is denied',                     { facts: { budgets: [{ pod: cartPod, answer: { kind: 'several', budgets: ['shop/a', 'shop/b'] } }] } }, 'deny budgets-overlap'],
    ['without proof that it fits is denied',            { intent: { proof: { snapshotHash: 'abc', nodes: [] } } },                                 'deny fit-proof'],
  ])('%s', (_name, question, expected) => expect(short(ask(question))).toBe(expected))
})

describe('the mode decides which rules hold', () => {
  const keda = { owner: { value: 'keda', source: 'scaler' } } as const
  // biome-ignore format: a table
  test.each<[string, Parameters<typeof ask>[0], string]>([
    ['observe only records the owner rule',      { policy: { modes: { deschedule: 'observe' } }, facts: keda },           'grant, would be Denied by owner'],
    ['observe records that it would wait',       { policy: { modes: { deschedule: 'observe' } }, ledger: [permit()] },    'grant, would be Queued by lock'],
    ['observe still honours the freeze',         { policy: { modes: { deschedule: 'observe' }, freeze: true } },          'deny freeze'],
    ['coordinate holds owners',                  { policy: { modes: { deschedule: 'coordinate' } }, facts: keda },        'deny owner'],
    ['coordinate does not ask for proof',        { policy: { modes: { deschedule: 'coordinate' } }, intent: { proof: { snapshotHash: '', nodes: [] } } }, 'grant, would be Denied by fit-proof'],
  ])('%s', (_name, question, expected) => expect(short(ask(question))).toBe(expected))
})

describe('the owner matrix', () => {
  // biome-ignore format: a table
  test.each<[string, Partial<Intent>, TargetFacts['owner']['value'], string]>([
    ['isolation moves what nobody owns',            { requester: 'isolate', purpose: 'isolate', class: 'correctness' },              'none',        'grant'],
    ['isolation leaves KEDA\'s to KEDA',            { requester: 'isolate', purpose: 'isolate', class: 'correctness' },              'keda',        'deny owner'],
    ['a secret restarts what is labelled none',     { requester: 'reload', verb: 'restart', purpose: 'reload', class: 'correctness' }, 'none',      'grant'],
    ['a secret restarts KEDA\'s while it runs',     { requester: 'reload', verb: 'restart', purpose: 'reload', class: 'correctness' }, 'keda',      'grant'],
    ['nobody resizes what is labelled none',        { requester: 'rightsize', verb: 'resize', purpose: 'resize', class: 'cost' },      'none',      'deny owner'],
    ['a failing node drains KEDA\'s',               { requester: 'provision', verb: 'drain', purpose: 'drain', class: 'safety' },      'keda',      'grant'],
    ['a cheap node does not drain KEDA\'s',         { requester: 'provision', verb: 'drain', purpose: 'drain', class: 'cost' },        'keda',      'deny owner'],
    ['only KEDA scales to zero',                    { requester: 'autoscale', verb: 'scale', purpose: 'scale-to-zero', class: 'cost' }, 'keda',     'grant'],
    ['KEDA does not scale the descheduler\'s',      { requester: 'autoscale', verb: 'scale', purpose: 'scale-to-zero', class: 'cost' }, 'descheduler', 'deny owner'],
    ['a taint that only steers asks nobody',        { verb: 'taint', purpose: 'steer', workload: undefined, disrupts: [] },   'none',      'grant'],
  ])('%s', (_name, change, owner, expected) => expect(short(ask({ intent: change, facts: { owner: { value: owner, source: 'workload' } } }))).toBe(expected))
})

test('a denial says the rule, the reason and the way out', () => {
  const question = { facts: { budgets: [{ pod: cartPod, answer: { kind: 'no-budget' } as const }] } }
  expect(verdictSentence(intent(), ask(question))).toBe(
    'evict Pod shop/cart-a: denied by budget-required: no PodDisruptionBudget selects the pods of shop/Deployment/cart; create a PodDisruptionBudget with maxUnavailable 1 for it (ballast plan --emit-pdbs prints it)',
  )
})

test('no order of intents puts two permits on one workload', () => {
  const events = fc.array(fc.record({ workload: fc.integer({ min: 0, max: 3 }), release: fc.boolean() }), { maxLength: 60 })
  fc.assert(
    fc.property(events, steps => {
      const ledger: PermitRecord[] = []
      for (const [index, { workload, release }] of steps.entries()) {
        const target = { ...cart, name: `w${workload}` }
        const verdict = judge({
          intent: intent({ idempotencyKey: `k${index}`, batch: 'one', workload: target }),
          facts: facts(),
          ledger,
          policy: defaultPolicy,
          nowMs,
        })
        if (verdict.kind === 'grant')
          ledger.push(
            permit({ name: `p${index}`, idempotencyKey: `k${index}`, batch: 'one', workload: `shop/Deployment/w${workload}` }),
          )
        const out = ledger.findIndex(record => record.releasedAtMs === undefined)
        const record = ledger[out]
        if (release && record !== undefined) ledger[out] = { ...record, ...done }
        const locked = ledger.filter(one => one.releasedAtMs === undefined).map(one => one.workload)
        expect(new Set(locked).size).toBe(locked.length)
      }
    }),
    { numRuns: 300 },
  )
})
