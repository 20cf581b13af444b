// Solving a linear program in a process of its own. The limits are nodes and iterations, so that the same program gives the same
// answer on each machine; the clock only ends what hangs.

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { type Clock, systemClock } from '#kube/clock.ts'
import type { Column, LinearModel, Row, Term } from './linear-model.ts'

/** One objective in a sequence: each stage keeps what the integer stages before it have reached. */
export interface StagePlan {
  /** Name of an objective of the model. */
  readonly objective: string
  /** `relaxation`: integers may be fractions; its value bounds what any integer answer can reach. */
  readonly kind: 'relaxation' | 'integer'
  /** Branch and bound nodes. */
  readonly nodes: number
}

export interface StageRequest {
  readonly name: string
  readonly kind: 'relaxation' | 'integer'
  readonly nodes: number
  readonly isWhole: boolean
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
  readonly limits: { readonly iterations: number }
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
}

export interface Solution {
  /** As far as the solver came; after a stage without values there is none. */
  readonly stages: readonly StageAnswer[]
  /** Words for a log where the process ended before its answer. */
  readonly failure?: string
  /** The most memory the solver's process held, in kilobytes; 0 where it did not say. */
  readonly peakKilobytes: number
}

export interface SolveOptions {
  readonly stages: readonly StagePlan[]
  readonly start?: readonly Term[]
  readonly iterations?: number
}

/** Solves the stages in order. It rejects with the signal's reason only; what fails is said in the solution. */
export type Solve = (model: LinearModel, options: SolveOptions, signal: AbortSignal) => Promise<Solution>

const defaultIterations = 2_000_000
const heapMegabytes = 1024

/** A solver with its own safety limit: after `safetySeconds` its process is ended and the solution is what had been answered. */
export function childSolver(options: { readonly clock: Clock; readonly safetySeconds: number }): Solve {
  return async (model, solveOptions, signal) => {
    signal.throwIfAborted()
    const child = startProcess()
    let failure: string | undefined
    const end = (why: string) => {
      failure ??= why
      child.kill('SIGKILL')
    }
    const cancel = options.clock.schedule(options.safetySeconds * 1000, () => end(`no answer within ${options.safetySeconds} s`))
    const onAbort = () => end('aborted')
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const solution = await converse(child, requestOf(model, solveOptions))
      signal.throwIfAborted()
      return failure === undefined ? solution : { ...solution, failure }
    } finally {
      cancel()
      signal.removeEventListener('abort', onAbort)
      child.kill('SIGKILL')
    }
  }
}

/** The solver of the product: HiGHS in a child process, at most 60 s. */
export const solveInChild: Solve = childSolver({ clock: systemClock, safetySeconds: 60 })

function startProcess(): ChildProcess {
  const extension = import.meta.filename.endsWith('.ts') ? 'ts' : 'js'
  const program = `${import.meta.dirname}/solver-process.${extension}`
  const flags = [`--max-old-space-size=${heapMegabytes}`, '--disable-warning=ExperimentalWarning']
  return spawn(process.execPath, [...flags, program], { stdio: ['pipe', 'pipe', 'pipe'], env: {}, windowsHide: true })
}

async function converse(child: ChildProcess, request: SolveRequest): Promise<Solution> {
  const { stdin, stdout, stderr } = child
  if (stdin === null || stdout === null || stderr === null) throw new Error('the solver process has no pipes')
  const ended = new Promise<string>(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('close', (code, signal) => resolve(code === 0 ? '' : `ended with ${signal ?? `code ${code}`}`))
  })
  let complaint = ''
  stderr.on('data', (chunk: Buffer) => {
    if (complaint.length < 2000) complaint += chunk.toString('utf8')
  })
  // A process that ends early closes its input; that is said by how it ended.
  stdin.on('error', error => {
    complaint ||= error.message
  })
  stdin.end(`${JSON.stringify(request)}\n`)
  const stages: StageAnswer[] = []
  let peakKilobytes = 0
  for await (const line of createInterface({ input: stdout })) {
    // Our own program's output: a stage's answer, and last the memory it took.
    const said: StageAnswer | { readonly peakKilobytes: number } = JSON.parse(line)
    if ('peakKilobytes' in said) peakKilobytes = said.peakKilobytes
    else stages.push(said)
  }
  const failure = await ended
  return { stages, peakKilobytes, ...(failure === '' ? {} : { failure: `${failure} ${complaint.trim()}`.trim().slice(-2000) }) }
}

function requestOf(model: LinearModel, options: SolveOptions): SolveRequest {
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
      return [{ name: stage.objective, kind: stage.kind, nodes: stage.nodes, isWhole, columns, coefficients }]
    }),
    start: options.start ?? [],
    limits: { iterations: options.iterations ?? defaultIterations },
  }
}
