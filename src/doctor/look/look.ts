// What a look at a cluster or a repository says, as data. Nothing of it is a decision: it only reads.
import type { Loss } from '#planning/plan-record.ts'
import type { ProposedGoal } from '#planning/proposals/proposals.ts'

/** What a program does to workloads of others. */
export type Verb = 'evicts' | 'restarts' | 'scales'

/** An upstream that is there. */
export interface Present {
  readonly name: string
  /** `chart reloader 2.2.7`, `image v1.4.0`. */
  readonly version: string
  /** `Deployment kube-system/reloader`, or a file with its line. */
  readonly where: string
  readonly capability: string
  readonly isOff: boolean
  /** What Ballast would do in its place, where it can take it. */
  readonly swap?: { readonly how: string; readonly command: string }
}

/** Two or more that do the same to the same thing. */
export interface Rivalry {
  readonly verb: Verb
  /** What they do it to: a workload, or what both may reach. */
  readonly target: string
  readonly rivals: readonly string[]
  /** `fights` where Events or managedFields show it, else `could fight`. */
  readonly certainty: 'fights' | 'could fight'
  readonly evidence: readonly string[]
}

/** Figures of one resource, in millicores or bytes. */
export interface Wasted {
  readonly resource: 'cpu' | 'memory'
  readonly allocatable: number
  readonly requested: number
  /** What the measured pods request and do not use, and how many pods that are; absent where nothing was measured. */
  readonly unused?: { readonly amount: number; readonly pods: number }
}

export interface IdleNode {
  readonly name: string
  /** Percent of allocatable that is requested. */
  readonly cpu: number
  readonly memory: number
  /** What it draws with nothing to do, where a RebalancePolicy says it. */
  readonly watts?: number
}

export interface Waste {
  readonly resources: readonly Wasted[]
  readonly idle: readonly IdleNode[]
}

export interface Look {
  readonly looked: string
  readonly of: 'cluster' | 'repository'
  readonly present: readonly Present[]
  readonly rivalries: readonly Rivalry[]
  /** Files do not say it. */
  readonly waste?: Waste
  /** Every node whose loss leaves pods without a place, the worst first. */
  readonly losses?: readonly Loss[]
  readonly proposals: readonly { readonly sentence: string; readonly goal?: ProposedGoal }[]
  /** What is not known, and what would tell. */
  readonly unknown: readonly string[]
}

/** Is there nothing that anybody has to know? */
export function saysNothing({ present, rivalries, waste, losses = [], proposals }: Look): boolean {
  const unused = waste?.resources.some(one => (one.unused?.amount ?? 0) > 0) === true
  return present.length + rivalries.length + losses.length + proposals.length + (waste?.idle.length ?? 0) === 0 && !unused
}
