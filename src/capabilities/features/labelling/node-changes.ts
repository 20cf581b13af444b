// What has to be written to a node so that it has what its rules give it: a pure function of the node and the outcome. What is ours on it
// is listed in annotations, as node-feature-discovery's master lists it: either goes on where the other ended.

import type { Node, Taint } from '#kube/objects/objects.ts'
import { compareQuantities, parseQuantity } from '#kube/values/quantity.ts'
import { featureNamespace, trackingNamespace, withFeatureNamespace } from '../names.ts'
import type { NodeOutcome } from '../rules/node-outcome.ts'

type Values = Readonly<Record<string, string>>
/** Values to set; `null` takes away. */
type Patch = Readonly<Record<string, string | null>>

interface NodeChanges {
  readonly labels: Patch
  readonly annotations: Patch
  /** Extended resources: capacity and what of it is allocatable. */
  readonly resources: Patch
  /** Absent: they are as they should be. */
  readonly taints?: { readonly add: readonly Taint[]; readonly remove: readonly Taint[]; readonly annotations: Patch }
}

interface ChangeSettings {
  /** In front of the annotations that list what is ours. */
  readonly instance: string
  readonly allowOverwrite: boolean
}

/** What an outcome says is to be there. */
type WantedOfNode = Pick<NodeOutcome, 'labels' | 'annotations' | 'extendedResources' | 'taints'>

/** For a node that gets nothing, whatever it had. */
export const nothingWanted: WantedOfNode = { labels: new Map(), annotations: new Map(), extendedResources: new Map(), taints: [] }

const obsolete = ['master.version', 'worker.version']
/** The annotation that lists our taints, the same for all instances. */
const taintsAnnotation = `${trackingNamespace}/taints`

/** The names of the annotations that list what is ours. */
function trackingAnnotations(instance: string) {
  const namespace = instance === '' ? trackingNamespace : `${instance}.${trackingNamespace}`
  return {
    namespace,
    labels: `${namespace}/feature-labels`,
    resources: `${namespace}/extended-resources`,
    annotations: `${namespace}/feature-annotations`,
    taints: taintsAnnotation,
  }
}

/** What is to be written to `node`, which may be nothing. */
export function nodeChanges(node: Node, wanted: WantedOfNode, settings: ChangeSettings): NodeChanges {
  const names = trackingAnnotations(settings.instance)
  const { labels: ownLabels = {}, annotations: ownAnnotations = {} } = node.metadata
  const held = (name: string) => listed(ownAnnotations[name])
  const values = (all: NodeOutcome['labels']) => new Map([...all].map(([key, { value }]) => [key, value]))
  const labels = values(wanted.labels)
  const annotations = values(wanted.annotations)
  const tracked = new Map([...annotations])
  const track = (name: string, keys: Iterable<string>) => {
    const list = [...keys].map(withoutFeatureNamespace).sort()
    if (list.length > 0) tracked.set(name, list.join(','))
  }
  track(names.labels, labels.keys())
  track(names.resources, wanted.extendedResources.keys())
  track(names.annotations, annotations.keys())
  const oldAnnotations = [
    ...held(names.annotations),
    ...[names.labels, names.resources, names.annotations],
    ...obsolete.map(name => `${names.namespace}/${name}`),
  ]
  // Lists of what is ours are always written: without them it would be forgotten.
  const lists = [names.labels, names.resources, names.annotations]
  const { allowOverwrite } = settings
  return {
    labels: differences(ownLabels, { wanted: labels, old: held(names.labels), allowOverwrite, always: [] }),
    annotations: differences(ownAnnotations, { wanted: tracked, old: oldAnnotations, allowOverwrite, always: lists }),
    resources: resourceDifferences(node, wanted.extendedResources, held(names.resources)),
    ...taintDifferences(node, wanted.taints),
  }
}

/** Whether nothing is to be written. */
export function isNothing({ labels, annotations, resources, taints }: NodeChanges): boolean {
  return [labels, annotations, resources].every(patch => Object.keys(patch).length === 0) && taints === undefined
}

