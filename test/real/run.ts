// Ballast against the real things: `npm run test:real`. What this machine cannot build or fetch is skipped and counted.
// `npm run test:real -- [--alone] [--failed <file>] [name …]` runs only what is named, whole or in part, one after the other if so told,
// and writes the names of what failed. `--turn 1/3` leaves two thirds of the longest to other turns, and says so.
// BALLAST_SEED (default 1) chooses the fresh clusters.
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { aggregationChecks } from './aggregation/checks.ts'
import { badInputChecks } from './bad-input/checks.ts'
import { ballastChecks } from './ballast/checks.ts'
import { browserChecks } from './browser/checks.ts'
import { namedChecks, runChecks } from './check.ts'
import { clientChecks } from './clients/checks.ts'
import { controlPlaneChecks } from './control-plane-checks.ts'
import { controllerChecks } from './controllers/checks.ts'
import { deschedulerChecks } from './descheduler/checks.ts'
import { evictorOptionChecks } from './descheduler/evictor-options.ts'
import { instrumentChecks } from './descheduler/instrument-checks.ts'
import { measuredChecks } from './descheduler/measured-checks.ts'
import { prometheusChecks } from './descheduler/prometheus-checks.ts'
import { shadowChecks } from './descheduler/shadow.ts'
import { evictionChecks } from './evictions/checks.ts'
import { helmChecks } from './helm/checks.ts'
import { imageChecks } from './image/checks.ts'
import { kubectlChecks } from './kubectl/verbs.ts'
import { kubeletChecks } from './kubelet/checks.ts'
import { kwokChecks } from './kwok/checks.ts'
import { migrateChecks } from './migrate/checks.ts'
import { laboratoryChecks } from './mirror/laboratory-checks.ts'
import { nodeFileChecks } from './mirror/node-files/checks.ts'
import { peerChecks } from './mirror/peers/checks.ts'
import { prefetchChecks } from './mirror/prefetch.ts'
import { storeChecks } from './mirror/store/checks.ts'
import { placementChecks } from './placements/checks.ts'
import { reloadChecks } from './reload/checks.ts'
import { takingTurns } from './turns.ts'
import { upstreamChecks } from './upstreams/checks.ts'

if (import.meta.main) {
  const options = { alone: { type: 'boolean' }, failed: { type: 'string' }, turn: { type: 'string' } } as const
  const { values, positionals: names } = parseArgs({ options, allowPositionals: true })
  const seed = Number(process.env.BALLAST_SEED ?? '1')
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new Error(`BALLAST_SEED: found ${process.env.BALLAST_SEED}, expected a number`)
  const checks = [
    // The longest, which mostly wait, begin.
    ...reloadChecks,
    ...migrateChecks,
    ...controlPlaneChecks,
    ...controllerChecks,
    ...ballastChecks,
    ...kwokChecks,
    ...imageChecks,
    ...evictionChecks,
    ...helmChecks,
    ...aggregationChecks,
    ...badInputChecks,
    ...kubectlChecks,
    ...upstreamChecks,
    ...deschedulerChecks,
    ...shadowChecks,
    ...evictorOptionChecks,
    ...instrumentChecks,
    ...measuredChecks,
    ...prometheusChecks,
    ...peerChecks,
    ...clientChecks,
    ...browserChecks,
    ...nodeFileChecks,
    ...laboratoryChecks,
    ...storeChecks,
    ...kubeletChecks,
    ...prefetchChecks,
    ...placementChecks(seed),
  ]
  const { now, later } = takingTurns(checks, names.length > 0 ? '1/1' : (values.turn ?? '1/1'))
  const { passed, failed, skipped } = await runChecks(namedChecks(now, names), line => console.log(line), values.alone)
  for (const reason of skipped) console.log(`skipped: ${reason}`)
  for (const { name } of later) console.log(`left to another turn: ${name}`)
  console.log(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped, ${later.length} left to other turns`)
  if (values.failed !== undefined) writeFileSync(values.failed, failed.map(name => `${name}\n`).join(''))
  process.exitCode = failed.length === 0 ? 0 : 1
}
