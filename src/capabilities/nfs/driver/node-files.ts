// What the node part wants to know of a mounted volume. A look at it may hang with its server, so small programs look, and are left behind where they
// hang.

import type { RunProgram } from '../mounts/program.ts'

const lookLimitMs = 10_000
/** Looks that hang at once; further ones are refused until one ends. */
const mostHanging = 64

/** What a look came to. */
type Looked = 'there' | 'missing' | 'denied' | 'stale' | 'hangs' | { readonly problem: string }

interface FileSystemFigures {
  readonly blockSize: number
  readonly blocks: number
  readonly freeBlocks: number
  readonly availableBlocks: number
  readonly inodes: number
  readonly freeInodes: number
}

export class NodeFiles {
  readonly #run: RunProgram
  #hanging = 0

  constructor(run: RunProgram) {
    this.#run = run
  }

  /** Looks whose programs have not ended, though their time was over. */
  get hanging(): number {
    return this.#hanging
  }

  async look(path: string): Promise<Looked> {
    const { outcome } = await this.#program('stat', ['-L', '--printf=%a', '--', path])
    return outcome
  }

  /** Bits of a folder: as of `07777`. */
  async permissions(path: string): Promise<number | Looked> {
    const { outcome, output } = await this.#program('stat', ['-L', '--printf=%a', '--', path])
    return outcome === 'there' ? Number.parseInt(output, 8) : outcome
  }

  setPermissions(path: string, bits: number): Promise<Looked> {
    return this.#program('chmod', [bits.toString(8).padStart(5, '0'), '--', path]).then(({ outcome }) => outcome)
  }

  async figures(path: string): Promise<FileSystemFigures | Looked> {
    const { outcome, output } = await this.#program('stat', ['-f', '--printf=%S %b %f %a %c %d', '--', path])
    if (outcome !== 'there') return outcome
    const numbers = output.split(' ').map(Number)
    const [blockSize, blocks, freeBlocks, availableBlocks, inodes, freeInodes] = numbers
    if (
      blockSize === undefined ||
      blocks === undefined ||
      freeBlocks === undefined ||
      availableBlocks === undefined ||
      inodes === undefined ||
      freeInodes === undefined ||
      !numbers.every(Number.isFinite)
    )
      return { problem: `stat -f says ${JSON.stringify(output)}: expected six numbers` }
    return { blockSize, blocks, freeBlocks, availableBlocks, inodes, freeInodes }
  }

  async #program(
    program: 'stat' | 'chmod',
    args: readonly string[],
  ): Promise<{ readonly outcome: Looked; readonly output: string }> {
    if (this.#hanging >= mostHanging) return { outcome: 'hangs', output: '' }
    const { code, output, isLate, gone } = await this.#run(program, args, { limitMs: lookLimitMs })
    if (isLate) {
      this.#hanging++
      void gone.then(() => this.#hanging--)
      return { outcome: 'hangs', output }
    }
    return { outcome: code === 0 ? 'there' : outcomeOf(output), output }
  }
}

function outcomeOf(output: string): Looked {
  if (/no such file or directory|not a directory/i.test(output)) return 'missing'
  if (/stale .*file handle/i.test(output)) return 'stale'
  if (/permission denied|operation not permitted/i.test(output)) return 'denied'
  return { problem: output.trim() }
}
