// The order of an API's versions.

/** Kubernetes' order of versions: stable before beta before alpha, higher numbers first, others by name. */
export function versionOrder(left: string, right: string): number {
  const a = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(left)
  const b = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(right)
  if (a === null || b === null) {
    const byName = left < right ? -1 : left > right ? 1 : 0
    return a === b ? byName : a === null ? 1 : -1
  }
  const stage = (match: RegExpExecArray) => (match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0)
  return stage(b) - stage(a) || Number(b[1]) - Number(a[1]) || Number(b[3] ?? 0) - Number(a[3] ?? 0)
}
