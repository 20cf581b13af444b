import { expect, test } from 'vitest'
import { nearestName } from './nearest-name.ts'

const known = ['prometheus', 'cron', 'cpu', 'kafka', 'deschedule']

test.each([
  ['prometeus', 'prometheus'],
  ['rpometheus', 'prometheus'],
  ['Cron', 'cron'],
  ['deshedule', 'deschedule'],
  ['gpu', 'cpu'],
  ['rabbitmq', undefined],
  ['', undefined],
  ['zz', undefined],
])('%s means %s', (name, meant) => {
  expect(nearestName(name, known)).toBe(meant)
})
