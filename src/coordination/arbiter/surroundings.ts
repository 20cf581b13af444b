// What the rules are asked with beside the cluster and the wish itself, as whoever looks ahead needs it.
import type { OwnerLabel } from '#cluster/ownership.ts'
import type { Target } from '../intent.ts'
import type { Observations } from '../observed/observation.ts'
import type { LedgerView } from '../permits/ledger-view.ts'
import type { ArbiterPolicy } from '../policy/arbiter-policy.ts'

export interface ArbiterSurroundings {
  readonly ledger: LedgerView
  readonly observed: Observations
  readonly policy: ArbiterPolicy
  readonly ownerLabel: OwnerLabel
  /** Ballast's own namespace: frozen, it freezes everything. */
  readonly ownNamespace: string
  /** Whether the state knows a kind; default: those that every cluster view holds. */
  readonly watches?: (of: Pick<Target, 'apiVersion' | 'kind'>) => boolean
}
