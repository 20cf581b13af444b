// Writes the statuses of NodeFeatureRules, where the definition has one; upstream's has none, and then what fails is told by Events alone.

import { isDeepStrictEqual } from 'node:util'
import { type EffectContext, effectOptions, leadingGuard } from '#coordination/effects/effect-context.ts'
import { AbsenceDoubtedError } from '#kube/client/absence.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isNotFound, StatusError } from '#kube/objects/status.ts'
import type { RuleStatus } from '../kinds.ts'
import { capabilityName, nfdGroup, nfdVersion, nodeFeatureRules } from '../names.ts'
import type { RuleReports } from './rule-reports.ts'

interface StatusOptions {
  readonly effects: EffectContext
  readonly events: EventRecorder
  readonly rules: Informer<KubeObject>
  readonly log: Log
}

export class RuleStatuses {
  readonly #options: StatusOptions
  /** What was told of each rule that fails. */
  readonly #told = new Map<string, string>()
  /** Rules that are gone, or have no status, by UID. */
  readonly #without = new Set<string>()

  constructor(options: StatusOptions) {
    this.#options = options
  }

  /**
   * Writes what differs; a status that cannot be written holds up no other.
   *
   * @returns whether all is written @throws what the leadership throws when we lead no more
   */
  async write(reports: RuleReports, signal: AbortSignal): Promise<boolean> {
    const { effects, rules, log } = this.#options
    const failures = reports.failures()
    this.#tell(failures)
    let isDone = true
    for (const rule of [...rules.store.list()]) {
      const { name, uid = '', generation = 1 } = rule.metadata
      // The cast: the definition says what a status is; another's has none.
      const before = rule['status'] as RuleStatus | undefined
      const status = reports.statusOf(name, { generation, before, failing: failures.get(name), nowMs: effects.clock.now() })
      if (isDeepStrictEqual(status, before) || this.#without.has(uid)) continue
      try {
        await this.#patch({ name, uid }, status, signal)
      } catch (error) {
        if (!(error instanceof StatusError)) throw error
        isDone = false
        log.warn({ rule: name, why: messageOf(error) }, 'the status of a rule is not written, tried again')
      }
    }
    return isDone
  }

  async #patch(rule: { readonly name: string; readonly uid: string }, status: RuleStatus, signal: AbortSignal): Promise<void> {
    const { effects, rules } = this.#options
    const options = effectOptions(capabilityName, undefined, { guard: leadingGuard(effects), signal })
    const resource = effects.api.resource<KubeObject>(nodeFeatureRules)
    try {
      const body = { metadata: { uid: rule.uid }, status }
      rules.observe(await resource.patch(rule.name, { type: 'merge', body }, { ...options, subresource: 'status' }))
    } catch (error) {
      // It is gone, or its definition has no status, as upstream's: a watch has it, and the server says that there is no such thing.
      if (!isNotFound(error) && !(error instanceof AbsenceDoubtedError)) throw error
      this.#without.add(rule.uid)
    }
  }

  #tell(failures: ReturnType<RuleReports['failures']>): void {
    for (const object of this.#told.keys()) if (!failures.has(object)) this.#told.delete(object)
    for (const [object, { node, why }] of failures) {
      if (this.#told.get(object) === why) continue
      this.#told.set(object, why)
      this.#options.events.emit({
        type: 'Warning',
        reason: 'RuleFailed',
        action: 'Evaluate',
        regarding: { apiVersion: `${nfdGroup}/${nfdVersion}`, kind: 'NodeFeatureRule', name: object },
        note: `on node ${node}: ${why}`,
        distinction: why,
      })
    }
  }
}
