// What a key does to the view: purely, from what is set and shown to what is set next, and what is to be done besides.
import type { ActionBody, ActionButton, ActionName, Overview } from '../contract.ts'
import { printable } from '../words/names.ts'
import type { Key } from './keys.ts'
import type { Line, Piece } from './lines.ts'
import type { Looking } from './looking.ts'
import { type Order, sortColumns } from './order.ts'
import type { View } from './terminal-view.ts'
import type { ResourceName } from './view-rows.ts'

/** An action that waits for `y`. */
interface Asked {
  readonly question: string
  readonly act: Act
}

interface Act {
  readonly kind: 'act'
  readonly action: ActionName
  readonly body: Omit<ActionBody, 'revision'>
}

/** What somebody has set. */
export interface KeyState {
  readonly resources: readonly ResourceName[]
  readonly order: Order | undefined
  readonly filter: string
  /** Whether keys are letters of the filter. */
  readonly isTyping: boolean
  readonly offset: number
  readonly asked: Asked | undefined
  readonly message: Piece | undefined
  readonly hasHelp: boolean
  /** Set while somebody looks into nodes and pods. */
  readonly looking: Looking | undefined
}

/** What is to be done besides drawing anew. */
export type Effect = Act | { readonly kind: 'end' | 'interrupt' | 'suspend' | 'redraw' | 'open' | 'next' }

interface Shown {
  readonly overview: Overview
  readonly rows: View['rows']
  /** Why nothing can be done from here; `undefined`: it can. */
  readonly readOnly: string | undefined
  /** Whether nodes can be looked into, and how many clusters there are. */
  readonly isOpen?: boolean
  readonly clusters?: number
}

interface Pressed {
  readonly state: KeyState
  readonly effect?: Effect
}

export const firstState: KeyState = {
  resources: ['cpu', 'memory'],
  order: undefined,
  filter: '',
  isTyping: false,
  offset: 0,
  asked: undefined,
  message: undefined,
  hasHelp: false,
  looking: undefined,
}

const resourceKeys: Readonly<Record<Key, readonly ResourceName[]>> = {
  c: ['cpu', 'memory'],
  m: ['memory', 'cpu'],
  p: ['pods', 'cpu'],
  w: ['watts', 'cpu'],
}
const longestFilter = 200

/** The state after `key`. */
export function pressed(before: KeyState, key: Key, shown: Shown): Pressed {
  if (key === 'Ctrl-C') return { state: before, effect: { kind: 'interrupt' } }
  if (key === 'Ctrl-Z') return { state: before, effect: { kind: 'suspend' } }
  if (key === 'Ctrl-L') return { state: before, effect: { kind: 'redraw' } }
  if (before.isTyping) return { state: typed(before, key) }
  const state: KeyState = { ...before, message: undefined, asked: undefined, hasHelp: false }
  if (before.asked !== undefined) {
    if (key === 'y' || key === 'Y') return { state, effect: before.asked.act }
    return { state: { ...state, message: { text: 'Nothing was done.' } } }
  }
  const resources = resourceKeys[key]
  if (resources !== undefined) return { state: { ...state, resources } }
  switch (key) {
    case 'q':
      return { state, effect: { kind: 'end' } }
    case 'Enter':
      return shown.isOpen === true ? { state: { ...state, looking: { cursor: 0, above: [] } } } : { state }
    case 'Tab':
      return (shown.clusters ?? 1) > 1 ? { state: { ...state, offset: 0 }, effect: { kind: 'next' } } : { state }
    case 'o':
      return { state, effect: { kind: 'open' } }
    case '?':
      return { state: { ...state, hasHelp: !before.hasHelp } }
    case 's':
      return { state: { ...state, order: nextOrder(state.order), offset: 0 } }
    case '/':
      return { state: { ...state, isTyping: true } }
    case 'Esc':
      return { state: { ...state, filter: '', offset: 0 } }
    case 'PgDn':
    case 'PgUp':
    case 'Up':
    case 'Down':
    case 'Home':
    case 'End':
      return { state: { ...state, offset: moved(key, shown.rows) } }
    case 'a':
      return offered(state, shown, 'approve', { always: true })
    case 'n':
      return offered(state, shown, 'step', { always: false })
    case ' ': {
      const isPaused = shown.overview.buttons.some(({ action, enabled }) => action === 'resume' && enabled)
      return offered(state, shown, isPaused ? 'resume' : 'pause', { always: false })
    }
    case '+':
    case '-':
      return speeded(state, shown, key)
    default:
      return { state }
  }
}

function typed(state: KeyState, key: Key): KeyState {
  switch (key) {
    case 'Enter':
      return { ...state, isTyping: false }
    case 'Esc':
      return { ...state, isTyping: false, filter: '', offset: 0 }
    case 'Backspace':
      return { ...state, filter: [...state.filter].slice(0, -1).join(''), offset: 0 }
    default: {
      const isLetter = [...key].length === 1
      return isLetter && state.filter.length < longestFilter ? { ...state, filter: state.filter + key, offset: 0 } : state
    }
  }
}

function nextOrder(order: Order | undefined): Order | undefined {
  const by = sortColumns[order === undefined ? 0 : sortColumns.indexOf(order.by) + 1]
  return by === undefined ? undefined : { by, isReversed: false }
}

