// Trees of files for tests: made from a list, and told as a list that two trees can be compared by.
import { createHash } from 'node:crypto'
import {
  chmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { Progress } from '../progress.ts'

export const isRoot = process.geteuid?.() === 0

export interface MadeEntry {
  /** Bytes as Latin-1, with / between directories, which are made before. */
  readonly path: string
  readonly kind: 'file' | 'directory' | 'symlink' | 'hard-link'
  readonly mode?: number
  /** Seconds since 1970. */
  readonly mtime?: number
  /** What is in a file; where a link leads, as Latin-1. */
  readonly content?: string
  /** Only as root. */
  readonly owner?: readonly [uid: number, gid: number]
}

/** A directory of its own that is removed when it is disposed of. */
export class Scratch implements Disposable {
  readonly path: string

  constructor() {
    this.path = realpathSync(mkdtempSync(join(tmpdir(), 'ballast-files-')))
    // For tests that become another user.
    chmodSync(this.path, 0o755)
  }

  /** A new directory in it. */
  directory(name: string): string {
    const path = join(this.path, name)
    mkdirSync(path, { recursive: true })
    return path
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

const at = (root: string, path: string): Buffer => Buffer.from(`${root}/${path}`, 'latin1')

/** Makes entries below `root` in order; times and bits of directories are set last. */
export function makeTree(root: string, entries: readonly MadeEntry[]): void {
  for (const { path, kind, content = '' } of entries) {
    switch (kind) {
      case 'directory':
        mkdirSync(at(root, path), { recursive: true })
        break
      case 'file':
        writeFileSync(at(root, path), Buffer.from(content, 'latin1'))
        break
      case 'symlink':
        symlinkSync(Buffer.from(content, 'latin1'), at(root, path))
        break
      case 'hard-link':
        linkSync(at(root, content), at(root, path))
    }
  }
  for (const { path, kind, mode, mtime, owner } of entries.toReversed()) {
    if (owner !== undefined && isRoot) lchownSync(at(root, path), ...owner)
    if (mode !== undefined && kind !== 'symlink') chmodSync(at(root, path), mode)
    if (mtime !== undefined) lutimesSync(at(root, path), mtime, mtime)
  }
}

/** A line for each entry: name, kind, bits, owner, time to a microsecond, and what is in it. */
export function toldTree(root: string): readonly string[] {
  return told(root, '').toSorted()
}

function told(root: string, path: string): string[] {
  const stat = lstatSync(at(root, path), { bigint: true })
  const kind = stat.isDirectory() ? 'd' : stat.isSymbolicLink() ? 'l' : stat.isFile() ? 'f' : stat.isFIFO() ? 'p' : '?'
  const content = kind === 'l' ? readlinkSync(at(root, path), 'latin1') : kind === 'f' ? digest(at(root, path)) : ''
  const bits = kind === 'l' ? '' : (stat.mode & 0o7777n).toString(8)
  const line = [path, kind, bits, `${stat.uid}:${stat.gid}`, Math.round(Number(stat.mtimeNs) / 1e3), content].join(' ')
  if (kind !== 'd') return [line]
  const names = readdirSync(at(root, path), { encoding: 'latin1' as BufferEncoding })
  return [line, ...names.flatMap(name => told(root, path === '' ? name : `${path}/${name}`))]
}

function digest(path: Buffer): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16)
}

/** Progress that nobody hears of. */
export const quiet = (): Progress => new Progress(systemClock, () => undefined)

export const plenty = { bytes: 2 ** 40, entries: 1_000_000 }
