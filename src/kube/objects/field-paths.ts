// Which fields of an object somebody reads, as paths, and the object with only those. Several needs make one tree.
//
// A path is names with dots between; lists are passed through: `spec.containers.image` is the image of each container. A path stands for all
// that is under it. In brackets after a name:
//   `metadata.annotations[ballast.dev/*|karpenter.sh/do-not-disrupt]`   of a map only these keys, or those that begin so
//   `status.conditions[type=Ready].lastTransitionTime`                  of a list only the items that have this in a field
//   `spec.volumes[!configMap|secret]`                                   of a list only the items that have none of these fields

/** Equal parts kept once. */
interface PartSharing {
  keep(part: object): object
  /** A part that came from `keep`, or those in it that did, are used once more. */
  again<T extends object>(part: T): T
  word(text: string): string
}

interface Branch {
  isWhole: boolean
  readonly names: Map<string, Branch>
  readonly prefixes: Map<string, Branch>
  readonly items: Map<string, ItemRule>
  /** For items that these rules take. */
  readonly combined: Map<string, Branch>
}

interface ItemRule {
  readonly takes: (item: object) => boolean
  readonly branch: Branch
}

/** A set of paths. */
export class FieldPaths {
  readonly #root: Branch = emptyBranch()
  readonly #paths = new Set<string>()

