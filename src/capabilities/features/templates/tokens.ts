// Tokens of Go's text/template: text outside of `{{ }}`, and words inside.

import { RuleFailure } from '../matching/rule-failure.ts'

export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'space'
  | 'identifier'
  | 'keyword'
  | 'field'
  | 'variable'
  | 'dot'
  | 'nil'
  | 'boolean'
  | 'number'
  | 'character'
  | 'string'
  | 'pipe'
  | 'comma'
  | 'declare'
  | 'assign'
  | 'left'
  | 'right'
  | 'end'

export interface Token {
  readonly kind: TokenKind
  /** Fields and variables without their `.` and with their `$`; all else as it was written. */
  readonly text: string
  /** Counted from one. */
  readonly line: number
}

const keywords = new Set(['block', 'break', 'continue', 'define', 'else', 'end', 'if', 'range', 'template', 'with'])

const leftDelimiter = '{{'
const rightDelimiter = '}}'

const spaces = ' \t\r\n'

/**
 * The tokens of `source`, with an `end` after the last.
 *
 * @throws RuleFailure with the line where something cannot be read.
 */
export function tokensOf(source: string): readonly Token[] {
  const tokens: Token[] = []
  const scanner = new Scanner(source, tokens)
  while (scanner.text()) scanner.action()
  scanner.push('end', '')
  return tokens
}

class Scanner {
  readonly #source: string
  readonly #tokens: Token[]
  #at = 0
  #line = 1
  #depth = 0
  /** Whether the text after an action begins without its white space. */
  #trims = false

  constructor(source: string, tokens: Token[]) {
    this.#source = source
    this.#tokens = tokens
  }

  push(kind: TokenKind, text: string): void {
    this.#tokens.push({ kind, text, line: this.#line })
  }

  /** Reads text up to the next action; says whether there is one. */
  text(): boolean {
    const open = this.#source.indexOf(leftDelimiter, this.#at)
    const end = open === -1 ? this.#source.length : open
    let text = this.#source.slice(this.#at, end)
    const written = text
    if (this.#trims) text = trimStart(text)
    this.#trims = false
    const trimsBefore = open !== -1 && this.#isTrimMarker(open + leftDelimiter.length)
    if (trimsBefore) text = trimEnd(text)
    if (text !== '') this.push('text', text)
    this.#countLines(written)
    this.#at = end
    if (open === -1) return false
    this.#at += leftDelimiter.length + (trimsBefore ? 2 : 0)
    return true
  }

  #isTrimMarker(at: number): boolean {
    return this.#source[at] === '-' && spaces.includes(this.#source[at + 1] ?? 'x')
  }

