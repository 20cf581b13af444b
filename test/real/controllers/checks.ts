// The controllers still do what was recorded: a few quick scenarios, played again on a real control plane.
import { deepStrictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Check } from '../check.ts'
import { startControlPlane } from '../control-plane/start.ts'
import { type RecordedFile, scenarioFiles } from './files.ts'
import { MetricsTables } from './metrics-table.ts'
import { mainNode, playOnRealCluster, Silence } from './real-cluster.ts'

/** Fixture and scenarios in which nothing is left to chance. */
const quick: Readonly<Record<string, readonly string[]>> = {
  deployments: ['rollout-no-surge', 'rollout-recreate'],
  'stateful-sets': ['partition', 'on-delete'],
  ownership: ['two-owners', 'who-blocks'],
  upkeep: ['budget-and-evictions', 'quota-in-use'],
}

export const controllerChecks: readonly Check[] = [
  {
    name: 'controllers do what was recorded',
    async run() {
      const plane = await startControlPlane({ scheduler: '1.36', controllerManager: true })
      try {
        await plane.client.want('POST', '/api/v1/nodes', mainNode)
        await using silence = new Silence(plane)
        const site = { plane, silence, tables: new MetricsTables(() => Date.now()) }
        const played = Object.entries(quick).flatMap(([file, names]) => names.map(name => playAgain(site, file, name)))
        await Promise.all(played)
        return `${played.length} scenarios`
      } finally {
        await plane.stop()
      }
    },
  },
]

async function playAgain(site: Parameters<typeof playOnRealCluster>[0], file: string, name: string): Promise<void> {
  const path = join(import.meta.dirname, `../../fixtures/controllers/${file}.json`)
  const { scenarios }: RecordedFile = JSON.parse(readFileSync(path, 'utf8'))
  const scenario = scenarioFiles[file]?.find(candidate => candidate.name === name)
  if (scenario === undefined) throw new Error(`there is no scenario ${name} in ${file}`)
  deepStrictEqual(await playOnRealCluster(site, scenario), scenarios[name], name)
}
