import { writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { groupOf, writtenBy } from './worker-bytes.ts'

/** More than any system gives. */
const nobody = 2 ** 30

describe.runIf(process.platform === 'linux')('what the kernel says of a process', () => {
  test('bytes that it wrote, which grow', () => {
    const before = writtenBy(process.pid) ?? Number.NaN
    writeFileSync('/dev/null', Buffer.alloc(10_000))
    expect((writtenBy(process.pid) ?? 0) - before).toBeGreaterThanOrEqual(10_000)
  })

  test('its group', () => {
    expect(groupOf(process.pid)).toBeGreaterThan(0)
  })

  test('nothing of one that is gone or unknown', () => {
    expect([writtenBy(nobody), groupOf(nobody), writtenBy(0)]).toEqual([undefined, undefined, undefined])
  })
})
