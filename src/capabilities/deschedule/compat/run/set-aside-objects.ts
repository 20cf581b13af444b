// Objects that no cycle sees, since what they say cannot be: each is told once, and how many there are in every cycle.
import type { ClusterProblem } from '#cluster/cluster-checks.ts'
import { problemSentence } from '#kube/problem.ts'
import type { DeschedulerLog } from './descheduler-log.ts'

/** Lines in a cycle; the others have their turn in the next ones. */
const mostLines = 20
/** Longer ones are cut, in characters. */
const longestSentence = 400

export class SetAsideObjects {
  readonly #log: Pick<DeschedulerLog, 'told' | 'warned'>
  /** What was told and is still so: what comes back is told anew. */
  #told: ReadonlySet<string> = new Set()

  constructor(log: Pick<DeschedulerLog, 'told' | 'warned'>) {
    this.#log = log
  }

  /** Before each cycle, with what is wrong with the objects that it does not see. */
  tell(problems: readonly ClusterProblem[]): void {
    const told = new Set<string>()
    let lines = 0
    for (const problem of problems) {
      const sentence = problemSentence(problem).slice(0, longestSentence)
      if (!this.#told.has(sentence) && !told.has(sentence)) {
        if (lines === mostLines) continue
        lines++
        this.#log.warned('An object is set aside: no strategy sees it', { why: sentence })
      }
      told.add(sentence)
    }
    this.#told = told
    if (problems.length > 0) this.#log.told(1, 'Objects are set aside', { problems: problems.length, told: told.size })
  }
}
