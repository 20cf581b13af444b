// A machine whose NFS servers are folders, for a twin that has no kernel to mount with: `mount`, `mount.nfs` and `umount` are played by links, all other programs are real.
// What a kernel's NFS does beyond that (options, permissions of an export, a server that goes away) is not there.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '#kube/clock.ts'
import { pathProblem, serverProblem } from '../driver/share-path.ts'
import type { MountTable } from '../mounts/mount-table.ts'
import { machinePrograms, type ProgramEnd, type RunProgram } from '../mounts/program.ts'
import { LinkedMounts } from './linked-mounts.ts'

interface FolderMachineOptions {
  /** Where servers are folders, and their shares below them: `<root>/<server>/<share>`. */
  readonly root: string
  /** Where what is below a mount waits. */
  readonly below: string
  /** The host's: real programs are ended by it. */
  readonly clock: Clock
}

/** The folder that a path of a server is; undefined where it would lead out of `root`. */
export function folderOf(root: string, server: string, path: string): string | undefined {
  const isName = server !== '' && server !== '.' && server !== '..' && !server.includes('/')
  if (!isName || (serverProblem(server) ?? pathProblem(path)) !== undefined) return undefined
  return join(root, server, path)
}

/** Every server is there, and exports whatever it is asked for: a folder that is absent is made. */
export function folderMachine({ root, below, clock }: FolderMachineOptions): {
  readonly run: RunProgram
  readonly table: MountTable
} {
  const mounts = new LinkedMounts(below)
  const real = machinePrograms(clock)
  const mount = (args: readonly string[], [source = '', target = '']: readonly (string | undefined)[]): ProgramEnd => {
    const [, bracketed, bare, share = ''] = /^(?:\[(.+)\]|([^[:]+)):(.*)$/s.exec(source) ?? []
    const folder = folderOf(root, bare ?? bracketed ?? '', share)
    if (folder === undefined) return ended(32, `mount.nfs: ${source} is no share that a folder can stand for`)
    const options = args.includes('-o') ? (args[args.indexOf('-o') + 1] ?? '').split(',') : []
    try {
      mkdirSync(folder, { recursive: true })
      mounts.mount(folder, target, { fsType: 'nfs4', source, options })
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      return ended(32, `mount.nfs: ${error.message}`)
    }
    return ended(0, '')
  }
  return {
    table: mounts.table,
    run: async (program, args, options) => {
      if (program === 'mount') return mount(args, args.slice(-2))
      if (program === 'mount.nfs') return mount(args, args)
      if (program !== 'umount') return await real(program, args, options)
      const refused = args.filter(word => !word.startsWith('-') && !mounts.unmount(word))
      const told = refused.map(target => `umount: ${target}: not mounted.`)
      return ended(refused.length === 0 ? 0 : 32, told.join('\n'))
    },
  }
}

const ended = (code: number, output: string): ProgramEnd => ({
  code,
  output,
  isLate: false,
  isAbsent: false,
  gone: Promise.resolve(),
})
