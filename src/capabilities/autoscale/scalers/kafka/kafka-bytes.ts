// Numbers, texts and lists as Kafka writes them in the versions that we speak, none of which is flexible.
import { AnswerError } from '#kube/outside-error.ts'

/** Members of a list: partitions of a topic, topics of a group, brokers. */
const mostMembers = 100_000

export class KafkaReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int8(): number {
    return this.#take(1).readInt8()
  }

  int16(): number {
    return this.#take(2).readInt16BE()
  }

  int32(): number {
    return this.#take(4).readInt32BE()
  }

  /** @throws AnswerError beyond what a number holds exactly */
  int64(): number {
    const value = Number(this.#take(8).readBigInt64BE())
    if (!Number.isSafeInteger(value)) throw new AnswerError('Kafka answered with an offset beyond all that can be')
    return value
  }

  /** '' for none. */
  text(): string {
    const length = this.int16()
    return length < 0 ? '' : this.#take(length).toString()
  }

  bytes(): Buffer {
    const length = this.int32()
    return length < 0 ? Buffer.alloc(0) : this.#take(length)
  }

  list<T>(member: () => T): readonly T[] {
    const count = this.int32()
    // Each member has a byte at least.
    if (count > mostMembers || count > this.#bytes.length - this.#at) throw new AnswerError(`Kafka announced a list of ${count}`)
    return Array.from({ length: Math.max(0, count) }, member)
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new AnswerError('Kafka answered with less than it announced')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}

export const int8 = (value: number): Buffer => Buffer.from([value & 255])

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

export function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(value))
  return bytes
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([int16(bytes.length), bytes])
}

export const lengthAndBytes = (bytes: Buffer): Buffer => Buffer.concat([int32(bytes.length), bytes])

export function list<T>(members: readonly T[], written: (member: T) => Buffer): Buffer {
  return Buffer.concat([int32(members.length), ...members.map(written)])
}
