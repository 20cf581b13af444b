// A formula made ready to be run: names and types are checked as far as they are known, and what remains is checked while it runs.
import { functions, listOf, mostWork, spend, type Work } from './functions.ts'
import type { Node } from './syntax.ts'
import { FormulaProblem } from './tokens.ts'
import { isNumber, isNumeric, operations, typeOf, type Value, type ValueType } from './values.ts'

interface Scope {
  /** Elements that are asked about, innermost last. */
  readonly elements: { item: Value; index: bigint; total: Value }[]
  readonly variables: Value[]
  readonly values: ReadonlyMap<string, Value>
  readonly work: Work
}

type Run = (scope: Scope) => Value

interface Compiled {
  readonly type: ValueType
  readonly run: Run
}

interface Names {
  readonly known: ReadonlyMap<string, ValueType>
  /** Places of variables by name, and what is known of them. */
  readonly variables: ReadonlyMap<string, { readonly place: number; readonly type: ValueType }>
  readonly place: number
}

/** Runs a compiled formula on values of its names. @throws FormulaProblem */
export type Program = (values: ReadonlyMap<string, Value>) => Value

/** @throws FormulaProblem for unknown names and types that can never fit */
export function compile(
  node: Node,
  known: ReadonlyMap<string, ValueType>,
): { readonly type: ValueType; readonly program: Program } {
  const { type, run } = compiled(node, { known, variables: new Map(), place: 0 })
  return { type, program: values => run({ elements: [], variables: [], values, work: { left: mostWork } }) }
}

function compiled(node: Node, names: Names): Compiled {
  const { at } = node
  switch (node.kind) {
    case 'constant': {
      const { value } = node
      return { type: typeOf(value), run: () => value }
    }
    case 'name':
      return named(node.name, at, names)
    case 'pointer':
      return pointer(node.name, at)
    case 'unary':
      return unary(node.operator, compiled(node.operand, names), at)
    case 'binary':
      return binary(node.operator, compiled(node.left, names), compiled(node.right, names), at)
    case 'choice':
      return choice(compiled(node.condition, names), compiled(node.chosen, names), compiled(node.otherwise, names), at)
    case 'call':
      return call(node.name, node.args, at, names)
    case 'predicate':
      throw new FormulaProblem('a predicate stands where a value is wanted', at)
    case 'member':
      return member(compiled(node.of, names), compiled(node.key, names), node.isOptional, at)
    case 'slice':
      return slice(node, names)
    case 'array': {
      const items = node.items.map(item => compiled(item, names).run)
      return {
        type: 'array',
        run: scope => {
          spend(scope.work, items.length, at)
          return items.map(run => run(scope))
        },
      }
    }
    case 'map':
      return mapOf(node.entries, at, names)
    case 'let':
      return declaration(node, names)
    case 'sequence': {
      const items = node.items.map(item => compiled(item, names))
      const last = items.at(-1)
      if (last === undefined) throw new FormulaProblem('unexpected end of expression', at)
      return { type: last.type, run: scope => items.reduce<Value>((_before, { run }) => run(scope), null) }
    }
  }
}

function named(name: string, at: number, { known, variables }: Names): Compiled {
  const variable = variables.get(name)
  if (variable !== undefined) return { type: variable.type, run: ({ variables: values }) => values[variable.place] ?? null }
  const type = known.get(name)
  if (type === undefined) throw new FormulaProblem(`unknown name ${name}`, at)
  return { type, run: ({ values }) => values.get(name) ?? null }
}

function pointer(name: string, at: number): Compiled {
  if (name === '') return { type: 'any', run: ({ elements }) => elements.at(-1)?.item ?? null }
  if (name === 'index') return { type: 'int', run: ({ elements }) => elements.at(-1)?.index ?? null }
  if (name === 'acc') return { type: 'any', run: ({ elements }) => elements.at(-1)?.total ?? null }
  throw new FormulaProblem(`unknown pointer #${name}`, at)
}

const shown = (type: ValueType): string => (type === 'float' ? 'float64' : type)

function refuseTypes(operator: string, left: ValueType, right: ValueType, at: number): never {
  throw new FormulaProblem(`invalid operation: ${operator} (mismatched types ${shown(left)} and ${shown(right)})`, at)
}

