// The type checker of CEL: the type of every part of an expression, which overloads it may call, and what is wrong with it, in the
// words of kube-apiserver's.
import { isBadLiteral } from './cel-literals.ts'
import { type Fold, type Plain, type PlainCall, plainForm } from './cel-plain.ts'
import { type Overload, overloadsOf } from './cel-signatures.ts'
import { CelError, parseCel } from './cel-syntax.ts'
import {
  assigned,
  boolType,
  type CelType,
  dynType,
  errorType,
  intType,
  isDynamic,
  isExactly,
  listType,
  mapType,
  moreGeneral,
  optionalType,
  paramType,
  type Substitutions,
  simpleType,
  substituted,
  typeText,
  unwrapped,
} from './cel-types.ts'

export interface CheckedCel {
  readonly tree: Plain
  readonly type: CelType
  readonly typeOf: (node: Plain) => CelType
  /** The ids of the overloads that a call may end in. */
  readonly overloadsOf: (call: Plain) => readonly string[]
  /** The whole name of a call whose receiver is only the front of it: `lists.range`. */
  readonly wholeNameOf: (call: Plain) => string | undefined
  /** The variables of the environment that are named. */
  readonly names: ReadonlySet<string>
}

type CheckOutcome =
  | { readonly ok: true; readonly checked: CheckedCel }
  /** All that is wrong, each with its place in the source, as `ERROR: <input>:1:5: …`. */
  | { readonly ok: false; readonly problem: string }

/** Types an expression over `variables`. */
export function checkCel(source: string, variables: ReadonlyMap<string, CelType>): CheckOutcome {
  try {
    const tree = plainForm(parseCel(source))
    const checker = new Checker(variables)
    const checked = checker.whole(tree)
    if (checker.problems.length === 0) return { ok: true, checked }
    return { ok: false, problem: problemsText(source, checker.problems) }
  } catch (error) {
    if (!(error instanceof CelError)) throw error
    return {
      ok: false,
      problem: problemsText(
        source,
        error.all.map(({ at, message }) => ({ at: at ?? 0, message })),
      ),
    }
  }
}

interface Problem {
  readonly at: number
  readonly message: string
}

const mostProblems = 100

function problemsText(source: string, problems: readonly Problem[]): string {
  const sorted = problems.toSorted((left, right) => left.at - right.at).slice(0, mostProblems)
  return sorted.map(problem => problemText(source, problem)).join('\n')
}

/** A problem with its line, and with a mark under its place. Columns are characters. */
function problemText(source: string, { at, message }: Problem): string {
  // Nothing has no first character.
  if (source === '') return `ERROR: <input>:1:0: ${message}`
  const before = source.slice(0, at).split('\n')
  const column = [...(before.at(-1) ?? '')].length
  const line = (source.split('\n')[before.length - 1] ?? '').replaceAll('\t', ' ')
  const characters = [...line]
  const isWide = (character: string | undefined) => character !== undefined && character > '\x7f'
  const dots = characters.slice(0, column).map(character => (isWide(character) ? '．' : '.'))
  const mark = isWide(characters[column]) ? '＾' : '^'
  return `ERROR: <input>:${before.length}:${column + 1}: ${message}\n | ${line}\n | ${dots.join('')}${mark}`
}

/** Names of types that an expression may say. */
const typeNames: ReadonlyMap<string, CelType> = new Map([
  ...['bool', 'bytes', 'double', 'int', 'string', 'uint'].map((name): [string, CelType] => [name, typeOfType(simpleType(name))]),
  ['list', typeOfType(listType(dynType))],
  ['map', typeOfType(mapType(dynType, dynType))],
  ['null_type', typeOfType(simpleType('null'))],
  ['type', typeOfType({ kind: 'type', name: 'type', params: [] })],
  ['optional_type', typeOfType(optionalType(dynType))],
  ['google.protobuf.Duration', typeOfType(simpleType('duration'))],
  ['google.protobuf.Timestamp', typeOfType(simpleType('timestamp'))],
])

