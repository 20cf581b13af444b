// `ballast isolate NODE`: a node kept for the core, staged: on paper, as files for Git, carried out, or taken back.

import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { stringify } from 'yaml'
import { assertUsed, type DefineCommand, oneOf, type Surroundings } from '#cli/command-line.ts'
import { type LoadedCluster, loadCluster, type SourceOptions, withSource } from '#cli/source/cluster-source.ts'
import { type ConfigurationOptions, installedSettings, withConfiguration } from '#cli/source/installed-settings.ts'
import { openLiveApi } from '#cli/source/live-source.ts'
import type { IsolationStatus, RebalancePlan } from '#coordination/api.ts'
import { systemClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { systemRandom } from '#kube/random.ts'
import { undoLines } from '#planning/isolation/rows.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { writeFiles } from '#process/written-files.ts'
import { type FileFormat, fileFormats, isolationFiles, type TaintForm, taintFormOf } from './isolate-files.ts'
import { type ChosenPolicy, type IsolationWishes, isolationPolicyFor } from './isolate-policy.ts'
import { exitCodeOfPaper, isolationOnPaper, type PaperIsolation } from './isolate-preflight.ts'
import { isolationDocument, isolationLines } from './isolate-report.ts'
import { abort, enable, follow, type IsolationRun } from './isolate-run.ts'

interface IsolateOptions extends SourceOptions, ConfigurationOptions {
  readonly policy?: string
  readonly keda?: 'waitForZero' | 'evict'
  readonly taintMode?: 'external' | 'kubernetes'
  readonly tolerations?: 'report' | 'apply' | 'webhook'
  readonly except?: readonly string[]
  readonly output: 'table' | 'json' | 'yaml'
  readonly out?: string
  readonly format: FileFormat
  readonly machinePatch?: string
  readonly force?: boolean
  readonly apply?: boolean
  readonly abort?: boolean
  readonly yes?: boolean
}

export const defineIsolate: DefineCommand = (program, surroundings, about) => {
  withConfiguration(withSource(program.command('isolate <node>')))
    .description(about)
    .option('--policy <name>', 'the RebalancePolicy with the isolation, where several name the node')
    .option(
      '--keda <how>',
      'waitForZero: what KEDA scales leaves at its next zero; evict: at once',
      oneOf('waitForZero', 'evict'),
    )
    .option(
      '--taint-mode <mode>',
      'external: somebody else sets the taint (Talos); kubernetes: Ballast does',
      oneOf('external', 'kubernetes'),
    )
    .option(
      '--tolerations <how>',
      'report: as patches; apply: written to core workloads one by one; webhook: added to core pods while they are created',
      oneOf('report', 'apply', 'webhook'),
    )
    .option('--except <name...>', 'namespace/name of workloads or pods that may stay')
    .option('-o, --output <format>', 'table, json or yaml', oneOf('table', 'json', 'yaml'), 'table')
    .option('--out <folder>', 'write files for Git instead of acting')
    .option('--format <format>', `format of the files: ${fileFormats.join(' or ')}`, oneOf(...fileFormats), 'talos')
    .option('--machine-patch <file>', 'a Talos patch of yours: the taint is written in its form')
    .option('--force', 'replace files that are there and say something else')
    .option('--apply', 'switch the isolation on in the live cluster and follow it')
    .option('--abort', 'switch it off, at any stage, and print the way back')
    .option('--yes', 'do not ask before --apply')
    .addHelpText(
      'after',
      '\nExit codes: 0 it can be done (with --apply: it is done), 3 something has to be done first, 4 there is no place to go to.\nExample: ballast isolate talos00 --cluster examples/talos-homelab --out isolation --format talos',
    )
    .action(async (node: string, options: IsolateOptions) => surroundings.end(await isolateNode(node, options, surroundings)))
}

async function isolateNode(node: string, options: IsolateOptions, surroundings: Surroundings): Promise<ExitCode> {
  const modes = [options.apply === true, options.abort === true, options.out !== undefined].filter(Boolean)
  if (modes.length > 1) throw new CommandRefused('--apply, --abort and --out exclude each other')
  assertUsed({ '--force': options.force }, options.out !== undefined, '--out')
  assertUsed({ '--yes': options.yes }, options.apply === true, '--apply')
  const cluster = await loadCluster(options, surroundings)
  const chosen = isolationPolicyFor(cluster, { node, policy: options.policy, wishes: wishesOf(options) })
  if (options.abort === true) return abortIsolation(chosen, cluster, options, surroundings)
  const { ownerLabel } = (await installedSettings(options, cluster, surroundings)).settings
  const paper = await isolationOnPaper(chosen.policy, { cluster, ownerLabel }, surroundings.signal)
  if (options.out !== undefined) return writeOut(chosen, paper, { ...options, out: options.out }, surroundings)
  const code = exitCodeOfPaper(paper)
  print(paper, { code, cluster, output: options.output }, surroundings)
  return options.apply === true ? carryOut(chosen, paper, { cluster, options }, surroundings) : code
}

function wishesOf({ keda, taintMode, tolerations, except }: IsolateOptions): IsolationWishes {
  return {
    ...(keda === undefined ? {} : { keda }),
    ...(taintMode === undefined ? {} : { taintMode }),
    ...(tolerations === undefined ? {} : { tolerations }),
    ...(except === undefined ? {} : { exceptions: except }),
  }
}

function print(
  paper: PaperIsolation,
  shown: { readonly code: ExitCode; readonly cluster: LoadedCluster; readonly output: IsolateOptions['output'] },
  { terminal }: Surroundings,
): void {
  const document = () => isolationDocument(paper, shown.code)
  if (shown.output === 'json') terminal.write(JSON.stringify(document(), undefined, 2))
  else if (shown.output === 'yaml')
    terminal.write(stringify(document(), { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd())
  else for (const line of isolationLines(paper, shown.cluster.state, terminal)) terminal.write(line)
}

/** Files for Git. The taint is left out while a core workload could not live with it. */
function writeOut(
  chosen: ChosenPolicy,
  paper: PaperIsolation,
  options: IsolateOptions & { readonly out: string },
  { terminal }: Surroundings,
): ExitCode {
  const form = formFor(paper, options)
  const { files, missing } = isolationFiles(paper, { format: options.format, form, policy: chosen.written })
  for (const line of writeFiles(options.out, files, options.force === true)) terminal.write(line)
  const code = exitCodeOfPaper(paper)
  if (missing.length > 0)
    terminal.say(
      `no file sets the taint yet: these core workloads lack the toleration (${paper.survey.rules.tolerationsFrom === 'webhook' ? 'the webhook gives it to their pods once the policy is applied; where it cannot, 1-tolerations.yaml' : '1-tolerations.yaml'}), and could not come back: ${missing.join(', ')}`,
    )
  for (const { subject, message, reason } of paper.stages.find(({ stage }) => stage === 'Preflight')?.blocked ?? [])
    terminal.say(`${subject}: ${message} [${reason}]`)
  return code
}

/** The form of the user's own machine patch: the one named, else the one beside the cluster's folder. */
function formFor({ survey }: PaperIsolation, { machinePatch, cluster }: IsolateOptions): TaintForm {
  const [node] = survey.rules.nodes
  const isFolder =
    cluster !== undefined && cluster !== '-' && statSync(cluster, { throwIfNoEntry: false })?.isDirectory() === true
  const beside = isFolder && node !== undefined ? join(cluster, 'gitops', 'machine-patches', `${node}.yaml`) : undefined
  const file = machinePatch ?? (beside !== undefined && existsSync(beside) ? beside : undefined)
  return file === undefined ? 'value-and-effect' : taintFormOf(readFileSync(file, 'utf8'), survey.rules.taint)
}

async function carryOut(
  chosen: ChosenPolicy,
  paper: PaperIsolation,
  { cluster, options }: { readonly cluster: LoadedCluster; readonly options: IsolateOptions },
  surroundings: Surroundings,
): Promise<ExitCode> {
  const { terminal, signal } = surroundings
  if (!cluster.isLive)
    throw new CommandRefused('--apply changes a live cluster: name it with --kubeconfig (for files: --out FOLDER)')
  const refusal = paper.stages.find(({ stage, state }) => stage === 'Preflight' && state === 'blocked')
  if (refusal !== undefined) {
    terminal.say(`nothing was changed: ${refusal.message}`)
    return exitCodeOfPaper(paper)
  }
  if (options.yes !== true) await confirm(chosen, paper, signal)
  return withLive(options, surroundings, async live => {
    await enable(chosen, live)
    terminal.write(`RebalancePolicy ${chosen.policy.metadata.name} ${chosen.exists ? 'isolates now' : 'was made'}`)
    const seen = new Map<string, string>()
    return follow(chosen.policy.metadata.name, {
      ...live,
      tell: status => tellStage(status, surroundings),
      tellPlan: plan => tellSteps(plan, seen, surroundings),
    })
  })
}

async function abortIsolation(
  chosen: ChosenPolicy,
  cluster: LoadedCluster,
  options: IsolateOptions,
  surroundings: Surroundings,
): Promise<ExitCode> {
  const { terminal } = surroundings
  const { policy, exists } = chosen
  const nodes = policy.status?.isolation?.nodes ?? []
  const { taint, taintMode } = policy.spec.isolation ?? { taint: '', taintMode: 'external' as const }
  const undo = undoLines({ nodes: nodes.length === 0 ? [chosen.node] : nodes, taint }, taintMode)
  if (!cluster.isLive || !exists) {
    terminal.write(exists ? 'the way back:' : `no RebalancePolicy isolates ${chosen.node}; if its taint is there, the way back:`)
    for (const line of undo) terminal.write(line)
    return exitCodes.done
  }
  return withLive(options, surroundings, async live => {
    const status = await abort(policy.metadata.name, live)
    terminal.write(status?.message ?? `RebalancePolicy ${policy.metadata.name} is switched off; no controller has answered yet`)
    for (const line of status === undefined ? undo : status.undo) terminal.write(line)
    return status === undefined ? exitCodes.notSo : exitCodes.done
  })
}

async function withLive<T>(
  options: IsolateOptions,
  { environment, signal }: Surroundings,
  use: (live: Omit<IsolationRun, 'tell' | 'tellPlan'>) => Promise<T>,
): Promise<T> {
  const kubeconfig = options.kubeconfig ?? environment['KUBECONFIG']
  const { api } = await openLiveApi({ kubeconfig, context: options.context, environment, signal })
  try {
    await using informers = new Informers(api, { clock: systemClock, random: systemRandom, signal })
    return await use({ admin: api, informers, clock: systemClock, signal })
  } finally {
    await api.close()
  }
}

function tellStage({ stage, phase, message, blocked = [] }: IsolationStatus, { terminal }: Surroundings): void {
  terminal.write(`${stage} ${phase}: ${message}`)
  if (stage === 'Waves') return
  for (const { subject, reason, remedy } of blocked)
    terminal.write(`  ${subject} [${reason}]${remedy === undefined ? '' : `\n${remedy.replace(/^/gm, '      ')}`}`)
}

function tellSteps(plan: RebalancePlan, seen: Map<string, string>, { terminal }: Surroundings): void {
  for (const step of plan.status?.steps ?? []) {
    const key = `${plan.metadata.name} ${step.id}`
    if (seen.get(key) === step.state || (step.state !== 'Landed' && step.message === undefined)) continue
    seen.set(key, step.state)
    const move = plan.spec.moves.find(({ id }) => id === step.id)
    const pod = move === undefined ? step.id : `${step.id}  ${move.pod.namespace}/${move.pod.name}`
    terminal.write(
      `  ${pod}  ${step.state === 'Landed' ? `ready on ${step.landedOn ?? '?'}` : `${step.state}: ${step.message ?? ''}`}`,
    )
  }
}

/** Resolves at `y` or `yes`. @throws CommandRefused at anything else; the signal's reason */
async function confirm({ policy }: ChosenPolicy, { plan }: PaperIsolation, signal: AbortSignal): Promise<void> {
  const lines = createInterface({ input: process.stdin, terminal: false })
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const onAbort = () => reject(signal.reason)
  process.stderr.write(`\nIsolate with ${plan.moves.length} moves by RebalancePolicy ${policy.metadata.name}? [y/N] `)
  lines.once('line', resolve)
  lines.once('close', () => resolve(''))
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    const answer = await promise
    if (!/^y(es)?$/i.test(answer.trim())) throw new CommandRefused('nothing was changed', exitCodes.notSo)
  } finally {
    signal.removeEventListener('abort', onAbort)
    lines.close()
  }
}
