import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { decidePins, judgePin, type PinOutcome, pinAt, pinText, readPin, type SeenKey } from './pin-rules.ts'

const keyFor = (word: string) => createHash('sha256').update(word).digest('base64url')
const [one, other] = [keyFor('one'), keyFor('other')]
const uid = '5f0c4e0e-94a5-4f6e-8d8a-0123456789ab'
const node = { name: 'n1', uid }

// biome-ignore format: a table
test.each<[string, string | undefined, string]>([
  ['its own',              pinText({ key: one, uid }),                 'pinned'],
  ['its own, by hand',     `  ${pinText({ key: one, uid })}\n`,        'pinned'],
  ['nothing',              undefined,                                  'unpinned'],
  ['another key',          pinText({ key: other, uid }),               'changed'],
  ['another Node object',  pinText({ key: one, uid: 'x' }),            'renewed'],
  ['both others',          pinText({ key: other, uid: 'x' }),          'renewed'],
  ['an empty text',        '',                                         'rubbish'],
  ['a key without a node', `sha256:${one}`,                            'rubbish'],
  ['a key that is short',  `sha256:${one.slice(1)} ${uid}`,            'rubbish'],
  ['another hash',         `sha512:${one} ${uid}`,                     'rubbish'],
  ['two pins',             `${pinText({ key: one, uid })} ${uid}`,     'rubbish'],
  ['a certificate',        '-----BEGIN CERTIFICATE-----',              'rubbish'],
])('what is kept is %s', (_, text, verdict) => expect(judgePin(text, node, one)).toBe(verdict))

test('what is written is read', () => expect(readPin(pinText({ key: one, uid }))).toEqual({ key: one, uid }))

describe('what is to be written', () => {
  const none = new Map<string, string>()
  const decide = (
    before: Readonly<Record<string, string>>,
    seen: readonly SeenKey[],
    live: ReadonlyMap<string, string> = none,
    gone: readonly string[] = [],
  ) => decidePins(before, seen, live, new Set(gone))
  const mine = pinText({ key: one, uid })
  const theirs = pinText({ key: other, uid })
  const old = pinText({ key: other, uid: 'old' })

  // biome-ignore format: a table
  test.each<[string, Readonly<Record<string, string>>, ReadonlyMap<string, string>, PinOutcome, Readonly<Record<string, string>>]>([
    ['a node that was never seen',              {},                      none,                         'pinned',     { n1: mine }],
    ['what another replica just wrote',         { n1: mine },            none,                         'pinned',     { n1: mine }],
    ['what another replica just saw otherwise', { n1: theirs },          none,                         'changed',    { n1: theirs }],
    ['rubbish',                                 { n1: '???' },           none,                         'rubbish',    { n1: '???' }],
    ['rubbish of another node',                 { n2: '???' },           none,                         'pinned',     { n2: '???', n1: mine }],
    ['a node that was made anew',               { n1: old },             new Map([['n1', uid]]),       'pinned',     { n1: mine }],
    ['one that is another by now',              { n1: old },             new Map([['n1', 'newest']]),  'other-node', { n1: old }],
    ['one that is gone by now',                 { n1: old },             none,                         'other-node', { n1: old }],
  ])('%s', (_, before, live, outcome, pins) => {
    const decided = decide(before, [{ node, key: one }], live)
    expect(decided).toEqual({ outcomes: [outcome], pins, isChanged: JSON.stringify(before) !== JSON.stringify(pins) })
  })

  test('of two keys of one node in one round the first is pinned', () => {
    expect(
      decide({}, [
        { node, key: one },
        { node, key: other },
      ]),
    ).toMatchObject({ outcomes: ['pinned', 'changed'], pins: { n1: mine } })
  })

  test('a node without an identity is not pinned', () => {
    expect(decide({}, [{ node: { name: 'n1', uid: '' }, key: one }])).toMatchObject({
      outcomes: ['other-node'],
      isChanged: false,
    })
  })

  test('a node may be called as what every object has', () => {
    const called = { name: 'constructor', uid }
    expect(pinAt({}, 'constructor')).toBeUndefined()
    expect(decide({}, [{ node: called, key: one }])).toEqual({
      outcomes: ['pinned'],
      pins: { constructor: mine },
      isChanged: true,
    })
  })

  test('who is gone is forgotten', () => {
    expect(decide({ n1: mine, n2: mine }, [], none, ['n2'])).toEqual({ outcomes: [], pins: { n1: mine }, isChanged: true })
  })

  test('5,000 nodes fit with names of 63 letters; what does not fit is refused, and nothing is lost', () => {
    const seen = Array.from({ length: 8_000 }, (_, at): SeenKey => ({ node: { name: `${at}`.padStart(63, 'n'), uid }, key: one }))
    const all = decide({}, seen)
    expect(all.outcomes.slice(0, 5_000).every(outcome => outcome === 'pinned')).toBe(true)
    expect(Object.entries(all.pins).reduce((sum, [name, text]) => sum + name.length + text.length, 0)).toBeLessThan(1024 * 1024)
    const pinned = Object.keys(all.pins).length
    expect(all.outcomes.filter(outcome => outcome === 'full')).toHaveLength(8_000 - pinned)
    expect(decide(all.pins, [{ node: { name: 'n'.repeat(253), uid }, key: one }]).outcomes).toEqual(['full'])
    expect(decide(all.pins, seen.slice(0, 10)).outcomes).toEqual(Array(10).fill('pinned'))
  })
})
