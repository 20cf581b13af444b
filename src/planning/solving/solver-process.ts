// The solver's own process: reads requests as lines of JSON, answers each with a line for each stage
// and one for the memory it took, and ends with its input.
// It runs apart because HiGHS is one long call that would hold up everything else, and so that its memory goes when it goes.

import { createInterface } from 'node:readline'
import loadHighs, { type Highs, type Model } from 'highs'
import type { SolveRequest, StageAnswer, StageRequest } from './solve.ts'

const settings = { output_flag: false, random_seed: 0, mip_rel_gap: 0 } as const

async function main(): Promise<void> {
  const highs = await load()
  for await (const line of createInterface({ input: process.stdin })) {
    const request: SolveRequest = JSON.parse(line)
    for (const answer of answers(highs, request)) process.stdout.write(`${JSON.stringify(answer)}\n`)
    process.stdout.write(`${JSON.stringify({ peakKilobytes: process.resourceUsage().maxRSS })}\n`)
  }
}

/** The package's types describe its CommonJS form, where the loader is a property; the module's default export is the loader itself. */
async function load(): Promise<Highs> {
  const loader: unknown = loadHighs
  if (typeof loader !== 'function') throw new TypeError('the package highs exports no loader')
  return (loader as typeof loadHighs.default)()
}

/** Solves stage after stage on one model; what an integer stage has reached becomes a row for those after it. */
function* answers(highs: Highs, request: SolveRequest): Generator<StageAnswer> {
  using model = highs.createModel(modelData(highs, request))
  model.options.set({ ...settings, simplex_iteration_limit: request.limits.iterations, time_limit: request.limits.seconds })
  let incumbent: readonly number[] | undefined
  for (const stage of request.stages) {
    setCosts(model, stage, request.columns.length)
    if (stage.kind === 'integer') {
      if (incumbent !== undefined) model.setSolution({ colValue: incumbent })
      else if (request.start.length > 0) {
        model.setSolution({ indices: request.start.map(([column]) => column), values: request.start.map(([, value]) => value) })
      }
    }
    const answer = answerStage(highs, model, stage)
    yield answer
    if (answer.values === undefined) return
    if (stage.kind === 'relaxation') continue
    incumbent = answer.values
    keep(highs, model, stage, answer)
  }
}

function modelData(highs: Highs, { columns, rows }: SolveRequest) {
  const { integer, continuous } = highs.constants.variableType
  const starts = [0]
  for (const row of rows) starts.push((starts.at(-1) ?? 0) + row.columns.length)
  return {
    numCols: columns.length,
    numRows: rows.length,
    colCost: columns.map(() => 0),
    colLower: columns.map(column => column.lower ?? -highs.infinity),
    colUpper: columns.map(column => column.upper ?? highs.infinity),
    rowLower: rows.map(row => row.lower ?? -highs.infinity),
    rowUpper: rows.map(row => row.upper ?? highs.infinity),
    integrality: columns.map(column => (column.isInteger ? integer : continuous)),
    matrix: {
      format: 'csr' as const,
      numRows: rows.length,
      numCols: columns.length,
      starts,
      indices: rows.flatMap(row => row.columns),
      values: rows.flatMap(row => row.coefficients),
    },
  }
}

function setCosts(model: Model, stage: StageRequest, width: number): void {
  const costs = new Float64Array(width)
  stage.columns.forEach((column, at) => {
    costs[column] = stage.coefficients[at] ?? 0
  })
  model.changeColsCost({ kind: 'range', from: 0, to: width - 1 }, costs)
}

function answerStage(highs: Highs, model: Model, stage: StageRequest): StageAnswer {
  const isRelaxed = stage.kind === 'relaxation'
  model.options.set({
    solve_relaxation: isRelaxed,
    mip_max_nodes: stage.nodes,
    mip_abs_gap: stage.isWhole ? 1 - 1e-6 : 1e-6,
  })
  model.run()
  const status = statusOf(highs, model)
  const hasValues = model.info.get('primal_solution_status') === highs.constants.solutionStatus.feasible
  const objective = model.getObjectiveValue()
  const bound = isRelaxed ? objective : Number(model.info.get('mip_dual_bound'))
  const answer = {
    name: stage.name,
    kind: stage.kind,
    status,
    objective,
    bound: status === 'optimal' && !stage.isWhole ? objective : bound,
  }
  if (!hasValues) return answer
  const { colValue, colDual } = model.getSolution()
  return {
    ...answer,
    values: Array.from(colValue),
    ...(isRelaxed && stage.hasReducedCosts ? { reducedCosts: Array.from(colDual) } : {}),
  }
}

function statusOf(highs: Highs, model: Model): StageAnswer['status'] {
  const { modelStatus } = highs.constants
  switch (model.getModelStatus()) {
    case modelStatus.optimal:
      return 'optimal'
    case modelStatus.infeasible:
    case modelStatus.unboundedOrInfeasible:
      return 'infeasible'
    // A stop by mip_max_nodes reads as unknown.
    case modelStatus.iterationLimit:
    case modelStatus.solutionLimit:
    case modelStatus.timeLimit:
    case modelStatus.unknown:
      return 'limit'
    default:
      return 'failed'
  }
}

/** Holds the stage's value for the stages after it. */
function keep(highs: Highs, model: Model, stage: StageRequest, answer: StageAnswer): void {
  const most = stage.isWhole ? Math.round(answer.objective) : answer.objective + 1e-6 * Math.max(1, Math.abs(answer.objective))
  model.addRow(-highs.infinity, most, { indices: [...stage.columns], values: [...stage.coefficients] })
}

if (import.meta.main) {
  try {
    await main()
  } catch (error) {
    // The stack would begin with the whole solver, which is one line.
    process.stderr.write(error instanceof Error ? `${error.name}: ${error.message}` : String(error))
    process.exitCode = 1
  }
}
