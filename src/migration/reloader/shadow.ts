// What upstream would reload, and what ours: both by their own settings, on the same objects.
import { reloadPairs } from '#capabilities/reload'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import { convertContainer } from '#upstreams/reloader/reloader-flags.ts'
import { upstreamContainer } from '#upstreams/values-input.ts'
import { isTree, valueAt } from '#upstreams/values-tree.ts'
import { listOf, readSituation, type UpstreamState } from '../situation.ts'
import { no, type Proof, type Swap, yes } from '../step.ts'

/** What upstream is started with, as values of ours. */
export function convertedFlags(upstream: UpstreamState): ConvertedValues {
  return convertContainer(upstreamContainer(upstream.deployment, 'reloader') ?? {}, upstream.namespace)
}

/** The section `capabilities.reload` of converted values. */
export const sectionOf = ({ values }: ConvertedValues): Readonly<Record<string, unknown>> => {
  const section = valueAt(values, ['capabilities', 'reload'])
  return isTree(section) ? section : {}
}

/** Both sides on the same objects; of ConfigMaps and Secrets only the metadata is read. */
export async function shadowed(swap: Swap): Promise<Proof> {
  const situation = await readSituation(swap)
  const [upstream] = situation.upstreams
  if (upstream === undefined) return no('no Reloader is installed here')
  const objects = await shadowObjects(swap)
  const pairs = (section: unknown) =>
    new Set(
      reloadPairs(objects, section).map(
        ({ workload, source }) => `${source.type} ${source.namespace}/${source.name} -> ${workload}`,
      ),
    )
  const theirs = pairs(sectionOf(convertedFlags(upstream)))
  // Before it is installed: what would be.
  const own = pairs(situation.ours === undefined ? sectionOf(convertedFlags(upstream)) : situation.ours.config)
  const missing = [...theirs].filter(pair => !own.has(pair))
  const more = [...own].filter(pair => !theirs.has(pair))
  if (missing.length + more.length === 0)
    return yes(`${theirs.size} ${theirs.size === 1 ? 'pair' : 'pairs'} of source and workload, all the same`)
  const rows = [...missing.map(pair => `only upstream: ${pair}`), ...more.map(pair => `only ours: ${pair}`)]
  return no(
    `${missing.length + more.length} of ${theirs.size} differ: ${rows.slice(0, 10).join('; ')}${rows.length > 10 ? '; ...' : ''}`,
  )
}

async function shadowObjects({ api, signal }: Swap): Promise<readonly KubeObject[]> {
  const lists = [
    listOf(api, builtIn.namespaces, 'Namespace', { signal, metadataOnly: true }),
    listOf(api, builtIn.deployments, 'Deployment', { signal }),
    listOf(api, builtIn.daemonsets, 'DaemonSet', { signal }),
    listOf(api, builtIn.statefulsets, 'StatefulSet', { signal }),
    listOf(api, builtIn.cronjobs, 'CronJob', { signal }),
    listOf(api, builtIn.jobs, 'Job', { signal }),
    listOf(api, { group: 'argoproj.io', version: 'v1alpha1', resource: 'rollouts' }, 'Rollout', { signal }),
    listOf(api, builtIn.configmaps, 'ConfigMap', { signal, metadataOnly: true }),
    listOf(api, builtIn.secrets, 'Secret', { signal, metadataOnly: true }),
  ]
  return (await Promise.all(lists)).flat()
}