function unary(operator: string, { type, run }: Compiled, at: number): Compiled {
  if (operator === 'not' || operator === '!') {
    if (type !== 'bool' && type !== 'any')
      throw new FormulaProblem(`invalid operation: ${operator} (mismatched type ${shown(type)})`, at)
    return { type: 'bool', run: scope => !truth(run(scope), operator, at) }
  }
  if (!isNumeric(type)) throw new FormulaProblem(`invalid operation: ${operator} (mismatched type ${shown(type)})`, at)
  const sign = operator === '-' ? -1 : 1
  return {
    type,
    run: scope => {
      const value = run(scope)
      if (!isNumber(value)) throw new FormulaProblem(`invalid operation: ${operator} ${typeOf(value)}`, at)
      return typeof value === 'bigint' ? BigInt.asIntN(64, value * BigInt(sign)) : value * sign
    },
  }
}

function truth(value: Value, where: string, at: number): boolean {
  if (typeof value === 'boolean') return value
  throw new FormulaProblem(`invalid operation: ${where} needs bool, not ${typeOf(value)}`, at)
}

const arithmetic = new Set(['+', '-', '*', '/', '%', '**', '^'])
const textual = new Set(['contains', 'startsWith', 'endsWith', 'matches'])
const orders = new Set(['<', '<=', '>', '>='])

/** The type that comes out. @throws FormulaProblem where the sides can never fit */
function binaryType(operator: string, left: ValueType, right: ValueType, at: number): ValueType {
  const areNumbers = isNumeric(left) && isNumeric(right)
  const areTexts = (left === 'string' || left === 'any') && (right === 'string' || right === 'any')
  if (operator === '%') {
    const areInts = (left === 'int' || left === 'any') && (right === 'int' || right === 'any')
    return areInts ? 'int' : refuseTypes(operator, left, right, at)
  }
  if (arithmetic.has(operator)) {
    if (!areNumbers && !(operator === '+' && areTexts)) refuseTypes(operator, left, right, at)
    if (left === 'any' || right === 'any') return 'any'
    if (left === 'string') return 'string'
    const isWhole = left === 'int' && right === 'int' && operator !== '/' && operator !== '**' && operator !== '^'
    return isWhole ? 'int' : 'float'
  }
  if (orders.has(operator)) return areNumbers || areTexts ? 'bool' : refuseTypes(operator, left, right, at)
  if (textual.has(operator)) return areTexts ? 'bool' : refuseTypes(operator, left, right, at)
  if (operator === '==' || operator === '!=') {
    const isKnown = left !== 'any' && right !== 'any' && left !== 'nil' && right !== 'nil'
    return isKnown && left !== right && !areNumbers ? refuseTypes(operator, left, right, at) : 'bool'
  }
  return 'bool'
}

function binary(operator: string, left: Compiled, right: Compiled, at: number): Compiled {
  const [first, second] = [left.run, right.run]
  switch (operator) {
    case '??':
      return { type: left.type === right.type ? left.type : 'any', run: scope => first(scope) ?? second(scope) }
    case '&&':
    case 'and':
    case '||':
    case 'or': {
      for (const { type } of [left, right])
        if (type !== 'bool' && type !== 'any') refuseTypes(operator, left.type, right.type, at)
      const isAnd = operator === '&&' || operator === 'and'
      return {
        type: 'bool',
        run: scope => {
          const isFirst = truth(first(scope), operator, at)
          return isFirst === isAnd ? truth(second(scope), operator, at) : isFirst
        },
      }
    }
    case '..':
      return range(left, right, at)
    case 'matches':
      throw new FormulaProblem('operator matches is not known here: formulas work on numbers', at)
    default: {
      const operation = operations[operator]
      if (operation === undefined) throw new FormulaProblem(`unknown operator ${operator}`, at)
      const type = binaryType(operator, left.type, right.type, at)
      return { type, run: scope => operation(first(scope), second(scope), at) }
    }
  }
}

function range(left: Compiled, right: Compiled, at: number): Compiled {
  for (const { type } of [left, right]) if (type !== 'int' && type !== 'any') refuseTypes('..', left.type, right.type, at)
  return {
    type: 'array',
    run: scope => {
      const [from, to] = [left.run(scope), right.run(scope)]
      if (typeof from !== 'bigint' || typeof to !== 'bigint') throw new FormulaProblem('a range needs int on both sides', at)
      const count = to < from ? 0n : to - from + 1n
      spend(scope.work, count > BigInt(mostWork) ? mostWork + 1 : Number(count), at)
      return Array.from({ length: Number(count) }, (_none, index) => from + BigInt(index))
    },
  }
}

