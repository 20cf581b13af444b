// `ballast top`: nodes with what is requested of them and what they use, side by side, their goals and the plan; once, or kept up.

import { InvalidArgumentError } from 'commander'
import type { CapabilityView, Overview } from '#dashboard/contract.ts'
import type { Picture, PictureSource } from '#dashboard/picture.ts'
import { insideOf } from '#dashboard/terminal/inside.ts'
import { LiveView } from '#dashboard/terminal/live-view.ts'
import { type Order, parseOrder, sortColumns } from '#dashboard/terminal/order.ts'
import { type Tty, wholeScreen } from '#dashboard/terminal/screen.ts'
import { plainWidth, terminalText, type ViewOptions } from '#dashboard/terminal/terminal-view.ts'
import { nodesOf, type ResourceName, resourceNames } from '#dashboard/terminal/view-rows.ts'
import { overviewOf } from '#dashboard/views/overview.ts'
import { readingOnly } from '#dashboard/views/viewing.ts'
import { systemClock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { InputError, problemSentence } from '#kube/problem.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { about } from './about.ts'
import { type AccountOptions, loadAccounts, withAccounts } from './account/account-source.ts'
import { type DefineCommand, oneOf, type Surroundings } from './command-line.ts'
import { fixedPicture } from './source/fixed-picture.ts'
import { followCluster } from './source/followed-cluster.ts'
import { harmless } from './terminal/paragraph.ts'
import { interruptAll, processTty, restoredOnEnd, suspendAll } from './terminal/process-tty.ts'
import { table } from './terminal/terminal.ts'
import { hasColours, labelsOf, ownZone } from './terminal/view-options.ts'

interface TopOptions extends Omit<AccountOptions, 'context'> {
  /** One after the other. */
  readonly context?: readonly string[]
  readonly sort?: Order
  readonly resource: readonly ResourceName[]
  readonly labels?: readonly string[]
  readonly watch?: boolean
  readonly output: 'table' | 'json'
}

const mostLabels = 8

export const defineTop: DefineCommand = (program, surroundings) => {
  const command = withAccounts(program.command('top'))
  for (const option of command.options)
    if (option.long === '--context') {
      option.description = 'context of the kubeconfig; may be repeated: a table each, or with -w Tab shows the next'
      option.argParser<readonly string[]>((name, before = []) => [...new Set([...before, name])])
    }
  command
    .description(about.top)
    .option('--sort <column>', `by ${sortColumns.join(', ')}; a minus before it turns it round`, orderOption)
    .option(
      '--resource <names>',
      `which of ${resourceNames.join(', ')} to show; the first has the bar and the goals`,
      resourceOption,
      ['cpu', 'memory'] satisfies ResourceName[],
    )
    .option('--labels <keys>', 'labels of nodes as columns, such as topology.kubernetes.io/zone', labelOption)
    .option('-w, --watch', 'keep showing a live cluster on a terminal, with keys (? lists them), until q')
    .option('-o, --output <format>', 'table or json', oneOf('table', 'json'), 'table')
    .addHelpText(
      'after',
      [
        '\n# used, = requested beyond that, | a goal; ! is not met, ? is not known. Percent are truncated, as kubectl prints them.',
        'With -w Enter looks into nodes: the pods of one, and why each stays or goes; the last line tells what was decided last.',
        'Example: ballast top --cluster examples/talos-homelab --sort memory',
        'Example: ballast top -w --context home --context work',
      ].join('\n'),
    )
    .action(async (options: TopOptions) => surroundings.end(await top(options, surroundings)))
}

function orderOption(text: string): Order {
  const order = parseOrder(text)
  if (order === undefined)
    throw new InvalidArgumentError(`It must be one of ${sortColumns.join(', ')}, or such a word with a minus before it.`)
  return order
}

function resourceOption(text: string): readonly ResourceName[] {
  return listOf(text).map(word => {
    const name = resourceNames.find(one => one === word)
    if (name === undefined) throw new InvalidArgumentError(`It must be of ${resourceNames.join(', ')}.`)
    return name
  })
}

function labelOption(text: string): readonly string[] {
  const keys = listOf(text)
  if (keys.length > mostLabels) throw new InvalidArgumentError(`There is room for ${mostLabels} of them.`)
  return keys
}

function listOf(text: string): readonly string[] {
  const words = text.split(',').map(word => word.trim())
  if (words.some(word => word === '')) throw new InvalidArgumentError('It must be names with commas between them.')
  return [...new Set(words)]
}

async function top(options: TopOptions, surroundings: Surroundings): Promise<ExitCode> {
  if (options.watch === true && options.cluster !== undefined)
    throw new CommandRefused('-w needs a live cluster: a dump does not change')
  if (options.watch === true && options.output === 'json') throw new CommandRefused('-w needs -o table')
  if (options.cluster !== undefined && contextsOf(options).length > 1)
    throw new CommandRefused('several --context need a kubeconfig: a dump is one cluster')
  const { terminal } = surroundings
  const tty = processTty(surroundings.environment)
  if (options.watch === true && tty !== undefined) return await watched(options, surroundings, tty)
  if (options.watch === true) terminal.say('standard output is no terminal: one table is printed, as without -w')
  const contexts = contextsOf(options)
  if (contexts.length > 1) return await topOfEach(contexts, options, { surroundings, tty })
  const [only = {}] = contexts
  const shown = await read(ofContext(options, only), surroundings)
  if (options.output === 'json') terminal.write(JSON.stringify(shown.document, undefined, 2))
  else print(shown, options, { surroundings, tty })
  return exitCodes.done
}

type OneContext = Pick<AccountOptions, 'context'>

function contextsOf({ context = [] }: TopOptions): readonly OneContext[] {
  return context.length === 0 ? [{}] : context.map(name => ({ context: name }))
}

type OneTop = Omit<TopOptions, 'context'> & OneContext

function ofContext({ context: _, ...others }: TopOptions, one: OneContext): OneTop {
  return { ...others, ...one }
}

interface Printing {
  readonly surroundings: Surroundings
  readonly tty: Tty | undefined
}

/** A cluster after the other. One that cannot be read is told, and the others are shown. */
async function topOfEach(contexts: readonly OneContext[], options: TopOptions, printing: Printing): Promise<ExitCode> {
  const { terminal } = printing.surroundings
  const documents: object[] = []
  let isWhole = true
  for (const { context = '' } of contexts) {
    try {
      const shown = await read(ofContext(options, { context }), printing.surroundings)
      documents.push({ context, ...shown.document })
      if (options.output === 'json') continue
      terminal.write(terminal.colour.bold(`context ${harmless(context)}`))
      print(shown, options, printing)
      terminal.write('')
    } catch (error) {
      if (printing.surroundings.signal.aborted) throw error
      isWhole = false
      const problems = error instanceof InputError ? error.problems.map(problemSentence) : [messageOf(error)]
      for (const problem of problems) terminal.say(`context ${harmless(context)}: ${harmless(problem)}`)
      documents.push({ context, error: problems.join('; ') })
    }
  }
  if (options.output === 'json') terminal.write(JSON.stringify({ clusters: documents }, undefined, 2))
  return isWhole ? exitCodes.done : exitCodes.failed
}

interface Read {
  readonly picture: Picture
  readonly overview: Overview
  readonly tables: readonly OwnTable[]
  readonly document: object
}

async function read(options: OneTop, surroundings: Surroundings): Promise<Read> {
  const picture = fixedPicture(await loadAccounts(options, surroundings))
  const overview = overviewOf(picture, readingOnly)
  const tables = await ownTables(picture)
  return { picture, overview, tables, document: { ...document(overview), tables: tables.map(tableDocument) } }
}

function print({ picture, overview, tables }: Read, options: TopOptions, { surroundings, tty }: Printing): void {
  const { terminal } = surroundings
  const width = tty?.size().columns ?? columnsSaid(surroundings) ?? plainWidth
  const text = terminalText(overview, { ...viewOptions(options, () => picture), width, hasColours: hasColours(surroundings) })
  terminal.write(text.trimEnd())
  for (const { title, columns, rows, total } of tables) {
    terminal.write(`\n${terminal.colour.bold(title)}`)
    const sheet = columns.map(column => ({
      title: column.title.toUpperCase(),
      align: column.isNumber ? ('right' as const) : ('left' as const),
    }))
    terminal.write(
      table(
        sheet,
        rows.map(({ cells }) => cells.map(cell => harmless(String(cell ?? '-')))),
      ),
    )
    if (total > rows.length) terminal.write(`... and ${total - rows.length} more`)
  }
}

type OwnTable = CapabilityView['tables'][number]

/** What capabilities have to show beside nodes, where there is any. */
async function ownTables(picture: Picture): Promise<readonly OwnTable[]> {
  const pages = await Promise.all(enabledCapabilities.flatMap(({ page }) => (page === undefined ? [] : [page()])))
  return pages.flatMap(({ onTop }) => onTop?.(picture, readingOnly) ?? []).filter(({ rows }) => rows.length > 0)
}

/** Rows by the titles of their columns. */
function tableDocument({ name, columns, rows, total }: OwnTable): object {
  return {
    name,
    total,
    rows: rows.map(({ cells }) => Object.fromEntries(columns.map(({ title }, at) => [title, cells[at] ?? null]))),
  }
}

/** What shells set for programs whose output is read through something else. */
function columnsSaid({ environment }: Surroundings): number | undefined {
  const columns = Number(environment['COLUMNS'])
  return Number.isInteger(columns) && columns >= 20 && columns <= 1_000 ? columns : undefined
}

function viewOptions(
  { sort, resource, labels = [] }: Pick<TopOptions, 'sort' | 'resource' | 'labels'>,
  picture: () => Picture,
): Pick<ViewOptions, 'order' | 'resources' | 'labels' | 'labelsOf' | 'zone'> {
  return { order: sort, resources: resource, labels, labelsOf: labelsOf(picture), zone: ownZone() }
}

async function watched(options: TopOptions, surroundings: Surroundings, tty: Tty): Promise<ExitCode> {
  const { signal } = surroundings
  await using followed = new AsyncDisposableStack()
  const sources = await followEach(options, { surroundings, followed })
  const source = switching(sources)
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve(), { once: true })
  if (signal.aborted) resolve()
  await Promise.race([...sources.map(({ ready }) => ready), promise])
  if (signal.aborted) return exitCodes.done
  const { resources, order, ...view } = viewOptions(options, () => source.current())
  using _view = restoring({
    tty,
    source,
    overview: () => overviewOf(source.current(), readingOnly),
    hasColours: hasColours(surroundings),
    view,
    inside: insideOf(() => source.current(), readingOnly, ownZone()),
    clusters: { count: sources.length, next: source.next },
    start: { ...(resources === undefined ? {} : { resources }), order },
    readOnly: 'This view only reads: ballast dashboard --actions has a page that acts.',
    onEnd: resolve,
  })
  await promise
  return exitCodes.done
}

