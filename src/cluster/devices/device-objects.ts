// Claims, slices and classes as a placement sees them: those of the cluster, over them what binding pods has settled, and under them
// the claims that a controller will make for pods that come.

import type { KubeObject } from '#kube/objects/objects.ts'
import type { ClusterState } from '../cluster-state.ts'
import { addCapacity } from './device-capacity.ts'
import { PoolIndex } from './device-pools.ts'
import { type DevicesInUse, holdsWhole } from './device-requests.ts'
import { DeviceSelectors } from './device-selectors.ts'
import { type DeviceClass, deviceKey, type ResourceClaim, type ResourceSlice } from './device-shapes.ts'
import { servedClaim, servedSlice } from './older-versions.ts'

/** Claims by `namespace/name`. */
type ClaimsToCome = ReadonlyMap<string, ResourceClaim>

/** What is read of a state once, for all placements of it. */
interface Read {
  readonly pools: PoolIndex
  readonly selectors: DeviceSelectors
  readonly claims: ReadonlyMap<string, ResourceClaim>
}

const readOf = new WeakMap<ClusterState, Read>()

// The casts below name the kinds that were looked up; the shapes of older versions are brought to the newest.
function read(state: ClusterState): Read {
  const known = readOf.get(state)
  if (known !== undefined) return known
  const made = {
    pools: new PoolIndex((state.objects('ResourceSlice') as readonly ResourceSlice[]).map(servedSlice)),
    selectors: new DeviceSelectors(),
    claims: new Map(state.objects('ResourceClaim').map(object => [keyOf(object), servedClaim(object as ResourceClaim)])),
  }
  readOf.set(state, made)
  return made
}

export class DeviceObjects {
  readonly #state: ClusterState
  readonly #toCome: ClaimsToCome
  /** Newer than the cluster's; `undefined` where it is gone. */
  readonly #settled: Map<string, ResourceClaim | undefined>
  #inUse: DevicesInUse | undefined

  constructor(state: ClusterState, toCome: ClaimsToCome, settled: ReadonlyMap<string, ResourceClaim | undefined> = new Map()) {
    this.#state = state
    this.#toCome = toCome
    this.#settled = new Map(settled)
  }

  /** A copy that can be changed apart. */
  copy(): DeviceObjects {
    return new DeviceObjects(this.#state, this.#toCome, this.#settled)
  }

  get selectors(): DeviceSelectors {
    return read(this.#state).selectors
  }

  get pools(): PoolIndex {
    return read(this.#state).pools
  }

  claim(namespace: string, name: string): ResourceClaim | undefined {
    const key = `${namespace}/${name}`
    if (this.#settled.has(key)) return this.#settled.get(key)
    return read(this.#state).claims.get(key) ?? this.#toCome.get(key)
  }

  deviceClass(name: string): DeviceClass | undefined {
    return this.#state.object('DeviceClass', undefined, name) as DeviceClass | undefined
  }

  /** Takes a claim in place of its namesake. */
  settle(claim: ResourceClaim): void {
    this.#settled.set(keyOf(claim), claim)
    this.#inUse = undefined
  }

  /** Has a claim be gone, with what it holds. */
  drop(namespace: string, name: string): void {
    this.#settled.set(`${namespace}/${name}`, undefined)
    this.#inUse = undefined
  }

  /** What all allocations hold together. */
  get inUse(): DevicesInUse {
    this.#inUse ??= inUseBy(this.#claims())
    return this.#inUse
  }

  *#claims(): Iterable<ResourceClaim> {
    for (const [key, claim] of read(this.#state).claims) if (!this.#settled.has(key)) yield claim
    for (const claim of this.#settled.values()) if (claim !== undefined) yield claim
  }
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}

function inUseBy(claims: Iterable<ResourceClaim>): DevicesInUse {
  const whole = new Set<string>()
  const shared = new Map<string, Map<string, bigint>>()
  for (const { status } of claims)
    for (const result of status?.allocation?.devices?.results ?? []) {
      const key = deviceKey(result)
      if (holdsWhole(result)) whole.add(key)
      if (result.shareID === undefined) continue
      const amounts = shared.get(key) ?? new Map<string, bigint>()
      shared.set(key, amounts)
      addCapacity(amounts, result.consumedCapacity ?? {}, 1n)
    }
  return { whole, shared }
}
