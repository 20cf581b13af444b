// Nodes that rules hold are let go when Ballast is uninstalled: nobody would take these taints off any more. The rules themselves are the users'.

import { unmarkNode } from '#coordination/effects/taint.ts'
import type { CapabilityObjects } from '#deployment/capability-objects.ts'
import type { RemovalRun } from '#deployment/removal/removal-run.ts'
import { isOwnManager } from '#kube/client/take-away.ts'
import { at } from '#kube/objects/object-fields.ts'
import type { Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { bootstrapPrefix, capabilityName } from '../names.ts'
import { carries, nodeFacts } from '../node-facts.ts'
import { type NodeReadinessRule, nodeReadinessRules } from '../rules/node-readiness-rule.ts'
import { speaksOf } from '../rules/rule-decision.ts'

export const givenBack: CapabilityObjects = { objects: () => [], uninstall: letNodesGo }

/**
 * Takes the taint of each rule off the nodes that it speaks of; a rule that only says what it would do has set none. Then what says which
 * rules are done with a node, as far as we wrote it: what upstream's controller wrote is upstream's.
 */
async function letNodesGo(run: RemovalRun): Promise<void> {
  const rules = await run.find<NodeReadinessRule>(nodeReadinessRules, ({ spec }) => spec.dryRun !== true)
  for (const node of await run.find<Node>(builtIn.nodes, () => true)) {
    await takeTaints(run, rules, node)
    if (!run.options.keep.has('labels')) await forgetDone(run, node)
  }
}

async function takeTaints(run: RemovalRun, rules: readonly NodeReadinessRule[], node: Node): Promise<void> {
  const { name, uid = '' } = node.metadata
  const heldBy = (current: Node) => {
    const facts = nodeFacts(current)
    return rules.filter(rule => speaksOf(rule, facts) && carries(facts, rule.spec.taint))
  }
  const held = heldBy(node)
  if (held.length === 0) return
  const marks = (current: Node) => ({ add: [], remove: heldBy(current).map(({ spec }) => spec.taint), annotations: {} })
  const keys = held.map(({ spec }) => spec.taint.key).join(', ')
  await run.take(`take taint ${keys} off Node ${name}: nobody looks after NodeReadinessRules any more`, () =>
    unmarkNode(run.effects, { node: name, uid, requester: capabilityName, marks }, run.options.signal),
  )
}

async function forgetDone(run: RemovalRun, node: Node): Promise<void> {
  const { name, uid = '' } = node.metadata
  const found = ownBootstrapKeys(node)
  if (found.length === 0) return
  const marks = (current: Node) => ({
    add: [],
    remove: [],
    annotations: Object.fromEntries(ownBootstrapKeys(current).map(key => [key, null])),
  })
  await run.take(`take annotation ${found.join(', ')} off Node ${name}`, () =>
    unmarkNode(run.effects, { node: name, uid, requester: capabilityName, marks }, run.options.signal),
  )
}

/** Those that the API server says we wrote. */
function ownBootstrapKeys({ metadata }: Node): readonly string[] {
  const { annotations = {}, managedFields = [] } = metadata
  const ours = managedFields.filter(({ manager }) => isOwnManager(manager))
  const isOurs = (key: string) =>
    ours.some(({ fieldsV1 }) => at(fieldsV1, 'f:metadata', 'f:annotations', `f:${key}`) !== undefined)
  return Object.keys(annotations)
    .filter(key => key.startsWith(bootstrapPrefix) && isOurs(key))
    .sort()
}