function typeOfType(type: CelType | undefined): CelType {
  return { kind: 'type', name: 'type', params: type === undefined ? [] : [type] }
}

class Checker {
  readonly problems: Problem[] = []
  readonly #variables: ReadonlyMap<string, CelType>
  readonly #locals: Map<string, CelType>[] = []
  readonly #types = new Map<Plain, CelType>()
  readonly #overloads = new Map<Plain, readonly string[]>()
  readonly #wholeNames = new Map<Plain, string>()
  readonly #names = new Set<string>()
  #known: Substitutions = new Map()
  #free = 0

  constructor(variables: ReadonlyMap<string, CelType>) {
    this.#variables = variables
  }

  whole(tree: Plain): CheckedCel {
    this.#check(tree)
    for (const [node, type] of this.#types) this.#types.set(node, substituted(this.#known, type, true))
    if (this.problems.length === 0) this.#checkLiterals()
    return {
      tree,
      type: this.#types.get(tree) ?? errorType,
      typeOf: node => this.#types.get(node) ?? errorType,
      overloadsOf: node => this.#overloads.get(node) ?? [],
      wholeNameOf: node => this.#wholeNames.get(node),
      names: this.#names,
    }
  }

  #report(at: number, message: string): void {
    this.problems.push({ at, message })
  }

