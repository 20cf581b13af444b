// Rules of node-feature-discovery: its own engine and ours over the same rules and features.

import type { Check } from '../check.ts'
import { engine, engineAnswers } from './oracle.ts'
import { isAmong, ourAnswer } from './our-answer.ts'
import { type Question, ruleQuestions } from './rule-questions.ts'
import { templateQuestions } from './template-questions.ts'

const count = 4_000

async function compared(what: string, questions: readonly Question[]): Promise<string> {
  const answers = await engineAnswers(questions)
  const differing = questions.filter((question, index) => !isAmong(ourAnswer(question), answers[index] ?? []))
  const [first] = differing
  if (first !== undefined)
    throw new Error(`${differing.length} of ${questions.length} ${what} differ, first ${JSON.stringify(first)}`)
  const several = answers.filter(all => all.length > 1).length
  return `${questions.length} ${what} answered as by ${engine}; to ${several} it gives several answers, by the order of Go's maps`
}

export function featureChecks(seed: number): readonly Check[] {
  return [
    { name: 'features: templates of rules', run: () => compared('templates', templateQuestions) },
    { name: 'features: rules by chance', run: () => compared('rules', ruleQuestions(seed, count)) },
  ]
}
