import { expect, test } from 'vitest'
import { killAtEach } from '../crash-harness.ts'
import { example } from './killed-example.ts'

test('killed before each of its writes, the whole example repeats and forgets nothing', async () => {
  const { runs, wrong } = await killAtEach(example, 'before')
  expect(runs).toBeGreaterThan(100)
  expect(wrong).toEqual([])
})
