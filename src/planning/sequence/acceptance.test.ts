// Which nodes a move accepts, and how that is told.
import { expect, test } from 'vitest'
import { acceptableText, acceptance, namedNodes } from './acceptance.ts'

const plan = { closedNodes: ['hot-1', 'hot-2', 'full-1'] }
const named = { from: 'hot-1', acceptable: ['cool-1', 'cool-2'] }

test.each([
  ['names its nodes', named, { 'cool-1': true, 'cool-2': true, 'cool-3': false, 'hot-1': false }],
  ['closes two', { ...named, closed: 2 }, { 'cool-1': true, 'cool-3': true, 'hot-1': false, 'hot-2': false, 'full-1': true }],
  ['goes to a closed one', { from: 'hot-1', acceptable: ['hot-2'], closed: 3 }, { 'hot-2': true, 'full-1': false }],
  ['leaves a node that is not closed', { from: 'cool-9', acceptable: ['cool-1'], closed: 0 }, { 'cool-9': false, 'hot-1': true }],
])('a move that %s', (_what, move, expected) => {
  const accepts = acceptance(plan, move)
  expect(Object.fromEntries(Object.keys(expected).map(node => [node, accepts(node)]))).toEqual(expected)
})

test.each([
  [named, 'cool-1, cool-2'],
  [{ ...named, closed: 3 }, 'any node but hot-1, hot-2, full-1'],
  [{ from: 'cool-9', acceptable: ['hot-1'], closed: 2 }, 'any node but cool-9, hot-2'],
])('told: %j', (move, text) => expect(acceptableText(plan, move)).toBe(text))

test.each([
  [3, 'n1, n2, n3'],
  [8, 'n1, n2, n3, n4, n5, n6, n7, n8'],
  [10, 'n1, n2, n3, n4, n5, n6, n7, n8 and 2 more'],
])('%i names are told as %j', (count, told) => {
  expect(namedNodes(Array.from({ length: count }, (_, at) => `n${at + 1}`))).toBe(told)
})
