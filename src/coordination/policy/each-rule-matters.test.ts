import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Intent } from '../intent.ts'
import { isActive, type PermitRecord } from '../permits/permit-record.ts'
import { arbitrationModes } from './arbiter-policy.ts'
import { judge, rules } from './judge.ts'
import {
  type Asked,
  deployment,
  doneFor,
  intent,
  minute,
  nowMs,
  permit,
  question,
  reload,
  resize,
  short,
  single,
} from './testdata/question.ts'
import { granted, scenarios } from './testdata/scenarios.ts'

describe('the policy as a whole', () => {
  test.each(scenarios)('$rule: $name', ({ asked, expected }) => {
    expect(short(judge(question(asked)))).toBe(expected)
  })

  test.each(granted)('grants %s', (_name, asked) => {
    expect(short(judge(question(asked)))).toBe('grant')
  })
})

describe('without one rule', () => {
  test.each(scenarios)('$rule: not so: $name', ({ rule, asked, expected }) => {
    const others = rules.filter(({ name }) => name !== rule)
    expect(others).toHaveLength(rules.length - 1)
    expect(short(judge(question(asked), others))).not.toBe(expected)
  })

  test.each(rules)('$name has a scenario', ({ name }) => {
    expect(scenarios.filter(({ rule }) => rule === name)).not.toEqual([])
  })
})

const wish = fc.record({
  workload: fc.integer({ min: 0, max: 3 }),
  kind: fc.constantFrom<Partial<Intent>>({}, reload, resize, { class: 'safety' }, { class: 'capacity', ...single }),
  mode: fc.constantFrom(...arbitrationModes),
  replicas: fc.integer({ min: 0, max: 3 }),
  deadlineMs: fc.integer({ min: nowMs - minute, max: nowMs + 600 * minute }),
  waitedMs: fc.integer({ min: 0, max: 120 * minute }),
  isObserved: fc.boolean(),
})

function askedOf(one: typeof wish extends fc.Arbitrary<infer T> ? T : never): Asked {
  return {
    intent: { ...one.kind, deadlineMs: one.deadlineMs, workload: deployment(`w${one.workload}`) },
    facts: { replicas: one.replicas },
    waitedMs: one.waitedMs,
    observed: one.isObserved
      ? [
          {
            kind: 'pod-lost',
            workload: `shop/Deployment/w${one.workload}`,
            namespace: 'shop',
            nodes: [],
            atMs: nowMs - minute,
            by: 'somebody',
            evidence: '',
          },
        ]
      : [],
    policy: { modes: { deschedule: one.mode, reload: one.mode, rightsize: one.mode } },
  }
}

describe('whatever is asked', () => {
  test('the same question has the same answer, and what it is asked is left as it was', () => {
    fc.assert(
      fc.property(wish, one => {
        const asked = question(askedOf(one))
        const before = JSON.stringify({ intent: asked.intent, facts: asked.facts })
        expect(judge(asked)).toEqual(judge(asked))
        expect(JSON.stringify({ intent: asked.intent, facts: asked.facts })).toBe(before)
      }),
      { numRuns: 300 },
    )
  })

  test('a deferral ends after now and not after the deadline', () => {
    let deferrals = 0
    fc.assert(
      fc.property(wish, fc.array(fc.constantFrom(permit(), permit(doneFor(minute))), { maxLength: 2 }), (one, permits) => {
        const ledger = permits.map(record => ({ ...record, workload: `shop/Deployment/w${one.workload}` }))
        const verdict = judge(question({ ...askedOf(one), ledger }))
        if (verdict.kind !== 'defer') return
        deferrals++
        expect(verdict.untilMs).toBeGreaterThan(nowMs)
        expect(verdict.untilMs).toBeLessThanOrEqual(one.deadlineMs)
      }),
      { numRuns: 500 },
    )
    expect(deferrals).toBeGreaterThan(50)
  })

  test('no order of wishes and releases puts two permits on one workload, in coordinate and enforce', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('ask' as const), wish }),
      fc.record({ kind: fc.constant('release' as const), which: fc.nat({ max: 3 }) }),
    )
    let grants = 0
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.constantFrom('coordinate' as const, 'enforce' as const),
        (steps, mode) => {
          const ledger: PermitRecord[] = []
          for (const [index, one] of steps.entries()) {
            if (one.kind === 'release') {
              const at = ledger.findIndex(record => isActive(record) && record.workload === `shop/Deployment/w${one.which}`)
              const record = ledger[at]
              if (record !== undefined) ledger[at] = { ...record, releasedAtMs: nowMs - minute, ending: 'failed' }
              continue
            }
            const asked = askedOf({ ...one.wish, mode, deadlineMs: nowMs + 60 * minute })
            const full = intent({ ...asked.intent, idempotencyKey: `k${index}` })
            const verdict = judge(question({ ...asked, intent: full, ledger }))
            if (verdict.kind !== 'grant') continue
            grants++
            const { verb, purpose, class: name, idempotencyKey, requester } = full
            ledger.push(
              permit({
                name: `p${index}`,
                verb,
                purpose,
                class: name,
                idempotencyKey,
                requester,
                batch: 'plan-1',
                workload: `shop/Deployment/w${one.wish.workload}`,
              }),
            )
            const locked = ledger.filter(isActive).map(record => record.workload)
            expect(new Set(locked).size).toBe(locked.length)
          }
        },
      ),
      { numRuns: 300 },
    )
    expect(grants).toBeGreaterThan(100)
  })
})
