import { describe, expect, test } from 'vitest'
import type { Intent } from '../../intent.ts'
import {
  type Asked,
  deployment,
  doneFor,
  drain,
  elsewhere,
  minute,
  node,
  permit,
  pod,
  question,
  reload,
  resize,
  short,
  single,
  steer,
  toZero,
  waiting,
} from '../testdata/question.ts'
import { overtaken } from './overtaken.ts'

/** A move of another workload, in another namespace and off another node. */
function other(change: Partial<Intent> = {}): Partial<Intent> {
  const target = { ...pod('blog'), namespace: 'web' }
  return {
    ...single,
    class: 'capacity',
    idempotencyKey: 'other',
    workload: deployment('blog', 'web'),
    targets: [target],
    disrupts: [target],
    relocation: { from: 'n4', to: ['n3'] },
    ...change,
  }
}
const alone = { intent: single } as const
const waitsFor = (rule: 'cap' | 'lock' | 'cool-down' | 'window' | 'company' | 'overtaken', change: Partial<Intent> = {}) => [
  waiting(minute, other(change), rule),
]
const nodes = (nodeCount: number) => ({ facts: { nodeCount } })

describe('room in the cluster goes to who waits for it in the better place', () => {
  // biome-ignore format: a table
  test.each<[string, Asked, string]>([
    ['nobody waits',                              { ...alone },                                                              'pass'],
    ['a more urgent one waits for room',          { ...alone, pending: waitsFor('cap') },                                    'defer overtaken 5 s'],
    ['... or for another that does',              { ...alone, pending: waitsFor('overtaken') },                              'defer overtaken 5 s'],
    ['... and there is room for both',            { ...alone, ...nodes(20), pending: waitsFor('cap') },                      'pass'],
    ['... for two of three',                      { ...alone, ...nodes(20), pending: [...waitsFor('cap'), ...waitsFor('cap', { idempotencyKey: 'third' })] }, 'defer overtaken 5 s'],
    ['a less urgent one waits',                   { ...alone, pending: waitsFor('cap', { class: 'balance', idempotencyKey: 'z' }), waitedMs: 2 * minute }, 'pass'],
    ['one of its class waits longer',             { ...alone, pending: waitsFor('cap', { class: 'balance' }) },              'defer overtaken 5 s'],
    ['it waits for time to pass',                 { ...alone, pending: waitsFor('cool-down') },                              'pass'],
    ['it waits for its window',                   { ...alone, pending: waitsFor('window') },                                 'pass'],
    ['it waits for company',                      { ...alone, pending: waitsFor('company') },                                'pass'],
    ['its namespace is full anyway',              { ...alone, ...nodes(40), pending: waitsFor('cap'), ledger: [1, 2].map(index => permit(elsewhere(`w${index}`))), policy: { caps: { concurrent: 3, perHour: 30, perNamespace: 2, perSourceNode: 9, perDestination: 9 } } }, 'pass'],
    ['its rollout takes no room',                 { ...alone, pending: waitsFor('cap', { ...reload, workload: deployment('blog', 'web') }) }, 'pass'],
    ['a rotated secret takes no room',            { intent: { ...reload, class: 'correctness' }, pending: waitsFor('cap', { class: 'safety' }) }, 'pass'],
    ['it shares a namespace of which one is left', { ...alone, ...nodes(40), pending: waitsFor('cap', { targets: [pod('blog')] }), ledger: [permit({ ...elsewhere('w', 'shop'), workload: 'shop/Deployment/w' })] }, 'defer overtaken 5 s'],
    ['... of which two are',                      { ...alone, ...nodes(40), pending: waitsFor('cap', { targets: [pod('blog')] }) }, 'pass'],
    ['in coordinate caps hold nobody',            { ...alone, pending: waitsFor('cap'), policy: { modes: { deschedule: 'coordinate' } } }, 'pass'],
    ['steering takes nothing',                    { intent: steer, pending: waitsFor('cap', { batch: 'plan-1' }) },          'pass'],
  ])('%s', (_name, asked, expected) => expect(short(overtaken.ask(question(asked)))).toBe(expected))

  test('the last of an hour goes to who waits for it', () => {
    const used = Array.from({ length: 29 }, () => permit({ ...elsewhere('w'), ...doneFor(0), batch: undefined }))
    const asked = { ...alone, ...nodes(40), pending: waitsFor('cap') }
    expect(short(overtaken.ask(question({ ...asked, ledger: used })))).toBe('defer overtaken 5 s')
    expect(short(overtaken.ask(question({ ...asked, ledger: used.slice(1) })))).toBe('pass')
  })
})

