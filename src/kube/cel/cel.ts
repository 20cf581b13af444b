// Evaluates CEL on JSON values: the core language, its macros, and the parts of Kubernetes' libraries that conditions of
// webhooks and rules of custom kinds use most.
import { isFields, isSame } from './cel-equality.ts'
import { globalFunction, heldBy, isNumeric, method, typeName } from './cel-functions.ts'
import { isSpace, spaceFunction } from './cel-library.ts'
import { CelError, type Expression, parseCel } from './cel-syntax.ts'
import { timeOrder, timeSum } from './cel-times.ts'
import { absent, CelType, CelValue, MapWithDefault, Optional } from './cel-values.ts'

type CelOutcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly problem: string }

type Scope = Readonly<Record<string, unknown>>

/** Steps one evaluation may take. */
const stepLimit = 1_000_000
/** Expressions kept compiled; with more all are forgotten. */
const mostExpressions = 10_000
const compiled = new Map<string, Expression>()

/** The value of an expression, or what is wrong with it. */
export function evaluateCel(source: string, scope: Scope): CelOutcome {
  try {
    let tree = compiled.get(source)
    if (tree === undefined) {
      tree = parseCel(source)
      if (compiled.size >= mostExpressions) compiled.clear()
      compiled.set(source, tree)
    }
    const value = new Evaluation().value(tree, scope)
    return { ok: true, value: outgoing(value) }
  } catch (error) {
    if (error instanceof CelError || error instanceof RangeError) return { ok: false, problem: error.message }
    throw error
  }
}

function outgoing(value: unknown): unknown {
  if (value instanceof Optional) return outgoing(value.content)
  return value instanceof CelValue ? value.text : value
}

/** Why a text is no expression. */
export function celProblem(source: string): string | undefined {
  try {
    parseCel(source)
    return undefined
  } catch (error) {
    if (error instanceof CelError) return error.message
    throw error
  }
}

/** Whether an expression names a variable. */
export function mentions(source: string, name: string): boolean {
  return source.split(/[^A-Za-z0-9_]+/).includes(name)
}

class Evaluation {
  #steps = 0

  value(expression: Expression, scope: Scope): unknown {
    if (++this.#steps > stepLimit)
      throw new CelError('validation failed due to running out of cost budget, no further validation rules will be run')
    switch (expression.kind) {
      case 'literal':
        return expression.value
      case 'name':
        if (Object.hasOwn(scope, expression.name)) return scope[expression.name]
        if (typeNames.has(expression.name)) return new CelType(expression.name)
        throw new CelError(`undeclared reference to '${expression.name}'`)
      case 'field':
        return this.#field(this.value(expression.target, scope), expression.name, expression.isOptional)
      case 'index':
        return this.#index(this.value(expression.target, scope), this.value(expression.index, scope), expression.isOptional)
      case 'list':
        return expression.items.flatMap((item, index) => {
          const value = this.value(item, scope)
          return expression.optional.has(index) ? present(value) : [value]
        })
      case 'map':
        return Object.fromEntries(
          expression.entries.flatMap(({ key, value, isOptional }) => {
            const name = String(this.value(key, scope))
            const found = this.value(value, scope)
            return (isOptional ? present(found) : [found]).map(content => [name, content])
          }),
        )
      case 'choice':
        return this.value(this.#isTrue(expression.condition, scope) ? expression.then : expression.otherwise, scope)
      case 'unary':
        return this.#unary(expression.operator, this.value(expression.operand, scope))
      case 'binary':
        return this.#binary(expression, scope)
      case 'call':
        return this.#call(expression, scope)
    }
  }

  #isTrue(expression: Expression, scope: Scope): boolean {
    const value = this.value(expression, scope)
    if (typeof value !== 'boolean') throw new CelError('no such overload: expected a bool')
    return value
  }

  #field(target: unknown, name: string, isOptional: boolean): unknown {
    if (target instanceof Optional) {
      if (!target.isPresent) return absent
      const inner = this.#field(target.content, name, true)
      return inner
    }
    if (target instanceof MapWithDefault) return isOptional ? new Optional(target.get(name), true) : target.get(name)
    if (!isFields(target) || !Object.hasOwn(target, name) || target[name] === undefined) {
      const plain = name.includes('__') ? unescapedName(name) : name
      if (plain !== name && isFields(target) && Object.hasOwn(target, plain)) return this.#field(target, plain, isOptional)
      if (isOptional) return absent
      throw new CelError(`no such key: ${name}`)
    }
    return isOptional ? new Optional(target[name], true) : target[name]
  }

