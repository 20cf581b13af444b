// Claims of devices on the twin: each scenario as the real scheduler (1.34 and 1.36) and resourceclaim-controller were recorded to play it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { acceptedDifferences } from './controllers-differences.ts'
import { differences, playOnTwin } from './controllers-on-twin.ts'
import { deviceScenarios } from './real/controllers/devices.ts'
import { type RecordedFile, schedulerOf } from './real/controllers/files.ts'

describe.each(['devices', 'devices-1.34'])('%s', file => {
  const recorded: RecordedFile = JSON.parse(
    readFileSync(join(import.meta.dirname, 'fixtures', 'controllers', `${file}.json`), 'utf8'),
  )
  test.each(deviceScenarios.map(scenario => [scenario.name, scenario] as const))('%s', async (name, scenario) => {
    const { steps, failures } = await playOnTwin(scenario, schedulerOf[file])
    const accepted = acceptedDifferences.filter(({ scenarios: where }) => where.includes(name))
    const found = differences(recorded.scenarios[name] ?? [], steps)
    expect(found.filter(line => !accepted.some(({ pattern }) => pattern.test(line)))).toEqual([])
    expect(failures).toEqual([])
  })
})
