// An account as a person reads it: what it is, a timeline with a rail, what the arbiter says now, what would change that.
import type { Account, Obstacle } from '#coordination/account/account.ts'
import type { PresentAnswer } from '#coordination/account/answers.ts'
import type { Entry, Outcome } from '#coordination/account/entry.ts'
import { formatTime } from '#kube/time/time.ts'
import { paragraph } from '../terminal/paragraph.ts'
import type { Terminal } from '../terminal/terminal.ts'

type Colour = Terminal['colour']

const rail = '│'
const marks: Readonly<Record<Outcome, string>> = { done: '●', 'under-way': '◐', waits: '◌', 'not-done': '✗', told: '○' }

/** The account in lines of at most 80 columns. */
export function accountLines(account: Account, settingsFrom: string | undefined, colour: Colour): readonly string[] {
  return [
    `${colour.bold(account.shown)}${account.isPast ? `, as it stood at ${timeText(account.atMs)}` : ''}`,
    ...account.about.flatMap(line => paragraph(line, '  ', '    ')),
    '',
    ...timelineLines(account, colour),
    '',
    ...answerLines(account, settingsFrom, colour),
    ...obstacleLines(account.obstacles, colour),
    ...(account.unknown.length === 0
      ? []
      : ['', colour.bold('What cannot be known any more'), ...account.unknown.flatMap(line => paragraph(line, '  ', '  '))]),
  ]
}

function timelineLines({ entries, subject }: Account, colour: Colour): readonly string[] {
  // What a node or a plan has seen is of many workloads: each has an account of its own.
  const isOfMany = subject.kind !== 'workload' && subject.kind !== 'pod'
  if (entries.length === 0)
    return [colour.bold('What happened'), '  nothing is known: no permit, plan, refusal or event mentions it']
  let shownDay = ''
  const lines = entries.flatMap(entry => {
    const isNewDay = shownDay !== day(entry.atMs)
    shownDay = day(entry.atMs)
    return [...(isNewDay ? [`  ${rail} ${colour.dim(shownDay)}`] : []), ...entryLines(entry, isOfMany, colour)]
  })
  return [`${colour.bold('What happened')} ${colour.dim('(UTC, oldest first)')}`, ...lines]
}

function entryLines(entry: Entry, isShort: boolean, colour: Colour): readonly string[] {
  const { outcome } = entry
  const head = `${entry.isLatest === true ? '≤' : ''}${clock(entry.atMs)} ${entry.who}${entry.decision === undefined ? '' : ` ${entry.decision}`}: ${entry.what}`
  const [first = '', ...more] = paragraph(head, `  ${marks[outcome]} `, `  ${rail}     `)
  const body = [
    entry.sentence,
    ...(isShort && entry.outcome === 'done' ? [] : entry.because.map(reason => `because ${reason}`)),
    ...(entry.wayOut === undefined ? [] : [`way out: ${firstLine(entry.wayOut)}`]),
    ...(isShort || entry.permit === undefined ? [] : [`permit ${entry.permit}`]),
  ].filter(text => text !== '')
  return [paint(outcome, colour)(first), ...more, ...body.flatMap(text => paragraph(text, `  ${rail}   `, `  ${rail}     `))]
}

/** A patch of many lines is for a file, and whole in `-o yaml`. */
function firstLine(text: string): string {
  const [first = '', ...more] = text.trim().split('\n')
  return more.length === 0 ? first : `${first} ... (-o yaml has it whole)`
}

function paint(outcome: Outcome, colour: Colour): (text: string) => string {
  switch (outcome) {
    case 'done':
      return colour.green
    case 'under-way':
    case 'waits':
      return colour.yellow
    case 'not-done':
      return colour.red
    case 'told':
      return text => text
  }
}

function answerLines(account: Account, settingsFrom: string | undefined, colour: Colour): readonly string[] {
  if (account.now.length === 0) return []
  const when = account.isPast ? `What the arbiter would have said at ${timeText(account.atMs)}` : 'What the arbiter says now'
  return [
    colour.bold(when),
    ...paragraph(
      `by the ${settingsFrom === undefined ? 'default configuration' : `configuration of ${settingsFrom}`}`,
      '  ',
      '  ',
    ).map(colour.dim),
    ...account.now.flatMap(answer => oneAnswer(answer, account, colour)),
  ]
}

function oneAnswer(answer: PresentAnswer, account: Account, colour: Colour): readonly string[] {
  const question = account.subject.kind === 'plan' ? answer.asked : answer.words
  const outcome = outcomeOf(answer)
  const rules = answer.objections.filter(one => one.holds).map(({ rule }) => rule)
  const planner = answer.planner.length === 0 ? [] : [`planner (${answer.planner.map(({ reason }) => reason).join(', ')})`]
  const noted = answer.objections.filter(one => !one.holds)
  const by = [...rules, ...planner].join(', ')
  const [first = '', ...more] = paragraph(
    `${question}: ${saidText(answer)}${by === '' ? '' : ` by ${by}`} (${answer.requester}, class ${answer.class})`,
    `  ${marks[outcome]} `,
    '      ',
  )
  return [
    paint(outcome, colour)(first),
    ...more.map(paint(outcome, colour)),
    ...noted.flatMap(one => paragraph(`only noted in mode ${answer.mode}: ${one.rule}: ${one.sentence}`, '      ', '        ')),
  ]
}

function outcomeOf({ decision, planner }: PresentAnswer): Outcome {
  if (decision === 'Queued') return 'waits'
  if (decision === 'Granted' || decision === 'Coalesced') return planner.length === 0 ? 'done' : 'not-done'
  return 'not-done'
}

function saidText({ decision, objections, into, planner }: PresentAnswer): string {
  const first = objections.find(one => one.holds)
  switch (decision) {
    case 'Granted':
      return planner.length === 0 ? 'Granted' : 'Granted, but not asked for'
    case 'Queued':
      return `Queued${first?.fromMs === undefined ? '' : ` until ${timeText(first.fromMs)}`}`
    case 'Coalesced':
      return `Coalesced${into === undefined ? '' : ` into ${into}`}`
    case 'NoOp':
      return 'nothing to do'
    case 'Denied':
    case 'Dropped':
    case 'Observed':
      return decision
  }
}

function obstacleLines(obstacles: readonly Obstacle[], colour: Colour): readonly string[] {
  if (obstacles.length === 0) return []
  return [
    '',
    colour.bold('What stands in the way, and what would change it'),
    ...obstacles.flatMap(({ rule, reason, sentence, wayOut, before }) => [
      ...paragraph(`${rule}, before ${beforeText(before)}: ${sentence} [${reason}]`, '  ', '    '),
      ...(wayOut === undefined ? [] : paragraph(`way out: ${wayOut}`, '    ', '      ')),
    ]),
  ]
}

/** `resize and drain until 16:02:26Z, move until 20:02:26Z`. */
function beforeText(before: Obstacle['before']): string {
  const groups = [...Map.groupBy(before, ({ fromMs }) => fromMs)].toSorted(([a = 0], [b = 0]) => a - b)
  return groups
    .map(([fromMs, ones]) => {
      const names = ones.map(({ question }) => question)
      const listed = [names.slice(0, -1).join(', '), names.at(-1) ?? ''].filter(part => part !== '').join(' and ')
      return fromMs === undefined ? listed : `${listed} until ${timeText(fromMs)}`
    })
    .join(', ')
}

const timeText = formatTime
const day = (ms: number): string => formatTime(ms).slice(0, 10)
const clock = (ms: number): string => formatTime(ms).slice(11, 19)
