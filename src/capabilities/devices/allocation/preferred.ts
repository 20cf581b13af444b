// Which of the free shares a container had best get. The kubelet asks and may decide otherwise.

import { status } from '@grpc/grpc-js'
import { CallRefused } from '#kube/grpc/served-method.ts'
import type { AllocationPolicy } from '../config.ts'

export interface PreferredQuestion {
  readonly available: readonly string[]
  readonly mustInclude: readonly string[]
  readonly size: number
}

/** A question that has no answer: told to the kubelet in these words. */
export class NoAnswer extends CallRefused {
  override readonly name = 'NoAnswer'

  constructor(message: string) {
    super(status.INVALID_ARGUMENT, message)
  }
}

/**
 * The ids that are preferred; those that must be are first.
 * @param policy see `device-plugins` §3.2: `none` spreads in the order given, `balanced` over the freest devices, `packed` fills by name
 * @param isOneDevice all are to be of one device where one has enough
 * @throws NoAnswer where more are wanted than there are, or more must be than are wanted
 */
export function preferredShares(question: PreferredQuestion, policy: AllocationPolicy, isOneDevice: boolean): readonly string[] {
  const { size } = question
  const { must, free } = checked(question)
  const left = size - must.length
  if (isOneDevice) {
    const held = new Set(must.map(deviceOf))
    const own = free.filter(id => held.size === 0 || held.has(deviceOf(id)))
    const one = fullestThatFits(own, left)
    if (held.size <= 1 && one !== undefined) return [...must, ...one]
  }
  return [...must, ...picks[policy](free, left)]
}

/** @throws NoAnswer */
export function checked({ available, mustInclude, size }: PreferredQuestion): {
  must: readonly string[]
  free: readonly string[]
} {
  const all = [...new Set([...mustInclude, ...available])]
  if (size < 0) throw new NoAnswer(`${size} devices are wanted: expected none or more`)
  if (size > all.length) throw new NoAnswer(`${size} devices are wanted, and ${all.length} are available`)
  if (mustInclude.length > size) throw new NoAnswer(`${mustInclude.length} devices must be included, and ${size} are wanted`)
  const must = [...new Set(mustInclude)]
  const isMust = new Set(must)
  return { must, free: all.filter(id => !isMust.has(id)) }
}

/** The text before the number of the share. */
const deviceOf = (id: string): string => {
  const end = id.lastIndexOf('-')
  return end < 0 ? id : id.slice(0, end)
}

function byDevice(ids: readonly string[], nameOf = deviceOf): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const id of ids) {
    const device = nameOf(id)
    const own = found.get(device)
    if (own === undefined) found.set(device, [id])
    else own.push(id)
  }
  return found
}

const picks: Readonly<Record<AllocationPolicy, (free: readonly string[], count: number) => readonly string[]>> = {
  none(free, count) {
    const firsts = [...byDevice(free).values()].flatMap(([first]) => first ?? [])
    const isFirst = new Set(firsts)
    return [...firsts, ...free.filter(id => !isFirst.has(id))].slice(0, count)
  },
  balanced(free, count) {
    const devices = [...byDevice(free)]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([, ids]) => ({ ids: ids.sort(), taken: 0 }))
    const picked: string[] = []
    while (picked.length < count) {
      const freest = devices.reduce((best, one) => (one.ids.length - one.taken > best.ids.length - best.taken ? one : best))
      const id = freest.ids[freest.taken]
      if (id === undefined) break
      picked.push(id)
      freest.taken += 1
    }
    return picked
  },
  packed: (free, count) => [...free].sort().slice(0, count),
}

/** The device that has enough and least beyond it: what is left of others is of more use. */
export function fullestThatFits(free: readonly string[], count: number, nameOf = deviceOf): readonly string[] | undefined {
  const fitting = [...byDevice(free, nameOf)]
    .filter(([, ids]) => ids.length >= count)
    .sort(([leftName, left], [rightName, right]) => left.length - right.length || (leftName < rightName ? -1 : 1))
  return fitting[0]?.[1].sort().slice(0, count)
}
