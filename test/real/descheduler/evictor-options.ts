// Every option of DefaultEvictor before the real descheduler: it spares the pods that ours spares.
// `node test/real/descheduler/evictor-options.ts` records what it evicts.
import { deepStrictEqual } from 'node:assert'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import {
  brokenUpstream,
  evictorCluster,
  evictorPolicy,
  optionNames,
  ourEvictions,
  type RecordedOptions,
} from '#test/descheduler-evictor-options.ts'
import type { Check } from '../check.ts'
import { upstreamVersion } from '../upstreams/build.ts'
import { ourProgram, upstreamProgram } from './programs.ts'
import { twinCycle } from './twin-cycle.ts'

const fixture = join(import.meta.dirname, '..', '..', 'fixtures', 'descheduler-evictor', 'options.json')

export const evictorOptionChecks: readonly Check[] = [
  {
    name: 'the real descheduler spares what ours does, by every option of DefaultEvictor',
    async run() {
      const ours = await ourProgram()
      let evicted = 0
      for (const option of optionNames) {
        const theirs = await evictedByUpstream(option)
        const side = { objects: evictorCluster(systemClock.now()), policy: evictorPolicy(option) }
        const expected = [...theirs, ...(brokenUpstream.get(option) ?? [])].sort()
        deepStrictEqual((await twinCycle(ours, side)).toSorted(), expected, option)
        evicted += theirs.length
      }
      return `${optionNames.length} options, ${evicted} evictions`
    },
  },
]

async function evictedByUpstream(option: string): Promise<readonly string[]> {
  const side = { objects: evictorCluster(systemClock.now()), policy: evictorPolicy(option) }
  return (await twinCycle(await upstreamProgram(), side)).toSorted()
}

if (import.meta.main) {
  const evicted: Record<string, readonly string[]> = {}
  for (const option of optionNames) {
    evicted[option] = await evictedByUpstream(option)
    const ours = ourEvictions(option, systemClock.now())
    const more = ours.filter(key => !evicted[option]?.includes(key))
    const less = evicted[option].filter(key => !ours.includes(key))
    console.log(
      `${option}: ${evicted[option].length} evictions; ours alone ${more.join(' ') || '-'}; upstream alone ${less.join(' ') || '-'}`,
    )
  }
  mkdirSync(dirname(fixture), { recursive: true })
  const recorded: RecordedOptions = { version: upstreamVersion('descheduler'), evicted }
  writeFileSync(fixture, `${JSON.stringify(recorded, undefined, 1)}\n`)
}
