// Whether cards are well, by the files that the kernel has of them: too hot, an error that the driver keeps, a dump after a crash, a driver that
// is gone. A device is ill after two bad looks, and well again after three good ones.

import type { HostTree } from '#machines/host-tree.ts'
import type { ComputeNode } from '../discovery/compute-topology.ts'
import type { FoundDevice } from '../discovery/found-device.ts'

const looks = { bad: 2, good: 3 } as const

/** In degrees Celsius; above them a device is not well. */
interface TemperatureLimits {
  readonly other: number
  readonly gpu: number
  readonly memory: number
}

/** Why a device is not well. */
export interface Complaint {
  readonly why: string
  /** What it is about, each in a word. */
  readonly about: readonly ('temperature' | 'memory' | 'bus' | 'processor' | 'driver')[]
}

/** Why a device is not well now; `undefined` where it is. */
export function complaintOf(tree: HostTree, device: FoundDevice, limits: TemperatureLimits): Complaint | undefined {
  const { directory, id } = device
  for (const [kind, degrees] of temperatures(tree, directory)) {
    const limit = limits[kind]
    if (degrees > limit) return tooHot(kind === 'other' ? '' : `${kind} `, degrees, limit)
  }
  const error = tree.text(`${directory}/drm/${id}/error`)
  if (error !== undefined && error !== '' && !/^no error/i.test(error)) return ofDriver('its driver keeps an error (error)')
  if ((tree.names(`${directory}/devcoredump`) ?? []).length > 0)
    return ofDriver('its driver left a dump after a crash (devcoredump)')
  return undefined
}

/** A complaint about a temperature of a part of the device; `part` ends with a blank, or is empty. */
export const tooHot = (part: string, degrees: number, limit: number): Complaint => ({
  why: `its ${part}temperature is ${degrees} °C, above ${limit} °C`,
  about: ['temperature'],
})

const ofDriver = (why: string): Complaint => ({ why, about: ['driver'] })

/** Whole degrees, as upstream cuts them, by what is measured. */
function temperatures(tree: HostTree, directory: string): readonly (readonly ['gpu' | 'memory' | 'other', number])[] {
  return (tree.names(`${directory}/hwmon`) ?? []).flatMap(sensor => {
    const place = `${directory}/hwmon/${sensor}`
    return (tree.names(place) ?? [])
      .filter(name => /^temp\d+_input$/.test(name))
      .flatMap(name => {
        const text = tree.text(`${place}/${name}`)
        if (text === undefined || !/^-?\d{1,7}$/.test(text)) return []
        const label = (tree.text(`${place}/${name.replace('_input', '_label')}`) ?? '').toLowerCase()
        const kind = /vram|mem/.test(label) ? 'memory' : /pkg|gpu|edge|junction/.test(label) ? 'gpu' : 'other'
        return [[kind, Math.trunc(Number(text) / 1_000)] as const]
      })
  })
}

/** Upstream's simple check: GPUs are well while the compute driver knows any. */
export function computeComplaint(nodes: readonly ComputeNode[]): Complaint | undefined {
  return nodes.some(({ isGpu }) => isGpu) ? undefined : ofDriver('the compute driver has no GPU among its nodes')
}

interface Seen {
  readonly isIll: boolean
  /** How often in a row it was otherwise. */
  readonly against: number
}

/** Keeps who is ill over many looks. */
export class Steadied {
  #seen = new Map<string, Seen>()

  /** Takes what a look found of each device; answers who is ill. Devices that are gone are forgotten. */
  look(complaints: ReadonlyMap<string, Complaint | undefined>): ReadonlySet<string> {
    const next = new Map<string, Seen>()
    for (const [id, complaint] of complaints) {
      const before = this.#seen.get(id) ?? { isIll: false, against: 0 }
      const isBad = complaint !== undefined
      const against = isBad === before.isIll ? 0 : before.against + 1
      const turns = against >= (isBad ? looks.bad : looks.good)
      next.set(id, turns ? { isIll: isBad, against: 0 } : { isIll: before.isIll, against })
    }
    this.#seen = next
    return new Set([...next].filter(([, { isIll }]) => isIll).map(([id]) => id))
  }
}
