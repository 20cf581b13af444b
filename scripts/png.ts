// Pictures as PNG, as far as a browser makes them: eight bits a channel, not interlaced. Read, and written small with 256 colours.
import { crc32, deflateSync, inflateSync } from 'node:zlib'

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const mostColours = 256
/** Bytes of a pixel for each colour type that can be read. */
const bytesOfPixel: Readonly<Record<number, number>> = { 2: 3, 3: 1, 6: 4 }

export interface Picture {
  readonly width: number
  readonly height: number
  /** Colour of each pixel, row by row: red, green and blue as one number. */
  readonly pixels: Uint32Array
}

/** What `png` shows, without transparency. @throws Error for what is no PNG of the kinds above */
export function readPng(png: Uint8Array): Picture {
  const bytes = Buffer.from(png)
  if (!bytes.subarray(0, 8).equals(signature)) throw new Error('this is no PNG')
  const chunks = chunksOf(bytes)
  const head = chunks.find(({ type }) => type === 'IHDR')?.data
  const [width, height] = [head?.readUInt32BE(0) ?? 0, head?.readUInt32BE(4) ?? 0]
  const [depth, colourType = -1, , , interlace] = head?.subarray(8) ?? []
  const step = bytesOfPixel[colourType]
  if (step === undefined || depth !== 8 || interlace !== 0) throw new Error(`a PNG of colour type ${colourType} is not read`)
  const data = inflateSync(Buffer.concat(chunks.filter(({ type }) => type === 'IDAT').map(chunk => chunk.data)))
  const plain = unfiltered(data, { rowBytes: width * step, height, step })
  const palette = chunks.find(({ type }) => type === 'PLTE')?.data
  const pixels = new Uint32Array(width * height)
  for (let at = 0; at < pixels.length; at++) {
    const from = palette === undefined ? at * step : (plain[at] ?? 0) * 3
    pixels[at] = (palette ?? plain).readUIntBE(from, 3)
  }
  return { width, height, pixels }
}

/** `picture` with at most 256 colours, the ones that tell most; a picture that has no more is the same. */
export function smallPng({ width, height, pixels }: Picture): Uint8Array {
  const palette = paletteOf(pixels)
  const indexes = new Map<number, number>()
  const rows = Buffer.alloc((width + 1) * height)
  for (const [at, colour] of pixels.entries()) {
    let index = indexes.get(colour)
    if (index === undefined) {
      index = nearest(palette, colour).index
      indexes.set(colour, index)
    }
    rows[Math.floor(at / width) * (width + 1) + 1 + (at % width)] = index
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([8, 3], 8)
  const colours = Buffer.alloc(palette.length * 3)
  for (const [index, colour] of palette.entries()) colours.writeUIntBE(colour, index * 3, 3)
  return Buffer.concat([
    signature,
    chunk('IHDR', head),
    chunk('PLTE', colours),
    chunk('IDAT', deflateSync(rows, { level: 9, memLevel: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

interface Chunk {
  readonly type: string
  readonly data: Buffer
}

function chunksOf(bytes: Buffer): readonly Chunk[] {
  const chunks: Chunk[] = []
  for (let at = signature.length; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    const type = bytes.toString('latin1', at + 4, at + 8)
    const end = at + 8 + length
    if (end + 4 > bytes.length || bytes.readUInt32BE(end) !== crc32(bytes.subarray(at + 4, end)))
      throw new Error(`the part ${type} of the PNG is damaged`)
    chunks.push({ type, data: bytes.subarray(at + 8, end) })
    at = end + 4
  }
  return chunks
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, sum])
}

/** Takes back the filter of each row (PNG, section 9.2): none, left, above, their mean, or the nearest of three (Paeth). */
function unfiltered(
  data: Buffer,
  { rowBytes, height, step }: { readonly rowBytes: number; readonly height: number; readonly step: number },
): Buffer {
  const plain = Buffer.alloc(rowBytes * height)
  for (let row = 0; row < height; row++) {
    const filter = data[row * (rowBytes + 1)] ?? 0
    for (let column = 0; column < rowBytes; column++) {
      const at = row * rowBytes + column
      const left = column < step ? 0 : (plain[at - step] ?? 0)
      const above = row === 0 ? 0 : (plain[at - rowBytes] ?? 0)
      const corner = column < step || row === 0 ? 0 : (plain[at - rowBytes - step] ?? 0)
      const guess = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter] ?? 0
      plain[at] = (data[row * (rowBytes + 1) + 1 + column] ?? 0) + guess
    }
  }
  return plain
}

function paeth(left: number, above: number, corner: number): number {
  const [toLeft, toAbove, toCorner] = [above - corner, left - corner, left + above - 2 * corner].map(Math.abs)
  if (toLeft === undefined || toAbove === undefined || toCorner === undefined) return 0
  if (toLeft <= toAbove && toLeft <= toCorner) return left
  return toAbove <= toCorner ? above : corner
}

/** The most frequent colour, and then each time the one whose pixels are together farthest from what was chosen before. */
function paletteOf(pixels: Uint32Array): readonly number[] {
  const counts = new Map<number, number>()
  for (const colour of pixels) counts.set(colour, (counts.get(colour) ?? 0) + 1)
  const colours = [...counts].toSorted(([a, countOfA], [b, countOfB]) => countOfB - countOfA || a - b)
  if (colours.length <= mostColours) return colours.map(([colour]) => colour)
  const far = new Float64Array(colours.length).fill(Number.POSITIVE_INFINITY)
  const chosen: number[] = []
  for (let next = 0; chosen.length < mostColours; ) {
    const [colour = 0] = colours[next] ?? []
    chosen.push(colour)
    let worst = -1
    for (const [at, [other, count]] of colours.entries()) {
      far[at] = Math.min(far[at] ?? 0, distance(colour, other))
      const error = (far[at] ?? 0) * count
      if (error > worst) [worst, next] = [error, at]
    }
  }
  return chosen
}

/** Finds the nearest colour of `palette`: its index, and its squared distance. */
function nearest(palette: readonly number[], colour: number): { readonly index: number; readonly distance: number } {
  let best = { index: 0, distance: Number.POSITIVE_INFINITY }
  for (const [index, one] of palette.entries()) {
    const far = distance(one, colour)
    if (far < best.distance) best = { index, distance: far }
  }
  return best
}

function distance(a: number, b: number): number {
  const [red, green, blue] = [16, 8, 0].map(shift => ((a >> shift) & 255) - ((b >> shift) & 255))
  return (red ?? 0) ** 2 + (green ?? 0) ** 2 + (blue ?? 0) ** 2
}
