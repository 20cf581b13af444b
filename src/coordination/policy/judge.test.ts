import { describe, expect, test } from 'vitest'
import { defaultPolicy } from './arbiter-policy.ts'
import { judge, rules } from './judge.ts'
import { defer, deny, type Rule } from './question.ts'
import { type Asked, hour, minute, nowMs, permit, pod, question, reload, resize, short } from './testdata/question.ts'

const keda = { owner: { value: 'keda', source: 'scaler' } } as const
const unproven = { proof: { snapshotHash: '', nodes: [] } }
const mode = (name: 'observe' | 'coordinate' | 'enforce') => ({ policy: { modes: { deschedule: name, reload: name } } })

describe('the mode decides which rules hold', () => {
  // biome-ignore format: a table
  test.each<[string, Asked, string]>([
    ['observe records the owner rule',            { ...mode('observe'), facts: keda },                               'grant, would be Denied by owner'],
    ['observe records that it would wait',        { ...mode('observe'), ledger: [permit()] },                        'grant, would be Queued by lock'],
    ['observe records the first objection',       { ...mode('observe'), facts: keda, ledger: [permit()] },           'grant, would be Denied by owner'],
    ['observe joins nothing',                     { ...mode('observe'), ledger: [permit({ ...reload, name: 'restart' })] }, 'grant, would be Queued by lock'],
    ['observe waits for no company',              { policy: { modes: { rightsize: 'observe' } }, intent: resize },   'grant, would be Queued by company'],
    ['observe knows repeats',                     { ...mode('observe'), ledger: [permit({ idempotencyKey: 'plan-1/m01' })] }, 'same evict-cart-b-1000001'],
    ['observe knows what is gone',                { ...mode('observe'), facts: { presence: [{ target: pod('cart-a'), presence: 'gone' }] } }, 'deny stale'],
    ['coordinate holds owners',                   { ...mode('coordinate'), facts: keda },                            'deny owner'],
    ['coordinate holds locks',                    { ...mode('coordinate'), ledger: [permit()] },                     'defer lock 540 s'],
    ['coordinate asks for no proof',              { ...mode('coordinate'), intent: unproven },                       'grant, would be Denied by fit-proof'],
    ['enforce asks for it',                       { ...mode('enforce'), intent: unproven },                          'deny fit-proof'],
    ['who is not named is held to all',           { policy: { modes: {} }, intent: unproven },                       'deny fit-proof'],
    ['a capability of an odd name too',           { policy: { modes: {} }, intent: { ...unproven, requester: 'constructor' } }, 'deny fit-proof'],
  ])('%s', (_name, asked, expected) => expect(short(judge(question(asked)))).toBe(expected))
})

describe('the deadline', () => {
  const freeze = (untilMs: number) => ({ facts: { freeze: { where: 'Namespace shop', reason: 'audit', untilMs } } })
  // biome-ignore format: a table
  test.each<[string, Asked, string]>([
    ['waiting up to it is waiting',  freeze(nowMs + hour),      'defer freeze 3600 s'],
    ['waiting past it is a denial',  freeze(nowMs + hour + 1),  'deny freeze'],
  ])('%s', (_name, asked, expected) => expect(short(judge(question(asked)))).toBe(expected))

  test('the denial says until when it would have waited', () => {
    expect(judge(question(freeze(nowMs + 2 * hour)))).toMatchObject({ kind: 'deny', untilMs: nowMs + 2 * hour })
  })

  test('what would wait past it is recorded as denied', () => {
    expect(short(judge(question({ ...mode('observe'), ledger: [permit({ releasedAtMs: nowMs, ending: 'done' })] })))).toBe(
      'grant, would be Denied by cool-down',
    )
  })
})

test('the first rule that objects speaks', () => {
  const no: Rule = { name: 'no', from: 'enforce', ask: () => deny({ rule: 'late', deadlineMs: 0 }) }
  const wait: Rule = { name: 'wait', from: 'enforce', ask: () => defer({ rule: 'early', notBeforeMs: 0 }, nowMs + minute) }
  expect(short(judge(question({}), [no, wait]))).toBe('deny late')
  expect(short(judge(question({}), [wait, no]))).toBe('defer early 60 s')
  expect(short(judge(question({}), []))).toBe('grant')
})

test('the rules speak in the order of the policy', () => {
  const numbers = {
    repeat: 1,
    late: 2,
    stale: 2,
    'nothing-runs': 3,
    'owner-matrix': 4,
    protection: 5,
    'budget-required': 5,
    'least-replicas': 5,
    freeze: 6,
    early: 6,
    window: 6,
    gate: 6,
    joining: 7,
    'workload-lock': 7,
    'under-way': 7,
    waking: 7,
    'node-lock': 7,
    'zone-drain': 7,
    'plan-lock': 7,
    'cool-down': 8,
    'scale-cool-down': 8,
    'reverse-move': 8,
    quarantine: 8,
    'disruption-budget': 9,
    caps: 9,
    overtaken: 9,
    'fit-proof': 10,
    company: 11,
  } satisfies Record<string, number>
  const order = rules.map(({ name }) => Object.entries(numbers).find(([known]) => known === name)?.[1])
  expect(order).toEqual(Object.values(numbers))
  expect(new Set(rules.map(({ name }) => name)).size).toBe(rules.length)
})

test('the figures are those of the design', () => {
  expect(defaultPolicy).toMatchObject({
    coolDownMs: {
      safety: 0,
      correctness: 0,
      availability: 30 * minute,
      capacity: 15 * minute,
      cost: 2 * hour,
      balance: 6 * hour,
    },
    scaleCoolDownMs: 10 * minute,
    reverseMoveMs: 24 * hour,
    quarantine: { firstMs: 30 * minute, longestMs: 24 * hour },
    mergeWindowMs: minute,
    caps: { concurrent: undefined, perHour: 30, perNamespace: 2, perSourceNode: 2, perDestination: 3 },
  })
})
