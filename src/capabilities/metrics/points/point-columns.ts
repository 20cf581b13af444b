// Two points and twenty rates of each container, as numbers in columns: at 225,000 containers objects would cost the collector of garbage
// more than all else. A slot is a row; its owner keeps its number.

/** The fields of a row, in order. */
const fields = [
  /** Milliseconds since 1970 of the last point. */
  'lastMs',
  /** Nanoseconds since 1970 at which it began to count; 0 where that is not known. */
  'lastStartNs',
  /** Nanoseconds of CPU from then on. */
  'lastCpuNs',
  'lastMemoryBytes',
  /** NaN where it was not said. */
  'lastSwapBytes',
  'lastStorageBytes',
  /** Milliseconds of the point before; NaN where there is none. */
  'previousMs',
  /** Nanoseconds beyond these. */
  'previousRestNs',
  'previousStartNs',
  'previousCpuNs',
  /** How many rates were noted ever. */
  'rates',
] as const

type PointField = (typeof fields)[number]

const columnOf = Object.fromEntries(fields.map((name, column) => [name, column])) as Readonly<Record<PointField, number>> // a key for each field
const width = fields.length

/** Rates that are remembered of each container. */
const rememberedRates = 20
const ringWidth = rememberedRates * 2
const chunkRows = 1_024

interface Chunk {
  readonly points: Float64Array
  /** Nanocores and bytes in turn, as {@link packed}. */
  readonly rates: Uint16Array
}

/** Steps for each doubling: neighbours differ by 0.07 %, and 2^63 has a place. */
const steps = 1_000

/** An amount from 0 on in 16 bits, to 0.04 % of it; 0 stays 0. */
function packed(amount: number): number {
  return Math.min(0xff_ff, Math.round(Math.log2(1 + Math.max(0, amount)) * steps))
}

function unpacked(code: number): number {
  return Math.round(2 ** (code / steps) - 1)
}

export class PointColumns {
  readonly #chunks: Chunk[] = []
  readonly #free: number[] = []
  #rows = 0

  /** A row without a point. */
  take(): number {
    const free = this.#free.pop()
    if (free !== undefined) {
      this.#rowOf(free).fill(0)
      this.set(free, 'previousMs', Number.NaN)
      return free
    }
    const slot = this.#rows++
    if (slot % chunkRows === 0)
      this.#chunks.push({ points: new Float64Array(chunkRows * width), rates: new Uint16Array(chunkRows * ringWidth) })
    this.set(slot, 'previousMs', Number.NaN)
    return slot
  }

  /** The row may be another's from now on. */
  give(slot: number): void {
    this.#free.push(slot)
  }

  get(slot: number, field: PointField): number {
    return this.#chunk(slot).points[(slot % chunkRows) * width + columnOf[field]] ?? Number.NaN
  }

  set(slot: number, field: PointField, value: number): void {
    this.#chunk(slot).points[(slot % chunkRows) * width + columnOf[field]] = value
  }

  /** Notes a rate and the memory with it: remembered to 0.04 %. */
  noteRate(slot: number, cpuNanocores: number, memoryBytes: number): void {
    const count = this.get(slot, 'rates')
    const at = (slot % chunkRows) * ringWidth + (count % rememberedRates) * 2
    const { rates } = this.#chunk(slot)
    rates[at] = packed(cpuNanocores)
    rates[at + 1] = packed(memoryBytes)
    this.set(slot, 'rates', count + 1)
  }

  /** The rates that are remembered, the oldest first. */
  rates(slot: number): readonly { readonly cpuNanocores: number; readonly memoryBytes: number }[] {
    const count = this.get(slot, 'rates')
    const { rates } = this.#chunk(slot)
    const base = (slot % chunkRows) * ringWidth
    return Array.from({ length: Math.min(count, rememberedRates) }, (_, index) => {
      const at = base + ((Math.max(0, count - rememberedRates) + index) % rememberedRates) * 2
      return { cpuNanocores: unpacked(rates[at] ?? 0), memoryBytes: unpacked(rates[at + 1] ?? 0) }
    })
  }

  #rowOf(slot: number): Float64Array {
    const from = (slot % chunkRows) * width
    return this.#chunk(slot).points.subarray(from, from + width)
  }

  #chunk(slot: number): Chunk {
    const chunk = this.#chunks[Math.floor(slot / chunkRows)]
    if (chunk === undefined) throw new RangeError(`there is no row ${slot}`)
    return chunk
  }
}
