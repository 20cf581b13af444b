// Headers of tar archives (POSIX.1-2017, pax, "pax Interchange Format"; GNU's long names and binary numbers as tar(5) has them), to bytes and back.
//
// It is our own because names are bytes here: tar-stream, tar and modern-tar make text of them, so a file whose name is no UTF-8 comes back as
// another one, and upstream's driver keeps such names. Beside that, what we write needs records that tar-stream leaves out (times before 1970 and after 2038,
// owners from 262144 on), and what we read is refused where readers could differ about what it says.
import { type ByteText, bytesOf, joined, latin } from '../byte-text.ts'
import { FileWorkFailed } from '../file-work-failed.ts'

export const blockBytes = 512
/** A header's whole extension: names are far shorter. */
const largestExtension = 1024 * 1024

export type TarKind = 'file' | 'hard-link' | 'symlink' | 'character-device' | 'block-device' | 'directory' | 'fifo'

export interface TarEntry {
  readonly name: ByteText
  readonly kind: TarKind
  /** Twelve bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes that follow the header; 0 for everything but files. */
  readonly size: number
  readonly mtimeNs: bigint
  /** Where a link leads; empty for everything else. */
  readonly linkName: ByteText
  readonly device?: { readonly major: number; readonly minor: number }
  /** A note that other readers pass over. */
  readonly comment?: string
}

/** What a block of an archive says, as it stands there. */
interface RawHeader {
  readonly typeFlag: string
  readonly name: ByteText
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly mtime: number
  readonly linkName: ByteText
}

const kinds: Readonly<Record<string, TarKind>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hard-link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
}
const flags: Readonly<Record<TarKind, string>> = {
  file: '0',
  'hard-link': '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
}

const nanoseconds = 1_000_000_000n
const blank = 32
const zeroDigit = 48
const nameBytes = 100
const prefixBytes = 155

/** The header of an entry: one block, or an extension of several before it where one cannot say it. Its content follows, filled up to whole blocks. */
export function encodeHeader(entry: TarEntry): Buffer {
  const { name, linkName, uid, gid, size, mtimeNs, comment, device } = entry
  const records: [string, ByteText][] = []
  const put = (key: string, value: string) => records.push([key, bytesOf(value)])
  const place = placeOf(name)
  if (place === undefined) records.push(['path', name])
  if (linkName.length > nameBytes) records.push(['linkpath', linkName])
  for (const [key, value] of [['uid', uid] as const, ['gid', gid] as const]) if (value > octalMost(8)) put(key, String(value))
  if (size > octalMost(12)) put('size', String(size))
  const seconds = floorSeconds(mtimeNs)
  const isPlainTime = seconds >= 0 && seconds <= octalMost(12) && BigInt(seconds) * nanoseconds === mtimeNs
  if (!isPlainTime) put('mtime', decimalSeconds(mtimeNs))
  if (comment !== undefined) put('comment', comment)
  const base = {
    mode: entry.mode,
    uid: within(uid, octalMost(8)),
    gid: within(gid, octalMost(8)),
    mtime: Math.min(Math.max(0, seconds), octalMost(12)),
  }
  const extension = records.map(([key, value]) => paxRecord(key, value)).join('')
  const extensionBytes = extension === '' ? 0 : blockBytes + extension.length + fillOf(extension.length)
  // Small buffers of this kind share their memory, which is faster than to get some for each.
  const header = Buffer.allocUnsafe(extensionBytes + blockBytes).fill(0)
  if (extension !== '') {
    encodeBlock(header.subarray(0, blockBytes), {
      ...base,
      typeFlag: 'x',
      place: { prefix: noBytes, name: extensionName },
      linkName: noBytes,
      size: extension.length,
    })
    header.write(extension, blockBytes, 'latin1')
  }
  encodeBlock(header.subarray(extensionBytes), {
    ...base,
    typeFlag: flags[entry.kind],
    place: place ?? { prefix: noBytes, name: cut(name) },
    linkName: cut(linkName),
    size: within(size, octalMost(12)),
    device,
  })
  return header
}

/** By how many bytes `size` is filled up to whole blocks. */
export function fillOf(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes
}

const noBytes = bytesOf('')
const extensionName = bytesOf('PaxHeaders/entry')
const cut = (text: ByteText): ByteText => text.slice(0, nameBytes) as ByteText
const octalMost = (width: number): number => 8 ** (width - 1) - 1
const within = (value: number, most: number): number => (value <= most ? value : 0)

function floorSeconds(ns: bigint): number {
  const seconds = ns / nanoseconds
  return Number(ns % nanoseconds < 0n ? seconds - 1n : seconds)
}

function decimalSeconds(ns: bigint): string {
  const digits = String(ns < 0n ? -ns : ns).padStart(10, '0')
  const fraction = digits.slice(-9).replace(/0+$/, '')
  return `${ns < 0n ? '-' : ''}${digits.slice(0, -9)}${fraction === '' ? '' : `.${fraction}`}`
}

interface NamePlace {
  readonly prefix: ByteText
  readonly name: ByteText
}

