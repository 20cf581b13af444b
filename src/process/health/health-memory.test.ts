import { describe, expect, test } from 'vitest'
import { memoryCheck, memoryUses } from './health-memory.ts'

describe('memory', () => {
  test.each([
    [[{ what: 'heap', usedBytes: 949, limitBytes: 1_000 }], undefined],
    [[{ what: 'heap', usedBytes: 950, limitBytes: 1_000 }], '95 % of what the heap may take is in use'],
    [
      [
        { what: 'heap', usedBytes: 1, limitBytes: 1_000 },
        { what: 'container', usedBytes: 999, limitBytes: 1_000 },
      ],
      '99 % of what the container may take is in use',
    ],
  ] as const)('%j', (uses, message) => {
    expect(memoryCheck(uses)).toEqual({
      name: 'memory',
      ok: message === undefined,
      ...(message === undefined ? {} : { message }),
    })
  })

  test('of this process is far from its end', () => {
    const uses = memoryUses()
    expect(uses[0]?.what).toBe('heap')
    for (const { usedBytes, limitBytes } of uses) expect(usedBytes).toBeLessThan(limitBytes)
  })
})
