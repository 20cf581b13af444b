// Ballast against the real things: `npm run test:real`. What this machine cannot build or fetch is skipped and counted.
// BALLAST_SEED (default 1) chooses the fresh clusters.
import { ballastChecks } from './ballast/checks.ts'
import { runChecks } from './check.ts'
import { controlPlaneChecks } from './control-plane-checks.ts'
import { evictionChecks } from './evictions/checks.ts'
import { kubectlChecks } from './kubectl/verbs.ts'
import { placementChecks } from './placements/checks.ts'

if (import.meta.main) {
  const seed = Number(process.env.BALLAST_SEED ?? '1')
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new Error(`BALLAST_SEED: found ${process.env.BALLAST_SEED}, expected a number`)
  const checks = [...controlPlaneChecks, ...ballastChecks, ...evictionChecks, ...kubectlChecks, ...placementChecks(seed)]
  const { passed, failed, skipped } = await runChecks(checks, line => console.log(line))
  for (const reason of skipped) console.log(`skipped: ${reason}`)
  console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`)
  process.exitCode = failed === 0 ? 0 : 1
}
