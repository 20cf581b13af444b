// The file in which nginx says how bodies ended: whatever is written in whatever pieces comes once, and nothing is lost at a change of files.
import { appendFileSync, closeSync, existsSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { seededRandom } from '#kube/random.ts'
import { ToldBodies } from './told-bodies.ts'

const lineOf = (order: number, over: Readonly<Record<string, unknown>> = {}) =>
  `${JSON.stringify({ order, status: '200', sent: order * 10, seconds: 0.5, completion: 'OK', ...over })}\n`

function site() {
  const directory = mkdtempSync(join(tmpdir(), 'told-'))
  const path = join(directory, 'told')
  const reopened: string[] = []
  const told = new ToldBodies(path, () => reopened.push('again'))
  onTestFinished(() => {
    told.close()
    rmSync(directory, { recursive: true })
  })
  const orders = () => told.read().map(({ order }) => order)
  return { path, told, orders, reopened, write: (text: string | Buffer) => appendFileSync(path, text) }
}

describe('what was said', () => {
  test('is nothing before nginx has made the file', () => {
    const { orders, write } = site()
    expect(orders()).toEqual([])
    write(lineOf(1))
    expect([orders(), orders()]).toEqual([[1], []])
  })

  // biome-ignore format: a table
  test.each([
    ['whole', {}, { sent: 10, status: 200, isComplete: true }],
    ['a part', { status: '206' }, { sent: 10, status: 206, isComplete: true }],
    ['broken off', { completion: '' }, { sent: 10, status: 200, isComplete: false }],
    ['another answer in its place: nothing of it came', { status: '404' }, { sent: 0, status: 404, isComplete: false }],
    ['a range beyond the end', { status: '416' }, { sent: 0, status: 416, isComplete: false }],
    ['an answer of a peer that was no HTTP', { status: '009' }, { sent: 0, status: 9, isComplete: false }],
  ])('%s', (_what, over, expected) => {
    const { told, write } = site()
    write(lineOf(1, over))
    expect(told.read()).toEqual([{ order: 1, seconds: 0.5, ...expected }])
  })

  test('of a request that was turned away has no order', () => {
    const { orders, write } = site()
    write(lineOf(0, { status: '404' }))
    expect(orders()).toEqual([0])
  })

  test('in any pieces gives the same bodies', () => {
    const random = seededRandom(7)
    const numbers = Array.from({ length: 400 }, (_, index) => index + 1)
    const bytes = Buffer.from(numbers.map(number => lineOf(number)).join(''))
    for (let round = 0; round < 20; round++) {
      const { write, orders } = site()
      const seen: number[] = []
      for (let at = 0; at < bytes.length; ) {
        const end = at + 1 + Math.floor(random() * 3_000)
        write(bytes.subarray(at, end))
        if (random() < 0.7) seen.push(...orders())
        at = end
      }
      expect([...seen, ...orders()]).toEqual(numbers)
    }
  })

  test.each([
    ['none of nginx', 'hello\n'],
    ['empty', '\n'],
    ['JSON of another kind', '[]\n{"order":"1"}\n{"order":-1,"status":"200","sent":1,"seconds":1,"completion":""}\n'],
    ['no UTF-8', Buffer.from([0xff, 0xfe, 10])],
    ['longer than is read at a time', `${'x'.repeat(70_000)}\n`],
    ['just as long as is read at a time', `${'x'.repeat(65_535)}\n`],
  ])('lines that are %s are left out, and no other', (_what, garbage) => {
    const { write, orders } = site()
    write(lineOf(1))
    write(garbage)
    write(lineOf(2))
    expect(orders()).toEqual([1, 2])
    write(lineOf(3))
    expect(orders()).toEqual([3])
  })
})

describe('a file of 4 MiB', () => {
  const filling = 4_194_304 / 1_024

  /** Lines of a KiB each; the numbers that they have. */
  function fill(write: (text: string) => void, from: number): readonly number[] {
    const numbers = Array.from({ length: filling }, (_, index) => from + index)
    write(numbers.map(number => lineOf(number, { padding: 'x'.repeat(1_024) })).join(''))
    return numbers
  }

  test('is given up for a fresh one, and what still comes to it is read', () => {
    const { path, write, orders, reopened } = site()
    const numbers = fill(write, 1)
    const before = openSync(path, 'a')
    expect(orders()).toEqual(numbers)
    expect([reopened, existsSync(path)]).toEqual([['again'], false])
    // nginx has not heard of it yet.
    writeSync(before, lineOf(9_001))
    expect(orders()).toEqual([9_001])
    write(lineOf(9_002))
    writeSync(before, lineOf(9_003))
    closeSync(before)
    expect(orders()).toEqual([9_003, 9_002])
    expect(reopened).toHaveLength(1)
  })

  test('once more', () => {
    const { write, orders, reopened } = site()
    for (const from of [1, 10_001, 20_001]) {
      const numbers = fill(write, from)
      expect(orders()).toEqual(numbers)
    }
    write(lineOf(5))
    expect(orders()).toEqual([5])
    expect(reopened).toHaveLength(3)
  })
})
