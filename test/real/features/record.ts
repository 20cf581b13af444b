// Records what node-feature-discovery answers: `node test/real/features/record.ts [rules|trees|processors …]`, all without a name.
// Its engine on rules, its worker on trees of machines, its library on processors; each has a file in test/fixtures/features.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HostTree } from '#machines/host-tree.ts'
import { readCpuid } from '../../../src/capabilities/features/discovery/cpu/read-cpuid.ts'
import { engine, engineAnswers } from './oracle.ts'
import { comparable, library, libraryAnswers } from './processor-answers.ts'
import { processorQuestions, questionOf } from './processor-questions.ts'
import { ruleQuestions } from './rule-questions.ts'
import { templateQuestions } from './template-questions.ts'
import { trees } from './trees.ts'
import { worker, workerAnswer } from './worker-answer.ts'

const seed = 1
const directory = join(import.meta.dirname, '..', '..', 'fixtures', 'features')

/** One line for each key, and one for each entry of a list. */
function write(name: string, recorded: Readonly<Record<string, unknown>>): void {
  const lines = Object.entries({ command: `node test/real/features/record.ts ${name}`, ...recorded }).map(([key, value]) => {
    const text = Array.isArray(value)
      ? `[\n${value.map(one => `    ${JSON.stringify(one)}`).join(',\n')}\n  ]`
      : JSON.stringify(value)
    return `  ${JSON.stringify(key)}: ${text}`
  })
  writeFileSync(join(directory, `${name}.json`), `{\n${lines.join(',\n')}\n}\n`)
  console.log(`${name}.json`)
}

const recordings: Readonly<Record<string, () => Promise<Readonly<Record<string, unknown>>>>> = {
  rules: async () => ({
    engine,
    templates: await engineAnswers(templateQuestions),
    seed,
    rules: await engineAnswers(ruleQuestions(seed, 1_500)),
  }),
  trees: async () => {
    // The worker asks the processor that it runs on, whatever the tree says.
    const source = readCpuid(new HostTree({ hostPrefix: '/', ownRoot: '/' }), process.arch, what => console.error(what))
    if (source.kind !== 'registers') throw new Error(`the processor can be asked by ${source.way} only; its registers are needed`)
    const answers = []
    for (const tree of trees) {
      const { metadata, spec } = await workerAnswer(tree)
      answers.push({ tree: tree.name, labels: metadata.labels, spec })
    }
    return { worker, processor: questionOf(source), trees: answers }
  },
  processors: async () => {
    const answers = await libraryAnswers(processorQuestions(seed, 250))
    return { library, seed, processors: answers.map(comparable) }
  },
}

const asked = process.argv.slice(2)
const unknown = asked.find(name => recordings[name] === undefined)
if (unknown !== undefined) throw new Error(`there is no recording ${unknown}: ${Object.keys(recordings).join(', ')}`)
for (const [name, record] of Object.entries(recordings))
  if (asked.length === 0 || asked.includes(name)) write(name, await record())
