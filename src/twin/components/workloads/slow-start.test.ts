import { expect, test } from 'vitest'
import { createInBatches } from './slow-start.ts'

// biome-ignore format: a table
test.each([
  ['all go well', 10, [] as number[], 10, 10],
  ['nothing to do', 0, [], 0, 0],
  ['the first fails: nothing else is tried', 10, [0], 1, 0],
  ['one of the second batch fails: its batch is finished, no third one begins', 10, [1], 3, 2],
])('%s', async (_, count, failing, tried, created) => {
  const seen: number[] = []
  const outcome = await createInBatches(count, async index => {
    seen.push(index)
    if (failing.includes(index)) throw new Error('no')
  })
  expect(seen).toHaveLength(tried)
  expect(outcome.created).toBe(created)
  expect(outcome.error?.message).toBe(failing.length > 0 ? 'no' : undefined)
})