/** A name in one block: whole, or divided at a slash. */
function placeOf(name: ByteText): NamePlace | undefined {
  if (name.length <= nameBytes) return { prefix: noBytes, name }
  for (let at = name.indexOf('/', name.length - nameBytes - 1); at >= 0; at = name.indexOf('/', at + 1)) {
    const rest = name.slice(at + 1) as ByteText
    if (at > 0 && at <= prefixBytes && rest !== '') return { prefix: name.slice(0, at) as ByteText, name: rest }
  }
  return undefined
}

interface BlockFields {
  readonly typeFlag: string
  readonly place: NamePlace
  readonly linkName: ByteText
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly mtime: number
  readonly device?: TarEntry['device']
}

/** Fills a block of zeros. */
function encodeBlock(block: Buffer, fields: BlockFields): void {
  block.write(fields.place.name, 0, 'latin1')
  putOctal(block, fields.mode, 100, 8)
  putOctal(block, fields.uid, 108, 8)
  putOctal(block, fields.gid, 116, 8)
  putOctal(block, fields.size, 124, 12)
  putOctal(block, fields.mtime, 136, 12)
  block.write(fields.typeFlag, 156, 'latin1')
  if (fields.linkName !== '') block.write(fields.linkName, 157, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  putOctal(block, within(fields.device?.major ?? 0, octalMost(8)), 329, 8)
  putOctal(block, within(fields.device?.minor ?? 0, octalMost(8)), 337, 8)
  if (fields.place.prefix !== '') block.write(fields.place.prefix, 345, 'latin1')
  putOctal(block, sumOf(block), 148, 7)
  block[155] = blank
}

/** Digits and a zero at their end: by hand, since each header has ten such numbers. */
function putOctal(block: Buffer, value: number, at: number, width: number): void {
  let rest = value
  for (let place = at + width - 2; place >= at; place--) {
    block[place] = zeroDigit + (rest % 8)
    rest = Math.floor(rest / 8)
  }
}

/** `30 mtime=1700000000.123456789\n`: its length counts itself. */
function paxRecord(key: string, value: ByteText): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return `${length}${rest}`
}

/** The sum of a block's bytes, its own field counted as blanks. */
function sumOf(block: Buffer): number {
  let sum = 8 * blank
  for (let at = 0; at < 148; at++) sum += block[at] ?? 0
  for (let at = 156; at < blockBytes; at++) sum += block[at] ?? 0
  return sum
}

/** The same by old writers, who took bytes as signed. */
function signedSumOf(block: Buffer): number {
  const high = block.reduce((count, byte, at) => (byte > 127 && (at < 148 || at >= 156) ? count + 1 : count), 0)
  return sumOf(block) - high * 256
}

export const brokenArchive = (why: string): FileWorkFailed => new FileWorkFailed('BROKEN_ARCHIVE', `the archive ${why}`)
export const cutArchive = (): FileWorkFailed =>
  new FileWorkFailed('CUT_ARCHIVE', 'the archive ends in the middle: it was not written to its end')

/** @throws FileWorkFailed BROKEN_ARCHIVE where it is no header */
export function decodeBlock(block: Buffer): RawHeader {
  const sum = octalOf(block, 148, 8, 'checksum')
  if (sum !== sumOf(block) && sum !== signedSumOf(block))
    throw brokenArchive('has a header whose checksum is wrong: it is damaged, or no tar archive')
  // GNU's own format has other fields where POSIX has the beginning of a name.
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? textAt(block, 345, prefixBytes) : noBytes
  const name = textAt(block, 0, nameBytes)
  return {
    typeFlag: String.fromCharCode(block[156] ?? 0),
    name: prefix === '' ? name : joined(prefix, '/', name),
    mode: octalOf(block, 100, 8, 'mode'),
    uid: octalOf(block, 108, 8, 'owner'),
    gid: octalOf(block, 116, 8, 'group'),
    size: octalOf(block, 124, 12, 'size'),
    mtime: octalOf(block, 136, 12, 'time'),
    linkName: textAt(block, 157, nameBytes),
  }
}

function textAt(block: Buffer, at: number, width: number): ByteText {
  const end = block.indexOf(0, at)
  return latin(block.subarray(at, end < 0 ? at + width : Math.min(end, at + width)))
}

/** A number in octal digits, or in GNU's binary form. */
function octalOf(block: Buffer, at: number, width: number, what: string): number {
  const first = block[at] ?? 0
  if (first === 0x80 || first === 0xff) {
    const bytes = block.subarray(at + 1, at + width)
    const value = BigInt.asIntN(8 * bytes.length, BigInt(`0x${bytes.toString('hex')}`))
    const number = Number(first === 0xff ? value : BigInt.asUintN(8 * bytes.length, value))
    if (Number.isSafeInteger(number)) return number
  }
  const end = at + width
  let place = afterBlanks(block, at, end)
  let value = 0
  for (let digit = digitAt(block, place); place < end && digit >= 0 && digit < 8; digit = digitAt(block, ++place))
    value = value * 8 + digit
  if (afterBlanks(block, place, end) < end) throw brokenArchive(`has a header whose ${what} is no number`)
  return value
}

