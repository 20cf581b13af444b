// A real NFS client that needs no kernel: the programs of libnfs (Debian), unpacked.

import { needPrograms, placeOf } from '../machine-programs.ts'
import { commandOutput } from '../run-command.ts'
import type { NfsServer } from './ganesha.ts'

const limitMs = 20_000

/** Names below a path of the server, sorted. */
export async function listByLibnfs(server: NfsServer, path: string): Promise<readonly string[]> {
  const listed = await ask('nfs-ls', [address(server, path)])
  return listed
    .split('\n')
    .filter(line => line !== '')
    .map(line => line.split(/\s+/).slice(5).join(' '))
    .toSorted()
}

/** Copies a file of this machine to the server. */
export async function writeByLibnfs(server: NfsServer, from: string, path: string): Promise<void> {
  await ask('nfs-cp', [from, address(server, path)])
}

export async function readByLibnfs(server: NfsServer, path: string): Promise<string> {
  return await ask('nfs-cat', [address(server, path)])
}

const address = ({ port }: NfsServer, path: string) => `nfs://127.0.0.1${path}?version=4&nfsport=${port}`

async function ask(name: 'nfs-ls' | 'nfs-cp' | 'nfs-cat', args: readonly string[]): Promise<string> {
  await needPrograms('nfs-ls')
  return await commandOutput(placeOf(name) ?? name, args, { timeoutMs: limitMs })
}
