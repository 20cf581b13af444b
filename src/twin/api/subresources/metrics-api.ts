// metrics.k8s.io: what nodes and pods use now, as `kubectl top` reads it.
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { notFound } from '#kube/objects/status.ts'
import { fieldsAt, jsonText, textAt } from '../../json-value.ts'
import { textAnswer } from '../answers/answer.ts'
import { type ApiServer, timestamp } from '../api-server.ts'
import { listOptions } from '../list-options.ts'
import type { WriteRequest } from '../object-writes.ts'
import type { TwinResponse } from '../request.ts'
import { selectionOf } from '../selection.ts'
import { subjectOf } from '../write-pipeline.ts'

interface MeasuredUsage {
  readonly cpuNanocores: number
  readonly memoryBytes: number
}

/** Where usage comes from; the simulated components have it. */
export interface UsageSource {
  node(name: string): MeasuredUsage | undefined
  /** `wantedNanocores`: without limits and neighbours. */
  pod(
    pod: Pod,
  ): readonly (MeasuredUsage & { readonly name: string; readonly wantedNanocores?: number; readonly storageBytes?: number })[]
}

const windowSeconds = 15

/** GET and list of NodeMetrics and PodMetrics. Without a source the objects that were loaded are served. */
export function answerMetrics(
  server: ApiServer,
  source: UsageSource | undefined,
  { type, info, request }: WriteRequest,
): TwinResponse {
  const options = listOptions(request.query, 'list')
  const fields = info.name === undefined ? options.fieldSelector : `metadata.name=${info.name}`
  // Metrics have the names and labels of what they are of: what is not selected need not be measured.
  const selection = selectionOf(type, options.labelSelector, fields)
  const of = source === undefined ? type.key : type.isNamespaced ? 'pods' : 'nodes'
  const selected = server.store.list(of, info.namespace).filter(object => selection.matches(object))
  const items =
    source === undefined
      ? selected
      : type.isNamespaced
        ? podMetrics(server, source, selected)
        : nodeMetrics(server, source, selected)
  if (info.name === undefined) {
    return textAnswer(
      request,
      200,
      jsonText({ kind: `${type.kind}List`, apiVersion: 'metrics.k8s.io/v1beta1', metadata: {}, items }),
      { encoding: 'json' },
    )
  }
  const [found] = items
  if (found === undefined) throw notFound(subjectOf(type), info.name)
  return textAnswer(request, 200, jsonText(found), { encoding: 'json' })
}

function usageText(usage: MeasuredUsage) {
  return { cpu: `${Math.round(usage.cpuNanocores)}n`, memory: `${Math.round(usage.memoryBytes / 1024)}Ki` }
}

function metricsOf(
  server: ApiServer,
  kind: string,
  object: KubeObject,
): Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'> & { readonly timestamp: string; readonly window: string } {
  const { name, namespace, labels } = object.metadata
  const now = timestamp(server.clock.now())
  return {
    kind,
    apiVersion: 'metrics.k8s.io/v1beta1',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      creationTimestamp: now,
      ...(labels === undefined ? {} : { labels }),
    },
    timestamp: now,
    window: `${windowSeconds}s`,
  }
}

function nodeMetrics(server: ApiServer, source: UsageSource, nodes: readonly KubeObject[]): readonly KubeObject[] {
  return nodes.flatMap(node => {
    const usage = source.node(node.metadata.name)
    return usage === undefined ? [] : [{ ...metricsOf(server, 'NodeMetrics', node), usage: usageText(usage) }]
  })
}

function podMetrics(server: ApiServer, source: UsageSource, pods: readonly KubeObject[]): readonly KubeObject[] {
  return pods.flatMap(object => {
    if (textAt(object, 'status', 'phase') !== 'Running') return []
    const hasContainers = Array.isArray(fieldsAt(object, 'spec')?.['containers'])
    const pod = hasContainers ? (object as Pod) : { ...object, spec: { ...fieldsAt(object, 'spec'), containers: [] } }
    const containers = source.pod(pod).map(usage => ({ name: usage.name, usage: usageText(usage) }))
    return containers.length === 0 ? [] : [{ ...metricsOf(server, 'PodMetrics', object), containers }]
  })
}
