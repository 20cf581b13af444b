// What our engine answers, in the words of the recording.

import { runRule } from '../../../src/capabilities/features/matching/rule.ts'
import { RuleFailure } from '../../../src/capabilities/features/matching/rule-failure.ts'
import { readFeatures, readRule } from '../../../src/capabilities/features/rules/read-rule.ts'
import { featuresSchema, ruleSchema } from '../../../src/capabilities/features/rules/rule-schema.ts'
import type { Answer, Question } from './rule-questions.ts'

/** Our answer; of an error only that there is one. */
export function ourAnswer({ rule, features }: Question): Answer {
  try {
    const { matched, labels, vars } = runRule(readRule(ruleSchema.parse(rule)), readFeatures(featuresSchema.parse(features)))
    if (!matched) return { matched }
    return {
      matched,
      ...(labels.size > 0 ? { labels: Object.fromEntries(labels) } : {}),
      ...(vars.size > 0 ? { vars: Object.fromEntries(vars) } : {}),
    }
  } catch (error) {
    if (error instanceof RuleFailure) return { error: 'error', matched: false }
    throw error
  }
}

/** Whether `ours` is one of the answers that the real engine gives. */
export function isAmong(ours: Answer, answers: readonly Answer[]): boolean {
  return answers.some(answer => sorted(answer) === sorted(ours))
}

function sorted({ error, matched, labels, vars }: Answer): string {
  const pairs = (values: Readonly<Record<string, string>> | undefined) => Object.entries(values ?? {}).sort()
  return JSON.stringify([error !== undefined, matched, pairs(labels), pairs(vars)])
}
