// Expressions without macros: what `has`, `all`, `exists`, `map` and their like stand for, so that types and costs know of one loop only.
import { CelError, type Expression, type LiteralType } from './cel-syntax.ts'

interface Placed {
  /** The offset in the source. */
  readonly at: number
}

interface PlainEntry extends Placed {
  readonly key: Plain
  readonly value: Plain
  readonly isOptional: boolean
}

export interface Fold extends Placed {
  readonly kind: 'fold'
  readonly range: Plain
  readonly variable: string
  /** The second variable of loops over keys and values. */
  readonly second: string | undefined
  readonly accumulator: string
  readonly start: Plain
  readonly condition: Plain
  readonly step: Plain
  readonly result: Plain
}

export type PlainCall = Placed & {
  readonly kind: 'call'
  readonly name: string
  readonly target: Plain | undefined
  readonly args: readonly Plain[]
}

/** A node is its own identity: types and sizes are kept by it. */
export type Plain =
  | (Placed & { readonly kind: 'literal'; readonly type: LiteralType; readonly value: unknown })
  | (Placed & { readonly kind: 'name'; readonly name: string })
  | (Placed & { readonly kind: 'select'; readonly operand: Plain; readonly name: string; readonly isTest: boolean })
  | PlainCall
  | (Placed & { readonly kind: 'list'; readonly items: readonly Plain[]; readonly optional: ReadonlySet<number> })
  | (Placed & { readonly kind: 'map'; readonly entries: readonly PlainEntry[] })
  | Fold

/** The name that loops keep their result by; no source can say it. */
const accumulator = '@result'
/** The name of a loop's variable that goes through nothing. */
const unused = '#unused'

/** The plain form. @throws CelError where a macro is given what it does not take */
export function plainForm(expression: Expression): Plain {
  const { at } = expression
  switch (expression.kind) {
    case 'literal':
    case 'name':
      return expression
    case 'field': {
      const operand = plainForm(expression.target)
      if (!expression.isOptional) return { kind: 'select', at, operand, name: expression.name, isTest: false }
      return call('_?._', at, operand, {
        kind: 'literal',
        at: expression.nameAt,
        type: 'string',
        value: expression.name,
      })
    }
    case 'index':
      return call(expression.isOptional ? '_[?_]' : '_[_]', at, plainForm(expression.target), plainForm(expression.index))
    case 'unary':
      return call(expression.operator === '!' ? '!_' : '-_', at, plainForm(expression.operand))
    case 'binary':
      return call(
        expression.operator === 'in' ? '@in' : `_${expression.operator}_`,
        at,
        plainForm(expression.left),
        plainForm(expression.right),
      )
    case 'choice':
      return call('_?_:_', at, plainForm(expression.condition), plainForm(expression.then), plainForm(expression.otherwise))
    case 'list':
      return { kind: 'list', at, items: expression.items.map(plainForm), optional: expression.optional }
    case 'map':
      return {
        kind: 'map',
        at,
        entries: expression.entries.map(entry => ({
          at: entry.at,
          key: plainForm(entry.key),
          value: plainForm(entry.value),
          isOptional: entry.isOptional,
        })),
      }
    case 'call':
      return plainCall(expression)
  }
}

function call(name: string, at: number, ...args: readonly Plain[]): Plain {
  return { kind: 'call', at, name, target: undefined, args }
}

function plainCall({ at, target, name, args }: Extract<Expression, { kind: 'call' }>): Plain {
  const plainTarget = target === undefined ? undefined : plainForm(target)
  const plainArgs = args.map(plainForm)
  const macro =
    plainTarget === undefined ? globalMacro(name, at, plainArgs) : methodMacro({ name, at, range: plainTarget, args: plainArgs })
  return macro ?? { kind: 'call', at, name, target: plainTarget, args: plainArgs }
}

function globalMacro(name: string, at: number, args: readonly Plain[]): Plain | undefined {
  const [first] = args
  if (name !== 'has' || args.length !== 1 || first === undefined) return undefined
  if (first.kind !== 'select' || first.isTest) throw new CelError('invalid argument to has() macro', first.at)
  return { kind: 'select', at, operand: first.operand, name: first.name, isTest: true }
}

interface MacroCall {
  readonly name: string
  readonly at: number
  readonly range: Plain
  readonly args: readonly Plain[]
}

function methodMacro(macro: MacroCall): Plain | undefined {
  const [first, second, third] = macro.args
  const count = macro.args.length
  if (first === undefined || second === undefined) return undefined
  switch (macro.name) {
    case 'all':
    case 'exists':
    case 'exists_one':
      if (count === 2) return quantifier(macro, nameOf(first, 'argument must be a simple name'), undefined, second)
      return count === 3 && third !== undefined ? quantifier(macro, ...twoNames(first, second), third) : undefined
    case 'existsOne':
      return count === 3 && third !== undefined ? quantifier(macro, ...twoNames(first, second), third) : undefined
    case 'map':
      if (count === 2) return mapped(macro, nameOf(first, 'argument is not an identifier'), undefined, second)
      return count === 3 ? mapped(macro, nameOf(first, 'argument is not an identifier'), second, third) : undefined
    case 'filter':
      return count === 2 ? mapped(macro, nameOf(first, 'argument is not an identifier'), second, first) : undefined
    case 'transformList':
    case 'transformMap':
    case 'transformMapEntry':
      return count === 3 || count === 4 ? transformed(macro, twoNames(first, second)) : undefined
    case 'optMap':
    case 'optFlatMap':
      return count === 2 ? optionalMapped(macro, first, second) : undefined
    case 'sortBy':
      return count === 2 ? sortedBy(macro, first, second) : undefined
    default:
      return undefined
  }
}

