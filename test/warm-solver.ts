// One solver's process for the models of a test file: a start costs more than a small model, and most where the process that starts it is large.
import { solveInChild } from '../src/planning/solving/solve.ts'

type Session = ReturnType<typeof solveInChild.session>

let session: Session | undefined
let before: Promise<unknown> = Promise.resolve()

/** The product's solver in a process that is kept until `endWarmSolver`; models that are given at once are solved one after the other. */
export const warmSolve: Session['solve'] = (model, options, signal) => {
  const solution = before.then(() => {
    session ??= solveInChild.session()
    return session.solve(model, options, signal)
  })
  // The next one waits for this one's end, whatever that is; who asked hears of it.
  before = solution.catch(() => undefined)
  return solution
}

/** Ends the process, where there is one. The set-up of tests calls it after each file, so that what it spent is the file's. */
export function endWarmSolver(): void {
  session?.[Symbol.dispose]()
  session = undefined
}
