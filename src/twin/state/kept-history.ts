// The last changes of a state: who watched or listed before a restart goes on from there. What was before the first change of an object is kept beside them.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'

/** Changes that are kept; older watches are told to list again. */
const mostKeptChanges = 10_000
/** What their texts may take on disk. */
const mostKeptBytes = 64 * 1024 * 1024
/** More than the bounds by this much are dropped at once. */
const slack = 1.1

/** One commit of a store; without a text the object is gone. */
export interface KeptChange {
  readonly revision: number
  readonly resource: string
  /** `namespace/name`, or the name. */
  readonly key: string
  readonly text: string | undefined
}

interface Noted {
  readonly revision: number
  readonly id: string
  readonly bytes: number
}

export class KeptHistory {
  readonly #statements: Readonly<Record<'add' | 'keepBase' | 'dropBase' | 'baseOfChange' | 'drop', StatementSync>>
  readonly #database: DatabaseSync
  /** Oldest first. */
  #noted: Noted[] = []
  readonly #counts = new Map<string, number>()
  #bytes = 0

  constructor(database: DatabaseSync) {
    this.#database = database
    database.exec(
      `CREATE TABLE IF NOT EXISTS change (revision INTEGER PRIMARY KEY NOT NULL, resource TEXT NOT NULL, key TEXT NOT NULL, text TEXT, sum INTEGER NOT NULL);
       CREATE TABLE IF NOT EXISTS base (resource TEXT NOT NULL, key TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (resource, key)) WITHOUT ROWID`,
    )
    this.#statements = {
      add: database.prepare('INSERT INTO change (revision, resource, key, text, sum) VALUES (?, ?, ?, ?, ?)'),
      keepBase: database.prepare(
        'INSERT OR REPLACE INTO base SELECT resource, key, text FROM object WHERE resource = ? AND key = ?',
      ),
      dropBase: database.prepare('DELETE FROM base WHERE resource = ? AND key = ?'),
      baseOfChange: database.prepare(
        'INSERT OR REPLACE INTO base SELECT resource, key, text FROM change WHERE revision = ? AND text IS NOT NULL',
      ),
      drop: database.prepare('DELETE FROM change WHERE revision = ?'),
    }
  }

  /** The changes up to `revision`, oldest first, with the text before each; none where they do not lead there without a gap. */
  read(revision: number): readonly (KeptChange & { readonly before: string | undefined })[] {
    const known = new Map<string, string | undefined>()
    for (const { resource, key, text } of this.#database.prepare('SELECT resource, key, text FROM base').all())
      known.set(`${resource} ${key}`, String(text))
    const changes: (KeptChange & { readonly before: string | undefined })[] = []
    for (const row of this.#database.prepare('SELECT * FROM change ORDER BY revision').iterate()) {
      const [resource, key, at] = [String(row['resource']), String(row['key']), Number(row['revision'])]
      const text = typeof row['text'] === 'string' ? row['text'] : undefined
      const isGood = row['sum'] === crc32(text ?? '') && (changes.length === 0 || changes.at(-1)?.revision === at - 1)
      if (!isGood) return this.#forgotten()
      const id = `${resource} ${key}`
      changes.push({ revision: at, resource, key, text, before: known.get(id) })
      known.set(id, text)
      this.#note({ revision: at, id, bytes: text?.length ?? 0 })
    }
    return changes.length > 0 && changes.at(-1)?.revision !== revision ? this.#forgotten() : changes
  }

  /** To be called within a transaction, before the objects themselves are written. */
  add({ revision, resource, key, text }: KeptChange): void {
    const id = `${resource} ${key}`
    if (!this.#counts.has(id)) this.#statements.keepBase.run(resource, key)
    this.#statements.add.run(revision, resource, key, text ?? null, crc32(text ?? ''))
    this.#note({ revision, id, bytes: text?.length ?? 0 })
  }

  /** Drops what is too much, in the same transaction. */
  trim(): void {
    if (this.#noted.length <= mostKeptChanges * slack && this.#bytes <= mostKeptBytes * slack) return
    let dropped = 0
    for (const { revision, id, bytes } of this.#noted) {
      if (this.#noted.length - dropped <= mostKeptChanges && this.#bytes <= mostKeptBytes) break
      dropped++
      this.#bytes -= bytes
      const left = (this.#counts.get(id) ?? 1) - 1
      const space = id.indexOf(' ')
      this.#statements.dropBase.run(id.slice(0, space), id.slice(space + 1))
      if (left > 0) this.#statements.baseOfChange.run(revision)
      if (left > 0) this.#counts.set(id, left)
      else this.#counts.delete(id)
      this.#statements.drop.run(revision)
    }
    this.#noted = this.#noted.slice(dropped)
  }

  /** A transaction was rolled back: what is in the file counts. */
  reload(): void {
    this.#forget()
    const rows = this.#database.prepare(
      "SELECT revision, resource, key, length(coalesce(text, '')) AS bytes FROM change ORDER BY revision",
    )
    for (const { revision, resource, key, bytes } of rows.all())
      this.#note({ revision: Number(revision), id: `${String(resource)} ${String(key)}`, bytes: Number(bytes) })
  }

  /** As if nothing had been kept. */
  clear(): void {
    this.#database.exec('DELETE FROM change; DELETE FROM base')
    this.#forget()
  }

  #forget(): void {
    this.#noted = []
    this.#counts.clear()
    this.#bytes = 0
  }

  #forgotten(): readonly [] {
    this.clear()
    return []
  }

  #note(noted: Noted): void {
    this.#noted.push(noted)
    this.#bytes += noted.bytes
    this.#counts.set(noted.id, (this.#counts.get(noted.id) ?? 0) + 1)
  }
}
