// Kinds that a webhook converts beside those of a real API server (`test/real/aggregation/record.ts`).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { recordConversions } from '#test/real/aggregation/conversion-scenario.ts'
import type { Recorded } from '#test/real/aggregation/scenario.ts'
import { siteOf } from '#test/real/aggregation/twin-site.ts'
import { startTwin } from '../twin.ts'

const fixture = join(import.meta.dirname, '..', '..', '..', 'test', 'fixtures', 'aggregation', 'conversions.json')
const recorded: { readonly records: readonly Recorded[] } = JSON.parse(readFileSync(fixture, 'utf8'))

/** UIDs differ from run to run. */
const steady = (records: readonly Recorded[]) =>
  new Map(
    JSON.parse(JSON.stringify(records).replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UID')).map((record: Recorded) => [
      record.name,
      record,
    ]),
  )

test('a kind in two versions is converted as on a real API server', async () => {
  await using twin = await startTwin({ clock: systemClock, components: false, listen: { port: 0 } })
  await using site = await siteOf(twin)
  expect(steady(await recordConversions(site, 0))).toEqual(steady(recorded.records))
})
