// What both deschedulers show of themselves, side by side: metrics and health by curl, traces by a collector of Go.
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { RecordedInstruments } from '../../../src/capabilities/deschedule/compat/instruments/testdata/exposition.ts'
import type { Check } from '../check.ts'
import { comparedSpans, instrumentsOf, upstreamInstruments } from './upstream-instruments.ts'

type Shown = Omit<RecordedInstruments, 'version' | 'command'>

export const instrumentChecks: readonly Check[] = [
  {
    name: "descheduler: metrics, health and traces are upstream's",
    async run() {
      const theirs: Shown = await upstreamInstruments()
      const ours = await instrumentsOf({
        command: process.execPath,
        words: [join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'main.ts'), 'descheduler'],
        environment: { PATH: '/usr/bin:/bin' },
        spans: comparedSpans,
      })
      for (const part of ['families', 'spans', 'answers'] as const)
        if (!isDeepStrictEqual(ours[part], theirs[part]))
          throw new Error(`${part}: found ${JSON.stringify(ours[part])}, expected ${JSON.stringify(theirs[part])}`)
      return `${theirs.families.length} families of metrics, ${theirs.spans.length} kinds of spans, ${Object.keys(theirs.answers).length} paths`
    },
  },
]
