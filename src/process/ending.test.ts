// A process ends by its time in whatever state it is: its loop idle, kept open, blocked, or without whoever started it.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { graceOf, graceVariable, podGraceSeconds } from './ending.ts'

const program = join(import.meta.dirname, '..', '..', 'test', 'ends-process.ts')

describe('the time of a pod', () => {
  test.each([
    // given, wanted by parts: parts, in order, at all
    [undefined, 30_000, [18_000, 25_000, 28_000]],
    [String(podGraceSeconds), 30_000, [30_000, 55_000, 58_000]],
    ['60', 90_000, [48_000, 55_000, 58_000]],
    ['60', 5_000, [5_000, 55_000, 58_000]],
    ['120', 90_000, [90_000, 115_000, 118_000]],
    ['5', 30_000, [1_000, 2_000, 3_000]],
    ['0', 30_000, [18_000, 25_000, 28_000]],
    ['soon', 30_000, [18_000, 25_000, 28_000]],
  ] as const)('%s, parts want %i', (given, wanted, [parts, inOrder, atAll]) => {
    const grace = graceOf(given === undefined ? {} : { [graceVariable]: given })
    expect([grace.parts(wanted), grace.inOrderMs, grace.atAllMs]).toEqual([parts, inOrder, atAll])
  })
})

describe('a process that is to end', () => {
  // What it is given is no limit of the test: whoever needs none of it ends before, and whoever hangs is ended, however late.
  test.each([
    ['idle: at once', 'idle', 600_000, { code: 0, signal: null }],
    ['by itself: at once', 'exits', 600_000, { code: 7, signal: null }],
    ['kept open: asked to', 'open', 50, { code: 1, signal: null }],
    ['its loop blocked: killed', 'blocked', 50, { code: null, signal: 'SIGKILL' }],
  ])('%s', async (_, way, ms, expected) => {
    const child = spawn(process.execPath, [program, way, String(ms)], { stdio: 'ignore' })
    expect(await new Promise(ended => child.once('exit', (code, signal) => ended({ code, signal })))).toEqual(expected)
  })

  test.runIf(process.platform === 'linux')('its loop blocked, and its parent killed: it is killed', async () => {
    const words = `"${process.execPath}" "${program}" blocked-without-parent 50 & wait`
    const parent = spawn('sh', ['-c', words], { stdio: ['ignore', 'pipe', 'ignore'] })
    await new Promise(said => parent.stdout.once('data', said))
    // Both write to one pipe, which closes when the last of them is gone.
    const closed = new Promise(resolve => parent.stdout.once('close', resolve))
    parent.kill('SIGKILL')
    await closed
  })
})
