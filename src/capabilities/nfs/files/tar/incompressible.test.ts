import { createCipheriv, createHash } from 'node:crypto'
import { deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { isIncompressible } from './incompressible.ts'

const partBytes = 256 * 1024

/** Bytes by chance, the same each time. */
function noise(bytes: number, seed = 'noise'): Buffer {
  const key = createHash('sha256').update(seed).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes))
}

/** Lines that differ, as logs and tables do. */
const lines = (bytes: number) =>
  Buffer.from(
    Array.from({ length: bytes / 32 }, (_, at) => `${at} ${createHash('md5').update(`${at}`).digest('hex')}`).join('\n'),
  ).subarray(0, bytes)

const half = (bytes: number) => Buffer.concat([noise(bytes / 2), lines(bytes / 2)])

describe('what gzip makes no smaller', () => {
  test.each([
    ['bytes by chance', noise(partBytes)],
    ['what gzip has compressed', gzipSync(lines(4 * partBytes)).subarray(0, partBytes)],
    ['what zstd has compressed', zstdCompressSync(lines(4 * partBytes)).subarray(0, partBytes)],
  ])('%s', (_, bytes) => {
    expect(bytes.length).toBe(partBytes)
    expect(isIncompressible(bytes)).toBe(true)
    expect(deflateRawSync(bytes).length).toBeGreaterThan(bytes.length * 0.99)
  })
})

describe('what is compressed', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(partBytes)],
    ['lines', lines(partBytes)],
    ['a half of it', half(partBytes)],
    ['a tenth of it', Buffer.concat([noise(partBytes * 0.9), Buffer.alloc(partBytes * 0.1)])],
    ['the same bytes by chance again and again', Buffer.concat(Array.from({ length: 64 }, () => noise(4_096)))],
    ['too little to tell', noise(16_384)],
  ])('%s', (_, bytes) => expect(isIncompressible(bytes)).toBe(false))
})
