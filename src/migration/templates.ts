// Whether a swap caused a roll-out: the pod templates of all workloads before and after it, as hashes.
import { createHash } from 'node:crypto'
import type { Api } from '#kube/client/api.ts'
import { shown, templateOf } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNewer } from '#kube/objects/resource-version.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { RollsOut } from '#upstreams/upstream.ts'
import { listOf } from './reading.ts'
import type { Swap } from './step.ts'

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

interface Differences {
  /** Templates that carry a roll-out's mark, and no source of theirs was written since. */
  readonly caused: readonly string[]
  /** Others: somebody's change, or a reload of something that did change. */
  readonly explained: readonly string[]
}

/** No roll-out but what somebody's own write explains. */
export async function noRollout({ api, record, signal, upstream }: Swap): Promise<Proof> {
  const { saved } = record
  const { rollsOut } = upstream.replaced.swap
  if (saved === undefined || rollsOut === undefined) return yes('no templates were kept from before: nothing to compare')
  const written = await writtenSince(api, saved.revision, signal)
  const { caused, explained } = differences(rollsOut, saved.templates, await readTemplates(api, signal), written)
  const rest = explained.length === 0 ? '' : `; changed by others or by what they read: ${explained.join(', ')}`
  if (caused.length > 0) return no(`the swap rolled out ${caused.join(', ')}${rest}`)
  return yes(`${Object.keys(saved.templates).length} templates, none changed by the swap${rest}`)
}

/**
 * What is not as it was. A roll-out of upstream's kind is explained by a ConfigMap or Secret that its template names and that was
 * written since; a change without any mark of one is somebody's own.
 */
function differences(
  { isMarked, isNamedBy }: RollsOut,
  before: Readonly<Record<string, string>>,
  now: Templates,
  written: readonly KubeObject[],
): Differences {
  const changed = now.workloads.filter(workload => {
    const hash = before[shown(workload)]
    return hash !== undefined && hash !== now.hashes[shown(workload)]
  })
  const isExplained = (workload: KubeObject) =>
    !isMarked(templateOf(workload)) || written.some(source => isNamedBy(workload, source))
  return {
    caused: changed.filter(workload => !isExplained(workload)).map(shown),
    explained: changed.filter(isExplained).map(shown),
  }
}

/** ConfigMaps and Secrets that somebody wrote after `revision`; metadata alone is read. */
async function writtenSince(api: Api, revision: string, signal: AbortSignal): Promise<readonly KubeObject[]> {
  const sources = [
    ...(await listOf(api, builtIn.configmaps, 'ConfigMap', { signal, metadataOnly: true })),
    ...(await listOf(api, builtIn.secrets, 'Secret', { signal, metadataOnly: true })),
  ]
  return sources.filter(({ metadata }) => isNewer(metadata.resourceVersion, revision))
}
