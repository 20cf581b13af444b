// What `ballast up` tells of a run: the plan, its moves as they go, and how it ended.
import type { PlanStep, RebalancePlan } from '#coordination/api.ts'
import { freezeAnnotation } from '#coordination/freeze.ts'
import { approvedByAnnotation, runUntilAnnotation } from '#coordination/plans/names.ts'
import { planRecord } from '#coordination/plans/plan-object.ts'
import type { Clock } from '#kube/clock.ts'
import { InputError } from '#kube/problem.ts'
import type { ServableGoal } from '#planning/goals/served-goals.ts'
import type { ExitCode } from '#process/surroundings.ts'
import { type NodeFigures, nodeTable } from '../terminal/node-table.ts'
import { harmless } from '../terminal/paragraph.ts'
import { moveTable, staySummary } from '../terminal/plan-report.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { LaterWatch, RunEnd, RunWatch } from './rebalance-run.ts'

/** Seconds of the cluster since now, as a column. */
export function sinceStart(clock: Clock): () => string {
  const startedMs = clock.elapsed()
  return () => `${((clock.elapsed() - startedMs) / 1000).toFixed(1).padStart(7)} s`
}

interface Telling {
  readonly goals: readonly ServableGoal[]
  /** Resolves when somebody approved of the plan, here or elsewhere; without it nobody is asked. */
  readonly asked?: RunWatch['proposed']
  /** Others may lead the run too: what they do is told. */
  readonly isLed?: boolean
}

/** Tells a run on the terminal while it goes on. */
export function tell(terminal: Terminal, clock: Clock, { goals, asked, isLed = false }: Telling): RunWatch {
  const at = sinceStart(clock)
  return {
    async proposed(plan, elsewhere) {
      const read = planRecord(plan)
      if (!read.ok) throw new InputError(read.problems)
      terminal.write(`plan ${plan.metadata.name}: ${plan.status?.message ?? ''}\n`)
      terminal.write(`${moveTable(read.record.moves, goals)}\n`)
      terminal.write(staySummary(plan.status?.unmovable ?? []))
      for (const goal of plan.status?.goals ?? []) terminal.write(`goal ${goal.name}: ${goal.message}`)
      await asked?.(plan, elsewhere)
    },
    approved: plan =>
      terminal.write(
        `\napproved; this command does the same: kubectl patch rebalanceplan ${plan.metadata.name} --type merge -p '{"spec":{"approved":true}}'\n`,
      ),
    step: (plan, step) => terminal.write(stepLine(plan, step, at(), terminal.colour)),
    replaced: plan =>
      terminal.write(
        `${at()}  ${plan.metadata.name} ends here: ${plan.status?.message ?? 'it was replaced'}; a new plan follows\n`,
      ),
    ...(isLed ? ledWatch(terminal, at) : {}),
  }
}

/** What others do with the run. */
function ledWatch(terminal: Terminal, at: () => string): Pick<RunWatch, 'approvedElsewhere' | 'left' | 'phase'> {
  return {
    approvedElsewhere: plan => terminal.write(`\n${at()}  ${plan.metadata.name} was approved${byWhom(plan)}\n`),
    left: plan => terminal.write(`${at()}  ${plan.metadata.name} waits for you: ${plan.status?.message ?? 'it gave no reason'}`),
    phase: phaseTeller(terminal, at),
  }
}

/** What is told of plans that come after the run. */
export function laterWatch(terminal: Terminal, at: () => string): LaterWatch {
  return {
    proposed: plan =>
      terminal.write(
        `${at()}  plan ${plan.metadata.name}: ${plan.status?.message ?? ''}${plan.spec.approved || plan.spec.moves.length === 0 ? '' : '; it waits for your approval'}`,
      ),
    step: (plan, step) => terminal.write(stepLine(plan, step, at(), terminal.colour)),
    phase: phaseTeller(terminal, at),
  }
}

/** Tells when somebody has stopped a plan, and when it goes on; that moves wait is told of the moves. */
function phaseTeller(terminal: Terminal, at: () => string): (plan: RebalancePlan) => void {
  const stopped = new Set<string>()
  return plan => {
    const { name, annotations } = plan.metadata
    const isStopped = [freezeAnnotation, runUntilAnnotation].some(key => annotations?.[key] !== undefined) || !plan.spec.approved
    if (plan.status?.phase === 'Paused' && isStopped) {
      stopped.add(name)
      terminal.write(`${at()}  ${name} pauses: ${plan.status.message ?? ''}`)
    } else if (stopped.delete(name)) terminal.write(`${at()}  ${name} goes on`)
  }
}

function byWhom(plan: RebalancePlan): string {
  const viewer = plan.metadata.annotations?.[approvedByAnnotation]
  return viewer === undefined ? '' : ` by ${harmless(viewer)}`
}

/** One state of one move as a line. */
function stepLine(plan: RebalancePlan, step: PlanStep, at: string, colour: Terminal['colour']): string {
  const move = plan.spec.moves.find(candidate => candidate.id === step.id)
  const what = move === undefined ? step.id : `${step.id}  ${move.pod.namespace}/${move.pod.name}  ${move.from} -> ${move.to}`
  switch (step.state) {
    case 'Waiting':
      return `${at}  ${what}  waits${step.message === undefined ? '' : `: ${step.message}`}`
    case 'Acting':
      return `${at}  ${what}  ${move?.action === 'surge' ? 'new pod first' : 'evict'}`
    case 'Landing':
      return `${at}  ${what}  ${move?.action === 'surge' ? 'rolled out' : 'evicted'}; its replacement starts`
    case 'Landed':
      return `${at}  ${what}  ${colour.green(`ready on ${step.landedOn ?? '?'}`)}${step.seconds === undefined ? '' : ` after ${step.seconds} s`}`
    case 'Mismatch':
      return `${at}  ${what}  ${colour.yellow(`landed on ${step.landedOn ?? '?'}`)}: ${step.message ?? ''}`
    case 'Skipped':
    case 'Failed':
      return `${at}  ${what}  ${colour.red(step.state.toLowerCase())}: ${step.message ?? step.reason ?? ''}`
  }
}

/** How it ended: the nodes, and what came of the goals. */
export function tellEnd(run: {
  readonly terminal: Terminal
  readonly after: readonly NodeFigures[]
  readonly end: RunEnd
  readonly code: ExitCode
}): void {
  const { terminal } = run
  const landed = run.end.plans.flatMap(plan => plan.status?.steps ?? []).filter(step => step.state === 'Landed').length
  const last = run.end.plans.at(-1)
  terminal.write(`\n${nodeTable(run.after, terminal.colour)}\n`)
  const goals = run.code === 0 ? terminal.colour.green('every goal is met') : terminal.colour.red('not every goal is met')
  terminal.write(
    `${goals}: ${landed} moves under ${run.end.permits.length} permits. ${run.end.cutShort ?? last?.status?.message ?? ''}`,
  )
}
