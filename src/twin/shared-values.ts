// Trees that share their equal parts. The pods of one template differ in names, addresses and times: kept as they are parsed they take
// 14 KB each, sharing what they have in common 2 to 3 KB.

import { type Draft, isFields, valueAt } from './json-value.ts'

/** Values of one generation of a pool; two generations are kept, so that what is not met again is let go. */
const mostPooled = 250_000
/** Names of fields whose fingerprint is kept. */
const mostNames = 50_000
/** Shorter texts are the engine's to share. */
const shortestSharedText = 11
/** Fingerprints that were met once; a power of two. */
const oneTimeSlots = 2 ** 20

/** Where fingerprints of lists and of objects begin. */
const listSeed = 0x51ed270b
const fieldsSeed = 0x2545f491

/** Bytes of an object in the engine, roughly: for bounds, not for bills. */
const nodeBytes = 24
const slotBytes = 8

/**
 * A pool of values by content. What is shared is frozen, so nobody can tell but by identity. Order of fields counts as content: the
 * bytes of an object stay what they were.
 */
export class SharedValues {
  readonly #metOnce = new Int32Array(oneTimeSlots)
  #young = new Map<number, unknown>()
  #old = new Map<number, unknown>()
  readonly #names = new Map<string, number>()
  /** Fingerprint of the value that `#shared` yielded last; 0: not known, as it was not looked through. */
  #print = 0
  #freshBytes = 0

  /** Roughly the bytes that values of this pool took which were not shared, since the start. */
  get freshBytes(): number {
    return this.#freshBytes
  }

  /**
   * The same tree, frozen: its parts are those of `like` where they are equal at the same place, else equal parts met before. Parts that are
   * not frozen yet are changed in place, so the tree is given away. Absent (`undefined`) fields are removed.
   */
  shared<T>(value: T, like?: unknown): T
  shared(value: unknown, like?: unknown): unknown {
    return this.#shared(value, like)
  }

  #shared(value: unknown, like: unknown): unknown {
    if (typeof value === 'string') return this.#sharedText(value)
    if (value === like && typeof value === 'object' && value !== null && Object.isFrozen(value)) return this.#known(value, 0)
    if (Array.isArray(value)) return this.#sharedList(value, like)
    if (isFields(value)) return this.#sharedFields(value, like)
    return this.#known(value, scalarPrint(value))
  }

  #sharedText(text: string): string {
    const print = textPrint(text)
    this.#print = print
    if (text.length < shortestSharedText) return text
    const found = this.#pooled(print)
    if (typeof found === 'string' && found === text) return found
    this.#freshBytes += nodeBytes + text.length
    this.#offer(print, text)
    return text
  }

  #sharedList(given: unknown[], like: unknown): unknown {
    const similar = Array.isArray(like) && Object.isFrozen(like) ? like : undefined
    let list = given
    let isLike = similar !== undefined && similar.length === given.length
    let print = mixed(listSeed, given.length)
    for (let index = 0; index < given.length; index++) {
      const before = given[index]
      const present = similar?.[index]
      const item = this.#part(before, present)
      if (isLike && item !== present) {
        isLike = false
        for (let past = 0; past < index; past++) print = joined(print, leafPrint(list[past]))
      }
      if (!isLike && print !== 0) print = joined(print, this.#print || leafPrint(item))
      if (item !== before && list === given && Object.isFrozen(given)) list = [...given]
      if (item !== before || isReplaced(item, list)) list[index] = item
    }
    if (isLike) return this.#known(similar, 0)
    return this.#met(list, print, given.length)
  }

  #sharedFields(given: Draft, like: unknown): unknown {
    const similar = isFields(like) && Object.isFrozen(like) ? like : undefined
    const similarNames = similar === undefined ? [] : Object.keys(similar)
    let fields = given
    let isLike = similar !== undefined
    let print = fieldsSeed
    let count = 0
    for (const name of Object.keys(given)) {
      const before = given[name]
      if (before === undefined) {
        if (fields === given) fields = { ...given }
        delete fields[name]
        continue
      }
      const isInOrder = similarNames[count] === name
      const present = similar === undefined ? undefined : isInOrder ? similar[name] : valueAt(similar, name)
      const value = this.#part(before, present)
      if (isLike && !(isInOrder && value === present)) {
        isLike = false
        for (const past of similarNames.slice(0, count)) print = this.#joinedField(print, past, leafPrint(similar?.[past]))
      }
      if (!isLike && print !== 0) print = this.#joinedField(print, name, this.#print || leafPrint(value))
      count++
      if (value !== before && fields === given && Object.isFrozen(given)) fields = { ...given }
      if (value !== before || isReplaced(value, fields)) fields[name] = value
    }
    if (isLike && similarNames.length === count) return this.#known(similar, 0)
    if (isLike) for (const name of Object.keys(fields)) print = this.#joinedField(print, name, leafPrint(fields[name]))
    return this.#met(fields, print === 0 ? 0 : mixed(print, count), count)
  }

  /** A part of what may be like something. Where it is, it needs no fingerprint: that of a leaf is made when the whole turns out to differ. */
  #part(value: unknown, like: unknown): unknown {
    if (value === like && typeof value !== 'object') return this.#known(like, 0)
    return this.#shared(value, like)
  }

  #joinedField(print: number, name: string, part: number): number {
    return print === 0 || part === 0 ? 0 : mixed(mixed(print, this.#namePrint(name)), part)
  }

  #known<T>(value: T, print: number): T {
    this.#print = print
    return value
  }

  /** A list or an object whose parts are shared already. */
  #met(value: object, print: number, slots: number): unknown {
    this.#print = print
    if (print !== 0) {
      const found = this.#pooled(print)
      if (found !== undefined && hasSameParts(found, value)) return found
    }
    this.#freshBytes += nodeBytes + slots * slotBytes
    Object.freeze(value)
    if (print !== 0) this.#offer(print, value)
    return value
  }

  #pooled(print: number): unknown {
    const young = this.#young.get(print)
    if (young !== undefined) return young
    const old = this.#old.get(print)
    if (old !== undefined) this.#keep(print, old)
    return old
  }

  /** What is met a second time is worth keeping. */
  #offer(print: number, value: unknown): void {
    const slot = print & (oneTimeSlots - 1)
    if (this.#metOnce[slot] === print) this.#keep(print, value)
    else this.#metOnce[slot] = print
  }

  #keep(print: number, value: unknown): void {
    if (this.#young.size >= mostPooled) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(print, value)
  }

  #namePrint(name: string): number {
    let print = this.#names.get(name)
    if (print === undefined) {
      if (this.#names.size >= mostNames) this.#names.clear()
      print = textPrint(name)
      this.#names.set(name, print)
    }
    return print
  }
}

