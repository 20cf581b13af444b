import { expect, test } from 'vitest'
import { pointsCheck } from './part.ts'

const resolutionMs = 15_000

// biome-ignore format: a table
test.each([
  ['a process that has just begun keeps callers away',       { nodes: 0, containers: 0 },  0,      { ok: false }],
  ['until a node has a rate',                                { nodes: 1, containers: 0 },  15_100, { ok: true, isGating: false }],
  ['or until three scrapes brought none: others may go on',  { nodes: 0, containers: 0 },  45_000, { ok: true, isGating: false }],
  ['the last moment before that',                            { nodes: 0, containers: 9 },  44_999, { ok: false }],
])('%s', (_name, servable, sinceMs, expected) => {
  const check = pointsCheck(servable, { sinceMs, resolutionMs })
  expect(check).toMatchObject({ name: 'points', state: `${servable.nodes} nodes and ${servable.containers} containers have rates`, ...expected })
  // What is not said gates.
  expect(check.isGating ?? true).toBe(!check.ok)
})
