import { describe, expect, test } from 'vitest'
import { Ring, type RingEvent } from './ring.ts'

const event = (size = 10): RingEvent => ({ name: 'delta', bytes: new Uint8Array(size), data: new Uint8Array(0) })
const limits = { events: 500, bytes: 1_000_000, ageMs: 300_000 }

/** Numbers of all that comes after `sequence`. */
function following(ring: Ring, channel: string, sequence: number): readonly number[] {
  const found: number[] = []
  for (let entry = ring.after(channel, sequence); entry !== undefined; entry = ring.after(channel, entry.sequence))
    found.push(entry.sequence)
  return found
}

describe('ring', () => {
  // D23: it holds 401 to 900.
  test('goes on after 500 and not after 300', () => {
    const ring = new Ring(limits)
    for (let count = 0; count < 899; count++) ring.append('a', 'overview', 0, () => event())
    expect(ring.headOf('a')).toBe(900)
    expect(ring.holds('a', 500)).toBe(true)
    expect(following(ring, 'a', 500)).toEqual(Array.from({ length: 400 }, (_, at) => 501 + at))
    expect(ring.holds('a', 400)).toBe(true)
    expect(following(ring, 'a', 400)[0]).toBe(401)
    for (const lost of [300, 399, 0, 901, 5_000]) expect(ring.holds('a', lost)).toBe(false)
  })

  test('takes no number of one channel for one of another', () => {
    const ring = new Ring(limits)
    const of = (channel: string) => ring.append(channel, 'overview', 0, () => event()).sequence
    const [first, other, second] = [of('a'), of('b'), of('a')]
    expect(ring.holds('b', first)).toBe(false)
    expect(ring.holds('a', other)).toBe(false)
    expect(following(ring, 'a', first)).toEqual([second])
    expect(following(ring, 'b', other)).toEqual([])
  })

  test.each([
    ['events', { ...limits, events: 3 }, 10, 0],
    ['bytes', { ...limits, bytes: 300 }, 100, 0],
    ['age', { ...limits, ageMs: 250 }, 10, 100],
  ] as const)('keeps no more than its limit of %s', (_, own, size, stepMs) => {
    const ring = new Ring(own)
    const numbers = Array.from({ length: 6 }, (_, at) => ring.append('a', 'overview', at * stepMs, () => event(size)).sequence)
    expect(following(ring, 'a', 0)).toEqual(numbers.slice(3))
    expect(ring.size).toBe(3)
    expect(ring.bytes).toBe(3 * size)
    expect(numbers.map(number => ring.holds('a', number))).toEqual([false, false, true, true, true, true])
  })

  test('begins a channel of the same name anew', () => {
    const ring = new Ring(limits)
    const { sequence } = ring.append('a', 'overview', 0, () => event())
    ring.close('a')
    expect(ring.holds('a', sequence)).toBe(false)
    const next = ring.append('a', 'overview', 0, () => event())
    expect(ring.holds('a', sequence)).toBe(false)
    expect(ring.holds('a', next.sequence)).toBe(true)
  })
})