function choice(condition: Compiled, chosen: Compiled, otherwise: Compiled, at: number): Compiled {
  if (condition.type !== 'bool' && condition.type !== 'any')
    throw new FormulaProblem(`non-bool expression (type ${shown(condition.type)}) used as condition`, at)
  return {
    type: chosen.type === otherwise.type ? chosen.type : 'any',
    run: scope => (truth(condition.run(scope), 'condition', at) ? chosen.run(scope) : otherwise.run(scope)),
  }
}

function call(name: string, args: readonly Node[], at: number, names: Names): Compiled {
  const asked = askings[name]
  if (asked !== undefined) return asking(name, asked, args, at, names)
  const known = functions.get(name)
  if (known === undefined) throw new FormulaProblem(`unknown name ${name}`, at)
  if (args.length < known.least) throw new FormulaProblem(`not enough arguments to call ${name}`, at)
  if (args.length > known.most) throw new FormulaProblem(`too many arguments to call ${name}`, at)
  const given = args.map(arg => compiled(arg, names))
  const first = given[0]
  if (first !== undefined && first.type !== 'any' && known.takes?.includes(first.type) === false)
    throw new FormulaProblem(`invalid argument for ${name} (type ${shown(first.type)})`, at)
  const runs = given.map(({ run }) => run)
  return {
    type: known.result,
    run: scope => {
      spend(scope.work, 1, at)
      return known.call({ args: runs.map(run => run(scope)), at, work: scope.work })
    },
  }
}

/** Asks the predicate of an element. */
type Ask = (item: Value, index: number, total?: Value) => Value

interface Asking {
  readonly type: ValueType
  /** Whether it does without a predicate. */
  readonly isOptional?: true
  readonly isReducing?: true
  readonly of: (list: readonly Value[], ask: Ask | undefined, at: number, initial: Value | undefined) => Value
}

const holds =
  (ask: Ask | undefined, at: number) =>
  (item: Value, index: number): boolean =>
    truth(ask === undefined ? item : ask(item, index), 'predicate', at)

const indexed = (index: number): bigint => BigInt(index)

const askings: Readonly<Partial<Record<string, Asking>>> = {
  all: { type: 'bool', of: (list, ask, at) => list.every(holds(ask, at)) },
  none: { type: 'bool', of: (list, ask, at) => !list.some(holds(ask, at)) },
  any: { type: 'bool', of: (list, ask, at) => list.some(holds(ask, at)) },
  one: { type: 'bool', of: (list, ask, at) => list.filter(holds(ask, at)).length === 1 },
  filter: { type: 'array', of: (list, ask, at) => list.filter(holds(ask, at)) },
  map: { type: 'array', of: (list, ask) => list.map((item, index) => ask?.(item, index) ?? null) },
  count: { type: 'int', isOptional: true, of: (list, ask, at) => BigInt(list.filter(holds(ask, at)).length) },
  find: { type: 'any', of: (list, ask, at) => list.find(holds(ask, at)) ?? null },
  findLast: { type: 'any', of: (list, ask, at) => list.findLast(holds(ask, at)) ?? null },
  findIndex: { type: 'any', of: (list, ask, at) => indexed(list.findIndex(holds(ask, at))) },
  findLastIndex: { type: 'any', of: (list, ask, at) => indexed(list.findLastIndex(holds(ask, at))) },
  sum: {
    type: 'any',
    isOptional: true,
    of: (list, ask, at) =>
      list.reduce<Value>((total, item, index) => {
        const value = ask === undefined ? item : ask(item, index)
        if (!isNumber(value)) throw new FormulaProblem(`invalid argument for sum (type ${typeOf(value)})`, at)
        return operations['+']?.(total, value, at) ?? null
      }, 0n),
  },
  reduce: {
    type: 'any',
    isReducing: true,
    of: (list, ask, at, initial) => {
      if (initial === undefined && list.length === 0)
        throw new FormulaProblem('reduce of an empty list needs an initial value', at)
      const start = initial === undefined ? 1 : 0
      let total: Value = initial === undefined ? (list[0] ?? null) : initial
      for (const [index, item] of list.entries()) if (index >= start) total = ask?.(item, index, total) ?? null
      return total
    },
  },
}

