// Content that is written in a thread: all of it lies where it belongs, and what fails is told.
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bytesOf } from '../byte-text.ts'
import { Scratch } from '../testdata/trees.ts'
import { ContentWriter } from './content-writer.ts'

describe('content', () => {
  let scratch: Scratch
  let file: string
  beforeEach(() => {
    scratch = new Scratch()
    file = join(scratch.path, 'content')
  })
  afterEach(() => scratch[Symbol.dispose]())

  test('lies where it belongs, with holes between its parts', async () => {
    const part = fc.record({
      gap: fc.constantFrom(0, 0, 1, 70_000),
      size: fc.constantFrom(1, 4_096, 300_000),
      byte: fc.integer({ min: 1, max: 255 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), async parts => {
        const fd = openSync(file, 'w')
        const expected: Buffer[] = []
        let at = 0
        try {
          await using writer = new ContentWriter(fd, bytesOf('content'))
          for (const { gap, size, byte } of parts) {
            const bytes = Buffer.alloc(size, byte)
            await writer.put(bytes, at + gap)
            expected.push(Buffer.alloc(gap), bytes)
            at += gap + size
          }
          await writer.end()
        } finally {
          closeSync(fd)
        }
        expect(readFileSync(file).equals(Buffer.concat(expected))).toBe(true)
      }),
      { numRuns: 15 },
    )
  })

  test.each([
    [
      'by the next part',
      async (writer: ContentWriter) => {
        for (let at = 0; ; at += 600_000) await writer.put(Buffer.alloc(600_000), at)
      },
    ],
    [
      'at its end',
      async (writer: ContentWriter) => {
        await writer.put(Buffer.alloc(1), 0)
        await writer.end()
      },
    ],
  ])('that cannot be written is told %s', async (_, use) => {
    writeFileSync(file, '')
    const fd = openSync(file, 'r')
    try {
      await using writer = new ContentWriter(fd, bytesOf('a/content'))
      await expect(use(writer)).rejects.toMatchObject({
        code: 'EBADF',
        path: 'a/content',
        message: expect.stringMatching(/^write a\/content: /),
      })
    } finally {
      closeSync(fd)
    }
  })

  test('that is given up leaves its file free', async () => {
    const fd = openSync(file, 'w')
    try {
      await using writer = new ContentWriter(fd, bytesOf('content'))
      await writer.put(Buffer.alloc(500_000, 1), 0)
      await writer.put(Buffer.alloc(500_000, 2), 600_000)
    } finally {
      closeSync(fd)
    }
    // The first part was under way, the second one waited.
    expect(readFileSync(file).equals(Buffer.alloc(500_000, 1))).toBe(true)
  })
})
