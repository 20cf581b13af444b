// The SQLite file in a folder that outlives a twin's process. This is the only module that touches it.
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { type KeptChange, KeptHistory } from './kept-history.ts'

/** The format of the tables and of what is in them. Others are refused. */
const formatVersion = 1
const fileName = 'twin.sqlite'
const holderName = 'twin.pid'
/** SQLite's log is worked into the file when it has so many pages of 4 KiB: 64 MiB. */
const logPages = 16_384

/** The last state of an object that changed; without a text it is gone. */
export interface StateChange {
  readonly resource: string
  /** `namespace/name`, or the name. */
  readonly key: string
  readonly text: string | undefined
}

interface StateRow {
  readonly resource: string
  readonly key: string
  readonly text: string
}

export class StateFile implements Disposable {
  readonly #path: string
  readonly #database: DatabaseSync
  readonly #put: StatementSync
  readonly #drop: StatementSync
  readonly #note: StatementSync
  /** The last changes, for who goes on from one of them. */
  readonly history: KeptHistory

  private constructor(path: string, database: DatabaseSync) {
    this.#path = path
    this.#database = database
    this.history = new KeptHistory(database)
    this.#put = database.prepare(
      'INSERT INTO object (resource, key, text, sum) VALUES (?, ?, ?, ?) ON CONFLICT (resource, key) DO UPDATE SET text = excluded.text, sum = excluded.sum',
    )
    this.#drop = database.prepare('DELETE FROM object WHERE resource = ? AND key = ?')
    this.#note = database.prepare(
      'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
    )
  }

  /**
   * Opens the file in `folder`, and makes both where they are not there. Nobody else can open it until it is disposed of, or this process ends.
   * @throws InputError where another process has it, where it is broken, and where another version wrote it
   */
  static open(folder: string): StateFile {
    const path = join(folder, fileName)
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      if (!existsSync(path)) make(path)
      // SQLite takes an empty file for an empty database: what is gone must not look like nothing.
      if (statSync(path).size === 0) throw brokenState(path, 'an empty file')
      const database = new DatabaseSync(path)
      try {
        database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
        database.exec(`PRAGMA wal_autocheckpoint = ${logPages}; BEGIN IMMEDIATE; COMMIT`)
        const version = database.prepare('PRAGMA user_version').get()?.['user_version']
        if (version !== formatVersion) throw wrongVersion(path, version)
        const file = new StateFile(path, database)
        writeFileSync(join(folder, holderName), `${process.pid}\n`, { mode: 0o600 })
        return file
      } catch (error) {
        database.close()
        throw error
      }
    } catch (error) {
      throw error instanceof InputError ? error : refusalOf(folder, path, error)
    }
  }

  /** @throws InputError where the file is broken */
  meta(name: string): string | undefined {
    return this.#read(() => {
      const value = this.#database.prepare('SELECT value FROM meta WHERE name = ?').get(name)?.['value']
      return typeof value === 'string' ? value : undefined
    })
  }

  /** @throws InputError where the file is broken */
  get count(): number {
    return this.#read(() => Number(this.#database.prepare('SELECT count(*) AS count FROM object').get()?.['count']))
  }

  /** All objects, one by one. @throws InputError where the file is broken */
  *rows(): Generator<StateRow, void, undefined> {
    const rows = this.#read(() => this.#database.prepare('SELECT resource, key, text, sum FROM object').iterate())
    for (;;) {
      const next = this.#read(() => rows.next())
      if (next.done === true) return
      const { resource, key, text, sum } = next.value
      if (typeof resource !== 'string' || typeof key !== 'string' || typeof text !== 'string' || sum !== crc32(text))
        throw brokenState(this.#path, `${String(resource)} ${String(key)} is not as it was written`)
      yield { resource, key, text }
    }
  }

  /** Writes all of it or nothing; `steps` led to `changes`. @throws Error of SQLite: a full disk, for one */
  commit(changes: Iterable<StateChange>, meta: Readonly<Record<string, string>>, steps: Iterable<KeptChange> = []): void {
    const database = this.#database
    database.exec('BEGIN IMMEDIATE')
    try {
      for (const step of steps) this.history.add(step)
      this.history.trim()
      for (const { resource, key, text } of changes) {
        if (text === undefined) this.#drop.run(resource, key)
        else this.#put.run(resource, key, text, crc32(text))
      }
      for (const [name, value] of Object.entries(meta)) this.#note.run(name, value)
      database.exec('COMMIT')
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      this.history.reload()
      throw error
    }
  }

  /** Forgets all objects: of a start that did not come to its end. */
  clear(): void {
    this.#database.exec('DELETE FROM object')
    this.history.clear()
  }

  /** Works SQLite's log into the file. */
  checkpoint(): void {
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close()
  }

  #read<T>(act: () => T): T {
    try {
      return act()
    } catch (error) {
      throw brokenState(this.#path, messageOf(error))
    }
  }
}

/** The file with its tables appears whole or not at all. */
function make(path: string): void {
  const draft = `${path}.new`
  for (const name of [draft, `${draft}-journal`, `${path}-wal`, `${path}-shm`]) rmSync(name, { force: true })
  closeSync(openSync(draft, 'wx', 0o600))
  const database = new DatabaseSync(draft)
  try {
    database.exec(
      `BEGIN; CREATE TABLE object (resource TEXT NOT NULL, key TEXT NOT NULL, text TEXT NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (resource, key)) WITHOUT ROWID;
       CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
       INSERT INTO meta VALUES ('filled', 'no'); PRAGMA user_version = ${formatVersion}; COMMIT`,
    )
  } finally {
    database.close()
  }
  renameSync(draft, path)
}

/** The error for a file that cannot be what a twin wrote. */
export function brokenState(path: string, found: string): InputError {
  const expected = 'the state that a twin wrote; it is left as it is: put back a copy of the folder, or name another one'
  return new InputError([{ code: 'state-broken', where: `--state: ${path}`, found, expected }])
}

function wrongVersion(path: string, version: unknown): InputError {
  const expected = `format ${formatVersion}, which this version reads; the file is left as it is`
  return new InputError([{ code: 'state-version', where: `--state: ${path}`, found: `format ${String(version)}`, expected }])
}

function refusalOf(folder: string, path: string, error: unknown): InputError {
  const found = messageOf(error)
  if (!/database is locked/.test(found)) return brokenState(path, found)
  const holder = join(folder, holderName)
  const pid = existsSync(holder) ? readFileSync(holder, 'utf8').trim() : 'unknown'
  const expected = 'a folder of its own for each twin; end the other one, or name another folder'
  return new InputError([
    { code: 'state-in-use', where: `--state: ${folder}`, found: `another twin works on it (process ${pid})`, expected },
  ])
}
