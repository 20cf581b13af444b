// Finds devices for all claims of a pod on one node: one request after the other, one device after the other, and back where it does
// not go on. The first solution in this order is taken. Rules of the structured allocator, 0.34 and 0.36.

import { addCapacity, consumedCapacity, hasRoom } from './device-capacity.ts'
import { type ConstraintState, constraintState } from './device-constraints.ts'
import { CounterState } from './device-counters.ts'
import {
  AllocationError,
  type Candidate,
  candidatesOf,
  claimName,
  type DevicesInUse,
  isSelectable,
  type SearchedNode,
  type WantedDevices,
  wantedDevices,
} from './device-requests.ts'
import { type DeviceTaint, type DeviceToleration, mostDevicesOfClaim, type ResourceClaim } from './device-shapes.ts'

/** A device that the search took. */
export interface TakenDevice {
  readonly wanted: WantedDevices
  readonly candidate: Candidate
  /** What it takes of a device that several may have. */
  readonly consumed: Readonly<Record<string, string>> | undefined
}

/** The devices of a claim, in the order in which they were taken. */
export type ClaimDevices = readonly TakenDevice[]

export type SearchOutcome =
  | { readonly kind: 'found'; readonly claims: readonly ClaimDevices[] }
  /** The node has not what is asked. */
  | { readonly kind: 'none'; readonly text: string }
  /** The claims cannot be allocated at all: the scheduler gives up with an error. */
  | { readonly kind: 'error'; readonly text: string }

/** Devices that one search may try; kube-scheduler gives up after ten seconds. */
const mostDevicesTried = 100_000

/** Devices for `claims`, none of which is allocated yet. */
export function findDevices(searched: SearchedNode, claims: readonly ResourceClaim[], inUse: DevicesInUse): SearchOutcome {
  try {
    const search = new Search(searched, claims, inUse)
    if (search.run()) return { kind: 'found', claims: search.taken }
    const isInvalid = searched.pools.some(pool => pool.invalidReason !== undefined)
    if (isInvalid) return { kind: 'none', text: 'invalid resource pools were encountered' }
    return { kind: 'none', text: 'cannot allocate all claims' }
  } catch (error) {
    if (error instanceof AllocationError) return { kind: 'error', text: error.message }
    throw error
  }
}

/** More devices than a claim may have: what came before may be chosen otherwise. */
const tooMany = Symbol('more devices than a claim may have')
type Step = boolean | typeof tooMany

/** Where the search for the next device of a request goes on. */
interface From {
  readonly pool: number
  readonly device: number
}

const beginning: From = { pool: 0, device: 0 }

class Search {
  readonly taken: TakenDevice[][]
  readonly #searched: SearchedNode
  readonly #claims: readonly ResourceClaim[]
  readonly #inUse: DevicesInUse
  readonly #wanted: ReturnType<typeof wantedDevices>
  readonly #constraints: readonly (readonly ConstraintState[])[]
  readonly #counters: CounterState
  /** Devices that this search has given away, and to which claims. */
  readonly #given = new Map<string, Set<number>>()
  /** What it took of devices that several may have. */
  readonly #shares = new Map<string, { readonly amounts: Map<string, bigint>; count: number }>()
  readonly #selectable = new Map<WantedDevices, Map<string, boolean>>()
  #tried = 0

  constructor(searched: SearchedNode, claims: readonly ResourceClaim[], inUse: DevicesInUse) {
    this.#searched = searched
    this.#claims = claims
    this.#inUse = inUse
    this.#wanted = wantedDevices(searched, claims)
    this.#constraints = claims.map(constraintsOf)
    this.#counters = new CounterState(inUse)
    this.taken = claims.map(() => [])
  }

  run(): boolean {
    return this.#request(0, 0) === true
  }

  #request(claim: number, request: number): Step {
    if (claim >= this.#claims.length) return true
    const alternatives = this.#wanted[claim]?.[request]
    if (alternatives === undefined) {
      const rest = this.#request(claim + 1, 0)
      return rest === true
    }
    let allTooMany = true
    for (const wanted of alternatives) {
      const step = this.#device({ claim, request, wanted }, 0, beginning)
      if (step === true) return true
      if (step !== tooMany) allTooMany = false
    }
    return allTooMany ? tooMany : false
  }

  #device(at: Place, done: number, from: From): Step {
    const { claim, request, wanted } = at
    if (wanted.all !== undefined && wanted.all.length === 0) return false
    if (done >= wanted.count) return this.#request(claim, request + 1)
    if ((this.taken[claim]?.length ?? 0) + wanted.count - done > mostDevicesOfClaim) return tooMany
    if (wanted.all !== undefined) {
      const candidate = wanted.all[done]
      return candidate === undefined ? false : this.#tryDevice(at, candidate, done, beginning, true)
    }
    const { pools } = this.#searched
    for (let pool = from.pool; pool < pools.length; pool++) {
      const searched = pools[pool]
      if (searched === undefined || !this.#isUsable(searched)) continue
      const devices = candidatesOf(searched)
      for (let device = pool === from.pool ? from.device : 0; device < devices.length; device++) {
        const candidate = devices[device]
        if (candidate === undefined || !this.#isFree(at, candidate) || !this.#isSelectable(wanted, candidate)) continue
        const step = this.#tryDevice(at, candidate, done, { pool, device: device + 1 }, false)
        if (step !== false) return step
      }
    }
    return false
  }

  #isUsable({ isIncomplete, invalidReason, id }: SearchedNode['pools'][number]): boolean {
    const { waitsForPools } = this.#searched.features
    if (invalidReason !== undefined && !waitsForPools) throw new AllocationError(`invalid resource pool ${id}: ${invalidReason}`)
    return invalidReason === undefined && !(isIncomplete && waitsForPools)
  }

