// Many nodes: in which order, and where on the map. 5,000 of them are D26 of the specification.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Goal, NodeColumns, NodeRow } from '../../contract.ts'
import { mapLayout, tileAfterKey, tileAt } from './map-layout.ts'
import { nodesOf } from './node-columns.ts'
import { shortfallOf, worstFirst } from './node-order.ts'

function node(name: string, requested: number | null, change: Partial<NodeRow> = {}): NodeRow {
  const cpu = { allocatable: 1000, requested, used: null, usedAt: null }
  return {
    name,
    role: 'worker',
    ready: true,
    readySince: null,
    cordoned: false,
    draining: false,
    cpu,
    memory: cpu,
    pods: { allocatable: 110, count: 1 },
    watts: { now: null, source: null },
    goals: [],
    after: null,
    zone: null,
    taints: [],
    ...change,
  }
}

function goal(nodes: readonly string[], change: Partial<Goal>): Goal {
  const because = { code: 'x', text: '', facts: {}, links: [] }
  const basis = {
    name: 'g',
    resource: 'cpu',
    stat: 'requests',
    now: null,
    after: null,
    met: false,
    shortfallPoints: 0,
    hard: false,
  } as const
  return { ...basis, min: null, max: null, nodes, because, ...change }
}

describe('the worst first', () => {
  test('who misses a goal by most, then who has most requested', () => {
    const nodes = [node('full', 990), node('idle', 50), node('over', 800), node('none', null)]
    const goals = [goal(['over'], { max: 70 }), goal(['idle'], { min: 30 })]
    expect(worstFirst(nodes, goals, 'cpu').map(({ name }) => name)).toEqual(['idle', 'over', 'full', 'none'])
  })

  // biome-ignore format: a table
  test.each([
    ['within',                 goal(['a'], { min: 30, max: 70 }),          500,  0],
    ['over',                   goal(['a'], { max: 70 }),                   800,  10],
    ['short',                  goal(['a'], { min: 30 }),                   100,  20],
    ['unknown',                goal(['a'], { min: 30 }),                   null, 0],
    ['a goal on use',          goal(['a'], { max: 10, stat: 'usage' }),    800,  0],
  ])('%s', (_name, held, requested, points) => expect(shortfallOf(node('a', requested), [held])).toBeCloseTo(points))
})

describe('the map', () => {
  const zones = fc.constantFrom('a', 'b', null)
  const many = fc.array(fc.tuple(zones, fc.nat(2000)), { minLength: 1, maxLength: 300 })

  test('no two tiles lie over one another, and each is found where it lies', () => {
    fc.assert(
      fc.property(many, fc.integer({ min: 300, max: 1400 }), (given, width) => {
        const layout = mapLayout(
          given.map(([zone, requested], index) => node(`n${index}`, requested, { zone })),
          width,
        )
        expect(layout.tiles).toHaveLength(given.length)
        expect(new Set(layout.tiles.map(({ x, y }) => `${x},${y}`)).size).toBe(given.length)
        for (const [index, { x, y }] of layout.tiles.entries()) {
          expect(x + layout.size).toBeLessThanOrEqual(width)
          expect(y + layout.size).toBeLessThanOrEqual(layout.height)
          expect(tileAt(layout, x + 1, y + 1)).toBe(index)
        }
      }),
      { numRuns: 100 },
    )
  })

  test('zones come by name, what has none comes last, each with its count', () => {
    const nodes = [node('1', 0, { zone: 'b' }), node('2', 0), node('3', 0, { zone: 'a' }), node('4', 0, { zone: 'b' })]
    expect(mapLayout(nodes, 400).groups.map(({ title, count }) => `${title} ${count}`)).toEqual(['a 1', 'b 2', 'no zone 1'])
  })

  test('5,000 nodes fit on one screen at 1280', () => {
    const nodes = Array.from({ length: 5000 }, (_, index) => node(`n${index}`, index % 1000))
    expect(mapLayout(nodes, 1250).height).toBeLessThan(700)
  })

  // biome-ignore format: a table
  test.each([
    ['ArrowRight', 0, 1], ['ArrowLeft', 0, 0], ['ArrowDown', 1, 4], ['ArrowUp', 4, 1], ['End', 0, 5], ['Home', 5, 0], ['ArrowDown', 5, 5], ['a', 0, undefined],
  ])('%s from %i leads to %s', (key, from, to) => {
    const tiles = Array.from({ length: 6 }, (_, index) => ({ node: node(`n${index}`, 0), x: 0, y: 0 }))
    expect(tileAfterKey(key, from, { tiles, perRow: 3 })).toBe(to)
  })
})

test('columns are the rows that they were made from, made once', () => {
  const rows = [node('a', 1, { zone: 'z' }), node('b', null)]
  const column = <Field extends keyof NodeRow>(field: Field) => rows.map(row => row[field])
  const columns: NodeColumns = {
    name: column('name'),
    role: column('role'),
    ready: column('ready'),
    readySince: column('readySince'),
    cordoned: column('cordoned'),
    draining: column('draining'),
    cpu: column('cpu'),
    memory: column('memory'),
    pods: column('pods'),
    watts: column('watts'),
    goals: column('goals'),
    after: column('after'),
    zone: column('zone'),
    taints: column('taints'),
  }
  const made = nodesOf({ nodes: [], columns })
  expect(made).toEqual(rows)
  expect(nodesOf({ nodes: [], columns })).toBe(made)
})
