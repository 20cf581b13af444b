// Solving a linear program in a process of its own. The limits are nodes and iterations, so that the same program gives the same
// answer on each machine; the clock only ends what hangs.

import { type ChildProcess, spawn } from 'node:child_process'
import { extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Writable } from 'node:stream'
import { type Clock, systemClock } from '#kube/clock.ts'
import type { Column, LinearModel, Row, Term } from '../model/linear-model.ts'

/** One objective in a sequence: each stage keeps what the integer stages before it have reached. */
export interface StagePlan {
  /** Name of an objective of the model. */
  readonly objective: string
  /** `relaxation`: integers may be fractions; its value bounds what any integer answer can reach. */
  readonly kind: 'relaxation' | 'integer'
  /** Branch and bound nodes. */
  readonly nodes: number
  /** What each column costs is asked for too; relaxations alone know it. */
  readonly hasReducedCosts?: boolean
}

export interface StageRequest {
  readonly name: string
  readonly kind: 'relaxation' | 'integer'
  readonly nodes: number
  readonly isWhole: boolean
  readonly hasReducedCosts: boolean
  readonly columns: readonly number[]
  readonly coefficients: readonly number[]
}

/** What goes to the solver's process; infinite bounds travel as null. */
export interface SolveRequest {
  readonly columns: readonly (Pick<Column, 'isInteger'> & { readonly lower: number | null; readonly upper: number | null })[]
  readonly rows: readonly (Pick<Row, 'columns' | 'coefficients'> & {
    readonly lower: number | null
    readonly upper: number | null
  })[]
  readonly stages: readonly StageRequest[]
  readonly start: readonly Term[]
  /** `seconds` is for a solver whose parent was killed: while it computes it hears of nothing. */
  readonly limits: { readonly iterations: number; readonly seconds: number }
}

export interface StageAnswer {
  readonly name: string
  readonly kind: 'relaxation' | 'integer'
  /** `limit`: stopped early, with `values` where something was found. */
  readonly status: 'optimal' | 'limit' | 'infeasible' | 'failed'
  readonly objective: number
  /** Proven: no answer is better than this. */
  readonly bound: number
  /** One for each column. Floating point: `14.99999` means 15. */
  readonly values?: readonly number[]
  /** By how much the objective rises at least for each one that a column at its lower bound is raised, one for each column. */
  readonly reducedCosts?: readonly number[]
}

export interface Solution {
  /** As far as the solver came; after a stage without values there is none. */
  readonly stages: readonly StageAnswer[]
  /** Words for a log where the process ended before its answer. */
  readonly failure?: string
  /** The most memory the solver's process held, in kilobytes; 0 where it did not say. */
  readonly peakKilobytes: number
}

interface SolveOptions {
  readonly stages: readonly StagePlan[]
  readonly start?: readonly Term[]
  readonly iterations?: number
}

/** Solves the stages in order. It rejects with the signal's reason only; what fails is said in the solution. */
export type SolveOnce = (model: LinearModel, options: SolveOptions, signal: AbortSignal) => Promise<Solution>

export interface Solve extends SolveOnce {
  /** One process for several models, one after the other, until it is disposed of. */
  session?(): SolveSession
}

interface SolveSession extends Disposable {
  readonly solve: SolveOnce
}

const defaultIterations = 2_000_000
const heapMegabytes = 1024
/** Ten times what V8 takes: before a small model has paid for optimized code it is solved; 40 MB less, and sooner. */
const tieringBudget = 130_000_000
const solverLimitMs = 60_000
/** A solver without its parent ends by itself, when that would have ended it and a little later: while there is one, this limit decides nothing. */
const orphanShare = 1.1

/** A solver with its own safety limit: after `safetySeconds` its process is ended and the solution is what had been answered. */
export function childSolver(options: {
  readonly clock: Clock
  readonly safetySeconds: number
}): Solve & { session(): SolveSession } {
  const session = () => new ChildSession(options)
  const once: SolveOnce = async (model, solveOptions, signal) => {
    using alone = session()
    return await alone.solve(model, solveOptions, signal)
  }
  return Object.assign(once, { session })
}

/** The solver of the product: HiGHS in a child process, at most a minute a model. */
export const solveInChild = childSolver({ clock: systemClock, safetySeconds: solverLimitMs / 1000 })

