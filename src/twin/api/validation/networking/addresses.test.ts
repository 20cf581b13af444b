import { BlockList, isIPv4 } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runsOf } from '#test/runs.ts'
import { endpointAddressProblems, isStrictlyWithin, networkOf } from './addresses.ts'

const special = ['127.0.0.1', '0.0.0.0', '169.254.1.1', '224.0.0.9', '224.0.1.1', '::', '::1', 'fe80::1', 'fe80::1%eth0']
const more = ['febf::', 'fec0::', 'ff02::1', 'ff02:1::', '::ffff:127.0.0.1', '010.0.0.1', '128.0.0.1']
const address = fc.oneof(fc.constantFrom(...special, ...more), fc.ipV4(), fc.ipV6())
const networks = [
  ['0.0.0.0', 32],
  ['::', 128],
  ['127.0.0.0', 8],
  ['::1', 128],
  ['169.254.0.0', 16],
  ['fe80::', 10],
  ['224.0.0.0', 24],
  ['ff02::', 16],
] as const

/** Whether the host's own library has the address in the network. */
function has(network: string, length: number, one: string): boolean {
  const list = new BlockList()
  const family = isIPv4(network) ? 'ipv4' : 'ipv6'
  if (isIPv4(one) !== isIPv4(network)) return false
  list.addSubnet(network, length, family)
  return list.check(one, family)
}

test('an endpoint has no address that leads nowhere, as the host counts networks', () => {
  fc.assert(
    fc.property(address, one => {
      const plain = one.replace(/^0+(?=\d+\.)/, '')
      const expected = networks.filter(([network, length]) => has(network, length, plain))
      expect(endpointAddressProblems('at', one)).toHaveLength(expected.length)
    }),
    { numRuns: runsOf(800) },
  )
})

test('a network is within another as the host counts them', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.nat(32), fc.ipV4(), fc.nat(32), (inner, innerLength, outer, outerLength) => {
      const [one, other] = [networkOf(`${inner}/${innerLength}`), networkOf(`${outer}/${outerLength}`)]
      if (one === undefined || other === undefined) throw new Error('no network')
      expect(isStrictlyWithin(one, other)).toBe(innerLength > outerLength && has(outer, outerLength, inner))
    }),
    { numRuns: runsOf(400) },
  )
})
