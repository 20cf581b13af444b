// Runs a template: Go's text/template with `missingkey=error`, and bounds that a template cannot get around.

import { RuleFailure } from '../matching/rule-failure.ts'
import type { GoFunction } from './functions.ts'
import { printed } from './printing.ts'
import type { Command, Node, Operand, Pipe, Template } from './syntax.ts'
import { GoMap, type GoValue, isList, isTrue, kindOf } from './values.ts'

/** Actions, turns of loops and calls of functions of one expansion. A rule of a vendor takes hundreds. */
const mostSteps = 100_000

/** Characters that one expansion may write: labels are short. */
const mostWritten = 1_048_576

/** Templates that call each other. */
const deepestCalls = 100

/**
 * What `template` writes for `data`.
 *
 * @throws RuleFailure with the line where something cannot be evaluated, or where it would never end.
 */
export function evaluateTemplate(template: Template, data: GoValue, functions: ReadonlyMap<string, GoFunction>): string {
  const run = new Run(template, functions)
  run.template(template.body, data)
  return run.written()
}

interface Variable {
  readonly name: string
  value: GoValue
}

type Jump = 'break' | 'continue' | undefined

class Run {
  readonly #template: Template
  readonly #functions: ReadonlyMap<string, GoFunction>
  readonly #out: string[] = []
  #variables: Variable[] = []
  #steps = 0
  #length = 0
  #calls = 0
  #line = 1

  constructor(template: Template, functions: ReadonlyMap<string, GoFunction>) {
    this.#template = template
    this.#functions = functions
  }

  written(): string {
    return this.#out.join('')
  }

  template(body: readonly Node[], data: GoValue): void {
    const variables = this.#variables
    this.#variables = [{ name: '$', value: data }]
    this.#nodes(body, data)
    this.#variables = variables
  }

