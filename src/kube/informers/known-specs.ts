// Specs whose text came before. Most events of a pod are of its status: a spec that is written as it was need not be parsed and compared
// again, the form in which it is kept stands for it. Known by a digest of the text, so that what is remembered takes little.
import { hash } from 'node:crypto'

/** Specs remembered in a generation; there are two, so at most twice as many. */
const mostKnownSpecs = 32_768

const beginning = '"spec":{'
const ending = '},"status":{'
/** What stands in a text in place of its spec. No API server writes it. */
const marker = '"spec":-0'
const changed = '{"type":"MODIFIED"'

export class KnownSpecs {
  /** What was met lately, and what was met before that. */
  #recent = new Map<string, object>()
  #older = new Map<string, object>()
  /** What was parsed last, until it is said how it is kept. */
  #parsed: { readonly digest: string; readonly spec: object } | undefined

  /** `spec`, as it was parsed, is kept as `stored`. */
  isKept(spec: unknown, stored: unknown): void {
    const parsed = this.#parsed
    if (parsed === undefined || parsed.spec !== spec || typeof stored !== 'object' || stored === null) return
    this.#remember(parsed.digest, stored)
    this.#parsed = undefined
  }

  /**
   * The value of an event's text, whose object has a spec as it was kept where the same text came before. `undefined` for what is no
   * change of an object with a spec and a status in this order: it is parsed as any text.
   */
  parse(text: string): unknown {
    if (!text.startsWith(changed)) return undefined
    try {
      return this.#parseParts(text)
    } catch (error) {
      // It was cut in the wrong place, or is no JSON: who parses the whole will see.
      if (error instanceof SyntaxError) return undefined
      throw error
    }
  }

  #parseParts(text: string): unknown {
    const start = text.indexOf(beginning)
    const end = start < 0 ? -1 : text.indexOf(ending, start) + 1
    if (end <= 0) return undefined
    const value: unknown = JSON.parse(text.slice(0, start) + marker + text.slice(end))
    if (typeof value !== 'object' || value === null || !('object' in value)) return undefined
    const { object } = value
    if (typeof object !== 'object' || object === null || !('spec' in object) || !Object.is(object.spec, -0)) return undefined
    const specText = text.slice(start + beginning.length - 1, end)
    const digest = hash('sha256', specText, 'base64')
    object.spec = this.#known(digest) ?? this.#parseSpec(digest, specText)
    return value
  }

  #parseSpec(digest: string, text: string): object {
    // A text in braces.
    const spec = JSON.parse(text) as object
    this.#parsed = { digest, spec }
    return spec
  }

  #known(digest: string): object | undefined {
    const recent = this.#recent.get(digest)
    if (recent !== undefined) return recent
    const older = this.#older.get(digest)
    if (older !== undefined) this.#remember(digest, older)
    return older
  }

  #remember(digest: string, stored: object): void {
    if (this.#recent.size >= mostKnownSpecs) {
      this.#older = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(digest, stored)
  }
}
