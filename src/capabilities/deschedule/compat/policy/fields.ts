// Reading the fields of a policy one by one, as Go's JSON decoder does: absent and null are the zero value, a wrong type is an error with
// Go's words, a key nobody asked for is unknown. All errors are collected, none is thrown.
import { type Fields, fieldOf, isFields } from '#cluster/loose-fields.ts'
import type { Problem } from '#kube/problem.ts'

/** What is wrong with a policy, and what of it nobody reads. */
export interface PolicyFindings {
  /** Each with upstream's text as its message. */
  readonly problems: Problem[]
  /** Paths of fields outside of arguments that there are not: `strategies`, `profiles[0].plugin`. */
  readonly unknownFields: string[]
  /** What is allowed and probably not meant. */
  readonly notes: string[]
}

interface Place {
  readonly findings: PolicyFindings
  /** `in profile default: `, or empty outside of profiles; begins places and messages. */
  readonly prefix: string
  /** From the policy's root: `profiles[0].pluginConfig[1].args`; empty for the root itself. */
  readonly path: string
  /** The Go type's name, as it stands in messages: `LowNodeUtilizationArgs`. */
  readonly struct: string
}

interface Fault {
  /** The field that is meant; absent: the whole. */
  readonly field?: string
  readonly found: unknown
  readonly expected: string
  /** Upstream's text, without the profile. */
  readonly message: string
}

type WholeType = 'uint' | 'int' | 'int32' | 'int64'

const wholeRanges: Readonly<Record<WholeType, readonly [number, number]>> = {
  uint: [0, Number.MAX_SAFE_INTEGER],
  int: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
}

interface WhatIsRead {
  readonly known: Set<string>
  readonly inner: FieldReader[]
}

/** One map of the policy. What is read of it is known; `unknownNames` has the rest. */
export class FieldReader {
  readonly #fields: Fields
  readonly #read: WhatIsRead
  readonly place: Place

  constructor(fields: Fields, place: Place, read: WhatIsRead = { known: new Set(), inner: [] }) {
    this.#fields = fields
    this.#read = read
    this.place = place
  }

