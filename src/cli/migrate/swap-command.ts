// `ballast migrate plan` and `migrate apply`: what the steps of a swap look like here, and carrying them out with the user's own rights.
import { hostname, userInfo } from 'node:os'
import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { systemClock } from '#kube/clock.ts'
import { isForbidden } from '#kube/objects/status.ts'
import { notYet } from '#migration/not-yet.ts'
import type { Reach } from '#migration/place.ts'
import { runSteps, type StepResult, type Which } from '#migration/run.ts'
import { type Step, StepFailed, type Swap } from '#migration/step.ts'
import { openSwap } from '#migration/swap.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import type { Proof } from '#upstreams/proof.ts'
import { type Replaceable, replaceable, replaceableNames } from '#upstreams/upstreams.ts'
import { oneOf, type Surroundings, wholeNumber } from '../command-line.ts'
import { kubeconfigOf, openLiveApi } from '../source/live-source.ts'
import { harmless } from '../terminal/paragraph.ts'
import { firstStartDocument, firstStartLines, type PlanRow, planDocument, planLines } from './plan-lines.ts'

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
      `\nCOMPONENT: ${replaceableNames('or')}.\nExit codes: 0 it can begin, 1 the cluster cannot be read, 3 something stands in\nits way.\nExample: ballast migrate plan reloader --kubeconfig ~/.kube/config\nExample: ballast migrate plan descheduler\nExample: ballast migrate plan spegel --back`,
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

/** @throws CommandRefused for a name that has no swap, with what to do */
function upstreamNamed(component: string): Replaceable {
  const found = replaceable().find(({ replaced }) => replaced.id === component)
  if (found === undefined) throw new CommandRefused(notYet(component))
  return found
}

async function printPlan(component: string, options: PlanOptions, surroundings: Surroundings): Promise<ExitCode> {
  const upstream = upstreamNamed(component)
  return withReach(options, surroundings, async reach => {
    const { swap, steps, converted, firstRollouts } = await openSwap({ ...reach, upstream }, { ...options, holder: ownHolder() })
    const rows = await planRows(swap, steps, options)
    const first = await firstRollouts()
    const { terminal } = surroundings
    if (options.output === 'json') {
      const document = planDocument(component, direction(options), rows)
      const { values, report } = (await converted()) ?? {}
      const told = {
        ...(values === undefined ? {} : { values, report }),
        ...(first && { firstStart: firstStartDocument(first) }),
      }
      terminal.write(JSON.stringify({ ...document, ...told }, undefined, 2))
    } else for (const line of [...planLines(rows), ...(first === undefined ? [] : firstStartLines(first))]) terminal.write(line)
    const obstacles = rows.flatMap(({ now }) => (now === undefined || now.ok ? [] : [now.said]))
    for (const said of obstacles) terminal.say(`in the way: ${harmless(said)}`)
    if (obstacles.length === 0 && rows.some(row => !row.isDone))
      terminal.say(
        `to carry it out: ballast migrate apply ${component} --all${flagsFor(steps, options)}, or run these commands yourself, each after the proof of the one before`,
      )
    return obstacles.length === 0 ? exitCodes.done : exitCodes.notSo
  })
}

/** Steps before the switch that only look are looked at already. */
async function planRows(swap: Swap, steps: readonly Step[], options: PlanOptions): Promise<readonly PlanRow[]> {
  const { content } = swap.record
  const done = content.direction === direction(options) ? content.done : []
  const rows: PlanRow[] = []
  const isAhead = (step: Step) => step.run === undefined && rows.every(row => row.step.id !== 'switch')
  for (const step of steps) {
    const isDone = done.includes(step.id)
    rows.push({ step, isDone, now: !isDone && isAhead(step) ? await proofOf(step, swap) : undefined })
  }
  return rows
}

/** What `apply` is told beside `--all`. */
function flagsFor(steps: readonly Step[], { back, allowLossy }: PlanOptions): string {
  const flags = {
    '--back': back === true,
    '--allow-lossy': allowLossy === true,
    '--forget-release': steps.some(({ forgetsRelease }) => forgetsRelease === true),
  }
  return Object.entries(flags)
    .map(([flag, isTold]) => (isTold ? ` ${flag}` : ''))
    .join('')
}

async function proofOf(step: Step, swap: Swap): Promise<Proof> {
  try {
    return await step.prove(swap)
  } catch (error) {
    if (error instanceof StepFailed) return { ok: false, said: error.message }
    throw error
  }
}

async function applySteps(component: string, options: ApplyOptions, surroundings: Surroundings): Promise<ExitCode> {
  if (options.all === true && options.step !== undefined) throw new CommandRefused('--all and --step exclude each other')
  const upstream = upstreamNamed(component)
  const tell = (line: string) => surroundings.terminal.say(harmless(line))
  return withReach(options, surroundings, async reach => {
    const open = await openSwap({ ...reach, upstream }, { ...options, holder: ownHolder(), tell })
    const missing = await open.missingAccess()
    if (missing !== undefined) throw new CommandRefused(missing, exitCodes.failed)
    return carryOut({ component, options, surroundings }, open.swap, open.steps)
  })
}

interface Wish {
  readonly component: string
  readonly options: ApplyOptions
  readonly surroundings: Surroundings
}

async function carryOut({ component, options, surroundings }: Wish, swap: Swap, steps: readonly Step[]): Promise<ExitCode> {
  const { terminal } = surroundings
  if (options.step !== undefined && options.step > steps.length)
    throw new CommandRefused(`--step: found ${options.step}, expected one from 1 to ${steps.length}`)
  await confirm(component, options, surroundings)
  await swap.record.take(direction(options))
  const tell = ({ id, state, said }: StepResult) => terminal.say(`${id}: ${state}: ${harmless(said)}`)
  const begin = ({ id, title, patienceMs }: Step) =>
    terminal.say(`${id}: ${title}${patienceMs === undefined ? '' : ` (up to ${patienceText(patienceMs)})`} ...`)
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

const ownHolder = () => `${userInfo().username}@${hostname()}, process ${process.pid}`

function patienceText(ms: number): string {
  return ms < 60_000 ? `${ms / 1_000} seconds` : `${ms / 60_000} minutes`
}
