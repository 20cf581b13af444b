import { expect, test } from 'vitest'
import type { Intent } from '../../intent.ts'
import {
  type Asked,
  deployment,
  doneFor,
  joinedBy,
  minute,
  permit,
  pod,
  question,
  reload,
  resize,
  short,
  toZero,
  waiting,
} from '../testdata/question.ts'
import { joining } from './joining.ts'

const left = (wish: Partial<Intent>) => ({ ...joinedBy(wish), message: 'no such container' })
const rollout = permit({ ...reload, name: 'restart-cart', batch: undefined })
const isolate = { requester: 'isolate', purpose: 'isolate', class: 'correctness' } as const
const observe = { modes: { reload: 'observe', rightsize: 'observe' } } as const

// biome-ignore format: a table
test.each<[string, Asked, string]>([
  ['nothing is out or waits',                      {},                                                                        'pass'],
  ['a rollout is out: the move steers',            { ledger: [rollout] },                                                     'coalesced restart-cart'],
  ['... so does isolation',                        { intent: isolate, ledger: [rollout] },                                    'coalesced restart-cart'],
  ['... a pod that came since is new already',     { intent: { disrupts: [pod('cart-z')] }, ledger: [rollout] },              'pass'],
  ['... it was done',                              { ledger: [{ ...rollout, ...doneFor(minute) }] },                          'pass'],
  ['... of another workload',                      { ledger: [{ ...rollout, workload: 'shop/Deployment/blog' }] },            'pass'],
  ['a resize that rolls out is out',               { ledger: [permit({ ...resize, name: 'resize-cart', batch: undefined })] }, 'coalesced resize-cart'],
  ['a resize in place is out',                     { ledger: [permit({ ...resize, change: undefined })] },                    'pass'],
  ['another move is out',                          { ledger: [permit()] },                                                    'pass'],
  ['a rollout waits: the move is absorbed',        { pending: [waiting(minute, resize)] },                                    'absorbed cart/size-3'],
  ['... for another workload',                     { pending: [waiting(minute, { ...resize, workload: deployment('blog') })] }, 'pass'],
  ['... of the same class',                        { pending: [waiting(minute, { ...resize, class: 'balance' })] },           'absorbed cart/size-3'],
  ['... that is less urgent does not hold it up',  { intent: isolate, pending: [waiting(minute, resize)] },                   'pass'],
  ['... in mode observe carries nobody',           { pending: [waiting(minute, resize)], policy: observe },                   'pass'],
  ['... for room or for company',                  { pending: [waiting(minute, resize, 'company')] },                         'absorbed cart/size-3'],
  ['... for its window: that is far off',          { pending: [waiting(minute, resize, 'window')] },                          'pass'],
  ['... for the end of a freeze',                  { pending: [waiting(minute, resize, 'freeze')] },                          'pass'],
  ['... for its beginning',                        { pending: [waiting(minute, resize, 'early')] },                           'pass'],
  ['another move waits',                           { pending: [waiting(minute, { idempotencyKey: 'plan-0/m02' })] },          'pass'],
  ['scaling waits',                                { pending: [waiting(minute, toZero)] },                                    'pass'],
  ['a rollout joins no rollout that is out',       { intent: resize, ledger: [rollout] },                                     'pass'],
  ['an eviction for something else stays one',     { intent: { purpose: 'drain' }, ledger: [rollout] },                       'pass'],
  ['... that an earlier rollout left behind: alone', { ledger: [permit({ ...doneFor(minute), dropped: [left(resize)] })], pending: [waiting(minute, resize)] }, 'pass'],
  ['a rollout is out that left the move behind',   { ledger: [{ ...rollout, dropped: [left({})] }] },                         'pass'],
  ['... another wish',                             { ledger: [{ ...rollout, dropped: [left(resize)] }] },                     'coalesced restart-cart'],
  ['what is out comes before what waits',          { ledger: [rollout], pending: [waiting(minute, resize)] },                 'coalesced restart-cart'],
])('%s', (_name, asked, expected) => expect(short(joining.ask(question(asked)))).toBe(expected))
