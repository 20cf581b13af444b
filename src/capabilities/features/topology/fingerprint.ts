// The fingerprint of the pods that a kubelet told of. A scheduler that knows the pods makes the same one, and so sees whether zones are of now.

const mask = (1n << 64n) - 1n
const [prime1, prime2, prime3] = [0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n]
const [prime4, prime5] = [0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n]

/** What two programs have to agree on before they compare fingerprints. */
const form = 'pfp0v001'

interface Named {
  readonly namespace: string
  readonly name: string
}

/** The same for the same pods, whatever their order. */
export function podsFingerprint(pods: readonly Named[]): string {
  const hashes = BigUint64Array.from(pods, ({ namespace, name }) => xxh64(Buffer.from(name), xxh64(Buffer.from(namespace))))
  const bytes = Buffer.alloc(hashes.length * 8)
  for (const [at, hash] of hashes.sort().entries()) bytes.writeBigUInt64LE(hash, at * 8)
  return `${form}${xxh64(bytes).toString(16).padStart(16, '0')}`
}

/** XXH64 by its specification. Names are short: BigInt is fast enough, and no package has to be kept for it. */
function xxh64(data: Buffer, seed = 0n): bigint {
  let at = 0
  let hash = (seed + prime5) & mask
  if (data.length >= 32) {
    const lanes = [seed + prime1 + prime2, seed + prime2, seed, seed - prime1].map(lane => lane & mask)
    for (; at + 32 <= data.length; at += 32)
      for (const [lane, value] of lanes.entries()) lanes[lane] = round(value, data.readBigUInt64LE(at + lane * 8))
    const turns = [1n, 7n, 12n, 18n]
    hash = lanes.reduce((sum, lane, index) => sum + rotated(lane, turns[index] ?? 0n), 0n) & mask
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * prime1 + prime4) & mask
  }
  hash = (hash + BigInt(data.length)) & mask
  for (; at + 8 <= data.length; at += 8)
    hash = (rotated(hash ^ round(0n, data.readBigUInt64LE(at)), 27n) * prime1 + prime4) & mask
  if (at + 4 <= data.length) {
    hash = (rotated(hash ^ ((BigInt(data.readUInt32LE(at)) * prime1) & mask), 23n) * prime2 + prime3) & mask
    at += 4
  }
  for (; at < data.length; at++) hash = (rotated(hash ^ ((BigInt(data.readUInt8(at)) * prime5) & mask), 11n) * prime1) & mask
  hash = ((hash ^ (hash >> 33n)) * prime2) & mask
  hash = ((hash ^ (hash >> 29n)) * prime3) & mask
  return hash ^ (hash >> 32n)
}

function round(lane: bigint, input: bigint): bigint {
  return (rotated((lane + input * prime2) & mask, 31n) * prime1) & mask
}

function rotated(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & mask
}
