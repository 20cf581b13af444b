// What our worker makes of a tree, with the processor that was asked when the tree was recorded.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CpuidSource } from '../../../src/capabilities/features/discovery/cpu/cpuid-registers.ts'
import { discover } from '../../../src/capabilities/features/discovery/discover.ts'
import { HostTree } from '../../../src/capabilities/features/discovery/host-tree.ts'
import { nodeFeature } from '../../../src/capabilities/features/discovery/node-feature.ts'
import { readWorkerConfig } from '../../../src/capabilities/features/discovery/worker-config.ts'
import { configPath, writeTree } from './tree-files.ts'
import type { Tree } from './trees.ts'

/** The spec of the NodeFeature, and what was told meanwhile. */
export function ourDiscovery(
  tree: Tree,
  node: string,
  cpuid: CpuidSource,
): { readonly spec: unknown; readonly told: readonly string[] } {
  const root = mkdtempSync(join(tmpdir(), 'ballast-tree-'))
  const told: string[] = []
  try {
    writeTree(root, tree)
    const config = readWorkerConfig(tree.config === undefined ? '' : readFileSync(join(root, configPath), 'utf8'), configPath)
    const machine = {
      tree: new HostTree({ hostPrefix: `${root}/`, ownRoot: root }),
      cpuid,
      architecture: 'x64',
      nodeName: node,
      nowMs: Date.parse('2026-01-01T00:00:00Z'),
      tell: (what: string, about: object) => void told.push(`${what}: ${JSON.stringify(about).replaceAll(root, '')}`),
    }
    return { spec: nodeFeature(node, discover(machine, config))['spec'], told }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}
