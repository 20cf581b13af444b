// Mounting and unmounting by the machine's programs.

import type { Cancel, Clock } from '#kube/clock.ts'
import { OutsideError } from '#kube/outside-error.ts'
import type { MountTable } from './mount-table.ts'
import type { RunProgram } from './program.ts'

/** Below the two minutes that kubelets give a call. */
const mountLimitMs = 110_000
/** When `umount` is tried by force, and when it is given up. */
const unmountLimitMs = 30_000
const lookMs = 1_000

/** A mount or an unmount that did not come about. */
export class MountFailed extends OutsideError {
  override readonly name = 'MountFailed'
  readonly kind: 'permission' | 'argument' | 'late' | 'other'
  /** Resolves when the program is gone that was not done in time. */
  readonly gone: Promise<void>

  constructor(message: string, kind: MountFailed['kind'], gone: Promise<void> = Promise.resolve()) {
    super(message)
    this.kind = kind
    this.gone = gone
  }
}

interface MounterOptions {
  readonly run: RunProgram
  readonly table: MountTable
  readonly clock: Clock
}

interface MountOrder {
  readonly source: string
  readonly target: string
  /** Each may hold several by commas. */
  readonly options: readonly string[]
}

interface BindOrder {
  /** Where it is mounted already. */
  readonly source: string
  readonly target: string
  readonly isReadonly: boolean
}

/** How far an unmount went before the mount was gone. */
type UnmountStep = 'unmounted' | 'forced' | 'detached' | 'nothing'

export class Mounter {
  readonly #options: MounterOptions

  constructor(options: MounterOptions) {
    this.#options = options
  }

  get table(): MountTable {
    return this.#options.table
  }

  isMounted(target: string): boolean {
    return this.table.at(target) !== undefined
  }

  /** @throws MountFailed with what `mount` said, in the words that upstream puts around it */
  async mount({ source, target, options }: MountOrder, signal?: AbortSignal): Promise<void> {
    const how = ['-t', 'nfs', ...(options.length === 0 ? [] : ['-o', options.join(',')])]
    await this.#mount(how, source, target, signal)
  }

  /** Shows what is mounted at one place at another, too: no server is asked. @throws MountFailed */
  async bind({ source, target, isReadonly }: BindOrder): Promise<void> {
    await this.#mount(['-o', isReadonly ? 'bind,ro' : 'bind'], source, target)
  }

  async #mount(how: readonly string[], source: string, target: string, signal?: AbortSignal): Promise<void> {
    const args = [...how, source, target]
    const { code, output, isLate, gone } = await this.#options.run('mount', args, { limitMs: mountLimitMs, signal })
    if (code === 0) return
    signal?.throwIfAborted()
    if (isLate) throw new MountFailed(`mount volume ${source} to ${target} timeout after ${mountLimitMs / 1_000}s`, 'late', gone)
    const words = `mount failed: exit status ${code ?? 'unknown'}\nMounting command: mount\nMounting arguments: ${args.join(' ')}\nOutput: ${output.trim()}\n`
    throw new MountFailed(words, kindOf(output))
  }

  /**
   * Takes a mount away, by force where it does not go, and at last without waiting for who has it open, where `detaches` says so.
   * @throws MountFailed where it is still there
   */
  async unmount(target: string, { detaches = false }: { readonly detaches?: boolean } = {}): Promise<UnmountStep> {
    if (!this.isMounted(target)) return 'nothing'
    const first = await this.#umount([target], unmountLimitMs)
    if (!this.isMounted(target)) return 'unmounted'
    const second = await this.#umount(['-f', target], unmountLimitMs)
    if (!this.isMounted(target)) return 'forced'
    if (detaches) {
      await this.#umount(['-l', target], unmountLimitMs)
      if (!this.isMounted(target)) return 'detached'
    }
    const said = [first, second].map(({ output, isLate }) => (isLate ? 'no end within 30 s' : output.trim()))
    throw new MountFailed(
      `unmount failed: ${target} is still mounted; umount: ${said[0]}; umount -f: ${said[1]}`,
      'other',
      Promise.all([first.gone, second.gone]).then(() => undefined),
    )
  }

  /** Where its server stands still the program may hang though the mount has gone: the tables are looked at meanwhile. */
  async #umount(args: readonly string[], limitMs: number) {
    const { run, clock } = this.#options
    const target = args.at(-1) ?? ''
    const gone = new AbortController()
    let cancel: Cancel = () => undefined
    const look = () => {
      if (this.isMounted(target)) cancel = clock.schedule(lookMs, look)
      else gone.abort()
    }
    cancel = clock.schedule(lookMs, look)
    try {
      return await run('umount', args, { limitMs, signal: gone.signal })
    } finally {
      cancel()
    }
  }
}

function kindOf(output: string): MountFailed['kind'] {
  if (/permission denied|access denied|operation not permitted/i.test(output)) return 'permission'
  return /invalid argument/i.test(output) ? 'argument' : 'other'
}
