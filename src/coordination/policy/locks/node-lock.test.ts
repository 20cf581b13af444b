import { expect, test } from 'vitest'
import {
  type Asked,
  doneFor,
  drain,
  elsewhere,
  hour,
  node,
  permit,
  question,
  reload,
  resize,
  short,
  steer,
  toZero,
} from '../testdata/question.ts'
import { nodeLock } from './node-lock.ts'

const draining = permit({ ...drain, name: 'drain-n1', batch: undefined, workload: undefined, nodes: ['n1'] })
const offGoing = permit({ ...drain, verb: 'terminate', name: 'terminate-n1', batch: undefined, workload: undefined, nodes: [] })
const move = permit({ ...elsewhere('blog'), nodes: ['n1'], relocation: { from: 'n1', to: ['n4', 'n5'] } })
const ofOther = { ...drain, requester: 'deschedule' } as const

// biome-ignore format: a table
test.each<[string, Asked, string]>([
  ['no node is being emptied',                       {},                                                                         'pass'],
  ['its pod stands on one that is',                  { ledger: [draining] },                                                     'defer node-lock 540 s'],
  ['... or is to come to it',                        { intent: { relocation: { from: 'n3', to: ['n1'] } }, facts: { nodes: ['n3'] }, ledger: [draining] }, 'defer node-lock 540 s'],
  ['... or could come to it as well',                { intent: { relocation: { from: 'n3', to: ['n2', 'n1'] } }, facts: { nodes: ['n3'] }, ledger: [draining] }, 'pass'],
  ['... or on one that is switched off',             { ledger: [offGoing] },                                                     'defer node-lock 540 s'],
  ['class 0 too',                                    { intent: { class: 'safety' }, ledger: [draining] },                        'defer node-lock 540 s'],
  ['another node is',                                { intent: { relocation: { from: 'n3', to: ['n2'] } }, facts: { nodes: ['n3'] }, ledger: [draining] }, 'pass'],
  ['it was',                                         { ledger: [{ ...draining, ...doneFor(hour) }] },                            'pass'],
  ['a rollout takes its pods off it as well',        { intent: reload, ledger: [draining] },                                     'pass'],
  ['a resize in place does not',                     { intent: { verb: 'resize', purpose: 'resize' }, ledger: [draining] },      'defer node-lock 540 s'],
  ['a resize by a rollout does',                     { intent: resize, ledger: [draining] },                                     'pass'],
  ['scaling is on no node',                          { intent: toZero, ledger: [draining] },                                     'pass'],
  ['a taint of somebody else',                       { intent: { ...steer, targets: [node('n1')] }, ledger: [draining] },        'defer node-lock 540 s'],
  ['who empties it switches it off',                 { intent: { ...drain, verb: 'terminate', idempotencyKey: 'off/n1' }, ledger: [draining] }, 'pass'],
  ['... nobody else does',                           { intent: { ...ofOther, verb: 'terminate' }, ledger: [draining] },          'defer node-lock 540 s'],
  ['... nor another batch',                          { intent: { ...drain, batch: 'energy-2' }, ledger: [draining] },            'defer node-lock 540 s'],
  ['a drain waits for a move off its node',          { intent: drain, ledger: [move] },                                          'defer node-lock 540 s'],
  ['... and for one that comes to it',               { intent: { ...drain, targets: [node('n4')] }, facts: { nodes: ['n4'] }, ledger: [move] }, 'defer node-lock 540 s'],
  ['... not for one that might',                     { intent: { ...drain, targets: [node('n5')] }, facts: { nodes: ['n5'] }, ledger: [move] }, 'pass'],
  ['... nor for a rollout',                          { intent: drain, ledger: [permit({ ...reload, nodes: ['n1'], batch: undefined })] }, 'pass'],
  ['... nor for steering',                           { intent: drain, ledger: [permit({ ...steer, targets: [node('n1')], workload: undefined, nodes: [] })] }, 'pass'],
  ['two moves off one node',                         { ledger: [move] },                                                         'pass'],
])('%s', (_name, asked, expected) => expect(short(nodeLock.ask(question(asked)))).toBe(expected))
