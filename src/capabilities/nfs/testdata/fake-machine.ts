// A machine whose servers are folders: `mount` and `mount.nfs` put a link in the place of the target, `umount` takes it away. What a server does is up to the test. All
// other programs are the real ones.

import { existsSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, systemClock } from '#kube/clock.ts'
import type { MountTable } from '../mounts/mount-table.ts'
import { machinePrograms, type ProgramEnd, type RunProgram } from '../mounts/program.ts'
import { LinkedMounts } from '../stand-in/linked-mounts.ts'

/** What a server does in place of serving; `umount` is told by that name. */
interface ToldServer {
  readonly waitMs?: number
  /** Until it is told otherwise. */
  readonly hang?: boolean
  /** What the program says before it fails. */
  readonly fail?: string
  readonly code?: number
}

interface FakeMachineOptions {
  /** Where servers are folders, and their shares below them. */
  readonly root: string
  /** Where what is below a mount waits. */
  readonly below: string
  readonly clock: Clock
  /** Only what is there is served, and options that nobody knows are refused, as by real ones. */
  readonly isStrict?: boolean
}

export class FakeMachine {
  readonly calls: { readonly program: string; readonly argv: readonly string[] }[] = []
  /** Command lines of what was started to mount and unmount, in order. */
  readonly commands: string[] = []
  /** The same word by word. */
  readonly started: { readonly program: string; readonly args: readonly string[] }[] = []
  /** Targets that do not go, by how many steps they withstand: 1 goes by force. */
  readonly stuck = new Map<string, number>()
  /** Targets at which handles of files are of no server any more. */
  readonly stale = new Set<string>()
  /** Connections that the kernel has, by target. */
  readonly connections = new Map<string, number>()
  readonly #options: FakeMachineOptions
  readonly #real: RunProgram
  readonly #told = new Map<string, ToldServer>()
  #changed = Promise.withResolvers<void>()
  readonly #mounts: LinkedMounts

  constructor(options: FakeMachineOptions) {
    this.#options = options
    this.#mounts = new LinkedMounts(options.below)
    // They are of this machine, and take its time.
    this.#real = machinePrograms(systemClock)
  }

  readonly table: MountTable = {
    mounts: () => this.#mounts.table.mounts(),
    at: target => this.#mounts.table.at(target),
    connections: target => this.connections.get(target),
  }

  /** Undefined has it work again; what hangs goes on then. */
  tell(server: string, told: ToldServer | undefined): void {
    if (told === undefined) this.#told.delete(server)
    else this.#told.set(server, told)
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  /** The folder that a share is; it is made. */
  share(server: string, share: string): string {
    const path = this.#folder(server, share)
    mkdirSync(path, { recursive: true })
    return path
  }

  readonly run: RunProgram = async (program, args, options) => {
    const path = args.at(-1) ?? ''
    if (program === 'stat' && this.stale.has(path)) return failed(`stat: cannot statx '${path}': Stale file handle`, 1)
    if (program !== 'mount' && program !== 'mount.nfs' && program !== 'umount') return await this.#real(program, args, options)
    this.started.push({ program, args })
    this.commands.push([program, ...args].join(' '))
    if (program !== 'mount.nfs') this.calls.push({ program, argv: args })
    const late = Promise.withResolvers<void>()
    const cancel = this.#options.clock.schedule(options.limitMs, () => late.resolve())
    options.signal?.addEventListener('abort', () => late.resolve(), { once: true })
    const end = program === 'umount' ? this.#unmount(args) : this.#mount(args, program === 'mount.nfs' ? args : args.slice(-2))
    const gone = end.then(() => undefined)
    const first = await Promise.race([end, late.promise])
    cancel()
    return first === undefined ? { code: undefined, output: '', isLate: true, isAbsent: false, gone } : first
  }

  /** Takes what is mounted at a target away, whatever a program does. */
  forget(target: string): void {
    if (this.#mounts.unmount(target)) this.stale.delete(target)
  }

  async #mount(
    args: readonly string[],
    [source = '', target = '']: readonly (string | undefined)[],
  ): Promise<ProgramEnd> {
    const [, bracketed, bare, share = ''] = /^(?:\[(.+)\]|([^[:]+)):(.*)$/s.exec(source) ?? []
    const server = bare ?? bracketed
    const options = args.includes('-o') ? (args[args.indexOf('-o') + 1] ?? '').split(',') : []
    const others = options.filter(option => option !== 'bind')
    if (options.includes('bind') && this.#mounts.bind(source, target, others)) return ended(0, '')
    // It is what `mount` calls, too, and is seen to be called.
    this.calls.push({ program: 'mount.nfs', argv: [source, target] })
    if (server === undefined) return failed(`mount.nfs: remote share not in 'host:dir' format`)
    if (this.#options.isStrict) {
      if (options.some(option => option !== '' && !knownOption.test(option)))
        return failed(`mount.nfs: an incorrect mount option was specified for ${target}`)
      if (server.includes('/') || !existsSync(this.#folder(server, '')))
        return failed(`mount.nfs: Failed to resolve server ${server}: Name or service not known`)
    }
    const refused = await this.#obey(server)
    if (refused !== undefined) return refused
    const folder = this.#folder(server, share)
    if (!this.#options.isStrict) mkdirSync(folder, { recursive: true })
    // Also of a name that is longer than any can be.
    const found = existsSync(folder) ? statSync(folder) : undefined
    if (!found?.isDirectory()) {
      const why = found === undefined ? 'No such file or directory' : 'Not a directory'
      return failed(`mount.nfs: mounting ${source} failed, reason given by server: ${why}`)
    }
    this.#mounts.mount(folder, target, { fsType: 'nfs4', source, options })
    return ended(0, '')
  }

  async #unmount(args: readonly string[]): Promise<ProgramEnd> {
    const refused = await this.#obey('umount')
    if (refused !== undefined) return refused
    const ends = args.filter(word => !word.startsWith('-')).map(target => this.#unmountOne(target))
    return ends.find(({ code }) => code !== 0) ?? ended(0, '')
  }

  #unmountOne(target: string): ProgramEnd {
    const left = this.stuck.get(target) ?? 0
    if (this.#mounts.table.at(target) === undefined) return failed(`umount: ${target}: not mounted.`)
    if (left > 0) {
      this.stuck.set(target, left - 1)
      return failed(`umount: ${target}: target is busy.`)
    }
    this.forget(target)
    return ended(0, '')
  }

  async #obey(name: string): Promise<ProgramEnd | undefined> {
    const { waitMs } = this.#told.get(name) ?? {}
    if (waitMs !== undefined) await this.#options.clock.after(waitMs)
    while (this.#told.get(name)?.hang) await this.#changed.promise
    const { fail, code } = this.#told.get(name) ?? {}
    return fail === undefined ? undefined : failed(fail, code)
  }

  #folder(server: string, share: string): string {
    return join(this.#options.root, server, share)
  }
}

const knownOption =
  /^(rw|ro|remount|_netdev|nofail|addr=.*|context=.*|b"|hard|soft|sync|async|noatime|nolock|tcp|nfsvers=.*|vers=.*|nconnect=.*|timeo=.*|retrans=.*|port=.*|proto=.*|sec=.*|rsize=.*|wsize=.*|retry=.*|actimeo=.*)$/

const failed = (output: string, code = 32): ProgramEnd => ended(code, output)
const ended = (code: number, output: string): ProgramEnd => ({
  code,
  output,
  isLate: false,
  isAbsent: false,
  gone: Promise.resolve(),
})
