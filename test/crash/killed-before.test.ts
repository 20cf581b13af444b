import { expect, test } from 'vitest'
import { killAtEach } from './killed-example.ts'

test('killed before each of its writes, the whole example repeats and forgets nothing', async () => {
  const { runs, wrong } = await killAtEach('before')
  expect(runs).toBeGreaterThan(100)
  expect(wrong).toEqual([])
})
