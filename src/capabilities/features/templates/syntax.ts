// What a template is made of once it is read.

import type { GoValue } from './values.ts'

export type Node =
  | { readonly is: 'text'; readonly text: string }
  | { readonly is: 'action'; readonly pipe: Pipe }
  | {
      readonly is: 'if' | 'with' | 'range'
      readonly pipe: Pipe
      readonly body: readonly Node[]
      readonly otherwise: readonly Node[]
    }
  | { readonly is: 'template'; readonly name: string; readonly pipe?: Pipe; readonly line: number }
  | { readonly is: 'break' | 'continue' }

export interface Pipe {
  /** Variables with their `$`: two only for `range`. */
  readonly variables: readonly string[]
  /** Whether variables that are there get a new value (`=`), and none is made (`:=`). */
  readonly assigns: boolean
  readonly commands: readonly Command[]
  readonly line: number
}

export interface Command {
  /** At least one. */
  readonly operands: readonly [Operand, ...Operand[]]
}

export type Operand =
  | { readonly is: 'dot' }
  | { readonly is: 'nil' }
  | { readonly is: 'constant'; readonly value: GoValue }
  | { readonly is: 'function'; readonly name: string }
  | { readonly is: 'field'; readonly path: readonly string[] }
  | { readonly is: 'variable'; readonly name: string; readonly path: readonly string[] }
  | { readonly is: 'pipe'; readonly pipe: Pipe }
  | { readonly is: 'chain'; readonly of: Operand; readonly path: readonly string[] }

export interface Template {
  readonly body: readonly Node[]
  /** What `define` and `block` named. */
  readonly named: ReadonlyMap<string, readonly Node[]>
}
