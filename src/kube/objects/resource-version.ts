// Order of resourceVersions: decimal numbers of any length, compared as strings so that none is too large.

const wellFormed = /^(?:0|[1-9]\d*)$/

/** Negative, zero or positive as `a` is older, the same or newer; `undefined` where only equality can be told. */
export function compareResourceVersions(a: string | undefined, b: string | undefined): number | undefined {
  if (a === b) return 0
  if (a === undefined || b === undefined || !wellFormed.test(a) || !wellFormed.test(b)) return undefined
  if (a.length !== b.length) return a.length - b.length
  return a < b ? -1 : 1
}

/** Whether `a` is known to be newer than `b`. */
export function isNewer(a: string | undefined, b: string | undefined): boolean {
  const order = compareResourceVersions(a, b)
  return order !== undefined && order > 0
}
