// Bad input, answered by the twin as a real kube-apiserver answered it: every case of test/real/bad-input, field by field.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { answersTo, type RecordedCase, type RecordedGroup } from '#test/real/bad-input/case.ts'
import { differenceOf } from '#test/real/bad-input/differences.ts'
import { endpointOf } from '#test/real/bad-input/endpoint.ts'
import { badInputGroups } from '#test/real/bad-input/groups.ts'
import { startTwin } from '#twin/twin.ts'

const fixtures = join(import.meta.dirname, 'fixtures', 'bad-input')

describe.each(badInputGroups.map(group => [group.name, group] as const))('%s', (name, group) => {
  test('every answer is the recorded one', async () => {
    const recorded: RecordedGroup = JSON.parse(readFileSync(join(fixtures, `${name}.json`), 'utf8'))
    const bugs: string[] = []
    await using twin = await startTwin({
      clock: new VirtualClock(Date.parse('2026-01-01T00:00:00Z')),
      seed: 1,
      components: false,
      listen: { port: 0 },
      onTrouble: ({ where, error }) => bugs.push(`${where}: ${error instanceof Error ? error.stack : error}`),
    })
    const answers = await answersTo(endpointOf(await twin.kubeconfig()), group)
    const known = new Map(recorded.cases.map(one => [one.name, one]))
    const found = answers.flatMap((answer): unknown[] => {
      const real: RecordedCase | undefined = known.get(answer.name)
      if (real === undefined) return [`${answer.name} was not recorded`]
      const difference = differenceOf(name, real, answer)
      return difference === undefined ? [] : [difference]
    })
    expect({ bugs, found }).toEqual({ bugs: [], found: [] })
  })
})
