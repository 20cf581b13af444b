// The page of hardware: what nodes have for containers beyond processors and memory, which pods hold it, which wait for it, and which labels say so.

import type { NodeState, PodState } from '#cluster/cluster-state.ts'
import { isExtendedResource } from '#cluster/scheduling/pod-info.ts'
import type { CapabilityView, Sentence } from '#dashboard/contract.ts'
import type { CapabilityPage, Picture } from '#dashboard/picture.ts'
import { unknownBecause } from '#dashboard/views/sources.ts'
import type { Viewing } from '#dashboard/views/viewing.ts'
import { nodePath, podPath } from '#dashboard/words/links.ts'
import { say } from '#dashboard/words/sentence.ts'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'

const mostRows = 200
/** Names in one cell. */
const mostNamed = 5
/** Labels that features of nodes have, whatever vendor's. */
const featureLabel = /(^|\.)feature\.node\.kubernetes\.io\//

type Table = CapabilityView['tables'][number]

export const hardwarePage: CapabilityPage = {
  path: 'hardware',
  title: 'Hardware',
  view: (picture, viewing) => {
    if (picture.past !== undefined)
      return { title: 'Hardware', sentences: [say('hardware-not-kept', 'What nodes had then is not kept.')], tables: [] }
    const had = everything(picture)
    const asking = askingPods(picture, viewing)
    return {
      title: 'Hardware',
      sentences: sentencesOf(picture, had),
      tables: [devicesOf(had, picture, viewing), holdersOf(asking, picture), ...waitingOf(had, asking), labelsOf(picture)],
    }
  },
}

interface Had {
  readonly node: NodeState
  readonly resource: string
  readonly allocatable: number
  /** What the node says that it has, healthy or not. */
  readonly capacity: number
  readonly holders: readonly PodState[]
  readonly requested: number
}

/** Every device of every node, in order of nodes and names. */
function everything({ state }: Picture): readonly Had[] {
  return [...state.nodes.values()].flatMap(node => {
    const capacity = Object.entries(node.object.status?.capacity ?? {}).filter(([resource]) => isExtendedResource(resource))
    const pods = state.podsOn(node.name)
    return capacity
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([resource, text]) => {
        const holders = pods.filter(({ requests }) => (requests[resource] ?? 0) > 0)
        return {
          node,
          resource,
          allocatable: node.allocatable[resource] ?? 0,
          capacity: Number(text),
          holders,
          requested: holders.reduce((sum, { requests }) => sum + (requests[resource] ?? 0), 0),
        }
      })
  })
}

const podsUnknown = (picture: Picture): string | undefined => unknownBecause(picture, 'pods')

function sentencesOf(picture: Picture, had: readonly Had[]): readonly Sentence[] {
  const nodes = new Set(had.map(({ node }) => node.name)).size
  const all = had.reduce((sum, { allocatable }) => sum + allocatable, 0)
  const taken = had.reduce((sum, { requested }) => sum + requested, 0)
  const ill = had.reduce((sum, { capacity, allocatable }) => sum + Math.max(0, capacity - allocatable), 0)
  const because = podsUnknown(picture)
  const use = because === undefined ? `${taken} of ${all} devices and shares are taken` : `${all} devices and shares`
  const facts = { nodes, of: picture.state.nodes.size, all, taken }
  return [
    say('hardware-nodes', `${nodes} of ${picture.state.nodes.size} nodes have devices for containers; ${use}.`, facts),
    ...(ill === 0
      ? []
      : [say('hardware-ill', `${ill} of them cannot be had now: their plugin is away, or they are not well.`, { ill })]),
  ]
}

function columns(numbers: readonly string[], ...titles: readonly string[]): Table['columns'] {
  return titles.map(title => ({ title, isNumber: numbers.includes(title) }))
}

