// What our controller would do to each node if it decided now, by what is published but for some objects: the proof before a swap switches.

import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { checkedSelector } from '#kube/schema/label-selector.ts'
import type { Compared, Reads } from '#upstreams/upstream.ts'
import { featuresConfiguration, outcomeSettings } from '../config.ts'
import { nodeChanges } from '../labelling/node-changes.ts'
import { nodeFeatureRules, nodeFeatures, nodeNameLabel } from '../names.ts'
import { clusterFeatures } from '../rules/cluster-features.ts'
import { decideNode } from '../rules/node-outcome.ts'
import { featuresOfNode } from '../rules/node-own.ts'
import { namedReferences } from '../rules/references.ts'

interface ComparedBy {
  /** Our section of the configuration. */
  readonly section: unknown
  /** Where our agents publish. */
  readonly ownNamespace: string
  readonly isLeftOut: (object: KubeObject) => boolean
}

/** Asked node by node, since features of thousands need more memory than there is. @throws StatusError */
export async function compareNodes({ api, signal }: Reads, { section, ownNamespace, isLeftOut }: ComparedBy): Promise<Compared> {
  const { enabled: _on, guardLease: _guard, ...said } = Object(section)
  const { master } = featuresConfiguration.parse(said)
  const counts = await countingNamespaces({ api, signal }, master.restrictions.nodeFeatureNamespaceSelector)
  const rules = (await api.resource<KubeObject>(nodeFeatureRules).list({ signal })).items
  const settings = outcomeSettings(master)
  const taken: string[] = []
  let added = 0
  for await (const { items } of api.resource<Node>(builtIn.nodes).pages({ signal }))
    for (const node of items) {
      const { name } = node.metadata
      const labelSelector = `${nodeNameLabel}=${name}`
      const published = (await api.resource<KubeObject>(nodeFeatures).list({ labelSelector, withoutManagedFields: true, signal }))
        .items
      const kept = published.filter(object => !isLeftOut(object) && counts(object.metadata.namespace ?? ''))
      const read = clusterFeatures([...rules.map(asRule), ...kept.map(asFeature)])
      const sources = read.sources.get(name) ?? []
      // Nobody published anything of it before, and nothing is taken from what nobody describes.
      if (sources.length === 0 && published.length === 0) continue
      if (sources.length === 0) {
        taken.push(`${name}: nothing that counts describes it`)
        continue
      }
      const ofNode = featuresOfNode(node, namedReferences(read.rules.flatMap(object => object.rules)))
      const outcome = decideNode(sources, read.rules, settings, { node: name, ofNode, ownNamespace })
      const around = { instance: master.instance, allowOverwrite: master.restrictions.allowOverwrite }
      const changes = changesOf(node, nodeChanges(node, outcome, around))
      taken.push(...changes.taken.map(one => `${name}: ${one}`))
      added += changes.added
    }
  return { taken, added }
}

const version = 'nfd.k8s-sigs.io/v1alpha1'
// Items of lists come without their kinds.
const asRule = (object: KubeObject): KubeObject => ({ ...object, apiVersion: version, kind: 'NodeFeatureRule' })
const asFeature = (object: KubeObject): KubeObject => ({ ...object, apiVersion: version, kind: 'NodeFeature' })

async function countingNamespaces(
  { api, signal }: Reads,
  selector: Parameters<typeof checkedSelector>[0] | undefined,
): Promise<(namespace: string) => boolean> {
  if (selector === undefined) return () => true
  const namespaces = (await api.resource<KubeObject>(builtIn.namespaces).list({ signal })).items
  const counting = new Set(
    namespaces.filter(({ metadata }) => checkedSelector(selector).matches(metadata.labels)).map(({ metadata }) => metadata.name),
  )
  return namespace => counting.has(namespace)
}

/** The node loses or gets this. Lists of what is ours follow, and say nothing of their own. */
function changesOf(
  { metadata, status }: Node,
  { labels, annotations, resources, taints }: ReturnType<typeof nodeChanges>,
): Compared {
  const isList = (key: string) => key.includes('nfd.node.kubernetes.io/')
  const plain = Object.fromEntries(Object.entries(annotations).filter(([key]) => !isList(key)))
  const kinds = [
    ['label', labels, metadata.labels],
    ['annotation', plain, metadata.annotations],
    ['extended resource', resources, status?.capacity],
  ] as const
  const all = kinds.flatMap(([what, patch, present]) =>
    Object.entries(patch).map(([key, value]) => {
      const before = present?.[key]
      const said = value === null ? `${what} ${key} would go` : `${what} ${key}: ${String(before)} would be ${value}`
      return { isTaken: before !== undefined, said }
    }),
  )
  const gone = (taints?.remove ?? []).map(({ key, effect }) => `taint ${key}:${effect} would go`)
  return {
    taken: [...all.filter(({ isTaken }) => isTaken).map(({ said }) => said), ...gone],
    added: all.filter(({ isTaken }) => !isTaken).length + (taints?.add.length ?? 0),
  }
}
