// Counters that devices of a pool share: a device that is a part of a card takes of what the card has.

import { parseQuantity } from '#kube/values/quantity.ts'
import type { DevicePool } from './device-pools.ts'
import type { DevicesInUse } from './device-requests.ts'
import { type Device, deviceKey, type ResourceSlice } from './device-shapes.ts'

type Amounts = Map<string, bigint>

/** What is left of the counters of each pool, as devices come and go. */
export class CounterState {
  readonly #inUse: DevicesInUse
  readonly #left = new Map<string, Amounts>()

  constructor(inUse: DevicesInUse) {
    this.#inUse = inUse
  }

  /** Takes what the device consumes. False, and nothing taken, where the pool then has less than nothing of any counter. */
  add(pool: DevicePool, device: Device): boolean {
    const left = this.#leftOf(pool)
    take(left, device, 1n)
    if ([...left.values()].every(amount => amount >= 0n)) return true
    take(left, device, -1n)
    return false
  }

  remove(pool: DevicePool, device: Device): void {
    take(this.#leftOf(pool), device, -1n)
  }

  #leftOf(pool: DevicePool): Amounts {
    const known = this.#left.get(pool.id)
    if (known !== undefined) return known
    const left: Amounts = new Map()
    for (const [set, counters] of pool.counterSets)
      for (const [name, { value }] of Object.entries(counters)) left.set(counterKey(set, name), nanosOf(value))
    for (const slice of [...pool.slices, ...pool.otherSlices])
      for (const device of slice.spec.devices ?? []) if (this.#isAllocated(slice, device)) take(left, device, 1n)
    this.#left.set(pool.id, left)
    return left
  }

  #isAllocated({ spec }: ResourceSlice, { name }: Device): boolean {
    const key = deviceKey({ driver: spec.driver, pool: spec.pool.name, device: name })
    return this.#inUse.whole.has(key) || this.#inUse.shared.has(key)
  }
}

function take(left: Amounts, { consumesCounters = [] }: Device, sign: 1n | -1n): void {
  for (const { counterSet, counters = {} } of consumesCounters)
    for (const [name, { value }] of Object.entries(counters)) {
      const key = counterKey(counterSet, name)
      const before = left.get(key)
      // A counter that the pool does not have makes the pool invalid, and no device of it is looked at.
      if (before !== undefined) left.set(key, before - sign * nanosOf(value))
    }
}

function counterKey(set: string, counter: string): string {
  return `${set}\u0000${counter}`
}

/** What is no quantity counts as nothing: the API server stores none. */
function nanosOf(value: string | number): bigint {
  const parsed = parseQuantity(value)
  return parsed.ok ? parsed.value.nanos : 0n
}
