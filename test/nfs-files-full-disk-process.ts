// Works on a file system of 2 MB, in a mount namespace of its own (`unshare --mount`): a full disk, and one that is read only. Tells its outcomes as JSON.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FileWorkFailed } from '../src/capabilities/nfs/files/file-work-failed.ts'
import { pack } from '../src/capabilities/nfs/files/tar/pack.ts'
import { unpack } from '../src/capabilities/nfs/files/tar/unpack.ts'
import { plenty, quiet } from '../src/capabilities/nfs/files/testdata/trees.ts'
import { copyTree } from '../src/capabilities/nfs/files/tree/copy-tree.ts'
import { makeDirectory } from '../src/capabilities/nfs/files/tree/make-directory.ts'
import { removeTree } from '../src/capabilities/nfs/files/tree/remove-tree.ts'

const [root = ''] = process.argv.slice(2)
const small = join(root, 'small')
const outcomes: Record<string, string> = {}

async function attempted(name: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
    outcomes[name] = 'done'
  } catch (error) {
    if (!(error instanceof FileWorkFailed)) throw error
    outcomes[name] = error.code
  }
}

mkdirSync(join(root, 'big'))
// Bytes that no compressor makes fewer.
writeFileSync(join(root, 'big/file'), execFileSync('head', ['-c', '4000000', '/dev/urandom'], { maxBuffer: 5_000_000 }))
const whole = { root, directory: 'snap', name: 'big' }
await pack({ kind: 'pack', root, path: 'big', into: whole, compression: 'gzip' }, quiet())
mkdirSync(small)
execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'none', small])

for (const compression of ['gzip', 'none'] as const) {
  const into = { root: small, directory: compression, name: 'big' }
  await attempted(`pack ${compression}`, () => pack({ kind: 'pack', root, path: 'big', into, compression }, quiet()))
  outcomes[`left of ${compression}`] = readdirSync(join(small, compression)).join()
}
const intoTar = { root: small, directory: 'tar', name: 'big' }
const byTar = { kind: 'pack', root, path: 'big', into: intoTar, compression: 'none', useTarProgram: true } as const
await attempted('pack by tar', () => pack(byTar, quiet()))
outcomes['left of tar'] = readdirSync(join(small, 'tar')).join()
mkdirSync(join(small, 'target'))
const archive = { root, path: 'snap/big.tar.gz' }
await attempted('unpack', () => unpack({ kind: 'unpack', archive, root: small, path: 'target', limits: plenty }, quiet()))
await removeTree({ kind: 'removeTree', root: small, path: 'target' }, quiet())
mkdirSync(join(small, 'target'))
await attempted('copy', () => copyTree({ kind: 'copyTree', from: { root, path: 'big' }, root: small, path: 'target' }, quiet()))
await attempted('remove what is full', () => removeTree({ kind: 'removeTree', root: small, path: 'target' }, quiet()))

mkdirSync(join(small, 'volume'))
mkdirSync(join(small, 'volume/inner'))
execFileSync('mount', ['-t', 'tmpfs', 'none', join(small, 'volume/inner')])
writeFileSync(join(small, 'volume/inner/precious'), 'kept')
await attempted('remove a mount', () => removeTree({ kind: 'removeTree', root: small, path: 'volume' }, quiet()))
outcomes['left in the mount'] = readdirSync(join(small, 'volume/inner')).join()

execFileSync('mount', ['-o', 'remount,ro', small])
await attempted('make on what is read only', async () => makeDirectory({ kind: 'makeDirectory', root: small, path: 'new' }))
await attempted('remove from what is read only', () => removeTree({ kind: 'removeTree', root: small, path: 'gzip' }, quiet()))
await attempted('copy to what is read only', () =>
  copyTree({ kind: 'copyTree', from: { root, path: 'big' }, root: small, path: 'gzip' }, quiet()),
)
process.stdout.write(JSON.stringify(outcomes))