  #index(target: unknown, index: unknown, isOptional: boolean): unknown {
    if (target instanceof Optional) return target.isPresent ? this.#index(target.content, index, true) : absent
    if (Array.isArray(target)) {
      const found = typeof index === 'number' ? target[index] : undefined
      if (typeof index !== 'number' || index < 0 || index >= target.length) {
        if (isOptional) return absent
        throw new CelError(`index out of bounds: ${String(index)}`)
      }
      return isOptional ? new Optional(found, true) : found
    }
    return this.#field(target, String(index), isOptional)
  }

  #unary(operator: '!' | '-', operand: unknown): unknown {
    if (operator === '!' && typeof operand === 'boolean') return !operand
    if (operator === '-' && typeof operand === 'number') return -operand
    if (operator === '-' && typeof operand === 'bigint') return int64(-operand)
    throw new CelError(`no such overload: ${operator}${typeName(operand)}`)
  }

  #binary({ operator, left, right }: Extract<Expression, { kind: 'binary' }>, scope: Scope): unknown {
    if (operator === '&&' || operator === '||') return this.#logical(operator, left, right, scope)
    const a = this.value(left, scope)
    const b = operator === 'in' ? heldBy(this.value(right, scope)) : this.value(right, scope)
    switch (operator) {
      case '==':
        return isSame(a, b)
      case '!=':
        return !isSame(a, b)
      case 'in':
        if (Array.isArray(b)) return b.some(item => isSame(item, a))
        if (isFields(b)) return Object.hasOwn(b, String(a))
        throw new CelError('no such overload: in')
      case '+':
        if (typeof a === 'string' && typeof b === 'string') return a + b
        if (Array.isArray(a) && Array.isArray(b)) return [...a, ...b]
        break
      default:
        if (typeof a === 'string' && typeof b === 'string') return compared(operator, a < b ? -1 : a > b ? 1 : 0)
    }
    if (a instanceof CelValue || b instanceof CelValue) {
      const found = operator === '+' || operator === '-' ? timeSum(operator, a, b) : timeOrder(a, b)
      if (found !== undefined) return typeof found === 'number' ? compared(operator, found) : found
    }
    if (isNumeric(a) && isNumeric(b)) return calculated(operator, a, b)
    throw new CelError(`no such overload: ${typeName(a)} ${operator} ${typeName(b)}`)
  }

  /** An error on one side does not matter where the other side decides. */
  #logical(operator: '&&' | '||', left: Expression, right: Expression, scope: Scope): boolean {
    const decisive = operator === '||'
    let failure: CelError | undefined
    for (const side of [left, right]) {
      try {
        if (this.#isTrue(side, scope) === decisive) return decisive
      } catch (error) {
        if (!(error instanceof CelError)) throw error
        failure ??= error
      }
    }
    if (failure !== undefined) throw failure
    return !decisive
  }

  #call({ target, name, args }: Extract<Expression, { kind: 'call' }>, scope: Scope): unknown {
    if (target === undefined) return this.#function(name, args, scope)
    const [first, second, third] = args
    if (target.kind === 'name' && target.name === 'cel' && name === 'bind' && first?.kind === 'name' && second && third)
      return this.value(third, { ...scope, [first.name]: this.value(second, scope) })
    if (first?.kind === 'name' && second?.kind === 'name' && third !== undefined && doubleLoops.has(name))
      return this.#doubleLoop(name, this.value(target, scope), [first.name, second.name], args.slice(2), scope)
    if (first?.kind === 'name' && second !== undefined && (name === 'optMap' || name === 'optFlatMap')) {
      const found = this.value(target, scope)
      if (!(found instanceof Optional)) throw new CelError(`no such overload: ${name}`)
      if (!found.isPresent) return absent
      const made = this.value(second, { ...scope, [first.name]: found.content })
      return name === 'optMap' ? new Optional(made, true) : made
    }
    if (first?.kind === 'name' && second !== undefined && comprehensions.has(name))
      return this.#comprehension(name, heldBy(this.value(target, scope)), first.name, args.slice(1), scope)
    if (target.kind === 'name' && target.name === 'optional')
      return name === 'none' ? absent : new Optional(first === undefined ? undefined : this.value(first, scope), true)
    if (target.kind === 'name' && !Object.hasOwn(scope, target.name) && isSpace(target.name))
      return spaceFunction(
        `${target.name}.${name}`,
        args.map(argument => this.value(argument, scope)),
      )
    return method(
      name,
      this.value(target, scope),
      args.map(argument => this.value(argument, scope)),
    )
  }

  #function(name: string, args: readonly Expression[], scope: Scope): unknown {
    const [first] = args
    if (name === 'has' && first?.kind === 'field') {
      const target = this.value(first.target, scope)
      // A key that the map makes up is there too.
      if (target instanceof MapWithDefault) return true
      const has = (field: string) => isFields(target) && Object.hasOwn(target, field) && target[field] !== undefined
      return has(first.name) || (first.name.includes('__') && has(unescapedName(first.name)))
    }
    const values = args.map(argument => this.value(argument, scope))
    return globalFunction(name, values)
  }

  #doubleLoop(
    name: string,
    target: unknown,
    [key, item]: readonly [string, string],
    bodies: readonly Expression[],
    scope: Scope,
  ): unknown {
    const range = heldBy(target)
    const entries: readonly (readonly [unknown, unknown])[] = Array.isArray(range)
      ? [...range.entries()]
      : isFields(range)
        ? Object.entries(range)
        : []
    const [first, second] = bodies
    if (first === undefined || (!Array.isArray(range) && !isFields(range))) throw new CelError(`no such overload: ${name}`)
    const within = (entry: readonly [unknown, unknown]) => ({ ...scope, [key]: entry[0], [item]: entry[1] })
    if (!name.startsWith('transform')) {
      const holds = (entry: readonly [unknown, unknown]) => this.#isTrue(first, within(entry))
      if (name === 'all') return entries.every(holds)
      return name === 'exists' ? entries.some(holds) : entries.filter(holds).length === 1
    }
    const kept = second === undefined ? entries : entries.filter(entry => this.#isTrue(first, within(entry)))
    const made = kept.map(entry => [entry[0], this.value(second ?? first, within(entry))] as const)
    if (name === 'transformList') return made.map(([, value]) => value)
    if (name === 'transformMap') return Object.fromEntries(made.map(([name, value]) => [String(name), value]))
    return Object.assign({}, ...made.map(([, value]) => (isFields(value) ? value : {})))
  }

  #comprehension(name: string, target: unknown, variable: string, bodies: readonly Expression[], scope: Scope): unknown {
    const items: readonly unknown[] = Array.isArray(target) ? target : isFields(target) ? Object.keys(target) : []
    const [body, result] = bodies
    if (body === undefined || (!Array.isArray(target) && !isFields(target))) throw new CelError(`no such overload: ${name}`)
    const holds = (item: unknown, expression = body) => this.#isTrue(expression, { ...scope, [variable]: item })
    switch (name) {
      case 'all':
        return items.every(item => holds(item))
      case 'exists':
        return items.some(item => holds(item))
      case 'exists_one':
        return items.filter(item => holds(item)).length === 1
      case 'filter':
        return items.filter(item => holds(item))
      default:
        return result === undefined
          ? items.map(item => this.value(body, { ...scope, [variable]: item }))
          : items.filter(item => holds(item)).map(item => this.value(result, { ...scope, [variable]: item }))
    }
  }
}

