// What labelling counts: upstream's names, labels and buckets, so that dashboards and alerts of before go on.

import { Counter, Histogram, type Registry } from 'prom-client'

const buckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01]

export interface CollectingMetrics {
  readonly collected: Counter<'kind'>
  readonly notCollected: Counter<'kind'>
}

export interface LabellingMetrics extends CollectingMetrics {
  readonly requests: Counter
  readonly updates: Counter
  readonly failures: Counter
  readonly groupRequests: Counter
  readonly leftOut: Readonly<Record<'label' | 'extended resource' | 'taint', Counter>>
  readonly ruleErrors: Counter
  readonly ruleSeconds: Histogram<'name' | 'node'>
}

const made = new WeakMap<Registry, LabellingMetrics>()

/** The metrics of a registry: made once, whatever starts again. */
export function labellingMetrics(registry: Registry): LabellingMetrics {
  const existing = made.get(registry)
  if (existing !== undefined) return existing
  const registers = [registry]
  const counter = (name: string, help: string) => new Counter({ name: `nfd_master_${name}`, help, registers })
  const metrics: LabellingMetrics = {
    requests: counter('node_update_requests_total', 'Nodes that were looked at'),
    updates: counter('node_updates_total', 'Nodes that were written'),
    failures: counter('node_update_failures_total', 'Nodes that could not be written, after many tries'),
    groupRequests: counter('node_feature_group_update_requests_total', 'NodeFeatureGroups that were looked at'),
    leftOut: {
      label: counter('node_labels_rejected_total', 'Labels that were asked for and left out'),
      'extended resource': counter(
        'node_extendedresources_rejected_total',
        'Extended resources that were asked for and left out',
      ),
      taint: counter('node_taints_rejected_total', 'Taints that were asked for and left out'),
    },
    ruleErrors: counter('nodefeaturerule_processing_errors_total', 'Rules that failed on a node'),
    ruleSeconds: new Histogram({
      name: 'nfd_master_nodefeaturerule_processing_duration_seconds',
      help: 'How long the rules of a NodeFeatureRule took on a node',
      labelNames: ['name', 'node'] as const,
      buckets,
      registers,
    }),
    ...collectingMetrics(registry),
  }
  made.set(registry, metrics)
  return metrics
}

/** What collecting counts: by kind, what was deleted and what could not be. */
export function collectingMetrics(registry: Registry): CollectingMetrics {
  const counter = (name: string, help: string) =>
    new Counter({ name: `nfd_gc_${name}`, help, labelNames: ['kind'] as const, registers: [registry] })
  return {
    collected: counter('objects_deleted_total', 'Objects of nodes that are gone, deleted'),
    notCollected: counter('object_delete_failures_total', 'Objects of nodes that are gone, which could not be deleted'),
  }
}
