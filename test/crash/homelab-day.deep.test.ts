// A day of the isolated homelab, with BALLAST_SEED (default 1).
import { expect, test } from 'vitest'
import { dayTable, liveDay } from '../homelab-day.ts'

const seed = Number(process.env['BALLAST_SEED'] ?? '1')

test(`the isolated homelab, 24 hours on, seed ${seed}: figures by cause, and what must never happen`, async () => {
  const day = await liveDay({ hours: 24, seed })
  console.log(dayTable(day))
  expect({ ...day, figures: undefined, acts: undefined, ledger: undefined }).toEqual({
    withinCoolDown: [],
    violations: [],
    unexplained: [],
    errors: [],
    left: [],
  })
  expect([...day.figures.keys()].filter(who => who.startsWith('others: '))).not.toEqual([])
  for (const who of ['autoscale scale', 'reload restart', 'rightsize resize'])
    expect(day.figures.get(who)?.pods, who).toBeGreaterThan(5)
  const again = await liveDay({ hours: 24, seed })
  expect(again.ledger === day.ledger).toBe(true)
})

test('where sizes are asked for in mode coordinate, the same day breaks cool-downs: what is counted is the policy', async () => {
  const day = await liveDay({ hours: 24, seed, sizing: 'coordinate' })
  expect(day.withinCoolDown).not.toEqual([])
})
