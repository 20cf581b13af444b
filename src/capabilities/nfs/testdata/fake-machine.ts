// A machine whose servers are folders: `mount` puts a link in the place of the target, `umount` takes it away. What a server does is up to the test. All
// other programs are the real ones.

import { mkdirSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, systemClock } from '#kube/clock.ts'
import type { Mounted, MountTable } from '../mounts/mount-table.ts'
import { machinePrograms, type ProgramEnd, type RunProgram } from '../mounts/program.ts'

/** What a server does when somebody mounts from it; absent: it serves. */
type Behaviour = { readonly says: string; readonly code?: number } | 'hangs'

export class FakeMachine {
  /** Command lines of `mount` and `umount`, in order. */
  readonly commands: string[] = []
  /** By server. */
  readonly behaviours = new Map<string, Behaviour>()
  /** Targets that do not go, by how many steps they withstand: 1 goes by force. */
  readonly stuck = new Map<string, number>()
  /** Connections that the kernel has, by target. */
  readonly connections = new Map<string, number>()
  readonly #root: string
  readonly #clock: Clock
  readonly #real: RunProgram
  #mounts: Mounted[] = []
  #release = Promise.withResolvers<void>()

  /** @param root where servers' shares are folders: `<root>/<server>/<share>` */
  constructor(root: string, clock: Clock) {
    this.#root = root
    this.#clock = clock
    // They are of this machine, and take its time.
    this.#real = machinePrograms(systemClock)
  }

  readonly table: MountTable = {
    mounts: () => this.#mounts,
    connections: target => this.connections.get(target),
  }

  /** The folder that a share is; it is made. */
  share(server: string, share: string): string {
    const path = join(this.#root, server.replaceAll(':', '_'), share)
    mkdirSync(path, { recursive: true })
    return path
  }

  /** Whatever hangs goes on, and ends. */
  release(): void {
    this.#release.resolve()
    this.#release = Promise.withResolvers()
  }

  readonly run: RunProgram = async (program, args, options) => {
    if (program === 'mount') return await this.#mount(args, options)
    if (program === 'umount') return this.#unmount(args)
    return await this.#real(program, args, options)
  }

  async #mount(args: readonly string[], { limitMs, signal }: Parameters<RunProgram>[2]): Promise<ProgramEnd> {
    this.commands.push(`mount ${args.join(' ')}`)
    const [source = '', target = ''] = args.slice(-2)
    const [, bare, bracketed, share = ''] = /^(?:([^[:]+)|\[(.+)\]):(.*)$/.exec(source) ?? []
    const server = bare ?? bracketed ?? ''
    const behaviour = this.behaviours.get(server)
    if (behaviour === 'hangs') return await this.#hang(limitMs, signal)
    if (behaviour !== undefined) return ended(behaviour.code ?? 32, behaviour.says)
    const folder = this.share(server, share)
    renameSync(target, `${target}.below`)
    symlinkSync(folder, target)
    const options = args.includes('-o') ? (args[args.indexOf('-o') + 1] ?? '').split(',') : []
    this.#mounts.push({ target, fsType: 'nfs4', source, options })
    return ended(0, '')
  }

  async #hang(limitMs: number, signal: AbortSignal | undefined): Promise<ProgramEnd> {
    const late = Promise.withResolvers<void>()
    const cancel = this.#clock.schedule(limitMs, () => late.resolve())
    signal?.addEventListener('abort', () => late.resolve(), { once: true })
    const gone = this.#release.promise
    await Promise.race([late.promise, gone])
    cancel()
    return { code: undefined, output: '', isLate: true, gone }
  }

  #unmount(args: readonly string[]): ProgramEnd {
    this.commands.push(`umount ${args.join(' ')}`)
    const target = args.at(-1) ?? ''
    const left = this.stuck.get(target) ?? 0
    const mounted = this.#mounts.findLast(one => one.target === target)
    if (mounted === undefined) return ended(32, `umount: ${target}: not mounted.`)
    if (left > 0) {
      this.stuck.set(target, left - 1)
      return ended(32, `umount: ${target}: target is busy.`)
    }
    this.#mounts = this.#mounts.filter(one => one !== mounted)
    readlinkSync(target)
    unlinkSync(target)
    renameSync(`${target}.below`, target)
    return ended(0, '')
  }
}

const ended = (code: number, output: string): ProgramEnd => ({ code, output, isLate: false, gone: Promise.resolve() })

