// How much of a device's capacities a request takes, where several may have the device. Rules of the structured allocator 0.36.

import { formatQuantity, quantity, wholeQuantity, wholeValue } from '#kube/values/quantity.ts'
import type { Device, DeviceCapacity, RequestPolicy } from './device-shapes.ts'

type Amount = string | number
type Requested = Readonly<Record<string, Amount>>

/** What is taken of a device already, in units of 10^-9, by capacity. */
type TakenCapacity = ReadonlyMap<string, bigint>

const nanos = (amount: Amount): bigint => quantity(amount).nanos

/** Whether a device has what `requested` asks beside what `taken` says is gone. */
export function hasRoom(device: Device, requested: Requested, taken: readonly (TakenCapacity | undefined)[]): boolean {
  const capacities = device.capacity ?? {}
  if (Object.keys(requested).some(name => !Object.hasOwn(capacities, name))) return false
  return Object.entries(capacities).every(([name, capacity]) => {
    const amount = consumed(capacity, requested[name])
    if (isAgainst(capacity.requestPolicy, amount)) return false
    const before = taken.reduce((sum, one) => sum + (one?.get(name) ?? 0n), 0n)
    return nanos(amount) + before <= nanos(capacity.value)
  })
}

/** What the request takes of each capacity of the device, as texts. */
export function consumedCapacity(device: Device, requested: Requested): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(device.capacity ?? {}).map(([name, capacity]) => [
      name,
      formatQuantity(quantity(consumed(capacity, requested[name]))),
    ]),
  )
}

/** The sums of what allocations took. */
export function addCapacity(into: Map<string, bigint>, amounts: Readonly<Record<string, Amount>>, sign: 1n | -1n): void {
  for (const [name, amount] of Object.entries(amounts)) into.set(name, (into.get(name) ?? 0n) + sign * nanos(amount))
}

function consumed({ value, requestPolicy }: DeviceCapacity, requested: Amount | undefined): Amount {
  if (requested === undefined) return requestPolicy?.default ?? value
  const { validRange, validValues } = requestPolicy ?? {}
  if (validRange?.min !== undefined) return inRange(requested, validRange, validRange.min)
  return validValues?.find(one => nanos(requested) <= nanos(one)) ?? requested
}

/** The least amount of the range that is enough: its smallest, or so many steps above. */
function inRange(requested: Amount, { step }: NonNullable<RequestPolicy['validRange']>, min: Amount): Amount {
  if (nanos(requested) < nanos(min)) return min
  if (step === undefined) return requested
  const [least, by] = [wholeValue(quantity(min)), wholeValue(quantity(step))]
  if (by <= 0n) return requested
  const above = wholeValue(quantity(requested)) - least
  const steps = above / by + (above % by === 0n ? 0n : 1n)
  return formatQuantity(wholeQuantity(least + by * steps, 'BinarySI'))
}

function isAgainst(policy: RequestPolicy | undefined, amount: Amount): boolean {
  if (policy === undefined || (policy.default !== undefined && nanos(policy.default) === nanos(amount))) return false
  const { validRange, validValues = [] } = policy
  if (validRange !== undefined) {
    const { min = 0, max, step } = validRange
    if (max !== undefined && nanos(amount) > nanos(max)) return true
    if (step === undefined) return false
    const by = wholeValue(quantity(step))
    return by > 0n && (wholeValue(quantity(amount)) - wholeValue(quantity(min))) % by !== 0n
  }
  return validValues.length > 0 && validValues.every(one => nanos(one) !== nanos(amount))
}
