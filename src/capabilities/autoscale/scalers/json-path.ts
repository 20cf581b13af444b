// Paths of gjson, as triggers write them: names between dots with `\` before special characters, wildcards, places in lists, `#` for how many
// or for all, `#(name=="x")` for what fits. Modifiers that only arrange a value are known by name; the others are refused.
import { at } from '#kube/objects/object-fields.ts'
import { TriggerProblem } from '../triggers/parameters.ts'

type Read = (value: unknown) => unknown

/** Levels of queries in queries. */
const mostDepth = 8

/** Reads a path once; what it leads to in a value, undefined for nothing. @throws TriggerProblem */
export function jsonPath(path: string): Read {
  return new PathReader(path).all(0)
}

interface Step {
  readonly apply: Read
  /** All that follows a dot is meant of each item. */
  readonly isEach: boolean
}

class PathReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  all(depth: number): Read {
    if (depth > mostDepth) throw this.#wrong('too many queries in each other')
    const { apply, isEach } = this.#step(depth)
    if (this.#at >= this.#text.length) return apply
    const separator = this.#text[this.#at++]
    const rest = this.all(depth)
    if (isEach && separator === '.')
      return value => {
        const items = apply(value)
        return Array.isArray(items) ? items.map(rest).filter(found => found !== undefined) : undefined
      }
    return value => rest(apply(value))
  }

  #step(depth: number): Step {
    if (this.#text[this.#at] === '#') return this.#listStep(depth)
    if (this.#text[this.#at] === '@') return { apply: this.#modifier(), isEach: false }
    const name = this.#name()
    const pattern = wildcard(name)
    const plain = name.replaceAll(/\\(.)/gs, '$1')
    if (pattern === undefined) return { apply: value => child(value, plain), isEach: false }
    return { apply: value => entriesOf(value).find(([key]) => pattern.test(key))?.[1], isEach: false }
  }

  #listStep(depth: number): Step {
    this.#at++
    if (this.#text[this.#at] !== '(') {
      // At the end of a path it counts, else it means each item.
      if (this.#at >= this.#text.length || this.#text[this.#at] === '|') return { apply: count, isEach: false }
      if (this.#text[this.#at] !== '.') throw this.#wrong('expected a dot after #')
      return { apply: list, isEach: true }
    }
    const fits = queryOf(this.#inParentheses(), depth + 1)
    const isAll = this.#text[this.#at] === '#'
    if (isAll) this.#at++
    return isAll
      ? { apply: value => list(value)?.filter(fits), isEach: true }
      : { apply: value => list(value)?.find(fits), isEach: false }
  }

  #inParentheses(): string {
    const from = this.#at + 1
    let open = 0
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at]
      if (char === '\\') this.#at++
      else if (char === '"') this.#skipQuoted()
      else if (char === '(') open++
      else if (char === ')' && --open === 0) return this.#text.slice(from, this.#at++)
    }
    throw this.#wrong('a parenthesis is not closed')
  }

