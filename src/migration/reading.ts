// Reads of a cluster in which a swap is made: what is not there or not served is nothing.
import type { Api } from '#kube/client/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'

interface ListWish {
  readonly signal: AbortSignal
  readonly namespace?: string
  readonly fieldSelector?: string
  readonly labelSelector?: string
  readonly metadataOnly?: boolean
}

/** All objects of a kind, each with its kind; none where it is not served. */
export async function listOf(
  api: Api,
  resource: GroupVersionResource,
  kind: string,
  wish: ListWish,
): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = []
  try {
    for await (const page of api.resource(resource).pages(wish))
      for (const item of page.items)
        found.push({
          ...item,
          apiVersion: resource.group === '' ? resource.version : `${resource.group}/${resource.version}`,
          kind,
        })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
  return found
}

/** `undefined` for what is not there or not ours to see. */
export async function optional<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (isNotFound(error) || isForbidden(error)) return undefined
    throw error
  }
}
