// The text format of Prometheus as kubelets answer it, read byte by byte. No text is made of lines that nobody reads, and none of labels that
// were seen before.
import { setImmediate } from 'node:timers/promises'
import type { Decoding, KnownContainers } from './known-containers.ts'
import {
  type ContainerName,
  emptyReading,
  isOfNode,
  type NodeReading,
  note,
  type Reading,
  type RejectedLine,
  type SeriesName,
  seriesNames,
  unbelievable,
} from './reading.ts'

const newline = 0x0a
const space = 0x20
const tab = 0x09
const carriageReturn = 0x0d
const openingBrace = 0x7b

/** Bytes between two turns of the event loop: a fraction of a millisecond, and some 5 ms where every line is another than was guessed. */
const sliceBytes = 1 << 15

/** Labels, and as much again for the rest: what is longer is not looked through. */
const longestLine = 32_768

/** The body is no metrics at all. */
export class NoMetricsError extends Error {
  constructor(beginning: string) {
    super(`the answer is no metrics: it begins with ${JSON.stringify(beginning)}`)
    this.name = 'NoMetricsError'
  }
}

/**
 * What a text body says. Lines that cannot be read are counted, the others stand. A series without a time gets `sentMs`. Gives the event loop
 * a turn after each 32 KiB. @throws NoMetricsError; `signal.reason`
 */
export async function readExposition(
  body: Buffer,
  { known, sentMs, signal, nextTurn = setImmediate }: Decoding,
): Promise<NodeReading> {
  const reader = new ExpositionReader(body, known, sentMs)
  for (let until = sliceBytes; reader.readTo(until); until += sliceBytes) {
    await nextTurn()
    signal?.throwIfAborted()
  }
  return reader.end()
}

class ExpositionReader {
  readonly #body: Buffer
  readonly #known: KnownContainers
  readonly #containers: ReturnType<KnownContainers['begin']>
  readonly #sentMs: number
  readonly #node = emptyReading()
  readonly #rejected = new Map<RejectedLine, number>()
  #at = 0
  #name: SeriesName = seriesNames[0]
  #series = 0
  /** Its beginning was read and rejected, its end has yet to come. */
  #isInLongLine = false

  constructor(body: Buffer, known: KnownContainers, sentMs: number) {
    this.#body = body
    this.#known = known
    this.#containers = known.begin()
    this.#sentMs = sentMs
  }