  #skipQuoted(): void {
    for (this.#at++; this.#at < this.#text.length && this.#text[this.#at] !== '"'; this.#at++)
      if (this.#text[this.#at] === '\\') this.#at++
  }

  #modifier(): Read {
    const from = this.#at
    while (this.#at < this.#text.length && !'.|'.includes(this.#text[this.#at] ?? '')) this.#at++
    const name = this.#text.slice(from, this.#at)
    const found = Object.hasOwn(modifiers, name) ? modifiers[name] : undefined
    if (found === undefined) throw this.#wrong(`the modifier ${name} is not known here`)
    return found
  }

  /** To the next dot or bar, as it is written. */
  #name(): string {
    const from = this.#at
    for (; this.#at < this.#text.length && !'.|'.includes(this.#text[this.#at] ?? ''); this.#at++)
      if (this.#text[this.#at] === '\\') this.#at++
    return this.#text.slice(from, this.#at)
  }

  #wrong(why: string): TriggerProblem {
    return new TriggerProblem(`valueLocation ${JSON.stringify(this.#text)}: ${why}`)
  }
}

/** More would let an expression take for ever over a long text. */
const mostStars = 2

/** What fits a text with `*` and `?`; undefined where it has none of them. @throws TriggerProblem for too many `*` */
function wildcard(text: string): { test(found: string): boolean } | undefined {
  const pieces = [...text.matchAll(/\\(.)|(.)/gs)].map(([, escaped, plain = '']) => ({
    char: escaped ?? plain,
    isPlain: escaped !== undefined,
  }))
  const isStar = ({ char, isPlain }: (typeof pieces)[number]) => !isPlain && char === '*'
  if (!pieces.some(piece => isStar(piece) || (piece.char === '?' && !piece.isPlain))) return undefined
  if (pieces.filter(isStar).length > mostStars) throw new TriggerProblem(`${JSON.stringify(text)}: more than ${mostStars} *`)
  const pattern = pieces.map(piece =>
    isStar(piece) ? '.*?' : piece.char === '?' && !piece.isPlain ? '.' : piece.char.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&'),
  )
  return new RegExp(`^${pattern.join('')}$`, 's')
}

const list = (value: unknown): readonly unknown[] | undefined => (Array.isArray(value) ? value : undefined)
const count = (value: unknown): number | undefined => list(value)?.length

const modifiers: Readonly<Record<string, Read>> = {
  '@this': value => value,
  '@reverse': value => list(value)?.toReversed() ?? value,
  '@flatten': value => list(value)?.flat() ?? value,
  '@values': value => entriesOf(value).map(([, inner]) => inner),
  '@keys': value => entriesOf(value).map(([key]) => key),
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : []
}

function child(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return /^\d+$/.test(name) ? value[Number(name)] : undefined
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? at(value, name) : undefined
}

const comparisons: Readonly<Record<string, (order: number) => boolean>> = {
  '==': order => order === 0,
  '=': order => order === 0,
  '!=': order => order !== 0,
  '<': order => order < 0,
  '<=': order => order <= 0,
  '>': order => order > 0,
  '>=': order => order >= 0,
}

/** `name=="x"`, `age>40`, `tags.#(=="new")`, `name`: whether it fits an item. */
function queryOf(text: string, depth: number): (item: unknown) => boolean {
  const { left, operator, right } = splitQuery(text)
  const read = left === '' ? (value: unknown) => value : new PathReader(left).all(depth)
  if (operator === undefined) return item => read(item) !== undefined
  const wanted = literalOf(right)
  if (operator === '%' || operator === '!%') {
    const pattern = wildcard(String(wanted)) ?? { test: (found: string) => found === wanted }
    return item => {
      const found = read(item)
      return typeof found === 'string' && pattern.test(found) === (operator === '%')
    }
  }
  const holds = comparisons[operator]
  return item => {
    const found = read(item)
    if (found === undefined || holds === undefined) return false
    if (typeof found !== typeof wanted || typeof found === 'object') return operator === '!='
    if (typeof found === 'number' && typeof wanted === 'number') return holds(found - wanted)
    return holds(found === wanted ? 0 : String(found) < String(wanted) ? -1 : 1)
  }
}

function splitQuery(text: string): { readonly left: string; readonly operator: string | undefined; readonly right: string } {
  let open = 0
  for (let place = 0; place < text.length; place++) {
    const char = text[place] ?? ''
    if (char === '\\') place++
    else if (char === '(') open++
    else if (char === ')') open--
    else if (open === 0 && '=!<>%'.includes(char)) {
      const operator = /^(==|!=|<=|>=|!%|[=<>%])/.exec(text.slice(place))?.[0]
      if (operator === undefined || text[place + operator.length] === '~')
        throw new TriggerProblem(`the query ${JSON.stringify(text)} cannot be read`)
      return { left: text.slice(0, place).trim(), operator, right: text.slice(place + operator.length).trim() }
    }
  }
  return { left: text.trim(), operator: undefined, right: '' }
}

function literalOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text // a word without quotes is that word
  }
}
