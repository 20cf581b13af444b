// Words of a formula: the lexical rules of expr-lang, which scalingModifiers are written in.

/** Why a text is no formula; `at` is the place in the text, from 0. */
export class FormulaProblem extends Error {
  readonly at: number
  constructor(message: string, at: number) {
    super(message)
    this.name = 'FormulaProblem'
    this.at = at
  }
}

export type Token =
  | { readonly kind: 'int'; readonly value: bigint; readonly text: string; readonly at: number }
  | { readonly kind: 'float'; readonly value: number; readonly text: string; readonly at: number }
  | { readonly kind: 'string'; readonly value: string; readonly text: string; readonly at: number }
  /** Also words such as `in` and `not`, which are operators where an operator may stand. */
  | { readonly kind: 'name'; readonly text: string; readonly at: number }
  | { readonly kind: 'sign'; readonly text: string; readonly at: number }
  | { readonly kind: 'end'; readonly text: string; readonly at: number }

const spaces = /(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y
const numbers = /0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?/y
const names = /[\p{L}_$][\p{L}\p{N}_$]*/uy
const strings = /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'|`(?:[^`]|``)*`/y
const signs = /\*\*|&&|\|\||==|!=|<=|>=|\?\?|\?\.|\.\.|[-+*/%^<>=!?:,;.()[\]{}|#]/y
const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '`': '`',
}
const largestInt = 2n ** 63n - 1n

/** The words of `text`, with one of kind `end` at its end. @throws FormulaProblem */
export function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = []
  let at = 0
  const taken = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }
  while (at < text.length) {
    const space = taken(spaces)
    if (space !== undefined) {
      at += space.length
      continue
    }
    const token =
      stringAt(taken(strings), at) ?? numberAt(taken(numbers), at) ?? nameAt(taken(names), at) ?? signAt(taken(signs), at)
    if (token === undefined) throw new FormulaProblem(`unrecognized character: ${[...text.slice(at)][0]}`, at)
    tokens.push(token)
    at += token.text.length
    if ((token.kind === 'int' || token.kind === 'float') && taken(names) !== undefined)
      throw new FormulaProblem(`bad number syntax: ${JSON.stringify(token.text + taken(names))}`, token.at)
  }
  return [...tokens, { kind: 'end', text: '', at }]
}

function nameAt(text: string | undefined, at: number): Token | undefined {
  return text === undefined ? undefined : { kind: 'name', text, at }
}

function signAt(text: string | undefined, at: number): Token | undefined {
  return text === undefined ? undefined : { kind: 'sign', text, at }
}

function numberAt(text: string | undefined, at: number): Token | undefined {
  if (text === undefined) return undefined
  const plain = text.replaceAll('_', '')
  if (/^0[xXbBoO]/.test(plain) || !/[.eE]/.test(plain)) {
    const value = BigInt(/^0\d/.test(plain) ? plain.replace(/^0+(?=\d)/, '') : plain)
    if (value > largestInt) throw new FormulaProblem(`integer literal is too large: ${text}`, at)
    return { kind: 'int', value, text, at }
  }
  const value = Number(plain)
  if (!Number.isFinite(value)) throw new FormulaProblem(`float literal is too large: ${text}`, at)
  return { kind: 'float', value, text, at }
}

function stringAt(text: string | undefined, at: number): Token | undefined {
  if (text === undefined) return undefined
  const inner = text.slice(1, -1)
  if (text.startsWith('`')) return { kind: 'string', value: inner.replaceAll('``', '`'), text, at }
  const value = inner.replace(/\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([\s\S]))/g, (_all, four, two, one: string) => {
    const code: string | undefined = four ?? two
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16))
    const meant = escapes[one]
    if (meant === undefined) throw new FormulaProblem(`unable to unescape string: \\${one}`, at)
    return meant
  })
  return { kind: 'string', value, text, at }
}