  /** Reads lines that begin before `until`. Whether there are more. */
  readTo(until: number): boolean {
    const body = this.#body
    const limit = Math.min(until, body.length)
    const near = body.subarray(0, Math.min(limit + longestLine, body.length))
    while (this.#at < limit) {
      const from = this.#at
      const end = near.indexOf(newline, from)
      if (end < 0 && near.length < body.length) {
        if (!this.#isInLongLine) this.#begin(from, near.length)
        this.#isInLongLine = true
        this.#at = limit
        return true
      }
      const to = end < 0 ? body.length : end
      this.#at = to + 1
      if (this.#isInLongLine) this.#isInLongLine = false
      else this.#begin(from, to)
    }
    return this.#at < body.length
  }

  #begin(from: number, to: number): void {
    const first = this.#body[from]
    // Only names that begin with c or n are read.
    if (first === 0x63 || first === 0x6e) this.#line(from, to)
  }

  end(): NodeReading {
    if (this.#series === 0) assertMetrics(this.#body)
    this.#known.keep(this.#containers)
    return { node: this.#node, containers: this.#containers.readings, rejected: this.#rejected }
  }

  #line(from: number, to: number): void {
    const length = this.#nameAt(from)
    if (length === 0) return
    const behind = this.#body[from + length]
    if (behind !== openingBrace && behind !== space && behind !== tab) return
    this.#series++
    if (to - from >= longestLine) {
      this.#reject('syntax')
      return
    }
    const why = isOfNode(this.#name)
      ? this.#nodeLine(from + length, to)
      : behind === openingBrace
        ? this.#containerLine(from + length + 1, to)
        : 'labels'
    if (why !== undefined) this.#reject(why)
  }

  /** Length of the name at `from` and, in `#name`, which one; 0 where it is none of ours. Series of one name stand together. */
  #nameAt(from: number): number {
    if (this.#beginsWith(from, this.#name)) return this.#name.length
    for (const name of seriesNames) {
      if (!this.#beginsWith(from, name)) continue
      this.#name = name
      return name.length
    }
    return 0
  }

  #beginsWith(from: number, name: string): boolean {
    const body = this.#body
    for (let at = name.length - 1; at >= 0; at--) if (body[from + at] !== name.charCodeAt(at)) return false
    return true
  }

  #nodeLine(from: number, to: number): RejectedLine | undefined {
    let at = from
    if (this.#body[at] === openingBrace) {
      const labels = labelsAt(this.#body, at + 1, to)
      if (labels === undefined) return 'labels'
      at = labels.end
    }
    return this.#noted(this.#node, at, to)
  }

  #containerLine(from: number, to: number): RejectedLine | undefined {
    const guess = this.#containers.guessed(this.#body, from)
    if (guess !== undefined && from + guess.length < to) return this.#noted(guess.reading, from + guess.length + 1, to)
    const labels = labelsAt(this.#body, from, to)
    if (labels === undefined) return 'labels'
    const container = this.#containers.of(this.#body.toString('latin1', from, labels.end - 1), () => containerOf(labels.pairs))
    return typeof container === 'string' ? container : this.#noted(container, labels.end, to)
  }

  #noted(reading: Reading, from: number, to: number): RejectedLine | undefined {
    const sample = this.#sampleAt(from, to)
    if (typeof sample === 'string') {
      reading.isDoubted = true
      return sample
    }
    note(reading, this.#name, sample.value, sample.timeMs)
    return undefined
  }

  #sampleAt(from: number, to: number): { readonly value: number; readonly timeMs: number } | RejectedLine {
    const value = wordAt(this.#body, from, to)
    if (value === undefined) return 'syntax'
    const number = numberIn(this.#body, value.from, value.to)
    if (number === undefined) return 'syntax'
    const time = wordAt(this.#body, value.to, to)
    if (time === undefined) return unbelievable(number, 0) ?? { value: number, timeMs: this.#sentMs }
    if (wordAt(this.#body, time.to, to) !== undefined) return 'syntax'
    const timeMs = integerIn(this.#body, time.from, time.to)
    if (timeMs === undefined) return 'syntax'
    return unbelievable(number, timeMs) ?? { value: number, timeMs }
  }

  #reject(why: RejectedLine): void {
    this.#rejected.set(why, (this.#rejected.get(why) ?? 0) + 1)
  }
}

interface Word {
  readonly from: number
  readonly to: number
}

function isBlank(byte: number | undefined): boolean {
  return byte === space || byte === tab || byte === carriageReturn
}

function wordAt(body: Uint8Array, from: number, limit: number): Word | undefined {
  let start = from
  while (start < limit && isBlank(body[start])) start++
  if (start === limit) return undefined
  let end = start + 1
  while (end < limit && !isBlank(body[end])) end++
  return { from: start, to: end }
}

/** Exact powers of ten: a number of at most 15 digits times or by one of them is rounded once, as it must be. */
const powersOfTen = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`))
const mostExactDigits = 15
const longestNumber = 64
const numberText = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/

/** The number in these bytes; undefined where they are none. `NaN` and `+Inf` are numbers. */
function numberIn(body: Buffer, from: number, to: number): number | undefined {
  let digits = 0
  let mantissa = 0
  let fraction = -1
  let at = from
  for (; at < to; at++) {
    const byte = body[at] ?? 0
    if (byte >= 0x30 && byte <= 0x39) {
      mantissa = mantissa * 10 + byte - 0x30
      digits++
      if (fraction >= 0) fraction++
    } else if (byte === 0x2e && fraction < 0) fraction = 0
    else break
  }
  if (digits === 0 || digits > mostExactDigits) return wordNumber(body, from, to)
  let exponent = fraction > 0 ? -fraction : 0
  if (at < to) {
    const after = exponentIn(body, at, to)
    if (after === undefined) return wordNumber(body, from, to)
    exponent += after
  }
  const power = powersOfTen[Math.abs(exponent)]
  if (power === undefined) return wordNumber(body, from, to)
  return exponent < 0 ? mantissa / power : mantissa * power
}

/** The exponent of `e+09`; undefined for what is none, or has more than two digits. */
function exponentIn(body: Uint8Array, from: number, to: number): number | undefined {
  if (((body[from] ?? 0) | 0x20) !== 0x65) return undefined
  const sign = body[from + 1]
  const start = sign === 0x2b || sign === 0x2d ? from + 2 : from + 1
  if (start >= to || to - start > 2) return undefined
  const value = integerIn(body, start, to)
  return value === undefined ? undefined : sign === 0x2d ? -value : value
}

function wordNumber(body: Buffer, from: number, to: number): number | undefined {
  if (to - from > longestNumber) return undefined
  const text = body.toString('latin1', from, to)
  if (numberText.test(text)) return Number(text)
  if (/^nan$/i.test(text)) return Number.NaN
  const infinite = /^([+-]?)inf(inity)?$/i.exec(text)
  return infinite === null ? undefined : infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}

const longestInteger = 20

/** The whole number in these bytes, with a minus or without. */
function integerIn(body: Uint8Array, from: number, to: number): number | undefined {
  const isNegative = body[from] === 0x2d
  const start = isNegative ? from + 1 : from
  if (start >= to || to - start > longestInteger) return undefined
  let value = 0
  for (let at = start; at < to; at++) {
    const byte = body[at] ?? 0
    if (byte < 0x30 || byte > 0x39) return undefined
    value = value * 10 + byte - 0x30
  }
  return isNegative ? -value : value
}

const label = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,|$)/y

/** The labels from behind the opening brace on, and where the line goes on behind the closing one. */
function labelsAt(
  body: Buffer,
  from: number,
  to: number,
): { readonly pairs: ReadonlyMap<string, string>; readonly end: number } | undefined {
  const close = closingBraceIn(body, from, to)
  if (close === undefined) return undefined
  const text = body.toString('utf8', from, close).trimEnd()
  const pairs = new Map<string, string>()
  label.lastIndex = 0
  while (label.lastIndex < text.length) {
    const found = label.exec(text)
    if (found === null) return undefined
    pairs.set(found[1] ?? '', unescaped(found[2] ?? ''))
  }
  return { pairs, end: close + 1 }
}

/** Labels of one line that are longer are no pod's. */
const longestLabels = 16_384

function closingBraceIn(body: Uint8Array, from: number, to: number): number | undefined {
  let isQuoted = false
  for (let at = from; at < Math.min(to, from + longestLabels); at++) {
    const byte = body[at]
    if (isQuoted && byte === 0x5c) at++
    else if (byte === 0x22) isQuoted = !isQuoted
    else if (!isQuoted && byte === 0x7d) return at
  }
  return undefined
}

function unescaped(value: string): string {
  return value.includes('\\') ? value.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character)) : value
}

/** The container that labels name; undefined where one of the three is missing or empty. */
export function containerOf(labels: ReadonlyMap<string, string>): ContainerName | undefined {
  const namespace = labels.get('namespace')
  const pod = labels.get('pod')
  const container = labels.get('container')
  return namespace && pod && container ? { namespace, pod, container } : undefined
}

const metricsLine = /^(#|[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^}]*\})?\s+([0-9.eE+-]+|NaN|[+-]Inf)(\s+-?\d+)?\s*$)/
const beginningLength = 60
const judgedLength = 4_096

/** A body without any series of ours may still be metrics: its first line decides. @throws NoMetricsError */
function assertMetrics(body: Buffer): void {
  const text = body.toString('utf8', 0, judgedLength).trimStart()
  const [line = ''] = text.split('\n', 1)
  if (line !== '' && !metricsLine.test(line)) throw new NoMetricsError(text.slice(0, beginningLength))
}
