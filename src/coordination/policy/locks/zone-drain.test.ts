import { expect, test } from 'vitest'
import { type Asked, doneFor, drain, hour, node, permit, question, short } from '../testdata/question.ts'
import { zoneDrain } from './zone-drain.ts'

const zones = { n1: 'a', n2: 'a', n3: 'b', n4: '', n5: '' }
const draining = (name: string) =>
  permit({
    ...drain,
    name: `drain-${name}`,
    targets: [node(name)],
    workload: undefined,
    nodes: [name],
    idempotencyKey: `drain/${name}`,
    batch: 'energy',
  })
const wanting = (name: string, change: object = {}): Asked => ({
  intent: { ...drain, requester: 'deschedule', targets: [node(name)], ...change },
  facts: { nodes: [name], zones },
})

// biome-ignore format: a table
test.each<[string, Asked, string]>([
  ['no other drain',                             wanting('n1'),                                                        'pass'],
  ['one in its zone',                            { ...wanting('n1'), ledger: [draining('n2')] },                       'defer zone-drain 540 s'],
  ['... that is over',                           { ...wanting('n1'), ledger: [{ ...draining('n2'), ...doneFor(hour) }] }, 'pass'],
  ['one in another zone',                        { ...wanting('n1'), ledger: [draining('n3')] },                       'pass'],
  ['one on the very node',                       { ...wanting('n1'), ledger: [draining('n1')] },                       'pass'],
  ['nodes without a zone are one zone',          { ...wanting('n4'), ledger: [draining('n5')] },                       'defer zone-drain 540 s'],
  ['... of which nodes with a zone are none',    { ...wanting('n4'), ledger: [draining('n3')] },                       'pass'],
  ['a node nobody knows has no zone',            { ...wanting('n4'), ledger: [draining('constructor')] },              'defer zone-drain 540 s'],
  ['class 0 too',                                { ...wanting('n1', { class: 'safety' }), ledger: [draining('n2')] },  'defer zone-drain 540 s'],
  ["a NodePool's drain has its own budgets",     { ...wanting('n1', { requester: 'provision' }), ledger: [draining('n2')] }, 'pass'],
  ['an eviction is no drain',                    { facts: { nodes: ['n1'], zones }, ledger: [draining('n2')] },        'pass'],
])('%s', (_name, asked, expected) => expect(short(zoneDrain.ask(question(asked)))).toBe(expected))
