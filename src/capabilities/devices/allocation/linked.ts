// Which GPUs of AMD belong together: the set whose pairs are nearest to each other, by partition, link and NUMA node. Of sets that are equally near
// one that takes from GPUs with little left, as AMD's plugin does.

import type { ComputeNode } from '../discovery/compute-topology.ts'
import type { FoundDevice } from '../discovery/found-device.ts'
import type { Share } from '../discovery/offers.ts'
import { type Group, nearestSet } from './nearest-set.ts'
import { checked, fullestThatFits, NoAnswer, type PreferredQuestion } from './preferred.ts'

/** Weights of a pair as AMD's plugin has them: less is nearer. */
const weights = {
  sameDevice: 10,
  otherDevice: 20,
  sameNuma: 10,
  otherNuma: 20,
  xgmi: 10,
  pcie: 40,
  otherLink: 50,
} as const
/** Kinds of links as the compute driver numbers them. */
const linkKinds = { pcie: 2, xgmi: 11 } as const

/** How devices are related, by their ids. */
export interface Kinship {
  /** The weight of a pair. */
  readonly weight: (left: string, right: string) => number
  /** The GPU that a device is, or is a partition of: its own id where it is no partition. */
  readonly gpuOf: (id: string) => string
  /** In which order the partitions of a GPU are given away. */
  readonly placeOf: (id: string) => number
}

export function kinshipOf(devices: readonly FoundDevice[], compute: readonly ComputeNode[]): Kinship {
  const byMinor = new Map(compute.map(node => [node.renderMinor, node]))
  const byId = new Map(
    devices.map(device => {
      const minor = device.nodes.map(({ path }) => /\/renderD(\d+)$/.exec(path)?.[1]).find(found => found !== undefined)
      return [device.id, { device, node: minor === undefined ? undefined : byMinor.get(Number(minor)) }] as const
    }),
  )
  // The whole GPU names all devices at its place.
  const gpus = new Map<string, string>()
  for (const [id, { node }] of byId) {
    if (node !== undefined && (!gpus.has(node.location) || !id.startsWith('amdgpu_xcp_'))) gpus.set(node.location, id)
  }
  const gpuOf = (id: string) => gpus.get(byId.get(id)?.node?.location ?? '') ?? id
  return {
    weight: (left, right) => {
      const one = byId.get(left)
      const other = byId.get(right)
      const isNear = one?.device.numaNodes[0] === other?.device.numaNodes[0]
      return (
        (gpuOf(left) === gpuOf(right) ? weights.sameDevice : weights.otherDevice) +
        (isNear ? weights.sameNuma : weights.otherNuma) +
        linkWeight(one?.node, other?.node)
      )
    },
    gpuOf,
    placeOf: id => byId.get(id)?.node?.number ?? 0,
  }
}

function linkWeight(one: ComputeNode | undefined, other: ComputeNode | undefined): number {
  if (one === undefined || other === undefined) return weights.otherLink
  const kind = one.links.get(other.number) ?? other.links.get(one.number)
  if (kind === linkKinds.xgmi) return weights.xgmi
  return kind === linkKinds.pcie ? weights.pcie : weights.otherLink
}

/**
 * The shares whose devices are nearest together. Of shared devices each gives one share before any gives two.
 * @param isOneDevice all are to be of one device where one has enough
 * @throws NoAnswer where more are wanted than there are, none, or more must be than are wanted
 */
export function linkedShares(
  question: PreferredQuestion,
  shares: ReadonlyMap<string, Share>,
  kinship: Kinship,
  isOneDevice: boolean,
): readonly string[] {
  if (question.size <= 0) throw new NoAnswer(`${question.size} devices are wanted: expected one or more`)
  const { must, free } = checked(question)
  const deviceOf = (id: string) => shares.get(id)?.device ?? id
  const left = question.size - must.length
  if (isOneDevice) {
    const held = new Set(must.map(deviceOf))
    const own = free.filter(id => held.size === 0 || held.has(deviceOf(id)))
    const one = held.size <= 1 ? fullestThatFits(own, left, deviceOf) : undefined
    if (one !== undefined) return [...must, ...one]
  }
  const chosen = [...must]
  const rest = new Set([...free].sort())
  while (chosen.length < question.size) {
    const taken = Map.groupBy(chosen, deviceOf)
    const heldOf = (id: string) => taken.get(deviceOf(id))?.length ?? 0
    const least = Math.min(...Array.from(rest, heldOf))
    // One share of each device that gave least.
    const candidates = [...Map.groupBy(rest, deviceOf).values()].flatMap(([id = '']) => (heldOf(id) === least ? [id] : []))
    const count = Math.min(question.size - chosen.length, candidates.length)
    for (const id of nearest(candidates, chosen, count, kinship, deviceOf)) {
      chosen.push(id)
      rest.delete(id)
    }
  }
  return chosen
}

function nearest(
  candidates: readonly string[],
  chosen: readonly string[],
  count: number,
  { weight, gpuOf, placeOf }: Kinship,
  deviceOf: (id: string) => string,
): readonly string[] {
  if (count >= candidates.length) return candidates
  const place = (id: string) => placeOf(deviceOf(id))
  const groups: readonly Group[] = [...Map.groupBy(candidates, id => gpuOf(deviceOf(id)))]
    .map(([name, ids]) => ({ name, ids: [...ids].sort((left, right) => place(left) - place(right)) }))
    .sort((left, right) => left.ids.length - right.ids.length || (left.name < right.name ? -1 : 1))
  return nearestSet(groups, chosen, count, (left, right) => weight(deviceOf(left), deviceOf(right)))
}
