// Amounts as the API prints them. Whole numbers of what a kubelet measures are all there is, so most need no exact arithmetic.
import { canonicalText } from '#kube/values/quantity.ts'

const decimalSuffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'] as const
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const
const largestInt64 = 2n ** 63n - 1n

/** Billionths of a core in their canonical decimal form: `500m`, `125500321n`. */
export function cpuText(nanocores: number): string {
  return cpuInto(nanocores, asText)
}

/** Told of a whole number and what stands behind it, or of a text. */
interface AmountReader<Read> {
  scaled(amount: number, suffix: string): Read
  text(text: string): Read
}

const asText: AmountReader<string> = { scaled: (amount, suffix) => `${amount}${suffix}`, text: text => text }

/** As {@link cpuText}, for those who write digits themselves. */
export function cpuInto<Read>(nanocores: number, reader: AmountReader<Read>): Read {
  if (!Number.isSafeInteger(nanocores)) return reader.text(canonicalText({ nanos: int64Of(nanocores), format: 'DecimalSI' }))
  if (nanocores === 0) return reader.text('0')
  let amount = nanocores
  let step = 0
  while (amount % 1_000 === 0 && step < decimalSuffixes.length - 1) {
    amount /= 1_000
    step++
  }
  return reader.scaled(amount, decimalSuffixes[step] ?? '')
}

/** Bytes in their canonical binary form: `5Mi`, and `5242881` where 1,024 does not divide them; below 1,024 decimal, `1k`. */
export function bytesText(bytes: number): string {
  return bytesInto(bytes, asText)
}

/** As {@link bytesText}, for those who write digits themselves. */
export function bytesInto<Read>(bytes: number, reader: AmountReader<Read>): Read {
  if (!Number.isSafeInteger(bytes))
    return reader.text(canonicalText({ nanos: int64Of(bytes) * 1_000_000_000n, format: 'BinarySI' }))
  if (bytes < 1_024) return bytes === 1_000 ? reader.text('1k') : reader.scaled(bytes, '')
  let amount = bytes
  let step = 0
  while (amount % 1_024 === 0 && step < binarySuffixes.length - 1) {
    amount /= 1_024
    step++
  }
  return reader.scaled(amount, binarySuffixes[step] ?? '')
}

/** What is beyond an int64 loses its last digit, as upstream's does. */
function int64Of(value: number): bigint {
  const whole = BigInt(Math.trunc(value))
  return whole > largestInt64 ? (whole / 10n) * 10n : whole
}
