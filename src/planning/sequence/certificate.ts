// What is promised about one move, in numbers that anybody can recompute.

import { createHash } from 'node:crypto'
import { filterPlugins, type SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { BudgetView } from '../candidates/budgets.ts'
import type { Candidate } from '../candidates/candidate.ts'
import type { Amounts, Certificate } from '../plan-record.ts'

interface LandingFacts {
  readonly mode: Certificate['landing']['mode']
  readonly nodes: readonly string[]
  readonly totals: Amounts
  readonly likely: number
}

interface CertificateFacts {
  readonly snapshotHash: string
  readonly candidate: Candidate
  readonly to: string
  readonly freeBefore: Amounts
  readonly landing: LandingFacts
  /** The one budget that covers the pod, before it is gone; absent where nothing is evicted or nothing covers it. */
  readonly budget: BudgetView | undefined
  readonly settings: SchedulerSettings
}

/** The certificate of a move that has passed every check: what is written is what was found, nothing is decided here. */
export function certificateOf(facts: CertificateFacts): Certificate {
  const { candidate, freeBefore, budget } = facts
  const { pod } = candidate
  const freeAfter = Object.fromEntries(
    Object.entries(freeBefore).map(([resource, free]) => [
      resource,
      free - (resource === 'pods' ? 1 : (pod.requests[resource] ?? 0)),
    ]),
  )
  const active = filterPlugins.filter(filter => !facts.settings.disabledFilters.includes(filter))
  return {
    snapshotHash: facts.snapshotHash,
    podUid: pod.uid,
    requests: { ...pod.requests },
    from: candidate.from,
    to: facts.to,
    freeBefore,
    freeAfter,
    filters: Object.fromEntries(active.map(filter => [filter, 'passed'])),
    landing: landingRecord(facts.landing),
    ...(budget === undefined ? {} : { budget: budgetRecord(budget, pod.isReady) }),
  }
}

/** So many nodes with their points are written out; of more there is a sum that anybody can make again. */
const mostWritten = 100

function landingRecord({ mode, nodes, totals, likely }: LandingFacts): Certificate['landing'] {
  const certain = likely < 1 ? { likely } : {}
  if (Object.keys(totals).length < mostWritten) return { mode, nodes, totals, ...certain }
  const lines = Object.entries(totals).map(([node, total]) => `${node} ${total}\n`)
  const text = [...lines.sort(), `${nodes.toSorted().join(' ')}\n`].join('')
  const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`
  return { mode, nodes: [], totals: {}, ...certain, many: { count: nodes.length, feasible: lines.length, digest } }
}

function budgetRecord(budget: BudgetView, wasReady: boolean): NonNullable<Certificate['budget']> {
  const healthyAfter = budget.healthy - (wasReady ? 1 : 0)
  return {
    name: budget.name,
    expected: budget.expected,
    desired: budget.desired,
    healthyBefore: budget.healthy,
    healthyAfter,
    allowedBefore: budget.allowed,
    allowedAfter: Math.max(0, healthyAfter - budget.desired),
  }
}
