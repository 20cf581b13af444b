import { expect, test } from 'vitest'
import type { Joined } from '../../permits/permit-record.ts'
import {
  type Asked,
  doneFor,
  elsewhere,
  hour,
  node,
  permit,
  question,
  reload,
  short,
  single,
  steer,
} from '../testdata/question.ts'
import { planLock } from './plan-lock.ts'

const running = (from: string, to: readonly string[]) => permit({ ...elsewhere('blog'), nodes: [from], relocation: { from, to } })
const steering = (name: string) => permit({ ...steer, batch: 'plan-0', targets: [node(name)], workload: undefined, nodes: [] })
const joined: Joined = {
  requester: 'deschedule',
  class: 'balance',
  verb: 'evict',
  purpose: 'move',
  reasons: [],
  idempotencyKey: 'plan-0/m09',
  change: undefined,
  relocation: { from: 'n1', to: ['n9'] },
}

// biome-ignore format: a table
test.each<[string, Asked, string]>([
  ['no plan runs',                                    {},                                                      'pass'],
  ['another plan empties its source',                 { ledger: [running('n1', ['n4'])] },                     'defer plan-lock 540 s'],
  ['another plan fills its source',                   { ledger: [running('n4', ['n1'])] },                     'defer plan-lock 540 s'],
  ['another plan fills its destination',              { ledger: [running('n4', ['n2'])] },                     'defer plan-lock 540 s'],
  ['another plan empties its destination',            { ledger: [running('n2', ['n4'])] },                     'defer plan-lock 540 s'],
  ['another plan could have filled it',               { ledger: [running('n4', ['n3', 'n2'])] },               'pass'],
  ['another plan steers around its source',           { ledger: [steering('n1')] },                            'defer plan-lock 540 s'],
  ["another plan's move goes along with a rollout",   { ledger: [permit({ ...elsewhere('blog'), joined: [joined] })] }, 'defer plan-lock 540 s'],
  ['another plan is busy elsewhere',                  { ledger: [running('n4', ['n3'])] },                     'pass'],
  ['another plan is done',                            { ledger: [{ ...running('n1', ['n2']), ...doneFor(hour) }] }, 'pass'],
  ['its own plan',                                    { ledger: [{ ...running('n1', ['n2']), batch: 'plan-1' }] }, 'pass'],
  ['what is no step of a plan is out',                { ledger: [{ ...running('n1', ['n2']), batch: undefined }] }, 'pass'],
  ['what is no step of a plan is wanted',             { intent: single, ledger: [running('n1', ['n2'])] },     'pass'],
  ['a rotated secret',                                { intent: reload, ledger: [running('n1', ['n2'])] },     'pass'],
  ['the other plan is more than class 5',             { intent: { class: 'correctness' }, ledger: [running('n1', ['n2'])] }, 'defer plan-lock 540 s'],
  ['steering where another plan moves',               { intent: steer, facts: { nodes: [] }, ledger: [running('n4', ['n3'])] }, 'defer plan-lock 540 s'],
])('%s', (_name, asked, expected) => expect(short(planLock.ask(question(asked)))).toBe(expected))
