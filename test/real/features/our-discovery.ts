// What our worker makes of a tree, with the processor that was asked when the tree was recorded.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HostTree } from '#machines/host-tree.ts'
import type { CpuidSource } from '../../../src/capabilities/features/discovery/cpu/cpuid-registers.ts'
import { discover } from '../../../src/capabilities/features/discovery/discover.ts'
import { nodeFeature } from '../../../src/capabilities/features/discovery/node-feature.ts'
import { readWorkerConfig, workerConfigPath } from '../../../src/capabilities/features/discovery/worker-config.ts'
import { writeTree } from './tree-files.ts'
import type { Tree } from './trees.ts'
import type { PublishedSpec } from './worker-answer.ts'

/** Labels that ours has besides, by tree: upstream means to write them too, and looks at a path that is never there. */
const acceptedDifferences: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  hybrid: {
    'feature.node.kubernetes.io/cpu-cpu_atom': 'true',
    'feature.node.kubernetes.io/cpu-cpu_core': 'true',
  },
}

const enabledModules = 'kernel.enabledmodule'

/** What upstream publishes of a tree, with what ours has besides: the other spelling of each module, and labels. */
export function withAcceptedDifferences(tree: string, { labels = {}, features }: PublishedSpec): PublishedSpec {
  const modules = Object.keys(features.flags[enabledModules]?.elements ?? {})
  const spelled = modules.flatMap(name => [name, name.split('-').join('_'), name.split('_').join('-')])
  const elements = Object.fromEntries(spelled.map(name => [name, {}]))
  const flags = modules.length === 0 ? features.flags : { ...features.flags, [enabledModules]: { elements } }
  return { features: { ...features, flags }, labels: { ...labels, ...acceptedDifferences[tree] } }
}

const ownTopology = ['logical_count', 'physical_count', 'core_types']

/** What ours publishes, without the counts of cores that upstream has not. */
export function withoutOwnTopology({ labels, features }: PublishedSpec): PublishedSpec {
  const { 'cpu.topology': topology, ...attributes } = features.attributes
  const kept = Object.entries(topology?.elements ?? {}).filter(([name]) => !ownTopology.includes(name))
  const all = topology === undefined ? attributes : { ...attributes, 'cpu.topology': { elements: Object.fromEntries(kept) } }
  return { features: { ...features, attributes: all }, ...(labels === undefined ? {} : { labels }) }
}

/** The spec of the NodeFeature, and what was told meanwhile. */
export function ourDiscovery(
  tree: Tree,
  node: string,
  cpuid: CpuidSource,
): { readonly spec: PublishedSpec; readonly told: readonly string[] } {
  const root = mkdtempSync(join(tmpdir(), 'ballast-tree-'))
  const told: string[] = []
  try {
    writeTree(root, tree)
    const config = readWorkerConfig(
      tree.config === undefined ? '' : readFileSync(join(root, workerConfigPath), 'utf8'),
      workerConfigPath,
      { tell: warning => void told.push(warning) },
    )
    const machine = {
      tree: new HostTree({ hostPrefix: `${root}/`, ownRoot: root }),
      cpuid,
      architecture: 'x64',
      nodeName: node,
      nowMs: Date.parse('2026-01-01T00:00:00Z'),
      tell: (what: string, about: object) => void told.push(`${what}: ${JSON.stringify(about).replaceAll(root, '')}`),
    }
    // The cast: it is what ours made of the same type.
    return { spec: nodeFeature(node, discover(machine, config))['spec'] as PublishedSpec, told }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}
