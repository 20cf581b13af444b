import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { withoutSections } from './elf.ts'

describe.runIf(process.platform === 'linux')('a program without its sections', () => {
  test('is smaller, and runs as before', () => {
    const whole = readFileSync(process.execPath)
    const short = withoutSections(whole)
    expect(short.length).toBeLessThan(0.95 * whole.length)
    const directory = mkdtempSync(join(tmpdir(), 'ballast-elf-'))
    try {
      const path = join(directory, 'node')
      writeFileSync(path, short, { mode: 0o755 })
      const { stdout } = spawnSync(path, ['-p', 'process.version'], { encoding: 'utf8' })
      expect(stdout.trim()).toBe(process.version)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })

  test('stays the same when it is done again', () => {
    const short = withoutSections(readFileSync(process.execPath))
    expect(withoutSections(short).equals(short)).toBe(true)
  })
})

test.each([
  ['nothing', Buffer.alloc(0)],
  ['a script', Buffer.from('#!/bin/node\n'.repeat(10))],
  ['a 32-bit program', Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1]), Buffer.alloc(100)])],
])('%s is refused', (_what, bytes) => {
  expect(() => withoutSections(bytes)).toThrow('no 64-bit little-endian ELF program')
})

test('a program whose segments end behind its end is refused', () => {
  const program = Buffer.alloc(64 + 56)
  program.set([0x7f, 0x45, 0x4c, 0x46, 2, 1])
  program.writeBigUInt64LE(64n, 0x20)
  program.writeUInt16LE(56, 0x36)
  program.writeUInt16LE(1, 0x38)
  program.writeUInt32LE(1, 64)
  program.writeBigUInt64LE(4096n, 64 + 0x20)
  expect(() => withoutSections(program)).toThrow('120 bytes whose segments end at 4096')
})
