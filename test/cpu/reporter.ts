// What a run cost: its CPU seconds beside its budget, and the ten dearest files. It tells; no test fails by it.
import { appendFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'
import { childrenCpuMs, ownCpuMs } from './spent.ts'

/** What BALLAST_ENDED_FILES, where it names a file, gets a line of for each test file that ended. */
export interface EndedFile {
  /** From the root. */
  readonly file: string
  readonly hasPassed: boolean
  readonly cpuMs: number
}

interface Options {
  /** CPU seconds that the whole run may take. */
  readonly budgetSeconds?: number
}

const dearest = 10
const seconds = (ms: number) => (ms / 1000).toFixed(1)

export class CpuReporter implements Reporter {
  readonly #budgetSeconds: number | undefined

  constructor({ budgetSeconds }: Options = {}) {
    this.#budgetSeconds = budgetSeconds
  }

  onTestModuleEnd(module: TestModule): void {
    const path = process.env['BALLAST_ENDED_FILES']
    if (path === undefined) return
    const ended: EndedFile = { file: module.relativeModuleId, hasPassed: module.state() === 'passed', cpuMs: cpuOf(module) }
    appendFileSync(path, `${JSON.stringify(ended)}\n`)
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const isKnown = childrenCpuMs() !== undefined
    const tests = modules.reduce((sum, module) => sum + [...module.children.allTests()].length, 0)
    const files = `${modules.length} files, ${tests} tests`
    if (!isKnown) {
      console.log(`\nCPU: not known on ${process.platform} (${files})`)
      return
    }
    // Workers may still live: what they spent is what their files did.
    const spent = modules.reduce((sum, module) => sum + cpuOf(module), ownCpuMs())
    const budget = this.#budgetSeconds === undefined ? '' : ` of ${this.#budgetSeconds} s`
    console.log(`\nCPU: ${seconds(spent)} s${budget} (${files}). The dearest:`)
    for (const module of modules.toSorted((a, b) => cpuOf(b) - cpuOf(a)).slice(0, dearest))
      console.log(`${seconds(cpuOf(module)).padStart(8)} s  ${module.relativeModuleId}`)
  }
}

const cpuOf = (module: TestModule): number => module.meta().cpuMs ?? 0