/** Whether a label or resource is gone that the node's own lists say is ours. */
export function lacksOwn({ metadata, status }: Node, instance: string): boolean {
  const names = trackingAnnotations(instance)
  const { labels = {}, annotations = {} } = metadata
  return (
    listed(annotations[names.labels]).some(key => labels[key] === undefined) ||
    listed(annotations[names.resources]).some(key => status?.capacity?.[key] === undefined)
  )
}

interface Differing {
  readonly wanted: ReadonlyMap<string, string>
  /** Keys that were ours. */
  readonly old: readonly string[]
  readonly allowOverwrite: boolean
  /** Keys that are ours alone to write. */
  readonly always: readonly string[]
}

function differences(present: Values, { wanted, old, allowOverwrite, always }: Differing): Patch {
  // What was ours and somebody changed is left to him where overwriting is off; what never was ours is set, as upstream does it.
  const mayChange = (key: string) => allowOverwrite || always.includes(key) || !old.includes(key)
  const gone = old.filter(key => !wanted.has(key) && present[key] !== undefined).map(key => [key, null] as const)
  const set = [...wanted].filter(([key, value]) => {
    const now = present[key]
    return now === undefined || (now !== value && mayChange(key))
  })
  return Object.fromEntries([...gone, ...set])
}

function resourceDifferences({ status }: Node, wanted: NodeOutcome['extendedResources'], old: readonly string[]): Patch {
  const capacity = status?.capacity ?? {}
  const gone = old.filter(key => !wanted.has(key) && capacity[key] !== undefined).map(key => [key, null] as const)
  const set = [...wanted].flatMap(([key, { value }]) => {
    const now = capacity[key]
    return now !== undefined && isSameQuantity(String(now), value) ? [] : [[key, value] as const]
  })
  return Object.fromEntries([...gone, ...set])
}

/** `1k` is 1000: as texts they would be written for ever. */
function isSameQuantity(left: string, right: string): boolean {
  const a = parseQuantity(left)
  const b = parseQuantity(right)
  return a.ok && b.ok ? compareQuantities(a.value, b.value) === 0 : left === right
}

function taintDifferences({ metadata, spec }: Node, wanted: NodeOutcome['taints']): Pick<NodeChanges, 'taints'> {
  // Later rules win; the node has one of each key and effect.
  const kept = [...new Map(wanted.map(taint => [`${taint.key} ${taint.effect}`, taint] as const)).values()].map(
    ({ key, value = '', effect }): Taint => ({ key, effect: effect as Taint['effect'], ...(value === '' ? {} : { value }) }),
  )
  const now = metadata.annotations?.[taintsAnnotation]
  const list = kept.map(taintText).join(',')
  const present = spec?.taints ?? []
  const isSame = (a: Taint, b: Taint) => a.key === b.key && a.effect === b.effect
  const remove = (now === undefined ? [] : now.split(',').flatMap(readTaint)).filter(
    taint => !kept.some(one => isSame(one, taint)) && present.some(one => isSame(one, taint)),
  )
  const add = kept.filter(taint => !present.some(one => isSame(one, taint) && (one.value ?? '') === (taint.value ?? '')))
  if (add.length === 0 && remove.length === 0 && (now ?? '') === list) return {}
  return { taints: { add, remove, annotations: { [taintsAnnotation]: list === '' ? null : list } } }
}

function taintText({ key, value = '', effect }: Taint): string {
  return value === '' ? `${key}:${effect}` : `${key}=${value}:${effect}`
}

function readTaint(text: string): readonly Taint[] {
  const [, key = '', value = '', effect = ''] = /^([^=:]+)(?:=([^:]*))?:(\w+)$/.exec(text) ?? []
  // The cast: what is no effect names no taint that a node could have.
  return key === '' ? [] : [{ key, effect: effect as Taint['effect'], ...(value === '' ? {} : { value }) }]
}

/** The keys of a list of what is ours; what stands there without a namespace is in the standard one. */
function listed(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .filter(key => key !== '')
    .map(withFeatureNamespace)
}

function withoutFeatureNamespace(key: string): string {
  return key.startsWith(`${featureNamespace}/`) ? key.slice(featureNamespace.length + 1) : key
}
