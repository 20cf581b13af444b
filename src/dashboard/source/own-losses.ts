// Pods that left by our own permits. Pods and permits come by watches of their own: a pod that leaves before its permit is read looks as if
// somebody else had taken it, until the permit is there.

import type { Observation, Observations } from '#coordination/observed/observation.ts'
import type { LedgerView } from '#coordination/permits/ledger-view.ts'
import type { PermitRecord } from '#coordination/permits/permit-record.ts'

/** Server clocks of one control plane differ by less than this, in milliseconds. */
const clockSkewMs = 5_000

/** `observed` without what a permit, as the ledger stands by now, says that we did. */
export function withoutOwn(observed: Observations, ledger: () => LedgerView): Observations {
  const others = (all: readonly Observation[]) => all.filter(one => !isOwn(one, ledger()))
  return {
    ofWorkload: workload => others(observed.ofWorkload(workload)),
    since: ms => others(observed.since(ms)),
    wokenMs: workload => observed.wokenMs?.(workload),
  }
}

function isOwn({ kind, workload, evidence, atMs }: Observation, ledger: LedgerView): boolean {
  if (kind !== 'pod-lost' || workload === undefined) return false
  return ledger.ofWorkload(workload).some(permit => mayHaveDone(permit, atMs) && namesPod(permit, evidence))
}

function mayHaveDone({ grant, createdMs, releasedAtMs, ending }: PermitRecord, atMs: number): boolean {
  if (grant === undefined || ending === 'withdrawn') return false
  return atMs >= createdMs - clockSkewMs && atMs <= (releasedAtMs ?? Number.POSITIVE_INFINITY) + clockSkewMs
}

/** What shows a loss begins with the pod: `pod shop/cart-0 has …`. */
function namesPod({ targets }: PermitRecord, evidence: string): boolean {
  return targets.some(({ kind, namespace, name }) => kind === 'Pod' && evidence.startsWith(`pod ${namespace}/${name} `))
}
