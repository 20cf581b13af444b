// Holds what a stored plan's status says to its moves, to itself and, where its policy is known, to the goals of that: what can be counted anew
// is, and each sentence that does not follow is named.

import type { ClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseTime } from '#kube/time/time.ts'
import type { FleetGoal, Goal } from '#planning/goals/policy.ts'
import type { GoalOutcome } from '#planning/plan-record.ts'
import type { Finding } from '#planning/verifier/finding.ts'
import { isCountable, played, recountedGoals } from '#planning/verifier/goal-recount.ts'
import { World } from '#planning/verifier/world.ts'
import { type RebalancePlan, type RebalancePlanStatus, type RebalancePolicy, rebalancePlanStatus } from '../../api.ts'
import { goalsOf } from '../goal-policy.ts'
import { isIsolation } from '../plan-policy.ts'
import { landingLines, planSentence, wholeBound } from '../plan-words.ts'
import { expectedLines, lengthText } from '../timetable/expected.ts'
import { goalFigures, storedGoals } from './stored-goals.ts'

interface StatusFacts {
  readonly objects: readonly KubeObject[]
  readonly state: ClusterState
  /** The policy of the plan; absent: its goals are not judged. */
  readonly policy?: RebalancePolicy
}

interface StatusVerdict {
  readonly findings: readonly Finding[]
  /** Losses that the plan says are survived: whoever plays them judges that. */
  readonly claimed: readonly GoalOutcome[]
  /** What was not looked at, and why. */
  readonly open: readonly string[]
}

type Say = (field: string, found: unknown, expected: unknown) => void

/** What is not so in the status of a proposed plan. Once it has begun its status is of the run, and only what was promised is judged. */
export function statusFindings(plan: RebalancePlan, facts: StatusFacts): StatusVerdict {
  if (plan.status === undefined) return { findings: [], claimed: [], open: ['it has no status'] }
  const parsed = rebalancePlanStatus.safeParse(plan.status)
  if (!parsed.success)
    return { findings: parsed.error.issues.map(shapeFinding), claimed: [], open: ['a status without its shape'] }
  const status = parsed.data
  const findings: Finding[] = []
  const say: Say = (field, found, expected) =>
    findings.push({ code: 'status', field: `status.${field}`, found: textOf(found), expected: textOf(expected) })
  judgeObjective(status, say)
  judgeExpected(plan, status, say)
  const isProposed = status.phase === undefined || status.phase === 'Proposed'
  if (!isProposed) return { findings, claimed: [], open: ['goals, message and conditions: they are of its run'] }
  const { outcomes, claimed = [], open } = recounted(plan, status, facts)
  if (outcomes !== undefined) judgeGoals(status, outcomes, say)
  judgeConditions(plan, status, say)
  const isWhole = outcomes !== undefined && open.length === 0 && claimed.length === 0
  judgeMessage(plan, status, isWhole ? outcomes : undefined, say)
  if (isWhole) judgeOutcome(plan, outcomes, say)
  return { findings, claimed, open }
}

function shapeFinding({
  path,
  code,
  message,
}: {
  readonly path: readonly PropertyKey[]
  readonly code?: string
  readonly message: string
}): Finding {
  return { code: 'status', field: ['status', ...path.map(String)].join('.'), found: code ?? 'another shape', expected: message }
}

function judgeObjective({ objective, shortfall }: RebalancePlanStatus, say: Say): void {
  if (objective?.atLeast !== undefined && objective.atLeast !== wholeBound(objective.lowerBound))
    say('objective.atLeast', objective.atLeast, wholeBound(objective.lowerBound))
  if (shortfall !== undefined && shortfall.atLeast > shortfall.left + 1e-6)
    say('shortfall.atLeast', shortfall.atLeast, `at most ${shortfall.left}, which is left`)
}