const digitAt = (block: Buffer, at: number): number => (block[at] ?? 0) - zeroDigit

/** Where blanks and zeros end that begin at `at`. */
function afterBlanks(block: Buffer, at: number, end: number): number {
  let place = at
  while (place < end && (block[place] === blank || block[place] === 0)) place++
  return place
}

/** Records of an extension; an empty value takes one back. @throws FileWorkFailed BROKEN_ARCHIVE */
export function decodePax(data: Buffer): ReadonlyMap<string, ByteText> {
  const records = new Map<string, ByteText>()
  for (let at = 0; at < data.length; ) {
    const blank = data.indexOf(32, at)
    const digits = blank < 0 ? '' : data.toString('latin1', at, blank)
    const length = /^[1-9]\d{0,7}$/.test(digits) ? Number(digits) : 0
    const end = at + length
    const equals = data.indexOf(61, blank)
    if (length === 0 || end > data.length || data[end - 1] !== 10 || equals < 0 || equals >= end)
      throw brokenArchive('has an extended header that cannot be read')
    records.set(data.toString('latin1', blank + 1, equals), latin(data.subarray(equals + 1, end - 1)))
    at = end
  }
  return records
}

/** Extension headers and how long their data may be. @throws FileWorkFailed BROKEN_ARCHIVE where it is longer */
export function extensionSize({ typeFlag, size }: RawHeader): number | undefined {
  if (!['x', 'g', 'L', 'K'].includes(typeFlag)) return undefined
  if (size < 0 || size > largestExtension)
    throw brokenArchive(`has an extended header of ${size} bytes, more than ${largestExtension}`)
  return size
}

/** What comes before a header and holds for it: records of pax, and GNU's long names. */
interface Extensions {
  readonly pax: ReadonlyMap<string, ByteText>
  readonly longName?: ByteText | undefined
  readonly longLink?: ByteText | undefined
}

export interface DecodedEntry extends TarEntry {
  /** It has extended attributes or lists of rights. */
  readonly hasAttributes: boolean
}

/** An entry of its header and what came before it. @throws FileWorkFailed BROKEN_ARCHIVE where it is of a kind that is not read, or contradicts itself */
export function entryOf(raw: RawHeader, { pax, longName, longLink }: Extensions): DecodedEntry {
  const sparse = [...pax.keys()].find(key => key.startsWith('GNU.sparse.'))
  if (sparse !== undefined || raw.typeFlag === 'S')
    throw brokenArchive('holds a sparse file in a form that is not read; make it without --sparse')
  const found = kinds[raw.typeFlag]
  if (found === undefined) throw brokenArchive(`holds an entry of a kind that is not read (${JSON.stringify(raw.typeFlag)})`)
  const name = pax.get('path') ?? longName ?? raw.name
  // Before POSIX a directory was a file whose name ends so.
  const kind = found === 'file' && name.endsWith('/') ? 'directory' : found
  const size = wholeOf(pax, 'size') ?? raw.size
  if (size < 0) throw brokenArchive('has an entry of a size below 0')
  if (kind !== 'file' && size !== 0) throw brokenArchive(`has an entry without content (${kind}) that says it has ${size} bytes`)
  const linkName = pax.get('linkpath') ?? longLink ?? raw.linkName
  if (name.includes('\0') || linkName.includes('\0')) throw brokenArchive('has a name with NUL in it')
  const comment = pax.get('comment')
  return {
    name,
    kind,
    mode: raw.mode & 0o7777,
    uid: wholeOf(pax, 'uid') ?? raw.uid,
    gid: wholeOf(pax, 'gid') ?? raw.gid,
    size,
    mtimeNs: timeOf(pax.get('mtime')) ?? BigInt(raw.mtime) * nanoseconds,
    linkName: kind === 'symlink' || kind === 'hard-link' ? linkName : noBytes,
    hasAttributes: [...pax.keys()].some(key => /^(SCHILY\.(xattr|acl)|LIBARCHIVE\.xattr|RHT\.security)\./.test(key)),
    ...(comment === undefined ? {} : { comment }),
  }
}

function wholeOf(pax: ReadonlyMap<string, ByteText>, key: string): number | undefined {
  const value = pax.get(key)
  if (value === undefined) return undefined
  const number = Number(value)
  if (!/^\d{1,16}$/.test(value) || !Number.isSafeInteger(number))
    throw brokenArchive(`has a record ${key} that is no whole number`)
  return number
}

function timeOf(value: ByteText | undefined): bigint | undefined {
  if (value === undefined) return undefined
  const [matched, sign, whole = '', fraction = ''] = /^(-?)(\d{1,12})(?:\.(\d*))?$/.exec(value) ?? []
  if (matched === undefined) throw brokenArchive('has a record mtime that is no time')
  const ns = BigInt(whole) * nanoseconds + BigInt(fraction.slice(0, 9).padEnd(9, '0'))
  return sign === '-' ? -ns : ns
}
