import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Picture, readPng, smallPng } from './png.ts'

function picture(width: number, height: number, colourAt: (at: number) => number): Picture {
  return { width, height, pixels: Uint32Array.from({ length: width * height }, (_, at) => colourAt(at)) }
}

test('a picture of few colours is read as it was written', () => {
  const colour = fc.integer({ min: 0, max: 0xff_ff_ff })
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 20 }),
      fc.array(colour, { minLength: 1, maxLength: 30 }),
      (width, height, colours) => {
        const drawn = picture(width, height, at => colours[(at * 7) % colours.length] ?? 0)
        expect(readPng(smallPng(drawn))).toEqual(drawn)
      },
    ),
  )
})

test('of many colours 256 are kept, each near to what it stands for', () => {
  const drawn = picture(100, 100, at => (at % 100) * 0x02_02_02 + (at > 5_000 ? 0x10_00_00 : 0))
  const small = readPng(smallPng(picture(100, 100, at => (at * 2_654_435) & 0xff_ff_ff)))
  expect(new Set(small.pixels).size).toBe(256)
  const seen = readPng(smallPng(drawn))
  expect(new Set(seen.pixels).size).toBeLessThanOrEqual(256)
  const far = [...seen.pixels].map((colour, at) => Math.abs((colour >> 16) - ((drawn.pixels[at] ?? 0) >> 16)))
  expect(Math.max(...far)).toBeLessThanOrEqual(2)
})

test.each([
  ['no PNG', (_: Buffer) => Buffer.from('<svg/>'), /no PNG/],
  ['a damaged one', (png: Buffer) => png.fill(7, 20, 24), /damaged/],
  ['one of another kind', (png: Buffer) => png.subarray(0, 8), /colour type/],
] as const)('%s is refused', (_, change, problem) => {
  expect(() => readPng(change(Buffer.from(smallPng(picture(2, 2, at => at)))))).toThrow(problem)
})
