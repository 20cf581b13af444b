// Images on simulated nodes: which are there, and pulls one after the other as `serializeImagePulls` has it. Bytes of a node that has
// them come faster than those of a registry; what another node is still downloading comes as it comes there.
import type { Node } from '#kube/objects/objects.ts'
import type { PullSource } from './image-mirrors.ts'
import { imageBytes, peerBandwidth, pullBandwidth } from './kubelet-profile.ts'

export interface Pull {
  /** Until the image is there, waiting for other pulls included. */
  readonly totalMs: number
  /** Time of its own transfer. */
  readonly transferMs: number
  readonly bytes: number
  readonly source: PullSource
}

/** A pull that was begun, as a registry's access log and the mirrors' metrics would tell it together. */
export interface PullRecord {
  readonly node: string
  readonly image: string
  readonly source: PullSource
  /** Whether a mirror was asked first. */
  readonly isMirrored: boolean
  readonly bytes: number
  /** Milliseconds since 1970. */
  readonly beganMs: number
  readonly endsMs: number
}

/** What `begin` has to know besides the node. */
interface PullTerms {
  readonly nowMs: number
  /** How many times as long as the bandwidth has it. */
  readonly factor: number
  readonly source: PullSource
  readonly isMirrored: boolean
}

/** Older ones are forgotten. */
const mostRecords = 10_000
/** From the last byte at one node to the last byte at the node that follows it. */
const relayDelayMs = 100

export class ImagePulls {
  readonly #present = new Map<string, Map<string, number>>()
  readonly #busyUntilMs = new Map<string, number>()
  /** Image → node → when its download ends. */
  readonly #underWay = new Map<string, Map<string, number>>()
  readonly #records: PullRecord[] = []
  /** Bytes of images that were pulled: an image has one size. */
  readonly #sizes = new Map<string, number>()

  /** Whether the node needs no pull: listed in its status, pulled before, or run by a pod it has. */
  isPresent(node: Node, image: string): boolean {
    if (this.#present.get(node.metadata.name)?.has(image) === true) return true
    return node.status?.images?.some(entry => entry.names?.includes(image)) === true
  }

  /** Whether the node is downloading the image. */
  isPulling(node: string, image: string, nowMs: number): boolean {
    return (this.#underWay.get(image)?.get(node) ?? 0) > nowMs
  }

  /** Queues a pull that begins when those before it have ended; one of the same image on the node is shared. */
  begin(node: Node, image: string, nodes: Iterable<Node>, { nowMs, factor, source, isMirrored }: PullTerms): Pull {
    const { name } = node.metadata
    const bytes = this.#sizes.get(image) ?? imageBytes(image, nodes)
    this.#sizes.set(image, bytes)
    const sharedMs = this.#underWay.get(image)?.get(name)
    // Another pod of the node pulls it: when its turn comes the layers are there.
    if (sharedMs !== undefined && sharedMs > nowMs) return { totalMs: sharedMs - nowMs, transferMs: 0, bytes, source }
    const bandwidth = source === 'outside' ? pullBandwidth(node) : peerBandwidth(node)
    const ownMs = Math.max(50, Math.round((bytes / bandwidth) * 1000 * factor))
    const beganMs = Math.max(nowMs, this.#busyUntilMs.get(name) ?? 0)
    const underWay = this.#underWay.get(image) ?? new Map<string, number>()
    const soonestMs = source === 'relay' ? Math.min(...underWay.values()) + relayDelayMs : 0
    const endsMs = Math.max(beganMs + ownMs, soonestMs)
    this.#busyUntilMs.set(name, endsMs)
    underWay.set(name, endsMs)
    this.#underWay.set(image, underWay)
    if (this.#records.push({ node: name, image, source, isMirrored, bytes, beganMs, endsMs }) > mostRecords) this.#records.shift()
    return { totalMs: endsMs - nowMs, transferMs: endsMs - beganMs, bytes, source }
  }

  /** The image is on the node from now on. */
  add(node: string, image: string, bytes: number): void {
    const images = this.#present.get(node) ?? new Map<string, number>()
    images.set(image, bytes)
    this.#present.set(node, images)
    const underWay = this.#underWay.get(image)
    underWay?.delete(node)
    if (underWay?.size === 0) this.#underWay.delete(image)
  }

  /** Pulled images with their sizes, 0 where it is not known, in the order they came. */
  pulledOn(node: string): ReadonlyMap<string, number> {
    return this.#present.get(node) ?? new Map()
  }

  /** The latest pulls in the order they were begun. */
  get records(): readonly PullRecord[] {
    return this.#records
  }
}
