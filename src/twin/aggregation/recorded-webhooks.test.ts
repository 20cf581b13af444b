// The twin's webhooks beside those of a real API server (`test/real/aggregation/record.ts`).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import type { Recorded } from '#test/real/aggregation/scenario.ts'
import { siteOf } from '#test/real/aggregation/twin-site.ts'
import { recordWebhooks } from '#test/real/aggregation/webhook-scenario.ts'
import { startTwin } from '../twin.ts'

const fixture = join(import.meta.dirname, '..', '..', '..', 'test', 'fixtures', 'aggregation', 'webhooks.json')
const recorded: { readonly records: readonly Recorded[] } = JSON.parse(readFileSync(fixture, 'utf8'))

/** Upstream writes zeros and nulls there that say nothing; clients read them as absent. */
const emptyStatus = /,"status":\{("(currentReplicas|desiredReplicas|currentMetrics)":(0|null),?)*\}/g

/** UIDs of reviews differ from run to run. */
const steady = (records: readonly Recorded[]) =>
  new Map(
    JSON.parse(
      JSON.stringify(records)
        .replaceAll(emptyStatus, '')
        .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UID'),
    ).map((record: Recorded, at: number) => [`${at} ${record.name}`, record]),
  )

test('webhooks, well and badly behaved, do to writes what they do on a real API server', async () => {
  await using twin = await startTwin({ clock: systemClock, components: false, listen: { port: 0 } })
  await using site = await siteOf(twin)
  expect(steady(await recordWebhooks(site, 0))).toEqual(steady(recorded.records))
})
