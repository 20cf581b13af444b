// Server-Sent Events as bytes, and the ids in them: `<epoch>.<seq>`.
import type { StreamEvents } from '../contract.ts'

/** How soon a browser that lost the stream asks again, in milliseconds. */
const retryMs = 1_000
/** An id of ours has less. */
const longestId = 100

export interface EventId {
  readonly epoch: string
  readonly sequence: number
}

/** What stands before the first event. */
export const greeting: Uint8Array = Buffer.from(`retry: ${retryMs}\n\n`)

const lineEnds = Buffer.from('\n\n')

/** Data of an event. JSON has no line breaks of its own. */
export function dataOf<Name extends keyof StreamEvents>(_name: Name, data: StreamEvents[Name]): Uint8Array {
  return Buffer.from(JSON.stringify(data))
}

/** One event as it is sent. */
export function framed(name: keyof StreamEvents, id: EventId, data: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`id: ${idText(id)}\nevent: ${name}\ndata: `), data, lineEnds])
}

/** One event without an id: whoever takes it goes on from the one before. */
export function unnumbered<Name extends keyof StreamEvents>(name: Name, data: StreamEvents[Name]): Uint8Array {
  return Buffer.from(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
}

/** One event as it is sent. */
export function eventBytes<Name extends keyof StreamEvents>(name: Name, id: EventId, data: StreamEvents[Name]): Uint8Array {
  return framed(name, id, dataOf(name, data))
}

/** The part of an event's bytes that is its data, without a copy. */
export function dataIn(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.subarray(bytes.length - lineEnds.length - length, bytes.length - lineEnds.length)
}

export function idText({ epoch, sequence }: EventId): string {
  return `${epoch}.${sequence}`
}

/** What a reader says it saw last; `undefined` where it is no id of ours. Whether it is known is up to the ring. */
export function eventIdOf(text: string | undefined): EventId | undefined {
  if (text === undefined || text.length > longestId) return undefined
  const [, epoch, sequence] = /^(.+)\.(\d{1,15})$/.exec(text) ?? []
  return epoch === undefined ? undefined : { epoch, sequence: Number(sequence) }
}
