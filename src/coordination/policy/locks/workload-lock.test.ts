import { expect, test } from 'vitest'
import {
  type Asked,
  deployment,
  doneFor,
  drain,
  elsewhere,
  minute,
  nowMs,
  permit,
  question,
  reload,
  short,
  steer,
  toZero,
  upscale,
} from '../testdata/question.ts'
import { workloadLock } from './workload-lock.ts'

// biome-ignore format: a table
test.each<[string, Asked, string]>([
  ['nothing is out',                             {},                                                                          'pass'],
  ['another move is out',                        { ledger: [permit()] },                                                      'defer lock 540 s'],
  ['... of the same plan',                       { ledger: [permit({ batch: 'plan-1' })] },                                   'defer lock 540 s'],
  ['... for a rotated secret too',               { intent: reload, ledger: [permit()] },                                      'defer lock 540 s'],
  ['... for what is safety too',                 { intent: { class: 'safety' }, ledger: [permit()] },                         'defer lock 540 s'],
  ["... for KEDA's scaling to 0 too",            { intent: toZero, ledger: [permit()] },                                      'defer lock 540 s'],
  ['... but not for more replicas',              { intent: upscale, ledger: [permit()] },                                     'pass'],
  ['it is over',                                 { ledger: [permit(doneFor(0))] },                                            'pass'],
  ['a request without a grant is none',          { ledger: [permit({ grant: undefined })] },                                  'pass'],
  ['scaling up is out',                          { ledger: [permit({ ...upscale, batch: undefined })] },                      'pass'],
  ['another workload is locked',                 { ledger: [permit(elsewhere('blog', 'shop'))] },                             'pass'],
  ['one of another kind has the name',           { ledger: [permit({ workload: 'shop/StatefulSet/cart' })] },                 'pass'],
  ['one of another namespace has the name',      { intent: { workload: deployment('cart', 'web') }, ledger: [permit()] },     'pass'],
  ['it should be over already: asked again',     { ledger: [permit({ grant: { token: 1, atMs: 0, expiresAtMs: nowMs - minute } })] }, 'defer lock 5 s'],
  ['not past the deadline',                      { intent: { deadlineMs: nowMs + minute }, ledger: [permit()] },              'defer lock 60 s'],
  ['what has no workload',                       { intent: drain, ledger: [permit()] },                                       'pass'],
  ['steering',                                   { intent: steer, ledger: [permit()] },                                       'pass'],
])('%s', (_name, asked, expected) => expect(short(workloadLock.ask(question(asked)))).toBe(expected))
