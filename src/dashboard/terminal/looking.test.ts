// Looking into nodes on a terminal: by keys from the nodes to the pods of one and to why one stays; the latest decision; several clusters.
import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { readingOnly } from '../views/viewing.ts'
import { insideOf } from './inside.ts'
import { LiveView } from './live-view.ts'
import { type Looking, listOf, lookedInto, lookingLines } from './looking.ts'
import { fixedOverview, permitted } from './looking-for-tests.ts'
import { wholeScreen } from './screen.ts'
import { terminalModel } from './screen-for-tests.ts'

const { picture, overview } = fixedOverview(permitted)
const inside = insideOf(() => picture, readingOnly, 'UTC')
const facts = { overview, inside, width: 120, order: undefined, filter: '', labelsOf: undefined }

function viewOn(columns: number, rows: number, clusters?: { readonly count: number; readonly next: () => void }) {
  const terminal = terminalModel(columns, rows)
  const clock = new VirtualClock(0)
  const view = new LiveView({
    ...{ tty: terminal.tty, screen: wholeScreen(terminal.tty), clock, hasColours: false, inside, clusters },
    ...{ source: { current: () => picture, onChange: () => () => undefined }, overview: () => overview },
    ...{ onEnd: () => undefined, onInterrupt: () => undefined, onSuspend: () => undefined },
  })
  const type = async (text: string) => {
    terminal.type(text)
    await clock.advance(250)
  }
  return { terminal, view, type, shown: () => terminal.lines().join('\n') }
}

test('from the nodes to a pod and why it stays, and back, by keys alone', async () => {
  const { view, type, shown } = viewOn(120, 24)
  expect(shown()).toContain('Enter look in')
  await type('\r')
  expect(shown()).toMatch(/4 nodes: Enter looks into one\n\n> talos00 .*93%.*82%.*59/)
  await type('\x1b[B\r')
  expect(shown()).toMatch(/^talos01: 45 pods, the largest first {2}1 to \d+ of 45, PgDn for more\n/)
  await type('\x1b[F')
  expect(shown()).toMatch(/to 45 of 45\n/)
  expect(shown()).toMatch(/^> /m)
  await type('\x1b[H')
  const nexus = inside.podsOn('talos01').findIndex(({ key }) => key.startsWith('registry/nexus'))
  await type(`${'\x1b[B'.repeat(nexus)}\r`)
  expect(shown()).toContain('registry/nexus-0 on talos01')
  expect(shown()).toMatch(/It stays: .*cannot leave talos01/s)
  expect(shown()).toContain('If asked now, deschedule: refused')
  await type('\x1b')
  expect(shown()).toMatch(/^talos01: 45 pods/)
  expect(shown()).toMatch(/^> .*registry\/nexus-0/m)
  await type('\x1b\x1b')
  expect(shown()).toContain('NODE')
  view[Symbol.dispose]()
})

test('the last decision stands below the table, and below each list', async () => {
  const { view, type, shown } = viewOn(160, 24)
  const told = /\d\d:\d\d:\d\d ● granted: deschedule evict monitoring\/\S+ {2}\S+/
  expect(shown()).toMatch(told)
  await type('\r')
  expect(shown()).toMatch(told)
  view[Symbol.dispose]()
})

test('Tab shows the next of several clusters, and nothing where there is one', async () => {
  let times = 0
  const { view, type, shown } = viewOn(120, 24, { count: 2, next: () => times++ })
  expect(shown()).toContain('Tab next of 2')
  await type('\t')
  view[Symbol.dispose]()
  const alone = viewOn(120, 24)
  await alone.type('\t')
  expect([times, alone.shown().includes('Tab next')]).toEqual([1, false])
  alone.view[Symbol.dispose]()
})

// biome-ignore format: a table
test.each<[string, Looking, string, Looking | undefined]>([
  ['the first stays first',        { cursor: 0, above: [] },                     'Up',    { cursor: 0, above: [] }],
  ['the last stays last',          { cursor: 3, above: [] },                     'Down',  { cursor: 3, above: [] }],
  ['a page beyond the end',        { cursor: 1, above: [] },                     'PgDn',  { cursor: 3, above: [] }],
  ['a cursor that is gone',        { cursor: 90, above: [] },                    'Up',    { cursor: 2, above: [] }],
  ['into a node',                  { cursor: 2, above: [] },                     'Enter', { node: 'talos02-gpu', cursor: 0, above: [2] }],
  ['out of a node',                { node: 'talos01', cursor: 9, above: [1] },   'Esc',   { cursor: 1, above: [] }],
  ['out of the nodes',             { cursor: 1, above: [] },                     'Esc',   undefined],
  ['a node that is gone is empty', { node: 'gone', cursor: 0, above: [1] },      'Enter', { node: 'gone', cursor: 0, above: [1] }],
  ['a key of no meaning',          { cursor: 1, above: [] },                     'x',     { cursor: 1, above: [] }],
])('%s', (_, looking, key, wanted) => expect(lookedInto(looking, key, listOf(looking, facts), 10)).toEqual(wanted))

// biome-ignore format: a table
test.each([[20, 4], [40, 8], [80, 24], [200, 60]])('every list fits a screen of %i by %i', (width, height) => {
  for (const looking of [{ cursor: 3, above: [] }, { node: 'talos00', cursor: 40, above: [0] }, { node: 'talos01', pod: 'registry/nexus-0', cursor: 0, above: [1, 2] }]) {
    const lines = lookingLines(looking, listOf(looking, { ...facts, width }), { width, height, footer: [[{ text: 'q quit' }]] })
    expect(lines.length).toBeLessThanOrEqual(height)
    for (const line of lines) expect([...line.map(({ text }) => text).join('')].length).toBeLessThanOrEqual(width)
  }
})
