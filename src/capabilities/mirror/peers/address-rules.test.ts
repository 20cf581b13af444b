import { describe, expect, it } from 'vitest'
import { addressBytes, parseContact } from './address.ts'
import { type AddressRules, believedAddresses, networksOf } from './address-rules.ts'

const addressOf = (text: string) => {
  const parsed = parseContact(text, 5_001, 'here')
  const address = parsed.ok ? parsed.value.addresses[0] : undefined
  if (address === undefined) throw new Error(text)
  return address
}
const networks = (...cidrs: string[]) => {
  const parsed = networksOf(cidrs, 'networks')
  if (!parsed.ok) throw new Error(parsed.problem.expected)
  return parsed.value
}
const rules = (over: Partial<AddressRules> = {}): AddressRules => ({
  networks: undefined,
  acceptsLoopback: false,
  own: () => [addressOf('10.0.0.7')],
  ...over,
})

describe('a DHT record with an address', () => {
  it.each([
    ['that is private', '10.0.0.8', {}, true],
    ['that is private (IPv6)', 'fd00::8', {}, true],
    ['of carriers, as some overlays have', '100.64.3.4', {}, true],
    ['that is public', '203.0.113.9', {}, false],
    ['that is public (IPv6)', '2001:db8::1', {}, false],
    ['of loopback', '127.0.0.1', {}, false],
    ['of loopback (IPv6)', '::1', {}, false],
    ['of loopback, when our router is bound to it', '127.0.0.1', { acceptsLoopback: true }, true],
    ['of the metadata service', '169.254.169.254', {}, false],
    ['of this network', '0.0.0.0', {}, false],
    ['of many', '224.0.0.1', {}, false],
    ['of the link', 'fe80::1', {}, false],
    ['of IPv4 in IPv6', '::ffff:10.0.0.8', {}, false],
    ['that is our own', '10.0.0.7', {}, false],
    ['that is our own but for the port', '10.0.0.7:9', {}, true],
    ['within the networks that are known', '203.0.113.9', { networks: networks('203.0.113.0/24', 'fd00::/8') }, true],
    ['outside of the networks that are known', '10.0.0.8', { networks: networks('203.0.113.0/24', 'fd00::/8') }, false],
  ])('%s (%s) is believed: %s', (_name, address, over, isBelieved) => {
    expect(believedAddresses(rules(over), [addressBytes(addressOf(address))])).toHaveLength(isBelieved ? 1 : 0)
  })

  it('has each address once, IPv6 first', () => {
    const texts = ['10.0.0.8', 'fd00::8', '10.0.0.8', '10.0.0.9']
    const found = believedAddresses(
      rules(),
      texts.map(text => addressBytes(addressOf(text))),
    )
    expect(found.map(({ ip }) => ip)).toEqual(['fd00::8', '10.0.0.8', '10.0.0.9'])
  })

  it('is cut at 64 addresses', () => {
    const many = Array.from({ length: 200 }, (_, index) => addressBytes(addressOf(`10.0.1.${index}`)))
    expect(believedAddresses(rules(), many)).toHaveLength(64)
  })
})

it.each(['10.0.0.0', '10.0.0.0/33', '10.0.0.0/x', 'fd00::/129', 'nodes/8'])('%j is no network', text => {
  expect(networksOf([text], 'networks')).toMatchObject({ ok: false, problem: { where: 'networks[0]', found: text } })
})
