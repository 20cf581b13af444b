import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { InputError } from '#kube/problem.ts'
import { askersOf } from './askers.ts'

const around = (own: readonly string[] = ['10.0.0.7', 'fd00::7']) => ({
  clock: new VirtualClock(0),
  ownAddresses: () => new Set(own),
})

// biome-ignore format: a table
test.each([
  ['node', '10.0.0.7', true],
  ['node', '::ffff:10.0.0.7', true],
  ['node', 'fd00::7', true],
  ['node', '127.0.0.1', true],
  ['node', '::1', true],
  ['node', '10.0.0.8', false],
  ['node', undefined, false],
  ['any', '8.8.8.8', true],
  [['10.0.0.0/8', 'fd00::/64'], '10.255.1.2', true],
  [['10.0.0.0/8', 'fd00::/64'], '::ffff:10.1.1.1', true],
  [['10.0.0.0/8', 'fd00::/64'], 'fd00::99', true],
  [['10.0.0.0/8', 'fd00::/64'], 'fd00:0:0:1::1', false],
  [['10.0.0.0/8'], '11.0.0.1', false],
  [['10.0.0.5'], '10.0.0.5', true],
  [['10.0.0.5'], '10.0.0.6', false],
  [['0.0.0.0/0'], '8.8.8.8', true],
] as const)('%j lets %s ask: %s', (allowed, remote, may) => expect(askersOf(allowed, around()).may(remote)).toBe(may))

test('an address that comes later is the node’s own, too', async () => {
  const clock = new VirtualClock(0)
  const own = new Set(['10.0.0.7'])
  const askers = askersOf('node', { clock, ownAddresses: () => new Set(own) })
  own.add('10.0.0.9')
  await clock.advance(2_000)
  expect(askers.may('10.0.0.9')).toBe(true)
})

test('every network that is none is named', () => {
  const wrong = ['10.0.0.0/8', '10.0.0.0/33', 'example.org', '10.0.0.0/8/8', 'fd00::/x']
  const refused = () => askersOf(wrong, around())
  expect(refused).toThrow(InputError)
  expect(refused).toThrow(/allowFrom\[1\].*allowFrom\[2\].*allowFrom\[3\].*allowFrom\[4\]/s)
})
