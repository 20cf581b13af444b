// The policy of a plan as a file, taken in by the kustomization of its cluster where one is named.

import { stringify } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'
import { takingIn } from './budget-files.ts'
import type { ManifestFolder } from './manifests.ts'
import type { FileChange } from './unified-diff.ts'

/** The new file, the kustomization of `overlay` that takes it in, and a line about it. Nothing where the folder has the policy already. */
export function policyFile(
  {
    folder,
    texts,
    overlay,
  }: { readonly folder: ManifestFolder; readonly texts: ReadonlyMap<string, string>; readonly overlay: string | undefined },
  policy: KubeObject,
): { readonly changes: readonly FileChange[]; readonly lines: readonly string[] } {
  const { name } = policy.metadata
  const there = folder.arrivals.find(arrival => arrival.manifest.kind === policy.kind && arrival.name === name)
  if (there !== undefined) return { changes: [], lines: [`RebalancePolicy ${name}: \`${there.manifest.file}\` has it already`] }
  const file = `${name}-rebalancepolicy.yaml`
  const beside = overlay ?? (folder.kustomizationFiles.has('.') ? '.' : 'ballast')
  const path = beside === '.' ? file : `${beside}/${file}`
  const kustomization = folder.kustomizationFiles.get(beside)
  const taken = kustomization === undefined ? undefined : takingIn(texts.get(kustomization), file)
  const isTaken = kustomization !== undefined && taken !== undefined
  const { apiVersion, kind, metadata, ...rest } = policy
  const text = stringify({ apiVersion, kind, metadata: { name: metadata.name }, ...withoutStatus(rest) }, { lineWidth: 0 })
  const changes = [{ path, before: texts.get(path), after: text }]
  if (isTaken) changes.push({ path: kustomization, before: texts.get(kustomization), after: taken })
  return {
    changes: changes.filter(({ before, after }) => before !== after),
    lines: [
      `RebalancePolicy ${name}: \`${path}\`${isTaken ? '' : ', which no kustomization takes in: --overlay names the one of this cluster'}`,
    ],
  }
}

function withoutStatus(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => key !== 'status'))
}
