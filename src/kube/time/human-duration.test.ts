import { expect, test } from 'vitest'
import { humanDuration, shortHumanDuration } from './human-duration.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

// biome-ignore format: a table
test.each([
  [-2 * second, '<invalid>', '<invalid>'], [-1 * second, '0s', '0s'], [0, '0s', '0s'], [119 * second, '119s', '1m'],
  [2 * minute, '2m', '2m'], [2 * minute + 3 * second, '2m3s', '2m'], [10 * minute + 9 * second, '10m', '10m'], [179 * minute, '179m', '2h'],
  [3 * hour, '3h', '3h'], [3 * hour + 5 * minute, '3h5m', '3h'], [8 * hour + 5 * minute, '8h', '8h'], [47 * hour, '47h', '1d'],
  [2 * day, '2d', '2d'], [7 * day + 23 * hour, '7d23h', '7d'], [8 * day + 1 * hour, '8d', '8d'], [729 * day, '729d', '1y'],
  [730 * day, '2y', '2y'], [731 * day, '2y1d', '2y'], [2_920 * day, '8y', '8y'], [2_950 * day, '8y', '8y'],
])('%i ms is %s, in short %s', (ms, text, short) => {
  expect([humanDuration(ms), shortHumanDuration(ms)]).toEqual([text, short])
})