  #fail(what: string): never {
    throw new RuleFailure(`template line ${this.#line}: ${what}`)
  }

  #step(): void {
    this.#steps += 1
    if (this.#steps > mostSteps) this.#fail(`it takes more than ${mostSteps} steps`)
  }

  #write(text: string): void {
    this.#length += text.length
    if (this.#length > mostWritten) this.#fail(`it writes more than ${mostWritten} characters`)
    this.#out.push(text)
  }

  #nodes(nodes: readonly Node[], dot: GoValue): Jump {
    for (const node of nodes) {
      const jump = this.#node(node, dot)
      if (jump !== undefined) return jump
    }
    return undefined
  }

  #node(node: Node, dot: GoValue): Jump {
    this.#step()
    switch (node.is) {
      case 'text':
        this.#write(node.text)
        return undefined
      case 'action': {
        const value = this.#pipe(node.pipe, dot)
        if (node.pipe.variables.length === 0) this.#write(value === null ? '<no value>' : printed(value))
        return undefined
      }
      case 'if':
      case 'with':
        return this.#choice(node, dot)
      case 'range':
        return this.#scoped(() => this.#range(node.pipe, node.body, node.otherwise, dot))
      case 'template':
        this.#call(node.name, node.pipe === undefined ? null : this.#pipe(node.pipe, dot), node.line)
        return undefined
      default:
        return node.is
    }
  }

  #choice(node: Extract<Node, { is: 'if' | 'with' | 'range' }>, dot: GoValue): Jump {
    return this.#scoped(() => {
      const value = this.#pipe(node.pipe, dot)
      if (!isTrue(value)) return this.#nodes(node.otherwise, dot)
      return this.#nodes(node.body, node.is === 'with' ? value : dot)
    })
  }

  #scoped<T>(run: () => T): T {
    const inSight = this.#variables.length
    const value = run()
    this.#variables.length = inSight
    return value
  }

  #range(pipe: Pipe, body: readonly Node[], otherwise: readonly Node[], dot: GoValue): Jump {
    const value = this.#pipeValue(pipe, dot)
    let turns = 0
    for (const [key, element] of this.#elements(value)) {
      turns += 1
      this.#step()
      const jump = this.#scoped(() => {
        this.#turnVariables(pipe, key, element)
        return this.#nodes(body, element)
      })
      if (jump === 'break') break
    }
    return turns === 0 ? this.#nodes(otherwise, dot) : undefined
  }

  #turnVariables(pipe: Pipe, key: GoValue, element: GoValue): void {
    const [first, second] = pipe.variables
    const set = (name: string, value: GoValue) => (pipe.assigns ? this.#assign(name, value) : this.#declare(name, value))
    if (first !== undefined && second === undefined) set(first, element)
    if (first !== undefined && second !== undefined) {
      set(first, key)
      set(second, element)
    }
  }

  *#elements(value: GoValue): Iterable<readonly [GoValue, GoValue]> {
    if (value instanceof GoMap) for (const name of value.names()) yield [name, value.entries.get(name) ?? null]
    else if (isList(value)) for (const [index, element] of value.entries()) yield [BigInt(index), element]
    else if (typeof value === 'bigint') for (let index = 0n; index < value; index += 1n) yield [index, index]
    else if (value !== null) this.#fail(`range can't iterate over ${printed(value)}`)
  }

  #call(name: string, data: GoValue, line: number): void {
    this.#line = line
    const body = this.#template.named.get(name)
    if (body === undefined) this.#fail(`template ${JSON.stringify(name)} not defined`)
    this.#calls += 1
    if (this.#calls > deepestCalls) this.#fail(`templates call each other more than ${deepestCalls} deep`)
    this.template(body, data)
    this.#calls -= 1
  }

  /** The value of a pipe, given to the variables that it declares. */
  #pipe(pipe: Pipe, dot: GoValue): GoValue {
    const value = this.#pipeValue(pipe, dot)
    for (const name of pipe.variables) {
      if (pipe.assigns) this.#assign(name, value)
      else this.#declare(name, value)
    }
    return value
  }

  #pipeValue(pipe: Pipe, dot: GoValue): GoValue {
    this.#line = pipe.line
    let value: GoValue = null
    for (const [stage, command] of pipe.commands.entries()) value = this.#command(command, dot, stage === 0 ? [] : [value])
    return value
  }

  #declare(name: string, value: GoValue): void {
    this.#variables.push({ name, value })
  }

  #assign(name: string, value: GoValue): void {
    this.#variable(name).value = value
  }

  #variable(name: string): Variable {
    return this.#variables.findLast(variable => variable.name === name) ?? this.#fail(`undefined variable ${name}`)
  }

  #command({ operands: [first, ...rest] }: Command, dot: GoValue, last: readonly GoValue[]): GoValue {
    this.#step()
    if (first.is === 'function') return this.#function(first.name, rest, dot, last)
    if (rest.length > 0 || last.length > 0) this.#fail(this.#noFunction(first))
    return this.#operand(first, dot)
  }

  #noFunction(operand: Operand): string {
    return operand.is === 'field' || operand.is === 'chain'
      ? `${operand.path.at(-1)} is not a method but has arguments`
      : `can't give argument to non-function`
  }

  #function(name: string, operands: readonly Operand[], dot: GoValue, last: readonly GoValue[]): GoValue {
    const called = this.#functions.get(name) ?? this.#fail(`function ${JSON.stringify(name)} not defined`)
    if (called.lazy !== undefined) {
      const rest = operands.map(operand => () => this.#operand(operand, dot))
      return called.lazy([...rest, ...last.map(value => () => value)])
    }
    const values = operands.map(operand => this.#operand(operand, dot))
    try {
      return called.call([...values, ...last])
    } catch (error) {
      if (error instanceof RuleFailure) this.#fail(`${name}: ${error.message}`)
      throw error
    }
  }

  #operand(operand: Operand, dot: GoValue): GoValue {
    switch (operand.is) {
      case 'dot':
        return dot
      case 'nil':
        return null
      case 'constant':
        return operand.value
      case 'function':
        return this.#function(operand.name, [], dot, [])
      case 'field':
        return this.#fields(dot, operand.path)
      case 'variable':
        return this.#fields(this.#variable(operand.name).value, operand.path)
      case 'pipe':
        return this.#scopedPipe(operand.pipe, dot)
      case 'chain':
        return this.#fields(this.#operand(operand.of, dot), operand.path)
    }
  }

  #scopedPipe(pipe: Pipe, dot: GoValue): GoValue {
    const line = this.#line
    const value = this.#pipe(pipe, dot)
    this.#line = line
    return value
  }

  #fields(value: GoValue, path: readonly string[]): GoValue {
    let found = value
    for (const name of path) {
      if (!(found instanceof GoMap)) this.#fail(this.#noField(found, name))
      const next: GoValue | undefined = found.entries.get(name)
      if (next === undefined) this.#fail(`map has no entry for key ${JSON.stringify(name)}`)
      found = next
    }
    return found
  }

  #noField(value: GoValue, name: string): string {
    return value === null
      ? `nil data; no entry for key ${JSON.stringify(name)}`
      : `can't evaluate field ${name} in ${kindOf(value)}`
  }
}
