// How many random cases a property has: `npm test` a share of them, `npm run test:deep` all.

/**
 * The number of cases that this run plays of `whole`: all with `BALLAST_RUNS=all`, else the share that it says, such as `1/4`, which is also what
 * holds where nothing is said; at least one.
 * @throws Error where BALLAST_RUNS is neither
 */
export function runsOf(whole: number): number {
  const said = process.env['BALLAST_RUNS'] ?? '1/4'
  if (said === 'all') return whole
  const share = /^1\/([1-9]\d*)$/.exec(said)
  if (share === null) throw new Error(`BALLAST_RUNS: found ${said}, expected all or a share such as 1/4`)
  return Math.max(1, Math.ceil(whole / Number(share[1])))
}
