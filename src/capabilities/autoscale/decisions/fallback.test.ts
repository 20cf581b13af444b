import { describe, expect, test } from 'vitest'
import { type FallbackInput, fallbackDecision, isFallingBack } from './fallback.ts'

const rule = { failureThreshold: 3, replicas: 10, behavior: 'static' } as const
const target = { type: 'AverageValue', value: 10 } as const
const failed = (given: Partial<FallbackInput>) =>
  fallbackDecision({
    isAnswered: false,
    health: { numberOfFailures: 3, status: 'Failing' },
    rule,
    target,
    replicas: { current: 6, ready: 3 },
    ...given,
  })

describe('cases F of the contract', () => {
  test('F1: failures up to the threshold are told, the next is stood in for', () => {
    const third = failed({ health: { numberOfFailures: 2, status: 'Failing' } })
    expect(third).toEqual({ health: { numberOfFailures: 3, status: 'Failing' }, outcome: { kind: 'error' } })
    expect(isFallingBack(third.health, rule)).toBe(false)
    const fourth = failed({})
    expect(fourth).toEqual({ health: { numberOfFailures: 4, status: 'Failing' }, outcome: { kind: 'fallback', value: 100 } })
    expect(isFallingBack(fourth.health, rule)).toBe(true)
  })

  test.each<[string, Partial<FallbackInput>, object]>([
    ['currentReplicas', { rule: { ...rule, behavior: 'currentReplicas' } }, { kind: 'fallback', value: 60 }],
    ['currentReplicasIfHigher', { rule: { ...rule, behavior: 'currentReplicasIfHigher' } }, { kind: 'fallback', value: 100 }],
    [
      'currentReplicasIfHigher, higher',
      { rule: { ...rule, behavior: 'currentReplicasIfHigher' }, replicas: { current: 15, ready: 1 } },
      { kind: 'fallback', value: 150 },
    ],
    ['currentReplicasIfLower', { rule: { ...rule, behavior: 'currentReplicasIfLower' } }, { kind: 'fallback', value: 60 }],
    ['static, more are there', { replicas: { current: 15, ready: 15 } }, { kind: 'fallback', value: 100 }],
    [
      'Value, three ready',
      { rule: { ...rule, replicas: 6 }, target: { type: 'Value', value: 10 } },
      { kind: 'fallback', value: 20 },
    ],
    [
      'Value, none ready',
      { rule: { ...rule, replicas: 6 }, target: { type: 'Value', value: 10 }, replicas: { current: 6, ready: 0 } },
      { kind: 'impossible', reason: 'no pod of the target is ready' },
    ],
    [
      'replicas are not known',
      { rule: { ...rule, behavior: 'currentReplicas' }, replicas: undefined },
      { kind: 'impossible', reason: 'the replicas of the target are not known' },
    ],
    ['static needs to know none', { replicas: undefined }, { kind: 'fallback', value: 100 }],
    ['a target of fractions', { target: { type: 'AverageValue', value: 2.5 } }, { kind: 'fallback', value: 25 }],
    ['scalingModifiers', { rule: { ...rule, behavior: 'scalingModifiers' } }, { kind: 'nil' }],
    ['no fallback is set', { rule: undefined }, { kind: 'error' }],
    ['no target', { target: undefined }, { kind: 'error' }],
  ])('F2: %s', (_name, given, outcome) => {
    expect(failed(given).outcome).toEqual(outcome)
  })

  test('an answer heals, and without a fallback nothing is remembered', () => {
    expect(failed({ isAnswered: true })).toEqual({
      health: { numberOfFailures: 0, status: 'Happy' },
      outcome: { kind: 'answer' },
    })
    expect(failed({ isAnswered: true, rule: undefined })).toEqual({ health: undefined, outcome: { kind: 'answer' } })
  })
})
