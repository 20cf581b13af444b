// Films, pictures, archives and what is encrypted: gzip takes most of its time for them, and makes them no smaller.
import { constants, deflateRawSync } from 'node:zlib'

/** Bytes are looked at in so many places, so many in each. */
const places = 64
const bytesInPlace = 128
/** Bits a byte, eight at most: so many bytes by chance come to 7.98, pictures and films to 7.95 and more, code and text to five or six. */
const leastEntropy = 7.9
/** Bytes that are by chance may repeat others; that shows only when they are compressed. */
const triedBytes = 16 * 1024
const leastRatio = 0.99

/** Whether bytes look as if gzip would make them no smaller: by how often each byte is there (its entropy, after Shannon), and then by compressing some from the middle. */
export function isIncompressible(bytes: Buffer): boolean {
  if (bytes.length < 2 * triedBytes || entropyOf(bytes) < leastEntropy) return false
  const start = (bytes.length - triedBytes) >> 1
  const tried = deflateRawSync(bytes.subarray(start, start + triedBytes), { level: constants.Z_BEST_SPEED })
  return tried.length >= triedBytes * leastRatio
}

/** Bits a byte, of a sample from all over. */
function entropyOf(bytes: Buffer): number {
  const counts = new Uint32Array(256)
  const stride = Math.floor(bytes.length / places)
  for (let place = 0; place < places; place++) {
    const start = place * stride
    for (let at = start; at < start + bytesInPlace; at++) {
      const byte = bytes[at] ?? 0
      counts[byte] = (counts[byte] ?? 0) + 1
    }
  }
  const total = places * bytesInPlace
  let entropy = 0
  for (const count of counts) if (count > 0) entropy -= (count / total) * Math.log2(count / total)
  return entropy
}
