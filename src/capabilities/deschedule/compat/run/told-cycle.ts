// What a cycle says to people: upstream's log lines and upstream's Events.

import type { PodState } from '#cluster/cluster-state.ts'
import type { EmittedEvent } from '#kube/events/event-object.ts'
import type { EvictionWish } from '../contract.ts'
import type { CycleStep } from '../cycle.ts'
import type { EvictionOutcome } from '../eviction.ts'
import type { BackgroundEnd } from '../eviction-in-background.ts'
import type { CycleListener } from '../instruments/cycle-listener.ts'
import type { EvictionLimits } from '../policy/args.ts'
import type { DeschedulerLog } from './descheduler-log.ts'

/** Who reports, as upstream's Events have it. */
export const reportingController = 'sigs.k8s.io.descheduler'
const action = 'Descheduled'

interface TellingOptions {
  readonly log: DeschedulerLog
  /** Absent: no Events are sent (a dry run). */
  readonly events?: { emit(event: EmittedEvent): void }
  /** The policy in force: it may change between two cycles. */
  readonly policy: () => { readonly evictionFailureEventNotification: boolean; readonly limits: EvictionLimits }
  readonly isDryRun: boolean
}

export class ToldCycle implements CycleListener {
  readonly #options: TellingOptions

  constructor(options: TellingOptions) {
    this.#options = options
  }

  cycleBegan(): void {
    this.#options.log.told(3, 'Resetting pod evictor counters', {})
  }

  step(step: CycleStep): void {
    const { log } = this.#options
    if (step.kind === 'limit') this.#limited(step)
    else if (step.kind === 'end') {
      const { strategy: plugin, profile, point } = step.plugin
      if (step.error !== undefined) log.failed(`running ${point} extension point failed with error`, step.error, { profile })
      const extensionPoint = point === 'deschedule' ? 'Deschedule' : 'Balance'
      log.told(1, 'Total number of evictions/requests', {
        'extension point': extensionPoint,
        evictedPods: step.evicted,
        evictionRequests: step.requests,
        plugin,
        profile,
      })
    }
  }

  answered(wish: EvictionWish, outcome: EvictionOutcome): void {
    const { log, isDryRun } = this.#options
    const { pod, reason, strategy, profile } = wish
    switch (outcome.kind) {
      case 'evicted': {
        const said = isDryRun ? 'Evicted pod in dry run mode' : 'Evicted pod'
        log.told(1, said, { pod: pod.key, reason, strategy, node: pod.nodeName ?? '', profile })
        const word = [reason, strategy].find(text => text !== '') ?? 'NotSet'
        this.#emit(pod, { type: 'Normal', reason: word, note: leaving(pod) })
        return
      }
      case 'background':
        log.told(3, 'Eviction in background assumed', { pod: pod.key })
        return
      case 'ignored':
        log.told(3, 'Ignoring eviction of a completed/failed pod', { pod: pod.key })
        return
      case 'failed':
      case 'unknown':
        log.failed('Error evicting pod', outcome.message, { pod: pod.key, reason })
        this.#failed(pod, outcome.message)
    }
  }

  backgroundEnded({ pod, result }: BackgroundEnd): void {
    this.#options.log.told(3, 'Eviction in background is over', { pod: pod.key, result })
  }

  cycleEnded(): void {
    // The cycle itself tells its totals.
  }

  #limited({ wish, refusal }: Extract<CycleStep, { readonly kind: 'limit' }>): void {
    const { limits } = this.#options.policy()
    const { pod } = wish
    const limit = { 'total-limit': limits.total, 'node-limit': limits.node, 'namespace-limit': limits.namespace }[refusal.kind]
    const of =
      refusal.kind === 'node-limit'
        ? { node: pod.nodeName ?? '' }
        : refusal.kind === 'namespace-limit'
          ? { namespace: pod.namespace, pod: pod.key }
          : {}
    this.#options.log.failed('Error evicting pod', refusal.result, { limit: limit ?? 0, ...of })
    this.#failed(pod, refusal.event)
  }

  #failed(pod: PodState, why: string): void {
    if (!this.#options.policy().evictionFailureEventNotification) return
    this.#emit(pod, { type: 'Warning', reason: 'EvictionFailed', note: `${leaving(pod)} failed: ${why}` })
  }

  #emit(pod: PodState, event: Pick<EmittedEvent, 'type' | 'reason' | 'note'>): void {
    const { namespace, name, uid } = pod
    const regarding = { apiVersion: 'v1', kind: 'Pod', namespace, name, ...(uid === '' ? {} : { uid }) }
    this.#options.events?.emit({ ...event, action, controller: reportingController, regarding })
  }
}

function leaving(pod: PodState): string {
  return `pod eviction from ${pod.nodeName ?? ''} node by sigs.k8s.io/descheduler`
}
