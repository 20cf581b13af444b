// The first page: what is wrong, what is done about it, and the figures behind it.
import { pagesOn } from '../capability-page.ts'
import type { Overview, PlanHead } from '../contract.ts'
import type { Picture } from '../picture.ts'
import { noGoals } from '../words/en.ts'
import { notKnown, sleepersNotKept } from '../words/en-verdict.ts'
import { rfc3339 } from '../words/time.ts'
import { freezeButtons, planButtons } from './buttons.ts'
import { doingOf } from './doing.ts'
import { clusterFreeze } from './freezes.ts'
import { permitCountsOf } from './ledger/permit-counts.ts'
import { nodeColumnsOf, nodeRows } from './nodes/nodes.ts'
import { totalsOf } from './nodes/totals.ts'
import { goalRows } from './plans/goals.ts'
import { planHeadOf, safetyOf } from './plans/plan.ts'
import { planAtHand } from './plans/plan-at-hand.ts'
import { wideGoals } from './plans/wide-goals.ts'
import { unknownBecause } from './sources.ts'
import { speedOf } from './twin-clock.ts'
import { loadingSentence, verdictOf } from './verdict.ts'
import type { Viewing } from './viewing.ts'
import { ownerCounts } from './workloads/owners.ts'
import { scaleToZeroOf } from './workloads/scale-to-zero.ts'

/** Up to so many nodes are sent as rows, more as columns. */
const mostNodeRows = 200

const dayMs = 24 * 3_600_000
/** The day that permits are counted of begins with a minute: else the sums would have to be made anew with each look. */
const minuteMs = 60_000

/** Everything that the overview shows `viewing`. Parts that did not change are the same objects as before. */
export function overviewOf(picture: Picture, viewing: Viewing): Overview {
  const { nowMs } = picture
  const rows = nodeRows(picture)
  const goals = goalRows(picture)
  const wide = wideGoals(picture)
  const plan = planAtHand(picture)
  const head: PlanHead | null = plan === undefined ? null : planHeadOf(picture, plan)
  const isPast = picture.past !== undefined
  // Annotations are those of now.
  const freeze = isPast ? null : clusterFreeze(picture)
  const isWide = rows.length > mostNodeRows
  const unread = unreadWorkloads(picture)
  return {
    revision: `${picture.epoch}.${picture.sequence}`,
    mode: picture.mode,
    cluster: picture.cluster,
    now: rfc3339(nowMs),
    speed: speedOf(picture),
    loading: picture.loading === undefined ? null : { text: loadingSentence(picture, picture.loading).text },
    verdict: verdictOf({ picture, viewing, rows, goals, wide, plan }),
    totals: totalsOf(rows),
    goals,
    wideGoals: wide,
    goalsEmpty: goals.length + wide.length === 0 ? goalsEmptyOf(picture) : null,
    sources: picture.sources,
    nodes: isWide ? [] : rows,
    columns: isWide ? nodeColumnsOf(rows) : null,
    doing: doingOf(picture, viewing),
    plan: head,
    buttons: [...planButtons(picture, plan, viewing), ...freezeButtons(picture, null, freeze, viewing)],
    safety: plan?.status?.phase === 'Proposed' ? safetyOf(picture, plan) : [],
    freeze,
    counts: {
      permits24h: permitCountsOf(picture, { sinceMs: nowMs - (nowMs % minuteMs) - dayMs }, viewing).byDecision,
      owners: isPast || unread !== undefined ? { keda: null, descheduler: null, none: null } : ownerCounts(picture),
    },
    scaleToZero: isPast
      ? { can: null, atZero: null, sentence: sleepersNotKept() }
      : unread === undefined
        ? scaleToZeroOf(picture)
        : { can: null, atZero: null, sentence: notKnown(unread) },
    pages: pagesOn(picture).map(({ path, title }) => ({ path: `/${path}`, title })),
    ...(isPast ? { past: true } : {}),
  }
}

/** Why there are no goals: nobody set one, or nobody knows. */
function goalsEmptyOf(picture: Picture): Overview['goalsEmpty'] {
  const because = unknownBecause(picture, 'rebalancepolicies')
  return because === undefined ? noGoals() : notKnown({ what: 'goals', because })
}

/** Kinds that workloads are counted by, and what scales them. */
const workloadKinds = ['deployments', 'statefulsets', 'daemonsets', 'scaledobjects', 'scaledjobs', 'httpscaledobjects'] as const

/** The first of these kinds that could not be read. */
function unreadWorkloads(picture: Picture): { readonly what: string; readonly because: string } | undefined {
  for (const what of workloadKinds) {
    const because = unknownBecause(picture, what)
    if (because !== undefined) return { what, because }
  }
  return undefined
}