  #check(node: Plain): CelType {
    const type = this.#typeOf(node)
    this.#types.set(node, type)
    return type
  }

  #typeOf(node: Plain): CelType {
    switch (node.kind) {
      case 'literal':
        return simpleType(node.type) ?? errorType
      case 'name': {
        const found = this.#lookUp(node.name)
        if (found !== undefined) return found
        this.#undeclared(node.at, node.name)
        return errorType
      }
      case 'select': {
        const name = node.isTest ? undefined : qualifiedName(node)
        const found = name === undefined ? undefined : this.#lookUp(name)
        if (found !== undefined) return found
        const type = this.#member(node.at, node.operand, node.name, false)
        return node.isTest ? boolType : substituted(this.#known, type)
      }
      case 'call':
        return this.#call(node)
      case 'list':
        return this.#list(node)
      case 'map':
        return this.#map(node)
      case 'fold':
        return this.#fold(node)
    }
  }

  #lookUp(name: string): CelType | undefined {
    for (const scope of this.#locals.toReversed()) {
      const found = scope.get(name)
      if (found !== undefined) return found
    }
    const found = this.#variables.get(name)
    if (found !== undefined) this.#names.add(name)
    return found ?? typeNames.get(name)
  }

  #undeclared(at: number, name: string): void {
    this.#report(at, `undeclared reference to '${name}' (in container '')`)
  }

  #member(at: number, operand: Plain, name: string, isOptional: boolean): CelType {
    const [target, isWithin] = unwrapped(substituted(this.#known, this.#check(operand)))
    const found = this.#memberOf(at, target, name)
    return isWithin || isOptional ? optionalType(found) : found
  }

  #memberOf(at: number, target: CelType, name: string): CelType {
    switch (target.kind) {
      case 'map':
        return target.params[1] ?? dynType
      case 'struct': {
        const field = target.fields?.get(name)
        if (field !== undefined) return field
        // A type of the libraries has no fields at all.
        this.#report(
          at,
          target.fields === undefined ? `unexpected failed resolution of '${target.name}'` : `undefined field '${name}'`,
        )
        return errorType
      }
      case 'param':
        this.#assign([dynType], [target])
        return dynType
      case 'dyn':
      case 'error':
        return dynType
      default:
        this.#report(at, `type '${typeText(target)}' does not support field selection`)
        return dynType
    }
  }

  #assign(values: readonly CelType[], places: readonly CelType[]): boolean {
    const next = assigned(this.#known, values, places)
    if (next !== undefined) this.#known = next
    return next !== undefined
  }

  #call(call: PlainCall): CelType {
    const { at, name, target, args } = call
    if (name === '_?._') {
      const [operand, field] = args
      if (operand === undefined || field?.kind !== 'literal') return errorType
      this.#overloads.set(call, ['select_optional_field'])
      return substituted(this.#known, this.#member(at, operand, String(field.value), true))
    }
    for (const arg of args) this.#check(arg)
    const prefix = target === undefined ? undefined : qualifiedName(target)
    const isWhole = target === undefined || (prefix !== undefined && overloadsOf(`${prefix}.${name}`) !== undefined)
    if (!isWhole) this.#check(target)
    const wholeName = target !== undefined && isWhole ? `${prefix}.${name}` : name
    if (wholeName !== name) this.#wholeNames.set(call, wholeName)
    const overloads = overloadsOf(wholeName)
    if (overloads !== undefined) return this.#resolve(call, wholeName, overloads, isWhole ? undefined : target)
    this.#undeclared(at, name)
    return errorType
  }

  #resolve(call: PlainCall, name: string, overloads: readonly Overload[], target: Plain | undefined): CelType {
    const given = (target === undefined ? call.args : [target, ...call.args]).map(arg => this.#types.get(arg) ?? errorType)
    if (name === '_&&_' || name === '_||_') return this.#logical(call, given, overloads)
    let result: CelType | undefined
    const found: string[] = []
    for (const overload of overloads) {
      if (overload.isMethod !== (target !== undefined)) continue
      const { takes, gives } = this.#instance(overload)
      if (!this.#assign(given, takes)) continue
      found.push(overload.id)
      const type = substituted(this.#known, gives)
      if (result === undefined) result = type
      else if (!isDynamic(result) && !isExactly(result, type)) result = dynType
    }
    if (result !== undefined) {
      this.#overloads.set(call, found)
      return result
    }
    const texts = given.map(type => typeText(substituted(this.#known, type, true)))
    const signature = target === undefined ? `(${texts.join(', ')})` : `${texts[0]}.(${texts.slice(1).join(', ')})`
    this.#report(call.at, `found no matching overload for '${name}' applied to '${signature}'`)
    return errorType
  }

  #logical(call: PlainCall, given: readonly CelType[], overloads: readonly Overload[]): CelType {
    let isFine = true
    for (const [index, type] of given.entries()) {
      if (this.#assign([type], [boolType])) continue
      this.#mismatch(call.args[index]?.at ?? call.at, boolType, type)
      isFine = false
    }
    if (!isFine) return errorType
    this.#overloads.set(
      call,
      overloads.map(({ id }) => id),
    )
    return boolType
  }

  /** An overload with parameters of its own. */
  #instance({ takes, gives }: Overload): Pick<Overload, 'takes' | 'gives'> {
    const names = new Map<string, CelType>()
    const fresh = (type: CelType): CelType => {
      if (type.kind === 'param') {
        const own = names.get(type.name) ?? this.#freeType()
        names.set(type.name, own)
        return own
      }
      return type.params.length === 0 ? type : { ...type, params: type.params.map(fresh) }
    }
    return { takes: takes.map(fresh), gives: fresh(gives) }
  }

  #freeType(): CelType {
    return paramType(`_var${this.#free++}`)
  }

  #list({ items, optional }: Extract<Plain, { kind: 'list' }>): CelType {
    let joined: CelType | undefined
    for (const [index, item] of items.entries()) {
      this.#check(item)
      joined = this.#joined(joined, this.#content(item, optional.has(index)))
    }
    return listType(joined ?? this.#freeType())
  }

  /** The type of what an item or an entry adds. */
  #content(node: Plain, isOptional: boolean): CelType {
    const type = this.#types.get(node) ?? errorType
    if (!isOptional) return type
    const [content, isFine] = unwrapped(type)
    if (!isFine && !isDynamic(content)) this.#mismatch(node.at, optionalType(content), content)
    return content
  }

  #map({ entries }: Extract<Plain, { kind: 'map' }>): CelType {
    let keys: CelType | undefined
    let values: CelType | undefined
    for (const { key, value, isOptional } of entries) {
      keys = this.#joined(keys, this.#check(key))
      this.#check(value)
      values = this.#joined(values, this.#content(value, isOptional))
    }
    return mapType(keys ?? this.#freeType(), values ?? this.#freeType())
  }

  /** Parts of several types are of any type; whether they may be is asked when all is typed. */
  #joined(before: CelType | undefined, type: CelType): CelType {
    if (before === undefined) return type
    return this.#assign([before], [type]) ? moreGeneral(before, type) : dynType
  }

  #mismatch(at: number, wanted: CelType, found: CelType): void {
    this.#report(at, `expected type '${typeText(wanted)}' but found '${typeText(found)}'`)
  }

  #fold({ range, variable, second, accumulator, start, condition, step, result }: Fold): CelType {
    this.#check(range)
    const kept = this.#check(start)
    const within = substituted(this.#known, this.#types.get(range) ?? errorType)
    const [own, other] = this.#loopTypes(range, within, second !== undefined)
    this.#locals.push(new Map([[accumulator, kept]]))
    this.#locals.push(new Map([[variable, own], ...(second === undefined ? [] : [[second, other] as const])]))
    this.#asserted(condition, boolType)
    this.#asserted(step, kept)
    this.#locals.pop()
    const type = this.#check(result)
    this.#locals.pop()
    return substituted(this.#known, type)
  }

  #asserted(node: Plain, wanted: CelType): void {
    const type = this.#check(node)
    if (!this.#assign([wanted], [type])) this.#mismatch(node.at, wanted, type)
  }

  #loopTypes(range: Plain, type: CelType, isDouble: boolean): readonly [CelType, CelType] {
    const [first = dynType, second = dynType] = type.params
    switch (type.kind) {
      case 'list':
        return isDouble ? [intType, first] : [first, first]
      case 'map':
        return [first, second]
      case 'dyn':
      case 'error':
      case 'param':
        this.#assign([dynType], [type])
        return [dynType, dynType]
      default:
        this.#report(
          range.at,
          `expression of type '${typeText(type)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
        )
        return [errorType, errorType]
    }
  }

  /** What is typed is also read where it is a literal: patterns, durations, times; and the parts of lists and maps are of one type. */
  #checkLiterals(): void {
    const exempt = new Set<Plain>()
    for (const node of this.#types.keys()) if (node.kind === 'call' && node.name === 'format') addAll(exempt, node.args)
    for (const node of this.#types.keys()) {
      if (node.kind === 'call') this.#checkLiteralArgument(node)
      if (exempt.has(node)) continue
      if (node.kind === 'list') this.#checkAlike(node.items.map((item, index) => [item, node.optional.has(index)] as const))
      if (node.kind === 'map') {
        this.#checkAlike(node.entries.map(({ key }) => [key, false] as const))
        this.#checkAlike(node.entries.map(({ value, isOptional }) => [value, isOptional] as const))
      }
    }
  }

  #checkLiteralArgument({ name, args }: PlainCall): void {
    const [first] = args
    if (first?.kind === 'literal' && isBadLiteral(name, first.value)) this.#report(first.at, `invalid ${name} argument`)
  }

  #checkAlike(nodes: readonly (readonly [node: Plain, isOptional: boolean])[]): void {
    let wanted: CelType | undefined
    for (const [node, isOptional] of nodes) {
      const found = this.#types.get(node) ?? errorType
      const type = isOptional ? unwrapped(found)[0] : found
      wanted ??= type
      if (isExactly(wanted, type)) continue
      this.#mismatch(node.at, wanted, type)
      return
    }
  }
}

/** Adds expressions with the lists and maps that they are made of. */
function addAll(found: Set<Plain>, nodes: readonly Plain[]): void {
  for (const node of nodes) {
    found.add(node)
    if (node.kind === 'list') addAll(found, node.items)
    if (node.kind === 'map')
      addAll(
        found,
        node.entries.flatMap(({ key, value }) => [key, value]),
      )
  }
}

/** `a.b.c` where an expression is nothing but names. */
function qualifiedName(node: Plain): string | undefined {
  if (node.kind === 'name') return node.name
  if (node.kind !== 'select' || node.isTest) return undefined
  const prefix = qualifiedName(node.operand)
  return prefix === undefined ? undefined : `${prefix}.${node.name}`
}
