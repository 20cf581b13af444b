// How much of a file is read at a time. Large pieces are quicker, up to a slab; where many read at once small ones keep memory bounded.

const kibi = 1_024

/** From so many answers on that are being sent, pieces are of so many bytes. */
const steps: readonly { readonly from: number; readonly bytes: number }[] = [
  { from: 128, bytes: 16 * kibi },
  { from: 32, bytes: 64 * kibi },
  { from: 0, bytes: 256 * kibi },
]

/** Bytes to be read at a time by one more than `others`. */
export function readBytesFor(others: number): number {
  return steps.find(({ from }) => others >= from)?.bytes ?? 16 * kibi
}
