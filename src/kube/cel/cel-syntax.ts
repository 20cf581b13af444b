// CEL expressions as trees: lexer and parser of the Common Expression Language, macros included as plain calls.

export type Expression =
  | { readonly kind: 'literal'; readonly value: unknown }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'field'; readonly target: Expression; readonly name: string; readonly isOptional: boolean }
  | { readonly kind: 'index'; readonly target: Expression; readonly index: Expression; readonly isOptional: boolean }
  | {
      readonly kind: 'call'
      readonly target: Expression | undefined
      readonly name: string
      readonly args: readonly Expression[]
    }
  | { readonly kind: 'unary'; readonly operator: '!' | '-'; readonly operand: Expression }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'choice'; readonly condition: Expression; readonly then: Expression; readonly otherwise: Expression }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'map'; readonly entries: readonly { readonly key: Expression; readonly value: Expression }[] }

/** What is wrong with an expression. */
export class CelError extends Error {
  override readonly name = 'CelError'
}

interface Token {
  readonly kind: 'name' | 'literal' | 'symbol' | 'end'
  readonly text: string
  readonly value?: unknown
}

const longest = 64 * 1024
const deepest = 200

/** The tree of an expression. @throws CelError */
export function parseCel(source: string): Expression {
  if (source.length > longest) throw new CelError(`an expression of more than ${longest} characters`)
  const parser = new Parser(tokensOf(source))
  return parser.whole()
}

const symbols = [
  '&&',
  '||',
  '==',
  '!=',
  '<=',
  '>=',
  '?.',
  '[?',
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  '.',
  ',',
  '+',
  '-',
  '*',
  '/',
  '%',
  '!',
  '<',
  '>',
  '?',
  ':',
]
const tokenPattern =
  /\s+|\/\/[^\n]*|(0[xX][0-9a-fA-F]+u?|\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+u?)|([rRbB]{0,2})("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|([A-Za-z_][A-Za-z0-9_]*)|(&&|\|\||==|!=|<=|>=|\[\?|[()[\]{}.,+\-*/%!<>?:])/y

function tokensOf(source: string): readonly Token[] {
  const tokens: Token[] = []
  tokenPattern.lastIndex = 0
  while (tokenPattern.lastIndex < source.length) {
    const at = tokenPattern.lastIndex
    const match = tokenPattern.exec(source)
    if (match === null) throw new CelError(`an unexpected character at ${at}: ${JSON.stringify(source[at])}`)
    const [, number, prefix, quoted, name, symbol] = match
    if (number !== undefined) tokens.push({ kind: 'literal', text: number, value: Number(number.replace(/u$/, '')) })
    else if (quoted !== undefined)
      tokens.push({ kind: 'literal', text: quoted, value: unquoted(quoted, /r/i.test(prefix ?? '')) })
    else if (name !== undefined) tokens.push(nameToken(name))
    else if (symbol !== undefined && symbols.includes(symbol)) tokens.push({ kind: 'symbol', text: symbol })
  }
  return [...tokens, { kind: 'end', text: 'the end' }]
}

function nameToken(name: string): Token {
  if (name === 'true' || name === 'false') return { kind: 'literal', text: name, value: name === 'true' }
  if (name === 'null') return { kind: 'literal', text: name, value: null }
  return name === 'in' ? { kind: 'symbol', text: 'in' } : { kind: 'name', text: name }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' }

function unquoted(text: string, isRaw: boolean): string {
  const width = text.startsWith('"""') || text.startsWith("'''") ? 3 : 1
  const inner = text.slice(width, -width)
  if (isRaw) return inner
  return inner.replaceAll(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))/gs,
    (_all, hex?: string, unicode?: string, character?: string) => {
      const code = hex ?? unicode
      return code === undefined ? (escapes[character ?? ''] ?? character ?? '') : String.fromCharCode(Number.parseInt(code, 16))
    },
  )
}

const relations = new Set(['==', '!=', '<', '<=', '>', '>=', 'in'])

class Parser {
  readonly #tokens: readonly Token[]
  #position = 0
  #depth = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  whole(): Expression {
    const expression = this.#expression()
    if (this.#peek().kind !== 'end') throw new CelError(`unexpected ${JSON.stringify(this.#peek().text)}`)
    return expression
  }

