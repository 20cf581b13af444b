// A plan as a person reads it: the nodes, the moves with their reasons, what stays and why, the nodes afterwards.
import type { OwnerLabel } from '#cluster/ownership.ts'
import { isUsual, usualResources } from '#planning/goals/resources.ts'
import { type ServableGoal, servedGoals } from '#planning/goals/served-goals.ts'
import type { GoalOutcome, Move, NodeShare, Plan, Risk, Unmovable } from '#planning/plan-record.ts'
import { riskWords } from '#planning/risks.ts'
import { goalFigure, goalWish, lossWords, missingWords, staySentence, unknownWords, unusedWords } from '#planning/sentences.ts'
import { isWaivable, type Waiver } from '#planning/solving/waivers.ts'
import { fittedTable } from './fitted.ts'
import type { Terminal } from './terminal.ts'

/** `cp-light, use-talos03`. */
function served(move: Move, goals: readonly ServableGoal[]): string {
  const names = new Set(servedGoals(move, goals).map(({ goal }) => goal))
  const shown = [...names].slice(0, mostGoals)
  const rest = names.size - shown.length
  return names.size === 0 ? 'makes room' : `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

/** Goals that the row of a move names. */
const mostGoals = 2

/** The moves, one a row, in the order in which they are carried out, each with the goals it serves. */
export function moveTable(moves: readonly Move[], goals: readonly ServableGoal[], width?: number): string {
  const surges = moves.some(move => move.action === 'surge')
  const sheet = fittedTable(
    [
      { title: 'MOVE' },
      { title: 'WAVE', align: 'right' },
      { title: 'POD', isBelow: true },
      { title: 'FROM' },
      { title: 'TO' },
      { title: 'HOW' },
      { title: 'CPU', align: 'right' },
      { title: 'MEMORY', align: 'right' },
      { title: 'FOR' },
    ],
    moves.map(move => [
      move.id,
      String(move.wave),
      `${move.pod.namespace}/${move.pod.name}`,
      move.from,
      move.to,
      move.action,
      `${move.certificate.requests['cpu'] ?? 0}m`,
      `${Math.floor((move.certificate.requests['memory'] ?? 0) / 1024 / 1024)}Mi`,
      served(move, goals),
    ]),
    width,
  )
  return surges ? `${sheet}\n\nsurge: the new pod is ready before the old one goes` : sheet
}

/** What may go wrong for the users of what is moved, one line a kind and grade. */
export function riskTable(risks: readonly Risk[], colour: Terminal['colour'], width?: number): string {
  const colours = { high: colour.red, medium: colour.yellow, low: (text: string) => text } as const
  return fittedTable(
    [{ title: 'RISK' }, { title: 'MOVES', align: 'right' }, { title: 'WHAT' }, { title: 'OF' }],
    risks.map(risk => [colours[risk.grade](risk.grade), String(risk.moves), riskWords(risk), firstNames(risk.workloads)]),
    width,
  )
}

const mostNamed = 2

/** `media/Deployment/plex, media/Deployment/sonarr and 3 more`. */
function firstNames(names: readonly string[]): string {
  const rest = names.length - mostNamed
  const shown = names.slice(0, mostNamed).map(name => name.replace(/\/[^/]*\//, '/'))
  return `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

/** Why pods stay, one line a reason and node: how many, which workloads, and the sentence of the first. */
export function stayTable(unmovable: readonly Unmovable[], width?: number): string {
  const groups = new Map<string, Unmovable[]>()
  for (const one of unmovable) {
    const key = `${one.code} ${one.workload?.namespace ?? one.pod.namespace}/${one.workload?.name ?? one.pod.name}`
    groups.set(key, [...(groups.get(key) ?? []), one])
  }
  const rows = [...groups.values()].map(group => {
    const [first] = group
    if (first === undefined) return []
    const workload = first.workload === undefined ? `Pod ${first.pod.name}` : `${first.workload.kind} ${first.workload.name}`
    return [first.code, String(group.length), first.pod.namespace, workload, `${staySentence(first)}${alsoWords(first)}`]
  })
  return fittedTable(
    [
      { title: 'STAYS' },
      { title: 'PODS', align: 'right' },
      { title: 'NAMESPACE' },
      { title: 'WORKLOAD' },
      { title: 'BECAUSE', isBelow: true },
    ],
    rows,
    width,
  )
}

/** What else would hold it: nobody is to find the second wall when the first has fallen. */
function alsoWords({ code, also }: Unmovable): string {
  const walls = isWaivable(code) ? also.filter(reason => isWaivable(reason.code)) : []
  return walls.length === 0 ? '' : ` [also ${walls.map(reason => reason.code).join(', ')}]`
}

/** Requests before and after for each node that changes or carries a goal, in percent with one decimal. */
export function shareTable(before: readonly NodeShare[], after: readonly NodeShare[], width?: number): string {
  const then = new Map(after.map(share => [`${share.node} ${share.resource}`, share]))
  const nodes = [...new Set(before.map(share => share.node))]
  const cell = (node: string, resource: string) => {
    const from = before.find(share => share.node === node && share.resource === resource)
    const to = then.get(`${node} ${resource}`)
    if (from === undefined || to === undefined) return '-'
    const text = (share: NodeShare) => (resource === 'pods' ? String(share.used) : `${share.percent.toFixed(1)} %`)
    return from.used === to.used ? text(from) : `${text(from)} -> ${text(to)}`
  }
  const further = [...new Set(before.map(({ resource }) => resource))].filter(resource => !isUsual(resource))
  const resources = [...usualResources, ...further]
  const titles = resources.map(resource => (isUsual(resource) ? resource.toUpperCase() : resource))
  return fittedTable(
    [{ title: 'NODE' }, ...titles.map(title => ({ title, align: 'right' as const }))],
    nodes.map(node => [node, ...resources.map(resource => cell(node, resource))]),
    width,
  )
}

/** Each goal with where it stands now and where the plan brings it. */
export function goalLines(plan: Plan, colour: Terminal['colour']): string[] {
  return [...Map.groupBy(plan.goals, ({ goal }) => goal).values()].flatMap(rows => {
    const told = rows.length <= mostGoalRows ? rows : worstFirst(rows).slice(0, fewGoalRows)
    const lines = told.map(goal => goalLine(goal, colour))
    const met = rows.filter(({ state }) => state === 'met').length
    return told.length === rows.length ? lines : [...lines, `goal ${rows[0]?.goal ?? ''}: ${met} of ${rows.length} nodes meet it`]
  })
}

/** A goal of more nodes than this is told by those that are furthest from it. */
const mostGoalRows = 16
const fewGoalRows = 4

function worstFirst(rows: readonly GoalOutcome[]): readonly GoalOutcome[] {
  return rows.toSorted((a, b) => Number(a.state === 'met') - Number(b.state === 'met') || b.shortBy - a.shortBy)
}

function goalLine(goal: GoalOutcome, colour: Terminal['colour']): string {
  const { measure } = goal
  const wanted =
    measure === undefined
      ? `${goal.node} ${goal.resource} ${goal.bound === 'max' ? 'below' : 'above'} ${goal.wanted} %`
      : goalWish(goal)
  if (goal.state === 'unknown' && measure === 'survives')
    return `goal ${goal.goal}: ${wanted}: ${colour.red(`unknown: ${unknownWords(goal)}`)}`
  const figures = `${goalFigure(goal, goal.before)} now, ${goalFigure(goal, goal.after)} after the plan`
  const missing = missingWords(goal)
  const missed = missing === undefined ? 'missed' : `missed by ${missing}`
  const state =
    goal.state === 'met' ? colour.green('met') : colour.red(goal.state === 'missed' ? missed : `unknown: ${unknownWords(goal)}`)
  return `goal ${goal.goal}: ${wanted}: ${figures}: ${state}${lossWords(goal)}${unusedWords(goal)}`
}

/** One line a reason: how many pods stay for it, and of how many workloads. */
export function staySummary(unmovable: readonly { readonly workload: string; readonly reason: string }[]): string {
  const reasons = Map.groupBy(unmovable, one => one.reason)
  const parts = [...reasons].map(([reason, pods]) => `${reason} ${pods.length}`).sort()
  return unmovable.length === 0
    ? 'every pod may be moved'
    : `${unmovable.length} pods stay: ${parts.join(', ')} (ballast plan gives the reason for each)`
}

/** What people could take away, and what that would win. */
export function waiverLines(waivers: readonly Waiver[]): readonly string[] {
  return waivers.map(({ codes, workloads, pods, missing, moves }) => {
    const what = codes.length === 1 ? waiverWords(codes[0]) : `all of these at once (${codes.join(', ')})`
    const won = missing < 1e-6 ? 'all goals could be met' : `the goals would be missed by ${missing.toFixed(1)} points`
    const of = `${workloads.length} ${workloads.length === 1 ? 'workload' : 'workloads'}, ${pods} ${pods === 1 ? 'pod' : 'pods'}`
    return `${what} (${of}): ${won}, by ${moves} ${moves === 1 ? 'move' : 'moves'}`
  })
}

function waiverWords(code: Waiver['codes'][number] | undefined): string {
  switch (code) {
    case 'Unlabelled':
      return 'if what has no owner label could be moved'
    case 'OwnerNone':
      return "if what is labelled as nobody's to move could be"
    case 'NamespaceExcluded':
      return 'if the policy left no namespace out'
    case 'NoPDB':
      return 'with a budget of one line for each (--emit-pdbs)'
    case 'PDBNeverAllows':
      return 'if budgets that never allow an eviction had maxUnavailable: 1'
    case 'LocalStorage':
      return 'if what local volumes hold might be lost'
    case 'SingleReplica':
      return 'if single replicas might have a short outage, or had a second one'
    default:
      return `if the annotations that hold pods were gone (${code ?? ''})`
  }
}

/** What the user could add so that more may be moved, where the goals ask for more. */
export function adviceLines(plan: Plan, { key, values }: OwnerLabel): string[] {
  if (plan.outcome === 'met') return []
  const count = (code: Unmovable['code']) =>
    plan.unmovable.filter(one => one.code === code || one.also.some(reason => reason.code === code)).length
  const unlabelled = count('Unlabelled')
  const unbudgeted = count('NoPDB')
  return [
    ...(unlabelled === 0
      ? []
      : [
          `to let pods of a workload be moved (${unlabelled} pods belong to nobody): kubectl label deployment NAME -n NAMESPACE ${key}=${values.descheduler}`,
        ]),
    ...(unbudgeted === 0
      ? []
      : [
          `to give budgets to workloads without one (${unbudgeted} pods): ballast plan --cluster ... --emit-pdbs | kubectl apply -f -`,
        ]),
  ]
}
