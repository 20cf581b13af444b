import { expect, test } from 'vitest'
import { killAtEach } from '../crash-harness.ts'
import { homelabIsolation, smallIsolationByWebhook } from '../isolation-scenarios.ts'

test('killed before each of its writes, the isolation of the homelab repeats and forgets nothing', async () => {
  const { writes, runs, wrong } = await killAtEach(homelabIsolation, 'before')
  expect(writes).toBeGreaterThan(200)
  expect(runs).toBeGreaterThan(0)
  expect(wrong).toEqual([])
})

test('killed before each of its writes, an isolation by webhook rolls each workload out once and leaves no webhook', async () => {
  const { writes, runs, wrong } = await killAtEach(smallIsolationByWebhook, 'before')
  expect(writes).toBeGreaterThan(60)
  expect(runs).toBeGreaterThan(0)
  expect(wrong).toEqual([])
})