/** The timetable against the moves, and its sums against each other; times are whole seconds. */
function judgeExpected({ spec }: RebalancePlan, { expected }: RebalancePlanStatus, say: Say): void {
  if (expected === undefined) return
  const [beginMs, endMs] = [timeOf(expected.beginsAt), timeOf(expected.endsAt)]
  if (beginMs === undefined) say('expected.beginsAt', expected.beginsAt, 'a time')
  if (endMs === undefined) say('expected.endsAt', expected.endsAt, 'a time')
  const seconds = beginMs === undefined || endMs === undefined ? expected.seconds : (endMs - beginMs) / 1000
  if (Math.abs(seconds - expected.seconds) > 1) say('expected.seconds', expected.seconds, `${seconds}, from beginsAt to endsAt`)
  const ids = new Set(spec.moves.map(({ id }) => id))
  const seen = new Set<string>()
  for (const { id, after, seconds: takes } of expected.moves) {
    if (!ids.has(id) || seen.has(id)) say('expected.moves', id, ids.has(id) ? 'each move once' : 'moves of the plan')
    seen.add(id)
    if (after + takes > expected.seconds + 2)
      say(`expected.moves ${id}`, `${after} s and ${takes} s`, `an end within ${expected.seconds} s`)
  }
  const latest = expected.moves.reduce((most, { after, seconds: takes }) => Math.max(most, after + takes), 0)
  if (seen.size === ids.size && expected.seconds > latest + 2)
    say('expected.seconds', expected.seconds, `${latest}, when the last move is over`)
}

interface Recounted {
  readonly outcomes: readonly GoalOutcome[] | undefined
  readonly claimed?: readonly GoalOutcome[]
  readonly open: readonly string[]
}

/** The goals of the policy as they stand; `open` says which cannot be counted. */
function recounted(
  { spec }: RebalancePlan,
  { goals: stored = [] }: RebalancePlanStatus,
  { objects, state, policy }: StatusFacts,
): Recounted {
  const { name } = spec.policyRef
  if (isIsolation(spec.purpose)) return { outcomes: undefined, open: ['goals: it is a plan that empties nodes'] }
  if (policy === undefined) return { outcomes: undefined, open: [`goals: RebalancePolicy ${name} is not among the objects`] }
  const resolved = goalsOf(policy, state)
  if (!resolved.ok) return { outcomes: undefined, open: [`goals: RebalancePolicy ${name} is not valid`] }
  const { goals, fleetGoals } = resolved.value
  const worlds = played(new World(objects), new World(objects), spec.moves)
  const isClaimed = (goal: string) => stored.some(row => row.name === goal && row.outcome === 'met')
  const claimed = fleetGoals.filter(({ measure, name: goal }) => measure === 'survives' && isClaimed(goal)).flatMap(claimOf)
  const isOpen = (goal: Goal | FleetGoal) => !isCountable(goal) && !claimed.some(each => each.goal === goal.name)
  const uncounted = [...goals, ...fleetGoals].filter(isOpen).map(goal => goal.name)
  return {
    claimed,
    outcomes: recountedGoals({ goals, fleetGoals }, worlds),
    open: uncounted.length === 0 ? [] : [`goals ${uncounted.join(', ')}: measured use, or a loss that is not survived`],
  }
}

/** What a goal of losses says where it is met. */
function claimOf({ name, resource, hard, sets }: FleetGoal): readonly GoalOutcome[] {
  return sets.map(({ name: node, members }) => ({
    ...{ goal: name, node, measure: 'survives', members, resource, stat: 'requests', bound: 'max', wanted: 0, hard },
    ...{ before: 0, after: 0, state: 'met', shortBy: 0 },
  }))
}

function judgeGoals({ goals = [] }: RebalancePlanStatus, outcomes: readonly GoalOutcome[], say: Say): void {
  const rows = storedGoals(outcomes, goal => goalFigures(goal, 'now', 'after'))
  const counted = new Set(rows.map(({ name }) => name))
  for (const name of counted) {
    const stored = goals.filter(goal => goal.name === name)
    const expected = rows.filter(row => row.name === name)
    if (stored.length !== expected.length) say(`goals ${name}`, `${stored.length} rows`, `${expected.length} rows`)
    for (const [at, row] of expected.entries()) {
      const found = stored[at]
      if (found === undefined) continue
      if (found.outcome !== row.outcome) say(`goals ${name}: outcome`, found.outcome, row.outcome)
      if (found.message !== row.message) say(`goals ${name}: message`, found.message, row.message)
    }
  }
}

