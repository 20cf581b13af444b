// Mounts of one server that are to go at once, as when a node is drained, have one program together: starting programs is most of what an unmount costs. Only
// those of one server: where it does not answer, nobody else waits.

import { setImmediate } from 'node:timers/promises'
import type { Mounted } from './mount-table.ts'
import type { ProgramEnd, RunProgram } from './program.ts'

/** After so long each goes alone. */
const jointLimitMs = 1_000
const mostTogether = 16

interface Group {
  readonly targets: string[]
  readonly end: Promise<ProgramEnd | undefined>
}

export class JointUnmounts {
  readonly #run: RunProgram
  /** Those that are asked for in this turn of the event loop, by server and flags. */
  readonly #groups = new Map<string, Group>()

  constructor(run: RunProgram) {
    this.#run = run
  }

  /**
   * Resolves once a program has tried to take a mount away together with others; the tables say whether it did. Undefined where nobody else asked: nothing was tried.
   * @param flags of umount(8)
   */
  async tried({ target, source }: Mounted, flags: readonly string[]): Promise<ProgramEnd | undefined> {
    const key = JSON.stringify([flags, source.slice(0, source.lastIndexOf(':/'))])
    const known = this.#groups.get(key)
    if (known !== undefined) {
      known.targets.push(target)
      if (known.targets.length === mostTogether) this.#groups.delete(key)
      return await known.end
    }
    const targets = [target]
    const group = { targets, end: this.#together(key, targets, flags) }
    this.#groups.set(key, group)
    return await group.end
  }

  async #together(key: string, targets: readonly string[], flags: readonly string[]): Promise<ProgramEnd | undefined> {
    // Calls that have arrived are read before the next turn begins.
    await setImmediate()
    if (this.#groups.get(key)?.targets === targets) this.#groups.delete(key)
    if (targets.length === 1) return undefined
    return await this.#run('umount', [...flags, ...targets], { limitMs: jointLimitMs, saysErrorsOnly: true })
  }
}
