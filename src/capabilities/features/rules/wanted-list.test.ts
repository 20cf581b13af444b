// What workers are told is enough: by it rules come out as on all that was found, and it is small.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ruleQuestions } from '#test/real/features/rule-questions.ts'
import { vendorRules } from '#test/real/features/vendor-rules.ts'
import { type Rule, runRule } from '../matching/rule.ts'
import { RuleFailure } from '../matching/rule-failure.ts'
import { readFeatures, readRule } from './read-rule.ts'
import { covers, prunedSpec, referencesOf } from './references.ts'
import { featuresSchema, nodeFeatureSpec, ruleSchema } from './rule-schema.ts'
import { ofWorkers, readSpread, readWantedList, spreadOf, wantedList } from './wanted-list.ts'

const rule = (fields: object) => readRule(ruleSchema.parse({ name: 'r', ...fields }))
const heard = (rules: readonly Rule[]) => {
  const read = readWantedList(wantedList(referencesOf(rules)).text)
  if (!read.ok) throw new Error(read.why)
  return read
}

test('each rule by chance comes out on what is published for it as on everything', () => {
  for (const { rule: asked, features } of ruleQuestions(11, 500)) {
    const read = readRule(ruleSchema.parse(asked))
    const { references } = heard([read])
    expect(covers(references, ofWorkers(referencesOf([read])))).toBe(true)
    const { features: kept } = nodeFeatureSpec.parse(prunedSpec({ features }, references))
    const outcome = (of: typeof kept) => {
      try {
        const { looks: _, ...rest } = runRule(read, readFeatures(featuresSchema.parse(of ?? {})))
        return rest
      } catch (error) {
        if (error instanceof RuleFailure) return error.message
        throw error
      }
    }
    expect(outcome(kept), JSON.stringify(asked)).toEqual(outcome(featuresSchema.parse(features)))
  }
})

test('the same rules in another order are the same list, and who wrote it and who reads it say the same of which it is', () => {
  const rules = [
    rule({ matchFeatures: [{ feature: 'cpu.model', matchExpressions: { id: { op: 'Exists' }, family: { op: 'Exists' } } }] }),
    rule({ matchFeatures: [{ feature: 'pci.device', matchName: { op: 'InRegexp', value: ['^v'] } }] }),
  ]
  const one = wantedList(referencesOf(rules))
  expect(wantedList(referencesOf(rules.toReversed()))).toEqual(one)
  expect(heard(rules).digest).toBe(one.digest)
  expect(one.digest).toMatch(/^[0-9a-f]{16}$/)
})

test.each([
  ['a template that may name anything', [rule({ labelsTemplate: 'a=@cpu.model.id' })]],
  [
    'more than fits',
    Array.from({ length: 5_000 }, (_, at) =>
      rule({ matchFeatures: [{ feature: `some.feature-${at}`, matchExpressions: { element: { op: 'Exists' } } }] }),
    ),
  ],
])('with %s everything is published, and nothing says that it is less', (_what, rules) => {
  expect(wantedList(referencesOf(rules))).toEqual({ text: '*' })
  expect(heard(rules)).toEqual({ ok: true, references: undefined })
})

test('what the controller knows of a node is asked of no worker', () => {
  const { references } = heard([
    rule({ matchFeatures: [{ feature: 'node.label', matchExpressions: { zone: { op: 'Exists' } } }] }),
  ])
  expect([...(references?.keys() ?? [])]).toEqual(['system.name'])
})

test.each([['{'], ['[]'], ['{"a.b":{}}'], ['{"a.b":{"elements":[1],"names":[]}}'], ['null'], [''], ['x'.repeat(70_000)]])(
  'a list that cannot be read is none: %j',
  text => {
    expect(readWantedList(text)).toEqual({ ok: false, why: expect.stringMatching(/./) })
  },
)

test.each([
  ['100', 100],
  ['99999999', 30_000],
  ['-5', 0],
  ['1.5', 0],
  ['soon', 0],
  [undefined, 0],
])('workers follow within %j ms: %i', (text, ms) => {
  expect(readSpread(text)).toBe(ms)
})

test('the more nodes there are the longer workers take, up to a limit', () => {
  expect([1, 1_000, 5_000, 100_000].map(spreadOf)).toEqual([1, 1_000, 5_000, 30_000])
})

interface RecordedTree {
  readonly tree: string
  readonly spec: { readonly features: { readonly attributes?: object; readonly flags?: object } }
}

const { trees } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../../test/fixtures/features/trees.json'), 'utf8'),
) as { readonly trees: readonly RecordedTree[] }

/** As many options and modules as a distribution's kernel has. */
function withKernel({ spec }: RecordedTree): object {
  const options = Object.fromEntries(Array.from({ length: 9_000 }, (_, at) => [`OPTION_OF_THE_KERNEL_${at}`, 'y']))
  const modules = Object.fromEntries(Array.from({ length: 2_000 }, (_, at) => [`module_of_the_kernel_${at}`, {}]))
  const { features } = spec
  return {
    ...spec,
    features: {
      ...features,
      attributes: { ...features.attributes, 'kernel.config': { elements: options } },
      flags: { ...features.flags, 'kernel.enabledmodule': { elements: modules } },
    },
  }
}

test.each(trees)('of $tree with the rules of vendors at most 12 KB are published', tree => {
  const { references } = heard(vendorRules.flatMap(({ spec }) => spec.rules.map(one => readRule(ruleSchema.parse(one)))))
  const all = withKernel(tree)
  expect(JSON.stringify(all).length).toBeGreaterThan(200_000)
  expect(JSON.stringify(prunedSpec(all, references)).length).toBeLessThanOrEqual(12_288)
})
