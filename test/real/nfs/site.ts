// NFS servers for drivers, on kernels that know no NFS: folders of this machine, and a stand-in for mount.nfs (`stand-in/`) that binds them where a
// share would be mounted. Drivers run in a mount namespace with it, in which they can write below the site's folder only.

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PlayedSite } from '../../nfs-player.ts'
import { PartUnavailable } from '../cache.ts'
import { atEnd } from '../endings.ts'
import { placeOf } from '../machine-programs.ts'
import { type Program, type ProgramOptions, startProgram, until } from '../mirror/laboratory/program.ts'
import { NfsServers, standIn } from './servers.ts'

/** `$1` the site's folder. Whatever is tested writes nowhere else: the rest of the machine is read-only in there. */
const setUp = `
set -e
root=$1
mount --bind "$root" "$root"
mount -t overlay overlay -o "lowerdir=$root/layers/sbin:/usr/sbin" /usr/sbin
mount -o remount,bind,ro /
mount -t overlay overlay -o "lowerdir=$root/layers/bin:/usr/bin" /usr/bin
: > "$root/ready"
exec sleep infinity
`

/** `$1` the new root, `$2` the names of folders in it; what follows is the program. What links at the root lead to is found there, too. */
const rootWith = `
set -e
world=$1
if ! mountpoint -q "$world"; then
  mount -t tmpfs tmpfs "$world"
  for place in /*; do
    if [ -L "$place" ]; then cp -P "$place" "$world$place"
    elif [ -d "$place" ]; then mkdir "$world$place"; mount --rbind "$place" "$world$place"
    fi
  done
  for folder in $2; do mkdir -p "$world/$folder"; done
fi
shift 2
exec chroot "$world" "$@"
`

export class NfsSite extends NfsServers implements PlayedSite, AsyncDisposable {
  /** An absolute path without odd characters. */
  readonly root: string
  readonly #held: Program
  readonly #namespace: string
  readonly #isOver: () => void

  private constructor(root: string, held: Program) {
    super(join(root, 'exports'))
    this.root = root
    this.#held = held
    this.#namespace = namespaceOf(held.pid)
    this.#isOver = atEnd(() => killEach(this.#inside()))
  }

  /**
   * Without servers at first.
   * @param writesDown whether calls of mount and umount are written down: another program comes before the machine's own then, which takes its time
   * @throws PartUnavailable where nobody may mount, or the stand-in cannot be built
   */
  static async start({ writesDown = true }: { readonly writesDown?: boolean } = {}): Promise<NfsSite> {
    if (process.platform !== 'linux' || process.getuid?.() !== 0)
      throw new PartUnavailable('mount namespaces need Linux and root')
    const program = await standIn()
    const root = mkdtempSync(join(tmpdir(), 'bnfs-'))
    // A server's folder is anybody's, as an export would be.
    chmodSync(root, 0o755)
    for (const folder of ['exports/.told', 'layers/bin', 'layers/sbin', 'work', 'targets'])
      mkdirSync(join(root, folder), { recursive: true })
    layOut(root, program, writesDown ? ['mount', 'umount'] : [])
    const held = startProgram('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', setUp, 'nfs-site', root])
    await until('the mount namespace is set up', () => {
      if (held.hasEnded()) throw new PartUnavailable(`a mount namespace with an overlay: ${held.log()}`)
      return existsSync(join(root, 'ready'))
    })
    return new NfsSite(root, held)
  }

  /** Starts a program in there; `pid` is the program's own. */
  startProgram(command: readonly string[], options: ProgramOptions = {}): Program {
    return startProgram('nsenter', ['--target', String(this.#held.pid), '--mount', '--', ...command], options)
  }

  /**
   * Starts a program that writes to a folder at the root, such as `csi`: the root has it for that program, and is otherwise as for the others. The
   * program's mounts are in its own tree, and `mounts` has them below `world`.
   */
  startAtRoot(folders: readonly string[], command: readonly string[], options: ProgramOptions = {}): Program {
    const world = join(this.root, 'world')
    mkdirSync(world, { recursive: true })
    return this.startProgram(['sh', '-c', rootWith, 'nfs-site', world, folders.join(' '), ...command], options)
  }

  /** Mounts below the site's folder as `source on target (options)`, in the order in which they were made. */
  mounts(): readonly string[] {
    const lines = readFileSync(`/proc/${this.#held.pid}/mountinfo`, 'utf8').trimEnd().split('\n')
    return lines.flatMap(line => {
      const [, , , from = '', target = '', options = ''] = line.split(' ').map(unescaped)
      return target.startsWith(`${this.root}/`) ? [`${from} on ${target} (${options.split(',')[0]})`] : []
    })
  }

  /** As this process reaches a path in there, with what is mounted. */
  seen(path: string): string {
    return `/proc/${this.#held.pid}/root${path}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The program that holds the namespace goes last: once it is free, its number may be another site's.
    await until('nothing but its holder is left in the mount namespace', () => {
      // What one of them started while the others were looked for is found the next time.
      const left = this.#inside().filter(pid => pid !== this.#held.pid)
      killEach(left)
      return left.length === 0
    })
    await this.#held.kill()
    this.#isOver()
    rmSync(this.root, { recursive: true, force: true })
  }

  /** All that runs in there, whoever started it. */
  #inside(): readonly number[] {
    return readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .map(Number)
      .filter(pid => namespaceOf(pid) === this.#namespace)
  }
}

function killEach(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Programs that come before the machine's own. */
function layOut(root: string, program: string, before: readonly string[]): void {
  for (const [folder, names] of [
    ['sbin', ['mount.nfs', 'mount.nfs4']],
    ['bin', before],
  ] as const) {
    const layer = join(root, 'layers', folder)
    writeFileSync(join(layer, '.root'), join(root, 'exports'))
    for (const name of names) {
      copyFileSync(program, join(layer, name))
      chmodSync(join(layer, name), 0o755)
    }
  }
  for (const name of before) {
    const own = placeOf(name)
    if (own === undefined) throw new PartUnavailable(`this machine has no ${name}`)
    copyFileSync(own, join(root, 'layers', 'bin', `.real-${name}`))
    chmodSync(join(root, 'layers', 'bin', `.real-${name}`), 0o755)
  }
}

/** Empty where the process has ended. */
function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`)
  } catch {
    return '' // ENOENT: it has ended
  }
}

/** `\040` and the like, as the kernel writes spaces. */
const unescaped = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
