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
export const acceptedDifferences: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  hybrid: {
    'feature.node.kubernetes.io/cpu-cpu_atom': 'true',
    'feature.node.kubernetes.io/cpu-cpu_core': 'true',
  },
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
