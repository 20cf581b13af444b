// DefaultEvictor, option by option: ours spares what upstream was seen to spare.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { brokenUpstream, optionNames, ourEvictions, type RecordedOptions } from './descheduler-evictor-options.ts'

const nowMs = Date.UTC(2026, 10, 1)
const recorded: RecordedOptions = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures', 'descheduler-evictor', 'options.json'), 'utf8'),
)

test('every option is recorded', () => {
  expect(Object.keys(recorded.evicted)).toEqual([...optionNames])
})

test.each(Object.entries(recorded.evicted))('%s', (option, theirs) => {
  const more = brokenUpstream.get(option) ?? []
  expect(ourEvictions(option, nowMs)).toEqual([...theirs, ...more].sort())
})
