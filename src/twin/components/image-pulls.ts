// Images on simulated nodes: which are there, and pulls one after the other as `serializeImagePulls` has it.
import type { Node } from '#kube/objects.ts'
import { imageBytes, pullBandwidth } from './kubelet-profile.ts'

export interface Pull {
  /** Until the image is there, waiting for other pulls included. */
  readonly totalMs: number
  /** Of its own transfer. */
  readonly transferMs: number
  readonly bytes: number
}

export class ImagePulls {
  readonly #present = new Map<string, Map<string, number>>()
  readonly #busyUntilMs = new Map<string, number>()

  /** Whether the node needs no pull: listed in its status, pulled before, or run by a pod it has. */
  isPresent(node: Node, image: string): boolean {
    if (this.#present.get(node.metadata.name)?.has(image) === true) return true
    return node.status?.images?.some(entry => entry.names?.includes(image)) === true
  }

  /** Queues a pull that begins when those before it have ended; it takes `factor` times as long as the node's bandwidth has it. */
  begin(node: Node, image: string, nodes: Iterable<Node>, { nowMs, factor }: { nowMs: number; factor: number }): Pull {
    const bytes = imageBytes(image, nodes)
    const transferMs = Math.max(50, Math.round((bytes / pullBandwidth(node)) * 1000 * factor))
    const endMs = Math.max(nowMs, this.#busyUntilMs.get(node.metadata.name) ?? 0) + transferMs
    this.#busyUntilMs.set(node.metadata.name, endMs)
    return { totalMs: endMs - nowMs, transferMs, bytes }
  }

  /** The image is on the node from now on. */
  add(node: string, image: string, bytes: number): void {
    const images = this.#present.get(node) ?? new Map<string, number>()
    images.set(image, bytes)
    this.#present.set(node, images)
  }

  /** Pulled images with their sizes, 0 where it is not known, in the order they came. */
  pulledOn(node: string): ReadonlyMap<string, number> {
    return this.#present.get(node) ?? new Map()
  }
}
