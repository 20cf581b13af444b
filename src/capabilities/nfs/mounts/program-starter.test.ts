import { expect, onTestFinished, test } from 'vitest'
import { hostClock, systemClock } from '#kube/clock.ts'
import type { ProgramEnd, RunProgram } from './program.ts'
import { StartedPrograms } from './program-starter.ts'

const limitMs = 60_000

interface Busy {
  readonly run: RunProgram
  /** Runs a script of a shell by the starter. */
  readonly script: (words: string, options?: { readonly limitMs?: number; readonly signal?: AbortSignal }) => Promise<ProgramEnd>
}

/** With as many programs under way as are started without a starter. */
function busy(clock = systemClock): Busy {
  const programs = new StartedPrograms(clock)
  const stop = new AbortController()
  const own = programs.run
  // The room starts a few programs only, and a shell is none of them.
  const run = (program: string, ...rest: unknown[]): Promise<ProgramEnd> => Reflect.apply(own, undefined, [program, ...rest])
  for (let count = 0; count < 4; count++) void run('sleep', ['300'], { limitMs: 300_000, signal: stop.signal })
  onTestFinished(async () => {
    stop.abort()
    await programs[Symbol.asyncDispose]()
  })
  return { run: own, script: (words, options) => run('sh', ['-c', words], { limitMs, ...options }) }
}

/** The process that starts programs now. */
const starterOf = async ({ script }: Busy) => Number((await script('echo $PPID')).output)

test('those beyond a few are another process’s, each with its own end and output', async () => {
  const one = busy()
  const ends = await Promise.all(
    Array.from({ length: 12 }, (_, number) => one.script(`echo ${number} $PPID; echo err >&2; exit ${number}`)),
  )
  expect(ends.map(({ code, isLate, isAbsent }) => ({ code, isLate, isAbsent }))).toEqual(
    Array.from({ length: 12 }, (_, code) => ({ code, isLate: false, isAbsent: false })),
  )
  const starter = await starterOf(one)
  expect(starter).not.toBe(process.pid)
  for (const [number, { output, gone }] of ends.entries()) {
    expect(output.split('\n').sort()).toEqual(['', `${number} ${starter}`, 'err'])
    await gone
  }
})

test('a few are our own', async () => {
  await using programs = new StartedPrograms(systemClock)
  const { output } = await programs.run('stat', ['-c', '%n', '/'], { limitMs })
  expect(output).toBe('/\n')
  const { code, isAbsent } = await programs.run('umount', ['/no/such/place'], { limitMs, saysErrorsOnly: true })
  expect([code === 0, isAbsent]).toEqual([false, false])
})

test('a limit and a signal end one with what it started', async () => {
  const { script } = busy()
  const late = await script('sleep 300 & sleep 300', { limitMs: 50 })
  expect(late).toMatchObject({ code: undefined, isLate: true })
  await late.gone
  const stop = new AbortController()
  const running = script('echo there; sleep 300', { signal: stop.signal })
  stop.abort()
  const stopped = await running
  expect(stopped).toMatchObject({ code: undefined, isLate: true })
  await stopped.gone
  expect((await script('sleep 300', { signal: stop.signal })).isLate).toBe(true)
})

test('one that is killed takes nobody else along: who waits is told, and the next has another', async () => {
  const one = busy()
  const first = await starterOf(one)
  const waiting = [one.script('sleep 300'), one.script('sleep 300')]
  process.kill(first, 'SIGKILL')
  for (const end of await Promise.all(waiting)) {
    expect(end).toMatchObject({ code: undefined, isLate: false, isAbsent: false })
    expect(end.output).toBe('what started it ended with SIGKILL: how it ended is not known')
    await end.gone
  }
  expect(await starterOf(one)).not.toBe(first)
})

test('it ends when nothing has been asked of it for a while, and is there again when it is needed', async () => {
  const one = busy(hostClock({ speed: 1_000 }))
  const first = await starterOf(one)
  await expect.poll(() => isThere(first)).toBe(false)
  expect(await starterOf(one)).not.toBe(first)
})

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    // Nobody has that number any more.
    return false
  }
}
