// `ballast migrate plan` and `migrate apply`: what the steps of a swap look like here, and carrying them out with the user's own rights.
import { hostname, userInfo } from 'node:os'
import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { parse } from 'yaml'
import { type Asked, installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import { systemClock } from '#kube/clock.ts'
import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isForbidden } from '#kube/objects/status.ts'
import { missingAccess } from '#migration/access.ts'
import { missingForDescheduler } from '#migration/descheduler/descheduler-access.ts'
import { deschedulerStepsBack } from '#migration/descheduler/descheduler-back.ts'
import { readDeschedulerSituation } from '#migration/descheduler/descheduler-situation.ts'
import { deschedulerStepsForth } from '#migration/descheduler/descheduler-steps.ts'
import type { MirrorSwap } from '#migration/mirror-swap.ts'
import { notYet } from '#migration/not-yet.ts'
import { MigrationRecord } from '#migration/record.ts'
import { stepsBack } from '#migration/reloader/reloader-back.ts'
import { stepsForth } from '#migration/reloader/reloader-steps.ts'
import { runSteps, type StepResult, type Which } from '#migration/run.ts'
import { type Reach, readSituation } from '#migration/situation.ts'
import { mirrorActsForth } from '#migration/spegel/spegel-acts.ts'
import { mirrorActsBack } from '#migration/spegel/spegel-acts-back.ts'
import { readMirrorSituation } from '#migration/spegel/spegel-situation.ts'
import { type Proof, type Step, StepFailed, type Swap, type SwapCore } from '#migration/step.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { oneOf, type Surroundings, wholeNumber } from '../command-line.ts'
import { kubeconfigOf, openLiveApi } from '../source/live-source.ts'
import { harmless } from '../terminal/paragraph.ts'
import { type PlanRow, planDocument, planLines } from './plan-lines.ts'
import { printMirrorPlan } from './spegel-plan.ts'

interface SwapOptions {
  readonly kubeconfig?: string
  readonly context?: string
  readonly back?: boolean
  readonly allowLossy?: boolean
}

interface PlanOptions extends SwapOptions {
  readonly output: 'table' | 'json'
}

interface ApplyOptions extends SwapOptions {
  readonly step?: number
  readonly all?: boolean
  readonly yes?: boolean
  readonly forgetRelease?: boolean
}

const mostSteps = 20

export function addPlanAndApply(migrate: Command, surroundings: Surroundings): void {
  withCluster(migrate.command('plan <component>'))
    .description('prints the steps of a swap for this cluster, what proves each and how it is undone; it only reads')
    .option('-o, --output <format>', 'table or json', oneOf('table', 'json'), 'table')
    .addHelpText(
      'after',
      '\nCOMPONENT: descheduler, reloader or spegel.\nExit codes: 0 it can begin, 1 the cluster cannot be read, 3 something stands in\nits way.\nExample: ballast migrate plan reloader --kubeconfig ~/.kube/config\nExample: ballast migrate plan descheduler\nExample: ballast migrate plan spegel --back',
    )
    .action(async (component: string, options: PlanOptions) =>
      surroundings.end(await printPlan(component, options, surroundings)),
    )
  withCluster(migrate.command('apply <component>'))
    .description('carries out the next step, or --all; it stops at the first proof that fails')
    .option('--step <number>', 'carry out only this step', wholeNumber(1, mostSteps))
    .option('--all', 'carry out all steps that are not done')
    .option('--yes', "do not ask for the component's name")
    .option('--forget-release', "delete Helm's own Secrets of upstream's release, so that Helm never uninstalls it")
    .addHelpText(
      'after',
      '\nConfigMap ballast-migration-<component> keeps what the way back needs.\nExit codes: 0 done, 1 a proof failed.\nExample: ballast migrate apply reloader --all --kubeconfig ~/.kube/config\nExample: ballast migrate apply descheduler --all --forget-release\nExample: ballast migrate apply descheduler --all --back',
    )
    .action(async (component: string, options: ApplyOptions) =>
      surroundings.end(await applySteps(component, options, surroundings)),
    )
}

function withCluster(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'the cluster, with your own rights')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--back', 'from Ballast to the upstream')
    .option('--allow-lossy', "go on even where some of upstream's flags are lost")
}