function nameOf(argument: Plain, problem: string): string {
  if (argument.kind !== 'name') throw new CelError(problem, argument.at)
  return argument.name
}

function twoNames(first: Plain, second: Plain): readonly [string, string] {
  const name = nameOf(first, 'argument must be a simple name')
  const other = nameOf(second, 'argument must be a simple name')
  if (name === other) throw new CelError(`duplicate variable name: ${name}`, second.at)
  return [name, other]
}

interface Loop {
  readonly variable: string
  readonly second?: string | undefined
  readonly start: Plain
  readonly condition: Plain
  readonly step: Plain
  readonly result?: Plain
}

function loop({ at, range }: MacroCall, { variable, second, start, condition, step, result }: Loop): Fold {
  const end = result ?? kept(at)
  return { kind: 'fold', at, range, variable, second, accumulator, start, condition, step, result: end }
}

const kept = (at: number): Plain => ({ kind: 'name', at, name: accumulator })
const truth = (at: number, value: boolean): Plain => ({ kind: 'literal', at, type: 'bool', value })
const whole = (at: number, value: number): Plain => ({ kind: 'literal', at, type: 'int', value })
const listOf = (at: number, ...items: readonly Plain[]): Plain => ({ kind: 'list', at, items, optional: new Set() })

function quantifier(macro: MacroCall, variable: string, second: string | undefined, holds: Plain): Plain {
  const { at } = macro
  switch (macro.name) {
    case 'all': {
      const condition = call('@not_strictly_false', at, kept(at))
      return loop(macro, { variable, second, start: truth(at, true), condition, step: call('_&&_', at, kept(at), holds) })
    }
    case 'exists': {
      const condition = call('@not_strictly_false', at, call('!_', at, kept(at)))
      return loop(macro, { variable, second, start: truth(at, false), condition, step: call('_||_', at, kept(at), holds) })
    }
    default:
      return loop(macro, {
        variable,
        second,
        start: whole(at, 0),
        condition: truth(at, true),
        step: call('_?_:_', at, holds, call('_+_', at, kept(at), whole(at, 1)), kept(at)),
        result: call('_==_', at, kept(at), whole(at, 1)),
      })
  }
}

function mapped(macro: MacroCall, variable: string, filter: Plain | undefined, result: Plain | undefined): Plain | undefined {
  if (result === undefined) return undefined
  const { at } = macro
  const added = call('_+_', at, kept(at), listOf(at, result))
  const step = filter === undefined ? added : call('_?_:_', at, filter, added, kept(at))
  return loop(macro, { variable, start: listOf(at), condition: truth(at, true), step })
}

function transformed(macro: MacroCall, [variable, second]: readonly [string, string]): Plain | undefined {
  const { at, args } = macro
  const filter = args.length === 4 ? args[2] : undefined
  const result = args.at(-1)
  if (result === undefined) return undefined
  const isList = macro.name === 'transformList'
  const added = isList
    ? call('_+_', at, kept(at), listOf(at, result))
    : macro.name === 'transformMap'
      ? call('cel.@mapInsert', at, kept(at), { kind: 'name', at, name: variable }, result)
      : call('cel.@mapInsert', at, kept(at), result)
  const step = filter === undefined ? added : call('_?_:_', at, filter, added, kept(at))
  const start: Plain = isList ? listOf(at) : { kind: 'map', at, entries: [] }
  return loop(macro, { variable, second, start, condition: truth(at, true), step })
}

/** A name for a value: a loop through nothing that starts with the value and ends with what is made of it. */
function bound(at: number, name: string, value: Plain, result: Plain): Fold {
  return {
    kind: 'fold',
    at,
    range: listOf(at),
    variable: unused,
    second: undefined,
    accumulator: name,
    start: value,
    condition: truth(at, false),
    step: { kind: 'name', at, name },
    result,
  }
}

function optionalMapped({ name, at, range }: MacroCall, variable: Plain, result: Plain): Plain {
  const known = nameOf(variable, `${name}() variable name must be a simple identifier`)
  const value: Plain = { kind: 'call', at, name: 'value', target: copyOf(range), args: [] }
  const made = bound(at, known, value, result)
  return call(
    '_?_:_',
    at,
    { kind: 'call', at, name: 'hasValue', target: range, args: [] },
    name === 'optMap' ? call('optional.of', at, made) : made,
    call('optional.none', at),
  )
}

/** The same expression with an identity of its own. */
function copyOf(expression: Plain): Plain {
  return { ...expression }
}

function sortedBy(macro: MacroCall, variable: Plain, key: Plain): Plain | undefined {
  const { at, range } = macro
  if (range.kind === 'literal' || range.kind === 'map')
    throw new CelError('sortBy can only be applied to a list, identifier, comprehension, call or select expression', range.at)
  const input: Plain = { kind: 'name', at, name: '@__sortBy_input__' }
  const keys = mapped({ ...macro, range: { ...input } }, nameOf(variable, 'argument is not an identifier'), undefined, key)
  if (keys === undefined) return undefined
  return bound(at, '@__sortBy_input__', range, {
    kind: 'call',
    at,
    name: '@sortByAssociatedKeys',
    target: { ...input },
    args: [keys],
  })
}

/** Whether a loop only gives a value a name. */
export function isBinding({ range, condition, accumulator: name }: Fold): boolean {
  const isNothing = range.kind === 'list' && range.items.length === 0
  return isNothing && condition.kind === 'literal' && condition.value === false && name !== accumulator
}

/** Whether a name is that of a loop's result. */
export function isAccumulator(name: string): boolean {
  return name === accumulator
}
