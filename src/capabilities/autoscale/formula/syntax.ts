// The shape of a formula: expr-lang's operators, their order and their calls, read into a tree.
import { FormulaProblem, type Token, tokensOf } from './tokens.ts'

export type Node = { readonly at: number } & (
  | { readonly kind: 'constant'; readonly value: bigint | number | string | boolean | null }
  | { readonly kind: 'name'; readonly name: string }
  /** `#`, or `#index` and the like. */
  | { readonly kind: 'pointer'; readonly name: string }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: Node }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Node; readonly right: Node }
  | { readonly kind: 'choice'; readonly condition: Node; readonly chosen: Node; readonly otherwise: Node }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Node[] }
  /** What a function asks of each element. */
  | { readonly kind: 'predicate'; readonly body: Node }
  | { readonly kind: 'member'; readonly of: Node; readonly key: Node; readonly isOptional: boolean }
  | { readonly kind: 'slice'; readonly of: Node; readonly from: Node | undefined; readonly to: Node | undefined }
  | { readonly kind: 'array'; readonly items: readonly Node[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [Node, Node])[] }
  | { readonly kind: 'let'; readonly name: string; readonly value: Node; readonly body: Node }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
)

/** A formula as long as this is no formula but a burden. */
const longestFormula = 8_192
const mostNodes = 2_000
const deepestNesting = 100

/** From loosest to tightest, as expr-lang ranks them. */
const ranks: Readonly<Record<string, number>> = {
  '|': 0,
  or: 10,
  '||': 10,
  and: 15,
  '&&': 15,
  '==': 20,
  '!=': 20,
  '<': 20,
  '>': 20,
  '<=': 20,
  '>=': 20,
  in: 20,
  matches: 20,
  contains: 20,
  startsWith: 20,
  endsWith: 20,
  '..': 25,
  '+': 30,
  '-': 30,
  '*': 60,
  '/': 60,
  '%': 60,
  '**': 100,
  '^': 100,
  '??': 500,
}
const unaryRanks: Readonly<Record<string, number>> = { not: 50, '!': 50, '-': 90, '+': 90 }
const comparisons = new Set(['<', '>', '<=', '>='])
const negatable = new Set(['in', 'matches', 'contains', 'startsWith', 'endsWith'])
const rightward = new Set(['**', '^'])
const operatorWords = new Set(['or', 'and', 'in', 'matches', 'contains', 'startsWith', 'endsWith', 'not', 'let', 'if', 'else'])
/** Functions whose second argument is asked of each element. */
const asking = new Set('all none any one filter map find findIndex findLast findLastIndex reduce count sum'.split(' '))

/** The tree of `text`. @throws FormulaProblem */
export function parseFormula(text: string): Node {
  if (text.length > longestFormula) throw new FormulaProblem(`longer than ${longestFormula} characters`, longestFormula)
  return new Reader(tokensOf(text)).formula()
}

class Reader {
  readonly #tokens: readonly Token[]
  #place = 0
  #nodes = 0
  #depth = 0
  #predicates = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  formula(): Node {
    const node = this.#sequence()
    if (this.#current.kind !== 'end') throw this.#unexpected()
    return node
  }

