import { expect, test } from 'vitest'
import { killAtEach } from '../crash-harness.ts'
import { homelabIsolation, smallIsolationByWebhook } from '../isolation-scenarios.ts'

/** One of so many writes: BALLAST_KILLS_EVERY. */
const every = Number(process.env['BALLAST_KILLS_EVERY'] ?? '1')

test('killed before each of its writes, the isolation of the homelab repeats and forgets nothing', async () => {
  const { runs, wrong } = await killAtEach(homelabIsolation, 'before', { every })
  expect(runs).toBeGreaterThan(200 / every)
  expect(wrong).toEqual([])
})

test('killed before each of its writes, an isolation by webhook rolls each workload out once and leaves no webhook', async () => {
  const { runs, wrong } = await killAtEach(smallIsolationByWebhook, 'before')
  expect(runs).toBeGreaterThan(60)
  expect(wrong).toEqual([])
})
