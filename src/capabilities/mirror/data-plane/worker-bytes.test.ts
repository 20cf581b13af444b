import { writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { groupOf, writtenBy } from './worker-bytes.ts'

/** More than any system gives. */
const nobody = 2 ** 30

describe.runIf(process.platform === 'linux')('what the kernel says of a process', () => {
  test('bytes that it wrote, which grow', () => {
    const before = Number(writtenBy(process.pid))
    writeFileSync('/dev/null', Buffer.alloc(10_000))
    expect(Number(writtenBy(process.pid)) - before).toBeGreaterThanOrEqual(10_000)
  })

  test('its group', () => {
    expect(groupOf(process.pid)).toBeGreaterThan(0)
  })

  test('that one is gone, and nothing of an unknown one', () => {
    expect([writtenBy(nobody), groupOf(nobody), writtenBy(0)]).toEqual(['gone', undefined, undefined])
  })
})