function moved(key: Key, { of, shown, from }: View['rows']): number {
  const last = Math.max(0, of - shown)
  const to: Readonly<Record<Key, number>> = {
    PgDn: from + shown,
    PgUp: from - shown,
    Down: from + 1,
    Up: from - 1,
    Home: 0,
    End: last,
  }
  return Math.max(0, Math.min(last, to[key] ?? from))
}

const missing: Readonly<Partial<Record<ActionName, string>>> = {
  approve: 'No plan waits for approval.',
  step: 'No plan waits for approval.',
  pause: 'Nothing is being moved.',
  resume: 'Nothing is paused.',
}

/** The action's button, pressed: asked for once more where it says so, or `always`. */
function offered(state: KeyState, shown: Shown, action: ActionName, { always }: { readonly always: boolean }): Pressed {
  const button = shown.overview.buttons.find(one => one.action === action)
  const refusal =
    shown.readOnly ?? (button === undefined ? missing[action] : button.enabled ? undefined : (button.because ?? 'Not now.'))
  if (refusal !== undefined || button === undefined) return told(state, refusal ?? 'Not now.')
  const act: Act = { kind: 'act', action, body: button.body }
  if (!always && button.confirm === null) return { state, effect: act }
  return { state: { ...state, asked: { question: questionOf(button, shown.overview), act } } }
}

function questionOf({ action, confirm, label }: ActionButton, { plan }: Overview): string {
  if (confirm !== null) return `${printable(confirm.text)} Press y to do it.`
  const what = plan === null ? '' : ` ${printable(plan.name)}: ${plan.moves} ${plan.moves === 1 ? 'move' : 'moves'}`
  return action === 'approve' ? `Approve${what}? Press y to do it.` : `${label}? Press y to do it.`
}

const speeds = [1, 10, 60, 600, 'max'] as const

function speeded(state: KeyState, { overview, readOnly }: Shown, key: '+' | '-'): Pressed {
  if (overview.mode !== 'twin') return told(state, 'Only the time of a twin can be set.')
  if (readOnly !== undefined) return told(state, readOnly)
  if (overview.speed === 0) {
    return key === '+' ? { state, effect: { kind: 'act', action: 'twin/run', body: {} } } : told(state, 'The twin is paused.')
  }
  const now = overview.speed ?? Number.POSITIVE_INFINITY
  const factorOf = (speed: (typeof speeds)[number]) => (speed === 'max' ? Number.POSITIVE_INFINITY : speed)
  const speed = key === '+' ? speeds.find(one => factorOf(one) > now) : speeds.findLast(one => factorOf(one) < now)
  if (speed === undefined) return told(state, key === '+' ? 'It goes as fast as it can.' : 'It goes at the pace of real time.')
  return { state, effect: { kind: 'act', action: 'twin/speed', body: { speed } } }
}

function told(state: KeyState, text: string): Pressed {
  return { state: { ...state, message: { text: printable(text), tone: 'under' } } }
}

const helpLines = [
  'c m p w     CPU, memory, pods or watts first',
  's           sort by the next column',
  '/           filter by name, zone, label or state; Esc takes it away',
  'PgUp PgDn   more nodes; also arrows, Home, End',
  'Enter       look into nodes: pods, and why each stays or goes; Esc goes back',
  'Tab         the next cluster, where there are several',
  'a           approve the plan (asks y)',
  'n           approve one move',
  'space       pause the plan, or resume it',
  '+ -         speed of the twin',
  'o           open the page',
  'q           quit',
]

/** What stands below the table. */
export function footerOf(state: KeyState, shown: Omit<Shown, 'rows'>): readonly Line[] {
  if (state.asked !== undefined) return [[{ text: state.asked.question, tone: 'strong' }]]
  if (state.isTyping)
    return [[{ text: `filter: ${printable(state.filter)}_   Enter keeps it, Esc takes it away`, tone: 'strong' }]]
  if (state.message !== undefined) return [[state.message]]
  if (state.hasHelp) return helpLines.map(text => [{ text }])
  return [[{ text: hintsOf(state, shown).join('   '), tone: 'dim' }]]
}

function hintsOf(
  { order, filter }: KeyState,
  { overview, readOnly, isOpen, clusters = 1 }: Omit<Shown, 'rows'>,
): readonly string[] {
  const isOffered = (action: ActionName) =>
    readOnly === undefined && overview.buttons.some(button => button.action === action && button.enabled)
  return [
    '? help',
    ...(isOpen === true ? ['Enter look in'] : []),
    ...(clusters > 1 ? [`Tab next of ${clusters}`] : []),
    ...(isOffered('approve') ? ['a approve'] : []),
    ...(isOffered('step') ? ['n one move'] : []),
    ...(isOffered('pause') ? ['space pause'] : isOffered('resume') ? ['space resume'] : []),
    ...(overview.mode === 'twin' && readOnly === undefined ? ['+ - speed'] : []),
    'c m p w resource',
    order === undefined ? 's sort' : `s sort (${order.by})`,
    filter === '' ? '/ filter' : `/ filter (${printable(filter)})`,
    'q quit',
  ]
}
