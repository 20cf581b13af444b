// Every process that stays, told to end at moments of its start and of its life, by an API server that answers and by one that is silent:
// each ends in order, long before the kubelet would kill it, and by itself. And what a person starts leaves nobody behind. A run has a quarter of the
// moments, `BALLAST_TROUBLES=1/1` all.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '#kube/random.ts'
import { graceOf } from '../src/process/ending.ts'
import { shareOf } from './long-share.ts'
import { endingStage, stayingProcesses, type Told } from './process-ends.ts'

const root = join(import.meta.dirname, '..')
const random = seededRandom(3)
const kinds: readonly (readonly NodeJS.Signals[])[] = [
  ['SIGTERM'],
  ['SIGINT'],
  ['SIGHUP'],
  ['SIGTERM', 'SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGTERM'],
]
const pick = <T>(all: readonly T[]): T | undefined => all[Math.floor(random() * all.length)]
/** Early moments one by one, later ones by chance. */
const moments = (): readonly number[] => [1, 2, 3, ...Array.from({ length: 5 }, () => 4 + Math.floor(random() * 60))]

const cases = Object.keys(stayingProcesses).flatMap(process =>
  [...moments(), 'loading' as const].map(
    (at): Told => ({
      process,
      at,
      isHeld: at !== 'loading' && random() < 0.6,
      signals: pick(kinds) ?? ['SIGTERM'],
    }),
  ),
)

describe.each(Object.keys(stayingProcesses))('%s', name => {
  test.each(
    shareOf(
      cases.filter(({ process }) => process === name),
      '1/4',
    ),
  )('$signals at $at, held: $isHeld', async told => {
    await using stage = await endingStage()
    const { code, signal, tookMs, isEarly, words } = await stage.run(told)
    expect({ isEarly, words: isEarly ? words : '' }).toEqual({ isEarly: false, words: '' })
    // By itself: neither by the last resort (1) nor by a fault, and by the signal alone where nothing was loaded yet.
    const isInOrder = signal === null ? [0, 128 + 15, 128 + 2, 128 + 1].includes(code ?? -1) : told.at === 'loading'
    expect({ isInOrder, code, signal, words: isInOrder ? '' : words }).toMatchObject({ isInOrder: true })
    expect(tookMs).toBeLessThan(graceOf({}).inOrderMs)
  })
})

/** Resolves when everybody who has its output is gone. */
async function leftNobody(command: readonly string[], end: (pid: number) => void, said: RegExp): Promise<void> {
  const [program = '', ...args] = command
  const child = spawn(program, args, { cwd: root, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
  const { pid } = child
  if (pid === undefined) throw new Error('it was not started')
  try {
    const heard = Promise.withResolvers<void>()
    let output = ''
    const hear = (piece: Buffer) => {
      output += piece.toString()
      if (said.test(output)) heard.resolve()
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    const closed = Promise.all([child.stdout, child.stderr].map(stream => new Promise(gone => stream.once('close', gone))))
    await Promise.race([heard.promise, closed])
    end(pid)
    await closed
  } finally {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // Nobody of the group is left, as it should be.
    }
  }
}

describe('what a person starts leaves nobody behind', () => {
  const commands = {
    'npm start -- --once': ['npm', 'start', '--', '--once'],
    'bin/ballast up': [process.execPath, 'bin/ballast', 'up', '--port', '0'],
    'bin/ballast twin': [process.execPath, 'bin/ballast', 'twin'],
  } as const
  const ends = {
    'SIGKILL to the first alone': pid => process.kill(pid, 'SIGKILL'),
    'SIGTERM to the first alone': pid => process.kill(pid, 'SIGTERM'),
    'SIGTERM to all': pid => process.kill(-pid, 'SIGTERM'),
    'SIGHUP to all': pid => process.kill(-pid, 'SIGHUP'),
    'SIGINT to all': pid => process.kill(-pid, 'SIGINT'),
  } satisfies Record<string, (pid: number) => void>
  const rows = Object.keys(commands).flatMap(command => Object.keys(ends).map(end => ({ command, end })))

  test.each(shareOf(rows, '1/2'))('$command, $end', async ({ command, end }) => {
    const words = Object.entries(commands).find(([name]) => name === command)?.[1] ?? []
    const act = Object.entries(ends).find(([name]) => name === end)?.[1]
    await leftNobody(words, pid => void act?.(pid), /ballast|talos|http|twin/i)
  })
})