/** Those that can be followed; the others are told. @throws what the first failed of, where none can be */
async function followEach(
  options: TopOptions,
  { surroundings, followed }: { readonly surroundings: Surroundings; readonly followed: AsyncDisposableStack },
): Promise<readonly FollowedSource[]> {
  const sources: FollowedSource[] = []
  const contexts = contextsOf(options)
  for (const { context } of contexts) {
    try {
      const one = ofContext(options, context === undefined ? {} : { context })
      const cluster = followed.use(await followCluster(one, surroundings))
      sources.push(cluster.source)
    } catch (error) {
      if (contexts.length === 1 || surroundings.signal.aborted) throw error
      surroundings.terminal.say(`context ${harmless(context ?? '')}: ${harmless(messageOf(error))}`)
    }
  }
  if (sources.length === 0) throw new CommandRefused('no context can be read', exitCodes.failed)
  return sources
}

type FollowedSource = Awaited<ReturnType<typeof followCluster>>['source']

/** One source of several: the one that is shown. */
function switching(sources: readonly FollowedSource[]): PictureSource & { readonly next: () => void } {
  let at = 0
  return {
    current: () => {
      const shown = sources[at]
      if (shown === undefined) throw new RangeError(`there is no source ${at}`)
      return shown.current()
    },
    onChange(listener) {
      const ends = sources.map(source => source.onChange(listener))
      return () => {
        for (const end of ends) end()
      }
    },
    next: () => {
      at = (at + 1) % sources.length
    },
  }
}

/** A view on the whole terminal that gives it back however the process ends. */
function restoring(
  given: Omit<ConstructorParameters<typeof LiveView>[0], 'screen' | 'clock' | 'onInterrupt' | 'onSuspend'>,
): Disposable {
  const screen = wholeScreen(given.tty)
  const stack = new DisposableStack()
  stack.use(restoredOnEnd(() => screen.end()))
  const view = stack.use(
    new LiveView({
      ...given,
      screen,
      clock: systemClock,
      onInterrupt: interruptAll,
      onSuspend: () => suspendAll(screen, () => view.refresh()),
    }),
  )
  return stack
}

/** What `-o json` prints: the figures in base units, and words as the page has them. */
function document(overview: Overview): object {
  const { cluster, mode, now, verdict, totals, goals, plan, freeze } = overview
  return {
    cluster,
    mode,
    now,
    verdict: { level: verdict.level, sentences: verdict.sentences.map(({ text }) => text) },
    totals,
    goals: goals.map(({ because, ...goal }) => ({ ...goal, because: because.text })),
    nodes: nodesOf(overview),
    plan: plan === null ? null : { ...plan, sentences: plan.sentences.map(({ text }) => text) },
    freeze,
  }
}
