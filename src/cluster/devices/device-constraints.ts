// Constraints between the devices of one claim: the same value of an attribute, or another one each.

import type { Device, DeviceAttribute, DeviceConstraint } from './device-shapes.ts'

/** One device of a request; `subRequest` where an alternative of the request asked for it. */
interface AddedDevice {
  readonly request: string
  readonly subRequest: string | undefined
  readonly device: Device
  readonly driver: string
}

/** Follows a search: each device that could be added is taken away once at most, the last one first. */
export interface ConstraintState {
  /** Whether the device may come to those that are there. */
  add(added: AddedDevice): boolean
  remove(added: AddedDevice): void
}

/** `undefined` for a constraint of a type that nobody knows. */
export function constraintState(constraint: DeviceConstraint): ConstraintState | undefined {
  const { matchAttribute, distinctAttribute, requests = [] } = constraint
  const names = new Set(requests)
  const concerns = ({ request, subRequest }: AddedDevice) =>
    names.size === 0 || names.has(request) || (subRequest !== undefined && names.has(`${request}/${subRequest}`))
  if (matchAttribute !== undefined) return concerning(concerns, sameValue(matchAttribute))
  if (distinctAttribute !== undefined) return concerning(concerns, otherValues(distinctAttribute))
  return undefined
}

function concerning(concerns: (added: AddedDevice) => boolean, state: ConstraintState): ConstraintState {
  return {
    add: added => !concerns(added) || state.add(added),
    remove: added => {
      if (concerns(added)) state.remove(added)
    },
  }
}

function sameValue(name: string): ConstraintState {
  let value: DeviceAttribute | undefined
  let devices = 0
  return {
    add: ({ device, driver }) => {
      const found = attributeOf(device, driver, name)
      if (found === undefined || (devices > 0 && !isSameValue(found, value))) return false
      if (devices === 0) value = found
      devices++
      return true
    },
    remove: () => {
      devices--
    },
  }
}

/** Upstream remembers one value a request, the latest; so do we, as the same devices are to be found. */
function otherValues(name: string): ConstraintState {
  const values = new Map<string, DeviceAttribute>()
  return {
    add: ({ request, device, driver }) => {
      const found = attributeOf(device, driver, name)
      if (found === undefined || [...values.values()].some(value => isSameValue(found, value))) return false
      values.set(request, found)
      return true
    },
    remove: ({ request }) => {
      values.delete(request)
    },
  }
}

function attributeOf({ attributes = {} }: Device, driver: string, name: string): DeviceAttribute | undefined {
  if (Object.hasOwn(attributes, name)) return attributes[name]
  const slash = name.indexOf('/')
  const short = name.slice(slash + 1)
  return slash >= 0 && name.slice(0, slash) === driver && Object.hasOwn(attributes, short) ? attributes[short] : undefined
}

function isSameValue(a: DeviceAttribute, b: DeviceAttribute | undefined): boolean {
  if (b === undefined) return false
  if (a.string !== undefined) return a.string === b.string
  if (a.int !== undefined) return a.int === b.int
  if (a.bool !== undefined) return a.bool === b.bool
  return a.version !== undefined && a.version === b.version
}
