// Labels by rules of the node's own: fixed ones, those of the configuration, those that lie in a directory.

import type { HostTree } from '#machines/host-tree.ts'
import { addFeatures, type FeatureSet, noFeatures, setAttributes } from '../matching/feature-set.ts'
import { type Rule, runRule } from '../matching/rule.ts'
import { RuleFailure } from '../matching/rule-failure.ts'
import type { Labels, Machine } from './source.ts'
import { readRulesFile } from './worker-rules.ts'

/** Where rules lie, in files and in directories one level below. */
const customRulesDirectory = 'etc/kubernetes/node-feature-discovery/custom.d'

const none = new Map<string, string>()

function fixed(name: string, label: string, term: Rule['matchFeatures'][number]): Rule {
  return {
    name,
    labels: new Map([[label, 'true']]),
    vars: none,
    annotations: none,
    extendedResources: none,
    taints: [],
    matchFeatures: [term],
    matchAny: [],
  }
}

/** The vendor whose network cards all do RDMA. */
const mellanox = '15b3'

const fixedRules: readonly Rule[] = [
  fixed('RDMA capable', 'rdma.capable', {
    feature: 'pci.device',
    matchExpressions: new Map([['vendor', { op: 'In', value: [mellanox] }]]),
  }),
  fixed('RDMA available', 'rdma.available', {
    feature: 'kernel.loadedmodule',
    matchExpressions: new Map([
      ['ib_uverbs', { op: 'Exists' }],
      ['rdma_ucm', { op: 'Exists' }],
    ]),
  }),
]

/** Labels that rules give for what all sources found; a rule sees what those before it gave. */
export function customLabels(features: FeatureSet, configured: readonly Rule[], { tree, tell }: Machine): Labels {
  const seen = noFeatures()
  addFeatures(seen, features)
  const labels = new Map<string, string>()
  for (const rule of [...fixedRules, ...configured, ...rulesOfDirectory(tree, tell)]) {
    try {
      const outcome = runRule(rule, seen)
      for (const [key, value] of outcome.labels) labels.set(key, value)
      setAttributes(seen, 'rule.matched', [...outcome.labels, ...outcome.vars])
    } catch (error) {
      if (!(error instanceof RuleFailure)) throw error
      tell('a rule of the node failed', { rule: rule.name, why: error.message })
    }
  }
  return labels
}

function rulesOfDirectory(tree: HostTree, tell: Machine['tell']): readonly Rule[] {
  const rulesIn = (directory: string, isBelow: boolean): readonly Rule[] =>
    (tree.names(directory) ?? []).flatMap(name => {
      const path = `${directory}/${name}`
      if (tree.isDirectory(path)) return isBelow ? [] : rulesIn(path, true)
      if (name.startsWith('.')) return []
      const text = tree.rawText(path)
      if (text === undefined) {
        tell('a file of rules cannot be read', { path })
        return []
      }
      const { rules, problem } = readRulesFile(text, path)
      if (problem !== undefined) tell('a file of rules is set aside', { path, why: problem })
      return rules
    })
  return rulesIn(tree.own(customRulesDirectory), false)
}
