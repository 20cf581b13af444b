// Amounts as the API prints them. Whole numbers of what a kubelet measures are all there is, so most need no exact arithmetic.
import { canonicalText } from '#kube/values/quantity.ts'

const decimalSuffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'] as const
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const
const largestInt64 = 2n ** 63n - 1n

/** Billionths of a core in their canonical decimal form: `500m`, `125500321n`. */
export function cpuText(nanocores: number): string {
  if (!Number.isSafeInteger(nanocores)) return canonicalText({ nanos: int64Of(nanocores), format: 'DecimalSI' })
  if (nanocores === 0) return '0'
  let amount = nanocores
  let step = 0
  while (amount % 1_000 === 0 && step < decimalSuffixes.length - 1) {
    amount /= 1_000
    step++
  }
  return `${amount}${decimalSuffixes[step]}`
}

/** Bytes in their canonical binary form: `5Mi`, and `5242881` where 1,024 does not divide them; below 1,024 decimal, `1k`. */
export function bytesText(bytes: number): string {
  if (!Number.isSafeInteger(bytes)) return canonicalText({ nanos: int64Of(bytes) * 1_000_000_000n, format: 'BinarySI' })
  if (bytes < 1_024) return bytes === 1_000 ? '1k' : String(bytes)
  let amount = bytes
  let step = 0
  while (amount % 1_024 === 0 && step < binarySuffixes.length - 1) {
    amount /= 1_024
    step++
  }
  return `${amount}${binarySuffixes[step]}`
}

/** What is beyond an int64 loses its last digit, as upstream's does. */
function int64Of(value: number): bigint {
  const whole = BigInt(Math.trunc(value))
  return whole > largestInt64 ? (whole / 10n) * 10n : whole
}
