// A real NFS server: nfs-ganesha of Debian, unpacked, over folders of this machine, on a free port of loopback. It speaks NFS 4.0 to 4.2, as in user space
// it needs nothing of the kernel.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PartUnavailable } from '../cache.ts'
import { freePort } from '../control-plane/free-ports.ts'
import { needPrograms, placeOf } from '../machine-programs.ts'
import { type Program, startProgram, until } from '../mirror/laboratory/program.ts'

export interface Export {
  /** As clients name it: `/kubernetes`. */
  readonly path: string
  /** Others than root become nobody's; root too where it says so. */
  readonly squash?: 'No_Root_Squash' | 'Root_Squash' | 'All_Squash'
  readonly access?: 'RW' | 'RO'
}

export interface NfsServer extends AsyncDisposable {
  readonly port: number
  /** Where an export's files lie on this machine. */
  folder(path: string): string
  readonly program: Program
  /** Ends it by SIGKILL; clients wait. */
  kill(): Promise<void>
  /** On the same port, with the same files. */
  restart(): Promise<void>
}

/** `$1` holds Debian's files, the rest is the program: it looks for its parts where they lie once they are installed. */
const within = `
set -e
files=$1; shift
mount -t overlay overlay -o "lowerdir=$files/usr:/usr" /usr
exec "$@"
`

/** The first export's folder of handles must be one of a disk: a tmpfs has none. @throws PartUnavailable where it cannot be had */
export async function startNfsServer(exports: readonly Export[]): Promise<NfsServer> {
  if (process.getuid?.() !== 0) throw new PartUnavailable('handles of files are opened by root only')
  await needPrograms('ganesha.nfsd')
  const root = mkdtempSync(join(tmpdir(), 'bnfs-server-'))
  const port = await freePort()
  const folder = (path: string) => join(root, 'exports', path)
  for (const { path } of exports) mkdirSync(folder(path), { recursive: true })
  mkdirSync(join(root, 'recovery'))
  const configuration = join(root, 'ganesha.conf')
  writeFileSync(configuration, configurationOf(exports, { port, recovery: join(root, 'recovery'), folder }))
  const debian = join(dirname(dirname(placeOf('ganesha.nfsd') ?? '')), 'root')
  const log = join(root, 'log')
  const begin = async () => {
    const started = startProgram('unshare', [
      ...['--mount', '--propagation', 'private', 'sh', '-c', within, 'within', debian],
      ...['/usr/bin/ganesha.nfsd', '-F', '-f', configuration, '-L', log, '-p', join(root, 'pid')],
    ])
    await until('nfs-ganesha listens', async () => {
      if (started.hasEnded()) throw new Error(`nfs-ganesha ended: ${started.log()}\n${readFileSync(log, 'utf8')}`)
      return await listens(port)
    })
    return started
  }
  let program: Program | undefined
  try {
    program = await begin()
  } catch (cause) {
    rmSync(root, { recursive: true, force: true })
    throw cause
  }
  let current = program
  return {
    port,
    folder,
    get program() {
      return current
    },
    kill: () => current.kill(),
    async restart() {
      await current.kill()
      current = await begin()
    },
    async [Symbol.asyncDispose]() {
      await current.kill()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

function listens(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ host: '127.0.0.1', port })
  socket.once('connect', () => resolve(true))
  socket.once('error', () => resolve(false))
  void promise.finally(() => socket.destroy())
  return promise
}

/** Clients that come back after a restart do not wait: there is no grace period. */
function configurationOf(
  exports: readonly Export[],
  { port, recovery, folder }: { readonly port: number; readonly recovery: string; folder(path: string): string },
): string {
  const served = exports.map(
    ({ path, squash = 'No_Root_Squash', access = 'RW' }, index) => `EXPORT {
  Export_Id = ${index + 1}; Path = "${folder(path)}"; Pseudo = "${path}";
  Access_Type = ${access}; Squash = ${squash}; SecType = sys; Protocols = 4; Transports = TCP;
  FSAL { Name = VFS; }
}
`,
  )
  return `NFS_CORE_PARAM {
  NFS_Port = ${port}; Bind_addr = 127.0.0.1; Protocols = 4;
  Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false;
}
NFSv4 {
  Graceless = true; Lease_Lifetime = 5; RecoveryBackend = fs; RecoveryRoot = "${recovery}";
  Only_Numeric_Owners = true; Minor_Versions = 0, 1, 2;
}
LOG { Default_Log_Level = EVENT; }
${served.join('')}`
}
