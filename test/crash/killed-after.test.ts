import { expect, test } from 'vitest'
import { killAtEach } from '../crash-harness.ts'
import { example } from './killed-example.ts'

test('killed after each of its writes, the whole example repeats and forgets nothing', async () => {
  const { runs, wrong } = await killAtEach(example, 'after')
  expect(runs).toBeGreaterThan(100)
  expect(wrong).toEqual([])
})
