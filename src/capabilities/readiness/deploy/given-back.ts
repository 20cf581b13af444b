// Nodes that rules hold are let go when Ballast is uninstalled: nobody would take these taints off any more. The rules themselves are the users'.

import { unmarkNode } from '#coordination/effects/taint.ts'
import type { CapabilityObjects } from '#deployment/capability-objects.ts'
import type { RemovalRun } from '#deployment/removal/removal-run.ts'
import type { Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { capabilityName } from '../names.ts'
import { carries, nodeFacts } from '../node-facts.ts'
import { type NodeReadinessRule, nodeReadinessRules } from '../rules/node-readiness-rule.ts'
import { speaksOf } from '../rules/rule-decision.ts'

export const givenBack: CapabilityObjects = { objects: () => [], uninstall: letNodesGo }

/** Takes the taint of each rule off the nodes that it speaks of; a rule that only says what it would do has set none. */
async function letNodesGo(run: RemovalRun): Promise<void> {
  const rules = await run.find<NodeReadinessRule>(nodeReadinessRules, ({ spec }) => spec.dryRun !== true)
  if (rules.length === 0) return
  for (const node of await run.find<Node>(builtIn.nodes, () => true)) {
    const { name, uid = '' } = node.metadata
    const heldBy = (current: Node) => {
      const facts = nodeFacts(current)
      return rules.filter(rule => speaksOf(rule, facts) && carries(facts, rule.spec.taint))
    }
    const held = heldBy(node)
    if (held.length === 0) continue
    const marks = (current: Node) => ({ add: [], remove: heldBy(current).map(({ spec }) => spec.taint), annotations: {} })
    const keys = held.map(({ spec }) => spec.taint.key).join(', ')
    await run.take(`take taint ${keys} off Node ${name}: nobody looks after NodeReadinessRules any more`, () =>
      unmarkNode(run.effects, { node: name, uid, requester: capabilityName, marks }, run.options.signal),
    )
  }
}
