// Go's text/template, read: the grammar of its package documentation.

import { RuleFailure } from '../matching/rule-failure.ts'
import { characterConstant, numberConstant, stringConstant } from './constants.ts'
import type { Command, Node, Operand, Pipe, Template } from './syntax.ts'
import { type Token, type TokenKind, tokensOf } from './tokens.ts'

/** Blocks and parentheses within each other; a template that needs more is not one that a person wrote. */
const deepestNesting = 200

/**
 * Reads a template.
 *
 * @param knows Whether there is a function of that name.
 * @throws RuleFailure with the line where it cannot be read.
 */
export function parseTemplate(source: string, knows: (name: string) => boolean): Template {
  return new Parser(tokensOf(source), knows).whole()
}

type Ending = 'end' | 'else'

class Parser {
  readonly #tokens: readonly Token[]
  readonly #knows: (name: string) => boolean
  readonly #named = new Map<string, readonly Node[]>()
  #at = 0
  #depth = 0
  #ranges = 0
  /** Variables in sight, the innermost last. */
  #variables: string[] = ['$']

  constructor(tokens: readonly Token[], knows: (name: string) => boolean) {
    this.#tokens = tokens
    this.#knows = knows
  }

  whole(): Template {
    const body: Node[] = []
    while (this.#peek().kind !== 'end') {
      if (this.#startsWith('define')) this.#define()
      else {
        const node = this.#node()
        if (typeof node === 'string') this.#fail(`unexpected {{${node}}}`)
        if (node !== undefined) body.push(node)
      }
    }
    return { body, named: this.#named }
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: '', line: this.#line() }
  }

  #peekPastSpace(): Token {
    while (this.#peek().kind === 'space') this.#at += 1
    return this.#peek()
  }

  #next(): Token {
    const token = this.#peek()
    this.#at += 1
    return token
  }

  #line(): number {
    return this.#tokens[Math.min(this.#at, this.#tokens.length - 1)]?.line ?? 1
  }

