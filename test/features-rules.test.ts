// Rules and templates, held to what node-feature-discovery's own engine answered.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isAmong, ourAnswer } from './real/features/our-answer.ts'
import { type Answer, ruleQuestions } from './real/features/rule-questions.ts'
import { templateQuestions } from './real/features/template-questions.ts'

interface Recorded {
  readonly templates: readonly (readonly Answer[])[]
  readonly seed: number
  readonly rules: readonly (readonly Answer[])[]
}

const file = join(import.meta.dirname, 'fixtures', 'features', 'rules.json')
const recorded: Recorded = JSON.parse(readFileSync(file, 'utf8'))

test('each template of the recording writes what it wrote there', () => {
  expect(templateQuestions).toHaveLength(recorded.templates.length)
  for (const [index, question] of templateQuestions.entries())
    expect(recorded.templates[index], JSON.stringify(question.rule['labelsTemplate'])).toContainEqual(ourAnswer(question))
})

test('each rule by chance comes out as recorded', () => {
  const questions = ruleQuestions(recorded.seed, recorded.rules.length)
  const differing = questions.filter((question, index) => !isAmong(ourAnswer(question), recorded.rules[index] ?? []))
  expect(differing).toEqual([])
  expect(recorded.rules.filter(([answer]) => answer?.matched === true).length).toBeGreaterThan(200)
})
