// What an expression may cost at most, by the sizes that its types allow: the estimate by which kube-apiserver takes rules or refuses
// them. Facts of cel-go 0.26 and apiserver's cel/library.
import { type Costed, callCost, type KnownCall } from './cel-call-cost.ts'
import type { CheckedCel } from './cel-check.ts'
import { type Fold, isAccumulator, isBinding, type Plain, type PlainCall } from './cel-plain.ts'
import { added, anything, exactly, joined, multiplied, type Range, unlimited } from './cel-ranges.ts'
import type { CelType } from './cel-types.ts'

/**
 * How many characters, items or entries a part of a variable may have: by the names on the way to it, with `@items`, `@keys` and
 * `@values` for what lists and maps hold. Undefined: nobody knows.
 */
type SizeOf = (path: readonly string[]) => number | undefined

/** What a checked expression costs at most, in steps. */
export function estimatedCost(checked: CheckedCel, sizeOf: SizeOf): number {
  return new Coster(checked, sizeOf).cost(checked.tree).max
}

/** Sizes of what a list or a map holds. */
interface Contents {
  readonly kind: 'list' | 'map'
  readonly keys: Range
  readonly values: Range
}

interface Local {
  readonly path: readonly string[]
  readonly size: Range | undefined
  readonly contents: Contents | undefined
}

const listCost = 10
const mapCost = 30
const none: Range = exactly(0)

class Coster {
  readonly #checked: CheckedCel
  readonly #sizeOf: SizeOf
  readonly #paths = new Map<Plain, readonly string[]>()
  readonly #sizes = new Map<Plain, Range>()
  readonly #contents = new Map<Plain, Contents>()
  readonly #locals = new Map<string, Local[]>()

  constructor(checked: CheckedCel, sizeOf: SizeOf) {
    this.#checked = checked
    this.#sizeOf = sizeOf
  }

  cost(node: Plain): Range {
    switch (node.kind) {
      case 'literal':
        return none
      case 'name':
        this.#paths.set(node, this.#local(node.name)?.path ?? [node.name])
        return exactly(1)
      case 'select': {
        const operand = this.cost(node.operand)
        // A question whether a field is there costs nothing by itself.
        if (node.isTest) return operand
        const { kind } = this.#checked.typeOf(node.operand)
        this.#paths.set(node, [...this.#pathOf(node.operand), node.name])
        return kind === 'map' || kind === 'struct' || kind === 'param' ? added(operand, exactly(1)) : operand
      }
      case 'call':
        return this.#call(node)
      case 'list':
        return this.#list(node)
      case 'map':
        return this.#map(node)
      case 'fold':
        return isBinding(node) ? this.#binding(node) : this.#fold(node)
    }
  }

