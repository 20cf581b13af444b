// The states of the Talos homelab that tests begin with, made from the example's files.
import { join } from 'node:path'
import type { KubeObject } from '#kube/objects/objects.ts'
import { readSource } from '../src/cli/source/source.ts'

export const homelabFolder = join(import.meta.dirname, '..', 'examples', 'talos-homelab')
const ownerLabel = 'scaling.talos.io/managed-by'

/** As the folder stands: owner labels, budgets, what the user wrote. */
export function labelled(): readonly KubeObject[] {
  return readSource(homelabFolder).objects.map(({ object }) => object)
}

/** As it was found: no owner labels, no budgets, nothing of KEDA; only the policy with its goals. */
export function snapshot(): readonly KubeObject[] {
  return labelled()
    .filter(object => object.kind !== 'PodDisruptionBudget' && !object.apiVersion.includes('keda.sh'))
    .map(object => {
      const labels = Object.fromEntries(Object.entries(object.metadata.labels ?? {}).filter(([key]) => key !== ownerLabel))
      return { ...object, metadata: { ...object.metadata, labels } }
    })
}
