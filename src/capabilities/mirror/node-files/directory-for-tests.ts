// A directory on disk for tests, made from and read back as plain values, and file operations that stop like a process that is killed.
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type FileOperations, realFiles } from './file-operations.ts'
import { recordName } from './hosts-record.ts'

/** Contents by path; a path that ends in `/` is an empty directory, a content that begins with `-> ` a link. */
export type Listing = Readonly<Record<string, string>>

export class TestDirectory implements AsyncDisposable {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  static async with(listing: Listing = {}): Promise<TestDirectory> {
    const made = new TestDirectory(await mkdtemp(join(tmpdir(), 'hosts-')))
    await made.add(listing)
    return made
  }

  async add(listing: Listing): Promise<void> {
    for (const [path, content] of Object.entries(listing)) {
      const full = join(this.path, path)
      await mkdir(path.endsWith('/') ? full : dirname(full), { recursive: true })
      if (path.endsWith('/')) continue
      if (content.startsWith('-> ')) await symlink(content.slice(3), full)
      else await writeFile(full, content, { mode: 0o644 })
    }
  }

  /** All but the record, unless it is asked for. */
  async listing({ withRecord = false }: { readonly withRecord?: boolean } = {}): Promise<Listing> {
    const found: Record<string, string> = {}
    const walk = async (below: string) => {
      const names = (await readdir(join(this.path, below))).toSorted()
      if (names.length === 0 && below !== '') found[`${below}/`] = ''
      for (const name of names) {
        const path = below === '' ? name : `${below}/${name}`
        if (name === recordName && !withRecord) continue
        const entry = await lstat(join(this.path, path))
        if (entry.isDirectory()) await walk(path)
        else if (entry.isSymbolicLink()) found[path] = `-> ${await readlink(join(this.path, path))}`
        else found[path] = await readFile(join(this.path, path), 'utf8')
      }
    }
    await walk('')
    return found
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }
}

class Killed extends Error {
  override readonly name = 'Killed'
}

/** Whether it is what a killed process leaves off with, however it was told. */
export function isKilled(error: unknown): boolean {
  return error instanceof Killed || (error instanceof Error && error.cause !== undefined && isKilled(error.cause))
}

const reads: ReadonlySet<string> = new Set(['look', 'list', 'read'])

/** As `realFiles`, until so many operations that change something were begun; then nothing happens any more, as in a process that is gone. */
export function mortalFiles(
  life: number,
  at: 'before' | 'after' = 'before',
): { readonly files: FileOperations; readonly changes: () => number } {
  let changes = 0
  let isDead = false
  const files = new Proxy(realFiles, {
    get(target, key) {
      const operation: unknown = Reflect.get(target, key)
      if (typeof operation !== 'function') return operation
      return async (...words: unknown[]) => {
        if (isDead) throw new Killed(String(key))
        if (reads.has(String(key))) return await operation(...words)
        const isLast = changes++ === life
        if (isLast && at === 'before') isDead = true
        if (isDead) throw new Killed(String(key))
        const result: unknown = await operation(...words)
        if (isLast) isDead = true
        if (isDead) throw new Killed(String(key))
        return result
      }
    },
  })
  return { files, changes: () => changes }
}
