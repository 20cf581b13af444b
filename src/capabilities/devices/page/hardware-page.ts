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
  view: (picture, viewing) =>
    picture.past === undefined
      ? {
          title: 'Hardware',
          sentences: sentencesOf(picture),
          tables: [devicesOf(picture, viewing), holdersOf(picture, viewing), ...waitingOf(picture, viewing), labelsOf(picture)],
        }
      : { title: 'Hardware', sentences: [say('hardware-not-kept', 'What nodes had then is not kept.')], tables: [] },
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

function sentencesOf(picture: Picture): readonly Sentence[] {
  const had = everything(picture)
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

function devicesOf(picture: Picture, viewing: Viewing): Table {
  const isKnown = podsUnknown(picture) === undefined
  const had = everything(picture)
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

/** A pod's own words for each resource beyond processors and memory. */
function asks({ requests }: PodState): readonly (readonly [resource: string, amount: number])[] {
  return Object.entries(requests).filter(([resource, amount]) => isExtendedResource(resource) && amount > 0)
}

function holdersOf(picture: Picture, viewing: Viewing): Table {
  const rows = [...picture.state.pods.values()]
    .filter(pod => pod.nodeName !== undefined && !pod.isFinished && viewing.sees(pod.namespace))
    .flatMap(pod =>
      asks(pod).map(([resource, amount]) => ({
        key: `${pod.key}/${resource}`,
        cells: [
          pod.key,
          resource,
          amount,
          pod.nodeName ?? null,
          pod.isReady ? 'ready' : pod.isTerminating ? 'ends' : 'not ready',
        ],
        path: podPath(pod.namespace, pod.name),
      })),
    )
  return {
    name: 'holders',
    title: 'Who holds what',
    columns: columns(['Amount'], 'Pod', 'Resource', 'Amount', 'Node', 'State'),
    rows: rows.slice(0, mostRows),
    total: rows.length,
    empty: podsUnknown(picture) ?? 'No pod holds a device.',
  }
}

/** Pods without a node that ask for devices; no table where there are none. */
function waitingOf(picture: Picture, viewing: Viewing): readonly Table[] {
  const had = everything(picture)
  const rows = [...picture.state.pods.values()]
    .filter(pod => pod.nodeName === undefined && !pod.isFinished && viewing.sees(pod.namespace))
    .flatMap(pod => {
      const wanted = asks(pod)
      if (wanted.length === 0) return []
      const words = wanted.map(([resource, amount]) => {
        const offering = had.filter(one => one.resource === resource)
        const free = offering.filter(one => one.allocatable - one.requested >= amount).map(({ node }) => node.name)
        if (offering.length === 0) return `no node offers ${resource}`
        return free.length === 0 ? `on no node` : named(free)
      })
      return [
        {
          key: pod.key,
          cells: [
            pod.key,
            wanted.map(([resource, amount]) => `${resource}: ${amount}`).join(', '),
            words.join('; '),
            toldBy(pod),
          ],
          path: podPath(pod.namespace, pod.name),
        },
      ]
    })
  if (rows.length === 0) return []
  return [
    {
      name: 'waiting',
      title: 'Who waits',
      columns: columns([], 'Pod', 'Asks for', 'Free on', 'The scheduler says'),
      rows: rows.slice(0, mostRows),
      total: rows.length,
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
  const nodes = new Map<string, { readonly key: string; readonly value: string; readonly names: string[] }>()
  for (const { name, object } of picture.state.nodes.values())
    for (const [key, value] of Object.entries(object.metadata.labels ?? {})) {
      if (!featureLabel.test(key) && !rules.has(key)) continue
      const found = nodes.get(`${key}=${value}`)
      if (found === undefined) nodes.set(`${key}=${value}`, { key, value, names: [name] })
      else found.names.push(name)
    }
  const rows = [...nodes.entries()]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([both, { key, value, names }]) => ({
      key: both,
      cells: [key, value, names.length, named(names), rules.get(key)?.join(', ') ?? ''],
      path: null,
    }))
  return {
    name: 'labels',
    title: 'Labels of features',
    columns: columns(['Nodes'], 'Label', 'Value', 'Nodes', 'On', 'By the rule'),
    rows: rows.slice(0, mostRows),
    total: rows.length,
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