  get #current(): Token {
    const token = this.#tokens[this.#place] ?? this.#tokens.at(-1)
    if (token === undefined) throw new FormulaProblem('unexpected end of expression', 0)
    return token
  }

  #unexpected(): FormulaProblem {
    const { kind, text, at } = this.#current
    return new FormulaProblem(kind === 'end' ? 'unexpected end of expression' : `unexpected token ${JSON.stringify(text)}`, at)
  }

  /** Strings are never signs, whatever they hold. */
  #is(text: string): boolean {
    const token = this.#current
    return (token.kind === 'sign' || (token.kind === 'name' && operatorWords.has(text))) && token.text === text
  }

  #accept(text: string): boolean {
    if (!this.#is(text)) return false
    this.#place++
    return true
  }

  #expect(text: string): void {
    if (!this.#accept(text)) throw this.#unexpected()
  }

  #made(node: Node): Node {
    if (++this.#nodes > mostNodes) throw new FormulaProblem(`more than ${mostNodes} terms`, node.at)
    return node
  }

  #sequence(): Node {
    const first = this.#expression(0)
    const items = [first]
    while (this.#accept(';')) {
      if (this.#current.kind === 'end') break
      items.push(this.#expression(0))
    }
    return items.length === 1 ? first : this.#made({ kind: 'sequence', items, at: first.at })
  }

  #expression(least: number): Node {
    if (++this.#depth > deepestNesting) throw new FormulaProblem(`nested deeper than ${deepestNesting}`, this.#current.at)
    try {
      if (least === 0 && this.#is('let')) return this.#declaration()
      if (least === 0 && this.#is('if')) return this.#conditional()
      const node = this.#operations(this.#primary(), least)
      return least === 0 ? this.#choices(node) : node
    } finally {
      this.#depth--
    }
  }

  #operations(first: Node, least: number): Node {
    let left = first
    for (let before = ''; ; ) {
      const { at } = this.#current
      const next = this.#tokens[this.#place + 1]
      const isNegated = this.#is('not') && next !== undefined && negatable.has(next.text)
      const operator = isNegated ? next.text : this.#current.text
      const rank = isNegated || this.#is(operator) ? ranks[operator] : undefined
      if (rank === undefined || rank < least) return left
      this.#place += isNegated ? 2 : 1
      if (before === '??' && operator !== '??')
        throw new FormulaProblem(`operator ${operator} and ?? cannot be mixed: wrap either in parentheses`, at)
      before = operator
      if (operator === '|') left = this.#piped(left)
      else if (comparisons.has(operator)) left = this.#compared(left, operator, at)
      else {
        const right = this.#expression(rightward.has(operator) ? rank : rank + 1)
        const node = this.#made({ kind: 'binary', operator, left, right, at })
        left = isNegated ? this.#made({ kind: 'unary', operator: 'not', operand: node, at }) : node
      }
    }
  }

  /** `1 < a < 5` means both. */
  #compared(first: Node, firstOperator: string, at: number): Node {
    let [left, operator] = [first, firstOperator]
    let all: Node | undefined
    for (;;) {
      const right = this.#expression((ranks['<'] ?? 0) + 1)
      const one = this.#made({ kind: 'binary', operator, left, right, at })
      all = all === undefined ? one : this.#made({ kind: 'binary', operator: '&&', left: all, right: one, at })
      if (this.#current.kind !== 'sign' || !comparisons.has(this.#current.text)) return all
      ;[left, operator] = [right, this.#current.text]
      this.#place++
    }
  }

  #piped(argument: Node): Node {
    const token = this.#current
    if (token.kind !== 'name') throw this.#unexpected()
    this.#place++
    return this.#postfix(this.#call(token, [argument]))
  }

  #choices(first: Node): Node {
    let node = first
    while (this.#is('?')) {
      const { at } = this.#current
      this.#place++
      if (this.#accept(':')) {
        node = this.#made({ kind: 'choice', condition: node, chosen: node, otherwise: this.#expression(0), at })
        continue
      }
      const chosen = this.#expression(0)
      this.#expect(':')
      node = this.#made({ kind: 'choice', condition: node, chosen, otherwise: this.#expression(0), at })
    }
    return node
  }

  #declaration(): Node {
    const { at } = this.#current
    this.#expect('let')
    const name = this.#name()
    this.#expect('=')
    const value = this.#expression(0)
    this.#expect(';')
    return this.#made({ kind: 'let', name, value, body: this.#sequence(), at })
  }

  #conditional(): Node {
    const { at } = this.#current
    this.#expect('if')
    const condition = this.#expression(0)
    const chosen = this.#block()
    this.#expect('else')
    const otherwise = this.#is('if') ? this.#expression(0) : this.#block()
    return this.#made({ kind: 'choice', condition, chosen, otherwise, at })
  }

  #block(): Node {
    this.#expect('{')
    const node = this.#sequence()
    this.#expect('}')
    return node
  }

  #name(): string {
    const token = this.#current
    if (token.kind !== 'name' || operatorWords.has(token.text)) throw this.#unexpected()
    this.#place++
    return token.text
  }

  #primary(): Node {
    const token = this.#current
    const { at } = token
    const rank = this.#is(token.text) ? unaryRanks[token.text] : undefined
    if (rank !== undefined) {
      this.#place++
      const operand = this.#expression(rank)
      return this.#postfix(this.#made({ kind: 'unary', operator: token.text, operand, at }))
    }
    if (this.#accept('(')) {
      const node = this.#sequence()
      this.#expect(')')
      return this.#postfix(node)
    }
    if (this.#predicates > 0 && (this.#is('#') || this.#is('.'))) return this.#pointer()
    return this.#postfix(this.#operand(token))
  }

  /** `#`, `#index`, or `.field`, which means `#.field`. */
  #pointer(): Node {
    const { at } = this.#current
    const hasName = this.#accept('#') && this.#current.kind === 'name' && !operatorWords.has(this.#current.text)
    const name = hasName ? this.#name() : ''
    return this.#postfix(this.#made({ kind: 'pointer', name, at }))
  }

  #operand(token: Token): Node {
    const { at } = token
    if (this.#accept('[')) return this.#made({ kind: 'array', items: this.#list(']', () => this.#expression(0)), at })
    if (this.#accept('{')) return this.#made({ kind: 'map', entries: this.#list('}', () => this.#entry()), at })
    if (token.kind === 'int' || token.kind === 'float' || token.kind === 'string') {
      this.#place++
      return this.#made({ kind: 'constant', value: token.value, at })
    }
    if (token.kind !== 'name' || operatorWords.has(token.text)) throw this.#unexpected()
    this.#place++
    if (token.text === 'true' || token.text === 'false') return this.#made({ kind: 'constant', value: token.text === 'true', at })
    if (token.text === 'nil') return this.#made({ kind: 'constant', value: null, at })
    return this.#is('(') ? this.#call(token, []) : this.#made({ kind: 'name', name: token.text, at })
  }

  #entry(): readonly [Node, Node] {
    const token = this.#current
    const { kind, at } = token
    let key: Node
    if (kind === 'sign') {
      if (!this.#is('(')) throw this.#unexpected()
      key = this.#expression(0)
    } else {
      if (kind === 'end') throw this.#unexpected()
      this.#place++
      key = this.#made({ kind: 'constant', value: kind === 'string' ? token.value : token.text, at })
    }
    this.#expect(':')
    return [key, this.#expression(0)]
  }

  /** What stands between commas until `close`, with one more comma at the end if somebody likes. */
  #list<Item>(close: string, read: () => Item): readonly Item[] {
    const items: Item[] = []
    while (!this.#accept(close)) {
      if (items.length > 0) {
        this.#expect(',')
        if (this.#accept(close)) break
      }
      items.push(read())
    }
    return items
  }

  #call({ text: name, at }: Token, given: readonly Node[]): Node {
    this.#expect('(')
    const args = [...given]
    for (let isFirst = true; !this.#accept(')'); isFirst = false) {
      if (!isFirst) {
        this.#expect(',')
        if (this.#accept(')')) break
      }
      args.push(args.length === 1 && asking.has(name) ? this.#predicate() : this.#expression(0))
    }
    return this.#made({ kind: 'call', name, args, at })
  }

  #predicate(): Node {
    const { at } = this.#current
    this.#predicates++
    const body = this.#is('{') ? this.#block() : this.#expression(0)
    this.#predicates--
    return this.#made({ kind: 'predicate', body, at })
  }

  #postfix(first: Node): Node {
    let node = first
    for (;;) {
      const { at } = this.#current
      const isOptional = this.#is('?.')
      if (isOptional || this.#is('.')) {
        this.#place++
        if (isOptional && this.#accept('[')) {
          node = this.#indexed(node, at, true)
          continue
        }
        const token = this.#current
        if (token.kind !== 'name') throw new FormulaProblem('expected name', token.at)
        this.#place++
        if (this.#is('(')) throw new FormulaProblem(`unknown method ${token.text}`, token.at)
        node = this.#made({
          kind: 'member',
          of: node,
          key: { kind: 'constant', value: token.text, at: token.at },
          isOptional,
          at,
        })
      } else if (this.#accept('[')) node = this.#indexed(node, at, false)
      else return node
    }
  }

  #indexed(of: Node, at: number, isOptional: boolean): Node {
    const from = this.#is(':') ? undefined : this.#expression(0)
    if (this.#accept(':')) {
      const to = this.#is(']') ? undefined : this.#expression(0)
      this.#expect(']')
      return this.#made({ kind: 'slice', of, from, to, at })
    }
    this.#expect(']')
    if (from === undefined) throw this.#unexpected()
    return this.#made({ kind: 'member', of, key: from, isOptional, at })
  }
}
