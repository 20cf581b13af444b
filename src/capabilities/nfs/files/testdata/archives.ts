// Archives that nobody's program writes, byte by byte.
import { blockBytes, fillOf } from '../tar/tar-header.ts'

export interface RawEntry {
  readonly name: string
  /** The byte that says what it is. */
  readonly type?: string
  readonly content?: string
  readonly linkName?: string
  /** Where it is not that of the content. */
  readonly size?: number
  /** Twelve bytes in place of the size in octal. */
  readonly sizeField?: Buffer
  readonly mode?: number
  readonly magic?: string
}

/** One entry with its content, as it would stand in an archive. */
export function rawEntry({ name, type = '0', content = '', linkName = '', magic = 'ustar\x0000', ...more }: RawEntry): Buffer {
  const block = Buffer.alloc(blockBytes)
  const bytes = Buffer.from(content, 'latin1')
  block.write(name, 0, 100, 'latin1')
  block.write(`${(more.mode ?? 0o644).toString(8).padStart(7, '0')}\0`, 100, 'latin1')
  block.write('0000000\x000000000\0', 108, 'latin1')
  block.write(`${(more.size ?? bytes.length).toString(8).padStart(11, '0')}\0`, 124, 'latin1')
  more.sizeField?.copy(block, 124)
  block.write('00000000000\0', 136, 'latin1')
  block.write('        ', 148, 'latin1')
  block.write(type, 156, 'latin1')
  block.write(linkName, 157, 100, 'latin1')
  block.write(magic, 257, 'latin1')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return Buffer.concat([block, bytes, Buffer.alloc(fillOf(bytes.length))])
}

/** A header of pax before an entry. */
export function paxEntry(records: Readonly<Record<string, string>>, type = 'x'): Buffer {
  const content = Object.entries(records)
    .map(([key, value]) => {
      const rest = ` ${key}=${value}\n`
      const length = [1, 2, 3, 4, 5, 6, 7].map(digits => digits + rest.length).find(sum => String(sum).length + rest.length === sum)
      return `${length}${rest}`
    })
    .join('')
  return rawEntry({ name: 'pax', type, content })
}

export const endOfArchive = Buffer.alloc(2 * blockBytes)

/** An archive of entries, with its end. */
export function rawArchive(...entries: readonly (RawEntry | Buffer)[]): Buffer {
  return Buffer.concat([...entries.map(entry => (Buffer.isBuffer(entry) ? entry : rawEntry(entry))), endOfArchive])
}
