// Two hours of the isolated homelab, lived twice; test/crash lives a whole day.
import { expect, test } from 'vitest'
import { dayTable, liveDay } from './homelab-day.ts'

test('the isolated homelab, two hours on: no budget broken, no cool-down broken, every pod accounted for, and again the same bytes', async () => {
  const day = await liveDay({ hours: 2, seed: 1 })
  process.stdout.write(`${dayTable(day)}\n`)
  expect({ ...day, figures: undefined, acts: undefined, ledger: undefined }).toEqual({
    withinCoolDown: [],
    violations: [],
    unexplained: [],
    errors: [],
    left: [],
  })
  expect(day.figures.get('isolate evict')?.pods).toBe(16)
  expect(day.figures.get('reload restart')?.pods).toBeGreaterThan(0)
  const again = await liveDay({ hours: 2, seed: 1 })
  expect(again.ledger === day.ledger).toBe(true)
})
