import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { Progress } from './progress.ts'

async function told(hasStatus: boolean, steps: number, stepMs: number) {
  const clock = new VirtualClock(0)
  const lines: string[] = []
  const statuses: string[] = []
  const terminal = {
    say: (text: string) => void lines.push(text),
    ...(hasStatus ? { status: (text: string) => void statuses.push(text) } : {}),
  }
  const progress = new Progress(terminal, clock)
  for (let step = 0; step < steps; step++) {
    progress.note(() => `${step} of ${steps}`)
    await clock.advance(stepMs)
  }
  progress.end(seconds => `done in ${seconds} s`)
  return { lines, statuses }
}

test.each([
  ['a pipe: a line each five seconds', false, 120, 100, ['10 of 120', '60 of 120', '110 of 120', 'done in 12.0 s'], 0],
  ['a terminal: its line ten times a second', true, 120, 50, ['done in 6.0 s'], 50],
  ['what is done at once: nothing', false, 9, 100, [], 0],
  ['what is done at once on a terminal: nothing', true, 9, 100, [], 0],
] as const)('%s', async (_, hasStatus, steps, stepMs, lines, statuses) => {
  const seen = await told(hasStatus, steps, stepMs)
  expect(seen.lines).toEqual(lines)
  expect(seen.statuses).toHaveLength(statuses)
})
