// What an isolation that is under way says of a workload or node: what it waits for there, and what it warns of.
import type { IsolationRow, RebalancePolicy } from '../api.ts'
import { plansFor } from '../intent.ts'
import type { Entry } from './entry.ts'
import { type Subject, shownSubject } from './subject.ts'

/** Lines of every isolation that names the subject, or a pod of it. `isOfIt` tells whether `namespace/name` is such a pod. */
export function isolationEntries(
  subject: Subject,
  policies: readonly RebalancePolicy[],
  { nowMs, isOfIt }: { readonly nowMs: number; readonly isOfIt: (podKey: string) => boolean },
): readonly Entry[] {
  const shown = shownSubject(subject)
  const isNamed = (row: IsolationRow) =>
    row.subject === shown || (row.subject.startsWith('Pod ') && isOfIt(row.subject.slice('Pod '.length)))
  return policies.flatMap(policy => {
    const { isolation } = policy.status ?? {}
    if (isolation === undefined) return []
    const entry = (row: IsolationRow, outcome: Entry['outcome']): Entry => ({
      atMs: Math.min(nowMs, sinceMs(policy) ?? nowMs),
      isLatest: true,
      who: plansFor('isolate').requester,
      what: `isolation of policy ${policy.metadata.name}, stage ${isolation.stage}`,
      decision: undefined,
      outcome,
      sentence: row.subject === shown ? row.message : `${row.subject}: ${row.message}`,
      because: [],
      reason: row.reason,
      ...(row.remedy === undefined ? {} : { wayOut: row.remedy }),
    })
    return [
      ...(isolation.blocked ?? []).filter(isNamed).map(row => entry(row, 'waits')),
      ...(isolation.warnings ?? []).filter(isNamed).map(row => entry(row, 'told')),
    ]
  })
}

/** When its conditions last changed. */
function sinceMs({ status }: RebalancePolicy): number | undefined {
  const times = (status?.isolation?.conditions ?? []).map(({ lastTransitionTime }) => Date.parse(lastTransitionTime ?? ''))
  const known = times.filter(ms => !Number.isNaN(ms))
  return known.length === 0 ? undefined : Math.max(...known)
}

/** `isolation of policy talos: stage Taint, Waiting: the taint is not there yet`, for the policy itself and for the nodes it isolates. */
export function isolationLines(policy: RebalancePolicy): readonly string[] {
  const { isolation } = policy.status ?? {}
  if (isolation === undefined) return []
  const { stage, phase, message, nodes, blocked = [] } = isolation
  return [
    `isolation of ${nodes.join(', ')} by policy ${policy.metadata.name}: stage ${stage}, ${phase}${blocked.length === 0 ? '' : `, ${blocked.length} in its way`}: ${message}`,
  ]
}