/** Both conditions say what a plan says that has not begun. */
function judgeConditions({ spec }: RebalancePlan, { conditions = [], message }: RebalancePlanStatus, say: Say): void {
  const isMet = spec.outcome === 'met'
  const expected = {
    Proven: { status: isMet ? 'True' : 'False', reason: isMet ? 'CertificatesMade' : 'GoalsNotReached', message },
    GoalsMet: { status: 'Unknown', reason: 'NotRun', message: 'the plan has not run' },
  }
  for (const [type, fields] of Object.entries(expected)) {
    const condition = conditions.find(each => each.type === type)
    if (condition === undefined) say(`conditions ${type}`, undefined, fields.status)
    for (const [field, value] of Object.entries(condition === undefined ? {} : fields)) {
      const found: unknown = Reflect.get(condition ?? {}, field)
      if (found !== value) say(`conditions ${type}: ${field}`, found, value)
    }
  }
}

/** Its first sentence where all goals were counted, then the lines of its timetable and its landings. What is explained below them is not looked at. */
function judgeMessage(
  plan: RebalancePlan,
  { message = '', objective, expected }: RebalancePlanStatus,
  goals: readonly GoalOutcome[] | undefined,
  say: Say,
): void {
  const { spec } = plan
  const [sentence = '', ...lines] = message.split('\n')
  if (goals !== undefined) {
    const { lowerBound = 0, withMargins } = objective ?? {}
    const bound = { lowerBound, ...(withMargins === true ? { withMargins } : {}) }
    const spoken = { method: spec.method, outcome: spec.outcome, problems: [], moves: spec.moves, objective: bound, goals }
    if (sentence !== planSentence(spoken)) say('message', sentence, planSentence(spoken))
  }
  const following = [...timetableLines(spec, expected), ...landingLines(spec).map(line => [line])]
  for (const [at, wordings] of following.entries())
    if (!wordings.includes(lines[at] ?? '')) say(`message, line ${at + 2}`, lines[at], wordings[0])
}

/** Each line in the wordings that it may have: parts of seconds, which are not stored, decide how a length is rounded. */
function timetableLines(
  { moves }: RebalancePlan['spec'],
  expected: RebalancePlanStatus['expected'],
): readonly (readonly string[])[] {
  const [beginMs, endMs] = [timeOf(expected?.beginsAt ?? ''), timeOf(expected?.endsAt ?? '')]
  if (expected === undefined || beginMs === undefined || endMs === undefined) return []
  const { rest } = expected
  const fromMs = timeOf(rest?.from ?? '')
  const lines = expectedLines({
    timetable: { beginMs, endMs, entries: [], isWhole: expected.moves.length === moves.length },
    ...(rest === undefined ? {} : { rest: { moves: rest.moves, reachesAll: rest.reaches === 'all', fromMs } }),
    plan: { moves },
  })
  const length = (ms: number) => `to take ${lengthText(ms)}:`
  return lines.map(line =>
    [0, -1000, 1000].map(more => line.replace(length(endMs - beginMs), length(Math.max(0, endMs - beginMs + more)))),
  )
}

function judgeOutcome({ spec }: RebalancePlan, goals: readonly GoalOutcome[], say: Say): void {
  const isMet = goals.every(({ state }) => state === 'met')
  if (isMet !== (spec.outcome === 'met')) say('goals, for spec.outcome', spec.outcome, isMet ? 'met' : 'not-met or infeasible')
}

function timeOf(text: string): number | undefined {
  const parsed = parseTime(text)
  return parsed.ok ? parsed.value : undefined
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
}
