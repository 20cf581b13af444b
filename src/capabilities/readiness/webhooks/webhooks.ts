// The part that answers API servers, on every replica: whoever leads, a node that is created meets the taint.
import type { ControllerContext, Running } from '#coordination/capability.ts'
import type { Webhook } from '#kube/server/admission.ts'
import type { ReadinessConfig } from '../config.ts'
import { isRule, type NodeReadinessRule, nodeReadinessRules } from '../rules/node-readiness-rule.ts'
import { ownRules } from '../rules/own-rules.ts'
import { answerNodeCreation, answerRule } from './admission.ts'

/** Rules that one answer is judged against. */
const mostCompared = 5_000

/** Serves both webhooks where the process can be reached. */
export async function startWebhooks(
  { webhooks, clock, api }: Pick<ControllerContext, 'webhooks' | 'clock' | 'api'>,
  config: ReadinessConfig,
): Promise<Running<ReadinessConfig>> {
  let rules = ownRules(config)
  let { taintKey, admission } = config
  const nodes: Webhook = {
    kind: 'mutating',
    name: 'nodes.readiness',
    failurePolicy: 'Ignore',
    handle: request => (admission ? answerNodeCreation(request, { rules, taintKey, nowMs: clock.now() }) : { kind: 'allowed' }),
  }
  const ofRules: Webhook = {
    kind: 'validating',
    name: 'rules.readiness',
    failurePolicy: 'Ignore',
    handle: async (request, signal) => {
      const known = await api.resource<NodeReadinessRule>(nodeReadinessRules).list({ signal, limit: mostCompared })
      return answerRule(request, known.items.filter(isRule))
    },
  }
  const served = [webhooks?.serve(nodes), webhooks?.serve(ofRules)]
  return {
    health: () => [],
    reconfigure: async next => {
      rules = ownRules(next)
      ;({ taintKey, admission } = next)
      return 'applied'
    },
    [Symbol.asyncDispose]: async () => {
      for (const one of served) one?.[Symbol.dispose]()
    },
  }
}
