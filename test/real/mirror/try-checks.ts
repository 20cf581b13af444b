// Runs the laboratory's checks alone: `node test/real/mirror/try-checks.ts [name …]`.
import { namedChecks, runChecks } from '../check.ts'
import { laboratoryChecks } from './laboratory-checks.ts'

const { passed, failed, skipped } = await runChecks(
  namedChecks(laboratoryChecks, process.argv.slice(2)),
  line => console.log(line),
  true,
)
for (const reason of skipped) console.log(`skipped: ${reason}`)
console.log(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped`)
process.exitCode = failed.length === 0 ? 0 : 1