const escapes: Readonly<Record<string, string>> = { __underscores__: '__', __dot__: '.', __dash__: '-', __slash__: '/' }

/** The name of a field by what rules call it: `a__dot__b`, `__namespace__`. */
function unescapedName(name: string): string {
  return name.replaceAll(/__(?:underscores|dot|dash|slash)__/g, part => escapes[part] ?? part).replace(/^__([a-z]+)__$/, '$1')
}

/** What an optional value adds to a list or a map. */
function present(value: unknown): readonly unknown[] {
  if (!(value instanceof Optional)) throw new CelError('no such overload: expected an optional')
  return value.isPresent ? [value.content] : []
}

/** Loops over places and items of a list, or keys and values of a map. */
const doubleLoops = new Set(['all', 'exists', 'existsOne', 'exists_one', 'transformList', 'transformMap', 'transformMapEntry'])

/** Names that mean a type where no variable has them. */
const typeNames = new Set(['bool', 'bytes', 'double', 'int', 'list', 'map', 'null_type', 'string', 'type', 'uint'])

const comprehensions = new Set(['all', 'exists', 'exists_one', 'filter', 'map'])

/** An int of CEL: a bigint only where a number does not hold it. */
function int64(value: bigint): number | bigint {
  if (BigInt.asIntN(64, value) !== value) throw new CelError('integer overflow')
  const narrow = Number(value)
  return Number.isSafeInteger(narrow) ? narrow : value
}

function calculated(operator: string, a: number | bigint, b: number | bigint): unknown {
  if (typeof a === 'number' && typeof b === 'number') return arithmetic(operator, a, b)
  if ((typeof a === 'number' && !Number.isInteger(a)) || (typeof b === 'number' && !Number.isInteger(b)))
    return arithmetic(operator, Number(a), Number(b))
  return wideArithmetic(operator, BigInt(a), BigInt(b))
}

function wideArithmetic(operator: string, a: bigint, b: bigint): unknown {
  switch (operator) {
    case '+':
      return int64(a + b)
    case '-':
      return int64(a - b)
    case '*':
      return int64(a * b)
    case '/':
      if (b === 0n) throw new CelError('division by zero')
      return int64(a / b)
    case '%':
      if (b === 0n) throw new CelError('modulus by zero')
      return int64(a % b)
    default:
      return compared(operator, a < b ? -1 : a > b ? 1 : 0)
  }
}

function arithmetic(operator: string, a: number, b: number): unknown {
  const isWhole = Number.isInteger(a) && Number.isInteger(b)
  switch (operator) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      if (isWhole && b === 0) throw new CelError('division by zero')
      return isWhole ? Math.trunc(a / b) : a / b
    case '%':
      if (b === 0) throw new CelError('modulus by zero')
      return a % b
    default:
      return compared(operator, a - b)
  }
}

function compared(operator: string, order: number): boolean {
  switch (operator) {
    case '<':
      return order < 0
    case '<=':
      return order <= 0
    case '>':
      return order > 0
    case '>=':
      return order >= 0
    default:
      throw new CelError(`no such operator: ${operator}`)
  }
}
