// Ballast against the real things: `npm run test:real -- [--ci] [--minutes N] [--alone] [--brief] [--failed FILE] [name …]`.
//
// Without flags: all of them; with names what is called so, whole or in part. `--ci` has what the change can reach and a quarter by turn,
// and names what it leaves; after `--minutes` nothing new is begun, `--build-minutes` limits building. `--alone` has one after the other,
// `--brief` (as `--ci`) lets controllers of others work for little more than a minute, else for ten or a quarter of `--minutes`; `--failed`
// names what failed. What this machine cannot build or fetch is skipped and counted. BALLAST_SEED (default 1) chooses the
// fresh clusters.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { changedFiles, turnOf } from '../reach/change.ts'
import { choose, type Row, toldOf, turns } from '../reach/choose.ts'
import { ReachGraph } from '../reach/graph.ts'
import { Passes } from '../reach/passes.ts'
import { aggregationChecks } from './aggregation/checks.ts'
import { badInputChecks } from './bad-input/checks.ts'
import { ballastChecks } from './ballast/checks.ts'
import { browserChecks } from './browser/checks.ts'
import { type Check, namedChecks, runChecks } from './check.ts'
import { clientChecks } from './clients/checks.ts'
import { controlPlaneChecks } from './control-plane-checks.ts'
import { controllerChecks } from './controllers/checks.ts'
import { deschedulerChecks } from './descheduler/checks.ts'
import { evictorOptionChecks } from './descheduler/evictor-options.ts'
import { instrumentChecks } from './descheduler/instrument-checks.ts'
import { measuredChecks } from './descheduler/measured-checks.ts'
import { prometheusChecks } from './descheduler/prometheus-checks.ts'
import { shadowChecks } from './descheduler/shadow.ts'
import { deviceChecks } from './devices/checks.ts'
import { differentialChecks } from './differential/checks.ts'
import { evictionChecks } from './evictions/checks.ts'
import { featureChecks } from './features/checks.ts'
import { gatewayChecks } from './gateway/checks.ts'
import { limitBuilding } from './go-build.ts'
import { helmChecks } from './helm/checks.ts'
import { imageChecks } from './image/checks.ts'
import { briefMs, independentChecks, limitSuites } from './independent/checks.ts'
import { kedaChecks } from './keda/checks.ts'
import { kubectlChecks } from './kubectl/verbs.ts'
import { kubeletChecks } from './kubelet/checks.ts'
import { kwokChecks } from './kwok/checks.ts'
import { longestFirst } from './longest.ts'
import { lookChecks } from './look/checks.ts'
import { metricsChecks } from './metrics/checks.ts'
import { twinMetricsChecks } from './metrics/twin-checks.ts'
import { migrateChecks } from './migrate/checks.ts'
import { laboratoryChecks } from './mirror/laboratory-checks.ts'
import { nodeFileChecks } from './mirror/node-files/checks.ts'
import { peerChecks } from './mirror/peers/checks.ts'
import { prefetchChecks } from './mirror/prefetch.ts'
import { storeChecks } from './mirror/store/checks.ts'
import { monitoringChecks } from './monitoring/checks.ts'
import { nfsChecks } from './nfs/checks.ts'
import { otherPeopleChecks } from './other-people/checks.ts'
import { packageChecks } from './packages/checks.ts'
import { placementChecks } from './placements/checks.ts'
import { reloadChecks } from './reload/checks.ts'
import { scalerChecks } from './scalers/checks.ts'
import { driverChecks } from './scalers/driver-checks.ts'
import { upstreamChecks } from './upstreams/checks.ts'

const root = join(import.meta.dirname, '..', '..')

