// `ballast simulate`: what the scheduler would do, step by step, on a copy of a cluster; in CI it says whether goals would hold.

import { readFileSync } from 'node:fs'
import { text as textOf } from 'node:stream/consumers'
import { stringify } from 'yaml'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError } from '#kube/problem.ts'
import type { NodeWatts } from '#planning/simulation/node-picture.ts'
import { readScenario } from '#planning/simulation/read-scenario.ts'
import type { SimulationReport } from '#planning/simulation/report.ts'
import type { Scenario } from '#planning/simulation/scenario.ts'
import { simulate } from '#planning/simulation/simulate.ts'
import { simulatorAnnotations } from '#planning/simulation/simulator-annotations.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { about } from './about.ts'
import { assertUsed, type DefineCommand, oneOf, type Surroundings, wholeNumber } from './command-line.ts'
import { replaySeries, type SeriesOptions } from './simulate/replayed-series.ts'
import { outsideOf } from './simulate/simulate-outside.ts'
import { simulationLines } from './simulate/simulate-report.ts'
import { loadCluster, type SourceOptions, withSource } from './source/cluster-source.ts'
import { placeOf } from './source/installed-examples.ts'
import { type ConfigurationOptions, installedSettings, withConfiguration } from './source/installed-settings.ts'
import { schedulerOf } from './source/scheduler-source.ts'

const formats = ['table', 'json', 'yaml'] as const
const mostSeed = 4_294_967_295
const mostReplicas = 1_000_000

interface SimulateOptions extends SourceOptions, ConfigurationOptions, SeriesOptions {
  readonly scenario?: string
  readonly serverVersion?: string
  readonly seed?: number
  readonly output: (typeof formats)[number]
  readonly explain?: 'simulator'
}

export const defineSimulate: DefineCommand = (program, surroundings) => {
  withConfiguration(withSource(program.command('simulate')))
    .description(about.simulate)
    .option('--scenario <file>', 'the steps, and what is to hold afterwards; - for standard input')
    .option('--server-version <version>', 'the API server whose scheduler it is, such as 1.34 or 1.36; else the cluster’s')
    .option('--seed <number>', 'for draws among nodes that are equally good; else the scenario’s', wholeNumber(0, mostSeed))
    .option('-o, --output <format>', `one of ${formats.join(', ')}`, oneOf(...formats), 'table')
    .option('--explain <form>', 'simulator: each landing with the annotations of kube-scheduler-simulator', oneOf('simulator'))
    .option('--scaledobject <file>', 'instead of a scenario: a ScaledObject whose replicas are replayed against a series')
    .option('--series <file>', 'with --scaledobject: CSV with the time and a column for each trigger; - for standard input')
    .option(
      '--replicas <count>',
      'with --scaledobject: replicas at the start; else those while nothing is active',
      wholeNumber(0, mostReplicas),
    )
    .addHelpText(
      'after',
      '\nEqual clusters, scenarios and seeds give equal bytes. docs/simulate.md has every step.\nExit codes: 0 all that is expected holds, 2 the scenario is wrong, 3 something does not hold.\nExample: ballast simulate --cluster examples/talos-homelab --scenario examples/talos-homelab/scenarios/rebalance.yaml\nExample: ballast simulate --scaledobject so.yaml --series queue.csv   # queue.csv: time,queue / 2026-03-04T05:00:00Z,12 / ...',
    )
    .action(async (options: SimulateOptions) => surroundings.end(await runScenario(options, surroundings)))
}

