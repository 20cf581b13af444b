import { expect, test } from 'vitest'
import { killAtEach } from '../crash-harness.ts'
import { homelabIsolation } from '../isolation-scenarios.ts'

/** One of so many writes: BALLAST_KILLS_EVERY. */
const every = Number(process.env['BALLAST_KILLS_EVERY'] ?? '1')

test('killed after each of its writes, the isolation of the homelab repeats and forgets nothing', async () => {
  const { runs, wrong } = await killAtEach(homelabIsolation, 'after', { every })
  expect(runs).toBeGreaterThan(200 / every)
  expect(wrong).toEqual([])
})
