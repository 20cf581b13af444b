// Rules as files on nodes and the configuration of workers write them: as in NodeFeatureRules, and shorter.

import { parseDocument } from 'yaml'
import * as z from 'zod'
import { messageOf } from '#kube/log.ts'
import { type Problem, problemSentence } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { operators } from '../matching/expression.ts'
import type { Rule } from '../matching/rule.ts'
import { readRule } from '../rules/read-rule.ts'

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String)
const values = z.union([scalar.transform(value => [value]), z.array(scalar)])

const wholeExpression = z.strictObject({
  op: z.enum(operators),
  value: values.optional(),
  type: z.enum(['', 'version']).optional(),
})

type Expression = z.output<typeof wholeExpression>

/** A value or a list of them stands for `In`. */
const expression = z.union([
  wholeExpression,
  scalar.transform((value): Expression => ({ op: 'In', value: [value] })),
  z.array(scalar).transform((value): Expression => ({ op: 'In', value })),
])

/** Names alone stand for `Exists`, `name=value` for `In`. */
const expressions = z.union([
  z.array(z.string()).transform(lines => Object.fromEntries(lines.map(shortExpression))),
  z
    .record(z.string(), expression.nullable())
    .transform(all => Object.fromEntries(Object.entries(all).map(([name, one]) => [name, one ?? exists]))),
])

const exists: Expression = { op: 'Exists' }

function shortExpression(line: string): readonly [string, Expression] {
  const sign = line.indexOf('=')
  return sign === -1 ? [line, exists] : [line.slice(0, sign), { op: 'In', value: [line.slice(sign + 1)] }]
}

const term = z.strictObject({
  feature: z.string(),
  matchExpressions: expressions.nullish(),
  matchName: expression.nullish(),
})

const names = z.record(z.string(), z.string())

const workerRule = z.strictObject({
  name: z.string(),
  labels: names.optional(),
  labelsTemplate: z.string().optional(),
  vars: names.optional(),
  varsTemplate: z.string().optional(),
  matchFeatures: z.array(term).optional(),
  matchAny: z.array(z.strictObject({ matchFeatures: z.array(term) })).optional(),
})

/** A list of rules; a key that none has is a mistake. */
export const workerRulesSchema = z.array(workerRule)

/** The rules as they are evaluated. */
export function workerRules(rules: z.output<typeof workerRulesSchema>): readonly Rule[] {
  return rules.map(readRule)
}

/** The rules of a file; what is wrong with it is one sentence, and then it counts for nothing. */
export function readRulesFile(text: string, path: string): { readonly rules: readonly Rule[]; readonly problem?: string } {
  let content: unknown
  try {
    const document = parseDocument(text, { prettyErrors: false, uniqueKeys: true })
    const [error] = document.errors
    if (error !== undefined) return { rules: [], problem: error.message }
    content = document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    return { rules: [], problem: messageOf(error) }
  }
  const read = checkAgainst(workerRulesSchema, content ?? [], path)
  if (read.ok) return { rules: workerRules(read.value) }
  return { rules: [], problem: read.problems.map((problem: Problem) => problemSentence(problem)).join('; ') }
}
