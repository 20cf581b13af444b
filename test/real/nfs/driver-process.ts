// A CSI driver as a process in a site, with a client of its socket. Upstream's and ours take the same flags.

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CsiClient } from '../../csi-wire.ts'
import { type Program, until } from '../mirror/laboratory/program.ts'
import { upstreamPath } from '../upstreams/build.ts'
import type { NfsSite } from './site.ts'

/** What serves a CSI socket by upstream's flags: a program with what comes before the flags. */
export type DriverCommand = readonly [program: string, ...args: string[]]

/** @throws PartUnavailable where it cannot be built */
export const upstreamDriver = async (): Promise<DriverCommand> => [await upstreamPath('csi-driver-nfs')]

export interface DriverProcess extends AsyncDisposable {
  readonly program: Program
  readonly client: CsiClient
  readonly socket: string
  readonly workingDirectory: string
}

/** @param flags further ones, of upstream's. @throws Error with its log where it does not answer Probe */
export async function startDriver(
  site: NfsSite,
  command: DriverCommand,
  flags: readonly string[] = [],
  name = 'csi',
): Promise<DriverProcess> {
  const socket = join(site.root, `${name}.sock`)
  const workingDirectory = join(site.root, 'work')
  mkdirSync(workingDirectory, { recursive: true })
  // One that was killed leaves its socket, and would seem to be there already.
  rmSync(socket, { force: true })
  const [program, ...args] = command
  const started = site.startProgram([
    program,
    ...args,
    `--endpoint=unix://${socket}`,
    '--nodeid=n1',
    `--working-mount-dir=${workingDirectory}`,
    ...flags,
  ])
  const client = new CsiClient(socket)
  const close = async () => {
    client[Symbol.dispose]()
    await started.kill()
  }
  try {
    await until(`${program} answers`, async () => {
      if (started.hasEnded()) throw new Error(`${program} ended: ${started.log()}`)
      return (await client.ask('Probe', {}, 1_000)).code === 'OK'
    })
  } catch (cause) {
    await close()
    throw cause
  }
  return { program: started, client, socket, workingDirectory, [Symbol.asyncDispose]: close }
}
