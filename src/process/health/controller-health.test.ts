import { describe, expect, test } from 'vitest'
import { HandFedInformers } from '#coordination/testdata/hand-fed-informers.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { ReflectorState } from '#kube/informers/reflector.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { ControllerHealth } from './controller-health.ts'
import { informerChecks } from './informer-checks.ts'

const failing = (health: ControllerHealth, which: 'live' | 'ready') =>
  health[which]().flatMap(check => {
    const why = check.check()
    return why === undefined ? [] : [`${check.name}: ${why}${check.isGating === false ? ' (not counted)' : ''}`]
  })

describe('the Lease', () => {
  test('is well while nothing leads, while it is held, and for 20 s after it was lost', async () => {
    const clock = new VirtualClock(0)
    const health = new ControllerHealth()
    const term = new AbortController()
    expect(health.live().map(({ name }) => name)).toEqual(['lease'])
    const watched = health.watchTerm(term.signal, clock)
    await clock.advance(60_000)
    expect(failing(health, 'live')).toEqual([])
    term.abort(new Error('lost'))
    await clock.advance(20_000)
    expect(failing(health, 'live')).toEqual([])
    await clock.advance(1_000)
    expect(failing(health, 'live')).toEqual(['lease: led on for 21 s without the Lease'])
    watched[Symbol.dispose]()
    expect(failing(health, 'live')).toEqual([])
  })
})

describe('readiness', () => {
  test('names checks by group, and asks them in it', () => {
    const health = new ControllerHealth()
    health.add('deschedule', () => [
      { name: 'deschedule/controller', ok: false, isGating: false, state: 'quarantined until tomorrow' },
      { name: 'loop', ok: false, message: 'a secret' },
    ])
    expect(health.ready().map(({ name, group, state }) => [name, group, state])).toEqual([
      ['deschedule-controller', 'deschedule', 'quarantined until tomorrow'],
      ['deschedule-loop', 'deschedule', undefined],
    ])
    expect(failing(health, 'ready')).toEqual([
      'deschedule-controller: quarantined until tomorrow (not counted)',
      'deschedule-loop: a secret',
    ])
  })

  test('of a source that was replaced is not taken away by the end of the old one', () => {
    const health = new ControllerHealth()
    const first = health.add('informers', () => [{ name: 'old', ok: true }])
    health.add('informers', () => [{ name: 'new', ok: true }])
    first[Symbol.dispose]()
    expect(health.ready().map(({ name }) => name)).toEqual(['informers-new'])
  })
})

describe('a watch', () => {
  const checked = (state: ReflectorState, silentMs: number) => {
    const clock = new VirtualClock(0)
    const informers = new HandFedInformers(clock)
    const pods = { ...informers.of(builtIn.pods), state }
    const checks = () => informerChecks({ all: () => [pods], isSettled: () => true }, clock)
    return clock.advance(silentMs).then(() => checks().map(({ ok, message }) => (ok ? 'ok' : message)))
  }

  test.each([
    ['heard a moment ago', 'synced', 1_000, 'ok'],
    ['that is as long as any is asked to be', 'synced', 630_000, 'ok'],
    ['that should long have ended', 'synced', 631_000, 'not heard of for 631 s'],
    ['that fails for so long', 'failing', 700_000, 'not heard of for 700 s'],
    ['of what is not served', 'absent', 700_000, 'ok'],
    ['of what we may not read', 'denied', 700_000, 'ok'],
  ] as const)('%s', async (_what, state, silentMs, expected) => {
    expect(await checked(state, silentMs)).toEqual([expected])
  })
})
