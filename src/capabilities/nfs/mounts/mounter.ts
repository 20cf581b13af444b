// Mounting and unmounting by the machine's programs.

import type { Cancel, Clock } from '#kube/clock.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { JointUnmounts } from './joint-unmounts.ts'
import { helperArguments } from './mount-helper.ts'
import type { MountTable } from './mount-table.ts'
import type { ProgramEnd, RunProgram } from './program.ts'

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

/** A program that was to mount. */
interface Started {
  readonly program: string
  readonly args: readonly string[]
  readonly source: string
  readonly target: string
}

interface Unmounted {
  /** How far it went before the mount was gone. */
  readonly step: 'unmounted' | 'forced' | 'detached' | 'nothing'
  /** Whether another one lay below it. */
  readonly isLeft: boolean
}

export class Mounter {
  readonly #options: MounterOptions
  readonly #joint: JointUnmounts

  constructor(options: MounterOptions) {
    this.#options = options
    this.#joint = new JointUnmounts(options.run)
  }

  get table(): MountTable {
    return this.#options.table
  }

  isMounted(target: string): boolean {
    return this.table.at(target) !== undefined
  }

  /**
   * By `mount.nfs`, or by `mount` where that is to make something of the options, or knows a better place of `mount.nfs`.
   * @throws MountFailed with what it said, in the words that upstream puts around it
   */
  async mount(order: MountOrder, signal?: AbortSignal): Promise<void> {
    const { source, target, options } = order
    const direct = helperArguments(order)
    if (direct !== undefined) {
      const end = await this.#run('mount.nfs', direct, signal)
      if (!end.isAbsent) {
        this.#assertDone(end, { program: 'mount.nfs', args: direct, source, target }, signal)
        return
      }
    }
    const how = ['-t', 'nfs', ...(options.length === 0 ? [] : ['-o', options.join(',')])]
    await this.#mount(how, source, target, signal)
  }

  /** Shows what is mounted at one place at another, too: no server is asked. @throws MountFailed */
  async bind({ source, target, isReadonly }: BindOrder): Promise<void> {
    await this.#mount(['-o', isReadonly ? 'bind,ro' : 'bind'], source, target)
  }

  async #mount(how: readonly string[], source: string, target: string, signal?: AbortSignal): Promise<void> {
    const args = [...how, source, target]
    this.#assertDone(await this.#run('mount', args, signal), { program: 'mount', args, source, target }, signal)
  }

  #run(program: 'mount' | 'mount.nfs', args: readonly string[], signal: AbortSignal | undefined): Promise<ProgramEnd> {
    return this.#options.run(program, args, { limitMs: mountLimitMs, signal, saysErrorsOnly: true })
  }

  /** @throws MountFailed; the reason of a signal */
  #assertDone({ code, output, isLate, gone }: ProgramEnd, of: Started, signal: AbortSignal | undefined): void {
    const { program, args, source, target } = of
    if (code === 0) {
      if (this.isMounted(target)) return
      // With `bg` it goes on by itself where the server does not answer: whoever had the target would write to the disk below it.
      throw new MountFailed(`${program} says that ${source} is mounted, and nothing is at ${target} yet`, 'other')
    }
    signal?.throwIfAborted()
    if (isLate) throw new MountFailed(`mount volume ${source} to ${target} timeout after ${mountLimitMs / 1_000}s`, 'late', gone)
    const words = `mount failed: exit status ${code ?? 'unknown'}\nMounting command: ${program}\nMounting arguments: ${args.join(' ')}\nOutput: ${output.trim()}\n`
    throw new MountFailed(words, kindOf(output), gone)
  }

  /**
   * Takes the topmost mount away, by force where it does not go, and at last without waiting for who has it open, where `detaches` says so.
   * @throws MountFailed where it is still there
   */
  async unmount(target: string, { detaches = false }: { readonly detaches?: boolean } = {}): Promise<Unmounted> {
    const { table } = this.#options
    const mounted = table.at(target)
    if (mounted === undefined) return { step: 'nothing', isLeft: false }
    // A server of NFS 4 is told nothing. One of NFS 3 is, by the program umount.nfs, which this flag keeps umount(8) from starting.
    const how = mounted.fsType === 'nfs4' ? ['-i'] : []
    const gone = (step: Unmounted['step']): Unmounted | undefined => {
      const found = table.at(target)
      return found?.id === mounted.id ? undefined : { step, isLeft: found !== undefined }
    }
    const joint = await this.#joint.tried(mounted, how)
    const together = joint === undefined ? undefined : gone('unmounted')
    if (together !== undefined) return together
    const first = await this.#umount([...how, target], unmountLimitMs)
    const unmounted = gone('unmounted')
    if (unmounted !== undefined) return unmounted
    const second = await this.#umount([...how, '-f', target], unmountLimitMs)
    const forced = gone('forced')
    if (forced !== undefined) return forced
    if (detaches) {
      await this.#umount([...how, '-l', target], unmountLimitMs)
      const detached = gone('detached')
      if (detached !== undefined) return detached
    }
    const said = [first, second].map(({ output, isLate }) => (isLate ? 'no end within 30 s' : output.trim()))
    throw new MountFailed(
      `unmount failed: ${target} is still mounted; umount: ${said[0]}; umount -f: ${said[1]}`,
      'other',
      Promise.all([joint?.gone, first.gone, second.gone]).then(() => undefined),
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
      return await run('umount', args, { limitMs, signal: gone.signal, saysErrorsOnly: true })
    } finally {
      cancel()
    }
  }
}

function kindOf(output: string): MountFailed['kind'] {
  if (/permission denied|access denied|operation not permitted/i.test(output)) return 'permission'
  return /invalid argument/i.test(output) ? 'argument' : 'other'
}