  #peek(): Token {
    return this.#tokens[this.#position] ?? { kind: 'end', text: 'the end' }
  }

  #next(): Token {
    const token = this.#peek()
    this.#position++
    return token
  }

  #takes(text: string): boolean {
    const token = this.#peek()
    if (token.kind !== 'symbol' || token.text !== text) return false
    this.#position++
    return true
  }

  #expect(text: string): void {
    if (!this.#takes(text)) throw new CelError(`expected ${JSON.stringify(text)}, found ${JSON.stringify(this.#peek().text)}`)
  }

  #expression(): Expression {
    if (++this.#depth > deepest) throw new CelError(`an expression nested deeper than ${deepest}`)
    const condition = this.#either()
    let result = condition
    if (this.#takes('?')) {
      const then = this.#either()
      this.#expect(':')
      result = { kind: 'choice', condition, then, otherwise: this.#expression() }
    }
    this.#depth--
    return result
  }

  #leftToRight(operators: (text: string) => boolean, operand: () => Expression): Expression {
    let left = operand()
    while (this.#peek().kind === 'symbol' && operators(this.#peek().text))
      left = { kind: 'binary', operator: this.#next().text, left, right: operand() }
    return left
  }

  #either(): Expression {
    return this.#leftToRight(
      text => text === '||',
      () => this.#both(),
    )
  }

  #both(): Expression {
    return this.#leftToRight(
      text => text === '&&',
      () => this.#relation(),
    )
  }

  #relation(): Expression {
    return this.#leftToRight(
      text => relations.has(text),
      () => this.#sum(),
    )
  }

  #sum(): Expression {
    return this.#leftToRight(
      text => text === '+' || text === '-',
      () => this.#product(),
    )
  }

  #product(): Expression {
    return this.#leftToRight(
      text => text === '*' || text === '/' || text === '%',
      () => this.#unary(),
    )
  }

  #unary(): Expression {
    if (this.#takes('!')) return { kind: 'unary', operator: '!', operand: this.#unary() }
    if (this.#takes('-')) return { kind: 'unary', operator: '-', operand: this.#unary() }
    return this.#member(this.#primary())
  }

  #member(start: Expression): Expression {
    let target = start
    for (;;) {
      if (this.#takes('.')) {
        const isOptional = this.#takes('?')
        const { kind, text: name } = this.#next()
        // Literals such as `true` are words too, and fields may be named like them.
        if (kind === 'end' || kind === 'symbol') throw new CelError(`expected a name after ".", found ${JSON.stringify(name)}`)
        target = this.#takes('(')
          ? { kind: 'call', target, name, args: this.#list(')') }
          : { kind: 'field', target, name, isOptional }
      } else if (this.#takes('[?') || this.#takes('[')) {
        const isOptional = this.#tokens[this.#position - 1]?.text === '[?'
        const index = this.#expression()
        this.#expect(']')
        target = { kind: 'index', target, index, isOptional }
      } else return target
    }
  }

  #list(end: string): readonly Expression[] {
    const items: Expression[] = []
    while (!this.#takes(end)) {
      items.push(this.#expression())
      if (!this.#takes(',')) {
        this.#expect(end)
        break
      }
    }
    return items
  }

  #primary(): Expression {
    if (this.#takes('(')) {
      const inner = this.#expression()
      this.#expect(')')
      return inner
    }
    if (this.#takes('[')) return { kind: 'list', items: this.#list(']') }
    if (this.#takes('{')) return this.#map()
    if (this.#takes('.')) return this.#primary()
    const token = this.#next()
    if (token.kind === 'literal') return { kind: 'literal', value: token.value }
    if (token.kind !== 'name') throw new CelError(`unexpected ${JSON.stringify(token.text)}`)
    return this.#takes('(')
      ? { kind: 'call', target: undefined, name: token.text, args: this.#list(')') }
      : { kind: 'name', name: token.text }
  }

  #map(): Expression {
    const entries: { key: Expression; value: Expression }[] = []
    while (!this.#takes('}')) {
      const key = this.#expression()
      this.#expect(':')
      entries.push({ key, value: this.#expression() })
      if (!this.#takes(',')) {
        this.#expect('}')
        break
      }
    }
    return { kind: 'map', entries }
  }
}
