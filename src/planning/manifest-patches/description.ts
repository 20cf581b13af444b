// What a plan says to who reviews it: figures before and after, each workload with its reason and its file, what is not here, the way back.

import { isUsual } from '../goals/resources.ts'
import type { GoalOutcome, NodeShare } from '../plan-record.ts'
import { goalFigure, goalWish } from '../sentences.ts'
import type { Placed } from './manifest-edits.ts'
import type { ManifestPlan } from './manifest-plan.ts'
import { destinationWords } from './placement-attempts.ts'
import type { SteeredMove } from './steering.ts'

/** Lines about what is written beside the placements. */
export interface Additions {
  readonly budgets: readonly string[]
  readonly policy: readonly string[]
}

/** Markdown, the same for the same plan; ends with a newline. */
export function planDescription(
  plan: ManifestPlan,
  placed: readonly Placed[],
  { budgets, policy }: Additions = { budgets: [], policy: [] },
): string {
  const parts: string[] = [`# Rebalance by policy ${plan.policyName}`, '']
  const pods = plan.moves.reduce((sum, { pods: all }) => sum + all.length, 0)
  if (plan.moves.length === 0)
    parts.push(
      plan.outcome === 'met'
        ? 'Every goal holds: no workload is to be placed anew.'
        : 'No choice of workloads brings the goals nearer.',
      '',
    )
  else
    parts.push(
      `${plan.moves.length} workloads with ${pods} pods are placed anew. Their templates change, so a rollout replaces all of their pods, at the pace of their own strategies; disruption budgets are not asked by rollouts.`,
      '',
    )
  if (plan.goals.length > 0)
    parts.push('| goal | node | wanted | now | after |', '|---|---|---|---|---|', ...plan.goals.map(goalRow), '')
  if (plan.moves.length > 0) {
    const further = [...new Set(plan.before.map(({ resource }) => resource))].filter(resource => !isUsual(resource))
    const titles = ['node', 'CPU', 'memory', 'pods', ...further]
    const columns = ['cpu', 'memory', 'pods', ...further]
    const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
    parts.push(line(titles), `|${'---|'.repeat(titles.length)}`, ...nodeRows(plan.before, plan.after, columns), '')
    parts.push('| workload | pods | from → to | for | how firmly | where |', '|---|---|---|---|---|---|')
    parts.push(...plan.moves.map(move => moveRow(move, plan, placedOf(placed, move))), '')
    if (plan.moves.some(({ strength }) => strength === 'preferred'))
      parts.push('preferred: the scheduler follows a preference of weight 100 in every order of rollouts that was played.', '')
  }
  if (plan.tolerations.length > 0)
    parts.push(
      '## Tolerations',
      '',
      'They stay on the isolated nodes and need to tolerate their taint:',
      '',
      ...plan.tolerations.map(name => `- ${name}`),
      '',
    )
  const labelled = placed.filter(({ wish }) => wish.path[1] === 'labels')
  if (labelled.length > 0)
    parts.push(
      '## Owner labels',
      '',
      'These stay where they are until their label says that they may be moved; the plan after it may:',
      '',
      ...labelled.map(
        ({ wish, file }) => `- ${nameOf(wish.live)}: ${file === undefined ? 'not here, see below' : `\`${file}\``}`,
      ),
      '',
    )
  if (policy.length > 0) parts.push('## Policy', '', ...policy.map(line => `- ${line}`), '')
  if (budgets.length > 0) parts.push('## Disruption budgets', '', ...budgets.map(line => `- ${line}`), '')
  const left = placed.filter(({ patch }) => patch !== undefined)
  if (left.length > 0) {
    parts.push(
      '## Not in these files',
      '',
      'These cannot be edited here. The patches are for kustomize, or `kubectl patch --patch-file`:',
      '',
    )
    for (const { wish, because, patch } of left)
      parts.push(
        `- ${nameOf(wish.live)}: ${because}`,
        '',
        ...indented(['```yaml', ...(patch ?? '').trimEnd().split('\n'), '```']),
        '',
      )
  }
  if (plan.unsaid.length > 0)
    parts.push(
      '## What manifests cannot say',
      '',
      'A plan of single moves (`ballast plan`) moves pods of these workloads too:',
      '',
      ...plan.unsaid.map(({ workload, because }) => `- ${workload}: ${because}`),
      '',
    )
  if (plan.stuck.length > 0) parts.push('## Pods that would wait', '', ...plan.stuck.map(pod => `- ${pod}`), '')
  if (plan.moves.length > 0)
    parts.push(
      '## How it was checked',
      '',
      'The rollouts were played with the filters and scores of the scheduler, in eight orders; the figures after are the worst of them for each goal.',
      'To go back, revert the commit: what is already running stays where it is until it is replaced.',
      '',
    )
  return `${parts.join('\n').trimEnd()}\n`
}

function goalRow(goal: GoalOutcome): string {
  const isOfNode = goal.measure === undefined
  const wanted = isOfNode ? `${goal.resource} ${goal.bound === 'max' ? 'below' : 'above'} ${goal.wanted} %` : goalWish(goal)
  const verdict = goal.state === 'missed' ? ' (missed)' : goal.state === 'unknown' && !isOfNode ? ' (not played)' : ''
  return `| ${goal.goal} | ${goal.node} | ${wanted} | ${goalFigure(goal, goal.before)} | ${goalFigure(goal, goal.after)}${verdict} |`
}

function nodeRows(before: readonly NodeShare[], after: readonly NodeShare[], resources: readonly string[]): readonly string[] {
  const find = (shares: readonly NodeShare[], node: string, resource: string) =>
    shares.find(share => share.node === node && share.resource === resource)
  return [...new Set(before.map(({ node }) => node))].map(node => {
    const cell = (resource: string) => {
      const [old, now] = [find(before, node, resource), find(after, node, resource)]
      const text = (share: NodeShare | undefined) =>
        share === undefined ? '-' : resource === 'pods' ? String(share.used) : `${share.percent.toFixed(1)} %`
      return text(old) === text(now) ? text(old) : `${text(old)} → ${text(now)}`
    }
    return `| ${[node, ...resources.map(cell)].join(' | ')} |`
  })
}

function placedOf(placed: readonly Placed[], move: SteeredMove): Placed | undefined {
  return placed.find(({ wish }) => wish.live === move.object && wish.path.at(-1) === 'affinity')
}

function moveRow(move: SteeredMove, plan: ManifestPlan, placed: Placed | undefined): string {
  const leaving = [...move.from].map(([node, count]) => (count === move.pods.length ? node : `${count} from ${node}`)).join(', ')
  const where =
    placed?.file === undefined ? 'not here, see below' : `\`${placed.file}\`${placed.isThere ? ' (says so already)' : ''}`
  return `| ${nameOf(move.object)} | ${move.pods.length} | ${leaving} → ${destinationWords(move)} | ${reasonOf(move, plan)} | ${strengthOf(move)} | ${where} |`
}

function strengthOf({ strength, instead }: SteeredMove): string {
  if (strength === 'preferred') return 'preferred'
  return instead.length === 0 ? 'required, as asked for' : `required: else ${instead.join(' or ')} might win`
}

/** The goals it serves. */
function reasonOf(move: SteeredMove, plan: ManifestPlan): string {
  const served = plan.goals
    .filter(({ node, bound }) => (bound === 'max' ? move.from.has(node) : move.to.includes(node)))
    .map(({ goal }) => goal)
  return served.length === 0 ? 'room for others' : [...new Set(served)].join(', ')
}

function nameOf({
  kind,
  metadata,
}: {
  readonly kind: string
  readonly metadata: { readonly namespace?: string; readonly name: string }
}): string {
  return `${kind} ${metadata.namespace ?? 'default'}/${metadata.name}`
}

function indented(lines: readonly string[]): readonly string[] {
  return lines.map(line => (line === '' ? '' : `  ${line}`))
}
