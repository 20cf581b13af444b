import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { agentString, readAgent } from './agent-string.ts'

describe('the agent string', () => {
  it.each([
    ['0.1.0', 'a', 'ballast/0.1.0 (zone=a)'],
    ['1.2.3', '', 'ballast/1.2.3'],
    ['1.2.3', 'eu west', 'ballast/1.2.3'],
    ['1.2.3', 'a)(b', 'ballast/1.2.3'],
  ])('of version %s in zone %j is %s', (version, zone, text) => {
    expect(agentString(version, zone)).toBe(text)
  })

  it.each([
    ['ballast/1.2.3 (zone=eu-west-1a)', true, 'eu-west-1a'],
    ['ballast/1.2.3', true, undefined],
    ['ballast/1.2.3 (zone=)', true, undefined],
    ['ballast/1.2.3 (zone=a b)', true, undefined],
    ['github.com/spegel-org/spegel@v0.7.4', false, undefined],
    ['someone (zone=a)', false, undefined],
    ['', false, undefined],
  ])('%j is ours: %s, zone %s', (text, isOurs, zone) => {
    expect(readAgent(text)).toMatchObject({ isOurs, zone })
  })

  it('gives the zone back that went in', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}[A-Za-z0-9]$/), zone => {
        expect(readAgent(agentString('0.1.0', zone)).zone).toBe(zone)
      }),
    )
  })

  it('is cut at 256 characters', () => {
    expect(readAgent('x'.repeat(10_000)).agent).toHaveLength(256)
  })
})