  #countLines(text: string): void {
    for (const character of text) if (character === '\n') this.#line += 1
  }

  action(): void {
    if (this.#source.startsWith('/*', this.#at)) {
      this.#comment()
      return
    }
    this.push('open', leftDelimiter)
    this.#depth = 0
    while (!this.#close()) this.#inside()
    if (this.#depth > 0) this.#fail('unclosed left paren')
    this.push('close', rightDelimiter)
  }

  #comment(): void {
    const end = this.#source.indexOf('*/', this.#at)
    if (end === -1) this.#fail('unclosed comment')
    this.#countLines(this.#source.slice(this.#at, end))
    this.#at = end + 2
    if (!this.#close()) this.#fail('comment ends before closing delimiter')
  }

  /** Goes past `}}` or ` -}}` where one is here. */
  #close(): boolean {
    const rest = this.#source.slice(this.#at, this.#at + 4)
    this.#trims = spaces.includes(rest[0] ?? 'x') && rest.slice(1) === `-${rightDelimiter}`
    if (!this.#trims && !rest.startsWith(rightDelimiter)) return false
    if (this.#trims && rest.startsWith('\n')) this.#line += 1
    this.#at += this.#trims ? 4 : 2
    return true
  }

  #inside(): void {
    const character = this.#source[this.#at]
    if (character === undefined) this.#fail('unclosed action')
    const single = singles.get(character)
    const next = this.#source[this.#at + 1]
    if (spaces.includes(character)) this.#space()
    else if (single !== undefined) this.#single(single, character)
    else if (character === ':' && next === '=') this.#take('declare', 2)
    else if (character === '"') this.#quoted('"', 'string', 'unterminated quoted string')
    else if (character === "'") this.#quoted("'", 'character', 'unterminated character constant')
    else if (character === '`') this.#raw()
    else if (character === '$') this.#variable()
    else if (character === '.' && !isDigit(next)) this.#field()
    else if (isDigit(character) || '+-.'.includes(character)) this.#number()
    else if (isWordCharacter(character)) this.#word()
    else this.#fail(`unexpected ${JSON.stringify(character)} in an action`)
  }

  #single(kind: TokenKind, character: string): void {
    if (kind === 'left') this.#depth += 1
    if (kind === 'right') this.#depth -= 1
    if (this.#depth < 0) this.#fail('unexpected right paren')
    this.#take(kind, character.length)
  }

  #take(kind: TokenKind, length: number): void {
    const text = this.#source.slice(this.#at, this.#at + length)
    this.push(kind, text)
    this.#countLines(text)
    this.#at += length
  }

  #space(): void {
    let end = this.#at
    while (spaces.includes(this.#source[end] ?? 'x')) end += 1
    // The last space belongs to ` -}}`.
    if (this.#source.startsWith(`-${rightDelimiter}`, end)) end -= 1
    if (end > this.#at) this.#take('space', end - this.#at)
  }

  #quoted(quote: string, kind: TokenKind, unterminated: string): void {
    let end = this.#at + 1
    for (;;) {
      const character = this.#source[end]
      if (character === undefined || character === '\n') this.#fail(unterminated)
      if (character === quote) break
      end += character === '\\' ? 2 : 1
    }
    this.#take(kind, end + 1 - this.#at)
  }

  #raw(): void {
    const end = this.#source.indexOf('`', this.#at + 1)
    if (end === -1) this.#fail('unterminated raw quoted string')
    this.#take('string', end + 1 - this.#at)
  }

  #wordEnd(from: number): number {
    let end = from
    while (isWordCharacter(this.#source[end] ?? ' ')) end += 1
    const after = this.#source[end]
    if (after !== undefined && !`${spaces}.,|:)(`.includes(after) && !this.#source.startsWith(rightDelimiter, end))
      this.#fail(`bad character ${JSON.stringify(after)}`)
    return end
  }

  #variable(): void {
    this.#take('variable', this.#wordEnd(this.#at + 1) - this.#at)
  }

  #field(): void {
    const end = this.#wordEnd(this.#at + 1)
    this.push(end === this.#at + 1 ? 'dot' : 'field', this.#source.slice(this.#at + 1, end))
    this.#at = end
  }

  #word(): void {
    const end = this.#wordEnd(this.#at)
    const word = this.#source.slice(this.#at, end)
    const kind = keywords.has(word)
      ? 'keyword'
      : word === 'true' || word === 'false'
        ? 'boolean'
        : word === 'nil'
          ? 'nil'
          : 'identifier'
    this.#take(kind, end - this.#at)
  }

  #number(): void {
    let end = this.#at + ('+-'.includes(this.#source[this.#at] ?? ' ') ? 1 : 0)
    while (isNumberCharacter(this.#source, end)) end += 1
    const text = this.#source.slice(this.#at, end)
    if (!/\d/.test(text) || isWordCharacter(this.#source[end] ?? ' ')) this.#fail(`bad number syntax: ${JSON.stringify(text)}`)
    this.#take('number', end - this.#at)
  }

  #fail(what: string): never {
    throw new RuleFailure(`template line ${this.#line}: ${what}`)
  }
}

const singles: ReadonlyMap<string, TokenKind> = new Map([
  ['|', 'pipe'],
  [',', 'comma'],
  ['=', 'assign'],
  ['(', 'left'],
  [')', 'right'],
])

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= '0' && character <= '9'
}

const wordCharacter = /^[\p{L}\p{Nd}_]$/u

function isWordCharacter(character: string): boolean {
  return wordCharacter.test(character)
}

/** Digits of any base, a point, and signs of exponents; what they make together is judged when the number is read. */
function isNumberCharacter(source: string, at: number): boolean {
  const character = source[at]
  if (character === undefined) return false
  return /[0-9a-fA-FxXoObBpP_.]/.test(character) || ('+-'.includes(character) && /[eEpP]/.test(source[at - 1] ?? ''))
}

function trimStart(text: string): string {
  return text.replace(/^[ \t\r\n]+/, '')
}

function trimEnd(text: string): string {
  let end = text.length
  while (end > 0 && spaces.includes(text[end - 1] ?? 'x')) end -= 1
  return text.slice(0, end)
}
