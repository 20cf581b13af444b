// Who asks, and what: a capability says here what it would bring to the arbiter about a pod, a workload or a node at this moment.
import type { PodState } from '#cluster/cluster-state.ts'
import type { UnlabelledOwner } from '#cluster/ownership.ts'
import type { FitProof, Intent, Target } from '../intent.ts'

/** A capability, as far as it asks. */
export interface Asker {
  readonly name: string
  readonly questions?: readonly CapabilityQuestion[]
}

/** One question, posed as the intent that the capability would bring. */
export type CapabilityQuestion = {
  /** `move`: before this an obstacle is said to stand. */
  readonly name: string
  /** `move it`. */
  readonly words: string
  /** Where it stands among the questions of all, lowest first. */
  readonly place: number
} & (
  | { /** A workload that rolls out. */ readonly about: 'rollout'; wish(): Wish }
  | { readonly about: 'pod' /** Yields `undefined` where it makes no sense. */; wish(of: AskedPod): Wish | undefined }
  | { readonly about: 'node'; wish(of: AskedNode): Wish }
)

/** What makes it another question; targets, workload and pods that go away are those it is about, unless it says otherwise. */
type Wish = Pick<Intent, 'verb' | 'purpose' | 'class'> & Partial<Omit<Intent, 'requester'>>

export interface AskedPod {
  readonly pod: PodState
  /** Its workload, where a replacement is started before the pod goes. */
  readonly surging: Target | undefined
  readonly node: Target | undefined
  readonly requirements: Requirements
  /** The nodes other than its own on which a replacement fits now; `stays`: while the pod is still there. */
  places(given: { readonly stays: boolean }): Fit
}

export interface AskedNode {
  /** Pods that a drain takes away. */
  readonly leaving: readonly Target[]
  /** The nodes on which one of them fits, where each fits on some. */
  places(): Fit
}

export interface Fit {
  readonly proof?: FitProof
}

/** What the RebalancePolicy asks of moves. */
export interface Requirements {
  readonly requireBudget: boolean
  readonly unlabelled: UnlabelledOwner
  readonly ignoreScalers: boolean
  /** And of an isolation. */
  readonly evictScaled: boolean
  readonly spareUnmanaged: boolean
}
