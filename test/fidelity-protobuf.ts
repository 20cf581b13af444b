// Puts other identities into a recorded protobuf request: strings have their length before them, so the messages around grow or shrink.
// Knows no schema: whatever reads as a message is looked into, and what holds nothing to exchange stays byte for byte.

const frame = Buffer.from('k8s\0')

/** Yields what a string becomes, by its value and the field numbers that lead to it. */
export type Exchange = (text: string, path: readonly number[]) => string

/** The frame's object with its strings exchanged. */
export function exchangedFrame(bytes: Uint8Array, exchange: Exchange): Uint8Array {
  const body = Buffer.from(bytes)
  if (!body.subarray(0, frame.length).equals(frame)) return bytes
  const unknown = exchangedMessage(body.subarray(frame.length), [], (text, path) =>
    // Field 2 of the frame is the object itself.
    path[0] === 2 ? exchange(text, path.slice(1)) : text,
  )
  return unknown === undefined ? bytes : Buffer.concat([frame, unknown])
}

/** Undefined where the bytes are no message, or nothing in it is exchanged. */
function exchangedMessage(bytes: Buffer, path: readonly number[], exchange: Exchange): Buffer | undefined {
  const parts: Buffer[] = []
  let isChanged = false
  let at = 0
  while (at < bytes.length) {
    const start = at
    const tag = varint(bytes, at)
    if (tag === undefined || tag.value >> 3 === 0) return undefined
    at = tag.end
    const wire = tag.value & 7
    if (wire === 2) {
      const length = varint(bytes, at)
      if (length === undefined || length.end + length.value > bytes.length) return undefined
      const content = bytes.subarray(length.end, length.end + length.value)
      at = length.end + length.value
      const changed = exchangedContent(content, [...path, tag.value >> 3], exchange)
      if (changed !== undefined) {
        isChanged = true
        parts.push(bytes.subarray(start, tag.end), varintBytes(changed.length), changed)
        continue
      }
    } else if (wire === 0) {
      const number = varint(bytes, at)
      if (number === undefined) return undefined
      at = number.end
    } else if (wire === 1) at += 8
    else if (wire === 5) at += 4
    else return undefined
    if (at > bytes.length) return undefined
    parts.push(bytes.subarray(start, at))
  }
  return isChanged ? Buffer.concat(parts) : undefined
}

function exchangedContent(content: Buffer, path: readonly number[], exchange: Exchange): Buffer | undefined {
  const text = content.toString()
  if (Buffer.from(text).equals(content)) {
    const exchanged = exchange(text, path)
    if (exchanged !== text) return Buffer.from(exchanged)
  }
  return exchangedMessage(content, path, exchange)
}

function varint(bytes: Buffer, from: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0
  for (let index = 0; index < 10; index++) {
    const byte = bytes[from + index]
    if (byte === undefined) return undefined
    value += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return { value, end: from + index + 1 }
  }
  return undefined
}

function varintBytes(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest])
}
