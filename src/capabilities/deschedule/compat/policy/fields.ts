// Reading the fields of a policy one by one, as Go's JSON decoder does: absent and null are the zero value, a wrong type is an error with
// Go's words, a key nobody asked for is unknown. All errors are collected, none is thrown.
import { type Fields, fieldOf, isFields } from '#cluster/loose-fields.ts'
import type { Problem } from '#kube/problem.ts'
import { expectedOf, isWhole, jsonWord, type WholeType } from './go-types.ts'

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
  /** The Go type with its package, as it stands in messages: `api.Namespaces`. */
  readonly struct: string
  /** Path of what Go decodes at once, this being part of it: the policy, or the arguments of a plugin. */
  readonly root: string
}

interface Fault {
  /** The field that is meant; absent: the whole. */
  readonly field?: string
  readonly found: unknown
  readonly expected: string
  /** Upstream's text, without the profile. */
  readonly message: string
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

  /** Numbers by name, in order of the names; `undefined` where one is none. `type` is their Go type. */
  numbers(name: string, type: string): ReadonlyMap<string, number> | undefined {
    return this.#entries(name, type, value => (value === null ? 0 : typeof value === 'number' ? value : undefined))
  }

  /** Texts by name, as labels are. */
  labels(name: string): Readonly<Record<string, string>> | undefined {
    const read = this.#entries(name, 'string', value => (value === null ? '' : typeof value === 'string' ? value : undefined))
    return read && Object.fromEntries(read)
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
    const path = this.#pathOf(name)
    return new FieldReader(isFields(value) ? value : {}, { ...this.place, path, struct, root: path })
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
    const name = `${this.place.struct.replace(/^.*\./, '')}.${this.#goPathOf(field)}`
    const words = `json: cannot unmarshal ${jsonWord(value, type)} into Go struct field ${name} of type ${type}`
    const { where, found, expected, message } = this.#told({ field, found: value, expected: expectedOf(type), message: words })
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

  #entries<Value>(
    name: string,
    type: string,
    read: (value: unknown) => Value | undefined,
  ): ReadonlyMap<string, Value> | undefined {
    const given = this.value(name) ?? {}
    if (!isFields(given)) return this.#mistyped(name, given, `map[string]${type}`)
    const entries = new Map<string, Value>()
    for (const key of Object.keys(given).toSorted()) {
      const value = read(given[key])
      if (value === undefined) return this.#mistyped(name, given[key], type)
      entries.set(key, value)
    }
    return entries
  }

  #pathOf(name: string): string {
    return this.place.path === '' ? name : `${this.place.path}.${name}`
  }

  /** As Go names a field in messages: from the root of what it decodes, without places in lists. */
  #goPathOf(name: string): string {
    const { root } = this.place
    const path = this.#pathOf(name)
    return (root === '' ? path : path.slice(root.length + 1)).replace(/\[\d+\]/g, '')
  }

  #within(fields: Fields, place: Pick<Place, 'path' | 'struct'>): FieldReader {
    const inner = new FieldReader(fields, { ...this.place, ...place })
    this.#read.inner.push(inner)
    return inner
  }
}

function shown(value: unknown): string {
  if (typeof value === 'string') return value
  return value === undefined ? '' : JSON.stringify(value)
}
