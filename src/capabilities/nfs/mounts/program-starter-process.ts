// The process that starts programs for `program-starter.ts`.
import { systemClock } from '#kube/clock.ts'
import { machinePrograms } from './program.ts'
import type { FromStarter, ToStarter } from './program-starter.ts'

const stops = new Map<number, AbortController>()

async function start({
  number,
  mark,
  program,
  args,
  limitMs,
  saysErrorsOnly,
}: Extract<ToStarter, { kind: 'run' }>): Promise<void> {
  const stop = new AbortController()
  stops.set(number, stop)
  const run = machinePrograms(systemClock, mark)
  const { gone, ...end } = await run(program, args, { limitMs, saysErrorsOnly, signal: stop.signal })
  stops.delete(number)
  say({ kind: 'end', number, end })
  await gone
  say({ kind: 'gone', number })
}

function say(message: FromStarter): void {
  if (process.connected) process.send?.(message)
}

// A driver that comes next may do the same: what was to be done for this one is not to be done beside it. This process ends once its programs have.
process.on('disconnect', () => {
  for (const stop of stops.values()) stop.abort()
})
process.on('message', (message: ToStarter) => {
  if (message.kind === 'run') void start(message)
  else stops.get(message.number)?.abort()
})
