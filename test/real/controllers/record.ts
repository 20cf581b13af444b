// Records the fixtures of test/fixtures/controllers: `node test/real/controllers/record.ts [name of a file or scenario ...]`.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kubernetesVersions, type MinorVersion } from '../control-plane/build.ts'
import { startControlPlane } from '../control-plane/start.ts'
import { type RecordedFile, scenarioFiles, schedulerOf } from './files.ts'
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
  const recorded = new Map<string, readonly RecordedStep[]>()
  let serverVersion = ''
  for (const minor of Object.keys(kubernetesVersions) as MinorVersion[]) {
    const ofVersion = work.filter(({ file }) => (schedulerOf[file] ?? '1.36') === minor)
    if (ofVersion.length > 0) serverVersion = await playAll(minor, ofVersion, recorded)
  }
  for (const [file, scenarios] of Object.entries(scenarioFiles)) {
    if (!scenarios.some(({ name }) => recorded.has(`${file} ${name}`))) continue
    const path = join(directory, `${file}.json`)
    const before: RecordedFile | undefined = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
    const steps = Object.fromEntries(
      scenarios.flatMap(scenario => {
        const now = recorded.get(`${file} ${scenario.name}`) ?? before?.scenarios[scenario.name]
        return now === undefined ? [] : [[scenario.name, now]]
      }),
    )
    const content: RecordedFile = { serverVersion: withScheduler(serverVersion, file), command, scenarios: steps }
    writeFileSync(path, `${JSON.stringify(content, undefined, 1)}\n`)
    console.log(`wrote ${file}.json`)
  }
}

interface Play {
  readonly file: string
  readonly scenario: Scenario
}

/** Where the scheduler is of another version than the server, both are named. */
function withScheduler(serverVersion: string, file: string): string {
  const minor = schedulerOf[file]
  return minor === undefined ? serverVersion : `${serverVersion}, kube-scheduler v${kubernetesVersions[minor]}`
}

/** Plays scenarios on a cluster with a scheduler of that version; yields the server's version. */
async function playAll(
  scheduler: MinorVersion,
  work: readonly Play[],
  recorded: Map<string, readonly RecordedStep[]>,
): Promise<string> {
  const plane = await startControlPlane({ scheduler, controllerManager: true, controllerFlags: unthrottled })
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
          recorded.set(`${next.file} ${next.scenario.name}`, await playOnRealCluster(site, next.scenario))
          console.log(`played ${next.scenario.name}`)
        } catch (cause) {
          failures.push(cause)
        }
      }
    }
    await Promise.all(Array.from({ length: sideBySide }, play))
    for (const failure of failures) console.error(failure)
    if (failures.length > 0) process.exitCode = 1
    return plane.serverVersion
  } finally {
    await plane.stop()
  }
}
