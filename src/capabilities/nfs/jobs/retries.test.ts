import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { driverLeaseName } from './lease-names.ts'
import { Retries, SlowKeys } from './retries.ts'

test('each failure of a key waits twice as long, up to a bound, and each key for itself', () => {
  const retries = new Retries<string>({ firstMs: 1_000, lastMs: 300_000 })
  const waits = Array.from({ length: 11 }, () => retries.nextMs('a') / 1_000)
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
  expect(retries.nextMs('b')).toBe(1_000)
  retries.forget('a')
  expect(retries.nextMs('a')).toBe(1_000)
  for (let at = 0; at < 2_000; at++) retries.nextMs('c')
  expect(retries.nextMs('c')).toBe(300_000)
})

test('a key that can never be is held from its first failure on', async () => {
  const clock = new VirtualClock(0)
  const slow = new SlowKeys<string>(clock, 1_000)
  expect(slow.leftMs('a')).toBe(0)
  slow.add('a')
  await clock.advance(400)
  slow.add('a')
  expect(slow.leftMs('a')).toBe(600)
  await clock.advance(600)
  expect(slow.leftMs('a')).toBe(0)
  slow.add('a')
  expect(slow.leftMs('a')).toBe(1_000)
  slow.delete('a')
  expect(slow.leftMs('a')).toBe(0)
})

test.each([
  ['', 'nfs.csi.k8s.io', 'nfs-csi-k8s-io'],
  ['external-resizer-', 'nfs.csi.k8s.io', 'external-resizer-nfs-csi-k8s-io'],
  ['', 'Odd_Name/', 'Odd-Name-X'],
] as const)('the Lease of %o %s is %s', (prefix, driver, expected) => expect(driverLeaseName(prefix, driver)).toBe(expected))
