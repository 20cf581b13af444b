import { expect, test } from 'vitest'
import type { Joined, PermitRecord } from '../../permits/permit-record.ts'
import { type Asked, doneFor, hour, intent, permit, pod, question, reload, short, single } from '../testdata/question.ts'
import { reverseMove } from './reverse-move.ts'

const moved = (ms: number, change: Partial<PermitRecord> = {}) =>
  permit({ ...doneFor(ms), relocation: { from: 'n2', to: ['n1', 'n3'] }, landing: 'expected', ...change })
const joined: Joined = {
  requester: 'deschedule',
  class: 'balance',
  verb: 'evict',
  purpose: 'move',
  reasons: [],
  idempotencyKey: 'plan-0/m09',
  change: undefined,
  relocation: { from: 'n2', to: ['n1'] },
}
const { relocation: _, ...unplanned } = intent({ ...single, proof: { snapshotHash: '', nodes: ['n2'] } })

// biome-ignore format: a table
test.each<[string, Asked, string]>([
  ['it was never moved',                            {},                                                             'pass'],
  ['it came from there two hours ago',              { ledger: [moved(2 * hour)] },                                  'defer reverse-move 79200 s'],
  ['a millisecond less than a day ago',             { ledger: [moved(24 * hour - 1)] },                             'defer reverse-move 0.001 s'],
  ['exactly a day ago',                             { ledger: [moved(24 * hour)] },                                 'pass'],
  ['for cost too',                                  { intent: { class: 'cost' }, ledger: [moved(hour)] },           'defer reverse-move 82800 s'],
  ['not for capacity',                              { intent: { class: 'capacity' }, ledger: [moved(hour)] },       'pass'],
  ['not for isolation',                             { intent: { class: 'correctness', purpose: 'isolate' }, ledger: [moved(hour)] }, 'pass'],
  ['on to a third node',                            { intent: { relocation: { from: 'n1', to: ['n4'] } }, ledger: [moved(hour)] }, 'pass'],
  ['to a third one, or back if need be',            { intent: { relocation: { from: 'n1', to: ['n4', 'n2'] } }, ledger: [moved(hour)] }, 'pass'],
  ['the same way again',                            { intent: { relocation: { from: 'n2', to: ['n1'] } }, ledger: [moved(hour)] }, 'pass'],
  ['it went to another that would do',              { intent: { relocation: { from: 'n3', to: ['n2'] } }, ledger: [moved(hour)] }, 'defer reverse-move 82800 s'],
  ['the steps of a plan are one',                   { ledger: [moved(hour, { batch: 'plan-1' })] },                 'pass'],
  ['it came back at once',                          { ledger: [moved(hour, { landing: 'back' })] },                 'pass'],
  ['its landing was not held',                      { ledger: [moved(hour, { landing: 'unheld' })] },               'pass'],
  ['it landed elsewhere',                           { ledger: [moved(hour, { landing: 'other' })] },                'pass'],
  ['it was refused',                                { ledger: [moved(hour, { ending: 'failed' })] },                'pass'],
  ['it was steered by a rollout',                   { ledger: [permit({ ...reload, ...doneFor(hour), batch: undefined, joined: [joined] })] }, 'defer reverse-move 82800 s'],
  ['another workload came from there',              { ledger: [moved(hour, { workload: 'shop/Deployment/blog' })] }, 'pass'],
  ['its release is no time',                        { ledger: [moved(hour, { releasedAtMs: Number.NaN })] },        'defer reverse-move 82800 s'],
  ['its release is yet to come',                    { ledger: [moved(hour, { releasedAtMs: 9e15 })] },              'defer reverse-move 82800 s'],
  ['the last of two counts',                        { ledger: [moved(2 * hour), moved(hour)] },                     'defer reverse-move 82800 s'],
])('%s', (_name, asked, expected) => expect(short(reverseMove.ask(question(asked)))).toBe(expected))

test('who brings no plan is known by its proof', () => {
  const asked = { ...question({ ledger: [moved(hour)] }), intent: unplanned }
  expect(short(reverseMove.ask(asked))).toBe('defer reverse-move 82800 s')
  expect(short(reverseMove.ask({ ...asked, intent: { ...unplanned, proof: { snapshotHash: '', nodes: ['n2', 'n3'] } } }))).toBe(
    'pass',
  )
  expect(
    short(
      reverseMove.ask({
        ...asked,
        intent: { ...unplanned, disrupts: [pod('a'), pod('b')] },
        facts: { ...asked.facts, nodes: ['n1', 'n3'] },
      }),
    ),
  ).toBe('pass')
})

test('the two ends and the permit are named', () => {
  expect(reverseMove.ask(question({ ledger: [moved(hour)] }))).toMatchObject({
    objection: { from: 'n1', to: 'n2', permit: 'evict-cart-b-1000001', workload: 'shop/Deployment/cart' },
  })
})
