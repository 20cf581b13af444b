import { describe, expect, test } from 'vitest'
import type { DisruptionClass } from '../../intent.ts'
import {
  type Asked,
  doneFor,
  elsewhere,
  hour,
  minute,
  nowMs,
  permit,
  question,
  reload,
  resize,
  seen,
  short,
  toZero,
  upscale,
} from '../testdata/question.ts'
import { coolDown } from './cool-down.ts'

describe('how long a workload is left alone depends on who asks', () => {
  // biome-ignore format: a table
  test.each<[DisruptionClass, number]>([
    ['balance', 6 * hour], ['cost', 2 * hour], ['capacity', 15 * minute], ['availability', 30 * minute], ['correctness', 0], ['safety', 0],
  ])('%s', (name, ms) => {
    const answerAfter = (ago: number) => short(coolDown.ask(question({ intent: { class: name }, ledger: [permit(doneFor(ago))] })))
    expect(answerAfter(ms)).toBe('pass')
    if (ms === 0) return
    expect(answerAfter(ms - 1)).toBe('defer cool-down 0.001 s')
    expect(answerAfter(0)).toBe(`defer cool-down ${ms / 1000} s`)
  })
})

describe('what counts', () => {
  const ago = doneFor(hour)
  // biome-ignore format: a table
  test.each<[string, Asked, string]>([
    ['nothing happened',                           {},                                                                     'pass'],
    ['another plan moved it',                      { ledger: [permit(ago)] },                                              'defer cool-down 18000 s'],
    ['its own plan moved it',                      { ledger: [permit({ ...ago, batch: 'plan-1' })] },                      'pass'],
    ['both did',                                   { ledger: [permit(ago), permit({ ...doneFor(minute), batch: 'plan-1' })] }, 'defer cool-down 18000 s'],
    ['a secret restarted it',                      { ledger: [permit({ ...reload, ...ago, batch: undefined })] },          'defer cool-down 18000 s'],
    ['a wish without a batch',                     { intent: { ...resize, class: 'balance' }, ledger: [permit({ ...ago, batch: undefined })] }, 'defer cool-down 18000 s'],
    ['the last one counts',                        { ledger: [permit(doneFor(minute)), permit(ago)] },                     'defer cool-down 21540 s'],
    ['the server refused it',                      { ledger: [permit({ ...ago, ending: 'failed' })] },                     'pass'],
    ['it failed after the pod was gone',           { ledger: [permit({ ...ago, ending: 'failed', landing: 'pending' })] }, 'defer cool-down 18000 s'],
    ['nobody knows what became of it',             { ledger: [permit({ ...ago, ending: 'expired' })] },                    'defer cool-down 18000 s'],
    ['nothing had happened',                       { ledger: [permit({ ...ago, ending: 'withdrawn' })] },                  'pass'],
    ['its release is no time: the server says when it was made', { ledger: [permit({ ...ago, releasedAtMs: Number.NaN })] }, 'defer cool-down 18000 s'],
    ['its release is yet to come: likewise',       { ledger: [permit({ ...ago, releasedAtMs: nowMs + 9000 * hour })] },    'defer cool-down 18000 s'],
    ['all of it is yet to come: the clock was set back', { ledger: [permit(doneFor(-hour))] },                             'defer cool-down 21600 s'],
    ['it is still out: that is the lock',          { ledger: [permit()] },                                                 'pass'],
    ['it was scaled',                              { ledger: [permit({ ...toZero, ...ago, batch: undefined })] },          'pass'],
    ['another workload',                           { ledger: [permit({ ...elsewhere('blog'), ...ago })] },                 'pass'],
    ['a kubelet evicted a pod',                    { observed: [seen(hour)] },                                             'defer cool-down 18000 s'],
    ['GitOps rolled it out',                       { observed: [seen(hour, { kind: 'rollout', by: 'kustomize-controller' })] }, 'defer cool-down 18000 s'],
    ['somebody drained a node of its',             { observed: [seen(hour, { kind: 'drain', by: 'kubectl drain' })] },         'defer cool-down 18000 s'],
    ['somebody scaled it',                         { observed: [seen(hour, { kind: 'scaled' })] },                         'pass'],
    ["another workload's pod was evicted",         { observed: [seen(hour, { workload: 'shop/Deployment/blog' })] },       'pass'],
    ['others did later than we',                   { ledger: [permit(ago)], observed: [seen(minute)] },                    'defer cool-down 21540 s'],
    ['others did earlier than we',                 { ledger: [permit(ago)], observed: [seen(2 * hour)] },                  'defer cool-down 18000 s'],
    ["KEDA's scaling to 0",                        { intent: toZero, facts: { owner: { value: 'keda', source: 'scaler' } }, observed: [seen(minute)] }, 'pass'],
    ["another's scaling to 0",                     { intent: toZero, observed: [seen(minute)] },                           'defer cool-down 7140 s'],
    ['scaling up',                                 { intent: { ...upscale, class: 'balance' }, observed: [seen(minute)] }, 'pass'],
  ])('%s', (_name, asked, expected) => expect(short(coolDown.ask(question(asked)))).toBe(expected))
})

test('who did it is named', () => {
  expect(coolDown.ask(question({ ledger: [permit(doneFor(hour))] }))).toMatchObject({
    objection: { cause: { kind: 'permit', permit: 'evict-cart-b-1000001', requester: 'deschedule' } },
    untilMs: nowMs + 5 * hour,
  })
  expect(coolDown.ask(question({ observed: [seen(hour)] }))).toMatchObject({
    objection: { cause: { kind: 'observed', observation: { by: 'kubelet (memory pressure)' } } },
  })
})
