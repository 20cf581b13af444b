// Writes the statuses of NodeFeatureRules, where the definition has one; upstream's has none, and then what fails is told by Events alone.

import { isDeepStrictEqual } from 'node:util'
import type { EffectContext } from '#coordination/effects/effect-context.ts'
import { AbsenceDoubtedError } from '#kube/client/absence.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { RuleStatus } from '../kinds.ts'
import { capabilityName, nfdGroup, nfdVersion, nodeFeatureRules } from '../names.ts'
import type { RuleReports } from './rule-reports.ts'

interface StatusOptions {
  readonly effects: EffectContext
  readonly events: EventRecorder
  readonly rules: Informer<KubeObject>
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

  /** Writes what differs. @throws StatusError; what the leadership throws when we lead no more */
  async write(reports: RuleReports, signal: AbortSignal): Promise<void> {
    const { effects, rules } = this.#options
    this.#tell(reports)
    const api = effects.api.under(() => effects.leadership.assert()).resource<KubeObject>(nodeFeatureRules)
    for (const rule of [...rules.store.list()]) {
      const { name, uid = '', generation = 1 } = rule.metadata
      // The cast: the definition says what a status is; another's has none.
      const before = rule['status'] as RuleStatus | undefined
      const status = reports.statusOf(name, { generation, before, nowMs: effects.clock.now() })
      if (isDeepStrictEqual(status, before) || this.#without.has(uid)) continue
      try {
        const body = { metadata: { uid }, status }
        const options = { signal, subresource: 'status', fieldManager: `ballast-${capabilityName}` }
        rules.observe(await api.patch(name, { type: 'merge', body }, options))
      } catch (error) {
        // It is gone, or its definition has no status, as upstream's: a watch has it, and the server says that there is no such thing.
        if (!isNotFound(error) && !(error instanceof AbsenceDoubtedError)) throw error
        this.#without.add(uid)
      }
    }
  }

  #tell(reports: RuleReports): void {
    const failures = reports.failures()
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
