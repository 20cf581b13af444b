// Takes away what describes nodes that are gone, for a process that leads nothing and may list alone: page by page, so that thousands of objects
// need no memory.

import type { Api } from '#kube/client/api.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound, StatusError } from '#kube/objects/status.ts'
import { nodeFeatures, nodeNameLabel, nodeResourceTopologies } from '../names.ts'
import { nodeOf } from './live-features.ts'
import type { CollectingMetrics } from './metrics.ts'

interface SweepOptions {
  readonly api: Api
  /** What a watch has of nodes; those that it lacks are asked for. */
  readonly isKnown: (node: string) => boolean
  /** 0: as many as a list has by default. */
  readonly pageSize: number
  readonly log: Log
  readonly metrics: CollectingMetrics
}

/** Kinds of objects that describe nodes; an empty name of a node is nobody's. */
const kinds = [
  {
    kind: 'NodeFeature',
    resource: nodeFeatures,
    nodeOf,
    selector: (node: string) => ({ labelSelector: `${nodeNameLabel}=${node}` }),
  },
  {
    kind: 'NodeResourceTopology',
    resource: nodeResourceTopologies,
    nodeOf: ({ metadata }: KubeObject) => metadata.name,
    selector: (node: string) => ({ fieldSelector: `metadata.name=${node}` }),
  },
] as const

/**
 * Deletes what describes nodes that are not there, or with `only` what describes that node. That a node is gone is the server's word: one that was
 * made again under its name keeps its objects.
 *
 * @returns whether all that was to go went, or was refused for good
 * @throws what the server cannot answer just now
 */
export async function sweep(options: SweepOptions, signal: AbortSignal, only?: string): Promise<boolean> {
  const { api, isKnown, pageSize, log } = options
  const gone = new Map<string, boolean>()
  const isGone = async (node: string) => {
    const known = gone.get(node) ?? (node === '' || (!isKnown(node) && (await isNodeGone(api, node, signal))))
    gone.set(node, known)
    return known
  }
  if (only !== undefined && !(await isGone(only))) return true
  let isDone = true
  for (const { kind, resource, nodeOf: describes, selector } of kinds) {
    const wanted = only === undefined ? {} : selector(only)
    const size = pageSize === 0 ? {} : { limit: pageSize }
    try {
      const pages = api.resource<KubeObject>(resource).pages({ ...wanted, ...size, metadataOnly: true, signal })
      for await (const { items } of pages)
        for (const object of items)
          if (await isGone(describes(object))) isDone = (await remove(object, { ...options, kind, resource }, signal)) && isDone
    } catch (error) {
      // A kind that nobody serves has no objects, and one that a role leaves out is not ours to clear.
      if (isForbidden(error)) log.warn({ kind, why: messageOf(error) }, 'objects of this kind are not taken away')
      else if (!isNotFound(error)) throw error
    }
  }
  return isDone
}

async function remove(
  { metadata }: KubeObject,
  { api, kind, resource, log, metrics }: SweepOptions & Pick<(typeof kinds)[number], 'kind' | 'resource'>,
  signal: AbortSignal,
): Promise<boolean> {
  const { name, namespace, uid } = metadata
  const object = namespace === undefined ? name : `${namespace}/${name}`
  try {
    await api
      .resource<KubeObject>(resource)
      .delete(name, { namespace, signal, ...(uid === undefined ? {} : { preconditions: { uid } }) })
    metrics.collected.inc({ kind })
    log.info({ kind, object }, 'what describes a node that is gone is deleted')
    return true
  } catch (error) {
    if (isNotFound(error)) return true
    if (!(error instanceof StatusError)) throw error
    metrics.notCollected.inc({ kind })
    log.warn({ kind, object, why: messageOf(error) }, 'what describes a node that is gone is not deleted, tried again')
    return false
  }
}

/** Whether the server has no such node; asked by a list, which every role here has the right to. @throws StatusError */
export async function isNodeGone(api: Api, node: string, signal: AbortSignal): Promise<boolean> {
  const { items } = await api
    .resource<KubeObject>(builtIn.nodes)
    .list({ fieldSelector: `metadata.name=${node}`, metadataOnly: true, signal })
  // A proxy may leave the selector out.
  return !items.some(({ metadata }) => metadata.name === node)
}
