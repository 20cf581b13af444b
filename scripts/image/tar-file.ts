// The files of a tar archive, whole.
import { buffer } from 'node:stream/consumers'
import { extract, type Header } from 'tar-stream'

/** Yields each entry with its content; directories and links have none. */
export async function* tarEntries(archive: Buffer): AsyncGenerator<{ readonly header: Header; readonly content: Buffer }> {
  const reader = extract()
  reader.end(archive)
  for await (const entry of reader) yield { header: entry.header, content: await buffer(entry) }
}