/** Each list of checks with the file that it comes from: what that imports is what the checks depend on. The longest, which mostly wait, begin. */
const areas = (seed: number): readonly (readonly [file: string, checks: readonly Check[]])[] => [
  ['reload/checks.ts', reloadChecks],
  ['migrate/checks.ts', migrateChecks],
  ['control-plane-checks.ts', controlPlaneChecks],
  ['controllers/checks.ts', controllerChecks],
  ['ballast/checks.ts', ballastChecks],
  ['kwok/checks.ts', kwokChecks],
  ['image/checks.ts', imageChecks],
  ['packages/checks.ts', packageChecks],
  ['evictions/checks.ts', evictionChecks],
  ['helm/checks.ts', helmChecks],
  ['aggregation/checks.ts', aggregationChecks],
  ['bad-input/checks.ts', badInputChecks],
  ['differential/checks.ts', differentialChecks],
  ['kubectl/verbs.ts', kubectlChecks],
  ['other-people/checks.ts', otherPeopleChecks],
  ['independent/checks.ts', independentChecks],
  ['upstreams/checks.ts', upstreamChecks],
  ['look/checks.ts', lookChecks],
  ['metrics/checks.ts', metricsChecks],
  ['metrics/twin-checks.ts', twinMetricsChecks],
  ['descheduler/checks.ts', deschedulerChecks],
  ['descheduler/shadow.ts', shadowChecks],
  ['descheduler/evictor-options.ts', evictorOptionChecks],
  ['descheduler/instrument-checks.ts', instrumentChecks],
  ['descheduler/measured-checks.ts', measuredChecks],
  ['descheduler/prometheus-checks.ts', prometheusChecks],
  ['mirror/peers/checks.ts', peerChecks],
  ['clients/checks.ts', clientChecks],
  ['browser/checks.ts', browserChecks],
  ['mirror/node-files/checks.ts', nodeFileChecks],
  ['mirror/laboratory-checks.ts', laboratoryChecks],
  ['mirror/store/checks.ts', storeChecks],
  ['keda/checks.ts', kedaChecks],
  ['gateway/checks.ts', gatewayChecks],
  ['kubelet/checks.ts', kubeletChecks],
  ['mirror/prefetch.ts', prefetchChecks],
  ['scalers/checks.ts', scalerChecks],
  ['scalers/driver-checks.ts', driverChecks],
  ['placements/checks.ts', placementChecks(seed)],
  ['features/checks.ts', featureChecks(seed)],
  ['devices/checks.ts', deviceChecks],
  ['nfs/checks.ts', nfsChecks],
  ['monitoring/checks.ts', monitoringChecks],
]

interface RealRow extends Row {
  readonly check: Check
}

/** A check's own hash is of its area: what one of them needs any of them may. */
function rowsOf(seed: number): readonly RealRow[] {
  const graph = new ReachGraph(root)
  return areas(seed).flatMap(([file, checks]) => {
    const files = graph.filesOf([`test/real/${file}`, 'test/real/check.ts'])
    const hash = graph.hashOf(files)
    return checks.map(check => ({ name: check.name, check, files, hash }))
  })
}

function minutesOf(flag: string, text: string | undefined): number {
  const minutes = text === undefined ? Number.POSITIVE_INFINITY : Number(text)
  if (!(minutes > 0)) throw new Error(`--${flag}: found ${text}, expected a number above 0`)
  return minutes
}

if (import.meta.main) {
  const { values, positionals: names } = parseArgs({
    options: {
      ci: { type: 'boolean' },
      minutes: { type: 'string' },
      'build-minutes': { type: 'string' },
      alone: { type: 'boolean' },
      brief: { type: 'boolean' },
      failed: { type: 'string' },
    },
    allowPositionals: true,
  })
  const seed = Number(process.env.BALLAST_SEED ?? '1')
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new Error(`BALLAST_SEED: found ${process.env.BALLAST_SEED}, expected a number`)
  limitBuilding(minutesOf('build-minutes', values['build-minutes']))
  const minutes = minutesOf('minutes', values.minutes)
  limitSuites(values.ci === true || values.brief === true ? briefMs : (minutes * 60_000) / 4)
  const passes = new Passes('real')
  const rows = longestFirst(rowsOf(seed))
  const turn = turnOf(root, turns)
  const chosen =
    values.ci === true && names.length === 0
      ? choose(rows, { passes: passes.byName, changed: changedFiles(root) ?? new Set(rows.flatMap(({ files }) => files)), turn })
      : rows.map(row => ({ row, standing: 'reached' as const }))
  if (values.ci === true) console.log(`test:real: of ${rows.length} checks ${toldOf(chosen)}; turn ${turn} of ${turns}`)
  const now = chosen.filter(({ standing }) => standing === 'reached' || standing === 'turn').map(({ row }) => row.check)
  const unseen = chosen.filter(({ standing }) => standing === 'open').map(({ row }) => row.name)
  const { passed, failed, skipped, left } = await runChecks(namedChecks(now, names), line => console.log(line), {
    allAlone: values.alone === true,
    minutes,
    ended(check, hasPassed) {
      const row = rows.find(one => one.check === check)
      if (row !== undefined) passes.note(row.name, row.hash, hasPassed)
    },
  })
  const open = [...unseen, ...left]
  for (const reason of skipped) console.log(`skipped: ${reason}`)
  for (const name of open) console.log(`open: ${name}`)
  console.log(`test:real: ${passed} passed, ${failed.length} failed, ${skipped.length} skipped, ${open.length} open`)
  if (values.failed !== undefined) writeFileSync(values.failed, failed.map(name => `${name}\n`).join(''))
  process.exitCode = failed.length === 0 ? 0 : 1
}
