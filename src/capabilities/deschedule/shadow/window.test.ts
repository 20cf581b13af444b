import { expect, test } from 'vitest'
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { Look } from './compare.ts'
import { ShadowWindow } from './window.ts'

const look = (atMs: number): Look => ({ state: buildClusterState([]).state, atMs })
const attempt = { pod: 'shop/web-1', strategy: 'PodLifeTime' }
const options = { intervalMs: 300_000, quietMs: 15_000, isDryRun: false }

test('an interval in which nothing was evicted ends after it, and its looks are its two ends', () => {
  const window = new ShadowWindow(look(0), options)
  expect(window.dueMs).toBe(315_000)
  const material = window.close(look(315_000))
  expect(material).toMatchObject({ before: { atMs: 0 }, after: { atMs: 315_000 }, attempts: [] })
  expect(window.dueMs).toBe(630_000)
})

test('evictions end it when there were none for a while; the first look is from before the first of them', () => {
  const window = new ShadowWindow(look(0), options)
  window.evicting(100_000, () => look(100_000))
  window.attempted(attempt, 100_200, () => look(100_200))
  expect(window.dueMs).toBe(115_200)
  window.evicting(110_000, () => look(110_000))
  expect(window.dueMs).toBe(125_000)
  const material = window.close(look(125_000))
  expect(material).toMatchObject({ before: { atMs: 100_000 }, sinceMs: 100_000, after: { atMs: 125_000 }, attempts: [attempt] })
  expect(window.dueMs).toBe(440_000)
})

test('what others evict begins nothing: the look is from before theirs', () => {
  const window = new ShadowWindow(look(0), options)
  window.evicting(50_000, () => look(50_000))
  expect(window.dueMs).toBe(315_000)
  window.evicting(100_000, () => look(100_000))
  window.attempted(attempt, 100_100, () => look(100_100))
  expect(window.close(look(120_000))).toMatchObject({ before: { atMs: 100_000 } })
})

test('a cycle that its log tells has what the log says, and the look from before it', () => {
  const window = new ShadowWindow(look(0), options)
  window.evicting(60_000, () => look(60_000))
  const told = { attempts: [attempt], stays: new Map([['shop/db-0', ['pod is terminating']]]), isDryRun: true }
  expect(window.closeAs(told, look(60_100))).toMatchObject({ ...told, before: { atMs: 60_000 }, after: { atMs: 60_100 } })
  expect(window.closeAs({ attempts: [], stays: new Map() }, look(120_000))).toMatchObject({
    before: { atMs: 60_100 },
    attempts: [],
    isDryRun: false,
  })
})
