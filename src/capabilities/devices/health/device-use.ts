// How busy devices are, and how much of their memory is used, where the kernel says so in files: AMD's driver as a percentage, Intel's by the time
// that a card was idle.

import type { HostTree } from '#machines/host-tree.ts'
import type { FoundDevice } from '../discovery/found-device.ts'

export interface DeviceUse {
  /** From 0 to 1; absent where nobody says, and at the first look of what is counted by time. */
  readonly busy?: number
  readonly memoryUsedBytes?: number
  readonly memoryBytes?: number
}

/** Files that count milliseconds in which a card slept: of i915 by its old and new places, of xe by tiles and engines' groups. */
const idleFiles = /^(gt\d+|tile\d+)$/

interface Idle {
  readonly atMs: number
  readonly idleMs: number
}

export class DeviceUses {
  #before = new Map<string, Idle>()

  /** Looks at each device. @param nowMs of a clock that never goes back */
  look(tree: HostTree, devices: readonly FoundDevice[], nowMs: number): ReadonlyMap<string, DeviceUse> {
    const next = new Map<string, Idle>()
    const found = new Map<string, DeviceUse>()
    for (const device of devices) {
      const use = { ...this.#busy(tree, device, nowMs, next), ...memory(tree, device) }
      if (Object.keys(use).length > 0) found.set(device.id, use)
    }
    this.#before = next
    return found
  }

  #busy(tree: HostTree, device: FoundDevice, nowMs: number, next: Map<string, Idle>): Pick<DeviceUse, 'busy'> {
    const percent = whole(tree.text(`${device.directory}/gpu_busy_percent`))
    if (percent !== undefined) return { busy: Math.min(1, percent / 100) }
    const idleMs = idleTime(tree, device)
    if (idleMs === undefined) return {}
    next.set(device.id, { atMs: nowMs, idleMs })
    const before = this.#before.get(device.id)
    // The counter begins anew with the driver.
    if (before === undefined || nowMs <= before.atMs || idleMs < before.idleMs) return {}
    return { busy: Math.max(0, Math.min(1, 1 - (idleMs - before.idleMs) / (nowMs - before.atMs))) }
  }
}

/** The part of a card that slept least counts: media and graphics sleep by themselves. */
function idleTime(tree: HostTree, { directory, id }: FoundDevice): number | undefined {
  const card = `${directory}/drm/${id}`
  const groups = (place: string) => (tree.names(place) ?? []).filter(name => idleFiles.test(name)).map(name => `${place}/${name}`)
  const times = [
    ...groups(`${card}/gt`).map(place => `${place}/rc6_residency_ms`),
    ...groups(directory)
      .flatMap(groups)
      .map(place => `${place}/gtidle/idle_residency_ms`),
  ].flatMap(file => whole(tree.text(file)) ?? [])
  if (times.length > 0) return Math.min(...times)
  return whole(tree.text(`${card}/power/rc6_residency_ms`))
}

function memory(tree: HostTree, { directory }: FoundDevice): Pick<DeviceUse, 'memoryUsedBytes' | 'memoryBytes'> {
  const used = whole(tree.text(`${directory}/mem_info_vram_used`))
  const total = whole(tree.text(`${directory}/mem_info_vram_total`))
  return { ...(used === undefined ? {} : { memoryUsedBytes: used }), ...(total === undefined ? {} : { memoryBytes: total }) }
}

const whole = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
