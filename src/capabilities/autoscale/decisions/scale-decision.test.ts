import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Pauses } from './pauses.ts'
import { failedConditions, type ScaleInput, scaleDecision, scaleEvent } from './scale-decision.ts'

const unpaused: Pauses = {
  isPaused: false,
  isPausedByWord: false,
  replicas: undefined,
  isScaleInPaused: false,
  isScaleOutPaused: false,
  isForced: false,
}
const nowMs = 10_000_000
const active = { isActive: true, isError: false, activeMetrics: ['s0-cron', 's1-redis'] }
const inactive = { isActive: false, isError: false, activeMetrics: [] }
const failing = { ...inactive, isError: true }
const yields = { kind: 'yields', group: 'gpu', to: 'llm/ollama', because: 'it is asked for' } as const
const waits = { kind: 'waits', group: 'gpu', others: ['llm/ollama'] } as const

function input(given: Partial<ScaleInput>): ScaleInput {
  return {
    target: { kind: 'apps/v1.Deployment', namespace: 'media', name: 'sonarr' },
    state: inactive,
    pauses: unpaused,
    wishes: { isStepwise: false },
    keeping: undefined,
    turn: { kind: 'free' },
    minReplicas: undefined,
    idleReplicas: undefined,
    cooldownMs: 300_000,
    initialCooldownMs: 0,
    fallbackReplicas: undefined,
    currentReplicas: 1,
    createdMs: nowMs - 600_000,
    lastActiveMs: undefined,
    nowMs,
    ...given,
  }
}