function named(names: readonly string[]): string {
  const more = names.length - mostNamed
  return `${names.slice(0, mostNamed).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

function devicesOf(had: readonly Had[], picture: Picture, viewing: Viewing): Table {
  const isKnown = podsUnknown(picture) === undefined
  const row = ({ node, resource, allocatable, capacity, holders, requested }: Had) => {
    const visible = holders.filter(({ namespace }) => viewing.sees(namespace))
    const seen = visible.map(({ workload, name }) => workload?.name ?? name)
    const hidden = holders.length - visible.length
    const words = [named(seen), ...(hidden > 0 ? [`${hidden} that you may not see`] : [])].filter(text => text !== '')
    return {
      key: `${node.name}/${resource}`,
      cells: [
        node.name,
        resource,
        capacity,
        allocatable,
        isKnown ? requested : null,
        isKnown ? Math.max(0, allocatable - requested) : null,
        isKnown ? words.join('; ') : null,
      ],
      path: nodePath(node.name),
    }
  }
  return {
    name: 'devices',
    title: 'What nodes have',
    columns: columns(
      ['Capacity', 'Allocatable', 'Taken', 'Free'],
      'Node',
      'Resource',
      'Capacity',
      'Allocatable',
      'Taken',
      'Free',
      'Held by',
    ),
    rows: had.slice(0, mostRows).map(row),
    total: had.length,
    empty: 'No node offers a device: no plugin has registered one.',
  }
}

interface Asking {
  readonly pod: PodState
  /** What it asks for beyond processors and memory. */
  readonly wanted: readonly (readonly [resource: string, amount: number])[]
}

/** Pods that ask for devices and have not ended, as far as they may be seen: one look at all pods, of which most ask for none. */
function askingPods({ state }: Picture, viewing: Viewing): readonly Asking[] {
  const asking: Asking[] = []
  for (const pod of state.pods.values()) {
    const wanted: (readonly [string, number])[] = []
    // Without an array for each of the pods: there may be hundreds of thousands.
    for (const resource in pod.requests) {
      const amount = pod.requests[resource] ?? 0
      if (amount > 0 && isExtendedResource(resource)) wanted.push([resource, amount])
    }
    if (wanted.length > 0 && !pod.isFinished && viewing.sees(pod.namespace)) asking.push({ pod, wanted })
  }
  return asking
}

function holdersOf(asking: readonly Asking[], picture: Picture): Table {
  const held = asking
    .filter(({ pod }) => pod.nodeName !== undefined)
    .flatMap(({ pod, wanted }) => wanted.map(asked => [pod, asked] as const))
  const row = ([pod, [resource, amount]]: (typeof held)[number]) => ({
    key: `${pod.key}/${resource}`,
    cells: [pod.key, resource, amount, pod.nodeName ?? null, pod.isReady ? 'ready' : pod.isTerminating ? 'ends' : 'not ready'],
    path: podPath(pod.namespace, pod.name),
  })
  return {
    name: 'holders',
    title: 'Who holds what',
    columns: columns(['Amount'], 'Pod', 'Resource', 'Amount', 'Node', 'State'),
    rows: held.slice(0, mostRows).map(row),
    total: held.length,
    empty: podsUnknown(picture) ?? 'No pod holds a device.',
  }
}

/** Pods without a node that ask for devices; no table where there are none. */
function waitingOf(had: readonly Had[], asking: readonly Asking[]): readonly Table[] {
  const offered = Map.groupBy(had, ({ resource }) => resource)
  const known = new Map<string, string>()
  const freeOn = (resource: string, amount: number) => {
    const words = known.get(`${resource} ${amount}`) ?? lookedFor(resource, amount)
    known.set(`${resource} ${amount}`, words)
    return words
  }
  const lookedFor = (resource: string, amount: number) => {
    const offering = offered.get(resource)
    if (offering === undefined) return `no node offers ${resource}`
    const free = offering.filter(one => one.allocatable - one.requested >= amount).map(({ node }) => node.name)
    return free.length === 0 ? 'on no node' : named(free)
  }
  const waiting = asking.filter(({ pod }) => pod.nodeName === undefined)
  if (waiting.length === 0) return []
  return [
    {
      name: 'waiting',
      title: 'Who waits',
      columns: columns([], 'Pod', 'Asks for', 'Free on', 'The scheduler says'),
      rows: waiting.slice(0, mostRows).map(({ pod, wanted }) => ({
        key: pod.key,
        cells: [
          pod.key,
          wanted.map(([resource, amount]) => `${resource}: ${amount}`).join(', '),
          wanted.map(([resource, amount]) => freeOn(resource, amount)).join('; '),
          toldBy(pod),
        ],
        path: podPath(pod.namespace, pod.name),
      })),
      total: waiting.length,
      empty: 'Nobody waits.',
    },
  ]
}

/** Its first sentence: what follows is of preemption. */
function toldBy({ object }: PodState): string {
  const condition = object.status?.conditions?.find(({ type }) => type === 'PodScheduled')
  return /^.*?\.(?=\s|$)/.exec(condition?.message ?? '')?.[0] ?? ''
}

/** Labels of features with the nodes that have them, and the NodeFeatureRules that name them. */
function labelsOf(picture: Picture): Table {
  const rules = rulesByLabel(picture)
  const isShown = new Map<string, boolean>()
  const nodes = new Map<string, Map<string, string[]>>()
  for (const { name, object } of picture.state.nodes.values()) {
    const { labels = {} } = object.metadata
    for (const key in labels) {
      const shown = isShown.get(key) ?? (featureLabel.test(key) || rules.has(key))
      isShown.set(key, shown)
      if (!shown) continue
      const values = nodes.get(key) ?? new Map<string, string[]>()
      nodes.set(key, values)
      const value = labels[key] ?? ''
      const names = values.get(value)
      if (names === undefined) values.set(value, [name])
      else names.push(name)
    }
  }
  const inOrder = <Value>(all: ReadonlyMap<string, Value>) => [...all].sort(([left], [right]) => (left < right ? -1 : 1))
  const found = inOrder(nodes).flatMap(([key, values]) => inOrder(values).map(([value, names]) => ({ key, value, names })))
  return {
    name: 'labels',
    title: 'Labels of features',
    columns: columns(['Nodes'], 'Label', 'Value', 'Nodes', 'On', 'By the rule'),
    rows: found.slice(0, mostRows).map(({ key, value, names }) => ({
      key: `${key}=${value}`,
      cells: [key, value, names.length, named(names), rules.get(key)?.join(', ') ?? ''],
      path: null,
    })),
    total: found.length,
    empty: 'No node has a label of a feature.',
  }
}

/** Labels that rules write out; those of templates are not among them. */
function rulesByLabel({ state }: Picture): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  for (const object of state.objects('NodeFeatureRule.nfd.k8s-sigs.io'))
    for (const rule of listAt(object, 'spec', 'rules')) {
      const labels = at(rule, 'labels')
      if (typeof labels !== 'object' || labels === null) continue
      for (const name of Object.keys(labels)) {
        const key = name.includes('/') ? name : `feature.node.kubernetes.io/${name}`
        found.set(key, [...(found.get(key) ?? []), `${object.metadata.name}: ${textAt(rule, 'name') ?? ''}`])
      }
    }
  return found
}
