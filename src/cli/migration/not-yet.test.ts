import { expect, test } from 'vitest'
import { notYet } from './not-yet.ts'

test.each([
  ['descheduler', 'keep its chart as it is, without a RebalancePolicy beside it'],
  ['reload', 'the name of the upstream'],
  ['mirror', 'or spegel: the name of the upstream'],
  ['keda', 'does not replace KEDA yet: keep it as it is'],
  ['relaoder', 'found "relaoder", expected reloader'],
  ['thing', 'the only upstream that can be moved so far'],
])('%s', (name, words) => {
  const said = notYet(name)
  expect(said).toContain(words)
  expect(said).toMatch(/^found ".*", expected reloader/)
})