  #fail(what: string): never {
    throw new RuleFailure(`template line ${this.#line()}: ${what}`)
  }

  #expect(kind: TokenKind, context: string): Token {
    const token = this.#peekPastSpace()
    if (token.kind !== kind) this.#unexpected(context)
    return this.#next()
  }

  #unexpected(context: string): never {
    const { kind, text } = this.#peek()
    this.#fail(kind === 'end' ? `unexpected end in ${context}` : `unexpected ${JSON.stringify(text)} in ${context}`)
  }

  /** Whether an action with this keyword is next. */
  #startsWith(keyword: string): boolean {
    let at = this.#at
    if (this.#tokens[at]?.kind !== 'open') return false
    at += 1
    while (this.#tokens[at]?.kind === 'space') at += 1
    return this.#tokens[at]?.kind === 'keyword' && this.#tokens[at]?.text === keyword
  }

  #node(): Node | Ending | undefined {
    const token = this.#next()
    if (token.kind === 'text') return { is: 'text', text: token.text }
    if (token.kind !== 'open') this.#unexpected('input')
    const first = this.#peekPastSpace()
    if (first.kind !== 'keyword') return { is: 'action', pipe: this.#closedPipe('command') }
    this.#at += 1
    return this.#keyword(first.text)
  }

  #keyword(word: string): Node | Ending {
    switch (word) {
      case 'if':
      case 'with':
      case 'range':
        return this.#nested(() => this.#control(word))
      case 'template':
        return this.#template()
      case 'block':
        return this.#nested(() => this.#block())
      case 'break':
      case 'continue':
        if (this.#ranges === 0) this.#fail(`{{${word}}} outside {{range}}`)
        this.#expect('close', word)
        return { is: word }
      case 'end':
        this.#expect('close', word)
        return 'end'
      case 'else':
        return 'else'
      default:
        this.#fail(`unexpected {{${word}}}`)
    }
  }

  #nested<T>(read: () => T): T {
    this.#depth += 1
    if (this.#depth > deepestNesting) this.#fail(`more than ${deepestNesting} blocks and parentheses within each other`)
    const value = read()
    this.#depth -= 1
    return value
  }

  #control(is: 'if' | 'with' | 'range'): Node {
    const inSight = this.#variables.length
    const pipe = this.#closedPipe(is)
    if (is === 'range') this.#ranges += 1
    const [body, ending] = this.#list()
    if (is === 'range') this.#ranges -= 1
    const otherwise = ending === 'else' ? this.#otherwise(is) : []
    this.#variables.length = inSight
    return { is, pipe, body, otherwise }
  }

  /** What follows `else`: `if` or `with` again shares the end of the one before it. */
  #otherwise(is: 'if' | 'with' | 'range'): readonly Node[] {
    const next = this.#peekPastSpace()
    if (is !== 'range' && next.kind === 'keyword' && next.text === is) {
      this.#at += 1
      return [this.#nested(() => this.#control(is))]
    }
    this.#expect('close', 'else')
    const [nodes, ending] = this.#list()
    if (ending !== 'end') this.#fail('expected end; found {{else}}')
    return nodes
  }

  #list(): readonly [readonly Node[], Ending] {
    const nodes: Node[] = []
    for (;;) {
      if (this.#peek().kind === 'end') this.#fail('unexpected end of the template, {{end}} is missing')
      const node = this.#node()
      if (typeof node === 'string') return [nodes, node]
      if (node !== undefined) nodes.push(node)
    }
  }

  #define(): void {
    this.#at += 1
    this.#expect('keyword', 'define')
    const name = this.#name('define clause')
    this.#expect('close', 'define clause')
    this.#named.set(
      name,
      this.#apart(() => this.#bodyToEnd('define')),
    )
  }

  #bodyToEnd(context: string): readonly Node[] {
    const [nodes, ending] = this.#list()
    if (ending !== 'end') this.#fail(`unexpected {{else}} in ${context}`)
    return nodes
  }

  /** A template of its own sees no variables of the place where it stands. */
  #apart<T>(read: () => T): T {
    const [variables, ranges] = [this.#variables, this.#ranges]
    this.#variables = ['$']
    this.#ranges = 0
    const value = read()
    this.#variables = variables
    this.#ranges = ranges
    return value
  }

  #name(context: string): string {
    return stringConstant(this.#expect('string', context).text)
  }

  #template(): Node {
    const line = this.#line()
    const name = this.#name('template clause')
    if (this.#peekPastSpace().kind === 'close') {
      this.#at += 1
      return { is: 'template', name, line }
    }
    return { is: 'template', name, pipe: this.#closedPipe('template clause'), line }
  }

  #block(): Node {
    const line = this.#line()
    const name = this.#name('block clause')
    const pipe = this.#closedPipe('block clause')
    this.#named.set(
      name,
      this.#apart(() => this.#bodyToEnd('block')),
    )
    return { is: 'template', name, pipe, line }
  }

  #closedPipe(context: string): Pipe {
    const pipe = this.#pipe(context, 'close')
    this.#at += 1
    return pipe
  }

  /** Reads up to `end`, and leaves it. */
  #pipe(context: string, end: 'close' | 'right'): Pipe {
    const line = this.#line()
    const { variables, assigns } = this.#declaration(context)
    const commands: Command[] = []
    for (;;) {
      const token = this.#peekPastSpace()
      if (token.kind === end) break
      if (token.kind === 'close' || token.kind === 'right' || token.kind === 'pipe') this.#unexpected(context)
      commands.push(this.#command(context))
    }
    this.#judge(commands, context)
    if (!assigns) this.#variables.push(...variables)
    return { variables, assigns, commands, line }
  }

  #judge(commands: readonly Command[], context: string): void {
    if (commands.length === 0) this.#fail(`missing value for ${context}`)
    for (const [stage, { operands }] of commands.entries()) {
      const [{ is }] = operands
      if (stage > 0 && (is === 'dot' || is === 'nil' || is === 'constant'))
        this.#fail(`non executable command in pipeline stage ${stage + 1}`)
    }
  }

  #declaration(context: string): { readonly variables: readonly string[]; readonly assigns: boolean } {
    const back = this.#at
    const variables: string[] = []
    const most = context === 'range' ? 2 : 1
    while (this.#peekPastSpace().kind === 'variable') {
      variables.push(this.#next().text)
      const { kind } = this.#peekPastSpace()
      if (kind === 'declare' || kind === 'assign') {
        this.#at += 1
        if (kind === 'assign') for (const variable of variables) this.#inSight(variable)
        return { variables, assigns: kind === 'assign' }
      }
      if (kind !== 'comma') break
      if (variables.length === most) this.#fail(`too many declarations in ${context}`)
      this.#at += 1
    }
    this.#at = back
    return { variables: [], assigns: false }
  }

  #inSight(variable: string): void {
    if (!this.#variables.includes(variable)) this.#fail(`undefined variable ${JSON.stringify(variable)}`)
  }

  #command(context: string): Command {
    const operands: Operand[] = []
    for (;;) {
      this.#peekPastSpace()
      const operand = this.#operand()
      if (operand !== undefined) operands.push(operand)
      const token = this.#next()
      if (token.kind === 'space') continue
      if (token.kind === 'pipe') {
        const { kind } = this.#peekPastSpace()
        if (kind === 'close' || kind === 'right') this.#fail(`missing value for ${context}`)
      } else if (token.kind === 'close' || token.kind === 'right') this.#at -= 1
      else {
        this.#at -= 1
        this.#unexpected('operand')
      }
      break
    }
    const [first, ...rest] = operands
    if (first === undefined) this.#fail('empty command')
    if (first.is === 'nil') this.#fail('nil is not a command')
    return { operands: [first, ...rest] }
  }

  #operand(): Operand | undefined {
    const term = this.#term()
    if (term === undefined || this.#peek().kind !== 'field') return term
    const path: string[] = []
    while (this.#peek().kind === 'field') path.push(this.#next().text)
    switch (term.is) {
      case 'field':
        return { is: 'field', path: [...term.path, ...path] }
      case 'variable':
        return { ...term, path: [...term.path, ...path] }
      case 'dot':
      case 'nil':
      case 'constant':
        this.#fail(`unexpected . after ${term.is}`)
        break
      default:
        return { is: 'chain', of: term, path }
    }
  }

  #term(): Operand | undefined {
    const { kind, text } = this.#peek()
    switch (kind) {
      case 'identifier':
        if (!this.#knows(text)) this.#fail(`function ${JSON.stringify(text)} not defined`)
        return this.#taken({ is: 'function', name: text })
      case 'dot':
        return this.#taken({ is: 'dot' })
      case 'nil':
        return this.#taken({ is: 'nil' })
      case 'field':
        return this.#taken({ is: 'field', path: [text] })
      case 'variable':
        this.#inSight(text)
        return this.#taken({ is: 'variable', name: text, path: [] })
      case 'boolean':
        return this.#taken({ is: 'constant', value: text === 'true' })
      case 'number':
        return this.#taken({ is: 'constant', value: numberConstant(text) })
      case 'character':
        return this.#taken({ is: 'constant', value: characterConstant(text) })
      case 'string':
        return this.#taken({ is: 'constant', value: stringConstant(text) })
      case 'left':
        this.#at += 1
        return this.#nested(() => {
          const pipe = this.#pipe('parenthesized pipeline', 'right')
          this.#at += 1
          return { is: 'pipe', pipe }
        })
      default:
        return undefined
    }
  }

  #taken(operand: Operand): Operand {
    this.#at += 1
    return operand
  }
}
