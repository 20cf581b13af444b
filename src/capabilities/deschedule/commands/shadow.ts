// `ballast shadow`: the drop-in descheduler beside a running one, in a dry run: what each would evict, and where they differ.

import { createReadStream, readFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { type DefineCommand, oneOf, type Surroundings, wholeNumber } from '#cli/command-line.ts'
import { loadCluster, type SourceOptions, withSource } from '#cli/source/cluster-source.ts'
import { kubeconfigOf, openLiveApi } from '#cli/source/live-source.ts'
import { systemClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { InputError } from '#kube/problem.ts'
import { systemRandom } from '#kube/random.ts'
import { parseDuration } from '#kube/time/duration.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import { UsageProviders } from '../compat/usage/usage-providers.ts'
import { compareCycle, type ShadowCycle } from '../shadow/compare.ts'
import { ShadowObserver } from '../shadow/observer.ts'
import { readShadowedPolicy } from '../shadow/read-shadowed-policy.ts'
import { isDifferent, shadowSummary } from '../shadow/summary.ts'
import { TheirLog } from '../shadow/their-log.ts'
import { linesOf } from './shadow-lines.ts'
import { cycleLines, shadowDocument, summaryLines } from './shadow-report.ts'

interface ShadowOptions extends SourceOptions {
  readonly policyConfigFile: string
  readonly deschedulingInterval: string
  readonly upstreamLog?: string
  readonly cycles: number
  readonly all?: boolean
  readonly output: 'table' | 'json'
}

export const defineShadow: DefineCommand = (program, surroundings, about) => {
  const command = program
    .command('shadow')
    .description(about)
    .requiredOption('--policy-config-file <file>', 'the policy of the running descheduler')
    .option('--descheduling-interval <duration>', 'its interval', '5m')
    .option(
      '--upstream-log <file>',
      'its log (--v=1 or more; - for standard input) instead of its Events: needed where it runs dry or in a dump',
    )
    .option('--cycles <count>', 'how many of its cycles; 0: until stopped', wholeNumber(0, 100_000), 1)
    .option('--all', 'print the pods on which both agree too')
    .option('-o, --output <format>', 'table or json', oneOf('table', 'json'), 'table')
  withSource(command)
    .addHelpText(
      'after',
      [
        '\nThe policy of a chart: kubectl -n kube-system get configmap descheduler -o jsonpath="{.data.policy\\.yaml}" > policy.yaml',
        'With a dump (--cluster) the last cycles of the log are compared; drift cannot be',
        'told there.',
        'Exit codes: 0 no differences, 3 differences that no change of the cluster',
        'explains, 1 failed, 2 bad usage, policy or input.',
        'Example: ballast shadow --policy-config-file policy.yaml --descheduling-interval 5m --cycles 3',
        'Example, beside a dry run: kubectl -n kube-system logs -f deploy/descheduler --since=1s | ballast shadow --policy-config-file policy.yaml --upstream-log -',
      ].join('\n'),
    )
    .action(async (options: ShadowOptions) => await runShadow(options, surroundings))
}

async function runShadow(options: ShadowOptions, surroundings: Surroundings): Promise<void> {
  const { terminal } = surroundings
  const cycles: ShadowCycle[] = []
  const isTable = options.output === 'table'
  for await (const cycle of comparedCycles(options, surroundings)) {
    cycles.push(cycle)
    if (isTable) for (const line of cycleLines(cycle, cycles.length, options.all === true)) terminal.write(line)
  }
  const summary = shadowSummary(cycles)
  if (isTable) for (const line of summaryLines(summary)) terminal.write(line)
  else terminal.write(JSON.stringify(shadowDocument(cycles, summary), undefined, 2))
  if (cycles.length === 0) throw new CommandRefused('no cycle of the descheduler was seen', exitCodes.failed)
  if (cycles.every(({ rows }) => rows.every(({ theirs }) => theirs === undefined)))
    terminal.say('no eviction by the descheduler was seen: check that it runs, and with this interval')
  surroundings.end(isDifferent(summary) ? exitCodes.notSo : exitCodes.done)
}

function comparedCycles(options: ShadowOptions, surroundings: Surroundings): AsyncIterable<ShadowCycle> {
  if (options.cluster !== undefined && options.upstreamLog === undefined)
    throw new CommandRefused('--cluster needs --upstream-log: a dump does not show what a descheduler does')
  if (options.cluster === '-' && options.upstreamLog === '-')
    throw new CommandRefused('--cluster and --upstream-log cannot both be standard input')
  return options.cluster === undefined ? liveCycles(options, surroundings) : cyclesOfDump(options, surroundings)
}

async function* cyclesOfDump(options: ShadowOptions, surroundings: Surroundings): AsyncGenerator<ShadowCycle> {
  const text = policyText(options.policyConfigFile)
  const { objects, state } = await loadCluster(options, surroundings)
  const policy = policyOf(text, options, objects, surroundings)
  const log = new TheirLog()
  const told = []
  for await (const line of linesOf(logOf(options.upstreamLog ?? '-', surroundings.signal))) {
    const cycle = log.add(line)
    if (cycle !== undefined) told.push(cycle)
  }
  const last = log.end()
  if (last !== undefined) told.push(last)
  const atMs = systemClock.now()
  for (const { isDryRun = true, ...cycle } of told.slice(-options.cycles))
    yield compareCycle({ before: { state, atMs }, sinceMs: atMs, ...cycle, isDryRun }, policy)
}

async function* liveCycles(options: ShadowOptions, surroundings: Surroundings): AsyncGenerator<ShadowCycle> {
  const { environment, signal } = surroundings
  const text = policyText(options.policyConfigFile)
  const intervalMs = intervalOf(options.deschedulingInterval)
  const kubeconfig = kubeconfigOf(options.kubeconfig, environment)
  const { api } = await openLiveApi({ kubeconfig, context: options.context, environment, signal })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => api.close())
  const classes: KubeObject[] = []
  for await (const page of api.resource(builtIn.priorityclasses).pages({ signal })) classes.push(...page.items)
  const policy = policyOf(text, options, classes, surroundings)
  const informers = stack.use(new Informers(api, { clock: systemClock, random: systemRandom, log: silentLog, signal }))
  const byLog = options.upstreamLog !== undefined
  const usage = stack.use(new UsageProviders({ api, clock: systemClock, log: silentLog, environment }))
  await usage.follow(policy, signal)
  const figures = () => usage.figures(signal)
  const observer = stack.use(new ShadowObserver({ informers, clock: systemClock, policy, intervalMs, byLog, figures }))
  await observer.open(signal)
  const broken = new AbortController()
  if (options.upstreamLog !== undefined) {
    const log = logOf(options.upstreamLog, signal)
    // The log may go on for ever, so nobody waits for its end.
    stack.defer(() => void log.destroy())
    readLog(observer, log).catch(error => broken.abort(error))
  }
  surroundings.terminal.say(`looking at ${observer.state.nodes.size} nodes and ${observer.state.pods.size} pods`)
  for (let number = 0; options.cycles === 0 || number < options.cycles; number++) {
    const cycle = await nextUntilStopped(observer, { stopped: signal, broken: broken.signal })
    if (cycle === undefined) return
    yield cycle
  }
}

/** The next cycle; `undefined` where there is none any more, also since somebody stopped the command: what was seen until then counts. */
async function nextUntilStopped(
  observer: ShadowObserver,
  { stopped, broken }: { readonly stopped: AbortSignal; readonly broken: AbortSignal },
): Promise<ShadowCycle | undefined> {
  try {
    return await observer.next(AbortSignal.any([stopped, broken]))
  } catch (error) {
    if (stopped.aborted) return undefined
    throw error
  }
}

async function readLog(observer: ShadowObserver, log: AsyncIterable<string>): Promise<void> {
  for await (const line of linesOf(log)) observer.readLine(line)
  observer.endLog()
}

function logOf(path: string, signal: AbortSignal): Readable {
  const stream: Readable = path === '-' ? process.stdin : createReadStream(path, { signal })
  return stream.setEncoding('utf8')
}

function policyText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error)
    throw new InputError([{ code: 'source-missing', where: '--policy-config-file', found, expected: 'a file that can be read' }])
  }
}

function policyOf(text: string, options: ShadowOptions, objects: readonly KubeObject[], { terminal }: Surroundings) {
  const classes = objects.filter(({ kind }) => kind === undefined || kind === 'PriorityClass')
  const { policy, notes } = readShadowedPolicy(text, options.policyConfigFile, classes)
  for (const note of notes) terminal.say(note)
  return policy
}

/** In milliseconds. @throws InputError for what is none, or not more than nothing */
function intervalOf(text: string): number {
  const parsed = parseDuration(text)
  const intervalMs = parsed.ok ? Number(parsed.value) / 1_000_000 : 0
  if (intervalMs > 0) return intervalMs
  const expected = 'a duration of more than nothing, such as 5m'
  throw new InputError([{ code: 'flag-value', where: '--descheduling-interval', found: text, expected }])
}
