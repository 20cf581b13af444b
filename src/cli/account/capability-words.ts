// What capabilities say of one workload beside the arbiter's account. Of ConfigMaps and Secrets only metadata is read, never content.
import type { Subject } from '#coordination/account/subject.ts'
import type { Capability } from '#coordination/capability.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import type { Surroundings } from '../command-line.ts'
import type { LoadedCluster, SourceOptions } from '../source/cluster-source.ts'
import type { InstalledSettings } from '../source/installed-settings.ts'
import { kubeconfigOf, openLiveApi } from '../source/live-source.ts'
import { paragraph } from '../terminal/paragraph.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** By name of capability; nothing of those that have nothing to say. */
type CapabilityWords = Readonly<Record<string, readonly string[]>>

interface Asked {
  readonly subject: Subject
  readonly cluster: LoadedCluster
  readonly nowMs: number
  readonly capabilities: readonly Capability[]
}

/** What each capability says of the subject; nothing of what is no workload, or gone. */
export async function capabilityWords(
  { subject, cluster, nowMs, capabilities, settings, settingsFrom }: Asked & InstalledSettings,
  options: SourceOptions,
  surroundings: Surroundings,
): Promise<CapabilityWords> {
  if (subject.kind !== 'workload' || subject.isGone) return {}
  const { kind, namespace, name } = subject.workload
  const isIt = ({ kind: own, metadata }: KubeObject) => own === kind && metadata.namespace === namespace && metadata.name === name
  const workload = cluster.objects.find(isIt)
  if (workload === undefined) return {}
  const speaking = capabilities.flatMap(({ name: capability, words }) => (words === undefined ? [] : [{ capability, words }]))
  const wanted = speaking.flatMap(({ words }) => words.reads)
  const further = cluster.isLive ? await metadataOf(wanted, namespace, options, surroundings) : []
  const objects = [...cluster.objects, ...further]
  const said = speaking.flatMap(({ capability, words }) => {
    const section = settings.capabilities[capability]
    if (section?.isEnabled === false && settingsFrom !== undefined) {
      const line = `It is not enabled by the configuration of ${settingsFrom}.`
      return [[capability, [line]] as const]
    }
    const lines = words.linesOn({ workload, objects, config: section?.config, nowMs })
    return lines.length === 0 ? [] : [[capability, lines] as const]
  })
  return Object.fromEntries(said)
}

/** Names, labels and annotations of what lies in a namespace; what may not be listed is left out. */
async function metadataOf(
  resources: readonly GroupVersionResource[],
  namespace: string,
  { kubeconfig, context }: SourceOptions,
  { environment, signal }: Surroundings,
): Promise<readonly KubeObject[]> {
  const kinds: Readonly<Record<string, string>> = { configmaps: 'ConfigMap', secrets: 'Secret' }
  const { api } = await openLiveApi({ kubeconfig: kubeconfigOf(kubeconfig, environment), context, environment, signal })
  try {
    const lists = resources.map(async resource => {
      try {
        const { items } = await api.resource<KubeObject>(resource).list({ namespace, metadataOnly: true, signal })
        return items.map(item => ({ ...item, apiVersion: 'v1', kind: kinds[resource.resource] ?? item.kind }))
      } catch (error) {
        if (isNotFound(error) || isForbidden(error)) return []
        throw error
      }
    })
    return (await Promise.all(lists)).flat()
  } finally {
    await api.close()
  }
}

/** Below the account: a heading for each capability, and its sentences. */
export function wordsLines(words: CapabilityWords, colour: Terminal['colour']): readonly string[] {
  return Object.entries(words).flatMap(([capability, lines]) => [
    '',
    colour.bold(`What ${capability} says about it`),
    ...lines.flatMap(line => paragraph(line, '  ', '    ')),
  ])
}
