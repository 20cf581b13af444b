// `ballast migrate` and `ballast doctor` beside a real Reloader, and a real descheduler, on a real API server.
import type { Check } from '../check.ts'
import { judgeDeschedulerCronJob, judgeDeschedulerDeployment } from './descheduler.ts'
import { judgeMigration } from './swap.ts'

export const migrateChecks: readonly Check[] = [
  // It waits for what comes twice, and upstream listens on a port of its own choice.
  { name: 'migrate: Reloader to Ballast, back, and there again', run: judgeMigration },
  { name: 'migrate: a Deployment of the descheduler to Ballast, back, and there again', run: judgeDeschedulerDeployment },
  { name: 'migrate: a CronJob of the descheduler to Ballast, back, and there again', run: judgeDeschedulerCronJob },
]
