import { expect, test } from 'vitest'
import { VirtualClock } from '../../clock.ts'
import { Turns, type Waiting } from './turns.ts'

function bed(limits = { waiting: 8, underWay: 4 }) {
  const clock = new VirtualClock(0)
  const turns = new Turns(limits, clock)
  const sent: string[] = []
  const refused: string[] = []
  const waitings = new Map<string, Waiting>()
  /** `name` begins with the peer. */
  const push = (name: string, isUrgent = false) => {
    const waiting: Waiting = {
      peer: name.charAt(0),
      isUrgent,
      send: () => sent.push(name),
      giveWay: () => refused.push(name),
    }
    waitings.set(name, waiting)
    if (!turns.push(waiting)) refused.push(name)
  }
  const answer = (name: string) => {
    const waiting = waitings.get(name)
    if (waiting !== undefined) turns.drop(waiting)
  }
  /** The main loop takes what was sent last, and answers it. */
  const take = async (costMs: number) => {
    turns.taken(costMs)
    answer(sent.at(-1) ?? '')
    await clock.advance(costMs * 3)
  }
  return { clock, turns, sent, refused, push, answer, take }
}

test('one at a time; of those that wait the peer that cost least is next', async () => {
  const { sent, push, take } = bed()
  for (const name of ['a1', 'a2', 'a3', 'b1', 'c1']) push(name)
  expect(sent).toEqual(['a1'])
  await take(20)
  await take(1)
  await take(1)
  await take(20)
  expect(sent).toEqual(['a1', 'b1', 'c1', 'a2', 'a3'])
})

test('a probe goes first', async () => {
  const { sent, push, take } = bed()
  for (const name of ['a1', 'b1', 'b2']) push(name)
  push('c1', true)
  await take(1)
  expect(sent).toEqual(['a1', 'c1'])
})

test('a quarter of the main loop is what strangers get', async () => {
  const { clock, turns, sent, push, answer } = bed({ waiting: 1_000, underWay: 1_000 })
  for (let at = 0; at < 500; at++) push(`a${at}`)
  let spentMs = 0
  let seen = 0
  while (clock.elapsed() < 4_000) {
    if (sent.length > seen) {
      seen = sent.length
      answer(sent.at(-1) ?? '')
      spentMs += 10
      await clock.advance(10)
      turns.taken(10)
    } else await clock.advance(1)
  }
  expect(spentMs).toBeGreaterThan(900)
  expect(spentMs).toBeLessThanOrEqual(1_010)
})

test('where all places are taken, the peer with the most gives way, and is told', () => {
  const { refused, push } = bed({ waiting: 3, underWay: 4 })
  // The first is sent at once and waits no more.
  for (const name of ['a0', 'a1', 'a2', 'a3', 'a4', 'b1', 'c1']) push(name)
  expect(refused).toEqual(['a4', 'a1', 'a2'])
})

test('answers that take for ever keep out nobody but whoever asked for them', async () => {
  const { turns, sent, refused, push } = bed({ waiting: 100, underWay: 4 })
  for (let at = 0; at < 10; at++) push(`a${at}`)
  for (let at = 0; at < 6; at++) turns.taken(0)
  expect(sent).toEqual(['a0', 'a1', 'a2', 'a3'])
  push('b1')
  expect(sent.at(-1)).toBe('b1')
  expect(refused).toHaveLength(1)
})
