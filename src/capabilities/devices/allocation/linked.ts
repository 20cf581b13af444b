// Which GPUs of AMD belong together: the set whose pairs are nearest to each other, by partition, link and NUMA node.

import type { ComputeNode } from '../discovery/compute-topology.ts'
import type { FoundDevice } from '../discovery/found-device.ts'
import type { Share } from '../discovery/offers.ts'
import { checked, NoAnswer, type PreferredQuestion } from './preferred.ts'

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

/** Sets are tried one by one up to so many; beyond that the nearest is added again and again. */
const mostSets = 50_000

type PairWeight = (left: string, right: string) => number

/** The weight of each pair of devices. */
export function pairWeights(devices: readonly FoundDevice[], compute: readonly ComputeNode[]): PairWeight {
  const byMinor = new Map(compute.map(node => [node.renderMinor, node]))
  const byId = new Map(
    devices.map(device => {
      const minor = device.nodes.map(({ path }) => /\/renderD(\d+)$/.exec(path)?.[1]).find(found => found !== undefined)
      return [device.id, { device, node: minor === undefined ? undefined : byMinor.get(Number(minor)) }] as const
    }),
  )
  return (left, right) => {
    const one = byId.get(left)
    const other = byId.get(right)
    const isSame = left === right || (one?.node !== undefined && one.node.location === other?.node?.location)
    const isNear = one?.device.numaNodes[0] === other?.device.numaNodes[0]
    return (
      (isSame ? weights.sameDevice : weights.otherDevice) +
      (isNear ? weights.sameNuma : weights.otherNuma) +
      linkWeight(one?.node, other?.node)
    )
  }
}

function linkWeight(one: ComputeNode | undefined, other: ComputeNode | undefined): number {
  if (one === undefined || other === undefined) return weights.otherLink
  const kind = one.links.get(other.number) ?? other.links.get(one.number)
  if (kind === linkKinds.xgmi) return weights.xgmi
  return kind === linkKinds.pcie ? weights.pcie : weights.otherLink
}

/** The shares whose devices are nearest together. @throws NoAnswer where more are wanted than there are, none, or more must be than are wanted */
export function linkedShares(
  question: PreferredQuestion,
  shares: ReadonlyMap<string, Share>,
  weight: PairWeight,
): readonly string[] {
  if (question.size <= 0) throw new NoAnswer(`${question.size} devices are wanted: expected one or more`)
  const { must, free } = checked(question)
  const count = question.size - must.length
  if (count <= 0) return must
  if (free.length === count) return [...must, ...free]
  const between = (left: string, right: string) => weight(shares.get(left)?.device ?? left, shares.get(right)?.device ?? right)
  const sorted = [...free].sort()
  return [
    ...must,
    ...(setsOf(sorted.length, count) <= mostSets ? best(sorted, must, count, between) : grown(sorted, must, count, between)),
  ]
}

/** How many sets of `count` there are among `all`. */
function setsOf(all: number, count: number): number {
  let sets = 1
  for (let index = 0; index < count && sets <= mostSets; index += 1) sets = (sets * (all - index)) / (index + 1)
  return sets
}

function best(free: readonly string[], must: readonly string[], count: number, weight: PairWeight): readonly string[] {
  let least = Number.POSITIVE_INFINITY
  let found: readonly string[] = []
  const chosen: string[] = []
  const extend = (from: number, sum: number): void => {
    if (sum >= least) return
    if (chosen.length === count) {
      least = sum
      found = [...chosen]
      return
    }
    for (let index = from; index <= free.length - (count - chosen.length); index += 1) {
      const id = free[index] ?? ''
      const added = sumTo(id, must, weight) + sumTo(id, chosen, weight)
      chosen.push(id)
      extend(index + 1, sum + added)
      chosen.pop()
    }
  }
  extend(0, 0)
  return found
}

function grown(free: readonly string[], must: readonly string[], count: number, weight: PairWeight): readonly string[] {
  const sums = new Map(free.map(id => [id, sumTo(id, must, weight)]))
  const chosen: string[] = []
  while (chosen.length < count && sums.size > 0) {
    const [nearest] = [...sums].reduce((least, one) => (one[1] < least[1] ? one : least))
    sums.delete(nearest)
    chosen.push(nearest)
    for (const [id, sum] of sums) sums.set(id, sum + weight(id, nearest))
  }
  return chosen
}

function sumTo(id: string, others: readonly string[], weight: PairWeight): number {
  return others.reduce((sum, other) => sum + weight(id, other), 0)
}
