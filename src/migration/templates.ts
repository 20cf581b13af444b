// Whether a swap caused a roll-out: the pod templates of all workloads before and after it, as hashes.
import { createHash } from 'node:crypto'
import type { Api } from '#kube/client/api.ts'
import { listAt, shown, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNewer } from '#kube/objects/resource-version.ts'
import { listOf } from './situation.ts'

interface Templates {
  readonly hashes: Readonly<Record<string, string>>
  readonly workloads: readonly KubeObject[]
  /** Revision of the cluster before these were read. */
  readonly revision: string
}

/** Templates of every Deployment, StatefulSet and DaemonSet. */
export async function readTemplates(api: Api, signal: AbortSignal): Promise<Templates> {
  const kinds = [
    [builtIn.deployments, 'Deployment'],
    [builtIn.statefulsets, 'StatefulSet'],
    [builtIn.daemonsets, 'DaemonSet'],
  ] as const
  const { metadata } = await api.resource(builtIn.configmaps).list({ signal, limit: 1, metadataOnly: true })
  const workloads: KubeObject[] = []
  for (const [resource, kind] of kinds) workloads.push(...(await listOf(api, resource, kind, { signal })))
  const hashes = Object.fromEntries(workloads.map(workload => [shown(workload), templateHash(workload)]))
  return { hashes, workloads, revision: metadata.resourceVersion ?? '' }
}

/** Eight characters: enough to tell two versions of one template apart. */
function templateHash(workload: KubeObject): string {
  return createHash('sha256')
    .update(JSON.stringify(templateOf(workload)))
    .digest('hex')
    .slice(0, 8)
}

/** Does the template carry a mark of a reload? */
function isReloaded(workload: KubeObject): boolean {
  const template = templateOf(workload)
  const variables = listAt(template, 'spec', 'containers').flatMap(container => listAt(container, 'env'))
  const isMarked = variables.some(variable => (textAt(variable, 'name') ?? '').startsWith('STAKATER_'))
  return isMarked || textAt(template, 'metadata', 'annotations', 'reloader.stakater.com/last-reloaded-from') !== undefined
}

interface Differences {
  /** Templates that carry a reload's mark, and no source of theirs was written since. */
  readonly caused: readonly string[]
  /** Others: somebody's change, or a reload of something that did change. */
  readonly explained: readonly string[]
}

/**
 * What is not as it was. A reload is explained by a ConfigMap or Secret of its namespace that its template names and that was
 * written since; a change without any mark of a reload is somebody's own.
 */
export function differences(
  before: Readonly<Record<string, string>>,
  now: Templates,
  written: readonly KubeObject[],
): Differences {
  const changed = now.workloads.filter(workload => {
    const hash = before[shown(workload)]
    return hash !== undefined && hash !== now.hashes[shown(workload)]
  })
  const isExplained = (workload: KubeObject) => !isReloaded(workload) || written.some(source => isNamedBy(workload, source))
  return {
    caused: changed.filter(workload => !isExplained(workload)).map(shown),
    explained: changed.filter(isExplained).map(shown),
  }
}

function isNamedBy(workload: KubeObject, source: KubeObject): boolean {
  const { namespace, name } = source.metadata
  if (namespace !== workload.metadata.namespace) return false
  const named = JSON.stringify({ ...workload.metadata.annotations, ...Object(templateOf(workload)) })
  return named.includes(JSON.stringify(name)) || named.includes('reloader.stakater.com/reload')
}

/** ConfigMaps and Secrets that somebody wrote after `revision`; metadata alone is read. */
export async function writtenSince(api: Api, revision: string, signal: AbortSignal): Promise<readonly KubeObject[]> {
  const sources = [
    ...(await listOf(api, builtIn.configmaps, 'ConfigMap', { signal, metadataOnly: true })),
    ...(await listOf(api, builtIn.secrets, 'Secret', { signal, metadataOnly: true })),
  ]
  return sources.filter(({ metadata }) => isNewer(metadata.resourceVersion, revision))
}
