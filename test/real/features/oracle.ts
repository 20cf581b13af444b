// Rules by node-feature-discovery's own engine: a program of ours in Go around its package, a JSON line for each question.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { builtProgram } from '../clients/build.ts'
import type { Answer, Question } from './rule-questions.ts'

/** The module whose engine answers, as recordings name it. */
export const engine = 'sigs.k8s.io/node-feature-discovery v0.19.0, pkg/apis/nfd/nodefeaturerule'

/** Where an answer hangs on the order of Go's maps, it may be another each time: rules are asked so often. */
const rounds = 24

/**
 * All answers that the engine gives to each question: one, unless it looks at elements in an order of chance.
 *
 * @throws PartUnavailable where it cannot be built.
 */
export async function engineAnswers(questions: readonly Question[]): Promise<readonly (readonly Answer[])[]> {
  const program = await builtProgram(join(import.meta.dirname, 'oracle'), 'oracle')
  const seen = questions.map(() => new Map<string, Answer>())
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, line] of (await askedLines(program, questions)).entries()) {
      const { error, ...answer }: Answer = JSON.parse(line)
      const kept = error === undefined ? answer : { error: 'error', matched: false }
      seen[index]?.set(JSON.stringify(kept), kept)
    }
  }
  return seen.map(answers => [...answers.values()])
}

/** A line of answer for each question: what the program says to them as JSON. */
export async function askedLines(program: string, questions: readonly unknown[]): Promise<readonly string[]> {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(questions.map(question => `${JSON.stringify(question)}\n`).join(''))
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  const lines = said.trimEnd().split('\n')
  if (code !== 0 || lines.length !== questions.length)
    throw new Error(`the engine ended with ${code} after ${lines.length} of ${questions.length} answers`)
  return lines
}
