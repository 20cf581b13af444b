// Versions as rules compare them: `v` in front, one to three parts. What stands after `-` or `+` must be well formed, and counts nothing.

/** Major, minor and patch. */
export type LenientVersion = readonly [bigint, bigint, bigint]

/** Bytes; the reference library (Masterminds/semver 3.5) takes no more. */
const longestVersion = 256

const identifiers = String.raw`[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*`
// The shape is anchored and has no nested repeats that overlap, so that its time is linear.
const shape = new RegExp(String.raw`^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-(${identifiers}))?(?:\+${identifiers})?$`)
const largestPart = 2n ** 64n - 1n

/** What `text` says; `undefined` where it is no version. */
export function parseLenientVersion(text: string): LenientVersion | undefined {
  if (Buffer.byteLength(text) > longestVersion) return undefined
  const [, major = '', minor = '0', patch = '0', before] = shape.exec(text) ?? []
  if (major === '' || text.endsWith('\n')) return undefined
  if (before?.split('.').some(part => /^0\d+$/.test(part))) return undefined
  const version = [BigInt(major), BigInt(minor), BigInt(patch)] as const
  return version.some(part => part > largestPart) ? undefined : version
}

/** Below zero where `left` is the older one, above where it is the newer one. */
export function compareVersions(left: LenientVersion, right: LenientVersion): number {
  for (const [index, part] of left.entries()) {
    const other = right[index] ?? 0n
    if (part !== other) return part < other ? -1 : 1
  }
  return 0
}
