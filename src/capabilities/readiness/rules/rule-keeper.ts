// What is written on NodeReadinessRules themselves: the finalizer before anything of theirs is on a node, the status after each look, and the
// finalizer away when their taints are.
import type { EffectContext } from '#coordination/effects/effect-context.ts'
import { addFinalizer, removeFinalizer } from '#kube/client/finalizers.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import { capabilityName, cleanupFinalizer } from '../names.ts'
import { carries } from '../node-facts.ts'
import { type NodeReadinessRule, nodeReadinessRules } from './node-readiness-rule.ts'
import { isLeaving, speaksOf } from './rule-decision.ts'
import { type Evaluated, ruleStatus, statusPatch } from './rule-status.ts'

const fieldManager = `ballast-${capabilityName}`

interface RuleKeeperOptions {
  readonly effects: EffectContext
  readonly rules: Informer<NodeReadinessRule>
}

export class RuleKeeper {
  readonly #options: RuleKeeperOptions

  constructor(options: RuleKeeperOptions) {
    this.#options = options
  }

  /** Rules that may act: the finalizer is on them. @throws StatusError */
  async secure(rules: readonly NodeReadinessRule[], signal: AbortSignal): Promise<readonly NodeReadinessRule[]> {
    const { effects, rules: informer } = this.#options
    const resource = effects.api.resource<NodeReadinessRule>(nodeReadinessRules)
    const secured: NodeReadinessRule[] = []
    for (const rule of rules) {
      if (isLeaving(rule) || rule.metadata.finalizers?.includes(cleanupFinalizer) === true) {
        secured.push(rule)
        continue
      }
      effects.leadership.assert()
      try {
        const written = await addFinalizer(resource, rule, cleanupFinalizer, { signal, fieldManager })
        informer.observe(written)
        secured.push(written)
      } catch (error) {
        // Deleted just now: what its watch brings is decided on.
        if (!isNotFound(error)) throw error
      }
    }
    return secured
  }

  /** Writes what each rule's status is to say, and lets go of rules that are deleted and on no node any more. @throws StatusError */
  async report(
    rules: readonly NodeReadinessRule[],
    evaluatedBy: (rule: NodeReadinessRule) => readonly Evaluated[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const rule of rules) {
      const evaluated = evaluatedBy(rule)
      if (isLeaving(rule)) await this.#letGo(rule, evaluated, signal)
      else await this.#write(rule, evaluated, signal)
    }
  }

  async #write(rule: NodeReadinessRule, evaluated: readonly Evaluated[], signal: AbortSignal): Promise<void> {
    const { effects, rules } = this.#options
    const patch = statusPatch(rule.status, ruleStatus(rule, evaluated, effects.clock.now()))
    if (patch === undefined) return
    effects.leadership.assert()
    const body = { ...patch, metadata: { resourceVersion: rule.metadata.resourceVersion } }
    const options = { signal, fieldManager: `${fieldManager}-status`, subresource: 'status' }
    try {
      rules.observe(
        await effects.api
          .resource<NodeReadinessRule>(nodeReadinessRules)
          .patch(rule.metadata.name, { type: 'merge', body }, options),
      )
    } catch (error) {
      // Somebody changed it meanwhile, or it is gone: the watch brings it, and it is looked at again.
      if (!isConflict(error) && !isNotFound(error)) throw error
    }
  }

  async #letGo(rule: NodeReadinessRule, evaluated: readonly Evaluated[], signal: AbortSignal): Promise<void> {
    const { effects } = this.#options
    if (rule.metadata.finalizers?.includes(cleanupFinalizer) !== true) return
    const isStillOn = evaluated.some(
      ({ node, decision }) =>
        decision.action === 'remove' && !node.isDeleting && speaksOf(rule, node) && carries(node, rule.spec.taint),
    )
    if (isStillOn) return
    effects.leadership.assert()
    await removeFinalizer(effects.api.resource<NodeReadinessRule>(nodeReadinessRules), rule, cleanupFinalizer, {
      signal,
      fieldManager,
    })
  }
}
