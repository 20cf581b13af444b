// CEL expressions as trees: lexer and parser of the Common Expression Language, macros included as plain calls.

/** A type of CEL that a literal may have. */
export type LiteralType = 'bool' | 'bytes' | 'double' | 'int' | 'null' | 'string' | 'uint'

interface Placed {
  /** Where the expression is in its source: the offset of its operator, its bracket or its first letter. */
  readonly at: number
}

interface MapEntry extends Placed {
  readonly key: Expression
  readonly value: Expression
  /** `{?key: value}`: there only where the value is. */
  readonly isOptional: boolean
}

export type Expression = Placed &
  (
    | { readonly kind: 'literal'; readonly type: LiteralType; readonly value: unknown }
    | { readonly kind: 'name'; readonly name: string }
    | {
        readonly kind: 'field'
        readonly target: Expression
        readonly name: string
        readonly nameAt: number
        readonly isOptional: boolean
      }
    | { readonly kind: 'index'; readonly target: Expression; readonly index: Expression; readonly isOptional: boolean }
    | {
        readonly kind: 'call'
        readonly target: Expression | undefined
        readonly name: string
        readonly args: readonly Expression[]
      }
    | { readonly kind: 'unary'; readonly operator: '!' | '-'; readonly operand: Expression }
    | { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression }
    | {
        readonly kind: 'choice'
        readonly condition: Expression
        readonly then: Expression
        readonly otherwise: Expression
      }
    | {
        readonly kind: 'list'
        readonly items: readonly Expression[]
        /** The items that were written `?item`. */
        readonly optional: ReadonlySet<number>
      }
    | { readonly kind: 'map'; readonly entries: readonly MapEntry[] }
  )

/** What is wrong with an expression. */
export class CelError extends Error {
  override readonly name = 'CelError'
  /** The offset in the source where it is wrong; undefined where that means nothing. */
  readonly at: number | undefined
  readonly #others: readonly CelError[]

  constructor(message: string, at?: number, others: readonly CelError[] = []) {
    super(message)
    this.at = at
    this.#others = others
  }

