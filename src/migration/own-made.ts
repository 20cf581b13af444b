// Objects of ours that are there before a swap, and who has written them. What others than a swap have written is never overwritten.
import type { KubeObject } from '#kube/objects/objects.ts'
import { isTree } from '#upstreams/values-tree.ts'

/** As whom a swap writes. */
export const fieldManager = 'ballast-migrate'

/** By the API server's record of who owns which fields; an object without such a record is somebody's. */
export function isMadeBySwap({ metadata }: KubeObject): boolean {
  const writers = (metadata.managedFields ?? []).filter(
    ({ subresource, fieldsV1 }) => subresource === undefined && !saysOnlyWhetherItSleeps(fieldsV1),
  )
  return writers.length > 0 && writers.every(({ manager }) => manager === fieldManager)
}

/** `kubectl patch` and `scale`, as the printed steps have it. */
function saysOnlyWhetherItSleeps(fields: Readonly<Record<string, unknown>>): boolean {
  const spec = fields['f:spec']
  const keys = isTree(spec) ? Object.keys(spec) : []
  return Object.keys(fields).length === 1 && keys.length > 0 && keys.every(key => key === 'f:suspend' || key === 'f:replicas')
}
