// `ballast replay`: a plan as a file that shows it move by move. Of a plan that is made now, of one that a cluster keeps, or of a file of one.
import { existsSync, writeFileSync } from 'node:fs'
import { extname } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { readDocuments } from '#cluster/documents.ts'
import { type Book, bookOf } from '#coordination/account/book.ts'
import type { RebalancePlan, RebalancePolicy } from '#coordination/api.ts'
import { nothingObserved } from '#coordination/observed/observation.ts'
import type { ReplayView } from '#dashboard/contract-replay.ts'
import type { Picture } from '#dashboard/picture.ts'
import { animatedSvg } from '#dashboard/replay-file/animated-svg.ts'
import { replayHtml } from '#dashboard/replay-file/one-file.ts'
import { replayOf } from '#dashboard/views/replay/replay.ts'
import { readingOnly } from '#dashboard/views/viewing.ts'
import { systemClock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { nearestName } from '#kube/values/nearest-name.ts'
import { processLog } from '#process/process-log.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { about } from '../about.ts'
import { type AccountOptions, loadAccounts, withAccounts } from '../account/account-source.ts'
import type { DefineCommand, Surroundings } from '../command-line.ts'
import { bundleWords, pageBundle } from '../page/page.ts'
import { paperPlan } from '../plan.ts'
import type { LoadedCluster } from '../source/cluster-source.ts'
import { fixedPicture } from '../source/fixed-picture.ts'
import { givenText } from '../source/given-file.ts'
import { installedSettings } from '../source/installed-settings.ts'

interface ReplayOptions extends AccountOptions {
  readonly output: string
  readonly policy?: string
  readonly policyFile?: string
  readonly goal: readonly string[]
  readonly pool?: string
  readonly resource?: string
}

export const defineReplay: DefineCommand = (program, surroundings) => {
  withAccounts(program.command('replay [plan]'))
    .description(about.replay)
    .option(
      '-o, --output <file>',
      'file to write: .html plays at the reader’s pace, .svg by itself in ten seconds',
      'replay.html',
    )
    .option('--policy <name>', 'plan now: the RebalancePolicy, where the cluster has several')
    .option('--policy-file <file>', 'plan now: a RebalancePolicy from a file instead of the cluster')
    .option(
      '--goal <goal>',
      'plan now: a goal in words, as ballast plan takes it; may be repeated',
      (goal: string, others: readonly string[]) => [...others, goal],
      [],
    )
    .option('--pool <name>', 'of more than 60 nodes: look into this pool of nodes')
    .option('--resource <name>', 'size of tiles in the picture: cpu, memory, pods, or another that a goal is about')
    .addHelpText(
      'after',
      [
        '\nPLAN is a file with a RebalancePlan (ballast plan -o json writes one, kubectl get rebalanceplan NAME -o yaml too),',
        'or the name of one that the cluster keeps. Without it a plan is made now, as ballast plan makes it.',
        'A file alone has the sums of each node and every pod that moves; with --cluster or --kubeconfig the pods that stay are',
        'drawn one by one, as far as they are those of then.',
        'Exit codes: 0 it is written, 2 there is no such plan, 3 there is nothing to plan.',
        'Example: ballast replay --cluster examples/talos-homelab -o replay.html',
        'Example: ballast replay plan.json -o replay.svg',
        'Example: ballast replay talos-7f3c --kubeconfig .ballast/kubeconfig -o replay.html',
      ].join('\n'),
    )
    .action(async (plan: string | undefined, options: ReplayOptions) =>
      surroundings.end(await write(plan, options, surroundings)),
    )
}

interface Shown {
  readonly picture: Picture
  readonly plan: RebalancePlan
}

async function write(named: string | undefined, options: ReplayOptions, surroundings: Surroundings): Promise<ExitCode> {
  const { terminal } = surroundings
  const kind = extname(options.output).toLowerCase()
  if (kind !== '.html' && kind !== '.svg')
    throw new CommandRefused(`--output: found ${JSON.stringify(options.output)}, expected a file that ends in .html or .svg`)
  const shown = await shownPlan(named, options, surroundings)
  if (shown === undefined) {
    terminal.say('nothing is to be planned: name a plan, a policy or a goal')
    return exitCodes.notSo
  }
  const view = replayOf(shown.picture, shown.plan, { pool: options.pool }, readingOnly)
  if (view === undefined)
    throw new CommandRefused(
      `--pool: found ${JSON.stringify(options.pool)}, expected a pool: ${poolsOf(shown).join(', ') || 'so few nodes have none'}`,
    )
  const resource = resourceOf(view, options.resource)
  const text = kind === '.svg' ? animatedSvg(view, resource) : await html(shown, view, surroundings)
  try {
    writeFileSync(options.output, text)
  } catch (error) {
    throw new CommandRefused(`write ${options.output}: ${messageOf(error)}`, exitCodes.failed)
  }
  const size = Math.ceil(Buffer.byteLength(text) / 1024)
  terminal.write(
    `${options.output}: plan ${view.plan}, ${view.steps.length} of ${view.moves} moves, ${view.boxes.length} boxes, ${size} KiB`,
  )
  for (const { text: note } of view.notes) terminal.say(note)
  return exitCodes.done
}

async function shownPlan(
  named: string | undefined,
  options: ReplayOptions,
  surroundings: Surroundings,
): Promise<Shown | undefined> {
  const planNow = {
    '--policy': options.policy,
    '--policy-file': options.policyFile,
    '--goal': options.goal.length > 0 ? options.goal : undefined,
  }
  if (named !== undefined)
    for (const [option, value] of Object.entries(planNow))
      if (value !== undefined)
        throw new CommandRefused(`${option} is for a plan that is made now: leave out ${JSON.stringify(named)}, or it`)
  const isFile = named !== undefined && (/[./\\]/.test(named) || existsSync(named))
  if (isFile) {
    const file = planOfFile(named)
    const picture =
      options.cluster === undefined && options.kubeconfig === undefined && options.context === undefined
        ? await pictureOfRecord(file, named, options, surroundings)
        : fixedPicture(await loadAccounts(options, surroundings))
    return { picture: withBook(picture, file), plan: file.plan }
  }
  const read = await loadAccounts(options, surroundings)
  const picture = fixedPicture(read)
  if (named === undefined) {
    const made = await paperPlan(read, options, surroundings)
    return made === undefined
      ? undefined
      : { picture: withBook(picture, { plan: made.plan, policies: [made.policy] }), plan: made.plan }
  }
  const plan = picture.book.plans.find(({ metadata }) => metadata.name === named)
  if (plan === undefined) {
    const names = picture.book.plans.map(({ metadata }) => metadata.name)
    const meant = nearestName(named, names)
    const hint =
      meant === undefined
        ? names.length === 0
          ? 'it keeps none'
          : `there are ${names.slice(0, 5).join(', ')}`
        : `did you mean ${meant}?`
    throw new CommandRefused(`no plan ${JSON.stringify(named)} in ${read.cluster.shown}, and no such file; ${hint}`)
  }
  return { picture, plan }
}

interface PlanFile {
  readonly plan: RebalancePlan
  readonly policies: readonly RebalancePolicy[]
}

/** The plan in a file, with policies that lie beside it there. @throws InputError; CommandRefused where it has none, or several */
function planOfFile(file: string): PlanFile {
  const { objects, problems } = readDocuments(file, givenText(file, '[plan]'))
  if (problems.length > 0) throw new InputError(problems)
  const book = bookOf(objects.map(({ object }) => object))
  if (book.problems.length > 0)
    throw new InputError(book.problems.map(problem => ({ ...problem, where: `${file}: ${problem.where}` })))
  const [plan] = book.plans
  if (plan === undefined) throw new CommandRefused(`no RebalancePlan in ${file}`)
  if (book.plans.length > 1) throw new CommandRefused(`${book.plans.length} RebalancePlans in ${file}: leave one in it`)
  return { plan, policies: book.policies }
}

/** A cluster of which nothing is known but what a plan says. */
async function pictureOfRecord(
  { plan }: PlanFile,
  file: string,
  options: ReplayOptions,
  surroundings: Surroundings,
): Promise<Picture> {
  const { state } = buildClusterState([])
  const cluster: LoadedCluster = { objects: [], state, problems: [], gitVersion: '', shown: file, isLive: false }
  const settings = await installedSettings(options, cluster, surroundings)
  const saidMs = Date.parse(plan.status?.finishedAt ?? plan.status?.checkedAt ?? '')
  const nowMs = Number.isNaN(saidMs) ? systemClock.now() : saidMs
  const base = fixedPicture({ cluster, book: bookOf([]), observed: nothingObserved, nowMs, ...settings })
  // What stands in no cluster is not said to be gone.
  return { ...base, past: { present: base } }
}

function withBook(picture: Picture, { plan, policies }: PlanFile): Picture {
  const known = new Set(policies.map(({ metadata }) => metadata.name))
  const book: Book = {
    ...picture.book,
    policies: [...picture.book.policies.filter(({ metadata }) => !known.has(metadata.name)), ...policies],
    plans: [...picture.book.plans.filter(({ metadata }) => metadata.name !== plan.metadata.name), plan],
  }
  return { ...picture, book }
}

function poolsOf({ picture, plan }: Shown): readonly string[] {
  const whole = replayOf(picture, plan, {}, readingOnly)
  return (whole?.boxes ?? []).flatMap(({ name, kind }) => (kind === 'pool' ? [name] : []))
}

function resourceOf({ resources }: ReplayView, wanted: string | undefined): number {
  if (wanted === undefined) return 0
  const at = resources.indexOf(wanted)
  if (at >= 0) return at
  throw new CommandRefused(`--resource: found ${JSON.stringify(wanted)}, expected one of ${resources.join(', ')}`)
}

/** With the pools that the plan has a part in, to look into. @throws CommandRefused where the page's script cannot be had, or the plan is too large */
async function html(shown: Shown, view: ReplayView, surroundings: Surroundings): Promise<string> {
  await using bundle = pageBundle(surroundings, processLog({ level: 'error', clock: systemClock }))
  await bundle.ready
  const parts = bundle.replayParts()
  if (parts === undefined) {
    const why = bundle.problem === undefined ? 'it is not built' : stripVTControlCharacters(bundleWords(bundle.problem))
    throw new CommandRefused(`the file's script cannot be had: ${why}; -o replay.svg needs none`, exitCodes.failed)
  }
  const inside = new Set(view.steps.flatMap(({ from, to }) => (to === null ? [from] : [from, to])))
  const pools = view.boxes.filter(({ kind, name }) => kind === 'pool' && inside.has(name))
  const views = pools.flatMap(({ name }) => replayOf(shown.picture, shown.plan, { pool: name }, readingOnly) ?? [])
  const text = replayHtml([view, ...views], parts)
  if (text === undefined)
    throw new CommandRefused(`plan ${view.plan} is too large for one file; --pool NAME shows a part of it`, exitCodes.failed)
  return text
}
