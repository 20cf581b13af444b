// Which workloads of a cluster are of an upstream: any two of image, name, labels and chart are enough.

import { at, imagesOf, isWanted } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Upstream } from './upstream.ts'
import { upstreams } from './upstreams.ts'

export interface FoundUpstream {
  readonly upstream: Upstream
  readonly workload: KubeObject
  readonly version: string | undefined
  /** `reloader-2.2.7`, where a label says so. */
  readonly chart: string | undefined
  /** It is to have pods. */
  readonly isLive: boolean
}

const workloadKinds: ReadonlySet<string> = new Set(['Deployment', 'DaemonSet', 'StatefulSet', 'CronJob'])

/** Every workload of an upstream, by any two of its image, its name, its labels and its chart. */
export function findUpstreams(objects: readonly KubeObject[], among: readonly Upstream[] = upstreams): readonly FoundUpstream[] {
  return objects
    .filter(({ kind }) => workloadKinds.has(kind))
    .flatMap(workload => {
      const upstream = among.find(candidate => signals(candidate, workload) >= 2)
      if (upstream === undefined) return []
      return [
        {
          upstream,
          workload,
          version: versionOf(upstream, workload),
          chart: chartOf(workload),
          isLive: isWanted(workload) && !sleepsBySelector(workload),
        },
      ]
    })
}

/** No node has it: pods that ask for it are nowhere. So DaemonSets sleep in a swap. */
export const asleepLabel = 'ballast.dev/asleep'

/** Does a DaemonSet ask for nodes that nobody has? */
export const sleepsBySelector = (workload: KubeObject): boolean =>
  at(workload, 'spec', 'template', 'spec', 'nodeSelector', asleepLabel) !== undefined

function signals(upstream: Upstream, workload: KubeObject): number {
  const labels = workload.metadata.labels ?? {}
  const chart = chartOf(workload) ?? ''
  return [
    imagesOf(workload).some(image => upstream.images.some(name => isImage(image, name))),
    upstream.workloads.some(pattern => pattern.test(workload.metadata.name)),
    upstream.names.includes(labels['app.kubernetes.io/name'] ?? labels['app'] ?? labels['k8s-app'] ?? ''),
    upstream.names.some(name => chart.replace(/-v?\d.*$/, '') === name),
  ].filter(Boolean).length
}

/** Whatever registry: `mirror.example/ghcr/stakater/reloader:v1`. */
function isImage(image: string, name: string): boolean {
  const repository = image.replace(/@.*$/, '').replace(/:[^/]*$/, '')
  return repository === name || repository.endsWith(`/${name}`)
}

function chartOf(workload: KubeObject): string | undefined {
  const { labels } = workload.metadata
  return labels?.['helm.sh/chart'] ?? labels?.['chart']
}

function versionOf(upstream: Upstream, workload: KubeObject): string | undefined {
  const image = imagesOf(workload).find(candidate => upstream.images.some(name => isImage(candidate, name)))
  return workload.metadata.labels?.['app.kubernetes.io/version'] ?? /:([^/@:]+)(?:@|$)/.exec(image ?? '')?.[1]
}

/** A workload of ours that takes an upstream's place. */
export function isOwnPart({ kind, metadata: { labels = {} } }: KubeObject, component: string): boolean {
  const isOurs = labels['app.kubernetes.io/part-of'] === 'ballast' && labels['app.kubernetes.io/component'] === component
  return isOurs && workloadKinds.has(kind)
}
