// Upstream's load test S1 to S13, and S14 of ours, before Reloader, `ballast reloader` and `ballast controller`, one after the other on one real control
// plane, without controllers and kubelets: a stand-in says of each roll-out that it is over.
// `node bench/reload.ts [S1 …] [--seconds 20] [--pace 1] [--program name …] [--record]`; `--record` writes test/fixtures/reload.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { PartUnavailable } from '../test/real/cache.ts'
import { type ProgramName, programNames } from '../test/real/reload/programs.ts'
import { openReplay, type Played } from '../test/real/reload/replay.ts'
import { scenarios } from '../test/real/reload/scenarios.ts'
import { figuresOf, replayTable } from '../test/real/reload/table.ts'
import { upstreamVersion } from '../test/real/upstreams/build.ts'

const fixture = join(import.meta.dirname, '..', 'test', 'fixtures', 'reload', 'load-scenarios.json')

interface Choice {
  readonly wanted: readonly string[]
  readonly programs: readonly ProgramName[]
  readonly seconds: number
  readonly pace: number
}

async function playAll({ wanted, programs, seconds, pace }: Choice): Promise<readonly Played[]> {
  const chosen = scenarios.filter(({ id }) => wanted.length === 0 || wanted.includes(id))
  await using replay = await openReplay()
  const played: Played[] = []
  for (const program of programs) {
    try {
      const told = (one: Played) => console.error(replayTable([figuresOf(one)]).split('\n')[1])
      played.push(...(await replay.play(program, chosen, { seconds, pace }, { told })))
    } catch (cause) {
      if (!(cause instanceof PartUnavailable)) throw cause
      console.log(`left out: ${cause.message}`)
    }
  }
  return played
}

async function main(): Promise<void> {
  const options = {
    seconds: { type: 'string', default: '20' },
    pace: { type: 'string', default: '1' },
    program: { type: 'string', multiple: true },
    record: { type: 'boolean', default: false },
  } as const
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const programs = programNames.filter(name => values.program === undefined || values.program.includes(name))
  const form = { seconds: Number(values.seconds), pace: Number(values.pace) }
  const played = await playAll({ wanted: positionals, programs, ...form })
  const figures = played.map(figuresOf)
  console.log(`\n${form.seconds} s of changes each; seldom ones at ${form.pace} of their interval`)
  console.log(replayTable(figures))
  for (const { scenario, program, missed, unexpected } of played)
    for (const what of [...missed.slice(0, 3).map(one => `missed ${one}`), ...unexpected.slice(0, 3).map(one => `extra ${one}`)])
      console.log(`${scenario} ${program}: ${what}`)
  if (!values.record) return
  mkdirSync(join(fixture, '..'), { recursive: true })
  const about = { upstream: upstreamVersion('reloader'), command: 'node bench/reload.ts --record', ...form }
  writeFileSync(fixture, `${JSON.stringify({ ...about, figures }, undefined, 2)}\n`)
}

await main()
