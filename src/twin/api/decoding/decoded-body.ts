// What became of the body of a request.
import type { ReadJson } from './json-text.ts'

export interface DecodedBody extends ReadJson {
  /** What a strict reader would refuse of the text itself, in upstream's words. */
  readonly textProblems: readonly string[]
}
