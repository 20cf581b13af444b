// What is wrong with something that came from outside, as data. Sentences are made once, here.

export interface Problem {
  /** A stable kebab-case word: `quantity-syntax`. The condition's and event's reason is its CamelCase. */
  readonly code: string
  /** File, document, object and field, as far as known: `cluster/nodes.yaml: document 3: Node talos00: status.allocatable.cpu`. */
  readonly where: string
  readonly found: string
  /** What would be right, as the end of `expected …`. */
  readonly expected: string
  /** Kubernetes' own sentence for it, where it has one: what an API server answers. */
  readonly message?: string
}

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem }

/** One line: where, found, expected, code. `found` is cut at 120 characters. */
export function problemSentence(problem: Problem): string {
  const found = problem.found.length > 120 ? `${problem.found.slice(0, 117)}...` : problem.found
  return `${problem.where}: found ${JSON.stringify(found)}, expected ${problem.expected} [${problem.code}]`
}

/** A user's mistake: every problem found, not only the first. The command line ends with 2 on it. */
export class InputError extends Error {
  override readonly name = 'InputError'
  readonly problems: readonly Problem[]
  constructor(problems: readonly Problem[]) {
    super(problems.map(problemSentence).join('\n'))
    this.problems = problems
  }
}