  #tryDevice(at: Place, candidate: Candidate, done: number, next: From, must: boolean): Step {
    this.#tried += 1
    if (this.#tried > mostDevicesTried)
      throw new AllocationError(`more than ${mostDevicesTried} devices were tried, and no end is in sight`)
    const undo = this.#take(at, candidate, must)
    if (undo === undefined) return false
    const step = this.#device(at, done + 1, next)
    if (step !== true) undo()
    return step
  }

  #isFree({ claim, wanted: { wish } }: Place, { key }: Candidate): boolean {
    if (wish.adminAccess === true) return this.#given.get(key)?.has(claim) !== true
    return !this.#inUse.whole.has(key) && (this.#given.get(key)?.size ?? 0) === 0
  }

  #isSelectable(wanted: WantedDevices, candidate: Candidate): boolean {
    const known = this.#selectable.get(wanted) ?? new Map<string, boolean>()
    this.#selectable.set(wanted, known)
    const before = known.get(candidate.key)
    if (before !== undefined) return before
    const answer = isSelectable(this.#searched, wanted, candidate)
    known.set(candidate.key, answer)
    return answer
  }

  /** Gives the device to the request; how to take it back, or `undefined` where it cannot be given. */
  #take(at: Place, candidate: Candidate, must: boolean): (() => void) | undefined {
    const { claim, wanted } = at
    const { features } = this.#searched
    const { device, key, pool } = candidate
    const isShared = features.consumableCapacity && device.allowMultipleAllocations === true
    if (!this.#isFree(at, candidate) && !(isShared && wanted.wish.adminAccess === true)) return undefined
    if (!features.partitions && (device.consumesCounters ?? []).length > 0) return undefined
    const undone: (() => void)[] = []
    const undo = () => {
      for (const step of undone.toReversed()) step()
      return undefined
    }
    const skipsCounters = isShared && (this.#inUse.shared.has(key) || this.#shares.has(key))
    if (!skipsCounters && (device.consumesCounters ?? []).length > 0) {
      if (!this.#counters.add(pool, device)) return undefined
      undone.push(() => this.#counters.remove(pool, device))
    }
    if (features.taints && !toleratesAll(device.taints ?? [], wanted.wish.tolerations ?? [])) return undo()
    const added = { request: wanted.request, subRequest: wanted.alternative, device, driver: pool.driver }
    for (const constraint of this.#constraints[claim] ?? []) {
      if (constraint.add(added)) undone.push(() => constraint.remove(added))
      else {
        undo()
        if (must)
          throw new AllocationError(
            `claim ${claimName(wanted.claim)}, request ${wanted.alternative ?? wanted.request}: cannot add device ${key} because a claim constraint would not be satisfied`,
          )
        return undefined
      }
    }
    const requested = wanted.wish.capacity?.requests ?? {}
    if (features.consumableCapacity && !hasRoom(device, requested, [this.#inUse.shared.get(key), this.#shares.get(key)?.amounts]))
      return undo()
    const consumed = isShared ? consumedCapacity(device, requested) : undefined
    undone.push(consumed === undefined ? this.#giveWhole(key, claim) : this.#giveShare(key, consumed))
    this.taken[claim]?.push({ wanted, candidate, consumed })
    undone.push(() => void this.taken[claim]?.pop())
    return undo
  }

  #giveWhole(key: string, claim: number): () => void {
    const claims = this.#given.get(key) ?? new Set<number>()
    this.#given.set(key, claims)
    claims.add(claim)
    return () => void claims.delete(claim)
  }

  #giveShare(key: string, consumed: Readonly<Record<string, string>>): () => void {
    const share = this.#shares.get(key) ?? { amounts: new Map<string, bigint>(), count: 0 }
    this.#shares.set(key, share)
    share.count += 1
    addCapacity(share.amounts, consumed, 1n)
    return () => {
      addCapacity(share.amounts, consumed, -1n)
      share.count -= 1
      if (share.count === 0) this.#shares.delete(key)
    }
  }
}

interface Place {
  readonly claim: number
  readonly request: number
  readonly wanted: WantedDevices
}

function constraintsOf(claim: ResourceClaim): readonly ConstraintState[] {
  return (claim.spec.devices?.constraints ?? []).map((constraint, at) => {
    const state = constraintState(constraint)
    if (state === undefined)
      throw new AllocationError(`claim ${claimName(claim)}, constraint #${at}: empty constraint (unsupported constraint type?)`)
    return state
  })
}

function toleratesAll(taints: readonly DeviceTaint[], tolerations: readonly DeviceToleration[]): boolean {
  return taints
    .filter(({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute')
    .every(taint => tolerations.some(toleration => tolerates(toleration, taint)))
}

function tolerates({ effect, key, operator = 'Equal', value = '' }: DeviceToleration, taint: DeviceTaint): boolean {
  if (effect && effect !== taint.effect) return false
  if (key && key !== taint.key) return false
  return operator === 'Exists' || (operator === 'Equal' && value === (taint.value ?? ''))
}