const direction = ({ back }: SwapOptions) => (back === true ? 'back' : 'forth')

async function printPlan(component: string, options: PlanOptions, surroundings: Surroundings): Promise<ExitCode> {
  if (component === 'spegel')
    return withReach(options, surroundings, reach => printMirrorPlan(reach, options, surroundings.terminal))
  const print = <Of extends SwapCore>(swap: Of, steps: readonly Step<Of>[]) =>
    printSteps({ component, options, surroundings }, swap, steps)
  if (component === 'descheduler') return withReach(options, surroundings, reach => onDeschedulerSwap(reach, options, print))
  return withSwap(component, options, surroundings, print)
}

async function printSteps<Of extends SwapCore>(
  { component, options, surroundings }: Wish<PlanOptions>,
  swap: Of,
  steps: readonly Step<Of>[],
): Promise<ExitCode> {
  const { terminal } = surroundings
  const { content } = swap.record
  const done = content.direction === direction(options) ? content.done : []
  const rows: PlanRow<Step<Of>>[] = []
  const isAhead = (step: Step<Of>) => step.run === undefined && rows.every(row => row.step.id !== 'switch')
  for (const step of steps) {
    const isDone = done.includes(step.id)
    rows.push({ step, isDone, now: !isDone && isAhead(step) ? await proofOf(step, swap) : undefined })
  }
  if (options.output === 'json') terminal.write(JSON.stringify(planDocument(component, direction(options), rows), undefined, 2))
  else for (const line of planLines(rows)) terminal.write(line)
  const obstacles = rows.flatMap(({ now }) => (now === undefined || now.ok ? [] : [now.said]))
  for (const said of obstacles) terminal.say(`in the way: ${harmless(said)}`)
  if (obstacles.length === 0 && rows.some(row => !row.isDone))
    terminal.say(`to carry it out: ballast migrate apply ${component} --all${flagsFor(steps, options)}`)
  return obstacles.length === 0 ? exitCodes.done : exitCodes.notSo
}

/** What `apply` is told beside `--all`. */
function flagsFor(steps: readonly { readonly forgetsRelease?: boolean }[], { back, allowLossy }: PlanOptions): string {
  const flags = {
    '--back': back === true,
    '--allow-lossy': allowLossy === true,
    '--forget-release': steps.some(({ forgetsRelease }) => forgetsRelease === true),
  }
  return Object.entries(flags)
    .map(([flag, isTold]) => (isTold ? ` ${flag}` : ''))
    .join('')
}

async function proofOf<Of extends SwapCore>(step: Step<Of>, swap: Of): Promise<Proof> {
  try {
    return await step.prove(swap)
  } catch (error) {
    if (error instanceof StepFailed) return { ok: false, said: error.message }
    throw error
  }
}

async function applySteps(component: string, options: ApplyOptions, surroundings: Surroundings): Promise<ExitCode> {
  if (options.all === true && options.step !== undefined) throw new CommandRefused('--all and --step exclude each other')
  const carry = <Of extends SwapCore>(swap: Of, steps: readonly Step<Of>[]) =>
    carryOut({ component, options, surroundings }, swap, steps)
  if (component === 'spegel') {
    const tell = (line: string) => surroundings.terminal.say(harmless(line))
    return withReach(options, surroundings, reach => onMirrorSwap(reach, { ...options, tell }, carry))
  }
  if (component === 'descheduler')
    return withReach(options, surroundings, reach =>
      onDeschedulerSwap(reach, options, async (swap, steps) => {
        const missing = await missingForDescheduler(swap, direction(options))
        if (missing !== undefined) throw new CommandRefused(missing, exitCodes.failed)
        return carry(swap, steps)
      }),
    )
  return withSwap(component, options, surroundings, async (swap, steps) => {
    // The record of the migration is the first write.
    const missing = await missingAccess(swap, await readSituation(swap), direction(options))
    if (missing !== undefined) throw new CommandRefused(missing, exitCodes.failed)
    return carry(swap, steps)
  })
}

interface Wish<Options> {
  readonly component: string
  readonly options: Options
  readonly surroundings: Surroundings
}

