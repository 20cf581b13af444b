// Which nodes plugins are for, as far as it says more than that a node has such a device.

import { isEmpty, type Step } from '#upstreams/values-row.ts'
import { isTree, type ValuesTree } from '#upstreams/values-tree.ts'

/** Labels that all nodes have which such a plugin is for. */
const ofEveryNode: ReadonlySet<string> = new Set([
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'intel.feature.node.kubernetes.io/gpu',
  'intel.feature.node.kubernetes.io/npu',
  'feature.node.kubernetes.io/pci-0300_1002.present',
  'feature.node.kubernetes.io/amd-gpu',
])

/** What a selector of nodes says beside that they have such a device, and that they are awake. */
export function chosenNodes(selector: unknown): ValuesTree {
  if (!isTree(selector)) return {}
  return Object.fromEntries(Object.entries(selector).filter(([key]) => !ofEveryNode.has(key) && !key.startsWith('ballast.dev/')))
}

/** Ours looks at every node that its pods are on. */
export function nodeSteps(selector: unknown): readonly Step[] {
  const chosen = chosenNodes(selector)
  if (isEmpty(chosen)) return [{ kind: 'dropped', why: 'ours looks at every node, and offers nothing where nothing is' }]
  return [{ kind: 'carried', to: 'agent.nodeSelector', value: chosen }]
}
