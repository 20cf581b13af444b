// The twin's controllers do what the real ones were recorded to do: same steps, same objects, same events.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { acceptedDifferences } from './controllers-differences.ts'
import { differences, playOnTwin } from './controllers-on-twin.ts'
import { type RecordedFile, scenarioFiles, schedulerOf } from './real/controllers/files.ts'

const directory = join(import.meta.dirname, 'fixtures/controllers')

describe.each(Object.entries(scenarioFiles))('%s', (file, scenarios) => {
  const recorded: RecordedFile = JSON.parse(readFileSync(join(directory, `${file}.json`), 'utf8'))

  test('every scenario is recorded', () => {
    expect(Object.keys(recorded.scenarios)).toEqual(scenarios.map(({ name }) => name))
  })

  test.each(scenarios.map(scenario => [scenario.name, scenario] as const))('%s', async (name, scenario) => {
    const { steps, failures } = await playOnTwin(scenario, schedulerOf[file])
    const found = differences(recorded.scenarios[name] ?? [], steps)
    const accepted = acceptedDifferences.filter(({ scenarios: where }) => where.includes(name))
    expect(found.filter(line => !accepted.some(({ pattern }) => pattern.test(line)))).toEqual([])
    for (const { pattern, reason } of accepted)
      expect(
        found.some(line => pattern.test(line)),
        `no longer so: ${reason}`,
      ).toBe(true)
    expect(failures).toEqual([])
  })
})