/** Keeps one process for models that are solved one after the other; one that ended is replaced for the next model. */
class ChildSession implements SolveSession {
  readonly #options: { readonly clock: Clock; readonly safetySeconds: number }
  #running: RunningSolver | undefined

  constructor(options: { readonly clock: Clock; readonly safetySeconds: number }) {
    this.#options = options
  }

  readonly solve: SolveOnce = async (model, options, signal) => {
    signal.throwIfAborted()
    const running = this.#running ?? startSolver()
    this.#running = running
    let failure: string | undefined
    const end = (why: string) => {
      failure ??= why
      running.child.kill('SIGKILL')
    }
    const { clock, safetySeconds } = this.#options
    const cancel = clock.schedule(safetySeconds * 1000, () => end(`no answer within ${safetySeconds} s`))
    const onAbort = () => end('aborted')
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const solution = await converse(running, requestOf(model, options, safetySeconds))
      if (solution.failure !== undefined) this[Symbol.dispose]()
      signal.throwIfAborted()
      return failure === undefined ? solution : { ...solution, failure }
    } finally {
      cancel()
      signal.removeEventListener('abort', onAbort)
    }
  };

  [Symbol.dispose](): void {
    this.#running?.child.kill('SIGKILL')
    this.#running = undefined
  }
}

interface RunningSolver {
  readonly child: ChildProcess
  readonly input: Writable
  readonly lines: AsyncIterator<string>
  /** How it ended: empty where it did so as it should. */
  readonly ended: Promise<string>
}

function startSolver(): RunningSolver {
  // Beside this file, in the source as in a bundle.
  const program = join(import.meta.dirname, `solver-process${extname(import.meta.filename)}`)
  const flags = [
    `--max-old-space-size=${heapMegabytes}`,
    `--wasm-tiering-budget=${tieringBudget}`,
    '--disable-warning=ExperimentalWarning',
  ]
  const child = spawn(process.execPath, [...flags, program], { stdio: ['pipe', 'pipe', 'pipe'], env: {}, windowsHide: true })
  const { stdin, stdout, stderr } = child
  let complaint = ''
  stderr.on('data', (chunk: Buffer) => {
    if (complaint.length < longestComplaint) complaint += chunk.toString('utf8')
  })
  // A process that ends early closes its input; that is said by how it ended.
  stdin.on('error', error => {
    complaint ||= error.message
  })
  const ended = new Promise<string>(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('close', (code, signal) =>
      resolve(`ended with ${signal ?? `code ${code}`} ${complaint.trim()}`.trim().slice(0, longestComplaint)),
    )
  })
  return { child, input: stdin, lines: createInterface({ input: stdout })[Symbol.asyncIterator](), ended }
}

const longestComplaint = 2_000

async function converse({ input, lines, ended }: RunningSolver, request: SolveRequest): Promise<Solution> {
  input.write(`${JSON.stringify(request)}\n`)
  const stages: StageAnswer[] = []
  for (;;) {
    const line = await lines.next()
    if (line.done === true) return { stages, peakKilobytes: 0, failure: await ended }
    // Our own program's output: a stage's answer, and last the memory it has taken so far.
    const said: StageAnswer | { readonly peakKilobytes: number } = JSON.parse(line.value)
    if ('peakKilobytes' in said) return { stages, peakKilobytes: said.peakKilobytes }
    stages.push(said)
  }
}

function requestOf(model: LinearModel, options: SolveOptions, safetySeconds: number): SolveRequest {
  const bounds = ({ lower, upper }: { readonly lower: number; readonly upper: number }) => ({
    lower: lower === -Infinity ? null : lower,
    upper: upper === Infinity ? null : upper,
  })
  return {
    columns: model.columns.map(column => ({ isInteger: column.isInteger, ...bounds(column) })),
    rows: model.rows.map(row => ({ columns: row.columns, coefficients: row.coefficients, ...bounds(row) })),
    stages: options.stages.flatMap((stage): StageRequest[] => {
      const objective = model.objectives.get(stage.objective)
      if (objective === undefined) return []
      const { columns, coefficients, isWhole } = objective
      const { kind, nodes, hasReducedCosts = false } = stage
      return [{ name: stage.objective, kind, nodes, hasReducedCosts, isWhole, columns, coefficients }]
    }),
    start: options.start ?? [],
    limits: { iterations: options.iterations ?? defaultIterations, seconds: safetySeconds * orphanShare },
  }
}
