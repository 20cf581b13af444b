// Records what the real API server answers about APIs that others serve behind it: `node test/real/aggregation/record.ts`.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startControlPlane } from '../control-plane/start.ts'
import { recordConversionLife } from './conversion-life.ts'
import { recordConversions } from './conversion-scenario.ts'
import { recordPolicies } from './policy-scenario.ts'
import { realSite } from './real-site.ts'
import { recordAggregation } from './scenario.ts'
import { recordWebhooks } from './webhook-scenario.ts'

export const aggregationFixtures = join(import.meta.dirname, '..', '..', 'fixtures', 'aggregation')

/** A real server compiles its policies a moment later. */
export const policyLagMs = 8_000

/** A real server hears of webhook configurations by a watch. */
export const webhookLagMs = 3_000

if (import.meta.main) {
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
  try {
    await using site = await realSite(plane)
    const recordings = {
      answers: () => recordAggregation(site),
      webhooks: () => recordWebhooks(site, webhookLagMs),
      policies: () => recordPolicies(site, policyLagMs),
      conversions: () => recordConversions(site, webhookLagMs),
      'conversion-life': () => recordConversionLife(site, webhookLagMs),
    }
    // Without a name all of them.
    const [only] = process.argv.slice(2)
    for (const [name, make] of Object.entries(recordings)) {
      if (only !== undefined && only !== name) continue
      const records = await make()
      const file = join(aggregationFixtures, `${name}.json`)
      writeFileSync(file, `${JSON.stringify({ server: plane.serverVersion, records }, undefined, 1)}\n`)
      console.log(`${name}: ${records.length} answers of ${plane.serverVersion} recorded`)
    }
  } finally {
    await plane.stop()
  }
}
