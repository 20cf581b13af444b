// The recorded evictions are still what a real server answers.
import { deepStrictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Check } from '../check.ts'
import { startControlPlane } from '../control-plane/start.ts'
import { type RecordedEviction, recordServerAnswers } from './server-answers.ts'

const fixture = join(import.meta.dirname, '../../fixtures/evictions/server-answers.json')

export const evictionChecks: readonly Check[] = [
  {
    name: 'evictions are answered as recorded',
    async run() {
      const { evictions }: { evictions: RecordedEviction[] } = JSON.parse(readFileSync(fixture, 'utf8'))
      const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
      try {
        const fresh = await recordServerAnswers(plane.client)
        deepStrictEqual(JSON.parse(JSON.stringify(fresh)), evictions)
        return `${fresh.length} cases`
      } finally {
        await plane.stop()
      }
    },
  },
]
