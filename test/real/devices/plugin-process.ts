// A plugin as a process before a kubelet that is played: it has folders of its own where the kubelet and the runtime have theirs.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeKubelet } from '../../../src/capabilities/devices/testdata/fake-kubelet.ts'
import { PartUnavailable } from '../cache.ts'
import { writeTree } from '../features/tree-files.ts'
import { type Program, startProgram } from '../mirror/laboratory/program.ts'
import type { Files } from './device-trees.ts'

/** `$1` its folder; the rest is the command. */
const within = `
set -e
directory=$1; shift
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /run
mkdir -p /var/lib/kubelet/device-plugins /var/run/cdi
mount --bind $directory/kubelet /var/lib/kubelet/device-plugins
mount --bind $directory/cdi /var/run/cdi
exec "$@"
`

export interface PluginProcess extends AsyncDisposable {
  readonly kubelet: FakeKubelet
  readonly program: Program
  /** Where the machine's tree lies, which the plugin has as its prefix. */
  readonly tree: string
  readonly cdi: string
}

/** @param commandOf the whole command for the folder of the tree. @throws PartUnavailable where nobody may mount */
export async function startPlugin(
  files: Files,
  commandOf: (tree: string) => readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<PluginProcess> {
  if (process.getuid?.() !== 0) throw new PartUnavailable('mounts need root')
  const root = mkdtempSync(join(tmpdir(), 'bdp-'))
  const cdi = join(root, 'cdi')
  const tree = join(root, 'tree')
  mkdirSync(cdi)
  writeTree(tree, { files })
  const kubelet = new FakeKubelet(join(root, 'kubelet'))
  await kubelet.start()
  const unshare = ['--mount', '--propagation', 'private', 'sh', '-c', within, 'within', root]
  const program = startProgram('unshare', [...unshare, ...commandOf(tree)], { env })
  return {
    kubelet,
    program,
    tree,
    cdi,
    async [Symbol.asyncDispose]() {
      await program.kill()
      await kubelet.stop()
      rmSync(root, { recursive: true, force: true })
    },
  }
}
