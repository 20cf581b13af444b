// The policy that holds now: that of the start, or the last good one after it. What becomes of a changed file is told by metric, log and Event.
import type { EmittedEvent } from '#kube/events/event-object.ts'
import { problemSentence } from '#kube/problem.ts'
import type { DeschedulerMetrics } from '../instruments/descheduler-metrics.ts'
import type { DeschedulerPolicy } from '../policy/args.ts'
import { policyRefusal } from '../policy/read-policy.ts'
import type { PolicyChange } from '../watch-policy.ts'
import type { DeschedulerLog } from './descheduler-log.ts'
import type { PolicyReading } from './policy-source.ts'

interface InForceOptions {
  readonly reading: Extract<PolicyReading, { readonly ok: true }>
  readonly file: string
  readonly metrics: Pick<DeschedulerMetrics, 'policyRead' | 'policyReloaded'>
  readonly log: DeschedulerLog
  readonly events: { emit(event: EmittedEvent): void }
  /** Whether Events are sent: a dry run writes nothing. */
  readonly isTold: boolean
  /** Our own pod, as far as its name says. */
  readonly identity: { readonly name: string; readonly namespace: string }
}

export class PolicyInForce {
  readonly #options: InForceOptions
  #policy: DeschedulerPolicy

  constructor(options: InForceOptions) {
    this.#options = options
    this.#policy = options.reading.policy
    this.#tellOddities(options.reading)
    options.metrics.policyRead(options.reading.unknownFields.length)
  }

  /** The same value until it changes. */
  get policy(): DeschedulerPolicy {
    return this.#policy
  }

  /** Another text of the file was read: what is good is in force from the next cycle on. */
  change(change: PolicyChange): void {
    const { metrics, log, file } = this.#options
    if (change.ok) {
      this.#policy = change.policy
      this.#tellOddities(change)
      metrics.policyReloaded({ kind: 'applied', unknownFields: change.unknownFields.length })
      log.told(0, 'The policy was changed: it holds from the next cycle on', { file })
      this.#emit('Normal', 'PolicyApplied', `${file}: the changed policy is in force`)
      return
    }
    metrics.policyReloaded({ kind: 'refused' })
    log.failed('The changed policy is refused: the older one holds', policyRefusal(change.problems), { file })
    this.#emit('Warning', 'PolicyRefused', change.problems.map(problemSentence).join('; '))
  }

  #tellOddities({ unknownFields, notes }: Extract<PolicyReading, { readonly ok: true }>): void {
    const { log, file } = this.#options
    for (const path of unknownFields) log.warned('A field of the policy that nobody reads does nothing', { file, path })
    for (const note of notes) log.warned(note, { file })
  }

  #emit(type: 'Normal' | 'Warning', reason: string, note: string): void {
    const { events, isTold, identity } = this.#options
    if (!isTold) return
    const regarding = { apiVersion: 'v1', kind: 'Pod', namespace: identity.namespace, name: identity.name }
    events.emit({ type, reason, action: 'ReloadPolicy', regarding, note, distinction: note })
  }
}