  /** The value as it stands there; null and absent are `undefined`. */
  value(name: string): unknown {
    this.#read.known.add(name)
    return fieldOf(this.#fields, name) ?? undefined
  }

  text(name: string): string | undefined {
    const value = this.value(name)
    return value === undefined || typeof value === 'string' ? value : this.#mistyped(name, value, 'string')
  }

  flag(name: string): boolean | undefined {
    const value = this.value(name)
    return value === undefined || typeof value === 'boolean' ? value : this.#mistyped(name, value, 'bool')
  }

  /** A whole number that the Go type holds; at most 2^53-1. */
  whole(name: string, type: WholeType): number | undefined {
    const value = this.value(name)
    return value === undefined || isWhole(value, type) ? value : this.#mistyped(name, value, type)
  }

  texts(name: string): readonly string[] | undefined {
    return this.#list(name, 'string', value => typeof value === 'string')
  }

  wholes(name: string, type: WholeType): readonly number[] | undefined {
    return this.#list(name, type, value => isWhole(value, type))
  }

  /** The map in the field, to be read further; `struct` is its Go type. */
  map(name: string, struct: string): FieldReader | undefined {
    const value = this.value(name)
    if (value === undefined) return undefined
    if (!isFields(value)) return this.#mistyped(name, value, struct)
    return this.#within(value, { path: this.#pathOf(name), struct })
  }

  /** As `map`, empty where there is none. What it leaves unread is an error of its own, and no unknown field of the policy. */
  strictMap(name: string, struct: string): FieldReader {
    const value = this.value(name)
    if (value !== undefined && !isFields(value)) this.#mistyped(name, value, struct)
    return new FieldReader(isFields(value) ? value : {}, { ...this.place, path: this.#pathOf(name), struct })
  }

  /** The maps of the list in the field. */
  maps(name: string, struct: string): readonly FieldReader[] {
    const value = this.value(name)
    if (value === undefined) return []
    if (!Array.isArray(value)) {
      this.#mistyped(name, value, `[]${struct}`)
      return []
    }
    return value.flatMap((item: unknown, index) => {
      const path = `${this.#pathOf(name)}[${index}]`
      if (item !== null && !isFields(item)) {
        this.#mistyped(name, item, struct)
        return []
      }
      return [this.#within(item ?? {}, { path, struct })]
    })
  }

  /** The same map with another prefix: a profile whose name is known by now. */
  under(prefix: string): FieldReader {
    return new FieldReader(this.#fields, { ...this.place, prefix }, this.#read)
  }

  /** The keys that nobody read, here and in the maps below, with paths relative to this one. In the order of the policy. */
  unknownNames(): readonly string[] {
    const own = Object.keys(this.#fields).filter(name => !this.#read.known.has(name))
    const start = this.place.path === '' ? 0 : this.place.path.length + 1
    return [
      ...own,
      ...this.#read.inner.flatMap(inner => {
        const path = inner.place.path.slice(start)
        return inner.unknownNames().map(name => (path === '' ? name : `${path}.${name}`))
      }),
    ]
  }

  /** Notes that a value is not right. */
  refuse(fault: Fault): undefined {
    const { where, found, expected, message } = this.#told(fault)
    this.place.findings.problems.push({ code: 'policy-value', where, found, expected, message })
  }

  /** As `refuse`, of plugins that are not there or not configured. */
  refusePlugin(fault: Fault): undefined {
    const { where, found, expected, message } = this.#told(fault)
    this.place.findings.problems.push({ code: 'policy-plugin', where, found, expected, message })
  }

  /** As `refuse`, of fields that the arguments do not have. */
  refuseUnknown(fault: Fault): undefined {
    const { where, found, expected, message } = this.#told(fault)
    this.place.findings.problems.push({ code: 'policy-unknown-field', where, found, expected, message })
  }

  note(message: string): void {
    this.place.findings.notes.push(`${this.place.prefix}${message}`)
  }

  #mistyped(field: string, value: unknown, type: string): undefined {
    const words = `json: cannot unmarshal ${jsonWord(value)} into Go struct field ${this.place.struct}.${field} of type ${type}`
    const wanted = expectedWords[type] ?? (type.startsWith('[]') ? 'a list' : 'a map')
    const { where, found, expected, message } = this.#told({ field, found: value, expected: wanted, message: words })
    this.place.findings.problems.push({ code: 'policy-field-type', where, found, expected, message })
  }

  #told({ field, found, expected, message }: Fault): Omit<Problem, 'code'> & { readonly message: string } {
    const { path, prefix } = this.place
    const where = `${prefix}${field === undefined ? path : this.#pathOf(field)}`
    return { where, found: shown(found), expected, message: `${prefix}${message}` }
  }

  #list<Item>(name: string, type: string, is: (value: unknown) => value is Item): readonly Item[] | undefined {
    const value = this.value(name)
    if (value === undefined) return undefined
    if (!Array.isArray(value)) return this.#mistyped(name, value, `[]${type}`)
    const items: readonly unknown[] = value
    const wrong = items.find(item => !is(item))
    if (wrong !== undefined) this.#mistyped(name, wrong, type)
    return items.filter(is)
  }

  #pathOf(name: string): string {
    return this.place.path === '' ? name : `${this.place.path}.${name}`
  }

  #within(fields: Fields, place: Pick<Place, 'path' | 'struct'>): FieldReader {
    const inner = new FieldReader(fields, { ...this.place, ...place })
    this.#read.inner.push(inner)
    return inner
  }
}

const expectedWords: Readonly<Record<string, string>> = {
  string: 'a text',
  bool: 'true or false',
  uint: 'a whole number from 0 up to 2^53-1',
  int: 'a whole number',
  int32: 'a whole number of 32 bits',
  int64: 'a whole number up to 2^53-1',
}

function isWhole(value: unknown, type: WholeType): value is number {
  const [least, most] = wholeRanges[type]
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most
}

/** What Go's decoder calls a JSON value that it cannot take; numbers with the number. */
function jsonWord(value: unknown): string {
  if (typeof value === 'number') return `number ${value}`
  if (typeof value === 'boolean') return 'bool'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'string' ? 'string' : 'object'
}

function shown(value: unknown): string {
  if (typeof value === 'string') return value
  return value === undefined ? '' : JSON.stringify(value)
}
