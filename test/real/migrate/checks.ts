// `ballast migrate` and `ballast doctor` beside a real Reloader on a real API server.
import type { Check } from '../check.ts'
import { judgeMigration } from './swap.ts'

export const migrateChecks: readonly Check[] = [
  // It waits for what comes twice, and upstream listens on a port of its own choice.
  { name: 'migrate: Reloader to Ballast, back, and there again', alone: true, run: judgeMigration },
]
