// Addresses of pods: from the node's pod network, the lowest that is free after the last one given.
import type { Node } from '#kube/objects/objects.ts'

export class PodAddresses {
  readonly #owners = new Map<string, string>()
  readonly #last = new Map<string, number>()

  /** Notes an address that a pod has already. */
  take(address: string, uid: string): void {
    this.#owners.set(address, uid)
  }

  release(address: string | undefined, uid: string): void {
    if (address !== undefined && this.#owners.get(address) === uid) this.#owners.delete(address)
  }

  /** A free address of the node's `podCIDR`; a node without one gets the /24 of 10.244.0.0/16 with its number. */
  give(node: Node, number: number, uid: string): string {
    const [first, size] = network(node.spec?.podCIDR) ?? [ipNumber(10, 244, number % 256, 0), 256]
    const name = node.metadata.name
    for (let tried = 0; tried < size; tried++) {
      const offset = ((this.#last.get(name) ?? 1) + 1 + tried) % size
      // Network, gateway and broadcast are not given away.
      if (offset < 2 || offset === size - 1) continue
      const address = ipText(first + offset)
      if (this.#owners.has(address)) continue
      this.#last.set(name, offset)
      this.#owners.set(address, uid)
      return address
    }
    throw new Error(`node ${name}: its pod network of ${size} addresses has none left`)
  }
}

/** The first address and the size of an IPv4 network; at most 65,536 addresses of it are used. */
function network(cidr: string | undefined): readonly [number, number] | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr ?? '')
  if (match === null) return undefined
  const [a, b, c, d, bits] = match.slice(1).map(Number)
  if (a === undefined || b === undefined || c === undefined || d === undefined || bits === undefined || bits > 29)
    return undefined
  return [ipNumber(a, b, c, d), Math.min(65_536, 2 ** (32 - bits))]
}

function ipNumber(a: number, b: number, c: number, d: number): number {
  return ((a * 256 + b) * 256 + c) * 256 + d
}

function ipText(number: number): string {
  return [24, 16, 8, 0].map(shift => Math.floor(number / 2 ** shift) % 256).join('.')
}
