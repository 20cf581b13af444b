import { expect, test } from 'vitest'
import { question, short } from '../testdata/question.ts'
import { leastReplicas } from './least-replicas.ts'

// biome-ignore format: a table
test.each<[string, number | undefined, number | undefined, string]>([
  ['nobody asks for any',     undefined,  1,          'pass'],
  ['one less than asked for', 2,          1,          'deny least-replicas'],
  ['exactly as many',         2,          2,          'pass'],
  ['more',                    2,          3,          'pass'],
  ['a kind without replicas', 2,          undefined,  'pass'],
])('%s', (_name, least, replicas, expected) => {
  const intent = least === undefined ? {} : { leastReplicas: least }
  expect(short(leastReplicas.ask(question({ intent, facts: { replicas } })))).toBe(expected)
})
