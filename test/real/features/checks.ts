// node-feature-discovery and ours over the same: rules and features, trees of machines, processors.

import { isDeepStrictEqual } from 'node:util'
import { HostTree } from '#machines/host-tree.ts'
import { readCpuid } from '../../../src/capabilities/features/discovery/cpu/read-cpuid.ts'
import type { Check } from '../check.ts'
import { featuresInPods } from './in-pods.ts'
import { comparedLabels } from './labels.ts'
import { engine, engineAnswers } from './oracle.ts'
import { isAmong, ourAnswer } from './our-answer.ts'
import { ourDiscovery, withAcceptedDifferences, withoutOwnTopology } from './our-discovery.ts'
import { comparable, library, libraryAnswers, ourProcessor } from './processor-answers.ts'
import { processorQuestions } from './processor-questions.ts'
import { type Question, ruleQuestions } from './rule-questions.ts'
import { templateQuestions } from './template-questions.ts'
import { comparedTopologies } from './topologies.ts'
import { trees } from './trees.ts'
import { nodeName, worker, workerAnswer } from './worker-answer.ts'

const count = 4_000
const processorCount = 4_000

async function compared(what: string, questions: readonly Question[]): Promise<string> {
  const answers = await engineAnswers(questions)
  const differing = questions.filter((question, index) => !isAmong(ourAnswer(question), answers[index] ?? []))
  const [first] = differing
  if (first !== undefined)
    throw new Error(`${differing.length} of ${questions.length} ${what} differ, first ${JSON.stringify(first)}`)
  const several = answers.filter(all => all.length > 1).length
  return `${questions.length} ${what} answered as by ${engine}; to ${several} it gives several answers, by the order of Go's maps`
}

/** The worker of upstream on each tree, asked anew, and ours, on the processor of this machine. */
async function comparedTrees(): Promise<string> {
  const cpuid = readCpuid(new HostTree({ hostPrefix: '/', ownRoot: '/' }), process.arch, () => undefined)
  const differing: string[] = []
  for (const tree of trees) {
    const { spec } = await workerAnswer(tree)
    const wanted = withAcceptedDifferences(tree.name, spec)
    const ours = withoutOwnTopology(ourDiscovery(tree, nodeName, cpuid).spec)
    if (!isDeepStrictEqual({ features: ours.features, labels: ours.labels ?? {} }, wanted)) differing.push(tree.name)
  }
  if (differing.length > 0) throw new Error(`what is published of these trees differs: ${differing.join(', ')}`)
  return `${trees.length} trees published as by ${worker}; the processor was asked by ${cpuid.way}`
}

async function comparedProcessors(seed: number): Promise<string> {
  const questions = processorQuestions(seed, processorCount)
  const answers = (await libraryAnswers(questions)).map(comparable)
  const differing = questions.filter((question, at) => !isDeepStrictEqual(comparable(ourProcessor(question)), answers[at]))
  const [first] = differing
  if (first !== undefined) throw new Error(`${differing.length} processors differ, first ${JSON.stringify(first)}`)
  const flags = new Set(answers.flatMap(answer => answer.flags.split(' ')))
  return `${questions.length} processors read as by ${library}, ${flags.size} flags among them`
}

export function featureChecks(seed: number): readonly Check[] {
  return [
    { name: 'features: templates of rules', run: () => compared('templates', templateQuestions) },
    { name: 'features: labels on the real control plane, by nfd-master and by ours', run: comparedLabels },
    { name: 'features: in pods of a real kubelet', run: featuresInPods },
    { name: 'features: trees of machines', run: comparedTrees },
    { name: 'features: topologies of nodes', run: () => comparedTopologies(seed) },
    { name: 'features: processors by chance', run: () => comparedProcessors(seed) },
    { name: 'features: rules by chance', run: () => compared('rules', ruleQuestions(seed, count)) },
  ]
}