async function runScenario(given: SimulateOptions, surroundings: Surroundings): Promise<ExitCode> {
  const { terminal, signal } = surroundings
  if (given.scaledobject !== undefined) {
    const { scenario, cluster: dump, kubeconfig, seed, serverVersion, explain } = given
    for (const [option, value] of Object.entries({
      scenario,
      cluster: dump,
      kubeconfig,
      seed,
      'server-version': serverVersion,
      explain,
    }))
      if (value !== undefined) throw new CommandRefused(`--${option} is for scenarios: leave it out with --scaledobject`)
    return await replaySeries(given, given.output, surroundings)
  }
  assertUsed({ '--series': given.series, '--replicas': given.replicas }, false, '--scaledobject')
  const { scenario: file } = given
  if (file === undefined)
    throw new CommandRefused('say what is simulated: --scenario FILE, or --scaledobject FILE with --series FILE')
  const options = { ...given, scenario: placeOf(file) }
  if (options.scenario === '-' && options.cluster === '-')
    throw new CommandRefused('--scenario - and --cluster - cannot both read standard input')
  const read = readScenario(options.scenario === '-' ? 'standard input' : options.scenario, await scenarioText(options.scenario))
  if (!read.ok) throw new InputError(read.problems)
  const scenario: Scenario = options.seed === undefined ? read.scenario : { ...read.scenario, seed: options.seed }
  const cluster = await loadCluster(options, surroundings)
  const { settings: installed } = await installedSettings(options, cluster, surroundings)
  const version = versionOf(options.serverVersion ?? scenario.server ?? cluster.gitVersion)
  const settings = schedulerOf({ ...cluster, gitVersion: version })
  const outside = outsideOf(scenario, { cluster, ownerLabel: installed.ownerLabel, scenarioFile: options.scenario, signal })
  const report = await simulate(
    {
      objects: cluster.objects,
      scenario,
      settings,
      server: /^v?(1\.\d+)/.exec(version)?.[1] ?? version,
      watts: wattsOf(scenario, cluster.objects),
      outside,
      ...(options.explain === undefined ? {} : { explain: simulatorAnnotations }),
    },
    signal,
  )
  print(report, options.output, surroundings)
  if (options.output !== 'table' && !report.holds) for (const line of brokenLines(report)) terminal.say(line)
  return report.holds ? exitCodes.done : exitCodes.notSo
}

async function scenarioText(file: string): Promise<string> {
  if (file === '-') return await textOf(process.stdin)
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new InputError([
      { code: 'file-unreadable', where: '--scenario', found: messageOf(error), expected: 'a scenario that can be read' },
    ])
  }
}

/** @throws CommandRefused for what is no version of Kubernetes */
function versionOf(text: string): string {
  if (/^v?1\.\d+/.test(text)) return text
  throw new CommandRefused(`--server-version ${text}: it must be a version such as 1.34`)
}

/** What nodes take: as the scenario says, else as a RebalancePolicy's energy has it. */
function wattsOf(scenario: Scenario, objects: readonly KubeObject[]): ReadonlyMap<string, NodeWatts> {
  const watts = new Map<string, NodeWatts>()
  for (const object of objects) {
    if (object?.kind !== 'RebalancePolicy') continue
    for (const entry of listAt(listAt(object['spec'], 'energy'), 'nodes')) {
      const { name, idleWatts, maxWatts, standbyWatts = 1 } = fieldsOf(entry)
      if (
        typeof name === 'string' &&
        typeof idleWatts === 'number' &&
        typeof maxWatts === 'number' &&
        typeof standbyWatts === 'number'
      )
        watts.set(name, { idle: idleWatts, max: maxWatts, standby: standbyWatts })
    }
  }
  for (const { node, ...known } of scenario.watts) watts.set(node, known)
  return watts
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function listAt(value: unknown, key: string): readonly unknown[] {
  const [only] = Array.isArray(value) ? value : [value]
  const found = fieldsOf(only)[key]
  return Array.isArray(found) ? found : found === undefined ? [] : [found]
}

function print(report: SimulationReport, format: SimulateOptions['output'], { terminal }: Surroundings): void {
  switch (format) {
    case 'json':
      terminal.write(JSON.stringify(report, undefined, 2))
      break
    case 'yaml':
      terminal.write(stringify(report, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd())
      break
    case 'table':
      for (const line of simulationLines(report, terminal.colour)) terminal.write(line)
      break
  }
}

/** Words for standard error, where data went to standard output. */
function brokenLines(report: SimulationReport): readonly string[] {
  const goals = report.goals
    .filter(({ holds }) => !holds)
    .map(({ goal, node, after }) => `goal ${goal} does not hold: ${node} has ${after} %`)
  const all = [...report.steps.flatMap(step => step.expectations), ...report.expectations]
  const broken = all.filter(({ holds }) => !holds).map(({ where, found }) => `${where}: does not hold: ${found}`)
  return [...goals, ...broken]
}
