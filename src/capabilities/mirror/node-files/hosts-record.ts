// The record of what is ours in the directory of hosts files: the digests of what we wrote, in a file beside the backup, since the bytes of a hosts.toml are
// a contract with containerd and carry no mark. Pure, but for reading and writing that file.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { draftOf, type Node, takeAway, withDraft } from './directory-tree.ts'
import type { FileOperations } from './file-operations.ts'

/** containerd looks for directories named as registries are, which this is not. */
export const recordName = '_ballast-record.json'

interface Written {
  /** One of each content that may be ours: while a write is under way the old one and the new one. */
  readonly digests: readonly string[]
  /** Made by us; false: a copy of what lies in the backup, which is its owner's. */
  readonly isMade: boolean
}

/** What we wrote, by path. */
export interface HostsRecord {
  /** False while a write or a way back is under way, and where no record was kept: what lies in the backup may have been copied by us, too. */
  readonly isComplete: boolean
  readonly entries: ReadonlyMap<string, Written>
}

/** Over kind and content: whoever changes a mode changes nothing of what is said. */
export function digestOfNode(node: Node): string {
  if (node.kind === 'directory') return 'directory'
  const said = node.kind === 'link' ? Buffer.from(node.target) : node.content
  return `${node.kind}:${createHash('sha256').update(said).digest('hex')}`
}

/** The record on the disk; `undefined` where there is none, or one that cannot be read: then nothing is known to be ours. */
export async function readRecord(files: FileOperations, root: string): Promise<HostsRecord | undefined> {
  const path = join(root, recordName)
  if ((await files.look(path))?.kind !== 'file') return undefined
  return parsedRecord((await files.read(path)).toString('utf8'))
}

/** What the text of a record says. */
function parsedRecord(text: string): HostsRecord | undefined {
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  const { version, isComplete, files: named } = fieldsOf(read)
  if (version !== 1) return undefined
  const entries = Object.entries(fieldsOf(named)).map(([name, value]): [string, Written] => {
    const { digests, isMade } = fieldsOf(value)
    const known = Array.isArray(digests) ? digests.filter(digest => typeof digest === 'string') : []
    return [name, { digests: known, isMade: isMade === true }]
  })
  return { isComplete: isComplete === true, entries: new Map(entries) }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {}
}

/** Writes the record whole, unless it says so already. */
export async function writeRecord(files: FileOperations, root: string, record: HostsRecord): Promise<void> {
  const path = join(root, recordName)
  const entries = [...record.entries].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const text = `${JSON.stringify({ version: 1, isComplete: record.isComplete, files: Object.fromEntries(entries) }, null, 1)}\n`
  const content = Buffer.from(text, 'utf8')
  const present = await files.look(path)
  if (present?.kind === 'file' && present.size === content.length && (await files.read(path)).equals(content)) return
  const draft = draftOf(path)
  await takeAway(files, draft)
  await withDraft(files, draft, async () => {
    await files.write(draft, content, 0o644)
    if (present?.kind === 'directory') await takeAway(files, path)
    await files.rename(draft, path)
  })
  await files.flush(root)
}

/** Whether `node`, at this path, is something that we wrote. */
export function isOurs(record: HostsRecord, path: string, node: Node): boolean {
  return record.entries.get(path)?.digests.includes(digestOfNode(node)) === true
}
