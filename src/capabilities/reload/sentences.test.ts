import { expect, test } from 'vitest'
import { actionSentence, decisionClause, outcomeSentence } from './sentences.ts'
import { sourceOutcomeCodes } from './sources/source-plan.ts'
import { source, workload } from './testdata/workloads.ts'

const { reference } = source()

test.each(sourceOutcomeCodes)('the outcome %s has a sentence of its own that names the source', code => {
  const sentence = outcomeSentence({ source: reference, code, decision: 'not-selected' })
  expect(sentence).toMatch(/^ConfigMap default\/app-config .*\.$/)
  const others = sourceOutcomeCodes.filter(other => other !== code)
  for (const other of others)
    expect(outcomeSentence({ source: reference, code: other, decision: 'not-selected' })).not.toBe(sentence)
})

test('a decision names the entry that it is for', () => {
  expect(decisionClause('named', 'app-.*')).toBe('an annotation names it (app-.*)')
})

test('more than three sources are counted', () => {
  const sources = ['a', 'b', 'c', 'd', 'e'].map(name => ({ ...reference, name }))
  expect(actionSentence(workload(), { kind: 'wait', untilMs: Number.POSITIVE_INFINITY, why: 'window', sources })).toBe(
    'Deployment default/web waits without end (for its reload window) for ConfigMap default/a, ConfigMap default/b, ConfigMap default/c and 2 more.',
  )
})
