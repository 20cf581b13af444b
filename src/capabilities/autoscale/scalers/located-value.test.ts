import { describe, expect, test } from 'vitest'
import { jsonPath } from './json-path.ts'
import { locatedValue, type ValueFormat } from './located-value.ts'

const people = {
  name: { first: 'Tom', last: 'Anderson' },
  'fav.movie': 'Deer Hunter',
  children: ['Sara', 'Alex', 'Jack'],
  friends: [
    { first: 'Dale', last: 'Murphy', age: 44, nets: ['ig', 'fb', 'tw'] },
    { first: 'Roger', last: 'Craig', age: 68, nets: ['fb', 'tw'] },
    { first: 'Jane', last: 'Murphy', age: 47, nets: ['ig', 'tw'] },
  ],
}

describe("paths as gjson's documentation has them", () => {
  test.each<[string, unknown]>([
    ['name.last', 'Anderson'],
    ['children.#', 3],
    ['children.1', 'Alex'],
    ['children.9', undefined],
    ['child*.2', 'Jack'],
    ['c?ildren.0', 'Sara'],
    ['fav\\.movie', 'Deer Hunter'],
    ['friends.#.first', ['Dale', 'Roger', 'Jane']],
    ['friends.1.last', 'Craig'],
    ['friends.#(last=="Murphy").first', 'Dale'],
    ['friends.#(last=="Murphy")#.first', ['Dale', 'Jane']],
    ['friends.#(last=="Murphy")#|#', 2],
    ['friends.#(age>45)#.last', ['Craig', 'Murphy']],
    ['friends.#(first%"D*").last', 'Murphy'],
    ['friends.#(first!%"D*").last', 'Craig'],
    ['friends.#(nets.#(=="fb"))#.first', ['Dale', 'Roger']],
    ['children.#(!="Sara")', 'Alex'],
    ['friends.#.nets.#', [3, 2, 2]],
    ['children|@reverse|0', 'Jack'],
    ['children.@reverse.0', 'Jack'],
    ['name.constructor', undefined],
    ['nothing.at.all', undefined],
  ])('%s', (path, expected) => {
    expect(jsonPath(path)(people)).toEqual(expected)
  })

  test.each(['a.#(b', '@pretty', 'a*b*c*d', 'a.#x', 'a.#(b==~true)', 'a.#(b.#(c.#(d.#(e.#(f.#(g.#(h.#(i.#(j==1)))))))))'])(
    '%s is refused',
    path => {
      expect(() => jsonPath(path)).toThrow()
    },
  )
})

const text = [
  '# TYPE queue gauge',
  'queue_other 3',
  'queue{name="mail",of="a\\"b}"} 4.5 1700000000',
  'queue{name="video"} 1e3',
  'backend_queue_size 0',
  'broken{name="x} 4',
  'never NaN',
].join('\r\n')

describe('values in answers', () => {
  test.each<[ValueFormat, string, string, number]>([
    ['json', 'a', '{"a":2.5}', 2.5],
    ['json', 'a', '{"a":"500m"}', 0.5],
    ['json', 'components.0.tasks', '{"components":[{"id":"82","tasks":"1Ki"}]}', 1024],
    ['yaml', 'components.0.tasks', 'components:\n- id: 82\n  tasks: 23\n', 23],
    ['yaml', 'foo', 'foo: "300m"', 0.3],
    ['yaml', 'foo.bar', 'foo: 5', 5],
    ['xml', 'root.jobs.waiting', '<?xml version="1.0"?><root><jobs><waiting>12</waiting></jobs></root>', 12],
    ['xml', 'root.job.1.count', '<root><job><count>1</count></job><job><count>2k</count></job></root>', 2000],
    ['xml', 'root.-count', '<root count="8"/>', 8],
    ['prometheus', 'backend_queue_size', text, 0],
    ['prometheus', 'queue', text, 4.5],
    ['prometheus', 'queue{name="video"}', text, 1000],
    ['prometheus', 'queue{name="mail", of="a\\"b}"}', text, 4.5],
    ['prometheus', 'queue{name!="mail"}', text, 1000],
    ['prometheus', 'queue{name=~"vid.*"}', text, 1000],
    ['prometheus', 'queue_other', text, 3],
  ])('%s %s', async (format, location, body, expected) => {
    expect(await locatedValue(body, location, format)).toBe(expected)
  })

  test.each<[ValueFormat, string, string, RegExp]>([
    ['json', 'a', '{"a":true}', /got a boolean/],
    ['json', 'a', '{"a":null}', /got null/],
    ['json', 'a', '{"b":1}', /got nothing/],
    ['json', 'a', '{"a":"many"}', /not parseable/],
    ['json', 'a.#.b', '{"a":[{"b":1}]}', /got a list/],
    ['json', 'a', 'NaN', /no JSON/],
    ['yaml', 'a.b', 'a: {c: 1}', /key 'b' not found/],
    ['yaml', 'a', 'a: [1]', /does not lead to a value/],
    ['yaml', 'a', 'a: [', /no YAML/],
    [
      'yaml',
      'a',
      `x: &x [1,1,1,1,1,1,1,1,1,1]\n${Array.from(
        { length: 9 },
        (_n, i) =>
          `x${i}: &x${i} [${Array(10)
            .fill(i === 0 ? '*x' : `*x${i - 1}`)
            .join(',')}]`,
      ).join('\n')}\na: *x8`,
      /no YAML|does not lead/,
    ],
    ['yaml', 'a', `a: 1 #${'x'.repeat(1024 * 1024)}`, /larger than/],
    ['xml', 'a.b', '<a><b>1</a>', /no XML/],
    ['xml', 'a', '<!DOCTYPE a [<!ENTITY b "9">]><a>&b;</a>', /not parseable|no XML/],
    ['prometheus', 'nothing', text, /metric 'nothing' not found/],
    ['prometheus', 'queue{name="no"}', text, /value queue\{name="no"\} not found/],
    ['prometheus', 'never', text, /a text of 3 characters, not a number/],
    ['prometheus', 'broken', text, /no line of Prometheus/],
    ['prometheus', 'queue{name=~"("}', text, /expression/],
    ['prometheus', '1x', text, /expected a metric/],
  ])('%s %s of what has no number there', async (format, location, body, message) => {
    await expect(locatedValue(body, location, format)).rejects.toThrow(message)
  })
})