describe('what locks goes to who waits for it in the better place', () => {
  const sameWorkload = { ...toZero, requester: 'other', class: 'capacity' } as const
  const plan = (change: Partial<Intent>) => [waiting(minute, other({ batch: 'plan-0', ...change }), 'plan-lock')]
  const energy = { ...drain, requester: 'deschedule', targets: [node('n9')], disrupts: [] } as const
  // biome-ignore format: a table
  test.each<[string, Asked, string]>([
    ['its workload',                                 { ...alone, pending: [waiting(minute, sameWorkload)] },                        'defer overtaken 5 s'],
    ['... also in coordinate',                       { ...alone, pending: [waiting(minute, sameWorkload)], policy: { modes: { deschedule: 'coordinate' } } }, 'defer overtaken 5 s'],
    ['another workload',                             { ...alone, pending: waitsFor('lock') },                                       'pass'],
    ['who goes along is in nobody\'s way',           { intent: reload, pending: [waiting(minute, { ...resize, class: 'safety' })] }, 'pass'],
    ['... who goes along in observe does not',       { intent: { ...resize, class: 'capacity' }, pending: [waiting(minute, { ...reload })], policy: { modes: { reload: 'observe' } } }, 'defer overtaken 5 s'],
    ['a node of another plan',                       { pending: plan({ relocation: { from: 'n1', to: ['n3'] } }) },                 'defer overtaken 5 s'],
    ['... of a plan that is less urgent',            { pending: plan({ relocation: { from: 'n1', to: ['n3'] }, class: 'balance' }), waitedMs: 2 * minute }, 'pass'],
    ['... of its own plan',                          { pending: [waiting(minute, other({ batch: 'plan-1', relocation: { from: 'n1', to: ['n3'] } }), 'lock')] }, 'pass'],
    ['... which a running plan keeps from it yet',   { pending: plan({ relocation: { from: 'n1', to: ['n3'] }, class: 'safety' }), ledger: [permit({ ...elsewhere('w'), batch: 'plan-1', nodes: ['n1'] })] }, 'pass'],
    ['... for what is no step of a plan',            { ...alone, pending: plan({ relocation: { from: 'n1', to: ['n3'] } }) },       'pass'],
    ['a node that is to be emptied',                 { ...alone, pending: [waiting(minute, { ...drain, class: 'capacity' }, 'node-lock')] }, 'defer overtaken 5 s'],
    ['... which a rollout does not mind',            { intent: reload, pending: [waiting(minute, { ...drain, class: 'safety' }, 'node-lock')] }, 'pass'],
    ['... that is in the hands of a third yet',      { ...alone, pending: [waiting(minute, { ...drain, class: 'capacity' }, 'node-lock')], ledger: [permit({ ...drain, verb: 'terminate', requester: 'third', batch: undefined, workload: undefined })] }, 'pass'],
    ['who empties a node ends it, whoever waits for it', { intent: { ...drain, verb: 'terminate' }, pending: [waiting(minute, { ...single, class: 'safety' }, 'node-lock')], ledger: [permit({ ...drain, batch: undefined, workload: undefined })] }, 'pass'],
    ['... another one',                              { ...alone, pending: [waiting(minute, { ...drain, class: 'capacity', targets: [node('n9')] }, 'node-lock')] }, 'pass'],
    ['a zone that is to lose another node',          { intent: energy, facts: { nodes: ['n9'], zones: { n8: 'a', n9: 'a' } }, pending: [waiting(minute, { ...energy, targets: [node('n8')], idempotencyKey: 'd8', class: 'capacity' }, 'zone-drain')] }, 'defer overtaken 5 s'],
    ['... another zone',                             { intent: energy, facts: { nodes: ['n9'], zones: { n8: 'b', n9: 'a' }, nodeCount: 40 }, pending: [waiting(minute, { ...energy, targets: [node('n8')], idempotencyKey: 'd8', class: 'capacity' }, 'zone-drain')] }, 'pass'],
  ])('%s', (_name, asked, expected) => expect(short(overtaken.ask(question(asked)))).toBe(expected))
})

test('of all that wait one is always let through', () => {
  const wishes = [
    other(),
    other({ class: 'balance', idempotencyKey: 'b' }),
    single,
    { ...resize, class: 'availability' },
  ] as const
  const pending = wishes.map((wish, index) => waiting((index + 1) * minute, wish, 'cap'))
  const answers = pending.map(own =>
    short(
      overtaken.ask({
        ...question({ pending: pending.filter(one => one !== own) }),
        intent: own.intent,
        firstAskedMs: own.firstAskedMs,
      }),
    ),
  )
  expect(answers.filter(answer => answer === 'pass')).toHaveLength(1)
})