/** Equal texts look the same but may be several: the shared one is put in place wherever that can be done. */
function isReplaced(part: unknown, whole: object): boolean {
  return typeof part === 'string' && part.length >= shortestSharedText && Object.isExtensible(whole)
}

/** A list's fingerprint with that of its next part; 0 once one is not known. */
function joined(print: number, part: number): number {
  return print === 0 || part === 0 ? 0 : mixed(print, part)
}

/** Never 0, which stands for unknown. */
function mixed(print: number, part: number): number {
  let sum = Math.imul(print ^ part, 0x9e3779b1)
  sum ^= sum >>> 15
  return sum === 0 ? 1 : sum
}

/** Long texts are told apart by their ends; equality is looked at anyway. */
function textPrint(text: string): number {
  const { length } = text
  let print = 0x811c9dc5 ^ length
  const middle = length <= 64 ? length : 32
  for (let index = 0; index < middle; index++) print = Math.imul(print ^ text.charCodeAt(index), 0x01000193)
  if (length > 64)
    for (let index = length - 32; index < length; index++) print = Math.imul(print ^ text.charCodeAt(index), 0x01000193)
  return mixed(print, length)
}

/** Fingerprint of what has no parts; 0 for what has. */
function leafPrint(value: unknown): number {
  if (typeof value === 'string') return textPrint(value)
  return typeof value === 'object' && value !== null ? 0 : scalarPrint(value)
}

function scalarPrint(value: unknown): number {
  if (typeof value === 'number') return mixed(0x1b873593, Number.isInteger(value) ? value | 0 : Math.trunc(value * 1000) | 0)
  return value === null ? 3 : value === true ? 5 : 7
}

function hasSameParts(found: unknown, value: object): boolean {
  if (Array.isArray(value)) {
    if (!Array.isArray(found) || found.length !== value.length) return false
    for (let index = 0; index < value.length; index++) if (found[index] !== value[index]) return false
    return true
  }
  if (!isFields(found) || !isFields(value)) return false
  const names = Object.keys(found)
  const otherNames = Object.keys(value)
  if (names.length !== otherNames.length) return false
  for (let index = 0; index < names.length; index++) {
    const name = names[index] ?? ''
    if (otherNames[index] !== name || found[name] !== value[name]) return false
  }
  return true
}
