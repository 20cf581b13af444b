// What is found on a machine, held to what node-feature-discovery's own worker published of the same trees, and its library of the same processors.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ourDiscovery, withAcceptedDifferences, withoutOwnTopology } from './real/features/our-discovery.ts'
import { comparable, ourProcessor, registersOf } from './real/features/processor-answers.ts'
import { type ProcessorAnswer, type ProcessorQuestion, processorQuestions } from './real/features/processor-questions.ts'
import { trees } from './real/features/trees.ts'
import type { PublishedSpec } from './real/features/worker-answer.ts'

function recording<Recorded>(name: string): Recorded {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures', 'features', `${name}.json`), 'utf8'))
}

const { processor, trees: published } = recording<{
  readonly processor: ProcessorQuestion
  readonly trees: readonly { readonly tree: string; readonly spec: PublishedSpec }[]
}>('trees')

test.each(trees)('of the tree $name the worker publishes what upstream’s does: $about', tree => {
  const recorded = published.find(one => one.tree === tree.name)
  expect(recorded, `${tree.name} is not recorded`).toBeDefined()
  if (recorded === undefined) return
  const { spec } = ourDiscovery(tree, 'machine', registersOf(processor))
  expect(withoutOwnTopology(spec)).toEqual(withAcceptedDifferences(tree.name, recorded.spec))
})

test('each recorded tree is still one of the trees', () => {
  expect(published.map(({ tree }) => tree)).toEqual(trees.map(({ name }) => name))
})

test('each processor by chance has the flags, family and caches of enclaves that the library reads', () => {
  const recorded = recording<{ readonly seed: number; readonly processors: readonly ProcessorAnswer[] }>('processors')
  const questions = processorQuestions(recorded.seed, recorded.processors.length)
  const answers = questions.map(question => comparable(ourProcessor(question)))
  expect(answers).toEqual(recorded.processors)
  expect(new Set(answers.flatMap(({ flags }) => flags.split(' '))).size).toBeGreaterThan(180)
})
