// Answers of a replica that nobody should believe: cut, changed, of another version, with a clock of its own, of lies that are well formed. By a seed.
import protobuf from 'protobufjs/light.js'
import type { Random } from '#kube/random.ts'
import { type ContainerReading, emptyReading, type NodeReading, type Reading } from '../../decode/reading.ts'
import { encodeAnswer, encodePoints } from '../points-message.ts'

const { Writer } = protobuf

const oddNumbers = [
  ...[0, -0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MIN_VALUE, Number.MAX_VALUE],
  ...[2 ** 31, 2 ** 53, 2 ** 53 + 2, 2 ** 63, 2 ** 64, 1e300, -(2 ** 63)],
]
const oddTexts = ['', '\0', '__proto__', 'constructor', 'ü\n"', '\ud800', 'x'.repeat(300), '../..', '{"a":1}']

export class HostileAnswers {
  readonly #random: Random
  readonly #nodes: readonly string[]
  readonly #now: () => number

  /** `nodes`: those that are measured, some of which are lied about. */
  constructor(random: Random, nodes: readonly string[], now: () => number) {
    this.#random = random
    this.#nodes = nodes
    this.#now = now
  }

  below(end: number): number {
    return Math.floor(this.#random() * end)
  }

  #one<T>(of: readonly T[], otherwise: T): T {
    return of[this.below(of.length)] ?? otherwise
  }

  #isSometimes(share: number): boolean {
    return this.#random() < share
  }

  #number(usual: number): number {
    return this.#isSometimes(0.02) ? this.#one(oddNumbers, 0) : usual
  }

  #text(usual: string): string {
    return this.#isSometimes(0.1) ? this.#one(oddTexts, '') : usual
  }

  #reading(): Reading {
    const timeMs = this.#number(this.#now() - this.below(60_000))
    return {
      ...emptyReading(),
      cpuNs: this.#isSometimes(0.1) ? undefined : this.#number(this.below(1e12)),
      cpuMs: timeMs,
      memoryBytes: this.#isSometimes(0.1) ? undefined : this.#number(this.below(1e10)),
      memoryMs: timeMs,
      startNs: this.#isSometimes(0.3) ? undefined : this.#number(1.7e18),
      isDoubted: this.#isSometimes(0.1),
    }
  }

  /** Well formed, but for what some of its numbers say. */
  reading(): NodeReading {
    const containers = Array.from({ length: this.below(6) }, (): ContainerReading => {
      const pod = this.#text(`pod-${this.below(3)}`)
      return { ...this.#reading(), namespace: this.#text('shop'), pod, container: this.#text('app') }
    })
    return { node: this.#reading(), containers, rejected: new Map() }
  }

  #entry(): { readonly ageMs: number; readonly points: Uint8Array } {
    const points = encodePoints({
      node: this.#text(this.#one(this.#nodes, 'n')),
      // A clock of its own.
      receivedMs: this.#isSometimes(0.2) ? this.#now() + (this.below(3) - 1) * 3_600_000 : this.#now(),
      isOwners: this.#isSometimes(0.7),
      reading: this.reading(),
    })
    return { ageMs: this.#isSometimes(0.1) ? this.below(1e9) : this.below(30_000), points: this.#isSometimes(0.1) ? this.#mutated(points) : points }
  }

  #mutated(bytes: Uint8Array): Buffer {
    const changed = Buffer.from(bytes)
    const changes = 1 + this.below(6)
    for (let at = 0; at < changes && changed.length > 0; at++) changed[this.below(changed.length)] = this.below(256)
    return this.#isSometimes(0.3) ? changed.subarray(0, this.below(changed.length + 1)) : changed
  }

  /** One body. */
  body(): Buffer {
    const entries = Array.from({ length: this.below(8) }, () => this.#entry())
    const upTo = this.#isSometimes(0.1) ? this.#one([2 ** 53 - 1, 1e15, 0], 0) : this.below(1_000)
    const whole = encodeAnswer({ instance: this.#text('life'), upTo, isCut: this.#isSometimes(0.2), entries })
    switch (this.below(8)) {
      case 0:
        return this.#mutated(whole)
      case 1:
        return whole.subarray(0, this.below(whole.length))
      case 2:
        return Buffer.from(Array.from({ length: this.below(200) }, () => this.below(256)))
      case 3:
        return Buffer.concat([whole, this.#isSometimes(0.5) ? whole : this.#unknownFields()])
      case 4:
        // Another version than ours.
        return Buffer.concat([whole, new Writer().uint32(8).uint32(this.below(5)).finish()])
      default:
        return whole
    }
  }

  #unknownFields(): Uint8Array {
    const writer = new Writer()
    for (let at = this.below(20); at > 0; at--) writer.uint32(((20 + this.below(50)) << 3) | 2).bytes(Buffer.alloc(this.below(50)))
    return writer.finish()
  }
}

/** Bodies that are small on the wire and large for whoever reads them carelessly; `bytes` is about their size. */
export const inflated: Readonly<Record<string, (bytes: number) => Buffer>> = {
  'entries without anything': bytes => head(repeated(5, new Uint8Array(), bytes)),
  'names without anything': bytes => {
    const names = repeated(5, new Uint8Array(), bytes)
    return head(new Writer().uint32(42).bytes(new Writer().uint32(18).bytes(Buffer.concat([node, names])).finish()).finish())
  },
  'fields of an entry that nobody knows': bytes => head(new Writer().uint32(42).bytes(repeated(15, new Uint8Array(), bytes)).finish()),
  'fields of points that nobody knows': bytes => {
    const points = Buffer.concat([node, repeated(15, new Uint8Array(), bytes)])
    return head(new Writer().uint32(42).bytes(new Writer().uint32(18).bytes(points).finish()).finish())
  },
  'fields that nobody knows': bytes => head(repeated(15, new Uint8Array(), bytes)),
  'a life of many letters': bytes => head(new Writer().uint32(18).string('x'.repeat(bytes)).finish()),
  'groups in groups': bytes => head(Buffer.alloc(bytes, (15 << 3) | 3)),
}

const node = new Writer().uint32(10).string('n').finish()

function head(rest: Uint8Array): Buffer {
  return Buffer.concat([new Writer().uint32(8).uint32(1).uint32(18).string('life').uint32(24).uint32(7).finish(), rest])
}

function repeated(number: number, value: Uint8Array, bytes: number): Buffer {
  const one = Buffer.from(new Writer().uint32((number << 3) | 2).bytes(value).finish())
  return Buffer.alloc(Math.floor(bytes / one.length) * one.length, one)
}
