import { expect, test } from 'vitest'
import { quarantines } from './quarantine.ts'
import { move, nowMs, plan } from './testdata/objects.ts'

const back = (name: string, minutesAgo: number, landedOn = 'n1', reason = 'LandingMismatch') =>
  plan({
    name,
    moves: [move()],
    steps: [{ id: 'm01', state: 'Mismatch', landedOn, reason }],
    finishedAt: new Date(nowMs - minutesAgo * 60_000).toISOString(),
  })

const well = (name: string, minutesAgo: number) =>
  plan({
    name,
    moves: [move()],
    steps: [{ id: 'm01', state: 'Landed', landedOn: 'n2' }],
    finishedAt: new Date(nowMs - minutesAgo * 60_000).toISOString(),
  })

// biome-ignore format: a table
test.each<[string, Parameters<typeof quarantines>[0], number | undefined]>([
  ['once back: half an hour from then',           [back('a', 10)],                                 20],
  ['an hour for the second time',                 [back('a', 300), back('b', 10)],                 50],
  ['two hours for the third',                     [back('a', 500), back('b', 300), back('c', 10)], 110],
  ['one that landed as meant begins anew',        [back('a', 500), well('b', 300), back('c', 10)], 20],
  ['landed as meant since',                       [back('a', 20), well('b', 10)],                  undefined],
  ['over when its time is over',                  [back('a', 31)],                                 undefined],
  ['elsewhere is not back',                       [back('a', 10, 'n3')],                           undefined],
  ['for want of the gate is nobody\'s fault',      [back('a', 10, 'n1', 'LandingNotHeld')],         undefined],
  ['no more than a day, however often',           Array.from({ length: 12 }, (_, at) => back(`p${at}`, 10)), 24 * 60 - 10],
])('a workload that landed on its source is left alone: %s', (_name, plans, minutes) => {
  const untilMs = quarantines(plans, nowMs).get('shop/Deployment/cart')
  expect(untilMs === undefined ? undefined : (untilMs - nowMs) / 60_000).toBe(minutes)
})
