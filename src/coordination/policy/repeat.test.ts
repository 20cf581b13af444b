import { describe, expect, test } from 'vitest'
import type { Joined } from '../permits/permit-record.ts'
import { repeat } from './repeat.ts'
import { type Asked, doneFor, minute, permit, question, short, steer } from './testdata/question.ts'

const own = { idempotencyKey: 'plan-1/m01' }
const joined: Joined = {
  requester: 'deschedule',
  class: 'balance',
  verb: 'evict',
  purpose: 'move',
  reasons: [],
  idempotencyKey: 'plan-1/m01',
  change: undefined,
  relocation: undefined,
}
const done = doneFor(minute)

describe('a wish that was asked before', () => {
  // biome-ignore format: a table
  test.each<[string, Asked, string]>([
    ['is new',                                    {},                                                                          'pass'],
    ['has its permit',                            { ledger: [permit(own)] },                                                   'same evict-cart-b-1000001'],
    ['of somebody else is another',               { ledger: [permit({ ...own, requester: 'isolate' })] },                      'pass'],
    ['is done',                                   { ledger: [permit({ ...own, ...done })] },                                   'no-op repeat'],
    ['was withdrawn: may be asked again',         { ledger: [permit({ ...own, ...done, ending: 'withdrawn' })] },              'pass'],
    ['failed: may be asked again',                { ledger: [permit({ ...own, ...done, ending: 'failed' })] },                 'pass'],
    ['expired: may be asked again',               { ledger: [permit({ ...own, ...done, ending: 'expired' })] },                'pass'],
    ['failed, and is out again',                  { ledger: [permit({ ...own, ...done, ending: 'failed' }), permit({ ...own, name: 'second' })] }, 'same second'],
    ['goes along with a rollout',                 { ledger: [permit({ joined: [joined] })] },                                  'coalesced evict-cart-b-1000001'],
    ['went along with a rollout',                 { ledger: [permit({ ...done, joined: [joined] })] },                         'coalesced evict-cart-b-1000001'],
    ['was left behind by a rollout',              { ledger: [permit({ dropped: [{ ...joined, message: 'no' }] })] },           'pass'],
    ['was left behind by one that is done',       { ledger: [permit({ ...done, dropped: [{ ...joined, message: 'no' }] })] },  'pass'],
    ['went along with a rollout that failed',     { ledger: [permit({ ...done, ending: 'failed', joined: [joined] })] },       'pass'],
    ['steers: that can be done again',            { intent: steer, ledger: [permit({ ...own, ...done, purpose: 'steer' })] },  'pass'],
    ['steers already',                            { intent: steer, ledger: [permit({ ...own, purpose: 'steer' })] },           'same evict-cart-b-1000001'],
  ])('%s', (_name, asked, expected) => expect(short(repeat.ask(question(asked)))).toBe(expected))
})
