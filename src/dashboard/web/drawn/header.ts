// The head of every page: name, pages, cluster, clock, and how it stands with the server.
import { timeOfDay } from '../../words/time.ts'
import { element, type Markup, type Surroundings } from './markup.ts'

interface NavigationFacts {
  /** Those of capabilities. */
  readonly pages: readonly { readonly path: string; readonly title: string }[]
  /** Path of the page that is shown. */
  readonly path: string
  readonly mode: 'twin' | 'cluster'
}

const ownPages: readonly { readonly path: string; readonly text: string; readonly onlyTwin?: boolean }[] = [
  { path: '/', text: 'Overview' },
  { path: '/plan', text: 'Plan' },
  { path: '/rebalancing', text: 'Rebalancing' },
  { path: '/permits', text: 'Permits' },
  { path: '/workloads', text: 'Workloads' },
  { path: '/images', text: 'Images' },
  { path: '/twin', text: 'Twin', onlyTwin: true },
]

/** Whether an address belongs to a page of the menu: a plan's to Plan, a node's to Overview. */
function isCurrent(path: string, page: string): boolean {
  if (page === '/') return path === '/' || path.startsWith('/node/')
  if (page === '/workloads') return /^\/(workloads?|pod)(\/|$)/.test(path)
  return path === page || path.startsWith(`${page}/`)
}

export function navigationMarkup({ path, mode, pages }: NavigationFacts, { link }: Pick<Surroundings, 'link'>): Markup {
  return element(
    'nav',
    { class: 'frame-nav', 'aria-label': 'Pages' },
    element(
      'ul',
      {},
      [
        ...ownPages.slice(0, -1),
        ...pages.map(({ path: at, title: text }) => ({ path: at, text, onlyTwin: false })),
        ...ownPages.slice(-1),
      ]
        .filter(({ onlyTwin }) => onlyTwin !== true || mode === 'twin')
        .map(page =>
          element(
            'li',
            { key: page.path },
            element('a', { href: link(page.path), 'aria-current': isCurrent(path, page.path) ? 'page' : undefined }, page.text),
          ),
        ),
    ),
  )
}

interface StatusFacts {
  readonly cluster: string
  readonly mode: 'twin' | 'cluster'
  /** Null: as fast as it goes. Of the past it says nothing. */
  readonly speed: number | null | undefined
  /** `● live`. */
  readonly state: { readonly kind: string; readonly text: string }
  /** Beside the zone in the clock's tooltip. */
  readonly clockNote: string | undefined
}

export function statusMarkup(facts: StatusFacts, { nowMs, zone }: Surroundings): Markup {
  const { cluster, mode, speed, state, clockNote } = facts
  return element(
    'div',
    { class: 'frame-status' },
    element('span', { class: 'frame-cluster', title: cluster }, cluster),
    mode === 'twin'
      ? element('span', { class: 'frame-twin' }, speed === undefined ? 'twin' : `twin ${speedText(speed)}`)
      : undefined,
    element(
      'span',
      { class: 'frame-clock', title: [`${zone}`, ...(clockNote === undefined ? [] : [clockNote])].join('. ') },
      timeOfDay(nowMs, zone, nowMs),
      element('span', { class: 'frame-zone' }, ` ${zone}`),
    ),
    element('span', { class: `frame-link frame-link-${state.kind}` }, state.text),
  )
}

/** `▸ 60×`, `paused`, `▸ max`. */
function speedText(speed: number | null): string {
  if (speed === 0) return 'paused'
  return speed === null ? '▸ max' : `▸ ${speed}×`
}
