import { expect, test } from 'vitest'
import { killAtEach } from '../crash-harness.ts'
import { homelabIsolation } from '../isolation-scenarios.ts'

test('killed after each of its writes, the isolation of the homelab repeats and forgets nothing', async () => {
  const { writes, runs, wrong } = await killAtEach(homelabIsolation, 'after')
  expect(writes).toBeGreaterThan(200)
  expect(runs).toBeGreaterThan(0)
  expect(wrong).toEqual([])
})
