import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventStreamReader, type ServerEvent } from './event-stream.ts'

function eventsOf(...pieces: readonly string[]): ServerEvent[] {
  const events: ServerEvent[] = []
  const reader = new EventStreamReader(event => events.push(event))
  for (const piece of pieces) reader.read(piece)
  return events
}

// biome-ignore format: a table
test.each<[string, string, ServerEvent[]]>([
  ['an event',                        'id: e1.5\nevent: tick\ndata: {}\n\n',      [{ name: 'tick', data: '{}', id: 'e1.5' }]],
  ['an event without a name',         'data: a\n\n',                              [{ name: 'message', data: 'a', id: '' }]],
  ['data of several lines',           'data: a\ndata: b\n\n',                     [{ name: 'message', data: 'a\nb', id: '' }]],
  ['lines ended as Windows does',     'data: a\r\n\r\ndata: b\r\n\r\n',           [{ name: 'message', data: 'a', id: '' }, { name: 'message', data: 'b', id: '' }]],
  ['an id that holds on',             'id: 1\ndata: a\n\ndata: b\n\n',            [{ name: 'message', data: 'a', id: '1' }, { name: 'message', data: 'b', id: '1' }]],
  ['a comment and an unknown field',  ': hi\nretry: 1000\nfoo: 1\ndata:a\n\n',    [{ name: 'message', data: 'a', id: '' }]],
  ['a name without data is nothing',  'event: tick\n\ndata: a\n\n',               [{ name: 'message', data: 'a', id: '' }]],
  ['an event that does not end',      'data: a\n',                                []],
])('%s', (_name, text, events) => expect(eventsOf(text)).toEqual(events))

test('where the text is cut into pieces changes nothing', () => {
  const line = fc.constantFrom('data: a', 'data: {"b":1}', 'event: tick', 'id: e1.7', ': hello', 'retry: 5', '', '')
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 30 }),
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.array(fc.nat()),
      (lines, end, cuts) => {
        const text = `${lines.join(end)}${end}:${end}`
        const places = [0, ...cuts.map(cut => cut % (text.length + 1)).sort((a, b) => a - b), text.length]
        const pieces = places.slice(1).map((place, index) => text.slice(places[index], place))
        expect(eventsOf(...pieces)).toEqual(eventsOf(text))
      },
    ),
  )
})
