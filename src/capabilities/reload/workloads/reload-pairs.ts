// Which workloads a change of each source would reload, by one configuration: for comparing two of them before one takes the other's place.
import type { KubeObject } from '#kube/objects/objects.ts'
import { type ReloadConfig, reloadConfiguration } from '../config.ts'
import { targetContainer } from '../rollouts/target-container.ts'
import { reloadSettings } from '../settings.ts'
import { parseScopeSelector } from '../sources/scope-selector.ts'
import { type SourceReference, sourceAnnotations } from '../sources/source-state.ts'
import { decideReload } from './decision.ts'
import { workloadFacts } from './workload-facts.ts'

interface ReloadPair {
  /** `Deployment shop/cart`. */
  readonly workload: string
  readonly source: SourceReference
}

const workloadKinds = ['Deployment', 'DaemonSet', 'StatefulSet', 'CronJob', 'Job', 'Rollout']

/**
 * Each workload of `objects` with each ConfigMap and Secret that would reload it when it changes; of those only the metadata is looked at.
 * @throws ZodError for a section that a controller would refuse
 */
export function reloadPairs(objects: readonly KubeObject[], section: unknown): readonly ReloadPair[] {
  const config = reloadConfiguration.parse(section)
  const settings = reloadSettings(config)
  const isWatched = watched(config, objects)
  const sources = Map.groupBy(
    objects.flatMap(object => sourceOf(object, config)).filter(({ reference }) => isWatched(reference.namespace)),
    ({ reference }) => reference.namespace,
  )
  const isReloaded = ({ kind }: KubeObject) => workloadKinds.includes(kind) && (kind !== 'Rollout' || config.argoRollouts)
  return objects.filter(isReloaded).flatMap(object => {
    const workload = workloadFacts(object, settings)
    if (!isWatched(workload.namespace) || (workload.isOfCronJob && !settings.followsUpstreamJobs)) return []
    return (sources.get(workload.namespace) ?? []).flatMap(({ reference, annotations }): readonly ReloadPair[] => {
      const changed = { reference, annotations: sourceAnnotations(annotations, settings.keys) }
      const { reload, auto } = decideReload(changed, workload, settings)
      if (!reload || targetContainer(workload.pod, reference, { mustUse: auto }) === undefined) return []
      return [{ workload: `${workload.kind} ${workload.namespace}/${workload.name}`, source: reference }]
    })
  })
}

function sourceOf({ kind, metadata }: KubeObject, config: ReloadConfig) {
  const type = kind === 'ConfigMap' ? 'configmap' : kind === 'Secret' ? 'secret' : undefined
  if (type === undefined || config.resourcesToIgnore.includes(`${type}s`)) return []
  const selector = parseScopeSelector(config.resourceLabelSelector)
  if (selector.ok && !selector.value.matches(metadata.labels)) return []
  const { namespace = 'default', name, annotations } = metadata
  return [{ reference: { type, namespace, name } as const, annotations }]
}

/** Which namespaces are looked at, where `objects` has all of them that a selector may choose. */
export function watched(config: ReloadConfig, objects: readonly KubeObject[]): (namespace: string) => boolean {
  if (config.namespaces.length > 0) return namespace => config.namespaces.includes(namespace)
  const labels = new Map(
    objects.flatMap(({ kind, metadata }) => (kind === 'Namespace' ? [[metadata.name, metadata.labels]] : [])),
  )
  const selector = parseScopeSelector(config.namespaceSelector)
  return namespace =>
    !config.namespacesToIgnore.includes(namespace) && (!selector.ok || selector.value.matches(labels.get(namespace)))
}