function asking(name: string, asked: Asking, args: readonly Node[], at: number, names: Names): Compiled {
  const [listNode, question, initialNode, ...more] = args
  const isEnough = listNode !== undefined && (question !== undefined || asked.isOptional)
  if (!isEnough) throw new FormulaProblem(`not enough arguments to call ${name}`, at)
  if (more.length > 0 || (initialNode !== undefined && !asked.isReducing))
    throw new FormulaProblem(`too many arguments to call ${name}`, at)
  const list = compiled(listNode, names)
  if (list.type !== 'array' && list.type !== 'any')
    throw new FormulaProblem(`builtin ${name} takes only array (got ${shown(list.type)})`, at)
  const body = question === undefined ? undefined : compiled(question.kind === 'predicate' ? question.body : question, names).run
  const initial = initialNode === undefined ? undefined : compiled(initialNode, names).run
  return {
    type: asked.type,
    run: scope => {
      const items = listOf(list.run(scope), name, at)
      const ask: Ask | undefined =
        body === undefined
          ? undefined
          : (item, index, total = null) => {
              spend(scope.work, 1, at)
              scope.elements.push({ item, index: BigInt(index), total })
              try {
                return body(scope)
              } finally {
                scope.elements.pop()
              }
            }
      spend(scope.work, items.length, at)
      return asked.of(items, ask, at, initial?.(scope))
    },
  }
}

function member(of: Compiled, key: Compiled, isOptional: boolean, at: number): Compiled {
  if (!['array', 'map', 'string', 'any', ...(isOptional ? ['nil'] : [])].includes(of.type))
    throw new FormulaProblem(`type ${shown(of.type)} has no member`, at)
  return {
    type: 'any',
    run: scope => {
      const whole = of.run(scope)
      if (whole === null && isOptional) return null
      const place = key.run(scope)
      if (whole instanceof Map && typeof place === 'string') return whole.get(place) ?? null
      if ((Array.isArray(whole) || typeof whole === 'string') && typeof place === 'bigint') {
        const index = Number(place < 0n ? place + BigInt(whole.length) : place)
        if (index < 0 || index >= whole.length)
          throw new FormulaProblem(`index out of range: ${place} (list length is ${whole.length})`, at)
        return whole[index] ?? null
      }
      throw new FormulaProblem(`cannot fetch ${typeOf(place)} from ${typeOf(whole)}`, at)
    },
  }
}

function slice({ of, from, to, at }: Extract<Node, { kind: 'slice' }>, names: Names): Compiled {
  const whole = compiled(of, names)
  const [first, last] = [from, to].map(node => (node === undefined ? undefined : compiled(node, names).run))
  return {
    type: whole.type === 'string' ? 'string' : 'array',
    run: scope => {
      const value = whole.run(scope)
      if (!Array.isArray(value) && typeof value !== 'string') throw new FormulaProblem(`cannot slice ${typeOf(value)}`, at)
      const bound = (run: Run | undefined): number | undefined => {
        const place = run?.(scope)
        if (place === undefined) return undefined
        if (typeof place !== 'bigint') throw new FormulaProblem(`cannot slice by ${typeOf(place)}`, at)
        return Number(BigInt.asIntN(32, place))
      }
      spend(scope.work, value.length, at)
      return value.slice(bound(first), bound(last))
    },
  }
}

function mapOf(entries: readonly (readonly [Node, Node])[], at: number, names: Names): Compiled {
  const runs = entries.map(([key, value]) => [compiled(key, names).run, compiled(value, names).run] as const)
  return {
    type: 'map',
    run: scope => {
      spend(scope.work, runs.length, at)
      return new Map(
        runs.map(([key, value]) => {
          const name = key(scope)
          if (typeof name !== 'string') throw new FormulaProblem(`a map key must be a string, not ${typeOf(name)}`, at)
          return [name, value(scope)]
        }),
      )
    },
  }
}

function declaration({ name, value, body, at }: Extract<Node, { kind: 'let' }>, names: Names): Compiled {
  if (names.known.has(name) || functions.has(name) || Object.hasOwn(askings, name))
    throw new FormulaProblem(`cannot redeclare ${name}`, at)
  if (names.variables.has(name)) throw new FormulaProblem(`cannot redeclare variable ${name}`, at)
  const { place } = names
  const given = compiled(value, { ...names, place: place + 1 })
  const variables = new Map([...names.variables, [name, { place, type: given.type }]])
  const rest = compiled(body, { ...names, variables, place: place + 1 })
  return {
    type: rest.type,
    run: scope => {
      scope.variables[place] = given.run(scope)
      return rest.run(scope)
    },
  }
}