  /** Everything that is wrong, this first. */
  get all(): readonly CelError[] {
    return [this, ...this.#others]
  }
}

interface Token {
  readonly kind: 'name' | 'literal' | 'symbol' | 'end'
  readonly text: string
  readonly at: number
  readonly type?: LiteralType
  readonly value?: unknown
}

const longest = 64 * 1024
const deepest = 200

/** The tree of an expression. @throws CelError */
export function parseCel(source: string): Expression {
  if (source.length > longest) throw new CelError(`an expression of more than ${longest} characters`)
  const { tokens, faults } = tokensOf(source)
  const [first, ...others] = faults
  if (first === undefined) return new Parser(tokens).whole()
  // What is no word at all is left out, and the rest may be wrong too.
  try {
    new Parser(tokens).whole()
  } catch (error) {
    if (!(error instanceof CelError)) throw error
    others.push(...error.all)
  }
  throw new CelError(first.message, first.at, others)
}

const symbols = [
  '&&',
  '||',
  '==',
  '!=',
  '<=',
  '>=',
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
  /\s+|\/\/[^\n]*|(0[xX][0-9a-fA-F]+u?|\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+u?)|([rRbB]{0,2})("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:[^"\\\n]|\\[abfnrtv?"'`\\xXuU0-7])*"|'(?:[^'\\\n]|\\[abfnrtv?"'`\\xXuU0-7])*')|([A-Za-z_][A-Za-z0-9_]*)|(&&|\|\||==|!=|<=|>=|\[\?|[()[\]{}.,+\-*/%!<>?:])|(`[\w./ -]+`)/y

interface Tokens {
  readonly tokens: readonly Token[]
  readonly faults: readonly CelError[]
}

function tokensOf(source: string): Tokens {
  const tokens: Token[] = []
  const faults: CelError[] = []
  tokenPattern.lastIndex = 0
  while (tokenPattern.lastIndex < source.length) {
    const at = tokenPattern.lastIndex
    const match = tokenPattern.exec(source)
    if (match === null) {
      const [text = ''] = faultPattern.exec(source.slice(at)) ?? []
      faults.push(new CelError(`Syntax error: token recognition error at: '${text}'`, at))
      tokenPattern.lastIndex = at + Math.max(1, text.length)
      continue
    }
    const [, number, prefix = '', quoted, name, symbol, escaped] = match
    if (number !== undefined) tokens.push(numberToken(number, at))
    else if (quoted !== undefined) {
      const type = /b/i.test(prefix) ? 'bytes' : 'string'
      tokens.push({ kind: 'literal', text: prefix + quoted, at, type, value: unquoted(quoted, /r/i.test(prefix)) })
    } else if (name !== undefined) tokens.push(nameToken(name, at))
    else if (symbol !== undefined && symbols.includes(symbol)) tokens.push({ kind: 'symbol', text: symbol, at })
    else if (escaped !== undefined) tokens.push({ kind: 'symbol', text: escaped, at })
  }
  return { tokens: [...tokens, { kind: 'end', text: '<EOF>', at: source.length }], faults }
}

/** How much of a text is given up where no word begins: of a text in quotes all to its first fault. */
const faultPattern =
  /^(?:"(?:[^"\\\n]|\\[abfnrtv?"'`\\xXuU0-7])*(?:\\.)?|'(?:[^'\\\n]|\\[abfnrtv?"'`\\xXuU0-7])*(?:\\.)?|[=&|].?|.)/su

function numberToken(text: string, at: number): Token {
  if (!/^0x/i.test(text) && /[.e]/i.test(text)) return { kind: 'literal', text, at, type: 'double', value: Number(text) }
  const isUnsigned = text.endsWith('u')
  const wide = BigInt(isUnsigned ? text.slice(0, -1) : text)
  // The least int is written as the negative of one that is too large by itself: what is too large is said where the sign is known.
  const narrow = Number(wide)
  return {
    kind: 'literal',
    text,
    at,
    type: isUnsigned ? 'uint' : 'int',
    value: Number.isSafeInteger(narrow) ? narrow : wide,
  }
}

function nameToken(name: string, at: number): Token {
  if (name === 'true' || name === 'false') return { kind: 'literal', text: name, at, type: 'bool', value: name === 'true' }
  if (name === 'null') return { kind: 'literal', text: name, at, type: 'null', value: null }
  return name === 'in' ? { kind: 'symbol', text: 'in', at } : { kind: 'name', text: name, at }
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

/** Words that name nothing: they are kept for languages that CEL is put into. */
const reserved = new Set(
  'as break const continue else for function if import let loop package namespace return var void while'.split(' '),
)

const operandStarts =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"

class Parser {
  readonly #tokens: readonly Token[]
  #position = 0
  #depth = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  whole(): Expression {
    const expression = this.#expression()
    const token = this.#next()
    if (token.kind === 'end') return expression
    const isOneTooMuch = this.#peek().kind === 'end'
    throw isOneTooMuch
      ? new CelError(`Syntax error: extraneous input '${token.text}' expecting <EOF>`, token.at)
      : unexpected(token, '<EOF>')
  }

  #peek(): Token {
    return this.#tokens[Math.min(this.#position, this.#tokens.length - 1)] ?? { kind: 'end', text: '<EOF>', at: 0 }
  }

  #next(): Token {
    const token = this.#peek()
    this.#position++
    return token
  }

  #isNext(text: string): boolean {
    const token = this.#peek()
    return token.kind === 'symbol' && token.text === text
  }

  #takes(text: string): boolean {
    if (!this.#isNext(text)) return false
    this.#position++
    return true
  }

  #expect(text: string): void {
    if (this.#takes(text)) return
    const { kind, text: found, at } = this.#peek()
    if (kind !== 'end' || !closing.has(text)) throw unexpected(this.#peek(), `'${text}'`)
    throw new CelError(`Syntax error: missing '${text}' at '${found}'`, at)
  }

  #expression(): Expression {
    if (++this.#depth > deepest) throw new CelError(`an expression nested deeper than ${deepest}`)
    const condition = this.#either()
    let result = condition
    const { at } = this.#peek()
    if (this.#takes('?')) {
      const then = this.#either()
      this.#expect(':')
      result = { kind: 'choice', at, condition, then, otherwise: this.#expression() }
    }
    this.#depth--
    return result
  }

  #leftToRight(operators: (text: string) => boolean, operand: () => Expression): Expression {
    let left = operand()
    while (this.#peek().kind === 'symbol' && operators(this.#peek().text)) {
      const { text: operator, at } = this.#next()
      left = { kind: 'binary', at, operator, left, right: operand() }
    }
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
    const { text: operator, at } = this.#peek()
    if (!this.#isNext('!') && !this.#isNext('-')) return this.#member(this.#primary())
    let count = 0
    while (this.#takes(operator)) count++
    if (operator === '-' && count === 1) {
      const { type, value } = this.#peek()
      // A minus right before a number is part of it.
      if (type === 'int' || type === 'double') {
        this.#next()
        return this.#member(negative(type, value, at))
      }
    }
    const operand = this.#unary()
    if (count % 2 === 0) return operand
    return { kind: 'unary', at, operator: operator === '!' ? '!' : '-', operand }
  }

  #member(start: Expression): Expression {
    let target = start
    for (;;) {
      const { at } = this.#peek()
      if (this.#takes('.')) {
        const isOptional = this.#takes('?')
        const name = this.#next()
        // Literals such as `true` are words too, and fields may be named like them.
        if (name.kind === 'end' || name.kind === 'symbol')
          throw new CelError(`Syntax error: no viable alternative at input '.${name.kind === 'end' ? '' : name.text}'`, name.at)
        const { at: openAt } = this.#peek()
        target = this.#takes('(')
          ? { kind: 'call', at: openAt, target, name: name.text, args: this.#list(')') }
          : { kind: 'field', at, target, name: name.text, nameAt: name.at, isOptional }
      } else if (this.#takes('[?') || this.#takes('[')) {
        const isOptional = this.#tokens[this.#position - 1]?.text === '[?'
        const index = this.#expression()
        this.#expect(']')
        target = { kind: 'index', at, target, index, isOptional }
      } else if (this.#isNext('{') && isName(target)) {
        // No message can be made: there is no type of one.
        throw new CelError(`undeclared reference to '${nameText(target)}' (in container '')`, at)
      } else return target
    }
  }

  #list(end: string, optional?: Set<number>): readonly Expression[] {
    const items: Expression[] = []
    while (!this.#takes(end)) {
      if (optional !== undefined && this.#takes('?')) optional.add(items.length)
      items.push(this.#expression())
      if (!this.#takes(',')) {
        if (!this.#takes(end)) throw this.#unclosed(end)
        break
      }
    }
    return items
  }

  /** What is said of arguments or items that do not end depends on what the last of them ends with. */
  #unclosed(end: string): CelError {
    const { kind, text, at } = this.#peek()
    if (kind !== 'end' || end !== ')') return unexpected(this.#peek(), `{'${end}', ','}`)
    const before = this.#tokens[this.#position - 1]?.text
    if (before !== ')' && before !== ']') return unexpected(this.#peek(), `'${end}'`)
    return new CelError(`Syntax error: missing '${end}' at '${text}'`, at)
  }

  #primary(): Expression {
    const { at } = this.#peek()
    if (this.#takes('(')) {
      const inner = this.#expression()
      this.#expect(')')
      return inner
    }
    if (this.#isNext('[') || this.#isNext('[?')) return this.#listLiteral(at)
    if (this.#takes('{')) return this.#map(at)
    if (this.#takes('.')) return this.#primary()
    const token = this.#next()
    if (token.kind === 'literal') return literal(token.type ?? 'null', token.value, at)
    if (token.kind !== 'name') throw unexpected(token, operandStarts)
    if (reserved.has(token.text)) throw new CelError(`reserved identifier: ${token.text}`, at)
    const { at: openAt } = this.#peek()
    return this.#takes('(')
      ? { kind: 'call', at: openAt, target: undefined, name: token.text, args: this.#list(')') }
      : { kind: 'name', at, name: token.text }
  }

  #listLiteral(at: number): Expression {
    const optional = new Set<number>()
    // `[?` is one symbol, for an index.
    if (this.#takes('[?')) optional.add(0)
    else this.#takes('[')
    return { kind: 'list', at, items: this.#list(']', optional), optional }
  }

  #map(at: number): Expression {
    const entries: MapEntry[] = []
    while (!this.#takes('}')) {
      const isOptional = this.#takes('?')
      const key = this.#expression()
      const { at: colonAt } = this.#peek()
      this.#expect(':')
      entries.push({ at: colonAt, key, value: this.#expression(), isOptional })
      if (!this.#takes(',')) {
        this.#expect('}')
        break
      }
    }
    return { kind: 'map', at, entries }
  }
}

const closing = new Set([')', ']'])

function isName(expression: Expression): boolean {
  return expression.kind === 'name' || (expression.kind === 'field' && !expression.isOptional && isName(expression.target))
}

function nameText(expression: Expression): string {
  if (expression.kind === 'field') return `${nameText(expression.target)}.${expression.name}`
  return expression.kind === 'name' ? expression.name : ''
}

function unexpected(token: Token, wanted: string): CelError {
  return new CelError(`Syntax error: mismatched input '${token.text}' expecting ${wanted}`, token.at)
}

const leastInt = -(2n ** 63n)
const largestInt = 2n ** 63n - 1n
const largestUint = 2n ** 64n - 1n

function literal(type: LiteralType, value: unknown, at: number): Expression {
  if (type === 'int' && typeof value === 'bigint' && (value > largestInt || value < leastInt))
    throw new CelError('invalid int literal', at)
  if (type === 'uint' && typeof value === 'bigint' && value > largestUint) throw new CelError('invalid uint literal', at)
  if (type === 'double' && !Number.isFinite(value)) throw new CelError('invalid double literal', at)
  return { kind: 'literal', at, type, value }
}

function negative(type: LiteralType, value: unknown, at: number): Expression {
  if (typeof value === 'bigint') return literal(type, -value, at)
  // There is no negative zero among ints.
  return literal(type, type === 'int' && value === 0 ? 0 : -Number(value), at)
}