  #local(name: string): Local | undefined {
    return this.#locals.get(name)?.at(-1)
  }

  #push(name: string, local: Local): void {
    this.#locals.set(name, [...(this.#locals.get(name) ?? []), local])
  }

  #pop(name: string): void {
    this.#locals.set(name, this.#locals.get(name)?.slice(0, -1) ?? [])
  }

  #pathOf(node: Plain): readonly string[] {
    const local = node.kind === 'name' ? this.#local(node.name) : undefined
    return local?.path ?? this.#paths.get(node) ?? []
  }

  #sizeKnown(node: Plain): Range | undefined {
    const known = this.#sizes.get(node) ?? literalSize(node)
    if (known !== undefined) return known
    const path = this.#pathOf(node)
    const most = path.length === 0 ? undefined : this.#sizeOf(path)
    if (most !== undefined) {
      const size = { min: 0, max: most }
      this.#sizes.set(node, size)
      return size
    }
    if (isScalar(this.#checked.typeOf(node))) return exactly(1)
    return node.kind === 'name' ? this.#local(node.name)?.size : undefined
  }

  #size(node: Plain): Range {
    return this.#sizeKnown(node) ?? anything
  }

  #contentsOf(node: Plain): Contents | undefined {
    const known = this.#contents.get(node)
    return known ?? (node.kind === 'name' ? this.#local(node.name)?.contents : undefined)
  }

  #costed(node: Plain): Costed {
    const path = this.#pathOf(node)
    return {
      node,
      type: this.#checked.typeOf(node),
      size: this.#sizeKnown(node),
      path: isAccumulator(path[0] ?? '') ? [] : path,
    }
  }

  #call(call: PlainCall): Range {
    const { args } = call
    const whole = this.#checked.wholeNameOf(call)
    const name = whole ?? call.name
    const target = whole === undefined ? call.target : undefined
    const [first] = args
    if (name === 'dyn' && first !== undefined) {
      const cost = added(exactly(1), this.cost(first))
      this.#copySizes(call, first)
      return cost
    }
    const known: KnownCall['args'][number][] = []
    for (const arg of args) {
      const cost = this.cost(arg)
      known.push({ ...this.#costed(arg), cost })
    }
    const overloads = this.#checked.overloadsOf(call)
    if (overloads.length === 0) return none
    const own = target === undefined ? none : this.cost(target)
    const receiver = target === undefined ? undefined : this.#costed(target)
    let cost: Range = { min: unlimited, max: 0 }
    let size: Range | undefined
    for (const overload of overloads) {
      const found = callCost({ name, overload, target: receiver, args: known, sizeOf: this.#sizeOf })
      cost = joined(cost, found.cost)
      if (found.size !== undefined) size = size === undefined ? found.size : joined(size, found.size)
      if (overload.startsWith('_[_](list(A)') || overload.startsWith('_[_](map(A')) {
        size = first === undefined ? undefined : this.#contentsOf(first)?.values
        const part = overload.startsWith('_[_](list') ? '@items' : '@values'
        if (first !== undefined) this.#paths.set(call, [...this.#pathOf(first), part])
      }
      this.#keepContents(call, overload)
      size ??= this.#sizeKnown(call)
    }
    if (size !== undefined) this.#sizes.set(call, size)
    return added(own, cost)
  }

  /** What holds what a call gives, holds what either side of it held. */
  #keepContents(call: PlainCall, overload: string): void {
    const sides = overload.startsWith('_?_:_') ? call.args.slice(1) : /^_\+_\((string|bytes|list)/.test(overload) ? call.args : []
    const [left, right] = sides.map(side => this.#contentsOf(side))
    if (left === undefined || right === undefined) return
    this.#contents.set(call, { kind: left.kind, keys: joined(left.keys, right.keys), values: joined(left.values, right.values) })
  }

  #copySizes(to: Plain, from: Plain): void {
    const size = this.#sizeKnown(from)
    const contents = this.#contentsOf(from)
    if (size !== undefined) this.#sizes.set(to, size)
    if (contents !== undefined) this.#contents.set(to, contents)
  }

  #list(node: Extract<Plain, { kind: 'list' }>): Range {
    let cost = exactly(listCost)
    for (const item of node.items) cost = added(cost, this.cost(item))
    this.#contents.set(node, { kind: 'list', keys: exactly(1), values: this.#joinedSizes(node.items) })
    return cost
  }

  #map(node: Extract<Plain, { kind: 'map' }>): Range {
    let cost = exactly(mapCost)
    for (const { key, value } of node.entries) cost = added(cost, this.cost(key), this.cost(value))
    const keys = this.#joinedSizes(node.entries.map(({ key }) => key))
    const values = this.#joinedSizes(node.entries.map(({ value }) => value))
    this.#contents.set(node, { kind: 'map', keys, values })
    return cost
  }

  #joinedSizes(nodes: readonly Plain[]): Range {
    const empty: Range = { min: nodes.length === 0 ? 0 : unlimited, max: 0 }
    return nodes.reduce((range, node) => joined(range, this.#size(node)), empty)
  }

  #pushLoopVariable(name: string, range: Plain, part: 'key' | 'value' | 'single'): void {
    const contents = this.#contentsOf(range)
    const isList = (contents?.kind ?? this.#checked.typeOf(range).kind) === 'list'
    const isValue = part === 'value' || (part === 'single' && isList)
    const step = isValue ? (isList ? '@items' : '@values') : isList ? '@indices' : '@keys'
    const size = isValue ? contents?.values : contents?.keys
    this.#push(name, { path: [...this.#pathOf(range), step], size, contents: undefined })
  }

  #pushValue(name: string, value: Plain): void {
    this.#push(name, { path: this.#pathOf(value), size: this.#sizeKnown(value), contents: this.#contentsOf(value) })
  }

  #fold(fold: Fold): Range {
    const { range, start, variable, second, accumulator, condition, step, result } = fold
    let sum = added(this.cost(range), this.cost(start))
    this.#pushValue(accumulator, start)
    this.#pushLoopVariable(variable, range, second === undefined ? 'single' : 'key')
    if (second !== undefined) this.#pushLoopVariable(second, range, 'value')
    const round = added(this.cost(condition), this.cost(step))
    this.#pop(variable)
    if (second !== undefined) this.#pop(second)
    sum = added(sum, this.cost(result))
    this.#pop(accumulator)
    const rounds = this.#size(range)
    if (start.kind === 'literal') this.#sizes.set(fold, literalSize(start) ?? exactly(1))
    if (start.kind === 'list' || start.kind === 'map') {
      this.#sizes.set(fold, rounds)
      const contents = this.#contentsOf(step)
      if (contents !== undefined) this.#contents.set(fold, contents)
    }
    return added(sum, multiplied(rounds, round))
  }

  #binding(fold: Fold): Range {
    let sum = added(this.cost(fold.range), this.cost(fold.start))
    this.#pushValue(fold.accumulator, fold.start)
    sum = added(sum, this.cost(fold.result))
    this.#pop(fold.accumulator)
    this.#copySizes(fold, fold.result)
    return sum
  }
}

function literalSize(node: Plain): Range | undefined {
  switch (node.kind) {
    case 'literal':
      return exactly(typeof node.value === 'string' ? [...node.value].length : 1)
    case 'list':
      return exactly(node.items.length)
    case 'map':
      return exactly(node.entries.length)
    default:
      return undefined
  }
}

function isScalar({ kind, name, params: [content] }: CelType): boolean {
  if (kind === 'opaque' && name === 'optional_type') return content !== undefined && isScalar(content)
  return ['bool', 'double', 'duration', 'int', 'timestamp', 'uint'].includes(kind)
}
