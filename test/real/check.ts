// One check against real parts, and how a list of them is run and counted.
import { PartUnavailable } from './cache.ts'

export interface Check {
  readonly name: string
  /** Yields a line about what was seen; throws where reality differs, PartUnavailable where there is none to compare with. */
  run(): Promise<string>
}

export interface CheckCounts {
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly string[]
}

/** Runs the checks one after the other and prints a line for each. */
export async function runChecks(checks: readonly Check[], print: (line: string) => void): Promise<CheckCounts> {
  let passed = 0
  let failed = 0
  const skipped: string[] = []
  for (const check of checks) {
    const startedAt = Date.now()
    const seconds = () => `${((Date.now() - startedAt) / 1000).toFixed(1)} s`
    try {
      const seen = await check.run()
      passed++
      print(`passed   ${check.name}: ${seen} (${seconds()})`)
    } catch (cause) {
      if (cause instanceof PartUnavailable) {
        skipped.push(`${check.name}: ${cause.message}`)
        print(`skipped  ${check.name}`)
      } else {
        failed++
        print(`failed   ${check.name} (${seconds()})`)
        print(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause))
      }
    }
  }
  return { passed, failed, skipped }
}
