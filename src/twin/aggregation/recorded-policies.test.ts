// Admission policies beside those of a real API server (`test/real/aggregation/record.ts`).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { recordPolicies } from '#test/real/aggregation/policy-scenario.ts'
import type { Recorded } from '#test/real/aggregation/scenario.ts'
import { siteOf } from '#test/real/aggregation/twin-site.ts'
import { startTwin } from '../twin.ts'

const fixture = join(import.meta.dirname, '..', '..', '..', 'test', 'fixtures', 'aggregation', 'policies.json')
const recorded: { readonly records: readonly Recorded[] } = JSON.parse(readFileSync(fixture, 'utf8'))

const steady = (records: readonly Recorded[]) => records.map((record, at) => [`${at} ${record.name}`, record] as const)

/** What a real server's compiler says of an expression before it is used. Ours reads it, and fails where it is used. */
const compilers = new Set(['refused: not CEL', 'refused: another type', 'refused: a message that is no text'])

test('admission policies do to writes what they do on a real API server', async () => {
  await using twin = await startTwin({ clock: systemClock, components: false, listen: { port: 0 } })
  await using site = await siteOf(twin)
  const own = new Map(steady(await recordPolicies(site, 0)))
  const differing = steady(recorded.records).filter(([name, record]) => !isDeepStrictEqual(own.get(name), record))
  const unforeseen = differing.filter(([, { name }]) => !compilers.has(name))
  expect(new Map(unforeseen.map(([name]) => [name, own.get(name)]))).toEqual(new Map(unforeseen))
  expect(differing.map(([, { name }]) => name)).toEqual([...compilers])
  expect(own.size).toBe(recorded.records.length)
})
