import { expect, test } from 'vitest'
import { killAtEach } from '../crash-harness.ts'
import { example } from './killed-example.ts'

test('killed after each of its writes, the whole example repeats and forgets nothing', async () => {
  const { writes, runs, wrong } = await killAtEach(example, 'after')
  expect(writes).toBeGreaterThan(100)
  expect(runs).toBeGreaterThan(0)
  expect(wrong).toEqual([])
})
