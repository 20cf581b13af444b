// Kinds that a webhook converts beside those of a real API server (`test/real/aggregation/record.ts`).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { recordConversionLife } from '#test/real/aggregation/conversion-life.ts'
import { recordConversions } from '#test/real/aggregation/conversion-scenario.ts'
import type { Recorded, Site } from '#test/real/aggregation/scenario.ts'
import { siteOf } from '#test/real/aggregation/twin-site.ts'
import { startTwin } from '../twin.ts'

const fixtures = join(import.meta.dirname, '..', '..', '..', 'test', 'fixtures', 'aggregation')

/** UIDs differ from run to run. */
const steady = (records: readonly Recorded[]) =>
  new Map(
    JSON.parse(JSON.stringify(records).replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UID')).map((record: Recorded) => [
      record.name,
      record,
    ]),
  )

test.each<[string, string, (site: Site, lagMs: number) => Promise<readonly Recorded[]>]>([
  ['a kind in two versions is converted', 'conversions', recordConversions],
  ['a kind goes from one version to the next', 'conversion-life', recordConversionLife],
])('%s as on a real API server', async (_, name, record) => {
  const recorded: { readonly records: readonly Recorded[] } = JSON.parse(readFileSync(join(fixtures, `${name}.json`), 'utf8'))
  await using twin = await startTwin({ clock: systemClock, components: false, listen: { port: 0 } })
  await using site = await siteOf(twin)
  expect(steady(await record(site, 0))).toEqual(steady(recorded.records))
})