  /** @throws RangeError for a path that is none */
  constructor(paths: Iterable<string>) {
    for (const path of paths) {
      if (this.#paths.has(path)) continue
      this.#paths.add(path)
      let branch = this.#root
      for (const step of stepsOf(path)) branch = step(branch)
      branch.isWhole = true
    }
  }

  get paths(): readonly string[] {
    return [...this.#paths]
  }

  /** Whether all of `paths` are in this set, word by word. */
  covers(paths: Iterable<string>): boolean {
    for (const path of paths) if (!this.#paths.has(path)) return false
    return true
  }

  with(paths: Iterable<string>): FieldPaths {
    return new FieldPaths([...this.#paths, ...paths])
  }

  /** `value` with only these fields. Picking again changes nothing. */
  pick(value: object): object {
    return picked(this.#root, value) as object
  }

  /**
   * As `pick`; what stands right under the first level (`metadata.labels`, `spec.containers`) is what `sharing` makes of it. `like` is what
   * was made of an earlier state of the same object: what did not change since is taken from it.
   */
  pickParts(value: object, sharing: PartSharing, like?: object): object {
    // At the edge: an object that is no list has its fields by name.
    const [fields, earlier] = [value as Fields, like as Fields | undefined]
    return filled(
      fields,
      name => this.#root.names.get(name),
      (branch, part, name) => {
        const before = partOf(earlier, name)
        if (typeof part === 'string') return part === before ? before : sharing.word(part)
        if (!isObject(part) || Array.isArray(part)) return shared(branch, part, sharing, before)
        if (part === before) return sharing.again(part)
        const inner = isObject(before) ? before : undefined
        const section = filled(
          part,
          key => (branch.isWhole ? branch : branchAt(branch, key)),
          (deeper, each, key) => shared(deeper, each, sharing, partOf(inner, key)),
        )
        return inner !== undefined && hasSameParts(section, inner) ? inner : section
      },
    )
  }
}

type Fields = Readonly<Record<string, unknown>>

/** What an object without such a field has from all objects is no part of it, but compared with one it is another anyway. */
function partOf(object: Fields | undefined, name: string): unknown {
  return object === undefined ? undefined : object[name]
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}

/** Whether they have the same names with the very same parts. */
function hasSameParts(one: Fields, other: Fields): boolean {
  let count = 0
  for (const name in one) {
    if (other[name] !== one[name]) return false
    count++
  }
  for (const _ in other) count--
  return count === 0
}

function shared(branch: Branch, part: unknown, sharing: PartSharing, before: unknown): unknown {
  if (typeof part === 'string') return part === before ? before : sharing.word(part)
  if (!isObject(part)) return part
  if (isObject(before) && isPicked(branch, part, before)) return sharing.again(before)
  if (Array.isArray(part) && branch.items.size > 0 && branch.names.size > 0) return sharedItems(branch, part, sharing, before)
  const found = picked(branch, part)
  return isObject(found) ? sharing.keep(found) : found
}

/**
 * A list of which some items tell more than the others, such as conditions with the times of one: that makes the list its object's own, and
 * only the other items are shared.
 */
function sharedItems(branch: Branch, items: readonly unknown[], sharing: PartSharing, before: unknown): readonly unknown[] {
  const earlier: readonly unknown[] = Array.isArray(before) ? before : []
  const kept: unknown[] = []
  for (const item of items) {
    const inner = branchOfItem(branch, item)
    if (inner === undefined) continue
    const known = earlier[kept.length]
    if (isObject(known) && isPicked(inner, item, known)) {
      kept.push(sharing.again(known))
      continue
    }
    const found = picked(inner, item)
    const isOwn = !isObject(found) || inner !== branch.combined.get('')
    kept.push(isOwn ? Object.freeze(found) : sharing.keep(found))
  }
  // A list that grew has room for more.
  return Object.freeze(kept.slice())
}

/** Whether `known` reads as what would be picked of `value`. Makes nothing. */
function isPicked(branch: Branch, value: unknown, known: unknown): boolean {
  if (!isObject(value) || !isObject(known)) return value === known
  if (Array.isArray(value)) return Array.isArray(known) && areItemsPicked(branch, value, known)
  if (Array.isArray(known)) return false
  let count = 0
  for (const name in value) {
    const inner = branch.isWhole ? branch : branchAt(branch, name)
    if (inner === undefined || name === '__proto__') continue
    if (!isPicked(inner, value[name], known[name])) return false
    count++
  }
  for (const _ in known) count--
  return count === 0
}

function areItemsPicked(branch: Branch, items: readonly unknown[], known: readonly unknown[]): boolean {
  let at = 0
  for (const item of items) {
    const inner = branch.isWhole || branch.items.size === 0 ? branch : branchOfItem(branch, item)
    if (inner === undefined) continue
    if (at >= known.length || !isPicked(inner, item, known[at])) return false
    at++
  }
  return at === known.length
}

function picked(branch: Branch, value: unknown): unknown {
  if (branch.isWhole || !isObject(value)) return value
  if (!Array.isArray(value)) return filled(value, name => branchAt(branch, name), picked)
  if (branch.items.size === 0) return value.map(item => picked(branch, item))
  return value.flatMap(item => {
    const inner = branchOfItem(branch, item)
    return inner === undefined ? [] : [picked(inner, item)]
  })
}

/** What is kept of an item: all that the rules which take it keep; `undefined` where no rule does. */
function branchOfItem(branch: Branch, item: unknown): Branch | undefined {
  if (!isObject(item)) return branch.names.size > 0 ? branch : undefined
  let taken = ''
  for (const [rule, { takes }] of branch.items) if (takes(item)) taken += `${rule}]`
  if (taken === '' && branch.names.size === 0) return undefined
  let combined = branch.combined.get(taken)
  if (combined === undefined) {
    const rules = Array.from(branch.items).filter(([rule]) => taken.includes(`${rule}]`))
    combined = rules.map(([, rule]) => rule.branch).reduce(merged, { ...emptyBranch(), names: branch.names })
    branch.combined.set(taken, combined)
  }
  return combined
}

function branchAt(branch: Branch, name: string): Branch | undefined {
  const exact = branch.names.get(name)
  if (exact !== undefined || branch.prefixes.size === 0) return exact
  for (const [prefix, inner] of branch.prefixes) if (name.startsWith(prefix)) return inner
  return undefined
}

/** An object with the names that have a branch, in the order in which they came and no larger than they need. */
function filled(
  value: Fields,
  branchOf: (name: string) => Branch | undefined,
  make: (branch: Branch, part: unknown, name: string) => unknown,
): Record<string, unknown> {
  let form = firstForm
  const parts: unknown[] = []
  for (const name in value) {
    const branch = branchOf(name)
    if (branch === undefined || name === '__proto__') continue
    form = formAfter(form, name)
    parts.push(make(branch, value[name], name))
  }
  form.empty ??= emptyObject(form.names)
  const copy = { ...form.empty }
  const { names } = form
  for (let at = 0; at < names.length; at++) copy[names[at] ?? ''] = parts[at]
  return copy
}

/** Objects of the same names in the same order: what is copied from one whose size is known keeps no room to grow. */
interface Form {
  readonly names: readonly string[]
  readonly next: Map<string, Form>
  empty: Record<string, unknown> | undefined
}

const firstForm: Form = { names: [], next: new Map(), empty: undefined }
/** Maps that differ in each object (annotations) would make a form each. */
const mostForms = 4096
let forms = 0

function formAfter(form: Form, name: string): Form {
  const known = form.next.get(name)
  if (known !== undefined) return known
  const next: Form = { names: [...form.names, name], next: new Map(), empty: undefined }
  if (forms >= mostForms) return next
  forms++
  form.next.set(name, next)
  return next
}

/** What a parser makes has room for just its names. */
function emptyObject(names: readonly string[]): Record<string, unknown> {
  return JSON.parse(`{${names.map(name => `${JSON.stringify(name)}:null`).join(',')}}`) as Record<string, unknown>
}

function emptyBranch(): Branch {
  return { isWhole: false, names: new Map(), prefixes: new Map(), items: new Map(), combined: new Map() }
}

function merged(one: Branch, other: Branch): Branch {
  const both = <K>(a: Map<K, Branch>, b: Map<K, Branch>) => {
    const result = new Map(a)
    for (const [key, branch] of b) {
      const known = result.get(key)
      result.set(key, known === undefined ? branch : merged(known, branch))
    }
    return result
  }
  return {
    isWhole: one.isWhole || other.isWhole,
    names: both(one.names, other.names),
    prefixes: both(one.prefixes, other.prefixes),
    items: new Map([...one.items, ...other.items]),
    combined: new Map(),
  }
}

/** Each step goes from a branch to the one below, which it makes where it is not there. */
function stepsOf(path: string): ((branch: Branch) => Branch)[] {
  const steps: ((branch: Branch) => Branch)[] = []
  const step = /([^.[\]]+)(?:\[([^\]]+)\])?(?:\.|$)/y
  while (step.lastIndex < path.length) {
    const [, name, rule] = step.exec(path) ?? []
    if (name === undefined) throw new RangeError(`${JSON.stringify(path)} is no path of a field`)
    steps.push(branch => made(branch.names, name, emptyBranch))
    if (rule !== undefined) steps.push(...rulesOf(rule))
  }
  if (steps.length === 0) throw new RangeError('a path of a field has at least one name')
  return steps
}

function rulesOf(rule: string): ((branch: Branch) => Branch)[] {
  if (rule.startsWith('!')) {
    const names = rule.slice(1).split('|')
    return [branch => itemRule(branch, rule, item => names.every(name => !Object.hasOwn(item, name)))]
  }
  const [name = '', value] = rule.split('=')
  if (value !== undefined) return [branch => itemRule(branch, rule, item => Reflect.get(item, name) === value)]
  return [
    branch => {
      const inner = emptyBranch()
      for (const key of rule.split('|')) {
        if (key.endsWith('*')) branch.prefixes.set(key.slice(0, -1), inner)
        else branch.names.set(key, inner)
      }
      return inner
    },
  ]
}

function itemRule(branch: Branch, rule: string, takes: (item: object) => boolean): Branch {
  return made(branch.items, rule, () => ({ takes, branch: emptyBranch() })).branch
}

function made<T>(map: Map<string, T>, key: string, make: () => T): T {
  const known = map.get(key)
  if (known !== undefined) return known
  const fresh = make()
  map.set(key, fresh)
  return fresh
}
