// What the stand-in for mount.nfs (`stand-in/`) serves: a folder in which each server is a folder, with what it was told and who was called.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Told } from '../../nfs-player.ts'
import { builtOnce } from '../cache.ts'
import { builtProgram } from '../clients/build.ts'

/** A program of the stand-in that was called. */
export interface Call {
  readonly program: 'mount' | 'umount' | 'mount.nfs' | 'mount.nfs4'
  readonly argv: readonly string[]
  readonly pid: number
  readonly atMs: number
  /** Undefined while it goes on. */
  readonly code: number | undefined
}

/** The program that is called mount.nfs, mount or umount. @throws PartUnavailable where it cannot be built */
export const standIn = (): Promise<string> =>
  builtOnce('the stand-in for mount.nfs', () => builtProgram(join(import.meta.dirname, 'stand-in'), 'mount-nfs'))

export class NfsServers {
  readonly exports: string

  /** @param exports the folder of the servers, with a folder `.told` in it */
  constructor(exports: string) {
    this.exports = exports
  }

  /** Makes a server with an export. @returns the folder that clients see */
  addShare(server: string, share: string): string {
    const folder = join(this.exports, server, share)
    mkdirSync(folder, { recursive: true })
    return folder
  }

  /** Undefined has it work again. A call that hangs hears of it within milliseconds. */
  tell(server: string, told: Told | undefined): void {
    const file = join(this.exports, '.told', `${server}.json`)
    if (told === undefined) {
      rmSync(file, { force: true })
      return
    }
    writeFileSync(`${file}.new`, JSON.stringify(told))
    renameSync(`${file}.new`, file)
  }

  /** In the order in which they began. */
  calls(): readonly Call[] {
    const file = join(this.exports, '.calls')
    if (!existsSync(file)) return []
    const calls: (Omit<Call, 'code'> & { code: number | undefined })[] = []
    for (const line of readFileSync(file, 'utf8')
      .split('\n')
      .filter(text => text !== '')) {
      const { argv, code, ...rest }: Call = JSON.parse(line)
      const begun = calls.findLast(call => call.pid === rest.pid && call.program === rest.program && call.code === undefined)
      if (code === undefined) calls.push({ ...rest, argv: argv ?? [], code: undefined })
      else if (begun !== undefined) begun.code = code
    }
    return calls
  }

  /** Forgets those that were. */
  forgetCalls(): void {
    rmSync(join(this.exports, '.calls'), { force: true })
  }
}
