import { expect, test } from 'vitest'
import { VirtualClock } from '../../clock.ts'
import { BodyBudget } from './body-budget.ts'

function bed(bytes: number) {
  const clock = new VirtualClock(0)
  const budget = new BodyBudget(bytes, clock)
  const broken: string[] = []
  /** `name` begins with the peer. */
  const open = (name: string) => budget.open(name.charAt(0), () => broken.push(name))
  return { clock, budget, broken, open }
}

test('what has been coming for a second gives way, what comes at once does not', async () => {
  const { clock, budget, broken, open } = bed(100)
  expect(open('a1').take(60)).toBe(true)
  await clock.advance(500)
  expect(open('a2').take(40)).toBe(true)
  expect(open('b1').take(30)).toBe(false)
  await clock.advance(500)
  expect(open('b1').take(30)).toBe(true)
  expect([broken, budget.used]).toEqual([['a1'], 70])
})

test('what is much larger gives way at once, so that a flood of big bodies keeps no small one out', () => {
  const { broken, open } = bed(100)
  expect(open('a1').take(100)).toBe(true)
  expect(open('b1').take(20)).toBe(true)
  expect(broken).toEqual(['a1'])
})

test('a peer with the most is refused, and given back is free again', () => {
  const { budget, broken, open } = bed(100)
  const first = open('a1')
  expect(first.take(90)).toBe(true)
  expect(open('a2').take(20)).toBe(false)
  first[Symbol.dispose]()
  expect(open('a2').take(20)).toBe(true)
  expect([broken, budget.used]).toEqual([[], 20])
})
