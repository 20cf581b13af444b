// An ELF program without what only linkers and debuggers read: what `strip` takes out, and the same bytes on every machine.

const magic = 0x7f454c46
const loaded = 1

/**
 * The file up to the end of its last loaded segment, without its section table: symbols and debug information lie behind it.
 * The kernel and the dynamic linker go by the program headers alone.
 * @throws TypeError where this is no 64-bit little-endian ELF file
 */
export function withoutSections(program: Buffer): Buffer {
  if (program.length < 64 || program.readUInt32BE(0) !== magic || program[4] !== 2 || program[5] !== 1)
    throw new TypeError('no 64-bit little-endian ELF program')
  const table = Number(program.readBigUInt64LE(0x20))
  const entrySize = program.readUInt16LE(0x36)
  const entries = program.readUInt16LE(0x38)
  let end = table + entries * entrySize
  for (let at = table; at < table + entries * entrySize; at += entrySize) {
    if (program.readUInt32LE(at) !== loaded) continue
    end = Math.max(end, Number(program.readBigUInt64LE(at + 8) + program.readBigUInt64LE(at + 0x20)))
  }
  if (end > program.length) throw new TypeError(`an ELF program of ${program.length} bytes whose segments end at ${end}`)
  const short = Buffer.from(program.subarray(0, end))
  short.writeBigUInt64LE(0n, 0x28) // section table
  short.fill(0, 0x3a, 0x40) // size and number of its entries, and the one with their names
  return short
}
