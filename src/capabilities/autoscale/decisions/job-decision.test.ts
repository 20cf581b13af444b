import { describe, expect, test } from 'vitest'
import { combined, type JobRules, jobBounds, jobDecision } from './job-decision.ts'

const rules: JobRules = {
  minReplicas: undefined,
  maxReplicas: undefined,
  strategy: 'default',
  deduction: 0,
  runningShare: undefined,
  calculation: 'max',
}

/** Upstream's rows: queue and most Jobs, running, pending, the most of all; as many are asked for as there may be. */
const effective = (given: Partial<JobRules>, [queue, running, pending, most]: readonly [number, number, number, number]) =>
  jobDecision(
    [{ queueLength: 1_000, target: 1_000 / queue, isActive: true }],
    { ...rules, maxReplicas: most, ...given },
    { running, pending },
  ).create

describe('cases J of the contract', () => {
  test.each<[string, Partial<JobRules>, [number, number, number, number], number]>([
    ['default', {}, [3, 2, 0, 5], 1],
    ['default', {}, [2, 0, 0, 5], 2],
    ['custom', { strategy: 'custom', deduction: 1, runningShare: 0.5 }, [3, 2, 0, 5], 1],
    ['custom', { strategy: 'custom', deduction: 1, runningShare: 0.5 }, [10, 0, 0, 10], 9],
    ['custom', { strategy: 'custom', deduction: -2, runningShare: 0 }, [3, 2, 0, 4], 4],
    ['custom', { strategy: 'custom', runningShare: 0.5 }, [10, 2, 0, 100], 9],
    ['custom without a number', { strategy: 'custom', deduction: 1 }, [3, 2, 0, 5], 1],
    ['accurate', { strategy: 'accurate' }, [3, 2, 0, 5], 3],
    ['accurate', { strategy: 'accurate' }, [5, 2, 0, 5], 3],
    ['accurate', { strategy: 'accurate' }, [3, 4, 2, 10], 1],
    ['accurate', { strategy: 'accurate' }, [5, 4, 2, 5], 1],
    ['accurate', { strategy: 'accurate' }, [3, 3, 3, 5], 0],
    ['accurate', { strategy: 'accurate' }, [20, 15, 10, 20], 5],
    ['eager', { strategy: 'eager' }, [4, 3, 0, 10], 4],
    ['eager', { strategy: 'eager' }, [4, 7, 0, 10], 3],
    ['eager', { strategy: 'eager' }, [4, 1, 6, 10], 3],
    ['eager', { strategy: 'eager' }, [15, 0, 0, 10], 10],
  ])('%s %j %j starts %i', (_name, given, numbers, expected) => {
    expect(effective(given, numbers)).toBe(expected)
  })

  const readings = [
    { queueLength: 20, target: 1, isActive: true },
    { queueLength: 10, target: 2, isActive: true },
    { queueLength: 5, target: 3, isActive: true },
    { queueLength: 7, target: 4, isActive: false },
  ]
  test.each<[JobRules['calculation'], number, number, number]>([
    ['max', 100, 20, 20],
    ['min', 100, 5, 2],
    ['avg', 100, 12, 9],
    ['sum', 100, 35, 27],
    ['sum', 25, 35, 25],
  ])('J4: %s, at most %i', (calculation, most, queueLength, mostJobs) => {
    expect(combined(readings, calculation, most)).toEqual({ queueLength, mostJobs, isActive: true })
  })

  test.each<[string, Pick<JobRules, 'minReplicas' | 'maxReplicas'>, { least: number; above: number }]>([
    ['nothing is said', { minReplicas: undefined, maxReplicas: undefined }, { least: 0, above: 100 }],
    ['a most', { minReplicas: undefined, maxReplicas: 5 }, { least: 0, above: 5 }],
    ['both', { minReplicas: 2, maxReplicas: 5 }, { least: 2, above: 3 }],
    ['a least above the most', { minReplicas: 7, maxReplicas: 5 }, { least: 5, above: 5 }],
    ['a least alone', { minReplicas: 7, maxReplicas: undefined }, { least: 7, above: 100 }],
  ])('bounds where %s', (_name, given, expected) => {
    expect(jobBounds(given)).toEqual(expected)
  })

  test('nothing active starts nothing, and a least is started whatever is active', () => {
    const idle = [{ queueLength: 9, target: 1, isActive: false }]
    expect(jobDecision(idle, rules, { running: 0, pending: 0 })).toEqual({ isActive: false, create: 0, queueLength: 0 })
    expect(jobDecision(idle, { ...rules, minReplicas: 3 }, { running: 1, pending: 0 })).toEqual({
      isActive: true,
      create: 2,
      queueLength: 0,
    })
    expect(jobDecision([], rules, { running: 0, pending: 0 }).create).toBe(0)
    expect(jobDecision([{ queueLength: 0, target: 1, isActive: true }], rules, { running: 0, pending: 0 }).isActive).toBe(false)
    expect(jobDecision([{ queueLength: 5, target: 0, isActive: true }], rules, { running: 0, pending: 0 }).create).toBe(0)
  })
})
