// One check against real parts, and how a list of them is run and counted.
import { PartUnavailable } from './cache.ts'
import { PartLeftUnbuilt } from './go-build.ts'

export interface Check {
  readonly name: string
  /** True for what measures time or needs the whole machine: it runs when all others are done. */
  readonly alone?: boolean
  /** A TCP port that one of its programs insists on: no other check with that port runs at the same time. */
  readonly port?: number
  /** Yields a line about what was seen; throws where reality differs, PartUnavailable where there is none to compare with. */
  run(): Promise<string>
}

export interface CheckCounts {
  readonly passed: number
  /** Their names. */
  readonly failed: readonly string[]
  readonly skipped: readonly string[]
  /** Names of those that this run had no time for, or no time to build what they need. */
  readonly left: readonly string[]
}

export interface RunOptions {
  /** One after the other. Default: four at a time, but for those that must be alone. */
  readonly allAlone?: boolean
  /** After so many nothing new is begun. */
  readonly minutes?: number
  /** Is told of each check that ran. */
  readonly ended?: (check: Check, hasPassed: boolean) => void
}

/** The checks of these names, else those whose names contain one; all without names. @throws Error naming what none is called */
export function namedChecks(checks: readonly Check[], names: readonly string[]): readonly Check[] {
  if (names.length === 0) return checks
  const wanted = names.flatMap(name => {
    const exact = checks.filter(check => check.name === name)
    const found = exact.length > 0 ? exact : checks.filter(check => check.name.includes(name))
    if (found.length === 0) throw new Error(`no check is called ${JSON.stringify(name)}`)
    return found
  })
  return checks.filter(check => wanted.includes(check))
}

/** Checks that run at once: each has a control plane of its own, and most of the time it waits. */
const lanes = 4

/** Runs the checks, those that may in four lanes and then those that must be alone, and prints whole lines for each. */
export async function runChecks(
  checks: readonly Check[],
  print: (lines: string) => void,
  { allAlone = false, minutes = Number.POSITIVE_INFINITY, ended }: RunOptions = {},
): Promise<CheckCounts> {
  const counts: Counting = { passed: 0, failed: [], skipped: [], left: [] }
  const began = performance.now()
  const busyPorts = new Set<number>()
  const running = new Set<string>()
  // What a check left behind and nobody awaits ends no other check: those that ran then have failed, and are named.
  const onStray = (cause: unknown) => {
    const names = [...running].filter(name => !counts.failed.includes(name))
    counts.failed.push(...names)
    print(`failed   ${names.join(', ')}: a rejection that nobody awaits\n${causesOf(cause).join('\n')}`)
  }
  process.on('unhandledRejection', onStray)
  let oneEnds = Promise.withResolvers<void>()
  const lane = async (left: Check[]) => {
    while (left.length > 0) {
      const at = left.findIndex(({ port }) => port === undefined || !busyPorts.has(port))
      const [check] = at < 0 ? [] : left.splice(at, 1)
      if (check === undefined) {
        await oneEnds.promise
        continue
      }
      if (performance.now() - began > minutes * 60_000) {
        counts.left.push(check.name)
        continue
      }
      if (check.port !== undefined) busyPorts.add(check.port)
      running.add(check.name)
      const isOver = await runCheck(check, counts, print)
      running.delete(check.name)
      if (isOver) ended?.(check, !counts.failed.includes(check.name))
      if (check.port !== undefined) busyPorts.delete(check.port)
      oneEnds.resolve()
      oneEnds = Promise.withResolvers<void>()
    }
  }
  const isShared = ({ alone }: Check) => !allAlone && alone !== true
  const shared = checks.filter(isShared)
  await Promise.all(Array.from({ length: lanes }, () => lane(shared)))
  await lane(checks.filter(check => !isShared(check)))
  process.off('unhandledRejection', onStray)
  return counts
}

interface Counting extends CheckCounts {
  passed: number
  readonly failed: string[]
  readonly skipped: string[]
  readonly left: string[]
}

/** @returns whether it passed or failed, and was not left out */
async function runCheck(check: Check, counts: Counting, print: (lines: string) => void): Promise<boolean> {
  const startedAt = Date.now()
  const seconds = () => `${((Date.now() - startedAt) / 1000).toFixed(1)} s`
  try {
    const seen = await check.run()
    counts.passed++
    print(`passed   ${check.name}: ${seen} (${seconds()})`)
    return true
  } catch (cause) {
    if (cause instanceof PartLeftUnbuilt) {
      counts.left.push(check.name)
      print(`open     ${check.name}: ${cause.message}`)
      return false
    }
    if (cause instanceof PartUnavailable) {
      counts.skipped.push(`${check.name}: ${cause.message}`)
      print(`skipped  ${check.name}`)
      return false
    }
    if (!counts.failed.includes(check.name)) counts.failed.push(check.name)
    print(`failed   ${check.name} (${seconds()})\n${causesOf(cause).join('\n')}`)
    return true
  }
}

/** What went wrong, and what went wrong after that while the check was tidied up. */
function causesOf(cause: unknown): readonly string[] {
  if (cause instanceof SuppressedError) return [...causesOf(cause.suppressed), ...causesOf(cause.error)]
  return [cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)]
}
