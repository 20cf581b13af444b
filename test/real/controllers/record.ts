// Records the fixtures of test/fixtures/controllers: `node test/real/controllers/record.ts [name of a file or scenario ...]`.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startControlPlane } from '../control-plane/start.ts'
import { type RecordedFile, scenarioFiles } from './files.ts'
import { serveMetrics } from './metrics-server.ts'
import { MetricsTables } from './metrics-table.ts'
import { mainNode, playOnRealCluster, Silence } from './real-cluster.ts'
import type { RecordedStep, Scenario } from './scenario.ts'

const directory = join(import.meta.dirname, '../../fixtures/controllers')
const command = 'node test/real/controllers/record.ts'
const sideBySide = 8
/** The controllers must not wait for their own throttling: many scenarios go on at once. */
const unthrottled = ['--kube-api-qps=500', '--kube-api-burst=1000']

if (import.meta.main) {
  mkdirSync(directory, { recursive: true })
  const wanted = process.argv.slice(2)
  const isWanted = (file: string, scenario: Scenario) =>
    wanted.length === 0 || wanted.includes(file) || wanted.includes(scenario.name)
  const work = Object.entries(scenarioFiles).flatMap(([file, scenarios]) =>
    scenarios.filter(scenario => isWanted(file, scenario)).map(scenario => ({ file, scenario })),
  )
  const plane = await startControlPlane({ scheduler: '1.36', controllerManager: true, controllerFlags: unthrottled })
  const recorded = new Map<Scenario, readonly RecordedStep[]>()
  try {
    await plane.client.want('POST', '/api/v1/nodes', mainNode)
    await using silence = new Silence(plane)
    const tables = new MetricsTables(() => Date.now())
    await using _metrics = await serveMetrics(plane, tables)
    const site = { plane, silence, tables }
    const queue = [...work]
    const failures: unknown[] = []
    const play = async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        try {
          recorded.set(next.scenario, await playOnRealCluster(site, next.scenario))
          console.log(`played ${next.scenario.name}`)
        } catch (cause) {
          failures.push(cause)
        }
      }
    }
    await Promise.all(Array.from({ length: sideBySide }, play))
    for (const failure of failures) console.error(failure)
    process.exitCode = failures.length === 0 ? 0 : 1
  } finally {
    await plane.stop()
  }
  for (const [file, scenarios] of Object.entries(scenarioFiles)) {
    if (!scenarios.some(scenario => recorded.has(scenario))) continue
    const path = join(directory, `${file}.json`)
    const before: RecordedFile | undefined = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
    const steps = Object.fromEntries(
      scenarios.flatMap(scenario => {
        const now = recorded.get(scenario) ?? before?.scenarios[scenario.name]
        return now === undefined ? [] : [[scenario.name, now]]
      }),
    )
    const content: RecordedFile = { serverVersion: plane.serverVersion, command, scenarios: steps }
    writeFileSync(path, `${JSON.stringify(content, undefined, 1)}\n`)
    console.log(`wrote ${file}.json`)
  }
}
