import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hostClock, systemClock } from '#kube/clock.ts'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { machinePrograms } from './program.ts'

const run = machinePrograms(systemClock)
const limitMs = 60_000

test('a program’s exit code and both of its outputs, in no language but English', async () => {
  const end = await run('sh', ['-c', 'echo out; echo err >&2; echo "$LC_ALL" "$HOME"; exit 3'], { limitMs })
  expect(end).toMatchObject({ code: 3, isLate: false })
  expect(end.output.split('\n').sort()).toEqual(['', 'C ', 'err', 'out'])
})

test('errors alone, where that is enough', async () => {
  const end = await run('sh', ['-c', 'echo out; echo err >&2; exit 3'], { limitMs, saysErrorsOnly: true })
  expect(end).toMatchObject({ code: 3, output: 'err\n', isAbsent: false })
})

test('arguments are never a shell’s', async () => {
  const { output } = await run('printf', ['%s|', '$(id)', '; id', '`id`'], { limitMs })
  expect(output).toBe('$(id)|; id|`id`|')
})

test('output is bounded', async () => {
  const { output, code } = await run('head', ['-c', '1000000', '/dev/zero'], { limitMs })
  expect([output.length, code]).toEqual([16_384, 0])
})

test('a program that is not there', async () => {
  const end = await run('ballast-no-such-program', [], { limitMs })
  expect(end).toMatchObject({ code: undefined, isLate: false, isAbsent: true, output: expect.stringContaining('ENOENT') })
})

test('one that takes too long is killed, with what it started', async () => {
  const quick = machinePrograms(hostClock({ speed: 1_000 }))
  const end = await quick('sh', ['-c', 'sleep 300 & sleep 300'], { limitMs })
  expect(end).toMatchObject({ code: undefined, isLate: true })
  await end.gone
})

test.runIf(process.platform === 'linux')(
  'its children go first, so that it takes note of their end; what does not end then is ended',
  async () => {
    const folder = await temporaryDirectory()
    const end = await run('sh', ['-c', `sleep 300; echo $? > ${folder}/noted`], { limitMs: 50 })
    expect(end).toMatchObject({ code: undefined, isLate: true })
    await end.gone
    expect(readFileSync(join(folder, 'noted'), 'utf8')).toBe('137\n')
    const quick = machinePrograms(hostClock({ speed: 100 }))
    const stubborn = await quick('sh', ['-c', 'sleep 300; sleep 300'], { limitMs: 5_000 })
    await stubborn.gone
    expect(stubborn.isLate).toBe(true)
  },
)

test('a signal ends one too', async () => {
  const stop = new AbortController()
  const running = run('sleep', ['300'], { limitMs, signal: stop.signal })
  stop.abort()
  await (await running).gone
  expect((await run('sleep', ['300'], { limitMs, signal: stop.signal })).isLate).toBe(true)
})
