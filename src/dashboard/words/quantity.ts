// Amounts as Kubernetes writes them, and in short. Pure: the page's bundle has this file, and a property test holds it to #kube/quantity.ts.
import { unknownText } from './percent.ts'

const kibibyte = 1024
const mebibyte = 1024 ** 2
const gibibyte = 1024 ** 3

/** Steps of a thousand above one core, as Kubernetes writes them. */
const decimalSuffixes = ['m', '', 'k', 'M', 'G', 'T', 'P'] as const

/** Millicores as Kubernetes writes them: `7425m`, `2`, `1500m`; from a thousand cores on `1k`. */
export function cpuExact(millicores: number | null): string {
  if (millicores === null) return unknownText
  if (millicores === 0) return '0'
  let amount = millicores
  let step = 0
  while (step < decimalSuffixes.length - 1 && amount % 1_000 === 0) {
    amount /= 1_000
    step++
  }
  return `${amount}${decimalSuffixes[step] ?? ''}`
}

/** Below a core in thousandths, else cores with one decimal, truncated: `655m`, `7.4`. */
export function cpuShort(millicores: number | null): string {
  if (millicores === null) return unknownText
  return Math.abs(millicores) < 1_000 ? `${millicores}m` : oneDecimal(millicores, 1_000)
}

/** Bytes in the largest of Mi and Ki that is whole, else as they are: `12772Mi`. */
export function memoryExact(bytes: number | null): string {
  if (bytes === null) return unknownText
  if (bytes === 0) return '0'
  if (bytes % mebibyte === 0) return `${bytes / mebibyte}Mi`
  return bytes % kibibyte === 0 ? `${bytes / kibibyte}Ki` : String(bytes)
}

/** From one Gi on Gi with one decimal, else Mi, truncated: `12.4Gi`, `640Mi`. */
export function memoryShort(bytes: number | null): string {
  if (bytes === null) return unknownText
  return Math.abs(bytes) >= gibibyte ? `${oneDecimal(bytes, gibibyte)}Gi` : `${Math.trunc(bytes / mebibyte) + 0}Mi`
}

/** `7.4 of 7.9 cores`; a part below one core in thousandths: `655m of 15.9 cores`. */
export function cpuOf(part: number | null, whole: number): string {
  return Math.abs(whole) < 1_000 ? `${cpuShort(part)} of ${cpuShort(whole)}` : `${cpuShort(part)} of ${cpuShort(whole)} cores`
}

/** `12.4 of 15.1Gi`, with both units where they differ: `640Mi of 15.1Gi`. */
export function memoryOf(part: number | null, whole: number): string {
  const [left, right] = [memoryShort(part), memoryShort(whole)]
  const unit = right.replace(/[-0-9.]/g, '')
  return `${left.endsWith(unit) ? left.slice(0, -unit.length) : left} of ${right}`
}

/** `7425m of 7950m`: exact, for tooltips and tables. */
export function cpuExactOf(part: number | null, whole: number): string {
  return exactOf(part, whole, cpuExact)
}

/** `12772Mi of 15500Mi`. */
export function memoryExactOf(part: number | null, whole: number): string {
  return exactOf(part, whole, memoryExact)
}

const grouped = new Intl.NumberFormat('en', { useGrouping: 'min2', maximumFractionDigits: 0 })

/** A count with digit groups from 10,000 on: `1234`, `150,000`. */
export function count(amount: number | null): string {
  return amount === null ? unknownText : grouped.format(amount)
}

/** Milliwatts in watts with one decimal: `51.1 W`. */
export function watts(milliwatts: number | null): string {
  return milliwatts === null ? unknownText : `${(Math.round(milliwatts / 100) / 10).toFixed(1)} W`
}

function exactOf(part: number | null, whole: number, text: (amount: number) => string): string {
  return `${part === null ? unknownText : text(part)} of ${text(whole)}`
}

/** `amount` in `unit`s with one decimal, truncated in whole numbers: a float would turn 8.1 units into 8.0. */
function oneDecimal(amount: number, unit: number): string {
  const size = Math.abs(amount)
  const whole = Math.floor(size / unit)
  const tenth = Math.floor(((size - whole * unit) * 10) / unit)
  return `${amount < 0 ? '-' : ''}${whole}.${tenth}`
}