async function carryOut<Of extends SwapCore>(
  { component, options, surroundings }: Wish<ApplyOptions>,
  swap: Of,
  steps: readonly Step<Of>[],
): Promise<ExitCode> {
  const { terminal } = surroundings
  if (options.step !== undefined && options.step > steps.length)
    throw new CommandRefused(`--step: found ${options.step}, expected one from 1 to ${steps.length}`)
  await confirm(component, options, surroundings)
  await swap.record.take(direction(options))
  const tell = ({ id, state, said }: StepResult) => terminal.say(`${id}: ${state}: ${harmless(said)}`)
  const begin = ({ id, title, patienceMs }: Step<Of>) =>
    terminal.say(`${id}: ${title}${patienceMs === undefined ? '' : ` (up to ${patienceMs / 60_000} minutes)`} ...`)
  const sum = async () => {
    await swap.record.release()
    const left = steps.filter(({ id }) => !swap.record.content.done.includes(id)).map(({ id }) => id)
    terminal.say(left.length === 0 ? 'all steps are done' : `not done: ${left.join(', ')}`)
  }
  try {
    const isDone = await runSteps(steps, swap, whichOf(options), tell, begin)
    await sum()
    return isDone ? exitCodes.done : exitCodes.failed
  } catch (error) {
    // A user who stops it may go on at once.
    if (surroundings.signal.aborted) await sum()
    throw error
  }
}

function whichOf({ all, step }: ApplyOptions): Which {
  if (all === true) return { kind: 'all' }
  return step === undefined ? { kind: 'next' } : { kind: 'only', index: step - 1 }
}

/** @throws CommandRefused where nobody agrees */
async function confirm(component: string, { yes }: ApplyOptions, { signal }: Surroundings): Promise<void> {
  if (yes === true) return
  if (process.stdin.isTTY !== true)
    throw new CommandRefused('standard input is no terminal, so nobody can confirm this: add --yes')
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const typed = await lines.question(`This changes the cluster. Type ${component} to go on: `, { signal })
    if (typed.trim() !== component)
      throw new CommandRefused(`found ${JSON.stringify(typed)}, expected ${component}: nothing was done`)
  } finally {
    lines.close()
  }
}

async function withSwap(
  component: string,
  options: SwapOptions & { readonly forgetRelease?: boolean },
  surroundings: Surroundings,
  act: (swap: Swap, steps: readonly Step[]) => Promise<ExitCode>,
): Promise<ExitCode> {
  if (component !== 'reloader') throw new CommandRefused(notYet(component))
  return withReach(options, surroundings, reach => onSwap(reach, options, act))
}

/** What can be read of the cluster is told; what cannot, and why, is refused. */
async function withReach(
  options: SwapOptions,
  { environment, signal }: Surroundings,
  act: (reach: Reach) => Promise<ExitCode>,
): Promise<ExitCode> {
  const kubeconfig = kubeconfigOf(options.kubeconfig, environment)
  if (kubeconfig === undefined) throw new CommandRefused('no cluster: name one with --kubeconfig FILE')
  const { api } = await openLiveApi({ kubeconfig, context: options.context, environment, signal })
  try {
    const reach: Reach = { api, clock: systemClock, capabilities: enabledCapabilities, signal }
    return await act(reach)
  } catch (error) {
    if (error instanceof StepFailed) throw new CommandRefused(error.message, exitCodes.notSo)
    if (isForbidden(error)) throw new CommandRefused(`a swap has to read this, and may not: ${error.message}`, exitCodes.failed)
    throw error
  } finally {
    await api.close()
  }
}

const rightsKinds: ReadonlySet<string> = new Set(['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'])

/** As `ballast manifests` makes them. @throws InputError for values that our chart would refuse */
function installationOf(
  from: { readonly text: string; readonly configuration?: string },
  { release, namespace }: { readonly release: string; readonly namespace: string },
): readonly KubeObject[] {
  const { text, configuration } = from
  const source: Asked = {
    values: { file: 'converted values', text },
    ...(configuration === undefined
      ? { preset: { namespace: { create: true } } }
      : { configuration: { file: 'ballast-config', text: configuration }, enable: ['reload'] }),
  }
  const values = installationValues(source, enabledCapabilities)
  return objects(values, { capabilities: enabledCapabilities, release: plainRelease(release, namespace) })
}