const row = (given: Partial<ScaleInput>) => {
  const { outcome, replicas, conditions, isActivity } = scaleDecision(input(given))
  return {
    outcome,
    replicas,
    isActivity,
    said: conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`).join(' '),
  }
}

const readyAnd = (active: string) => `Ready=True/ScaledObjectReady ${active}`
const off = readyAnd('Active=False/ScalerNotActive')
const on = readyAnd('Active=True/ScalerActive')

describe('cases E of the contract', () => {
  test.each<[string, Partial<ScaleInput>, ReturnType<typeof row>]>([
    ['E2 from zero', { state: active, currentReplicas: 0 }, { outcome: 'activate', replicas: 1, isActivity: true, said: on }],
    [
      'E2 from idle',
      { state: active, currentReplicas: 0, minReplicas: 3, idleReplicas: 0 },
      { outcome: 'activate', replicas: 3, isActivity: true, said: on },
    ],
    [
      'E3 past its cool-down',
      { minReplicas: 3, idleReplicas: 0, currentReplicas: 5, lastActiveMs: nowMs - 301_000 },
      { outcome: 'deactivate', replicas: 0, isActivity: false, said: off },
    ],
    [
      'E3 within its cool-down',
      { minReplicas: 3, idleReplicas: 0, currentReplicas: 5, lastActiveMs: nowMs - 299_000 },
      { outcome: 'cooling-down', replicas: undefined, isActivity: false, said: readyAnd('Active=False/ScalerCooldown') },
    ],
    [
      'at the very end of its cool-down',
      { minReplicas: 0, currentReplicas: 5, lastActiveMs: nowMs - 300_000 },
      { outcome: 'cooling-down', replicas: undefined, isActivity: false, said: readyAnd('Active=False/ScalerCooldown') },
    ],
    [
      'E4 all triggers fail, no fallback',
      { state: failing, minReplicas: 0, currentReplicas: 4 },
      {
        outcome: 'failing',
        replicas: undefined,
        isActivity: false,
        said: 'Ready=False/TriggerError Active=False/ScalerNotActive',
      },
    ],
    [
      'E4 all triggers fail, fallback 3',
      { state: failing, minReplicas: 0, currentReplicas: 4, fallbackReplicas: 3 },
      { outcome: 'awaiting-fallback', replicas: undefined, isActivity: false, said: off },
    ],
    [
      'E4 all triggers fail, fallback 0',
      { state: failing, minReplicas: 0, currentReplicas: 4, fallbackReplicas: 0 },
      { outcome: 'deactivate', replicas: 0, isActivity: false, said: off },
    ],
    [
      'E5 one active, one failing',
      { state: { ...active, isError: true }, currentReplicas: 2 },
      {
        outcome: 'partly-failing',
        replicas: undefined,
        isActivity: false,
        said: 'Ready=Unknown/PartialTriggerError Active=True/ScalerActive',
      },
    ],
    [
      'one active, one failing, from zero',
      { state: { ...active, isError: true }, currentReplicas: 0 },
      { outcome: 'activate', replicas: 1, isActivity: true, said: on },
    ],
    [
      'E6 scale-in is paused',
      { pauses: { ...unpaused, isScaleInPaused: true }, currentReplicas: 4 },
      { outcome: 'scale-in-paused', replicas: undefined, isActivity: false, said: off },
    ],
    [
      'E6 scale-out is paused',
      { pauses: { ...unpaused, isScaleOutPaused: true }, state: active, currentReplicas: 0 },
      { outcome: 'scale-out-paused', replicas: undefined, isActivity: false, said: on },
    ],
    [
      'paused',
      { pauses: { ...unpaused, isPaused: true }, state: active, currentReplicas: 0 },
      {
        outcome: 'paused',
        replicas: undefined,
        isActivity: false,
        said: 'Ready=True/ScaledObjectReady Paused=True/ScaledObjectPaused',
      },
    ],
    [
      'E7 never active, still in its first cool-down',
      { initialCooldownMs: 900_000 },
      { outcome: 'cooling-down', replicas: undefined, isActivity: false, said: readyAnd('Active=False/ScalerCooldown') },
    ],
    [
      'E7 never active, past its first cool-down',
      { initialCooldownMs: 500_000 },
      { outcome: 'deactivate', replicas: 0, isActivity: false, said: off },
    ],
    [
      'E8 forced from zero',
      { pauses: { ...unpaused, isForced: true }, currentReplicas: 0 },
      { outcome: 'activate', replicas: 1, isActivity: true, said: on },
    ],
    [
      'E8 below its least',
      { minReplicas: 5, currentReplicas: 2 },
      { outcome: 'raise-to-least', replicas: 5, isActivity: false, said: off },
    ],
    [
      'active and there',
      { state: active, currentReplicas: 7 },
      { outcome: 'active', replicas: undefined, isActivity: true, said: on },
    ],
    ['at rest', { currentReplicas: 0 }, { outcome: 'at-rest', replicas: undefined, isActivity: false, said: off }],
    [
      'a least of one is kept while nothing is active',
      { minReplicas: 1, currentReplicas: 1 },
      { outcome: 'at-rest', replicas: undefined, isActivity: false, said: off },
    ],
    [
      'idle one of three',
      { minReplicas: 3, idleReplicas: 1, currentReplicas: 3, lastActiveMs: nowMs - 301_000 },
      { outcome: 'deactivate', replicas: 1, isActivity: false, said: off },
    ],
    [
      'needed, at zero',
      { keeping: { by: 'a', via: 'a' }, currentReplicas: 0 },
      { outcome: 'activate', replicas: 1, isActivity: true, said: readyAnd('Active=True/ScalerNeeded') },
    ],
    [
      'needed, past its cool-down',
      { keeping: { by: 'a', via: 'a' }, currentReplicas: 4, lastActiveMs: nowMs - 301_000 },
      { outcome: 'active', replicas: undefined, isActivity: true, said: readyAnd('Active=True/ScalerNeeded') },
    ],
    [
      'needed and active',
      { keeping: { by: 'a', via: 'a' }, state: active, currentReplicas: 0 },
      { outcome: 'activate', replicas: 1, isActivity: true, said: on },
    ],
    [
      'out of turn, active at zero',
      { turn: yields, state: active, currentReplicas: 0 },
      { outcome: 'out-of-turn', replicas: undefined, isActivity: false, said: readyAnd('Active=False/ScalerOutOfTurn') },
    ],
    [
      'out of turn, active and awake',
      { turn: yields, state: active, currentReplicas: 4, minReplicas: 2 },
      { outcome: 'yield', replicas: 0, isActivity: false, said: readyAnd('Active=False/ScalerOutOfTurn') },
    ],
    [
      'out of turn, scale-in is paused',
      { turn: yields, pauses: { ...unpaused, isScaleInPaused: true }, currentReplicas: 4 },
      { outcome: 'scale-in-paused', replicas: undefined, isActivity: false, said: readyAnd('Active=False/ScalerOutOfTurn') },
    ],
    [
      'its turn once another is gone',
      { turn: waits, state: active, currentReplicas: 0 },
      { outcome: 'waiting-for-turn', replicas: undefined, isActivity: false, said: readyAnd('Active=False/ScalerWaitsForTurn') },
    ],
    [
      'its turn once another is gone, for its least',
      { turn: waits, minReplicas: 2, currentReplicas: 0 },
      { outcome: 'waiting-for-turn', replicas: undefined, isActivity: false, said: readyAnd('Active=False/ScalerWaitsForTurn') },
    ],
    [
      'nothing asks for it: it waits for nobody',
      { turn: waits, currentReplicas: 0 },
      { outcome: 'at-rest', replicas: undefined, isActivity: false, said: off },
    ],
    [
      'needed and paused',
      { keeping: { by: 'a', via: 'a' }, pauses: { ...unpaused, isPaused: true }, currentReplicas: 0 },
      {
        outcome: 'paused',
        replicas: undefined,
        isActivity: false,
        said: 'Ready=True/ScaledObjectReady Paused=True/ScaledObjectPaused',
      },
    ],
    [
      'stepwise, past its cool-down, above one',
      { wishes: { isStepwise: true }, currentReplicas: 4, lastActiveMs: nowMs - 301_000 },
      { outcome: 'stepping-down', replicas: undefined, isActivity: true, said: readyAnd('Active=False/ScalerCooldown') },
    ],
    [
      'stepwise, at one, past its cool-down',
      { wishes: { isStepwise: true }, currentReplicas: 1, lastActiveMs: nowMs - 301_000 },
      { outcome: 'deactivate', replicas: 0, isActivity: false, said: off },
    ],
    [
      'stepwise, at one, within its cool-down',
      { wishes: { isStepwise: true }, currentReplicas: 1, lastActiveMs: nowMs - 299_000 },
      { outcome: 'cooling-down', replicas: undefined, isActivity: false, said: readyAnd('Active=False/ScalerCooldown') },
    ],
    [
      'stepwise to idle, at its least',
      { wishes: { isStepwise: true }, minReplicas: 3, idleReplicas: 0, currentReplicas: 3, lastActiveMs: nowMs - 301_000 },
      { outcome: 'deactivate', replicas: 0, isActivity: false, said: off },
    ],
    [
      'stepwise, scale-in is paused',
      { wishes: { isStepwise: true }, pauses: { ...unpaused, isScaleInPaused: true }, currentReplicas: 4 },
      { outcome: 'scale-in-paused', replicas: undefined, isActivity: false, said: off },
    ],
    [
      'out of turn, all triggers fail',
      { turn: yields, state: failing, currentReplicas: 0 },
      {
        outcome: 'out-of-turn',
        replicas: undefined,
        isActivity: false,
        said: 'Ready=False/TriggerError Active=False/ScalerOutOfTurn',
      },
    ],
    [
      'stepwise, all triggers fail',
      { wishes: { isStepwise: true }, state: failing, currentReplicas: 4 },
      {
        outcome: 'failing',
        replicas: undefined,
        isActivity: false,
        said: 'Ready=False/TriggerError Active=False/ScalerNotActive',
      },
    ],
  ])('%s', (_name, given, expected) => {
    expect(row(given)).toEqual(expected)
  })

  test('stepwise goes to rest from its least alone, and is as KEDA in everything else', () => {
    const some = fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined })
    const given = fc.record({
      minReplicas: some,
      idleReplicas: some,
      currentReplicas: fc.integer({ min: 0, max: 9 }),
      lastActiveMs: fc.option(fc.integer({ min: nowMs - 900_000, max: nowMs }), { nil: undefined }),
      state: fc.constantFrom(active, inactive, failing),
      fallbackReplicas: some,
    })
    fc.assert(
      fc.property(given, one => {
        const [plain, stepwise] = [false, true].map(isStepwise => scaleDecision(input({ ...one, wishes: { isStepwise } })))
        if (stepwise?.outcome !== 'stepping-down') {
          expect(stepwise).toEqual(plain)
          return
        }
        expect(one.currentReplicas).toBeGreaterThan(Math.max(one.minReplicas ?? 0, 1))
        expect(stepwise.replicas).toBeUndefined()
        expect(['deactivate', 'cooling-down']).toContain(plain?.outcome)
      }),
    )
  })

  test('events say what changed and why, in words that users know', () => {
    const woken = input({ state: active, currentReplicas: 0 })
    const forced = input({ pauses: { ...unpaused, isForced: true }, currentReplicas: 0 })
    const asleep = input({ currentReplicas: 4 })
    const told = (of: ScaleInput, failure?: string) => scaleEvent(of, scaleDecision(of), of.currentReplicas, failure)
    expect(told(woken)).toEqual({
      type: 'Normal',
      reason: 'KEDAScaleTargetActivated',
      message: 'Scaled apps/v1.Deployment media/sonarr from 0 to 1, triggered by s0-cron;s1-redis',
    })
    expect(told(forced)?.message).toBe(
      'Scaled apps/v1.Deployment media/sonarr from 0 to 1, caused by forced activation annotation',
    )
    const needed = input({ keeping: { by: 'radarr', via: 'prowlarr' }, currentReplicas: 0 })
    expect(told(needed)?.message).toBe(
      'Scaled apps/v1.Deployment media/sonarr from 0 to 1, since ScaledObject radarr needs it by way of prowlarr',
    )
    expect(told(input({ turn: yields, currentReplicas: 4 }))?.message).toBe(
      'Deactivated apps/v1.Deployment media/sonarr from 4 to 0, ScaledObject llm/ollama has the turn, since it is asked for (ballast.dev/one-awake: gpu)',
    )
    expect(told(asleep)).toEqual({
      type: 'Normal',
      reason: 'KEDAScaleTargetDeactivated',
      message: 'Deactivated apps/v1.Deployment media/sonarr from 4 to 0',
    })
    expect(told(woken, 'no quota')).toMatchObject({ type: 'Warning', reason: 'KEDAScaleTargetActivationFailed' })
    expect(told(asleep, 'no quota')).toMatchObject({ type: 'Warning', reason: 'KEDAScaleTargetDeactivationFailed' })
    expect(told(input({ minReplicas: 5, currentReplicas: 2 }))).toBeUndefined()
    expect(failedConditions(scaleDecision(woken), 'no quota')[0]).toMatchObject({
      status: 'False',
      reason: 'ErrorScalingTarget',
      message: 'error activating ScaleTarget: no quota',
    })
  })

  test('an error alone never scales anything down while no fallback to zero is set', () => {
    const some = fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined })
    fc.assert(
      fc.property(
        some,
        some,
        fc.integer({ min: 0, max: 9 }),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        (minReplicas, idleReplicas, currentReplicas, fallback, hasFallback) => {
          const fallbackReplicas = hasFallback ? fallback : undefined
          const { replicas } = scaleDecision(
            input({ state: failing, minReplicas, idleReplicas, currentReplicas, fallbackReplicas }),
          )
          expect(replicas).toBeUndefined()
        },
      ),
    )
  })
})

describe('awake before anybody comes', () => {
  const preWarm = { untilMs: nowMs + 600_000, because: 'somebody is likely to come' }
  const warm = readyAnd('Active=False/ScalerPreWarmed')
  const asleep = { preWarm, currentReplicas: 0 }
  test.each<[string, Partial<ScaleInput>, ReturnType<typeof row>]>([
    ['from zero', asleep, { outcome: 'pre-warm', replicas: 1, isActivity: true, said: warm }],
    [
      'from idle',
      { ...asleep, minReplicas: 3, idleReplicas: 0 },
      { outcome: 'pre-warm', replicas: 3, isActivity: true, said: warm },
    ],
    [
      'in place of going to zero',
      { preWarm, lastActiveMs: nowMs - 301_000 },
      { outcome: 'warm', replicas: undefined, isActivity: false, said: warm },
    ],
    [
      'its cool-down is the usual one',
      { preWarm, lastActiveMs: nowMs - 1_000 },
      { outcome: 'cooling-down', replicas: undefined, isActivity: false, said: readyAnd('Active=False/ScalerCooldown') },
    ],
    ['somebody came', { ...asleep, state: active }, { outcome: 'activate', replicas: 1, isActivity: true, said: on }],
    [
      'paused',
      { ...asleep, pauses: { ...unpaused, isPaused: true } },
      { outcome: 'paused', replicas: undefined, isActivity: false, said: readyAnd('Paused=True/ScaledObjectPaused') },
    ],
    [
      'its way up is paused',
      { ...asleep, pauses: { ...unpaused, isScaleOutPaused: true } },
      { outcome: 'at-rest', replicas: undefined, isActivity: false, said: off },
    ],
    [
      'its way back is paused',
      { ...asleep, pauses: { ...unpaused, isScaleInPaused: true } },
      { outcome: 'at-rest', replicas: undefined, isActivity: false, said: off },
    ],
    [
      'another of its group has the turn',
      { ...asleep, turn: yields },
      { outcome: 'out-of-turn', replicas: undefined, isActivity: false, said: readyAnd('Active=False/ScalerOutOfTurn') },
    ],
    [
      'another of its group still has pods',
      { ...asleep, turn: waits },
      { outcome: 'at-rest', replicas: undefined, isActivity: false, said: off },
    ],
    [
      'the turn of another came',
      { preWarm, turn: yields },
      { outcome: 'yield', replicas: 0, isActivity: false, said: readyAnd('Active=False/ScalerOutOfTurn') },
    ],
  ])('%s', (_what, given, expected) => expect(row(given)).toEqual(expected))

  test('is told as an event', () => {
    const given = input(asleep)
    expect(scaleEvent(given, scaleDecision(given), 0)).toEqual({
      type: 'Normal',
      reason: 'KEDAScaleTargetPreWarmed',
      message:
        'Scaled apps/v1.Deployment media/sonarr from 0 to 1, before anybody comes: somebody is likely to come (ballast.dev/pre-warm)',
    })
  })
})
