// Disruption budgets that workloads lack, as files beside their manifests.

import { stringify } from 'yaml'
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { targetOf } from './manifest-target.ts'
import { folderOf, isFields, type ManifestFolder, manifestValues } from './manifests.ts'
import type { FileChange } from './unified-diff.ts'
import { withValue } from './yaml-edit.ts'

interface BudgetPlace {
  readonly folder: ManifestFolder
  /** Texts as they are to be, by path. */
  readonly texts: ReadonlyMap<string, string>
  readonly overlay: string | undefined
}

/** New files, the kustomizations that take them in, and a line for each budget. Budgets are of the name of their workload. */
export function budgetFiles(
  state: Pick<ClusterState, 'object'>,
  { folder, texts, overlay }: BudgetPlace,
  budgets: readonly KubeObject[],
): { readonly changes: readonly FileChange[]; readonly lines: readonly string[] } {
  const next = new Map<string, string>()
  const lines: string[] = []
  for (const budget of budgets) {
    const { name, namespace = 'default' } = budget.metadata
    const workload = ['Deployment', 'StatefulSet', 'ReplicaSet', 'ReplicationController']
      .map(kind => state.object(kind, namespace, name))
      .find(found => found !== undefined)
    const target = workload === undefined ? undefined : targetOf(folder, workload, overlay)
    if (target?.kind !== 'manifest') {
      const path = `budgets/${namespace}-${name}.yaml`
      next.set(path, stringify(budget, { lineWidth: 0 }))
      lines.push(`${namespace}/${name}: \`${path}\`, which no kustomization takes in: its workload is not written in these files`)
      continue
    }
    const { manifest } = target
    const beside = folderOf(manifest.file)
    const file = `${name}-pdb.yaml`
    const path = beside === '.' ? file : `${beside}/${file}`
    const { namespace: _own, ...metadata } = budget.metadata
    next.set(
      path,
      stringify({ ...budget, metadata: manifest.namespace === undefined ? metadata : budget.metadata }, { lineWidth: 0 }),
    )
    const kustomization = folder.kustomizationFiles.get(beside)
    const text = kustomization === undefined ? undefined : (next.get(kustomization) ?? texts.get(kustomization))
    if (kustomization !== undefined && text !== undefined) {
      const after = takingIn(text, file)
      if (after !== undefined) next.set(kustomization, after)
    }
    lines.push(`${namespace}/${name}: \`${path}\`, maxUnavailable 1: what has no budget is not moved`)
  }
  const changes = [...next]
    .map(([path, after]) => ({ path, before: texts.get(path), after }))
    .filter(({ before, after }) => before !== after)
  return { changes, lines }
}

/** A kustomization with `file` among its resources; `undefined`: it cannot be changed without changing something else. */
export function takingIn(kustomization: string | undefined, file: string): string | undefined {
  if (kustomization === undefined) return undefined
  const [value] = manifestValues(kustomization)
  const given: unknown = isFields(value) ? value['resources'] : undefined
  const resources: readonly unknown[] = Array.isArray(given) ? given : []
  const has = resources.includes(file) || resources.includes(`./${file}`)
  return has ? kustomization : withValue(kustomization, { document: 0, path: ['resources'] }, [...resources, file])
}