const ownHolder = () => `${userInfo().username}@${hostname()}, process ${process.pid}`

/** The same of a mirror. @throws StepFailed where there is nothing to swap */
export async function onMirrorSwap<Result>(
  reach: Reach,
  options: SwapOptions & { readonly forgetRelease?: boolean; readonly holder?: string; readonly tell: (line: string) => void },
  act: (swap: MirrorSwap, steps: readonly Step<MirrorSwap>[]) => Promise<Result>,
): Promise<Result> {
  const situation = await readMirrorSituation(reach)
  const record = await MigrationRecord.read({
    api: reach.api,
    clock: reach.clock,
    component: 'spegel',
    namespace: situation.spegels[0]?.namespace ?? situation.ours?.namespace ?? ballastNamespace,
    holder: options.holder ?? ownHolder(),
    signal: new AbortController().signal,
  })
  const swap: MirrorSwap = {
    ...reach,
    record,
    allowLossy: options.allowLossy === true,
    forgetRelease: options.forgetRelease === true,
    tell: options.tell,
  }
  return act(swap, options.back === true ? mirrorActsBack(situation, swap) : mirrorActsForth(situation, swap))
}

/** The same of a descheduler. @throws StepFailed where there is nothing to swap */
export async function onDeschedulerSwap<Result>(
  reach: Reach,
  options: SwapOptions & { readonly forgetRelease?: boolean; readonly holder?: string },
  act: (swap: SwapCore, steps: readonly Step<SwapCore>[]) => Promise<Result>,
): Promise<Result> {
  const situation = await readDeschedulerSituation(reach)
  const record = await MigrationRecord.read({
    api: reach.api,
    clock: reach.clock,
    component: 'descheduler',
    namespace: situation.upstreams[0]?.namespace ?? situation.ours?.namespace ?? ballastNamespace,
    holder: options.holder ?? ownHolder(),
    signal: new AbortController().signal,
  })
  const swap: SwapCore = {
    ...reach,
    record,
    allowLossy: options.allowLossy === true,
    forgetRelease: options.forgetRelease === true,
  }
  return act(swap, options.back === true ? deschedulerStepsBack() : deschedulerStepsForth(situation, record.saved))
}

/** The steps and the record of a cluster, by whoever reaches it. */
export async function onSwap<Result>(
  reach: Reach,
  options: SwapOptions & { readonly forgetRelease?: boolean; readonly holder?: string },
  act: (swap: Swap, steps: readonly Step[]) => Promise<Result>,
): Promise<Result> {
  const situation = await readSituation(reach)
  const namespace = situation.upstreams[0]?.namespace ?? situation.ours?.namespace ?? ballastNamespace
  const record = await MigrationRecord.read({
    api: reach.api,
    clock: reach.clock,
    component: 'reloader',
    namespace,
    holder: options.holder ?? ownHolder(),
    // The last write tells others that nobody is at it any more: also when the command was stopped.
    signal: new AbortController().signal,
  })
  const swap: Swap = {
    ...reach,
    record,
    allowLossy: options.allowLossy === true,
    forgetRelease: options.forgetRelease === true,
    installation: values => installationOf({ text: JSON.stringify(values) }, { release: 'ballast', namespace: ballastNamespace }),
    rights: ours => {
      const text = textAt(ours.configMap, 'data', 'config.yaml') ?? ''
      const release = ours.deployment.metadata.labels?.['app.kubernetes.io/instance'] ?? 'ballast'
      // Who watches some namespaces only has rights there only.
      const named: unknown = valueAt(parse(text), ['process', 'watchNamespaces'])
      const made = installationOf(
        { configuration: text, text: JSON.stringify({ rbac: { namespaced: Array.isArray(named) ? named : [] } }) },
        { release, namespace: ours.namespace },
      )
      return made.filter(({ kind }) => rightsKinds.has(kind))
    },
  }
  return act(swap, options.back === true ? stepsBack() : stepsForth(situation, record.saved))
}
