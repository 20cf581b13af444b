// What a request is judged to take of this process's memory while it waits.
import type { Caller } from './caller.ts'

/** Beside its body, where its head is an ordinary one. */
const heldBytes = 8 * 1024
/** What a field of a head takes beside its characters. */
const fieldBytes = 64
/** How much of a body waits with its request: what the window lets in, and what was on its way. */
const heldBodyBytes = 192 * 1024

export function heldBytesOf({ head, hasBody }: Caller): number {
  const { passed, target, contentLength } = head
  let headBytes = target.length + (passed.length / 2) * fieldBytes
  for (const one of passed) headBytes += one.length
  // A length that nobody told may be any.
  const bodyBytes = hasBody ? Math.min(contentLength ?? heldBodyBytes, heldBodyBytes) : 0
  return Math.max(heldBytes, headBytes) + bodyBytes
}
