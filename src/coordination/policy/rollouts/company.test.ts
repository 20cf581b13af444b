import { expect, test } from 'vitest'
import {
  type Asked,
  drain,
  joinedBy,
  minute,
  nowMs,
  permit,
  question,
  reload,
  resize,
  second,
  short,
  single,
  toZero,
  waiting,
} from '../testdata/question.ts'
import { company } from './company.ts'

// biome-ignore format: a table
test.each<[string, Asked, string]>([
  ['a new size, just asked for',            { intent: resize },                                              'defer company 60 s'],
  ['after half a minute',                   { intent: resize, waitedMs: minute / 2 },                        'defer company 30 s'],
  ['a millisecond less than a minute',      { intent: resize, waitedMs: minute - 1 },                        'defer company 0.001 s'],
  ['after exactly a minute',                { intent: resize, waitedMs: minute },                            'pass'],
  ['with company already: more may come',   { intent: resize, pending: [waiting(minute, reload)] },          'defer company 60 s'],
  ['class 3',                               { intent: { ...resize, class: 'capacity' } },                    'defer company 60 s'],
  ['class 2 goes at once',                  { intent: { ...resize, class: 'availability' } },                'pass'],
  ['a rotated secret goes at once',         { intent: reload },                                              'pass'],
  ['a move that no plan made',              { intent: single },                                              'defer company 60 s'],
  ['a step of a plan',                      {},                                                              'pass'],
  ['a resize in place shares nothing',      { intent: { verb: 'resize', purpose: 'resize' } },               'pass'],
  ['a drain shares nothing',                { intent: drain },                                               'pass'],
  ['scaling shares nothing',                { intent: toZero },                                              'pass'],
  ['no time for it before the deadline',    { intent: { ...resize, deadlineMs: nowMs + 30 * second } },      'pass'],
  ['whatever the policy says',              { intent: resize, policy: { mergeWindowMs: 5 * second } },       'defer company 5 s'],
  ['not at all, if it says so',             { intent: resize, policy: { mergeWindowMs: 0 } },                'pass'],
  ['what a rollout left behind goes alone', { intent: resize, ledger: [permit({ dropped: [{ ...joinedBy(resize), message: 'no' }] })] }, 'pass'],
  ['what is out does not matter',           { intent: resize, ledger: [permit()] },                          'defer company 60 s'],
])('%s', (_name, asked, expected) => expect(short(company.ask(question(asked)))).toBe(expected))
