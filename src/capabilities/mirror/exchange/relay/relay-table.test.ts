// Who fetches: what the one that keeps the table answers, by rows and by many nodes that ask, die and come back in any order.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseDigest } from '../../reference.ts'
import { barredMs, keptMs, mostMembers, mostOfOne, mostSeats, mostStrikes, mostStruck, SeatTable } from './relay-table.ts'
import type { FollowFault } from './relay-words.ts'

const digestAt = (index: number) => {
  const digest = parseDigest(`sha256:${index.toString(16).padStart(64, '0')}`)
  if (digest === undefined) throw new Error('no digest')
  return digest
}
const digest = digestAt(0)
const progressMs = 1_000
const table = () => new SeatTable({ progressMs })

/** Asks in order, each 1 ms later: `a`; `b!gone` says that whom b was told to follow is gone; `+500` lets time pass. */
function play(words: string): string {
  const seats = table()
  const follows = new Map<string, string>()
  const said: string[] = []
  let nowMs = 0
  for (const word of words.split(' ')) {
    nowMs += word.startsWith('+') ? Number(word) : 1
    if (word.startsWith('+')) continue
    const [asker = '', why] = word.split('!')
    const followed = follows.get(asker) ?? ''
    const isWhy = why === 'gone' || why === 'slow' || why === 'full'
    const answer = seats.ask(digest, asker, nowMs, isWhy ? { peer: followed, why } : undefined)
    if (answer.kind === 'follow') follows.set(asker, answer.peer)
    said.push(answer.kind === 'follow' ? answer.peer : answer.kind)
  }
  return said.join(' ')
}

describe('the one that keeps the table', () => {
  test.each([
    ['lets the first one fetch', 'a', 'lead'],
    ['sends two to each, those near to the one that fetches first', 'a b c d e f g h', 'lead a a b c b c d'],
    ['says the same to one that asks again', 'a b a b', 'lead a lead a'],
    ['lets the next one fetch when that one is gone', 'a b c b!gone c!gone', 'lead a a lead b'],
    ['does not believe that one is gone of whom it was not told', 'a b c b!gone', 'lead a a lead'],
    ['lets another fetch when nothing came in all the time', 'a b c +1000 c!slow b!slow', 'lead a a lead c'],
    ['leaves one more time to somebody that was told only just now', 'a b b!slow', 'lead a a'],
    ['sends one elsewhere when somebody in between is slow', 'a b c d d!slow', 'lead a a b c'],
    ['sends one elsewhere when all places are taken', 'a b c d d!full', 'lead a a b c'],
    ['sends it to the one that fetches where nobody else is there', 'a b b!full', 'lead a a'],
    ['lets one that came back follow', 'a b b!gone a', 'lead a lead b'],
    ['forgets what nobody asks about', `a b +${keptMs} b c`, 'lead a lead b'],
  ])('%s', (_name, words, said) => expect(play(words)).toBe(said))

  test('tells one no more that it is to fetch that never brought a byte', () => {
    const seats = table()
    let nowMs = 0
    for (let index = 1; index <= mostStrikes; index++) {
      expect(seats.ask(digestAt(index), 'liar', nowMs)).toEqual({ kind: 'lead' })
      expect(seats.ask(digestAt(index), 'b', nowMs)).toEqual({ kind: 'follow', peer: 'liar' })
      nowMs += progressMs
      expect(seats.ask(digestAt(index), 'b', nowMs, { peer: 'liar', why: 'slow' })).toEqual({ kind: 'lead' })
    }
    expect(seats.ask(digestAt(100), 'liar', nowMs)).toEqual({ kind: 'nothing' })
    expect(seats.ask(digestAt(100), 'liar', nowMs + barredMs)).toEqual({ kind: 'lead' })
  })

  test('of one that asks about everything only so much is kept, and others are answered', () => {
    const seats = table()
    const answers = Array.from({ length: 10 * mostOfOne }, (_, index) => seats.ask(digestAt(index + 1), 'greedy', index).kind)
    expect(answers.filter(kind => kind === 'lead')).toHaveLength(mostOfOne)
    expect(seats.size).toEqual({ digests: mostOfOne, members: mostOfOne, struck: 0 })
    expect(seats.ask(digest, 'b', 10_000)).toEqual({ kind: 'lead' })
  })

  test('of many that ask about everything no more is kept than there is room for', () => {
    const seats = table()
    for (let asker = 0; asker < 60; asker++)
      for (let index = 0; index < mostOfOne; index++) seats.ask(digestAt(1 + index + asker * 7), `p${asker}`, asker)
    expect(seats.size.members).toBeLessThanOrEqual(mostSeats)
    for (let asker = 0; asker < 2 * mostMembers; asker++) seats.ask(digest, `q${asker}`, 100)
    expect(seats.ask(digest, 'late', 100)).toEqual({ kind: 'follow', peer: `q${mostMembers - 1}` })
    expect(seats.size.members).toBeLessThanOrEqual(mostSeats)
    for (let liar = 0; liar < 2 * mostStruck; liar++) {
      seats.ask(digestAt(1e6 + liar), `l${liar}`, 200)
      seats.ask(digestAt(1e6 + liar), 'b', 200)
      seats.ask(digestAt(1e6 + liar), 'b', 200 + progressMs, { peer: `l${liar}`, why: 'slow' })
    }
    expect(seats.size.struck).toBeLessThanOrEqual(mostStruck)
  })
})

const faults: readonly (FollowFault | undefined)[] = [undefined, undefined, 'gone', 'slow', 'full']
const steps = fc.array(
  fc.record({
    asker: fc.integer({ min: 0, max: 11 }),
    digest: fc.integer({ min: 0, max: 2 }),
    fault: fc.constantFrom(...faults),
    /** Whom it accuses where not the one it was told. */
    liesOf: fc.option(fc.integer({ min: 0, max: 11 }), { freq: 5 }),
    laterMs: fc.constantFrom(0, 1, 300, 1_000, keptMs),
    restarts: fc.boolean(),
  }),
  { maxLength: 120 },
)

describe('whoever asks, dies, lies or restarts, in whatever order', () => {
  test('at most one is to fetch a digest, nobody is sent to himself or round in a circle, and all is bounded', () => {
    fc.assert(
      fc.property(steps, all => {
        const seats = table()
        const told = new Map<string, string>()
        let nowMs = 0
        for (const { asker, digest: index, fault, liesOf, laterMs, restarts } of all) {
          nowMs += laterMs
          const [name, of] = [`p${asker}`, digestAt(index)]
          if (laterMs >= keptMs) told.clear()
          // One that was restarted has forgotten whom it followed.
          const peer = liesOf === null ? (restarts ? undefined : told.get(`${name} ${of}`)) : `p${liesOf}`
          const failed = fault === undefined || peer === undefined ? undefined : { peer, why: fault }
          const answer = seats.ask(of, name, nowMs, failed)
          if (answer.kind === 'nothing') {
            told.delete(`${name} ${of}`)
            continue
          }
          if (answer.kind === 'lead') {
            expect(seats.leader(of)).toBe(name)
            told.delete(`${name} ${of}`)
          } else {
            expect(answer.peer).not.toBe(name)
            expect(seats.leader(of)).toBeDefined()
            told.set(`${name} ${of}`, answer.peer)
          }
          const way = new Set<string>()
          for (let at: string | undefined = name; at !== undefined; at = told.get(`${at} ${of}`)) {
            expect(way.has(at)).toBe(false)
            way.add(at)
          }
          expect(seats.size.members).toBeLessThanOrEqual(3 * 12)
        }
      }),
      { numRuns: 300 },
    )
  })
})
