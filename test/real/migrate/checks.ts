// `ballast migrate` and `ballast doctor` beside a real Reloader, and a real descheduler, on a real API server.
import type { Check } from '../check.ts'
import { reloaderPort } from '../upstreams/build.ts'
import { judgeDeschedulerCronJob, judgeDeschedulerDeployment } from './descheduler.ts'
import { judgeHttpAddOn } from './http-add-on.ts'
import { judgeKeda } from './keda.ts'
import { judgeMetricsServer } from './metrics.ts'
import { judgeMigration } from './swap.ts'

/** Ballast's apiserver has it in the place of its pods, beside 8081. */
const apiserverPort = 6_443

export const migrateChecks: readonly Check[] = [
  { name: 'migrate: Reloader to Ballast, back, and there again', port: reloaderPort, run: judgeMigration },
  { name: 'migrate: a Deployment of the descheduler to Ballast, back, and there again', run: judgeDeschedulerDeployment },
  { name: 'migrate: a CronJob of the descheduler to Ballast, back, and there again', run: judgeDeschedulerCronJob },
  { name: 'migrate: metrics-server to Ballast, and back, without a gap', port: apiserverPort, run: judgeMetricsServer },
  { name: 'migrate: KEDA to Ballast, and back, no replica changed', port: apiserverPort, run: judgeKeda },
  { name: "migrate: KEDA's HTTP add-on to Ballast, and back, no request failed", alone: true, run: judgeHttpAddOn },
]
