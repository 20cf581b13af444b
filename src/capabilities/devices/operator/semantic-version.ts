// Versions in tags of images, as Kubernetes reads them: three numbers, maybe a "v" before them, and what semver knows behind.

interface SemanticVersion {
  readonly numbers: readonly number[]
  /** Parts of a version before the release; none: it is the release. */
  readonly before: readonly string[]
}

const longestVersion = 128
const pattern =
  /^\s*v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?\s*$/

/** The version that `text` is; undefined where it is none. */
export function semanticVersion(text: string): SemanticVersion | undefined {
  if (text.length > longestVersion) return undefined
  const [, major, minor, patch, before] = pattern.exec(text) ?? []
  if (major === undefined || minor === undefined || patch === undefined) return undefined
  const parts = before?.split('.') ?? []
  if (parts.some(part => /^0\d+$/.test(part))) return undefined
  return { numbers: [major, minor, patch].map(Number), before: parts }
}

export function isOlder(one: SemanticVersion, other: SemanticVersion): boolean {
  for (const [at, number] of one.numbers.entries()) {
    const against = other.numbers[at] ?? 0
    if (number !== against) return number < against
  }
  if (one.before.length === 0 || other.before.length === 0) return one.before.length > other.before.length
  for (const [at, part] of one.before.entries()) {
    const against = other.before[at]
    if (against === undefined) return false
    if (part !== against) return isPartLess(part, against)
  }
  return one.before.length < other.before.length
}

/** Numbers are less than words, and compared as numbers. */
function isPartLess(one: string, other: string): boolean {
  const [isNumber, isOtherNumber] = [one, other].map(part => /^\d+$/.test(part))
  if (isNumber === true && isOtherNumber === true) return Number(one) < Number(other)
  return isNumber === isOtherNumber ? one < other : isNumber === true
}
