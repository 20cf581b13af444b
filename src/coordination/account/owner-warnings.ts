// Owner labels that say other than what holds, told as a Warning on the workload: its people should know.
import type { OwnerLabel } from '#cluster/ownership.ts'
import type { EmittedEvent } from '#kube/events/event-object.ts'
import { describeTarget } from '../intent.ts'
import type { OwnerContradiction } from '../policy/question.ts'

/** So many workloads are remembered as told; then all are forgotten and may be told once more. */
const mostRemembered = 10_000
/** Characters of a user's value that are repeated: as long as a label's value may be. */
const longestQuote = 63

/** How it is told, and in whose name. `code`: why the pods of the workload are left alone for it. */
type Teller = Pick<EmittedEvent, 'reason' | 'action' | 'controller'> & { readonly code?: string }

/** Tells once a workload and value, whoever comes upon it: the arbiter with each question, the planner with what it leaves alone. */
export class OwnerWarnings {
  readonly #events: { emit(event: EmittedEvent): void }
  readonly #label: OwnerLabel
  readonly #told = new Set<string>()

  constructor(events: { emit(event: EmittedEvent): void }, label: OwnerLabel) {
    this.#events = events
    this.#label = label
  }

  /** Never throws, never waits. */
  tell(contradiction: OwnerContradiction, { code, ...by }: Teller): void {
    const { subject, said, isScaled } = contradiction
    const key = `${describeTarget(subject)} ${subject.uid ?? ''} ${isScaled} ${said}`
    if (this.#told.has(key)) return
    if (this.#told.size >= mostRemembered) this.#told.clear()
    this.#told.add(key)
    const words = contradictionWords(contradiction, this.#label)
    this.#events.emit({ type: 'Warning', ...by, regarding: subject, note: code === undefined ? words : `${words} [${code}]` })
  }
}

function contradictionWords({ said, key, isScaled }: OwnerContradiction, { values }: OwnerLabel): string {
  const label = `its label ${key} says ${JSON.stringify(said.slice(0, longestQuote))}`
  return isScaled
    ? `${label}, but a ScaledObject or ScaledJob targets it: it is KEDA's`
    : `${label}, which is none of ${values.descheduler}, ${values.keda}, ${values.none}: it counts as no label`
}
