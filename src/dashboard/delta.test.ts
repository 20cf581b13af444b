import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type TopicKind, topicColumns, topicKinds, topicTables } from './contract-names.ts'
import { applied, differenceOf } from './delta.ts'

/** Few names, some of them those that every object has. */
const names = fc.constantFrom('a', 'b', 'c', 'd', '__proto__', 'constructor', '1')
const leaf = fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.constant(null))
const field = fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }), fc.record({ x: leaf, y: leaf }))

function rows(key: string) {
  return fc.array(
    fc.record({ key: names, one: field, two: leaf }).map(({ key: name, ...rest }) => ({ ...rest, [key]: name })),
    { maxLength: 6 },
  )
}

function columns(key: string) {
  return fc
    .uniqueArray(names, { maxLength: 6 })
    .chain(list =>
      fc.record({ [key]: fc.constant(list), one: fc.array(field, { minLength: list.length, maxLength: list.length }) }),
    )
}

function topicValue(kind: TopicKind) {
  const tables = Object.entries(topicTables[kind]).map(([name, key]) => [name, rows(key)])
  const inColumns = Object.entries(topicColumns[kind]).map(([name, key]) => [name, fc.option(columns(key))])
  return fc.record({ revision: fc.string(), other: field, ...Object.fromEntries([...tables, ...inColumns]) })
}

const pairs = fc.constantFrom(...topicKinds).chain(kind => fc.tuple(fc.constant(kind), topicValue(kind), topicValue(kind)))
const viaWire = <T>(value: T): T => JSON.parse(JSON.stringify(value))

test('a difference that went over the wire leads from one value to the other', () => {
  fc.assert(
    fc.property(pairs, ([kind, before, after]) => {
      const difference = differenceOf(kind, viaWire(before), viaWire(after))
      const end = difference === undefined ? viaWire(before) : applied(kind, viaWire(before), viaWire(difference))
      expect(end).toEqual(viaWire(after))
    }),
    { numRuns: 1_000 },
  )
})

test('equal values differ in nothing', () => {
  fc.assert(
    fc.property(pairs, ([kind, value]) => {
      expect(differenceOf(kind, value, viaWire(value))).toBeUndefined()
    }),
  )
})

const node = (name: string, cpu = 1) => ({ name, cpu: { requested: cpu, used: null }, taints: [] })
const big = Array.from({ length: 300 }, (_, at) => node(`n${at}`))
const columnsOf = (list: readonly ReturnType<typeof node>[]) => ({
  name: list.map(({ name }) => name),
  cpu: list.map(({ cpu }) => cpu),
  taints: list.map(({ taints }) => taints),
})

describe('only what changed is sent', () => {
  test('a row of a table', () => {
    const before = { nodes: [node('a'), node('b')], speed: 1 }
    const after = { nodes: [node('a'), node('b', 2)], speed: 1 }
    expect(differenceOf('overview', before, after)).toEqual({
      set: {},
      upsert: { nodes: { b: node('b', 2) } },
      remove: {},
      order: {},
    })
  })

  test('a row that went and one that came, without the order', () => {
    const before = { nodes: [node('a'), node('b')] }
    const after = { nodes: [node('b'), node('c')] }
    expect(differenceOf('overview', before, after)).toEqual({
      set: {},
      upsert: { nodes: { c: node('c') } },
      remove: { nodes: ['a'] },
      order: {},
    })
  })

  test('the order where rows change places', () => {
    const difference = differenceOf('overview', { nodes: [node('a'), node('b')] }, { nodes: [node('b'), node('a')] })
    expect(difference).toEqual({ set: {}, upsert: {}, remove: {}, order: { nodes: ['b', 'a'] } })
  })

  test('of columns the rows that changed', () => {
    const after = big.with(17, node('n17', 9))
    const before = { columns: columnsOf(big), nodes: [] }
    const difference = differenceOf('overview', before, { columns: columnsOf(after), nodes: [] })
    expect(difference).toEqual({ set: {}, upsert: { columns: { n17: node('n17', 9) } }, remove: {}, order: {} })
    if (difference !== undefined)
      expect(applied('overview', before, difference)).toEqual({ columns: columnsOf(after), nodes: [] })
  })

  test('two rows of one name are sent as they stand', () => {
    const twice = {
      goals: [
        { name: 'g', now: 1 },
        { name: 'g', now: 2 },
      ],
    }
    expect(differenceOf('overview', { goals: [] }, twice)).toEqual({
      set: { goals: twice.goals },
      upsert: {},
      remove: {},
      order: {},
    })
  })
})

test('what is not there is ignored, and the first value stays as it was', () => {
  const before = Object.freeze({ nodes: Object.freeze([node('a')]) })
  const after = applied('overview', before, {
    set: { later: 1 },
    upsert: { unheard: { a: {} } },
    remove: { nodes: ['a', 'x'] },
    order: {},
  })
  expect(after).toEqual({ nodes: [], later: 1 })
  expect(before.nodes).toHaveLength(1)
})
