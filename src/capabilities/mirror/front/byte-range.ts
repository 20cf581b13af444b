// The header `Range` as the mirror takes it: one range of bytes. Anything else is ignored, as RFC 9110 allows, so that the whole is sent.
import type { ByteRange } from '../contract.ts'

/** As it was asked for, before the size is known. */
export type AskedRange = { readonly start: number; readonly end?: number } | { readonly last: number }

const longestHeader = 128

/** `undefined` where it is malformed, of another unit, or names several ranges. */
export function parseRange(header: string | undefined): AskedRange | undefined {
  if (header === undefined || header.length > longestHeader) return undefined
  const match = /^bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*$/i.exec(header)
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '') return last === '' ? undefined : { last: wholeNumber(last) }
  const start = wholeNumber(first)
  if (last === '') return { start }
  const end = wholeNumber(last)
  return end < start ? undefined : { start, end }
}

/** Numbers beyond what a file can have all mean the same. */
const wholeNumber = (digits: string): number => Math.min(Number(digits), Number.MAX_SAFE_INTEGER)

type ClippedRange =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly range: ByteRange }
  /** It begins where nothing is: 416. */
  | { readonly kind: 'beyond' }

/** The part of `size` bytes that was asked for. */
export function clipRange(asked: AskedRange | undefined, size: number): ClippedRange {
  if (asked === undefined) return { kind: 'whole' }
  if ('last' in asked) {
    if (asked.last === 0 || size === 0) return { kind: 'beyond' }
    return { kind: 'part', range: { start: Math.max(0, size - asked.last), end: size - 1 } }
  }
  if (asked.start >= size) return { kind: 'beyond' }
  return { kind: 'part', range: { start: asked.start, end: Math.min(asked.end ?? size - 1, size - 1) } }
}
