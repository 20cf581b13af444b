// JSON of objects as it comes over the wire, made into values. Who wrote which field takes a third of a pod's text and half of the time
// that parsing it takes: where nobody reads it, it is cut out of the text.
import { isAscii } from 'node:buffer'
import { keepAnnotations } from './annotation-sieve.ts'
import type { KnownSpecs } from './known-specs.ts'

export interface ParseOptions {
  /** Leave out `managedFields`: for kinds in whose other fields no such name occurs. */
  readonly withoutManagedFields?: boolean | undefined
  /**
   * Only these annotations are read; the others, which may hold an object's whole content, are never made into text, and the bytes are
   * overwritten. For objects of which only the metadata came.
   */
  readonly annotations?: readonly string[] | undefined
  /** Specs that a watch knows: what came before is not parsed again. */
  readonly knownSpecs?: KnownSpecs | undefined
}

const decoder = new TextDecoder('utf-8', { fatal: true })
const key = '"managedFields":['
/** To the end of a list without lists in it: other text and whole strings. Each character can match in one way only: it takes no longer where it fails. */
const restOfList = /[^"[\]]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^"[\]]*)*\]/y
const comma = 0x2c

/** The value of `whole`. @throws TypeError where they are no UTF-8, SyntaxError where they are no JSON */
export function parseObjectText(whole: Uint8Array, options: ParseOptions = {}): unknown {
  const bytes = options.annotations === undefined ? whole : keepAnnotations(whole, options.annotations)
  const text = isAscii(bytes)
    ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
    : decoder.decode(bytes)
  const wanted = options.withoutManagedFields === true ? withoutManagedFields(text) : text
  return options.knownSpecs?.parse(wanted) ?? JSON.parse(wanted)
}

/** A quote in a string is written `\"`: the text of the key with bare quotes is the key. */
function withoutManagedFields(text: string): string {
  const start = text.indexOf(key)
  if (start < 0) return text
  restOfList.lastIndex = start + key.length
  if (!restOfList.test(text)) return text
  const end = restOfList.lastIndex
  if (text.charCodeAt(end) === comma) return text.slice(0, start) + text.slice(end + 1)
  return text.slice(0, text.charCodeAt(start - 1) === comma ? start - 1 : start) + text.slice(end)
}
